/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences between kernels, each behind one accessor. Programs do not know which one they run
 * on. */
#ifndef GP_COMPAT_BPF_H
#define GP_COMPAT_BPF_H

#include "kernel.bpf.h"

/* The socket as TCP sees it, or NULL. `sk` must come straight from the kernel, not by way of an
 * skb. */
static __always_inline const struct tcp_sock *gp_tcp(struct sock *sk)
{
	return (const struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
}

/*
 * Since 6.12 a task that went to sleep may stay queued: 152e11f6df29 ("sched/fair: Implement
 * delayed dequeue"). Such a task is asleep all the same.
 */
static __always_inline bool gp_is_queued(const struct task_struct *p)
{
	if (!p->on_rq)
		return false;
	return !(bpf_core_field_exists(p->se.sched_delayed) && p->se.sched_delayed);
}

static __always_inline __u64 gp_cgroup_id(const struct task_struct *p)
{
	return p->cgroups->dfl_cgrp->kn->id;
}

#endif
