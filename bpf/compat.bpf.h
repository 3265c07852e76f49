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

/* Named `iov` before 6.4: de4f5fed3f23 ("iov_iter: add iter_iovec() helper"). */
struct iov_iter___old {
	const struct iovec *iov;
} __attribute__((preserve_access_index));

/* The present one of the buffers of an IOVEC. */
static __always_inline const struct iovec *gp_iter_first(const struct iov_iter *iter)
{
	if (bpf_core_field_exists(iter->__iov))
		return iter->__iov;
	return ((const struct iov_iter___old *)iter)->iov;
}

/* The buffer of a UBUF; where it shares its place with `iov`, the verifier takes it for that. */
static __always_inline __u64 gp_iter_base(const struct iov_iter *iter)
{
	__u64 base = 0;

	if (bpf_core_field_exists(iter->__iov))
		return (__u64)iter->ubuf;
	bpf_core_read(&base, sizeof(base), &iter->ubuf);
	return base;
}

#endif
