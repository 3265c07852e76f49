/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of JSON records: contract.md, "JSON lines". */
#ifndef GP_JSON_RECORD_H
#define GP_JSON_RECORD_H

#include <stdbool.h>

#include "json_writer.h"
#include "snapshot.h"

/* When a record was made, as text: the same for all of a snapshot. */
struct gp_json_head {
	const struct gp_meta *meta;
	const struct timespec *time;
	uint64_t interval_ns; /* 0: of no interval */
};

/* Opens the record, with what is common to all; to be ended by gp_json_end_record. */
void gp_json_begin_record(struct gp_json *j, const char *type, const struct gp_json_head *head);
void gp_json_end_record(struct gp_json *j);

/* missing, protocols: as `meta` has them. */
void gp_json_missing(struct gp_json *j, const struct gp_meta *meta);
void gp_json_protocols(struct gp_json *j, const struct gp_meta *meta);

/* service, unit, container, exe. */
void gp_json_names(struct gp_json *j, const struct gp_names *names);

/* A count of which 0 stands for not known: null. */
void gp_json_known(struct gp_json *j, const char *key, uint64_t value);

/* stages_s. */
void gp_json_stages(struct gp_json *j, const uint64_t stages_ns[GP_STAGE_COUNT]);

void gp_json_histogram(struct gp_json *j, const char *key, const struct gp_hist *h);

/* {count, sum, max, p50, p90, p99, p999}; `whole`: and its own histogram. */
void gp_json_distribution(struct gp_json *j, const char *key, const struct gp_distribution *d,
			  bool whole);

/*
 * The whole record of an endpoint of the snapshot. Beside what contract.md says, `slowest`: where
 * the time of its slow requests went, as culprit.h finds it, {from_s, requests, share, stage,
 * stage_share, cause}. They took longer than from_s and are `share` of the answered; stage_share
 * of their time was in the stage that grew most; cause is "CPU limit", the called service and its
 * address, or null. null where nothing is to be said.
 */
void gp_json_endpoint(struct gp_json *j, const struct gp_json_head *head,
		      const struct gp_snapshot *s, const struct gp_endpoint *e);

/*
 * operations, of an endpoint whose messages are read: [{operation, status, requests, latency_s}].
 * Those without requests are left out.
 */
void gp_json_operations(struct gp_json *j, const struct gp_endpoint *e);

struct gp_event; /* events.h */

/* The whole record of an exemplar. */
void gp_json_event(struct gp_json *j, const struct gp_meta *meta, const struct gp_event *event);

#endif
