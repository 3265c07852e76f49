// SPDX-License-Identifier: GPL-2.0-or-later
#include "gp_dns.h"
#include "own.h"
#include "protocol.h"

#define TYPE_NAME(name, number) [GP_DNS_##name] = #name,
#define RCODE_NAME(name) [GP_DNS_RCODE_##name] = #name,

static const char *const types[] = {GP_DNS_TYPES(TYPE_NAME)};
static const char *const rcodes[] = {GP_DNS_RCODES(RCODE_NAME)};

_Static_assert(ARRAY_SIZE(types) == GP_DNS_OPERATION_COUNT, "one for each record type");
_Static_assert(ARRAY_SIZE(rcodes) == GP_DNS_RCODE_COUNT, "one for each rcode");

static const char *operation_name(uint16_t operation)
{
	return operation < GP_DNS_OPERATION_COUNT ? types[operation] : NULL;
}

static const char *status_name(uint16_t status, char buffer[GP_STATUS_LEN])
{
	if (status < GP_DNS_STATUS(0) || status >= GP_DNS_STATUS(GP_DNS_RCODE_COUNT))
		return NULL;
	return rcodes[status - GP_DNS_STATUS(0)];
}

const struct gp_operation_names gp_dns_names = {operation_name, status_name};
