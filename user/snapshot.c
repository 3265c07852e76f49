// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hist.h"
#include "own.h"
#include "room.h"
#include "snapshot.h"

int gp_snapshot_new(struct gp_snapshot **out, const struct gp_meta *meta)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = calloc(1, sizeof(*s));

	if (!s || gp_arena_new(&s->strings))
		return -ENOMEM;
	s->meta = meta;
	*out = TAKE_PTR(s);
	return 0;
}

void gp_snapshot_free(struct gp_snapshot **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->endpoints; i++)
		free((*s)->endpoint[i].operation);
	free((*s)->endpoint);
	free((*s)->service);
	free((*s)->edge);
	free((*s)->host.cpu);
	free((*s)->self.program);
	free((*s)->self.map);
	gp_arena_free(&(*s)->strings);
	free(*s);
	*s = NULL;
}

const char *gp_snapshot_string(struct gp_snapshot *s, const char *text, bool *failed)
{
	const char *copy = text ? gp_arena_string(s->strings, text) : NULL;

	if (text && !copy)
		*failed = true;
	return copy;
}

struct gp_endpoint *gp_snapshot_add_endpoint(struct gp_snapshot *s)
{
	struct gp_endpoint *e;

	if (gp_room_reserve(&s->endpoint, s->endpoints, 1, sizeof(*s->endpoint)))
		return NULL;
	e = &s->endpoint[s->endpoints++];
	memset(e, 0, sizeof(*e));
	return e;
}

struct gp_service *gp_snapshot_add_service(struct gp_snapshot *s)
{
	struct gp_service *service;

	if (gp_room_reserve(&s->service, s->services, 1, sizeof(*s->service)))
		return NULL;
	service = &s->service[s->services++];
	memset(service, 0, sizeof(*service));
	return service;
}

struct gp_edge *gp_snapshot_add_edge(struct gp_snapshot *s)
{
	struct gp_edge *edge;

	if (gp_room_reserve(&s->edge, s->edges, 1, sizeof(*s->edge)))
		return NULL;
	edge = &s->edge[s->edges++];
	memset(edge, 0, sizeof(*edge));
	return edge;
}

const struct gp_service *gp_snapshot_find_service(const struct gp_snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->services; i++)
		if (strcmp(s->service[i].names.service, name) == 0)
			return &s->service[i];
	return NULL;
}

bool gp_endpoint_is_quiet(const struct gp_endpoint *e)
{
	uint64_t any = gp_endpoint_requests(e) | gp_hist_count(&e->first_byte.hist) |
		       gp_hist_count(&e->setup.hist) | e->in_flight | e->bytes_in | e->bytes_out |
		       e->opened | e->closed | e->active | e->streams | e->handed_over |
		       e->retransmits | e->resets_sent | e->resets_received | e->accept_queue |
		       e->unread_bytes | e->overflows;

	for (size_t i = 0; i < GP_ERROR_COUNT; i++)
		any |= e->errors[i];
	for (size_t i = 0; i < GP_FAILURE_COUNT; i++)
		any |= e->failed[i];
	return any == 0;
}

uint64_t gp_endpoint_requests(const struct gp_endpoint *e)
{
	return gp_hist_count(&e->duration.hist) + e->errors[GP_ERROR_ABORTED];
}

/* Adding two snapshots. */

static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* Where a and b are pointers to records: for qsort and bsearch over an array of pointers. */
static int compare_endpoints(const void *a, const void *b)
{
	const struct gp_endpoint *x = *(const struct gp_endpoint *const *)a;
	const struct gp_endpoint *y = *(const struct gp_endpoint *const *)b;
	int order = compare_text(x->names.service, y->names.service);

	if (order == 0)
		order = (int)x->role - (int)y->role;
	if (order == 0)
		order = (int)x->transport - (int)y->transport;
	if (order == 0)
		order = (int)x->port - (int)y->port;
	if (order == 0)
		order = (int)x->protocol - (int)y->protocol;
	if (order == 0)
		order = (int)x->is_other - (int)y->is_other;
	return order ? order : compare_text(x->address, y->address);
}

