/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is charged for services: struct gp_payer, found or given a place in constant time. */
#ifndef GP_PAYER_BPF_H
#define GP_PAYER_BPF_H

#include "maps.bpf.h"

#define GP_PAYER_WAYS 8

static __always_inline struct gp_payer *gp_payer_at(__u64 id, __u32 way, __u32 *place)
{
	*place = ((__u32)((id * 0x9e3779b97f4a7c15ULL) >> 32) + way) & (GP_PAYERS - 1);
	return *place ? bpf_map_lookup_elem(&payers, place) : NULL;
}

/* The place of a payer, made if need be; 0 if there is no room. */
static __always_inline __u32 gp_payer_find(__u64 id)
{
	struct gp_payer *p;
	__u32 place;

	for (__u32 way = 0; way < GP_PAYER_WAYS; way++) {
		p = gp_payer_at(id, way, &place);
		if (p && p->id == id)
			return place;
	}
	for (__u32 way = 0; way < GP_PAYER_WAYS; way++) {
		__u64 was;

		p = gp_payer_at(id, way, &place);
		if (!p || p->services > 0)
			continue;
		was = p->id;
		if (was == id || __sync_val_compare_and_swap(&p->id, was, id) == was)
			return place;
		if (p->id == id)
			return place;
	}
	return 0;
}

static __always_inline void gp_payer_leave(__u32 place)
{
	struct gp_payer *p = place ? bpf_map_lookup_elem(&payers, &place) : NULL;

	if (p)
		__sync_fetch_and_add(&p->services, -1);
}

/* Charges one more service to `id`: the place where it is charged; 0 if it has all it may. */
static __always_inline __u32 gp_payer_join(__u64 id)
{
	__u32 place = gp_payer_find(id);
	struct gp_payer *p = place ? bpf_map_lookup_elem(&payers, &place) : NULL;

	if (!p)
		return 0;
	if (__sync_fetch_and_add(&p->services, 1) < GP_PAYER_SERVICES)
		return place;
	__sync_fetch_and_add(&p->services, -1);
	return 0;
}

#endif
