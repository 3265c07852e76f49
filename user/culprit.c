// SPDX-License-Identifier: GPL-2.0-or-later
#include "culprit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "hist.h"

#define REQUESTS_MIN 20	  /* of fewer nothing is said; nor are fewer slow for their time alone */
#define SLOW_REQUESTS 100 /* a hundredth of the requests is enough */
#define SLOW_TIME 20	  /* or a twentieth of the time */
#define SLOWER 2	  /* times the others' time: less is not slow */

/* Requests, and where their time went. */
struct group {
	uint64_t requests, ns;
	uint64_t stages_ns[GP_STAGE_COUNT];
};

static void add(struct group *to, uint64_t requests, const uint64_t stages_ns[GP_STAGE_COUNT])
{
	to->requests += requests;
	for (size_t i = 0; i < GP_STAGE_COUNT; i++) {
		to->stages_ns[i] += stages_ns[i];
		to->ns += stages_ns[i];
	}
}

static bool are_enough(const struct group *slow, const struct group *all)
{
	if (slow->requests * SLOW_REQUESTS >= all->requests)
		return true;
	return slow->requests >= REQUESTS_MIN && slow->ns >= all->ns / SLOW_TIME;
}

/* Parts the slow ones from the others; the lowest of their bands. */
static unsigned int part(struct group *slow, struct group *others, const struct gp_endpoint *e)
{
	uint64_t counts[GP_BANDS];
	unsigned int lowest = GP_BANDS;
	struct group all = {};

	gp_hist_bands(counts, &e->duration.hist);
	for (unsigned int band = 0; band < GP_BANDS; band++)
		add(&all, counts[band], e->stages_ns[band]);
	do {
		lowest--;
		add(slow, counts[lowest], e->stages_ns[lowest]);
	} while (lowest > 0 && !are_enough(slow, &all));
	for (unsigned int band = 0; band < lowest; band++)
		add(others, counts[band], e->stages_ns[band]);
	return lowest;
}

static double per_request(const struct group *g, enum gp_stage stage)
{
	return (double)g->stages_ns[stage] / (double)g->requests;
}

static enum gp_stage stage_that_grew(const struct group *slow, const struct group *others)
{
	enum gp_stage most = 0;
	double most_ns = 0;

	for (enum gp_stage i = 0; i < GP_STAGE_COUNT; i++) {
		double ns = per_request(slow, i) - per_request(others, i);

		if (ns > most_ns) {
			most = i;
			most_ns = ns;
		}
	}
	return most;
}

static const struct gp_edge *slowest_edge(const struct gp_snapshot *s, const struct gp_endpoint *e)
{
	const struct gp_edge *most = NULL;

	for (size_t i = 0; i < s->edges; i++) {
		const struct gp_edge *edge = &s->edge[i];

		if (edge->from && strcmp(edge->from, e->names.service) == 0 &&
		    edge->from_port == e->port && edge->from_protocol == e->protocol &&
		    (!most || edge->ns > most->ns))
			most = edge;
	}
	return most;
}

bool gp_culprit_find(struct gp_culprit *out, const struct gp_snapshot *s,
		     const struct gp_endpoint *e)
{
	struct group slow = {}, others = {};
	uint64_t all = gp_hist_count(&e->duration.hist);
	struct gp_culprit c = {.all = all};
	unsigned int lowest;
	double usual_ns;

	if (e->role != GP_ROLE_SERVER || all < REQUESTS_MIN)
		return false;
	lowest = part(&slow, &others, e);
	if (!slow.requests || !others.requests)
		return false;
	usual_ns = (double)others.ns / (double)others.requests * (double)slow.requests;
	/* Of a band whose stages were not collected yet there is nothing to be said either. */
	if (!slow.ns || (double)slow.ns < SLOWER * usual_ns)
		return false;
	/* A band with others below it is not the lowest, and begins where the one before ends. */
	c.from_ns = ldexp(1e9, (int)lowest - 1 + GP_HIST_OCTAVE_MIN);
	c.slow = slow.requests;
	c.excess_ns = (double)slow.ns - usual_ns;
	c.stage = stage_that_grew(&slow, &others);
	c.share = (double)slow.stages_ns[c.stage] / (double)slow.ns;
	if (c.stage == GP_STAGE_RUNQUEUE)
		c.is_limited =
			gp_culprit_is_limited(gp_snapshot_find_service(s, e->names.service),
					      slow.stages_ns[GP_STAGE_RUNQUEUE], slow.requests);
	if (c.stage == GP_STAGE_DOWNSTREAM)
		c.edge = slowest_edge(s, e);
	*out = c;
	return true;
}

bool gp_culprit_is_limited(const struct gp_service *service, uint64_t runqueue_ns,
			   uint64_t requests)
{
	if (!service || !service->has_throttled || !service->throttled_ns || !runqueue_ns)
		return false;
	return (double)service->throttled_ns * 2 * (double)requests >= (double)runqueue_ns;
}

void gp_culprit_cause(char *out, size_t size, const struct gp_culprit *c, const char *called)
{
	char place[GP_CULPRIT_CAUSE_SIZE] = "";

	if (c->edge)
		gp_format_place(place, sizeof(place), c->edge->address ?: "", c->edge->port);
	if (c->is_limited)
		snprintf(out, size, "CPU limit");
	else
		snprintf(out, size, "%s%s%s", c->edge && called ? called : "",
			 c->edge && called && *place ? " " : "", place);
}

uint64_t gp_culprit_sum(uint64_t sums_ns[GP_STAGE_COUNT], const struct gp_endpoint *e)
{
	uint64_t all_ns = 0;

	for (size_t i = 0; i < GP_STAGE_COUNT; i++) {
		sums_ns[i] = 0;
		for (size_t band = 0; band < GP_BANDS; band++)
			sums_ns[i] += e->stages_ns[band][i];
		all_ns += sums_ns[i];
	}
	return all_ns;
}

double gp_culprit_unattributed(const struct gp_endpoint *e)
{
	uint64_t sums_ns[GP_STAGE_COUNT], all_ns = gp_culprit_sum(sums_ns, e);
	double share;

	if (e->role != GP_ROLE_SERVER || gp_hist_count(&e->duration.hist) < REQUESTS_MIN || !all_ns)
		return 0;
	share = (double)sums_ns[GP_STAGE_UNATTRIBUTED] / (double)all_ns;
	return share > GP_CULPRIT_UNATTRIBUTED ? share : 0;
}
