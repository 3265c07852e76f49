// SPDX-License-Identifier: GPL-2.0-or-later
#include "collector.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bpf_object.h"
#include "called.h"
#include "cgroup_stats.h"
#include "clock.h"
#include "directory.h"
#include "drain.h"
#include "edges.h"
#include "hist.h"
#include "host.h"
#include "host_stats.h"
#include "log.h"
#include "operations.h"
#include "own.h"
#include "protocol.h"
#include "recycle.h"
#include "self.h"
#include "series.h"
#include "walk.h"

struct gp_collector {
	const struct gp_loader *loader;
	struct gp_slots *slots;
	const struct gp_config *cfg;
	const struct gp_meta *meta;
	struct gp_directory *directory;
	struct gp_series_table *series;
	struct gp_host_watch *host;
	struct gp_host_stats *host_stats;
	struct gp_cgroup_stats *cgroups;
	struct gp_self_watch *self;
	struct gp_recycler *recycler;
	struct gp_edges *edges;
	struct gp_operations *operations;
	size_t *place;	      /* of each endpoint slot in the snapshot; SIZE_MAX: not there */
	uint64_t round;	      /* collections so far */
	uint64_t last_ns;     /* CLOCK_MONOTONIC, of the last one */
	size_t services;      /* live at the last one */
	uint64_t *running_ns; /* of each service slot: CPU time shown before it was counted */
	int64_t *owed_ns;     /* of each: less than 0 if a race made it show too much before */
};

#define DRAIN_TRIES 8

int gp_collector_new(struct gp_collector **out, const struct gp_loader *loader,
		     struct gp_slots *slots, const struct gp_config *cfg,
		     const struct gp_meta *meta)
{
	gp_auto(gp_collector_free) struct gp_collector *c = calloc(1, sizeof(*c));
	struct goldpan_bpf *bpf = gp_loader_bpf(loader);
	int err;

	if (!c)
		return -ENOMEM;
	c->loader = loader;
	c->slots = slots;
	c->cfg = cfg;
	c->meta = meta;
	c->last_ns = gp_now_ns();
	c->running_ns = calloc(cfg->max_services, sizeof(*c->running_ns));
	c->owed_ns = calloc(cfg->max_services, sizeof(*c->owed_ns));
	c->place = calloc(cfg->max_endpoints, sizeof(*c->place));
	if (!c->running_ns || !c->owed_ns || !c->place)
		return -ENOMEM;
	err = gp_directory_new(&c->directory, slots, cfg);
	if (!err)
		err = gp_cgroup_stats_new(&c->cgroups, "");
	if (!err)
		err = gp_host_stats_new(&c->host_stats, "");
	if (!err)
		err = gp_series_table_new(&c->series);
	if (!err)
		err = gp_host_watch_new(&c->host, bpf, !cfg->no_sched);
	if (!err)
		err = gp_self_watch_new(&c->self, loader);
	if (!err)
		err = gp_recycler_new(&c->recycler, slots);
	if (!err)
		err = gp_edges_new(&c->edges, slots, c->directory);
	if (!err)
		err = gp_operations_new(&c->operations, slots);
	if (err)
		return err;
	*out = TAKE_PTR(c);
	return 0;
}

void gp_collector_free(struct gp_collector **collector)
{
	struct gp_collector *c = TAKE_PTR(*collector);

	if (!c)
		return;
	gp_operations_free(&c->operations);
	gp_edges_free(&c->edges);
	gp_directory_free(&c->directory);
	gp_series_table_free(&c->series);
	gp_host_watch_free(&c->host);
	gp_host_stats_free(&c->host_stats);
	gp_cgroup_stats_free(&c->cgroups);
	gp_self_watch_free(&c->self);
	gp_recycler_free(&c->recycler);
	free(c->place);
	free(c->running_ns);
	free(c->owed_ns);
	free(c);
}

/* Walks over all sockets in the kernel: gauges, byte counts, quiet exchanges. */
static int walk_all(struct gp_collector *c, bool final)
{
	struct gp_endpoint_gauges *gauges = gp_slots_gauges(c->slots, 0);
	int err;

	memset(gauges, 0, sizeof(*gauges) * c->slots->max_endpoints);
	gp_loader_bpf(c->loader)->bss->gp_final = final;
	err = gp_walk(gp_loader_link(c->loader, "collect"));
	err = err ?: gp_walk(gp_loader_link(c->loader, "collect_udp"));
	return err ?: gp_walk(gp_loader_link(c->loader, "collect_unix"));
}

