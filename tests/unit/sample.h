/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots with known contents. */
#ifndef GP_TEST_SAMPLE_H
#define GP_TEST_SAMPLE_H

#include <stdlib.h>
#include <string.h>

#include "hist.h"
#include "own.h"
#include "snapshot.h"

#define MS 1000000ULL
#define SECOND 1000000000ULL

static const struct gp_choice sample_choices[] = {
	{"data readable", "tp_btf/sk_data_ready", NULL},
	{"accepted", NULL, "accept_queue.wait_s is not known"},
};
static const struct gp_bound sample_bounds[] = {{"endpoints", 1024}, {"services", 512}};
static const struct gp_meta sample_meta = {
	.version = "1.2.3",
	.kernel = "6.12.0",
	.host = "host\033[2J1",
	.start = {.tv_sec = 1700000000, .tv_nsec = 7999999},
	.choices = ARRAY_SIZE(sample_choices),
	.choice = sample_choices,
	.bounds = ARRAY_SIZE(sample_bounds),
	.bound = sample_bounds,
	.protocols = 1u << GP_PROTOCOL_HTTP | 1u << GP_PROTOCOL_DNS,
};

/* An interval of 10 s on two CPUs, half busy, without endpoints and services. */
static inline struct gp_snapshot *sample_new(void)
{
	struct gp_snapshot *s = NULL;

	if (gp_snapshot_new(&s, &sample_meta))
		abort();
	s->time = (struct timespec){.tv_sec = 1700000010, .tv_nsec = 123456789};
	s->interval_ns = 10 * SECOND;
	s->host.has_sched = true;
	s->host.cpus = 2;
	s->host.cpu = calloc(2, sizeof(*s->host.cpu));
	if (!s->host.cpu)
		abort();
	s->host.cpu[0] = (struct gp_cpu){.busy_ns = 8 * SECOND, .idle_ns = 2 * SECOND};
	s->host.cpu[1] = (struct gp_cpu){.busy_ns = 2 * SECOND, .idle_ns = 8 * SECOND};
	return s;
}

/* Copies `text` into the snapshot. */
static inline const char *sample_text(struct gp_snapshot *s, const char *text)
{
	bool failed = false;
	const char *copy = gp_snapshot_string(s, text, &failed);

	if (failed)
		abort();
	return copy;
}

/* A TCP endpoint: a client where there is an address. */
static inline struct gp_endpoint *sample_endpoint(struct gp_snapshot *s, const char *service,
						  uint16_t port, const char *address)
{
	struct gp_endpoint *e = gp_snapshot_add_endpoint(s);

	if (!e)
		abort();
	e->names.service = sample_text(s, service);
	e->role = address ? GP_ROLE_CLIENT : GP_ROLE_SERVER;
	e->framing = GP_FRAMING_TURNS;
	e->port = port;
	e->address = sample_text(s, address);
	return e;
}

static inline struct gp_service *sample_service(struct gp_snapshot *s, const char *name,
						uint64_t cpu_ns)
{
	struct gp_service *service = gp_snapshot_add_service(s);

	if (!service)
		abort();
	service->names.service = sample_text(s, name);
	service->has_sched = true;
	service->cpu_ns = cpu_ns;
	return service;
}

/* Calls of `from` (NULL: on nobody's behalf), from port 80, of `to` at `address`, port 6379. */
static inline struct gp_edge *sample_edge(struct gp_snapshot *s, const char *from, const char *to,
					  const char *address, uint64_t calls)
{
	struct gp_edge *edge = gp_snapshot_add_edge(s);

	if (!edge)
		abort();
	edge->from = sample_text(s, from);
	edge->from_port = from ? 80 : 0;
	edge->to = sample_text(s, to);
	edge->address = sample_text(s, address);
	edge->port = 6379;
	edge->calls = calls;
	edge->ns = calls * MS;
	return edge;
}

static inline void sample_value(struct gp_distribution *d, uint64_t ns)
{
	d->hist.slots[gp_hist_slot(ns)]++;
	d->sum_ns += ns;
	if (ns > d->max_ns)
		d->max_ns = ns;
}

/* One exchange, as the kernel side would count it: the time to the first byte in two stages. */
static inline void sample_exchange(struct gp_endpoint *e, uint64_t first_ns, uint64_t transfer_ns)
{
	uint64_t duration_ns = first_ns + transfer_ns;
	uint64_t *stages = e->stages_ns[gp_hist_band(gp_hist_slot(duration_ns))];

	sample_value(&e->duration, duration_ns);
	sample_value(&e->first_byte, first_ns);
	stages[GP_STAGE_CPU] += first_ns / 3;
	stages[GP_STAGE_UNATTRIBUTED] += first_ns - first_ns / 3;
	stages[GP_STAGE_TRANSFER] += transfer_ns;
	e->requests_total++;
}

/* `n` requests of one kind and outcome, counted at the endpoint too. */
static inline void sample_operation(struct gp_endpoint *e, uint16_t operation, uint16_t status,
				    uint64_t n, uint64_t duration_ns)
{
	struct gp_operation *o = gp_endpoint_operation(e, operation, status);

	if (!o)
		abort();
	for (uint64_t i = 0; i < n && status != GP_STATUS_NONE; i++) {
		sample_exchange(e, duration_ns, 0);
		sample_value(&o->duration, duration_ns);
	}
	if (status == GP_STATUS_NONE) {
		o->aborted += n;
		e->errors[GP_ERROR_ABORTED] += n;
	}
}

#endif
