// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.bpf.h"
#include "operation.bpf.h"

/* From now on the records of the slot are those of `key`. */
static __always_inline void open_records(__u32 slot, const struct gp_operation_key *key,
					 __u32 payer)
{
	for (__u32 shard = 0; shard < GP_SHARDS_MAX && shard < gp_shards; shard++) {
		__u32 index = slot * gp_shards + shard;
		struct gp_operation_record *o = bpf_map_lookup_elem(&operations, &index);

		if (o) {
			o->payer = payer;
			o->key = *key;
		}
	}
}

/* Where whoever has the endpoint is charged: `place`, 0 if nobody is. False: he has his share. */
static __always_inline bool may_grow(__u32 endpoint, __u32 *place)
{
	struct gp_endpoint_info *info = gp_endpoint_info(endpoint);
	struct gp_service_info *service = info ? gp_service_info(info->key.service) : NULL;
	struct gp_payer *p;

	*place = service ? service->payer : 0;
	p = *place ? bpf_map_lookup_elem(&payers, place) : NULL;
	if (!p)
		return true;
	if (*(volatile __s32 *)&p->operations >= (__s32)gp_payer_operations)
		return false;
	__sync_fetch_and_add(&p->operations, 1);
	return true;
}

static __always_inline void give_back(__u32 place)
{
	struct gp_payer *p = place ? bpf_map_lookup_elem(&payers, &place) : NULL;

	if (p)
		__sync_fetch_and_add(&p->operations, -1);
}

__u32 gp_operation_get(struct gp_operation_key *asked)
{
	const struct gp_operation_key nobody = {.endpoint = GP_SLOT_NONE};
	struct gp_operation_key own, *key = &own;
	__u32 slot = 0, payer = 0, *known;

	if (!asked)
		return 0;
	own = *asked; /* as in gp_service_get */
	known = bpf_map_lookup_elem(&operation_keys, key);
	if (known)
		return *known;
	if (!may_grow(key->endpoint, &payer))
		return 0;
	if (bpf_map_pop_elem(&operation_slots, &slot)) {
		give_back(payer);
		return 0;
	}
	open_records(slot, key, payer);
	if (!bpf_map_update_elem(&operation_keys, key, &slot, BPF_NOEXIST))
		return slot;
	open_records(slot, &nobody, 0);
	give_back(payer);
	bpf_map_push_elem(&operation_slots, &slot, 0);
	known = bpf_map_lookup_elem(&operation_keys, key); /* another CPU was first */
	return known ? *known : 0;
}
