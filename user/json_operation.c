// SPDX-License-Identifier: GPL-2.0-or-later
#include "json_record.h"
#include "protocol.h"

static void put_operation(struct gp_json *j, enum gp_protocol protocol,
			  const struct gp_operation *o)
{
	char status[GP_STATUS_LEN];

	gp_json_open(j, NULL, '{');
	gp_json_string(j, "operation", gp_operation_name(protocol, o->operation));
	gp_json_string(j, "status", gp_status_name(protocol, o->status, status));
	gp_json_count(j, "requests", gp_operation_requests(o));
	gp_json_distribution(j, "latency_s", &o->duration, true);
	gp_json_close(j, '}');
}

void gp_json_operations(struct gp_json *j, const struct gp_endpoint *e)
{
	gp_json_open(j, "operations", '[');
	for (size_t i = 0; i < e->operations; i++)
		if (gp_operation_requests(&e->operation[i]))
			put_operation(j, e->protocol, &e->operation[i]);
	gp_json_close(j, ']');
}
