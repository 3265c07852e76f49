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

/* The stream position of an skb's first byte. */
static __always_inline __u32 gp_skb_seq(struct sk_buff *skb)
{
	return ((struct tcp_skb_cb *)skb->cb)->seq;
}

/* Before 633488947ef66 ("kernfs: Use RCU to access kernfs_node::parent.") and since then. */
struct kernfs_node___old {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

struct kernfs_node___rcu {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

/* The directory that a kernfs node is in; NULL for the root. */
static __always_inline const struct kernfs_node *gp_kernfs_parent(const struct kernfs_node *node)
{
	const struct kernfs_node___old *old = (const void *)node;
	const struct kernfs_node___rcu *rcu = (const void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(rcu, __parent);
}

/* What an iov_iter's type says: one buffer of the user, or several. */
static __always_inline __u8 gp_iter_ubuf(void)
{
	return bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

static __always_inline __u8 gp_iter_iovec(void)
{
	return bpf_core_enum_value(enum iter_type, ITER_IOVEC);
}

#endif
