/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An skb's bytes, read from where they lie: its own first, then those of pieces of pages. Where a
 * page lies user space has found out (user/page_map.h).
 *
 *   skb --head, end--> | shared: page, length, offset; page, length, offset; ... |
 *                                 \--- 64 * page + gp_page_map ---> | 4 KiB |
 *
 * Cheaper by far than to ask the kernel for them, which also is not possible everywhere.
 */
#ifndef GP_PAGES_BPF_H
#define GP_PAGES_BPF_H

#include "maps.bpf.h"
#include "step.bpf.h"

#define GP_PAGE_DESCRIBED 64 /* bytes */
#define GP_PIECES 17	     /* of an skb: MAX_SKB_FRAGS as kernels are built */

struct gp_piece {
	__u64 page; /* the lowest bit set: none that can be read */
	__u32 len, offset;
};

/* What an skb shares with its copies. */
static __always_inline char *gp_skb_shared(const struct sk_buff *skb)
{
	return (char *)skb->head + skb->end;
}

/* As a number, which since 6.17 the verifier does not take it for by itself. */
static __always_inline __u64 gp_skb_shared_at(const struct sk_buff *skb)
{
	__u64 head = 0;

	bpf_probe_read_kernel(&head, sizeof(head), &skb->head);
	return head + skb->end;
}

static __always_inline __u8 gp_pieces(char *shared)
{
	const struct skb_shared_info *info;

	if (!bpf_rdonly_cast)
		return BPF_CORE_READ((struct skb_shared_info *)shared, nr_frags);
	info = bpf_rdonly_cast(shared, bpf_core_type_id_kernel(struct skb_shared_info));
	return info->nr_frags;
}

/* The piece at `at`. Any structure of two words does to look at it without a call. 0, or -1. */
static __always_inline int gp_piece_read(struct gp_piece *p, const char *at)
{
	const struct timespec64 *words;
	__u64 rest;

	if (!bpf_rdonly_cast)
		return bpf_probe_read_kernel(p, sizeof(*p), at) ? -1 : 0;
	words = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct timespec64));
	p->page = words->tv_sec;
	rest = words->tv_nsec;
	p->len = rest;
	p->offset = rest >> 32;
	return 0;
}

static __always_inline const char *gp_piece_bytes(const struct gp_piece *p)
{
	if (p->page & 1) /* of a device: struct net_iov, since 6.12 */
		return NULL;
	return (const char *)(p->page * GP_PAGE_DESCRIBED + gp_page_map + p->offset);
}

/*
 * Reads up to `n` bytes, GP_WINDOW at most, of the pieces that `shared` is about, from their byte
 * `offset` on, if that is in one of the first `most`. How many it were: fewer where a piece ends,
 * so ask again; or -1.
 */
static __always_inline int gp_pieces_read(char *shared, __u32 offset, __u8 *to, __u32 n, int most)
{
	const char *at = shared + bpf_core_field_offset(struct skb_shared_info, frags);
	__u8 pieces = gp_pieces(shared);
	struct gp_piece p;
	const char *bytes;

	for (int i = 0; i < most && i < pieces; i++, at += sizeof(p)) {
		if (gp_piece_read(&p, at))
			return -1;
		if (offset < p.len)
			break;
		offset -= p.len;
		p.len = 0;
	}
	bytes = pieces && p.len ? gp_piece_bytes(&p) : NULL;
	if (!bytes)
		return -1;
	if (n > p.len - offset)
		n = p.len - offset;
	asm volatile("" : "+r"(n)); /* the check is for the verifier: keep it */
	if (!n || n > GP_WINDOW || bpf_probe_read_kernel(to, n, bytes + offset))
		return -1;
	return n;
}

/* As gp_pieces_read, of all pieces; looked at by the verifier once. */
int gp_pages_read(__u64 shared, __u32 offset, struct gp_room *to, __u32 n);

/* Likewise of the skb itself, from its byte `offset` on. */
static __noinline int gp_skb_pages_far(const struct sk_buff *skb, __u32 offset, __u8 *to, __u32 n)
{
	__u32 linear = skb->len - skb->data_len;

	if (offset >= linear)
		return gp_pages_read(gp_skb_shared_at(skb), offset - linear, (void *)to, n);
	if (n > linear - offset)
		n = linear - offset;
	asm volatile("" : "+r"(n)); /* the check is for the verifier: keep it */
	if (!n || n > GP_WINDOW || bpf_probe_read_kernel(to, n, skb->data + offset))
		return -1;
	return n;
}

/* The same, without a call if they are in the first piece, as most are; that takes stack. */
static __always_inline int gp_skb_pages_here(const struct sk_buff *skb, __u32 offset, __u8 *to,
					     __u32 n)
{
	__u32 linear = skb->len - skb->data_len;
	int got = -1;

	if (offset >= linear)
		got = gp_pieces_read(gp_skb_shared(skb), offset - linear, to, n, 1);
	return got > 0 ? got : gp_skb_pages_far(skb, offset, to, n);
}

#endif
