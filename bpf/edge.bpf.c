// SPDX-License-Identifier: GPL-2.0-or-later
/* Edges: who calls whom, on whose behalf. */
#include "exchange.bpf.h"

static __always_inline struct gp_edge_record *edge_at(__u32 place, const struct gp_edge_key *key)
{
	struct gp_edge_record *r = place ? bpf_map_lookup_elem(&edges, &place) : NULL;

	return r && r->key.from == key->from && r->key.to == key->to ? r : NULL;
}

/* A place for a new edge; 0 if there is none left. */
static __always_inline __u32 edge_new(const struct gp_edge_key *key)
{
	struct gp_edge_record *r;
	__u32 place = 0;

	if (bpf_map_pop_elem(&edge_slots, &place))
		return 0;
	r = bpf_map_lookup_elem(&edges, &place);
	if (!r)
		return 0;
	r->key = *key;
	if (bpf_map_update_elem(&edge_keys, key, &place, BPF_NOEXIST)) {
		__u32 *known;

		r->key.from = r->key.to = 0;
		bpf_map_push_elem(&edge_slots, &place, 0);
		known = bpf_map_lookup_elem(&edge_keys, key); /* another CPU was first */
		return known ? *known : 0;
	}
	r->state = GP_SLOT_LIVE;
	return place;
}

int gp_edge_count(struct gp_conn *c, struct gp_exchange *e, bool failed)
{
	struct gp_edge_key key = {};
	struct gp_edge_record *r;
	__u32 *known;

	if (!c || !e)
		return -1;
	key.from = e->caller;
	key.to = e->endpoint;
	r = edge_at(c->edge, &key);
	if (!r) {
		known = bpf_map_lookup_elem(&edge_keys, &key);
		c->edge = known ? *known : edge_new(&key);
		r = edge_at(c->edge, &key);
	}
	if (!r) {
		gp_drop(GP_DROP_EDGES);
		return -1;
	}
	gp_add(&r->calls, 1);
	gp_add(&r->ns, e->last_ns - e->start_ns);
	if (failed || (e->status && gp_status_error(e->protocol, e->status) == GP_ERROR_SERVER))
		gp_add(&r->errors, 1);
	return 0;
}