static int compare_services(const void *a, const void *b)
{
	const struct gp_service *x = *(const struct gp_service *const *)a;
	const struct gp_service *y = *(const struct gp_service *const *)b;

	return compare_text(x->names.service, y->names.service);
}

static int compare_edges(const void *a, const void *b)
{
	const struct gp_edge *x = *(const struct gp_edge *const *)a;
	const struct gp_edge *y = *(const struct gp_edge *const *)b;
	int order = compare_text(x->from, y->from);

	if (order == 0)
		order = (int)x->from_port - (int)y->from_port;
	if (order == 0)
		order = (int)x->from_protocol - (int)y->from_protocol;
	if (order == 0)
		order = compare_text(x->to, y->to);
	if (order == 0)
		order = compare_text(x->address, y->address);
	if (order == 0)
		order = (int)x->port - (int)y->port;
	return order ? order : (int)x->protocol - (int)y->protocol;
}

/* The addresses of `count` records of `size` bytes, sorted; to be freed. NULL: out of memory. */
static void **index_of(void *records, size_t count, size_t size,
		       int (*compare)(const void *, const void *))
{
	void **index = calloc(count + 1, sizeof(*index));

	if (!index)
		return NULL;
	for (size_t i = 0; i < count; i++)
		index[i] = (char *)records + i * size;
	qsort(index, count, sizeof(*index), compare);
	return index;
}

/* The record of the index that is the same as `key`, or NULL. */
static void *find(void **index, size_t count, const void *key,
		  int (*compare)(const void *, const void *))
{
	void **place = bsearch(&key, index, count, sizeof(*index), compare);

	return place ? *place : NULL;
}

static void add_endpoint(struct gp_endpoint *to, const struct gp_endpoint *from)
{
	gp_distribution_add(&to->duration, &from->duration);
	gp_distribution_add(&to->first_byte, &from->first_byte);
	gp_distribution_add(&to->setup, &from->setup);
	for (size_t band = 0; band < GP_BANDS; band++)
		for (size_t stage = 0; stage < GP_STAGE_COUNT; stage++)
			to->stages_ns[band][stage] += from->stages_ns[band][stage];
	for (size_t i = 0; i < GP_ERROR_COUNT; i++)
		to->errors[i] += from->errors[i];
	for (size_t i = 0; i < GP_FAILURE_COUNT; i++)
		to->failed[i] += from->failed[i];
	to->bytes_in += from->bytes_in;
	to->bytes_out += from->bytes_out;
	to->opened += from->opened;
	to->closed += from->closed;
	to->streams += from->streams;
	to->handed_over += from->handed_over;
	to->retransmits += from->retransmits;
	to->resets_sent += from->resets_sent;
	to->resets_received += from->resets_received;
	to->overflows += from->overflows;
	gp_endpoint_add_operations(to, from);
}

/* An endpoint that the later snapshot does not have was quiet there: nothing was open. */
static void clear_endpoint_gauges(struct gp_endpoint *e)
{
	e->in_flight = e->oldest_ns = 0;
	e->active = e->unread_bytes = 0;
	e->accept_queue = e->accept_limit = e->listeners = 0;
	e->rtt_ns = e->rtt_count = e->rtt_min_ns = 0;
}

static void add_pressure(struct gp_pressure *to, const struct gp_pressure *from)
{
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++) {
		to->has[i] |= from->has[i];
		to->ns[i] += from->ns[i];
	}
}

static void add_service(struct gp_service *to, const struct gp_service *from)
{
	to->has_sched |= from->has_sched;
	gp_distribution_add(&to->runqueue, &from->runqueue);
	to->cpu_ns += from->cpu_ns;
	to->io_ns += from->io_ns;
	to->voluntary += from->voluntary;
	to->involuntary += from->involuntary;
	to->has_throttled |= from->has_throttled;
	to->throttled_ns += from->throttled_ns;
	to->throttled_periods += from->throttled_periods;
	add_pressure(&to->pressure, &from->pressure);
}

static void add_edge(struct gp_edge *to, const struct gp_edge *from)
{
	to->calls += from->calls;
	to->errors += from->errors;
	to->ns += from->ns;
}

