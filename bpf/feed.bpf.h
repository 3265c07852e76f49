/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload, by windows: of an skb that an application reads, or of the buffers of a send. For
 * data_tp.bpf.c, which declares the kernel functions, and for unix sockets (GP_OF_UNIX).
 */
#ifndef GP_FEED_BPF_H
#define GP_FEED_BPF_H

#include "maps.bpf.h"
#include "step.bpf.h"
#include "stream.bpf.h"

static __always_inline struct gp_scratch *gp_scratch_get(enum gp_scratch_of hook)
{
	__u32 index = GP_IS_UNIX ? GP_SCRATCH_UNIX + hook : hook;

	return bpf_map_lookup_elem(&scratch, &index);
}

/* The bytes of an skb from `offset` on; false if it has none. */
static __always_inline bool gp_source_skb(struct gp_source *s, struct sk_buff *skb, __u32 offset)
{
	__u32 len = skb->len;

	s->offset = offset;
	s->left = len - offset;
	s->base = s->base_left = s->vec = 0;
	s->vecs = s->unreadable = 0;
	return offset < len;
}

#define GP_EMPTY 4   /* buffers in a row without a byte */
#define GP_GATHER 8  /* buffers, or pieces of an skb, that a look goes over */
#define GP_PLAIN 512 /* bytes of which a look sees all */

#ifdef GP_OF_UNIX
#include "unix_feed.bpf.h"
#else
#include "pages.bpf.h"

/*
 * Up to `n` (1 to GP_WINDOW) bytes of an skb from `offset` on: how many it were, some at least; or
 * -1. `here`: without a call, if possible.
 */
static __always_inline int gp_skb_bytes(struct sk_buff *skb, __u32 offset, __u8 *to, __u32 n,
					bool here)
{
	struct bpf_dynptr bytes;

	if (gp_payload == GP_PAYLOAD_PAGES)
		return here ? gp_skb_pages_here(skb, offset, to, n)
			    : gp_skb_pages_far(skb, offset, to, n);
	if (gp_payload != GP_PAYLOAD_DYNPTR || !bpf_dynptr_from_skb)
		return -1;
	if (bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &bytes) ||
	    bpf_dynptr_read(to, n, &bytes, offset, 0))
		return -1;
	return n;
}

/* `n` bytes of a buffer of a send. 0, or -1. */
static __always_inline int gp_sent_bytes(__u64 from, __u8 *to, __u32 n)
{
	return bpf_probe_read_user(to, n, (void *)from) ? -1 : 0;
}

/* The present one of a send's buffers. */
static __always_inline void gp_buffer_first(const struct iov_iter *iter, __u64 *base, __u64 *len)
{
	const struct iovec *first = gp_iter_first(iter);
	struct iovec v;

	*base = *len = 0;
	if (bpf_rdonly_cast) {
		first = bpf_rdonly_cast(first, bpf_core_type_id_kernel(struct iovec));
		*base = (__u64)first->iov_base;
		*len = first->iov_len;
	} else if (!bpf_probe_read_kernel(&v, sizeof(v), first)) {
		*base = (__u64)v.iov_base;
		*len = v.iov_len;
	}
	/* One instruction must not load by either pointer. */
	asm volatile("" : "+r"(*base), "+r"(*len));
}

/* What a send is about to take; NULL: pages, of which s->left is the length already. */
static __always_inline bool gp_source_msg(struct gp_source *s, struct msghdr *msg)
{
	__u64 offset, base, len;
	__u8 type;

	if (!msg) {
		s->vec = s->vecs = s->base = s->base_left = 0;
		s->unreadable = 1;
		return s->left;
	}
	type = msg->msg_iter.iter_type;
	offset = msg->msg_iter.iov_offset;
	s->offset = 0;
	s->left = msg->msg_iter.count;
	s->vec = s->vecs = s->unreadable = 0;
	if (type == gp_iter_ubuf()) {
		s->base = gp_iter_base(&msg->msg_iter) + offset;
		s->base_left = s->left;
	} else if (type == gp_iter_iovec()) {
		gp_buffer_first(&msg->msg_iter, &base, &len);
		s->base = base + offset;
		s->base_left = len - offset;
		s->vec = (__u64)gp_iter_first(&msg->msg_iter) + sizeof(struct iovec);
		s->vecs = msg->msg_iter.nr_segs - 1;
	} else {
		s->base = s->base_left = 0;
		s->unreadable = 1;
	}
	return s->left;
}

/*
 * For a look: the first bytes of what a send is about to take, of its first buffer, up to `most`
 * (at most GP_WINDOW); how many it were, or less than 1.
 */