static int copy_names(struct gp_snapshot *s, struct gp_names *to, const struct gp_identity *from)
{
	bool failed = false;

	to->service = gp_snapshot_string(s, from->service, &failed);
	to->unit = gp_snapshot_string(s, from->unit, &failed);
	to->container = gp_snapshot_string(s, from->container, &failed);
	to->exe = gp_snapshot_string(s, from->exe, &failed);
	return failed ? -ENOMEM : 0;
}

/* Names of what lives outside any snapshot, for the time of a look-up. */
static struct gp_names names_of(const struct gp_identity *id)
{
	return (struct gp_names){id->service, id->unit, id->container, id->exe};
}

static void describe(struct gp_collector *c, const struct gp_endpoint_key *key,
		     enum gp_protocol protocol, struct gp_endpoint *e,
		     char address[GP_ADDRESS_SIZE])
{
	e->role = key->role;
	e->transport = key->transport;
	e->protocol = protocol;
	if (gp_protocol_is_read(protocol))
		e->framing = GP_FRAMING_PROTOCOL;
	else
		e->framing =
			key->transport == GP_TRANSPORT_UDP ? GP_FRAMING_NONE : GP_FRAMING_TURNS;
	e->is_other = key->flags & GP_KEY_OTHER;
	e->port = key->port;
	if (e->is_other || (key->role != GP_ROLE_CLIENT && key->transport != GP_TRANSPORT_UNIX))
		return;
	e->address = gp_called_address(c->slots, key, address);
}

static void add_gauges(const struct gp_endpoint_gauges *g, struct gp_endpoint *e)
{
	e->in_flight += g->in_flight;
	if (g->oldest_ns > e->oldest_ns)
		e->oldest_ns = g->oldest_ns;
	e->unread_bytes += g->unread_bytes;
	e->active += g->active;
	e->accept_queue += g->accept_queue;
	e->accept_limit += g->accept_limit;
	e->listeners += g->listeners;
	e->rtt_ns += g->rtt_ns;
	e->rtt_count += g->rtt_count;
	if (g->rtt_min_ns && (!e->rtt_min_ns || g->rtt_min_ns < e->rtt_min_ns))
		e->rtt_min_ns = g->rtt_min_ns;
}

/* The endpoint of the snapshot that the record counts for: that of its series. */
static struct gp_endpoint *place(struct gp_collector *c, struct gp_snapshot *s,
				 const struct gp_endpoint *like, const struct gp_identity *id)
{
	struct gp_series *series = gp_series_get(c->series, like);
	struct gp_endpoint *e;
	bool failed = false;

	if (!series)
		return NULL;
	if (series->round == c->round)
		return &s->endpoint[series->index];
	e = gp_snapshot_add_endpoint(s);
	if (!e)
		return NULL;
	*e = *like;
	e->address = gp_snapshot_string(s, like->address, &failed);
	if (copy_names(s, &e->names, id) || failed) {
		s->endpoints--;
		return NULL;
	}
	series->round = c->round;
	series->index = s->endpoints - 1;
	return e;
}

/* The protocol last recognised at the place of an endpoint of none; else its own. */
static enum gp_protocol recognised(const struct gp_collector *c,
				   const struct gp_endpoint_info *info)
{
	const struct gp_endpoint_info *hint;

	if (info->key.protocol != GP_PROTOCOL_UNKNOWN || !info->hint)
		return info->key.protocol;
	hint = gp_slots_endpoint(c->slots, GP_REF_INDEX(info->hint));
	return hint->ref == info->hint ? hint->key.protocol : GP_PROTOCOL_UNKNOWN;
}

/* Whether something ended or is open at the slot that is of no protocol for sure. */
static bool has_exchanges(const struct gp_collector *c, uint32_t slot)
{
	const struct gp_endpoint_gauges *g = gp_slots_gauges(c->slots, slot);
	bool any = g->in_flight || g->active;

	for (unsigned int shard = 0; shard < c->slots->shards && !any; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(c->slots, slot, shard);

		any = r && gp_drain_has_exchanges(r);
	}
	return any;
}

/*
 * What happened at a place before a connection's protocol was known (opened, failed, ...) belongs
 * to the one last recognised there (design.md, "endpoint"): to the series of `like`.
 */
