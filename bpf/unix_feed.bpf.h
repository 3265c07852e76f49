/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a unix socket's sends and receives: the part of feed.bpf.h that is its own. */
#ifndef GP_UNIX_FEED_BPF_H
#define GP_UNIX_FEED_BPF_H

/* As gp_skb_bytes of feed.bpf.h. The kernel function is called by another object: see there. */
static __always_inline int gp_skb_bytes(struct sk_buff *skb, __u32 offset, __u8 *to, __u32 n,
					bool here)
{
	return gp_skb_read(skb, offset, (struct gp_room *)to, n);
}

static __always_inline int gp_sent_bytes(__u64 from, __u8 *to, __u32 n)
{
	return bpf_probe_read_kernel(to, n, (void *)from) ? -1 : 0;
}

/* What a send has put into its skb. */
static __always_inline bool gp_source_msg(struct gp_source *s, const struct gp_sent *msg)
{
	s->offset = 0;
	s->left = msg->len;
	s->base = msg->bytes;
	s->base_left = msg->linear;
	s->vec = s->vecs = s->unreadable = 0;
	return s->left;
}

static __always_inline int gp_peek_msg(const struct gp_sent *msg, __u8 *to, __u32 most)
{
	__u32 n = msg->linear < most ? msg->linear : most;

	asm volatile("" : "+r"(n)); /* the check below is for the verifier: keep it */
	if (!n || n > GP_WINDOW || gp_sent_bytes(msg->bytes, to, n))
		return -1;
	return n;
}

/* What a look needs is in one piece, or cannot be read. */
static __always_inline int gp_gather_msg(struct gp_scratch *s, const struct gp_sent *msg)
{
	return -1;
}

#endif