static __always_inline int gp_peek_msg(const struct msghdr *msg, __u8 *to, __u32 most)
{
	__u64 n, base;
	__u8 type;

	if (!msg)
		return -1;
	type = msg->msg_iter.iter_type;
	if (type == gp_iter_ubuf()) {
		base = gp_iter_base(&msg->msg_iter);
		n = msg->msg_iter.count;
	} else if (type == gp_iter_iovec()) {
		gp_buffer_first(&msg->msg_iter, &base, &n);
		n -= msg->msg_iter.iov_offset;
	} else {
		return -1;
	}
	if (n > most)
		n = most;
	asm volatile("" : "+r"(n));
	if (!n || n > GP_WINDOW ||
	    bpf_probe_read_user(to, n, (void *)(base + msg->msg_iter.iov_offset)))
		return -1;
	return n;
}

static __always_inline bool gp_source_next(struct gp_source *s, const struct sk_buff *skb);
static __always_inline int gp_source_read(struct gp_source *s, struct sk_buff *skb, __u8 *to,
					  __u32 most);

/* As gp_peek_msg, of several buffers, at least GP_LOOK bytes if there are as many. */
static __noinline int gp_gather_msg(struct gp_scratch *s, struct msghdr *msg)
{
	__u32 n = 0;

	if (!gp_source_msg(&s->source, msg))
		return -1;
	for (int i = 0; i < GP_GATHER && n < GP_LOOK; i++) {
		int more;

		if (!gp_source_next(&s->source, NULL))
			break;
		more = gp_source_read(&s->source, NULL, s->window + n, GP_LOOK);
		if (more > 0)
			n += more;
		asm volatile("" : "+r"(n)); /* the check is for the verifier: keep it */
		if (n >= 2 * GP_LOOK)
			break;
	}
	return n;
}

#endif

/*
 * As gp_peek_skb, of bytes that are in several pieces: senders fill pages, and a request may well
 * go over the end of one.
 */
static __noinline int gp_gather_skb(struct sk_buff *skb, __u32 offset, __u8 *to, __u32 most)
{
	__u32 n = 0, left;
	int more;

	for (int i = 0; i < GP_GATHER && n < most; i++) {
		left = most - n;
		asm volatile("" : "+r"(n), "+r"(left)); /* the checks are for the verifier */
		if (n >= GP_PLAIN || !left || left > GP_PLAIN)
			break;
		more = gp_skb_bytes(skb, offset + n, to + n, left, false);
		if (more <= 0)
			break;
		n += more;
	}
	return n ? (int)n : -1;
}

/*
 * As gp_peek_msg, of an skb from `offset` on: of all its pieces, and at most GP_PLAIN bytes.
 * `here`: without a call, if possible; that takes stack.
 */
static __always_inline int gp_peek_skb(struct sk_buff *skb, __u32 offset, __u8 *to, __u32 most,
				       bool here)
{
	__u32 n = skb->len - offset;

	if (n > most)
		n = most;
	asm volatile("" : "+r"(n)); /* the check below is for the verifier: keep it */
	if (!n || n > GP_PLAIN)
		return -1;
	if (here && gp_skb_bytes(skb, offset, to, n, true) == (int)n)
		return n;
	return gp_gather_skb(skb, offset, to, n);
}

/* Goes on to the next buffer if the present one is used up. False if there is none. */
static __always_inline bool gp_source_next(struct gp_source *s, const struct sk_buff *skb)
{
	struct iovec v;

	if (skb || s->unreadable)
		return true;
	if (GP_IS_UNIX && !s->base_left) { /* the rest lies in pages */
		s->unreadable = 1;
		return s->left;
	}
	for (int i = 0; i < GP_EMPTY && !s->base_left; i++) {
		if (!s->vecs || bpf_probe_read_kernel(&v, sizeof(v), (void *)s->vec))
			return false;
		s->vec += sizeof(v);
		s->vecs--;
		s->base = (__u64)v.iov_base;
		s->base_left = v.iov_len;
	}
	return s->base_left;
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
	__u32 n = s->left < most ? s->left : most;
	int got;

	if (!skb && n > s->base_left)
		n = s->base_left;
	asm volatile("" : "+r"(n)); /* the checks below are for the verifier: keep them */
	if (!n || n > GP_WINDOW)
		return -1;
	if (skb) {
		got = gp_skb_bytes(skb, s->offset, to, n, false);
		if (got <= 0)
			return -1;
		n = got;
	} else if (s->unreadable || gp_sent_bytes(s->base, to, n)) {
		return -1;
	}
	gp_source_skip(s, skb, n);
	return n;
}

#endif
