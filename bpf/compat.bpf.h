/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between kernels, each behind one accessor. Programs do not know which one they run
 * on.
 */
#ifndef GP_COMPAT_BPF_H
#define GP_COMPAT_BPF_H

#include "kernel.bpf.h"

/*
 * The socket as TCP sees it, or NULL. `sk` must come straight from the kernel, not by way of an
 * skb.
 */
static __always_inline const struct tcp_sock *gp_tcp(struct sock *sk)
{
	return (const struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
}

#endif
