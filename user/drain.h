/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking what the kernel counted: every counter is exchanged with 0 while the kernel goes on adding
 * atomically, so nothing is lost or taken twice, and a record holds just what is not yet taken.
 */
#ifndef GP_DRAIN_H
#define GP_DRAIN_H

#include "gp_records.h"
#include "snapshot.h"

/*
 * Adds what the record holds to the endpoint, and empties it. `ref` and `flags` stay. Whether there
 * was anything.
 */
bool gp_drain_endpoint(struct gp_endpoint_record *r, struct gp_endpoint *e);

/* The sums of durations, which are the sums of stages. After all shards were drained. */
void gp_drain_finish_endpoint(struct gp_endpoint *e);

void gp_drain_service(struct gp_service_record *r, struct gp_service *s);

void gp_drain_dropped(struct gp_dropped *d, uint64_t counts[GP_DROP_COUNT]);

#endif
