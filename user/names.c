// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Written without [INDEX] =, in the order of the enumerations: so a value that was added there
 * and forgotten here leaves no hole, but stops the build.
 */
#include "gp_records.h"
#include "names.h"
#include "own.h"
#include "snapshot.h"

#define ONE_FOR_EACH(names, count)                                                                 \
	_Static_assert(ARRAY_SIZE(names) == (count), #names " follows its enumeration")

const char *const gp_role_names[] = {"server", "client"};
const char *const gp_transport_names[] = {"tcp", "udp", "unix"};
const char *const gp_protocol_names[] = {
	"unknown", "http", "redis", "postgresql", "dns", "tls",
};
const char *const gp_framing_names[] = {"none", "turns", "protocol"};
const char *const gp_stage_names[] = {
	"runqueue", "backlog", "cpu", "downstream", "io", "sleep", "unattributed", "transfer",
};
const char *const gp_error_names[] = {"server", "client", "aborted"};
const char *const gp_failure_names[] = {"refused", "timeout", "reset", "other"};
const char *const gp_pressure_names[] = {
	"cpu_some", "cpu_full", "memory_some", "memory_full", "io_some", "io_full",
};
const char *const gp_reason_names[] = {"slow", "error", "aborted"};
const char *const gp_drop_names[] = {
	"endpoints", "services",     "operations",  "connections", "threads",	"edges",
	"pipeline",  "bytes_unseen", "stale_slots", "clock",	   "exemplars",
};

ONE_FOR_EACH(gp_role_names, GP_ROLE_COUNT);
ONE_FOR_EACH(gp_transport_names, GP_TRANSPORT_COUNT);
ONE_FOR_EACH(gp_protocol_names, GP_PROTOCOL_COUNT);
ONE_FOR_EACH(gp_framing_names, GP_FRAMING_COUNT);
ONE_FOR_EACH(gp_stage_names, GP_STAGE_COUNT);
ONE_FOR_EACH(gp_error_names, GP_ERROR_COUNT);
ONE_FOR_EACH(gp_failure_names, GP_FAILURE_COUNT);
ONE_FOR_EACH(gp_pressure_names, GP_PRESSURE_COUNT);
ONE_FOR_EACH(gp_reason_names, GP_REASON_COUNT);
ONE_FOR_EACH(gp_drop_names, GP_DROP_COUNT);
