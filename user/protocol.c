// SPDX-License-Identifier: GPL-2.0-or-later
#include "protocol.h"

#include <string.h>

#include "gp_dns.h"
#include "gp_http.h"
#include "gp_postgresql.h"
#include "gp_redis.h"
#include "names.h"
#include "own.h"

/* Those whose messages are read. */
static const struct protocol {
	const struct gp_operation_names *names;
	enum gp_error (*error)(uint16_t status);
} protocols[GP_PROTOCOL_COUNT] = {
	[GP_PROTOCOL_HTTP] = {&gp_http_names, gp_http_error},
	[GP_PROTOCOL_REDIS] = {&gp_redis_names, gp_redis_error},
	[GP_PROTOCOL_POSTGRESQL] = {&gp_postgresql_names, gp_postgresql_error},
	[GP_PROTOCOL_DNS] = {&gp_dns_names, gp_dns_error},
};

bool gp_protocol_is_read(enum gp_protocol protocol)
{
	return protocols[protocol].names;
}

const char *gp_operation_name(enum gp_protocol protocol, uint16_t operation)
{
	const struct protocol *p = &protocols[protocol];
	const char *name = p->names && operation ? p->names->operation(operation) : NULL;

	return name ?: "other";
}

const char *gp_status_name(enum gp_protocol protocol, uint16_t status, char buffer[GP_STATUS_LEN])
{
	const struct protocol *p = &protocols[protocol];
	const char *name;

	if (status == GP_STATUS_NONE)
		return "none";
	name = p->names && status ? p->names->status(status, buffer) : NULL;
	return name ?: "other";
}

uint16_t gp_status_listed(enum gp_protocol protocol, uint16_t status)
{
	char buffer[GP_STATUS_LEN];
	const struct protocol *p = &protocols[protocol];

	if (status == GP_STATUS_NONE || (p->names && p->names->status(status, buffer)))
		return status;
	return 0;
}

enum gp_error gp_status_error(enum gp_protocol protocol, uint16_t status)
{
	if (status == GP_STATUS_NONE)
		return GP_ERROR_ABORTED;
	if (!status || !protocols[protocol].names)
		return GP_ERROR_COUNT;
	return protocols[protocol].error(status);
}

bool gp_protocol_find(const char *name, size_t len, enum gp_protocol *protocol)
{
	for (enum gp_protocol i = GP_PROTOCOL_UNKNOWN + 1; i < GP_PROTOCOL_COUNT; i++) {
		if (strlen(gp_protocol_names[i]) != len || memcmp(gp_protocol_names[i], name, len))
			continue;
		*protocol = i;
		return true;
	}
	return false;
}
