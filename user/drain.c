// SPDX-License-Identifier: GPL-2.0-or-later
#include "drain.h"

#include "hist.h"

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

bool gp_drain_endpoint(struct gp_endpoint_record *r, struct gp_endpoint *e)
{
	uint64_t others = e->errors[GP_ERROR_ABORTED] + e->bytes_in + e->bytes_out + e->opened;
	bool any = take_hist(r->duration, &e->duration.hist);

	take_hist(r->first_byte, &e->first_byte.hist);
	take_hist(r->setup, &e->setup.hist);
	for (int band = 0; band < GP_BANDS; band++)
		for (int stage = 0; stage < GP_STAGE_COUNT; stage++)
			e->stages_ns[band][stage] += take(&r->stages_ns[band][stage]);
	e->setup.sum_ns += take(&r->setup_ns);
	take_max(&r->duration_max_ns, &e->duration.max_ns);
	take_max(&r->first_byte_max_ns, &e->first_byte.max_ns);
	take_max(&r->setup_max_ns, &e->setup.max_ns);
	for (int i = 0; i < GP_ERROR_COUNT; i++)
		e->errors[i] += take(&r->errors[i]);
	for (int i = 0; i < GP_FAILURE_COUNT; i++)
		e->failed[i] += take(&r->failed[i]);
	e->bytes_in += take(&r->bytes_in);
	e->bytes_out += take(&r->bytes_out);
	e->opened += take(&r->opened);
	e->closed += take(&r->closed);
	e->handed_over += take(&r->handed_over);
	e->streams += take(&r->streams);
	e->retransmits += take(&r->retransmits);
	e->resets_sent += take(&r->resets_sent);
	e->resets_received += take(&r->resets_received);
	e->overflows += take(&r->overflows);
	return any ||
	       others != e->errors[GP_ERROR_ABORTED] + e->bytes_in + e->bytes_out + e->opened;
}

void gp_drain_finish_endpoint(struct gp_endpoint *e)
{
	for (int band = 0; band < GP_BANDS; band++) {
		for (int stage = 0; stage < GP_STAGE_COUNT; stage++) {
			e->duration.sum_ns += e->stages_ns[band][stage];
			if (stage != GP_STAGE_TRANSFER)
				e->first_byte.sum_ns += e->stages_ns[band][stage];
		}
	}
	gp_distribution_settle(&e->duration);
	gp_distribution_settle(&e->first_byte);
	gp_distribution_settle(&e->setup);
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