static void copy_names(struct gp_snapshot *s, struct gp_names *names, bool *failed)
{
	names->service = gp_snapshot_string(s, names->service, failed);
	names->unit = gp_snapshot_string(s, names->unit, failed);
	names->container = gp_snapshot_string(s, names->container, failed);
	names->exe = gp_snapshot_string(s, names->exe, failed);
}

/*
 * What is only in `older` is copied behind the records of `s`, whose counts stay as they are until
 * nothing can fail any more.
 */
struct addition {
	void **endpoints, **services, **edges; /* indexes of the records of `s` */
	size_t new_endpoints, new_services, new_edges, new_programs;
};

static void free_addition(struct addition *a)
{
	free(a->endpoints);
	free(a->services);
	free(a->edges);
}

static struct gp_program *find_program(const struct gp_self *self, const char *name)
{
	for (size_t i = 0; i < self->programs; i++)
		if (strncmp(self->program[i].name, name, sizeof(self->program[i].name)) == 0)
			return &self->program[i];
	return NULL;
}

static int make_operation_room(struct gp_snapshot *s, const struct gp_snapshot *older,
			       struct addition *a)
{
	for (size_t i = 0; i < older->endpoints; i++) {
		const struct gp_endpoint *e = &older->endpoint[i];
		struct gp_endpoint *same = find(a->endpoints, s->endpoints, e, compare_endpoints);

		if (same && gp_endpoint_reserve_operations(same, e->operations))
			return -ENOMEM;
	}
	return 0;
}

/* Room for all that may be new (CPUs too), and the indexes: after it no record of `s` moves. */
static int make_room(struct gp_snapshot *s, const struct gp_snapshot *older, struct addition *a)
{
	struct gp_cpu *cpu;

	if (gp_room_reserve(&s->endpoint, s->endpoints, older->endpoints, sizeof(*s->endpoint)) ||
	    gp_room_reserve(&s->service, s->services, older->services, sizeof(*s->service)) ||
	    gp_room_reserve(&s->edge, s->edges, older->edges, sizeof(*s->edge)) ||
	    gp_room_reserve(&s->self.program, 0, s->self.programs + older->self.programs,
			    sizeof(*s->self.program)))
		return -ENOMEM;
	if (older->host.cpus > s->host.cpus) {
		cpu = reallocarray(s->host.cpu, older->host.cpus, sizeof(*cpu));
		if (!cpu)
			return -ENOMEM;
		s->host.cpu = cpu;
	}
	a->endpoints = index_of(s->endpoint, s->endpoints, sizeof(*s->endpoint), compare_endpoints);
	a->services = index_of(s->service, s->services, sizeof(*s->service), compare_services);
	a->edges = index_of(s->edge, s->edges, sizeof(*s->edge), compare_edges);
	if (!a->endpoints || !a->services || !a->edges)
		return -ENOMEM;
	return make_operation_room(s, older, a);
}

/* A copy of an endpoint that `s` does not have. 0; -ENOMEM, with nothing to be freed. */
static int copy_endpoint(struct gp_snapshot *s, struct gp_endpoint *copy,
			 const struct gp_endpoint *from)
{
	bool failed = false;

	*copy = *from;
	copy->operations = 0;
	copy->operation = NULL;
	copy_names(s, &copy->names, &failed);
	copy->address = gp_snapshot_string(s, copy->address, &failed);
	clear_endpoint_gauges(copy);
	if (failed || gp_endpoint_reserve_operations(copy, from->operations))
		return -ENOMEM;
	gp_endpoint_add_operations(copy, from);
	return 0;
}

static int copy_endpoints(struct gp_snapshot *s, const struct gp_snapshot *older,
			  struct addition *a)
{
	for (size_t i = 0; i < older->endpoints; i++) {
		struct gp_endpoint *copy = &s->endpoint[s->endpoints + a->new_endpoints];

		if (find(a->endpoints, s->endpoints, &older->endpoint[i], compare_endpoints))
			continue;
		if (copy_endpoint(s, copy, &older->endpoint[i]))
			return -ENOMEM;
		a->new_endpoints++;
	}
	return 0;
}

