// SPDX-License-Identifier: GPL-2.0-or-later
#include "edges.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf_object.h"
#include "called.h"
#include "own.h"

struct gp_edges {
	struct gp_slots *slots;
	struct gp_directory *directory;
	struct gp_mapped *records;
};

int gp_edges_new(struct gp_edges **out, struct gp_slots *slots, struct gp_directory *directory)
{
	gp_auto(gp_edges_free) struct gp_edges *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->slots = slots;
	e->directory = directory;
	err = gp_mapped_new(&e->records, slots->bpf->maps.edges, GP_EDGES);
	if (err)
		return err;
	if (!gp_mapped_at(e->records, 0))
		return -errno;
	*out = TAKE_PTR(e);
	return 0;
}

void gp_edges_free(struct gp_edges **edges)
{
	struct gp_edges *e = TAKE_PTR(*edges);

	if (!e)
		return;
	gp_mapped_free(&e->records);
	free(e);
}

static int describe(struct gp_edges *e, struct gp_snapshot *s, struct gp_edge *edge,
		    const struct gp_endpoint_info *from, const struct gp_endpoint_info *to)
{
	char address[GP_ADDRESS_SIZE];
	bool failed = false;

	if (from) {
		edge->from = gp_snapshot_string(
			s, gp_called_service_of(e->slots, e->directory, from), &failed);
		edge->from_port = from->key.port;
		edge->from_protocol = from->key.protocol;
	}
	edge->to =
		gp_snapshot_string(s, gp_called_service(e->slots, e->directory, &to->key), &failed);
	edge->address =
		gp_snapshot_string(s, gp_called_address(e->slots, &to->key, address), &failed);
	edge->port = to->key.port;
	edge->protocol = to->key.protocol;
	return failed ? -ENOMEM : 0;
}

/* Gives the place back: one of the two ends is no more. */
static void retire(struct gp_edges *e, struct gp_edge_record *r, uint32_t place)
{
	bpf_map_delete_elem(bpf_map__fd(e->slots->bpf->maps.edge_keys), &r->key);
	memset(r, 0, sizeof(*r));
	bpf_map_update_elem(bpf_map__fd(e->slots->bpf->maps.edge_slots), NULL, &place, BPF_ANY);
}

static int collect_one(struct gp_edges *e, struct gp_snapshot *s, struct gp_edge_record *r,
		       const struct gp_endpoint_info *from, const struct gp_endpoint_info *to)
{
	uint64_t calls = __atomic_exchange_n(&r->calls, 0, __ATOMIC_RELAXED);
	struct gp_edge *edge;

	if (!calls)
		return 0;
	edge = gp_snapshot_add_edge(s);
	if (!edge)
		return -ENOMEM;
	edge->calls = calls;
	edge->errors = __atomic_exchange_n(&r->errors, 0, __ATOMIC_RELAXED);
	edge->ns = __atomic_exchange_n(&r->ns, 0, __ATOMIC_RELAXED);
	return describe(e, s, edge, from, to);
}

int gp_edges_collect(struct gp_edges *e, struct gp_snapshot *s)
{
	for (uint32_t place = 1; place < GP_EDGES; place++) {
		struct gp_edge_record *r = gp_mapped_at(e->records, place);
		const struct gp_endpoint_info *from, *to;
		int err;

		if (r->state != GP_SLOT_LIVE)
			continue;
		from = gp_called_info(e->slots, r->key.from);
		to = gp_called_info(e->slots, r->key.to);
		if (!to || (!from && r->key.from != GP_SLOT_NONE)) {
			s->self.dropped[GP_DROP_EDGES] += r->calls; /* since one end went */
			retire(e, r, place);
			continue;
		}
		if ((from && (from->flags & GP_INFO_IGNORED)) || (to->flags & GP_INFO_IGNORED))
			continue;
		err = collect_one(e, s, r, from, to);
		if (err)
			return err;
	}
	return 0;
}
