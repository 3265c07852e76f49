// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "gp_http.h"
#include "own.h"
#include "protocol.h"

#define NAMED(name) [GP_HTTP_##name] = #name,
static const char *const operations[] = {GP_HTTP_METHODS(NAMED)};
_Static_assert(ARRAY_SIZE(operations) == GP_HTTP_OPERATION_COUNT, "one name for each operation");

static const char *operation_name(uint16_t operation)
{
	return operation < ARRAY_SIZE(operations) ? operations[operation] : NULL;
}

static const char *status_name(uint16_t status, char buffer[GP_STATUS_LEN])
{
	if (status < 100 || status > 599)
		return NULL;
	snprintf(buffer, GP_STATUS_LEN, "%u", status);
	return buffer;
}

const struct gp_operation_names gp_http_names = {operation_name, status_name};