static int copy_new(struct gp_snapshot *s, const struct gp_snapshot *older, struct addition *a)
{
	bool failed = false;

	for (size_t i = 0; i < older->services; i++) {
		struct gp_service *copy = &s->service[s->services + a->new_services];

		if (find(a->services, s->services, &older->service[i], compare_services))
			continue;
		*copy = older->service[i];
		copy_names(s, &copy->names, &failed);
		a->new_services++;
	}
	for (size_t i = 0; i < older->edges; i++) {
		struct gp_edge *copy = &s->edge[s->edges + a->new_edges];

		if (find(a->edges, s->edges, &older->edge[i], compare_edges))
			continue;
		*copy = older->edge[i];
		copy->from = gp_snapshot_string(s, copy->from, &failed);
		copy->to = gp_snapshot_string(s, copy->to, &failed);
		copy->address = gp_snapshot_string(s, copy->address, &failed);
		a->new_edges++;
	}
	for (size_t i = 0; i < older->self.programs; i++)
		if (!find_program(&s->self, older->self.program[i].name))
			s->self.program[s->self.programs + a->new_programs++] =
				older->self.program[i];
	return failed ? -ENOMEM : 0;
}

static void add_host(struct gp_host *to, const struct gp_host *from)
{
	to->has_sched |= from->has_sched;
	gp_distribution_add(&to->runqueue, &from->runqueue);
	add_pressure(&to->pressure, &from->pressure);
	to->has_listen |= from->has_listen;
	to->listen_drops += from->listen_drops;
	to->listen_overflows += from->listen_overflows;
	to->has_retransmits |= from->has_retransmits;
	to->retransmits += from->retransmits;
	for (; to->cpus < from->cpus; to->cpus++)
		to->cpu[to->cpus] = (struct gp_cpu){};
	for (size_t i = 0; i < from->cpus; i++) {
		to->cpu[i].busy_ns += from->cpu[i].busy_ns;
		to->cpu[i].idle_ns += from->cpu[i].idle_ns;
		to->cpu[i].waited_ns += from->cpu[i].waited_ns;
		if (from->cpu[i].waiting_max > to->cpu[i].waiting_max)
			to->cpu[i].waiting_max = from->cpu[i].waiting_max;
	}
}

static void add_self(struct gp_self *to, const struct gp_self *from)
{
	to->has_programs |= from->has_programs;
	to->cpu_ns += from->cpu_ns;
	for (size_t i = 0; i < GP_DROP_COUNT; i++)
		to->dropped[i] += from->dropped[i];
	for (size_t i = 0; i < from->programs; i++) {
		struct gp_program *same = find_program(to, from->program[i].name);

		if (same) {
			same->runs += from->program[i].runs;
			same->ns += from->program[i].ns;
		}
	}
}

int gp_snapshot_prepend(struct gp_snapshot *s, const struct gp_snapshot *older)
{
	gp_auto(free_addition) struct addition a = {};

	if (make_room(s, older, &a) || copy_endpoints(s, older, &a) || copy_new(s, older, &a)) {
		for (size_t i = 0; i < a.new_endpoints; i++)
			free(s->endpoint[s->endpoints + i].operation);
		return -ENOMEM;
	}

	for (size_t i = 0; i < older->endpoints; i++) {
		struct gp_endpoint *same =
			find(a.endpoints, s->endpoints, &older->endpoint[i], compare_endpoints);

		if (same)
			add_endpoint(same, &older->endpoint[i]);
	}
	for (size_t i = 0; i < older->services; i++) {
		struct gp_service *same =
			find(a.services, s->services, &older->service[i], compare_services);

		if (same)
			add_service(same, &older->service[i]);
	}
	for (size_t i = 0; i < older->edges; i++) {
		struct gp_edge *same = find(a.edges, s->edges, &older->edge[i], compare_edges);

		if (same)
			add_edge(same, &older->edge[i]);
	}
	add_host(&s->host, &older->host);
	add_self(&s->self, &older->self);
	s->endpoints += a.new_endpoints;
	s->services += a.new_services;
	s->edges += a.new_edges;
	s->self.programs += a.new_programs;
	s->interval_ns += older->interval_ns;
	return 0;
}
