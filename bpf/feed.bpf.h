/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload, by windows: of an skb that an application reads, or of the buffers of a send. For
 * data_tp.bpf.c alone, which declares the kernel functions.
 */
#ifndef GP_FEED_BPF_H
#define GP_FEED_BPF_H

#include "maps.bpf.h"

#define GP_WINDOW 1024
#define GP_WINDOW_MARGIN 32 /* readable before it */

/* Where bytes come from: an skb, or the buffers of a send. */
struct gp_source {
	__u32 offset; /* in the skb */
	__u32 left;   /* bytes in all */
	__u64 base;   /* of the present buffer, and how much of it is left */
	__u64 base_left;
	__u64 vec; /* those behind it (struct iovec in the kernel), and how many */
	__u32 vecs;
	__u32 unreadable; /* pages of files */
};

/*
 * One for each CPU, for the programs of the receive and send hooks, which do not interrupt each
 * other. What changes while bytes go through a parser is here, not on the stack: of values there
 * the verifier would follow each, round by round.
 */
struct gp_scratch {
	struct gp_source source;
	__u32 at, len; /* in the window: what was not taken yet */
	__u32 lost;    /* it makes no sense */
	__u32 stream;  /* no exchanges from here on */
	__u8 margin[GP_WINDOW_MARGIN];
	__u8 window[GP_WINDOW + GP_LOOK];
	__u8 beyond[256]; /* what the verifier cannot see to be out of reach */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_scratch);
} scratch SEC(".maps");

static __always_inline struct gp_scratch *gp_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The bytes of an skb from the stream position `seq` on; false if it has none. */
static __always_inline bool gp_source_skb(struct gp_source *s, struct sk_buff *skb, __u32 seq)
{
	__u32 offset = seq - gp_skb_seq(skb), len = skb->len;

	s->offset = offset;
	s->left = len - offset;
	s->base = s->base_left = s->vec = 0;
	s->vecs = s->unreadable = 0;
	return offset < len;
}

/* What a send is about to take. */
static __always_inline bool gp_source_msg(struct gp_source *s, struct msghdr *msg)
{
	__u8 type = msg->msg_iter.iter_type;
	__u64 offset = msg->msg_iter.iov_offset;
	struct iovec first;

	s->offset = 0;
	s->left = msg->msg_iter.count;
	s->vec = s->vecs = s->unreadable = 0;
	if (type == gp_iter_ubuf()) {
		s->base = (__u64)msg->msg_iter.ubuf + offset;
		s->base_left = s->left;
	} else if (type == gp_iter_iovec()) {
		s->vec = (__u64)msg->msg_iter.__iov;
		s->vecs = msg->msg_iter.nr_segs;
		if (bpf_probe_read_kernel(&first, sizeof(first), (void *)s->vec))
			return false;
		s->base = (__u64)first.iov_base + offset;
		s->base_left = first.iov_len - offset;
		s->vec += sizeof(first);
		s->vecs--;
	} else {
		s->base = s->base_left = 0;
		s->unreadable = 1;
	}
	return s->left;
}

/* Goes on to the next buffer if the present one is used up. False if there is none. */
static __always_inline bool gp_source_next(struct gp_source *s, const struct sk_buff *skb)
{
	struct iovec v;

	if (skb || s->unreadable || s->base_left)
		return true;
	if (!s->vecs || bpf_probe_read_kernel(&v, sizeof(v), (void *)s->vec))
		return false;
	s->vec += sizeof(v);
	s->vecs--;
	s->base = (__u64)v.iov_base;
	s->base_left = v.iov_len;
	return true;
}

/* Passes over up to `bytes` bytes; how many it were. Some at least, if any are left. */
static __always_inline __u32 gp_source_skip(struct gp_source *s, const struct sk_buff *skb,
					    __u64 bytes)
{
	__u32 n = bytes < s->left ? bytes : s->left;

	if (skb) {
		s->offset += n;
	} else if (!s->unreadable) {
		if (n > s->base_left)
			n = s->base_left;
		s->base += n;
		s->base_left -= n;
	}
	s->left -= n;
	return n;
}

/* Reads up to `most` (1 to GP_WINDOW) bytes to `to`; how many it were, or -1. */
static __always_inline int gp_source_read(struct gp_source *s, struct sk_buff *skb, __u8 *to,
					  __u32 most)
{
	struct bpf_dynptr bytes;
	__u32 n = s->left < most ? s->left : most;

	if (!skb && n > s->base_left)
		n = s->base_left;
	asm volatile("" : "+r"(n)); /* the checks below are for the verifier: keep them */
	if (!n || n > GP_WINDOW)
		return -1;
	if (skb) {
		if (!bpf_dynptr_from_skb || !bpf_dynptr_read)
			return -1;
		if (bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &bytes) ||
		    bpf_dynptr_read(to, n, &bytes, s->offset, 0))
			return -1;
	} else if (s->unreadable || bpf_probe_read_user(to, n, (void *)s->base)) {
		return -1;
	}
	gp_source_skip(s, skb, n);
	return n;
}

#endif
