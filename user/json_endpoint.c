// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <math.h>

#include "culprit.h"
#include "hist.h"
#include "json_record.h"
#include "names.h"
#include "protocol.h"

static void put_identity(struct gp_json *j, const struct gp_endpoint *e)
{
	gp_json_names(j, &e->names);
	gp_json_string(j, "role", gp_role_names[e->role]);
	gp_json_string(j, "transport", gp_transport_names[e->transport]);
	if (e->is_other || e->transport == GP_TRANSPORT_UNIX)
		gp_json_null(j, "port");
	else
		gp_json_count(j, "port", e->port);
	gp_json_string(j, "address", e->is_other ? "other" : e->address);
	gp_json_string(j, "protocol", gp_protocol_names[e->protocol]);
	gp_json_string(j, "framing", gp_framing_names[e->framing]);
}

/* The bands that have any. The last has no upper bound: its le_s is null. */
static void put_bands(struct gp_json *j, const struct gp_endpoint *e)
{
	uint64_t count[GP_BANDS];

	gp_hist_bands(count, &e->duration.hist);
	gp_json_open(j, "stages_by_duration", '[');
	for (int band = 0; band < GP_BANDS; band++) {
		uint64_t any = count[band];

		for (size_t i = 0; i < GP_STAGE_COUNT; i++)
			any |= e->stages_ns[band][i];
		if (!any)
			continue;
		gp_json_open(j, NULL, '{');
		if (band < GP_BANDS - 1)
			gp_json_real(j, "le_s", ldexp(1, band + GP_HIST_OCTAVE_MIN), 17);
		else
			gp_json_null(j, "le_s");
		gp_json_count(j, "count", count[band]);
		gp_json_stages(j, e->stages_ns[band]);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
}

static void put_all_stages(struct gp_json *j, const struct gp_endpoint *e)
{
	uint64_t sums[GP_STAGE_COUNT];

	if (e->role != GP_ROLE_SERVER) {
		gp_json_null(j, "stages_s");
		gp_json_null(j, "stages_by_duration");
		return;
	}
	gp_culprit_sum(sums, e);
	gp_json_stages(j, sums);
	put_bands(j, e);
}

static void put_slowest(struct gp_json *j, const struct gp_snapshot *s, const struct gp_endpoint *e)
{
	char cause[NAME_MAX + GP_CULPRIT_CAUSE_SIZE];
	struct gp_culprit c;

	if (!gp_culprit_find(&c, s, e)) {
		gp_json_null(j, "slowest");
		return;
	}
	gp_culprit_cause(cause, sizeof(cause), &c, c.edge ? c.edge->to : NULL);
	gp_json_open(j, "slowest", '{');
	gp_json_real(j, "from_s", c.from_ns / 1e9, 17);
	gp_json_count(j, "requests", c.slow);
	gp_json_real(j, "share", (double)c.slow / (double)c.all, 9);
	gp_json_string(j, "stage", gp_stage_names[c.stage]);
	gp_json_real(j, "stage_share", c.share, 9);
	gp_json_string(j, "cause", *cause ? cause : NULL);
	gp_json_close(j, '}');
}

/* Only where messages are read a status says what failed. */
static void put_errors(struct gp_json *j, const struct gp_endpoint *e)
{
	gp_json_open(j, "errors", '{');
	for (size_t i = 0; i < GP_ERROR_COUNT; i++) {
		if (i == GP_ERROR_ABORTED || gp_protocol_is_read(e->protocol))
			gp_json_count(j, gp_error_names[i], e->errors[i]);
		else
			gp_json_null(j, gp_error_names[i]);
	}
	gp_json_close(j, '}');
}

/* Datagrams need nobody at the other end: nothing is connected, accepted or refused. */
static bool connects(const struct gp_endpoint *e)
{
	return e->transport != GP_TRANSPORT_UDP;
}

static void put_connections(struct gp_json *j, const struct gp_endpoint *e)
{
	gp_json_open(j, "connections", '{');
	gp_json_count(j, "opened", e->opened);
	gp_json_count(j, "closed", e->closed);
	gp_json_count(j, "active", e->active);
	if (e->protocol != GP_PROTOCOL_UNKNOWN)
		gp_json_count(j, "streams", e->streams);
	else
		gp_json_null(j, "streams");
	gp_json_count(j, "handed_over", e->handed_over);
	if (connects(e)) {
		gp_json_open(j, "failed", '{');
		for (size_t i = 0; i < GP_FAILURE_COUNT; i++)
			gp_json_count(j, gp_failure_names[i], e->failed[i]);
		gp_json_close(j, '}');
	} else {
		gp_json_null(j, "failed");
	}
	gp_json_close(j, '}');
	if (e->role == GP_ROLE_CLIENT && connects(e))
		gp_json_distribution(j, "connect_s", &e->setup, true);
	else
		gp_json_null(j, "connect_s");
}

static void put_tcp(struct gp_json *j, const struct gp_endpoint *e)
{
	if (e->transport != GP_TRANSPORT_TCP) {
		gp_json_null(j, "tcp");
		return;
	}
	gp_json_open(j, "tcp", '{');
	gp_json_count(j, "retransmits", e->retransmits);
	gp_json_count(j, "resets_sent", e->resets_sent);
	gp_json_count(j, "resets_received", e->resets_received);
	gp_json_open(j, "rtt_s", '{');
	gp_json_count(j, "count", e->rtt_count);
	gp_json_seconds(j, "sum", e->rtt_ns);
	if (e->rtt_count)
		gp_json_seconds(j, "min", e->rtt_min_ns);
	else
		gp_json_null(j, "min");
	gp_json_close(j, '}');
	gp_json_close(j, '}');
}

/* Without a listener there is no queue. */
static void put_accept_queue(struct gp_json *j, const struct gp_endpoint *e)
{
	if (e->role != GP_ROLE_SERVER || !connects(e)) {
		gp_json_null(j, "accept_queue");
		return;
	}
	gp_json_open(j, "accept_queue", '{');
	if (e->listeners) {
		gp_json_count(j, "length", e->accept_queue);
		gp_json_count(j, "limit", e->accept_limit);
	} else {
		gp_json_null(j, "length");
		gp_json_null(j, "limit");
	}
	gp_json_count(j, "overflows", e->overflows);
	gp_json_distribution(j, "wait_s", &e->setup, true);
	gp_json_close(j, '}');
}

static void put_in_flight(struct gp_json *j, const struct gp_endpoint *e)
{
	gp_json_open(j, "in_flight", '{');
	gp_json_count(j, "now", e->in_flight);
	if (e->in_flight)
		gp_json_seconds(j, "oldest_s", e->oldest_ns);
	else
		gp_json_null(j, "oldest_s");
	gp_json_close(j, '}');
}

void gp_json_endpoint(struct gp_json *j, const struct gp_json_head *head,
		      const struct gp_snapshot *s, const struct gp_endpoint *e)
{
	gp_json_begin_record(j, "endpoint", head);
	put_identity(j, e);
	gp_json_count(j, "requests", gp_endpoint_requests(e));
	gp_json_count(j, "requests_total", e->requests_total);
	gp_json_distribution(j, "latency_s", &e->duration, false);
	gp_json_distribution(j, "first_byte_s", &e->first_byte, false);
	put_all_stages(j, e);
	put_slowest(j, s, e);
	put_errors(j, e);
	put_in_flight(j, e);
	gp_json_open(j, "bytes", '{');
	gp_json_count(j, "in", e->bytes_in);
	gp_json_count(j, "out", e->bytes_out);
	gp_json_close(j, '}');
	put_connections(j, e);
	put_tcp(j, e);
	put_accept_queue(j, e);
	if (connects(e))
		gp_json_count(j, "unread_bytes", e->unread_bytes);
	else
		gp_json_null(j, "unread_bytes"); /* how much lies unread is not looked at */
	gp_json_operations(j, e);
	gp_json_histogram(j, "histogram", &e->duration.hist);
	gp_json_histogram(j, "first_byte_histogram", &e->first_byte.hist);
	gp_json_end_record(j);
}
