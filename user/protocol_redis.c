// SPDX-License-Identifier: GPL-2.0-or-later
#include "gp_redis.h"
#include "own.h"
#include "protocol.h"

#define NAMED(id, name) [GP_REDIS_##id] = name,
#define NAMED_SUB(container, id, first, second) [GP_REDIS_##container##_##id] = first " " second,
static const char *const operations[] = {GP_REDIS_CONTAINERS(NAMED) GP_REDIS_STREAMS(
	NAMED) GP_REDIS_PLAIN(NAMED) GP_REDIS_SUBCOMMANDS(NAMED_SUB)};
_Static_assert(ARRAY_SIZE(operations) == GP_REDIS_OPERATION_COUNT, "one name for each operation");

#define NAMED_STATUS(word) [GP_REDIS_STATUS_##word] = #word,
static const char *const statuses[] = {[GP_REDIS_STATUS_OK] = "OK", GP_REDIS_ERRORS(NAMED_STATUS)};
_Static_assert(ARRAY_SIZE(statuses) == GP_REDIS_STATUS_COUNT, "one name for each status");

static const char *operation_name(uint16_t operation)
{
	return operation < ARRAY_SIZE(operations) ? operations[operation] : NULL;
}

static const char *status_name(uint16_t status, char buffer[GP_STATUS_LEN])
{
	return status < ARRAY_SIZE(statuses) ? statuses[status] : NULL;
}

const struct gp_operation_names gp_redis_names = {operation_name, status_name};