static int collect_openings(struct gp_collector *c, struct gp_snapshot *s, uint32_t slot,
			    const struct gp_endpoint *like, const struct gp_identity *id)
{
	struct gp_endpoint *e = place(c, s, like, id);

	if (!e)
		return -ENOMEM;
	for (unsigned int shard = 0; shard < c->slots->shards; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(c->slots, slot, shard);

		if (!r)
			return -errno;
		gp_drain_openings(r, e);
	}
	return 0;
}

static int collect_endpoint(struct gp_collector *c, struct gp_snapshot *s, uint32_t slot)
{
	const struct gp_endpoint_info *info = gp_slots_endpoint(c->slots, slot);
	uint32_t service = GP_REF_INDEX(info->key.service);
	const struct gp_listing *l =
		gp_directory_get(c->directory, service, gp_slots_service(c->slots, service));
	struct gp_endpoint like = {}, *e;
	char address[GP_ADDRESS_SIZE];

	if (!l)
		return -ENOMEM;
	if (!l->wanted) {
		if (!(info->flags & GP_INFO_IGNORED) && service != GP_SLOT_OTHER_SERVICE)
			gp_slots_ignore_endpoint(c->slots, slot, true);
		return 0;
	}
	if (info->flags & GP_INFO_IGNORED)
		gp_slots_ignore_endpoint(c->slots, slot, false);
	like.names = names_of(l->identity);
	describe(c, &info->key, recognised(c, info), &like, address);
	if (like.protocol != info->key.protocol && has_exchanges(c, slot)) {
		int err = collect_openings(c, s, slot, &like, l->identity);

		if (err)
			return err;
		describe(c, &info->key, info->key.protocol, &like, address);
	}
	e = place(c, s, &like, l->identity);
	if (!e)
		return -ENOMEM;
	for (unsigned int shard = 0; shard < c->slots->shards; shard++) {
		struct gp_endpoint_record *r = gp_slots_endpoint_record(c->slots, slot, shard);

		if (!r)
			return -errno;
		if (gp_drain_endpoint(r, e))
			gp_recycler_active(c->recycler, slot, c->last_ns);
	}
	add_gauges(gp_slots_gauges(c->slots, slot), e);
	c->place[slot] = e - s->endpoint;
	return 0;
}

static int collect_endpoints(struct gp_collector *c, struct gp_snapshot *s)
{
	for (uint32_t slot = 0; slot < c->slots->max_endpoints; slot++) {
		int err = 0;

		c->place[slot] = SIZE_MAX;
		if (gp_slots_endpoint(c->slots, slot)->state != GP_SLOT_FREE)
			err = collect_endpoint(c, s, slot);
		if (err)
			return err;
	}
	return gp_operations_collect(c->operations, s, c->place, c->last_ns);
}

/* What is worked out from all that was drained. */
static int finish_endpoints(struct gp_collector *c, struct gp_snapshot *s)
{
	for (size_t i = 0; i < s->endpoints; i++) {
		struct gp_endpoint *e = &s->endpoint[i];
		struct gp_series *series = gp_series_get(c->series, e);

		if (!series)
			return -ENOMEM;
		if (gp_drain_finish_endpoint(e, &series->aborted_ahead))
			return -ENOMEM;
		series->requests_total += gp_endpoint_requests(e);
		e->requests_total = series->requests_total;
	}
	gp_series_expire(c->series, c->round);
	return 0;
}

/* The service of the snapshot that has this name: the records of a restarted one are added. */
static struct gp_service *service_named(struct gp_snapshot *s, const struct gp_identity *id)
{
	struct gp_service *found = (struct gp_service *)gp_snapshot_find_service(s, id->service);

	if (found)
		return found;
	found = gp_snapshot_add_service(s);
	if (found && copy_names(s, &found->names, id)) {
		s->services--;
		return NULL;
	}
	return found;
}

/* Takes what a service's records hold, and the time its threads run just now. */
static int drain_service(struct gp_collector *c, uint32_t slot, uint32_t ref, struct gp_service *to)
{
	uint64_t running_ns = 0;
	bool still = false;

	for (int tries = 0; tries < DRAIN_TRIES && !still; tries++) {
		running_ns = gp_host_running_ns(c->host, ref);
		for (unsigned int shard = 0; shard < c->slots->shards; shard++) {
			struct gp_service_record *r =
				gp_slots_service_record(c->slots, slot, shard);

			if (!r)
				return -errno;
			gp_drain_service(r, to);
		}
		still = gp_host_still_running(c->host);
	}
	c->owed_ns[slot] += (int64_t)(to->cpu_ns + running_ns - c->running_ns[slot]);
	c->running_ns[slot] = running_ns;
	to->cpu_ns = c->owed_ns[slot] > 0 ? c->owed_ns[slot] : 0;
	c->owed_ns[slot] -= to->cpu_ns;
	return 0;
}

