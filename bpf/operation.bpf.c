// SPDX-License-Identifier: GPL-2.0-or-later
#include "operation.bpf.h"

/* From now on the records of the slot are those of `key`. */
static __always_inline void open_records(__u32 slot, const struct gp_operation_key *key)
{
	for (__u32 shard = 0; shard < GP_SHARDS_MAX && shard < gp_shards; shard++) {
		__u32 index = slot * gp_shards + shard;
		struct gp_operation_record *o = bpf_map_lookup_elem(&operations, &index);

		if (o)
			o->key = *key;
	}
}

__u32 gp_operation_get(struct gp_operation_key *key)
{
	const struct gp_operation_key nobody = {.endpoint = GP_SLOT_NONE};
	__u32 slot = 0, *known;

	if (!key)
		return 0;
	known = bpf_map_lookup_elem(&operation_keys, key);
	if (known)
		return *known;
	if (bpf_map_pop_elem(&operation_slots, &slot))
		return 0;
	open_records(slot, key);
	if (!bpf_map_update_elem(&operation_keys, key, &slot, BPF_NOEXIST))
		return slot;
	open_records(slot, &nobody);
	bpf_map_push_elem(&operation_slots, &slot, 0);
	known = bpf_map_lookup_elem(&operation_keys, key); /* another CPU was first */
	return known ? *known : 0;
}
