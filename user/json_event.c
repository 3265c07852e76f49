// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"
#include "json_record.h"
#include "names.h"

static void put_downstream(struct gp_json *j, const struct gp_event_call *call)
{
	if (!call->address) {
		gp_json_null(j, "downstream");
		return;
	}
	gp_json_open(j, "downstream", '{');
	gp_json_string(j, "service", call->service);
	gp_json_string(j, "address", call->address);
	gp_json_known(j, "port", call->port);
	gp_json_seconds(j, "seconds", call->ns);
	gp_json_close(j, '}');
}

static void put_times(struct gp_json *j, const struct gp_event *event)
{
	gp_json_seconds(j, "duration_s", event->duration_ns);
	if (event->reason == GP_REASON_ABORTED)
		gp_json_null(j, "first_byte_s");
	else
		gp_json_seconds(j, "first_byte_s", event->first_byte_ns);
	if (event->role == GP_ROLE_SERVER)
		gp_json_stages(j, event->stages_ns);
	else
		gp_json_null(j, "stages_s");
}

static void put_bytes(struct gp_json *j, const struct gp_event *event)
{
	gp_json_open(j, "bytes", '{');
	if (event->has_bytes) {
		gp_json_count(j, "in", event->bytes_in);
		gp_json_count(j, "out", event->bytes_out);
	} else {
		gp_json_null(j, "in");
		gp_json_null(j, "out");
	}
	gp_json_close(j, '}');
}

void gp_json_event(struct gp_json *j, const struct gp_meta *meta, const struct gp_event *event)
{
	const struct gp_json_head head = {.meta = meta, .time = &event->time};
	const char *none = event->reason == GP_REASON_ABORTED ? "none" : NULL;

	gp_json_begin_record(j, "exemplar", &head);
	gp_json_string(j, "service", event->service);
	gp_json_string(j, "role", gp_role_names[event->role]);
	gp_json_string(j, "transport", gp_transport_names[event->transport]);
	gp_json_known(j, "port", event->port);
	gp_json_string(j, "protocol", gp_protocol_names[event->protocol]);
	gp_json_string(j, "operation", event->operation);
	gp_json_string(j, "status", event->status ?: none);
	put_times(j, event);
	put_downstream(j, &event->downstream);
	put_bytes(j, event);
	gp_json_known(j, "pid", event->pid);
	gp_json_known(j, "tid", event->tid);
	gp_json_string(j, "peer", event->peer);
	gp_json_string(j, "reason", gp_reason_names[event->reason]);
	gp_json_end_record(j);
}
