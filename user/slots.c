// SPDX-License-Identifier: GPL-2.0-or-later
#include "slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf_object.h"
#include "own.h"

#define GROUP 64 /* slots mapped at once */

static int map_arrays(struct gp_slots *s)
{
	const struct {
		struct gp_mapped **mapped;
		struct bpf_map *map;
		uint32_t group;
	} arrays[] = {
		{&s->endpoint_infos, s->bpf->maps.endpoint_infos, s->max_endpoints},
		{&s->endpoint_gauges, s->bpf->maps.endpoint_gauges, s->max_endpoints},
		{&s->endpoints, s->bpf->maps.endpoints, GROUP * s->shards},
		{&s->service_infos, s->bpf->maps.service_infos, s->max_services},
		{&s->origins, s->bpf->maps.origins, GROUP},
		{&s->services, s->bpf->maps.services, GROUP * s->shards},
		{&s->payers, s->bpf->maps.payers, GP_PAYERS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		int err = gp_mapped_new(arrays[i].mapped, arrays[i].map, arrays[i].group);

		if (err)
			return err;
		if (!gp_mapped_at(*arrays[i].mapped, 0))
			return -errno;
	}
	return 0;
}

static int push(const struct bpf_map *free_slots, uint32_t slot)
{
	return bpf_map_update_elem(bpf_map__fd(free_slots), NULL, &slot, BPF_ANY) ? -errno : 0;
}

static const struct bpf_map *free_endpoints(const struct gp_slots *s, uint32_t slot)
{
	return slot < s->first_client ? s->bpf->maps.server_slots : s->bpf->maps.client_slots;
}

/* The `other` endpoints of nobody in particular. */
static void fill_other_endpoint(struct gp_slots *s, uint32_t slot, enum gp_role role)
{
	struct gp_endpoint_info *info = gp_slots_endpoint(s, slot);

	info->key.service = GP_REF(GP_SLOT_OTHER_SERVICE, 1);
	info->key.role = role;
	info->key.flags = GP_KEY_OTHER;
	info->state = GP_SLOT_LIVE;
	for (unsigned int shard = 0; shard < s->shards; shard++)
		gp_slots_endpoint_record(s, slot, shard)->ref = info->ref;
}

/* All places are free, but for place 0, which is nobody's. */
static int fill_places(const struct bpf_map *free_places)
{
	for (uint32_t place = 1; place < bpf_map__max_entries(free_places); place++)
		if (push(free_places, place))
			return -errno;
	return 0;
}

static int fill(struct gp_slots *s, bool only_some)
{
	for (uint32_t slot = 0; slot < s->max_endpoints; slot++) {
		gp_slots_endpoint(s, slot)->ref = GP_REF(slot, 1);
		if (slot <= GP_SLOT_OTHER_CLIENT)
			fill_other_endpoint(s, slot,
					    slot == GP_SLOT_OTHER_CLIENT ? GP_ROLE_CLIENT
									 : GP_ROLE_SERVER);
		else if (push(free_endpoints(s, slot), slot))
			return -errno;
	}
	for (uint32_t slot = 0; slot < s->max_services; slot++) {
		struct gp_service_info *info = gp_slots_service(s, slot);

		info->ref = GP_REF(slot, 1);
		if (slot == GP_SLOT_OTHER_SERVICE) {
			info->state = GP_SLOT_LIVE;
			info->flags = GP_INFO_FIXED;
			memcpy(info->key.name, "other", sizeof("other"));
		} else if (slot == GP_SLOT_UNASKED_SERVICE && only_some) {
			info->state = GP_SLOT_LIVE;
			info->flags = GP_INFO_FIXED | GP_INFO_IGNORED;
		} else if (push(s->bpf->maps.service_slots, slot)) {
			return -errno;
		}
	}
	return 0;
}

int gp_slots_new(struct gp_slots **out, struct goldpan_bpf *bpf, const struct gp_config *cfg,
		 unsigned int shards)
{
	gp_auto(gp_slots_free) struct gp_slots *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->bpf = bpf;
	s->shards = shards;
	s->max_endpoints = cfg->max_endpoints;
	s->max_services = cfg->max_services;
	s->first_client = gp_slots_first_client(cfg);
	err = map_arrays(s);
	if (!err)
		err = fill_places(bpf->maps.listener_slots);
	if (!err)
		err = fill_places(bpf->maps.edge_slots);
	if (!err)
		err = fill_places(bpf->maps.operation_slots);
	if (!err && bpf_map__autocreate(bpf->maps.unix_slots))
		err = fill_places(bpf->maps.unix_slots);
	if (!err)
		err = fill(s, cfg->only_pid || cfg->only_group.id);
	if (err)
		return err;
	*out = TAKE_PTR(s);
	return 0;
}

void gp_slots_free(struct gp_slots **slots)
{
	struct gp_slots *s = TAKE_PTR(*slots);

	if (!s)
		return;
	gp_mapped_free(&s->endpoint_infos);
	gp_mapped_free(&s->endpoints);
	gp_mapped_free(&s->endpoint_gauges);
	gp_mapped_free(&s->service_infos);
	gp_mapped_free(&s->origins);
	gp_mapped_free(&s->services);
	gp_mapped_free(&s->payers);
	free(s);
}

struct gp_endpoint_info *gp_slots_endpoint(struct gp_slots *s, uint32_t slot)
{
	return gp_mapped_at(s->endpoint_infos, slot);
}

struct gp_service_info *gp_slots_service(struct gp_slots *s, uint32_t slot)
{
	return gp_mapped_at(s->service_infos, slot);
}

const struct gp_origin *gp_slots_origin(struct gp_slots *s, uint32_t slot)
{
	return gp_mapped_at(s->origins, slot);
}

struct gp_endpoint_gauges *gp_slots_gauges(struct gp_slots *s, uint32_t slot)
{
	return gp_mapped_at(s->endpoint_gauges, slot);
}

struct gp_endpoint_record *gp_slots_endpoint_record(struct gp_slots *s, uint32_t slot,
						    unsigned int shard)
{
	return gp_mapped_at(s->endpoints, slot * s->shards + shard);
}

struct gp_service_record *gp_slots_service_record(struct gp_slots *s, uint32_t slot,
						  unsigned int shard)
{
	return gp_mapped_at(s->services, slot * s->shards + shard);
}

struct gp_payer *gp_slots_payer_at(struct gp_slots *s, uint32_t place)
{
	return place ? gp_mapped_at(s->payers, place) : NULL;
}

/* The next generation of a slot: never 0, and other than the last 65,534. */
static uint32_t next_ref(uint32_t ref)
{
	uint32_t generation = (GP_REF_GENERATION(ref) + 1) & 0xffff;

	return GP_REF(GP_REF_INDEX(ref), generation ? generation : 1);
}

bool gp_slots_was_endpoint(struct gp_slots *s, uint32_t ref)
{
	const struct gp_endpoint_info *info = gp_slots_endpoint(s, GP_REF_INDEX(ref));

	if (!info)
		return false;
	return info->ref == ref || (info->state == GP_SLOT_DEAD && info->ref == next_ref(ref));
}

void gp_slots_retire_endpoint(struct gp_slots *s, uint32_t slot)
{
	struct gp_endpoint_info *info = gp_slots_endpoint(s, slot);

	bpf_map_delete_elem(bpf_map__fd(s->bpf->maps.endpoint_keys), &info->key);
	info->ref = next_ref(info->ref);
	for (unsigned int shard = 0; shard < s->shards; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(s, slot, shard);

		if (r)
			r->ref = info->ref;
	}
	info->state = GP_SLOT_DEAD;
}

void gp_slots_retire_service(struct gp_slots *s, uint32_t slot)
{
	struct gp_service_info *info = gp_slots_service(s, slot);

	bpf_map_delete_elem(bpf_map__fd(s->bpf->maps.service_keys), &info->key);
	info->ref = next_ref(info->ref);
	info->state = GP_SLOT_DEAD;
}

void gp_slots_release_endpoint(struct gp_slots *s, uint32_t slot)
{
	struct gp_endpoint_info *info = gp_slots_endpoint(s, slot);
	uint32_t ref = info->ref;

	for (unsigned int shard = 0; shard < s->shards; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(s, slot, shard);

		if (r)
			memset(r, 0, sizeof(*r));
	}
	memset(info, 0, sizeof(*info));
	info->ref = ref;
	push(free_endpoints(s, slot), slot);
}

void gp_slots_release_service(struct gp_slots *s, uint32_t slot)
{
	struct gp_service_info *info = gp_slots_service(s, slot);
	struct gp_payer *payer = gp_slots_payer_at(s, info->payer);
	uint32_t ref = info->ref;

	if (payer)
		__atomic_fetch_sub(&payer->services, 1, __ATOMIC_RELAXED);

	for (unsigned int shard = 0; shard < s->shards; shard++) {
		struct gp_service_record *r = gp_slots_service_record(s, slot, shard);

		if (r)
			memset(r, 0, sizeof(*r));
	}
	memset(info, 0, sizeof(*info));
	info->ref = ref;
	push(s->bpf->maps.service_slots, slot);
}

void gp_slots_ignore_endpoint(struct gp_slots *s, uint32_t slot, bool ignore)
{
	gp_slots_endpoint(s, slot)->flags = ignore ? GP_INFO_IGNORED : 0;
	for (unsigned int shard = 0; shard < s->shards; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(s, slot, shard);

		if (r)
			r->flags = ignore ? GP_INFO_IGNORED : 0;
	}
}
