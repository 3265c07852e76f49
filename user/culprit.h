/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the time of a server endpoint's slow requests went: the culprit.
 *
 * The slow ones are the requests of the slowest duration bands that together hold either 1 % of
 * those answered, or a twentieth of their time and at least 20 of them: so the band of the p99 and
 * those above, or less where fewer requests already make up a good part of the time. (1,000 of
 * 50 ms among 1,000,000 of 100 µs are only 0.1 %, but a third of the time.)
 *
 * Time per request is compared stage by stage with that of all other requests; the stage that grew
 * most is the culprit. It is not always the stage with the largest share: if requests take 5 ms of
 * `cpu`, and the slow ones 8 ms of that and 6 ms of `sleep`, then `sleep` it is.
 *
 * Nothing is said of fewer than 20 requests; nor where nothing is slow: all requests are in the
 * slowest bands, or these took on average less than twice as long as the others.
 *
 * Known weaknesses: bands are powers of two, so that "slow" begins at one of these; which call or
 * limit it was is known only for all requests of the interval, not for the slow ones; a process
 * that is held up both by its limit and by others has its run-queue wait marked in whole.
 */
#ifndef GP_CULPRIT_H
#define GP_CULPRIT_H

#include "snapshot.h"

struct gp_culprit {
	double from_ns;	    /* the slow ones took longer than this */
	uint64_t slow, all; /* requests; neither is 0 */
	enum gp_stage stage;
	double share;	  /* how much of the time of the slow ones it is */
	double excess_ns; /* how much longer than as many of the others they took, in all */
	bool is_limited;  /* stage `runqueue`: for want of CPU limit, see gp_culprit_is_limited */
	/* Stage `downstream`: the endpoint's calls that took most time in all. NULL: not known. */
	const struct gp_edge *edge; /* of the snapshot */
};

/* False, and *out untouched, where nothing is said: so for clients, which have no stages. */
bool gp_culprit_find(struct gp_culprit *out, const struct gp_snapshot *s,
		     const struct gp_endpoint *e);

/*
 * Whether the CPU limit of the endpoint's service was the cause of run-queue wait: `requests`
 * waited for `runqueue_ns` in all, and in the interval its control group was held up for at least
 * half of what one of them waited on average. A shorter throttling cannot have been the reason.
 */
bool gp_culprit_is_limited(const struct gp_service *service, uint64_t runqueue_ns,
			   uint64_t requests);

/* Room for the texts of gp_culprit_cause, beside the name of the called service. */
#define GP_CULPRIT_CAUSE_SIZE 160

/*
 * "CPU limit", or "redis-server 127.0.0.1:6379" for the called service and its address; "" if
 * there is nothing to be said. `called` is how to write the service's name, NULL: not known.
 * Neither name nor address is cleaned.
 */
void gp_culprit_cause(char *out, size_t size, const struct gp_culprit *c, const char *called);

/* The stages of all requests; the sum of them, which is all their time, is returned. */
uint64_t gp_culprit_sum(uint64_t sums_ns[GP_STAGE_COUNT], const struct gp_endpoint *e);

/* From this share on it is said how much of the time could not be split. */
#define GP_CULPRIT_UNATTRIBUTED 0.2

/*
 * The share of the endpoint's time that is `unattributed`, if it is worth a word: more than
 * GP_CULPRIT_UNATTRIBUTED of 20 requests or more. Else 0.
 */
double gp_culprit_unattributed(const struct gp_endpoint *e);

#endif
