// SPDX-License-Identifier: GPL-2.0-or-later
#include "drain.h"

#include <errno.h>

#include "hist.h"
#include "protocol.h"

/* Counters at rest, the most of them, cost a load. */
static uint64_t take(__u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED)
		       ? __atomic_exchange_n(counter, 0, __ATOMIC_RELAXED)
		       : 0;
}

static bool take_hist(__u32 *from, struct gp_hist *to)
{
	bool any = false;

	for (unsigned int i = 0; i < GP_HIST_SLOTS; i++) {
		if (!__atomic_load_n(&from[i], __ATOMIC_RELAXED))
			continue;
		to->slots[i] += __atomic_exchange_n(&from[i], 0, __ATOMIC_RELAXED);
		any = true;
	}
	return any;
}

/* After the buckets: a maximum may be taken here whose value is counted in the next interval. */
static void take_max(__u64 *from, uint64_t *to)
{
	uint64_t max = take(from);

	if (max > *to)
		*to = max;
}

bool gp_drain_has_exchanges(struct gp_endpoint_record *r)
{
	bool any = __atomic_load_n(&r->errors[GP_ERROR_ABORTED], __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < GP_HIST_SLOTS && !any; i++)
		any = __atomic_load_n(&r->duration[i], __ATOMIC_RELAXED);
	return any;
}

void gp_drain_openings(struct gp_endpoint_record *r, struct gp_endpoint *e)
{
	take_hist(r->setup, &e->setup.hist);
	e->setup.sum_ns += take(&r->setup_ns);
	take_max(&r->setup_max_ns, &e->setup.max_ns);
	for (int i = 0; i < GP_FAILURE_COUNT; i++)
		e->failed[i] += take(&r->failed[i]);
	e->opened += take(&r->opened);
	e->overflows += take(&r->overflows);
}

bool gp_drain_endpoint(struct gp_endpoint_record *r, struct gp_endpoint *e)
{
	uint64_t others = e->errors[GP_ERROR_ABORTED] + e->bytes_in + e->bytes_out + e->opened;
	bool any = take_hist(r->duration, &e->duration.hist);

	take_hist(r->first_byte, &e->first_byte.hist);
	for (int band = 0; band < GP_BANDS; band++)
		for (int stage = 0; stage < GP_STAGE_COUNT; stage++)
			e->stages_ns[band][stage] += take(&r->stages_ns[band][stage]);
	take_max(&r->duration_max_ns, &e->duration.max_ns);
	take_max(&r->first_byte_max_ns, &e->first_byte.max_ns);
	for (int i = 0; i < GP_ERROR_COUNT; i++)
		e->errors[i] += take(&r->errors[i]);
	gp_drain_openings(r, e);
	e->bytes_in += take(&r->bytes_in);
	e->bytes_out += take(&r->bytes_out);
	e->closed += take(&r->closed);
	e->handed_over += take(&r->handed_over);
	e->streams += take(&r->streams);
	e->retransmits += take(&r->retransmits);
	e->resets_sent += take(&r->resets_sent);
	e->resets_received += take(&r->resets_received);
	return any ||
	       others != e->errors[GP_ERROR_ABORTED] + e->bytes_in + e->bytes_out + e->opened;
}

bool gp_drain_operation(struct gp_operation_record *r, struct gp_operation *o)
{
	uint64_t aborted = take(&r->aborted);
	bool any = take_hist(r->duration, &o->duration.hist);

	o->duration.sum_ns += take(&r->duration_ns);
	take_max(&r->duration_max_ns, &o->duration.max_ns);
	o->aborted += aborted;
	return any || aborted;
}

static void add_stages(struct gp_endpoint *e)
{
	for (int band = 0; band < GP_BANDS; band++) {
		for (int stage = 0; stage < GP_STAGE_COUNT; stage++) {
			e->duration.sum_ns += e->stages_ns[band][stage];
			if (stage != GP_STAGE_TRANSFER)
				e->first_byte.sum_ns += e->stages_ns[band][stage];
		}
	}
}

static uint64_t less(uint64_t whole, uint64_t part)
{
	return whole > part ? whole - part : 0;
}

/* The answered that only the endpoint's own record has, and the aborted that no operation has. */
static int name_others(struct gp_endpoint *e, struct gp_distribution *own, uint64_t aborted)
{
	struct gp_operation *o;

	if (gp_hist_count(&own->hist)) {
		o = gp_endpoint_operation(e, 0, 0);
		if (!o)
			return -ENOMEM;
		gp_distribution_settle(own);
		gp_distribution_add(&o->duration, own);
	}
	if (aborted) {
		o = gp_endpoint_operation(e, 0, GP_STATUS_NONE);
		if (!o)
			return -ENOMEM;
		o->aborted += aborted;
	}
	return 0;
}

static int add_operations(struct gp_endpoint *e, uint64_t *ahead)
{
	uint64_t counted = e->errors[GP_ERROR_ABORTED];
	struct gp_distribution own = e->duration;
	struct gp_operation all = {};
	uint64_t rest;

	for (size_t i = 0; i < e->operations; i++) {
		gp_distribution_settle(&e->operation[i].duration);
		gp_operation_add(&all, &e->operation[i]);
	}
	/* Stages are of all exchanges, and give the sum. */
	own.sum_ns = less(own.sum_ns, all.duration.sum_ns);
	all.duration.sum_ns = 0;
	gp_distribution_add(&e->duration, &all.duration);
	rest = less(counted, all.aborted + *ahead);
	*ahead = less(all.aborted + *ahead, counted);
	e->errors[GP_ERROR_ABORTED] = all.aborted + rest;
	if (gp_protocol_is_read(e->protocol))
		return name_others(e, &own, rest);
	e->operations = 0; /* of whatever protocols: an `other` of several has no names for them */
	return 0;
}

int gp_drain_finish_endpoint(struct gp_endpoint *e, uint64_t *ahead)
{
	int err;

	add_stages(e);
	err = add_operations(e, ahead);
	gp_distribution_settle(&e->duration);
	gp_distribution_settle(&e->first_byte);
	gp_distribution_settle(&e->setup);
	return err;
}

void gp_drain_service(struct gp_service_record *r, struct gp_service *s)
{
	take_hist(r->runqueue, &s->runqueue.hist);
	s->runqueue.sum_ns += take(&r->runqueue_ns);
	take_max(&r->runqueue_max_ns, &s->runqueue.max_ns);
	gp_distribution_settle(&s->runqueue);
	s->cpu_ns += take(&r->cpu_ns);
	s->io_ns += take(&r->io_ns);
	s->voluntary += take(&r->voluntary);
	s->involuntary += take(&r->involuntary);
}

void gp_drain_dropped(struct gp_dropped *d, uint64_t counts[GP_DROP_COUNT])
{
	for (int i = 0; i < GP_DROP_COUNT; i++)
		counts[i] += take(&d->counts[i]);
}
