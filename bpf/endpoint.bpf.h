/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints and services: slots, who has them, and their records. */
#ifndef GP_ENDPOINT_BPF_H
#define GP_ENDPOINT_BPF_H

#include "maps.bpf.h"
#include "task.bpf.h"

/*
 * The slot of the service that task `id` is of, given out if need be. `group` is that of the
 * system's slices it is in, or 0. `other` if there is none left, or its user has his share; of a
 * group that has, the one of all its other programs.
 */
__u32 gp_service_get(struct gp_service_key *key, __u64 group, struct gp_task_id *id);

/* The endpoint of `key`; the service's `other`, or the one of all, if it cannot have one. */
__u32 gp_endpoint_get(struct gp_endpoint_key *key);

/*
 * Gives the connection to the service `service`: finds or makes its endpoint there and moves the
 * count of open connections along. `key` is complete but for the service.
 */
int gp_conn_assign(struct gp_conn *c, __u32 service, struct gp_endpoint_key *key);

/* Moves the connection to the endpoint of `key`, at the same service: what it seems to speak. */
int gp_conn_retype(struct gp_conn *c, struct gp_endpoint_key *key);

/*
 * It is sure by now that the connection speaks its endpoint's protocol: what happens at the same
 * place before others are recognised belongs there.
 */
int gp_conn_recognised(struct gp_conn *c);

/* Moves a connection whose protocol is not known, and may never be, to where it belongs by then. */
int gp_conn_settle(struct gp_conn *c);

/* Who has the slot of a service or endpoint; NULL if it belongs to somebody else by now. */
static __always_inline struct gp_service_info *gp_service_info(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref);
	struct gp_service_info *info = bpf_map_lookup_elem(&service_infos, &index);

	return info && info->ref == ref ? info : NULL;
}

static __always_inline struct gp_endpoint_info *gp_endpoint_info(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref);
	struct gp_endpoint_info *info = bpf_map_lookup_elem(&endpoint_infos, &index);

	return info && info->ref == ref ? info : NULL;
}

/* The endpoint that was last recognised at the place of `ref`, an `unknown`; `ref` if none was. */
static __always_inline __u32 gp_endpoint_recognised(__u32 ref)
{
	struct gp_endpoint_info *info = gp_endpoint_info(ref);
	__u32 hint = info ? info->hint : 0;

	return hint && gp_endpoint_info(hint) ? hint : ref;
}

/* Where what happens on the connection belongs, be it recognised or not. */
static __always_inline __u32 gp_conn_endpoint(const struct gp_conn *c)
{
	return c->look & (GP_LOOK_OFF | GP_LOOK_CONFIRMED) ? c->endpoint
							   : gp_endpoint_recognised(c->endpoint);
}

/* Adds to the open connections of an endpoint. */
static __always_inline void gp_endpoint_connections(__u32 ref, int by)
{
	struct gp_endpoint_info *info = gp_endpoint_info(ref);

	if (info)
		__sync_fetch_and_add(&info->connections, by);
}

/* Puts the connection down at a service and an endpoint, with the marks of those that lost their
 * name. */
static __always_inline void gp_conn_place(struct gp_conn *c, __u32 service, __u32 endpoint)
{
	struct gp_endpoint_info *info = gp_endpoint_info(endpoint);

	c->service = service;
	c->endpoint = endpoint;
	c->flags &= ~(GP_CONN_OTHER | GP_CONN_OTHER_SERVICE);
	if (info &&
	    (GP_REF_INDEX(endpoint) <= GP_SLOT_OTHER_CLIENT || (info->key.flags & GP_KEY_OTHER)))
		c->flags |= GP_CONN_OTHER;
	if (!GP_REF_INDEX(service))
		c->flags |= GP_CONN_OTHER_SERVICE;
}

/* What the connection's listener has to hand on; NULL if nothing, or it is gone. */
static __always_inline struct gp_listener *gp_listener_of(const struct gp_conn *c)
{
	__u32 place = c->listener;
	struct gp_listener *l = place ? bpf_map_lookup_elem(&listeners, &place) : NULL;

	return l && l->port == c->port && l->netns == c->netns ? l : NULL;
}

/* This CPU's record of an endpoint, or NULL if the slot now belongs to somebody else. */
static __always_inline struct gp_endpoint_record *gp_endpoint_record(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref) * gp_shards + gp_shard();
	struct gp_endpoint_record *r = bpf_map_lookup_elem(&endpoints, &index);

	return r && r->ref == ref ? r : NULL;
}

/* This CPU's record of a service, whoever has the slot by now; NULL for GP_SLOT_NONE. */
static __always_inline struct gp_service_record *gp_service_record(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref) * gp_shards + gp_shard();

	return bpf_map_lookup_elem(&services, &index);
}

static __always_inline void gp_add(__u64 *counter, __u64 amount)
{
	__sync_fetch_and_add(counter, amount);
}

/* Raises a maximum. Loses to four others at once at worst: then it may stay a little low. */
static __always_inline void gp_raise(__u64 *cell, __u64 value)
{
	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)cell;

		if (value <= old || __sync_val_compare_and_swap(cell, old, value) == old)
			return;
	}
}

/* Counts a duration in a histogram. */
static __always_inline void gp_hist_count_one(__u32 *hist, __u32 slot)
{
	asm volatile("" : "+r"(slot)); /* the check below is for the verifier: keep it */
	if (slot < GP_HIST_SLOTS)
		__sync_fetch_and_add(&hist[slot], 1);
}

#endif
