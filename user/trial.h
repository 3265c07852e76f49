/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the running kernel offers, by asking it: its BTF first, then a program that does nothing,
 * loaded, attached and thrown away. No version is compared: distributions carry features back.
 *
 * What is attached stays so, doing nothing, until gp_trial_free: the kernel lets an attachment that
 * follows a detachment wait for an RCU grace period, 7 to 15 ms each. So attach in earnest before.
 */
#ifndef GP_TRIAL_H
#define GP_TRIAL_H

#include <stdint.h>

struct gp_trial;

/* With what the kernel says of its types, if it does. 0, or -ENOMEM. */
int gp_trial_new(struct gp_trial **out);
void gp_trial_free(struct gp_trial **t);

/* Whether tracing programs may be loaded: 0; -ENOSYS: the kernel has no BPF; -EPERM; -errno. */
int gp_trial_bpf(const struct gp_trial *t);

/* Whether the kernel describes its types: 0, or -ENOENT. */
int gp_trial_btf(const struct gp_trial *t);

/* Whether a tracing program may keep something with a socket; whether it has bpf_loop. 0, or
 * -errno. */
int gp_trial_storage(const struct gp_trial *t);
int gp_trial_loop(const struct gp_trial *t);

/* Whether a program and what it calls may have more than 512 bytes of stack. 0, or -errno. */
int gp_trial_stack(const struct gp_trial *t);

/*
 * Whether there is a hook, with at least as many arguments (0: all have enough): what libbpf takes
 * for a section ("tp_btf/sk_data_ready"), a kernel function that programs call
 * ("kfunc/bpf_dynptr_from_skb", of an skb in tracing), that an skb's bytes can be read from its
 * pages ("pages/skb"), a member of a structure ("member/unix_sock.inq_len"), or that programs run
 * undisturbed ("preemption/off"). `cgroup` is the control group that programs of control groups are
 * tried at, -1 if there is none. 0; -ENOENT: the kernel has no such thing, or it is not known;
 * -EINTR: they do not; -ENOTDIR: no control group; -errno of loading or attaching.
 */
int gp_trial_hook(struct gp_trial *t, const char *at, unsigned int arguments, int cgroup);

/* What "pages/skb" has found (page_map.h); 0: nothing. */
uint64_t gp_trial_page_map(const struct gp_trial *t);

#endif
