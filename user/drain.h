/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking what the kernel counted: every counter is exchanged with 0 while the kernel goes on adding
 * atomically, so nothing is lost or taken twice, and a record holds just what is not yet taken.
 */
#ifndef GP_DRAIN_H
#define GP_DRAIN_H

#include "gp_records.h"
#include "snapshot.h"

/* Whether exchanges ended that the record counts and nobody has taken yet. */
bool gp_drain_has_exchanges(struct gp_endpoint_record *r);

/*
 * Adds to the endpoint what the record holds of connections that were only being opened: how many
 * were or failed, how long it took, and what found no room. Takes it from the record.
 */
void gp_drain_openings(struct gp_endpoint_record *r, struct gp_endpoint *e);

/*
 * Adds what the record holds to the endpoint, and empties it. `ref` and `flags` stay. Whether there
 * was anything.
 */
bool gp_drain_endpoint(struct gp_endpoint_record *r, struct gp_endpoint *e);

/*
 * Adds what the record holds to the operation, and empties it. Its key stays. Whether there was
 * anything.
 */
bool gp_drain_operation(struct gp_operation_record *r, struct gp_operation *o);

/*
 * After all records of the endpoint, and then those of its operations, were drained: the sums of
 * durations, which are the sums of stages; operations added to it; and what is in no operation
 * named `other`, if its protocol is one whose messages are read; else none is named. 0, or -ENOMEM.
 *
 * An aborted exchange is counted first at its operation, then at the endpoint, and drained in the
 * opposite order: so operations may have it an interval before the endpoint, but not behind it.
 * *ahead, 0 at first, is how many they have.
 */
int gp_drain_finish_endpoint(struct gp_endpoint *e, uint64_t *ahead);

void gp_drain_service(struct gp_service_record *r, struct gp_service *s);

void gp_drain_dropped(struct gp_dropped *d, uint64_t counts[GP_DROP_COUNT]);

#endif