static int collect_service(struct gp_collector *c, struct gp_snapshot *s, uint32_t slot)
{
	const struct gp_service_info *info = gp_slots_service(c->slots, slot);
	const struct gp_listing *l = gp_directory_get(c->directory, slot, info);
	struct gp_service one = {}, *to;
	int err;

	if (!l)
		return -ENOMEM;
	err = drain_service(c, slot, info->ref, &one);
	if (err)
		return err;
	gp_distribution_add(&s->host.runqueue, &one.runqueue);
	if (!l->wanted) {
		/* Who is in `other` may well be wanted, and is only not named. */
		if (slot != GP_SLOT_OTHER_SERVICE)
			gp_slots_service(c->slots, slot)->flags |= GP_INFO_IGNORED;
		return 0;
	}
	gp_slots_service(c->slots, slot)->flags = 0;
	to = service_named(s, l->identity);
	if (!to)
		return -ENOMEM;
	to->has_sched = !c->cfg->no_sched;
	to->pid = info->pid;
	to->threads += info->threads > 0 ? info->threads : 0;
	to->cpu_ns += one.cpu_ns;
	to->io_ns += one.io_ns;
	to->voluntary += one.voluntary;
	to->involuntary += one.involuntary;
	gp_distribution_add(&to->runqueue, &one.runqueue);
	return gp_cgroup_stats_add(c->cgroups, c->round, l->cgroup, (pid_t)info->pid, to);
}

static int collect_services(struct gp_collector *c, struct gp_snapshot *s)
{
	bool lost_process = false;

	c->services = 0;
	for (uint32_t slot = 0; slot < c->slots->max_services; slot++) {
		int err = 0;

		if (gp_slots_service(c->slots, slot)->state == GP_SLOT_FREE)
			continue;
		err = collect_service(c, s, slot);
		if (err)
			return err;
		c->services++;
		lost_process |= !gp_slots_service(c->slots, slot)->pid &&
				!(gp_slots_service(c->slots, slot)->flags & GP_INFO_IGNORED) &&
				gp_slots_service(c->slots, slot)->threads > 0;
	}
	/* The process that stood for a service is gone: each thread says again where it belongs. */
	if (lost_process)
		gp_loader_bpf(c->loader)->bss->gp_epoch++;
	return 0;
}

/* Names all services: one that is new may take its name from another (directory.h). */
static int name_services(struct gp_collector *c)
{
	for (uint32_t slot = 0; slot < c->slots->max_services; slot++) {
		const struct gp_service_info *info = gp_slots_service(c->slots, slot);

		if (info->state != GP_SLOT_FREE && !gp_directory_get(c->directory, slot, info))
			return -ENOMEM;
	}
	return 0;
}

int gp_collect(struct gp_collector *c, bool final, struct gp_snapshot **out)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = NULL;
	uint64_t now = gp_now_ns();
	int err = gp_snapshot_new(&s, c->meta);

	if (!err)
		err = walk_all(c, final);
	if (err)
		return err;
	c->round++;
	clock_gettime(CLOCK_REALTIME, &s->time);
	s->interval_ns = now - c->last_ns;
	c->last_ns = now;
	err = name_services(c);
	if (!err)
		err = collect_endpoints(c, s);
	if (!err)
		err = finish_endpoints(c, s);
	if (!err)
		err = gp_edges_collect(c->edges, s);
	if (!err)
		err = collect_services(c, s);
	if (!err)
		err = gp_host_collect(c->host, &s->host);
	if (!err)
		gp_host_stats_collect(c->host_stats, &s->host);
	if (!err)
		err = gp_self_collect(c->self, c->slots, c->operations, &s->self);
	if (err)
		return err;
	gp_recycle(c->recycler, now);
	gp_operations_recycle(c->operations, now);
	*out = TAKE_PTR(s);
	return 0;
}

size_t gp_collector_services(const struct gp_collector *c)
{
	return c->services;
}

struct gp_directory *gp_collector_directory(const struct gp_collector *c)
{
	return c->directory;
}
