/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An skb's bytes on kernels that have no function to ask for them: read from where they lie. What
 * was sent over the network or by loopback is in pages of memory; the kernel maps all of its memory
 * at page_offset_base, and describes page after page at vmemmap_base. Both are variables that user
 * space has found (gp_page_offset_at, gp_vmemmap_at; x86-64).
 *
 *   vmemmap_base ->  | page 0 | page 1 | page 2 |     page_offset_base -> | 4 KiB | 4 KiB | 4 KiB |
 *                                 ^ of an skb's piece                            ^ its bytes
 */
#ifndef GP_PAGES_BPF_H
#define GP_PAGES_BPF_H

#include "maps.bpf.h"
#include "step.bpf.h"

#define GP_PAGE_SHIFT 12
#define GP_PIECES 17 /* of an skb: MAX_SKB_FRAGS as kernels are built */

static __always_inline __u64 gp_page_address(__u64 page)
{
	__u64 vmemmap = 0, memory = 0;

	if (bpf_probe_read_kernel(&vmemmap, sizeof(vmemmap), (void *)gp_vmemmap_at) ||
	    bpf_probe_read_kernel(&memory, sizeof(memory), (void *)gp_page_offset_at))
		return 0;
	return memory + ((page - vmemmap) / bpf_core_type_size(struct page) << GP_PAGE_SHIFT);
}

/* The piece that holds byte *offset of the pages, which becomes the offset in the piece. */
static __always_inline bool gp_piece_of(struct sk_buff *skb, __u32 *offset, __u64 *page, __u32 *at,
					__u32 *len)
{
	char *shared = (char *)skb->head + skb->end;
	const struct bio_vec *piece =
		(void *)(shared + bpf_core_field_offset(struct skb_shared_info, frags));
	__u8 pieces = BPF_CORE_READ((struct skb_shared_info *)shared, nr_frags);

	for (int i = 0; i < GP_PIECES && i < pieces; i++) {
		*len = BPF_CORE_READ(piece, bv_len);
		if (*offset < *len) {
			*page = (__u64)BPF_CORE_READ(piece, bv_page);
			*at = BPF_CORE_READ(piece, bv_offset);
			return true;
		}
		*offset -= *len;
		piece = (void *)((char *)piece + bpf_core_type_size(struct bio_vec));
	}
	return false;
}

/*
 * Reads up to `n` (at most GP_WINDOW) bytes of the skb from `offset` on. How many it were: fewer
 * where a piece ends, so ask again; or -1.
 */
static __noinline int gp_pages_read(struct sk_buff *skb, __u32 offset, __u8 *to, __u32 n)
{
	__u32 linear = skb->len - skb->data_len, at, len;
	__u64 page, address;

	if (offset < linear) {
		len = linear - offset;
		address = (__u64)skb->data + offset;
	} else {
		offset -= linear;
		if (!gp_piece_of(skb, &offset, &page, &at, &len))
			return -1;
		len -= offset;
		address = gp_page_address(page);
		if (!address)
			return -1;
		address += at + offset;
	}
	if (n > len)
		n = len;
	asm volatile("" : "+r"(n)); /* the check is for the verifier: keep it */
	if (!n || n > GP_WINDOW || bpf_probe_read_kernel(to, n, (void *)address))
		return -1;
	return n;
}

#endif
