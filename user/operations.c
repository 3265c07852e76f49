// SPDX-License-Identifier: GPL-2.0-or-later
#include "operations.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf_object.h"
#include "drain.h"
#include "own.h"
#include "protocol.h"
#include "recycle.h"

/*
 * Slots that are mapped at once, for no longer than they are looked at: the pool is large, and what
 * is mapped counts as resident memory. They are looked at only if those before were given out.
 */
#define GROUP 64

struct slot {
	enum gp_slot_state state;
	struct gp_operation_key key; /* until it is released: the record forgets it before */
	uint64_t active_ns;	     /* when something was last counted */
};

struct gp_operations {
	struct gp_slots *slots;
	struct gp_mapped *records;
	uint32_t count;
	struct slot *slot;
};

int gp_operations_new(struct gp_operations **out, struct gp_slots *slots)
{
	gp_auto(gp_operations_free) struct gp_operations *o = calloc(1, sizeof(*o));
	struct bpf_map *map = slots->bpf->maps.operations;
	int err;

	if (!o)
		return -ENOMEM;
	o->slots = slots;
	o->count = bpf_map__max_entries(map) / slots->shards;
	o->slot = calloc(o->count, sizeof(*o->slot));
	if (!o->slot)
		return -ENOMEM;
	err = gp_mapped_new(&o->records, map, GROUP * slots->shards);
	if (err)
		return err;
	if (!gp_mapped_at(o->records, 0))
		return -errno;
	*out = TAKE_PTR(o);
	return 0;
}

void gp_operations_free(struct gp_operations **operations)
{
	struct gp_operations *o = TAKE_PTR(*operations);

	if (!o)
		return;
	gp_mapped_free(&o->records);
	free(o->slot);
	free(o);
}

static struct gp_operation_record *record_of(struct gp_operations *o, uint32_t slot,
					     unsigned int shard)
{
	return gp_mapped_at(o->records, slot * o->slots->shards + shard);
}

/*
 * Whether the kernel gave the slot out. It is, once its key leads to it: a key alone may be that
 * of a CPU that lost the race to another for the same key, and gives the slot back.
 */
static bool take_notice(struct gp_operations *o, uint32_t slot, struct gp_operation_record *r,
			uint64_t now_ns)
{
	struct slot *mine = &o->slot[slot];
	struct gp_operation_key key;
	uint32_t found;

	__atomic_load(&r->key, &key, __ATOMIC_RELAXED);
	if (!key.endpoint || key.endpoint == GP_SLOT_NONE ||
	    bpf_map_lookup_elem(bpf_map__fd(o->slots->bpf->maps.operation_keys), &key, &found) ||
	    found != slot)
		return false;
	*mine = (struct slot){.state = GP_SLOT_LIVE, .key = key, .active_ns = now_ns};
	return true;
}

/* Takes what the slot's records hold. Whether there was anything; or -errno. */
static int drain(struct gp_operations *o, uint32_t slot, struct gp_operation *to)
{
	bool any = false;

	for (unsigned int shard = 0; shard < o->slots->shards; shard++) {
		struct gp_operation_record *r = record_of(o, slot, shard);

		if (!r)
			return -errno;
		any |= gp_drain_operation(r, to);
	}
	return any;
}

static int collect_one(struct gp_operations *o, struct gp_snapshot *s, const size_t *place,
		       uint32_t slot, uint64_t now_ns)
{
	struct slot *mine = &o->slot[slot];
	struct gp_operation one = {}, *to;
	struct gp_endpoint *e;
	bool has_endpoint = gp_slots_was_endpoint(o->slots, mine->key.endpoint);
	uint32_t endpoint = GP_REF_INDEX(mine->key.endpoint);
	int any;

	if (has_endpoint && place[endpoint] == SIZE_MAX)
		return 0;
	any = drain(o, slot, &one);
	if (any <= 0)
		return any;
	mine->active_ns = now_ns;
	if (!has_endpoint) { /* it was released a whole interval after it was retired */
		s->self.dropped[GP_DROP_STALE_SLOTS] += gp_operation_requests(&one);
		return 0;
	}
	e = &s->endpoint[place[endpoint]];
	to = gp_endpoint_operation(e, mine->key.operation,
				   gp_status_listed(e->protocol, mine->key.status));
	if (!to)
		return -ENOMEM;
	gp_operation_add(to, &one);
	return 0;
}

