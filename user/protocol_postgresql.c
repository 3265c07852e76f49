// SPDX-License-Identifier: GPL-2.0-or-later
#include "gp_postgresql.h"
#include "own.h"
#include "protocol.h"

#define KEYWORD_NAME(name) [GP_SQL_##name] = #name,
#define SQLSTATE_NAME(code) [GP_SQLSTATE_##code] = #code,

static const char *const keywords[] = {GP_SQL_KEYWORDS(KEYWORD_NAME)[GP_SQL_PARSE] = "PARSE"};
static const char *const sqlstates[] = {GP_SQLSTATES(SQLSTATE_NAME)};

_Static_assert(ARRAY_SIZE(keywords) == GP_SQL_COUNT, "one for each operation");
_Static_assert(ARRAY_SIZE(sqlstates) == GP_SQLSTATE_COUNT, "one for each SQLSTATE");

static const char *operation_name(uint16_t operation)
{
	return operation < GP_SQL_COUNT ? keywords[operation] : NULL;
}

static const char *status_name(uint16_t status, char buffer[GP_STATUS_LEN])
{
	if (status == GP_POSTGRESQL_OK)
		return "OK";
	if (status < GP_POSTGRESQL_SQLSTATE(0) ||
	    status >= GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_COUNT))
		return NULL;
	return sqlstates[status - GP_POSTGRESQL_SQLSTATE(0)];
}

const struct gp_operation_names gp_postgresql_names = {operation_name, status_name};
