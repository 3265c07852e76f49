/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocols, and the names of their operations and statuses: closed lists (contract.md). */
#ifndef GP_PROTOCOL_H
#define GP_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gp_records.h"

#define GP_STATUS_LEN 24 /* the longest name of a status, and its 0 */

/* The protocol of this name, of `len` bytes; not "unknown", which is none. Whether there is one. */
bool gp_protocol_find(const char *name, size_t len, enum gp_protocol *protocol);

/* Whether its messages are read: then exchanges are told by them, with operation and status. */
bool gp_protocol_is_read(enum gp_protocol protocol);

/* What kind of error the status is; GP_ERROR_COUNT: none. */
enum gp_error gp_status_error(enum gp_protocol protocol, uint16_t status);

/* "GET"; "other" for 0 and for what is not in the protocol's list. Never NULL. */
const char *gp_operation_name(enum gp_protocol protocol, uint16_t operation);

/*
 * "200"; "other" for 0 and for what is not in the protocol's list, "none" for GP_STATUS_NONE.
 * Either a constant or written into `buffer`.
 */
const char *gp_status_name(enum gp_protocol protocol, uint16_t status, char buffer[GP_STATUS_LEN]);

/* The status, or 0 if it has no name: several that have none are one in the outputs. */
uint16_t gp_status_listed(enum gp_protocol protocol, uint16_t status);

/* One protocol's part of these: NULL for what is not in its list. */
struct gp_operation_names {
	const char *(*operation)(uint16_t operation);
	const char *(*status)(uint16_t status, char buffer[GP_STATUS_LEN]);
};

extern const struct gp_operation_names gp_http_names, gp_redis_names, gp_postgresql_names,
	gp_dns_names;

#endif