/* Slots are given out in order, then those that were released: behind a group of which none ever
 * was there are none that were. A record that never was has a key of 0. */
int gp_operations_collect(struct gp_operations *o, struct gp_snapshot *s, const size_t *place,
			  uint64_t now_ns)
{
	bool any = true;

	for (uint32_t slot = 0; slot < o->count; slot++) {
		struct gp_operation_record *r;
		int err = 0;

		if (slot % GROUP == 0) {
			if (!any)
				break;
			any = false;
			gp_mapped_unmap(o->records);
		}
		r = record_of(o, slot, 0);
		if (!r)
			return -errno;
		any |= r->key.endpoint != 0;
		if (o->slot[slot].state != GP_SLOT_FREE || take_notice(o, slot, r, now_ns))
			err = collect_one(o, s, place, slot, now_ns);
		if (err)
			return err;
	}
	return 0;
}

/* The key goes first: who has found the slot by it still sees that the record is nobody's. */
static void retire(struct gp_operations *o, uint32_t slot)
{
	struct slot *mine = &o->slot[slot];

	bpf_map_delete_elem(bpf_map__fd(o->slots->bpf->maps.operation_keys), &mine->key);
	for (unsigned int shard = 0; shard < o->slots->shards; shard++) {
		const struct gp_operation_key nobody = {.endpoint = GP_SLOT_NONE};
		struct gp_operation_record *r = record_of(o, slot, shard);

		if (r)
			__atomic_store(&r->key, &nobody, __ATOMIC_RELAXED);
	}
	mine->state = GP_SLOT_DEAD;
}

static void release(struct gp_operations *o, uint32_t slot)
{
	const struct gp_operation_record *first = record_of(o, slot, 0);
	struct gp_payer *payer = first ? gp_slots_payer_at(o->slots, first->payer) : NULL;

	if (payer)
		__atomic_fetch_sub(&payer->operations, 1, __ATOMIC_RELAXED);
	for (unsigned int shard = 0; shard < o->slots->shards; shard++) {
		struct gp_operation_record *r = record_of(o, slot, shard);

		if (!r)
			continue;
		memset(r, 0, sizeof(*r));
		r->key.endpoint = GP_SLOT_NONE;
	}
	o->slot[slot] = (struct slot){.state = GP_SLOT_FREE};
	bpf_map_update_elem(bpf_map__fd(o->slots->bpf->maps.operation_slots), NULL, &slot, BPF_ANY);
}

static bool is_needed(const struct gp_operations *o, const struct slot *mine, uint64_t now_ns)
{
	/* It was its endpoint's when it was collected. */
	const struct gp_endpoint_info *info =
		gp_slots_endpoint(o->slots, GP_REF_INDEX(mine->key.endpoint));

	return info && info->ref == mine->key.endpoint && !(info->flags & GP_INFO_IGNORED) &&
	       now_ns - mine->active_ns < GP_SILENT_NS;
}

void gp_operations_recycle(struct gp_operations *o, uint64_t now_ns)
{
	for (uint32_t slot = 0; slot < o->count; slot++) {
		const struct slot *mine = &o->slot[slot];

		if (mine->state == GP_SLOT_DEAD)
			release(o, slot);
		else if (mine->state == GP_SLOT_LIVE && !is_needed(o, mine, now_ns))
			retire(o, slot);
	}
	gp_mapped_unmap(o->records);
}

uint32_t gp_operations_used(const struct gp_operations *o)
{
	uint32_t used = 0;

	for (uint32_t slot = 0; slot < o->count; slot++)
		used += o->slot[slot].state != GP_SLOT_FREE;
	return used;
}
