/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of operation records: what the kernel counted by kind of request and outcome, and giving
 * slots out again whose endpoint is gone or whose kind is no longer asked for.
 */
#ifndef GP_OPERATIONS_H
#define GP_OPERATIONS_H

#include "slots.h"
#include "snapshot.h"

struct gp_operations;

/* `slots` is borrowed. 0, or -errno. */
int gp_operations_new(struct gp_operations **out, struct gp_slots *slots);
void gp_operations_free(struct gp_operations **o);

/*
 * Adds what was counted to the endpoints of the snapshot, of which place[slot] is the index of the
 * endpoint that has this slot; SIZE_MAX: none, and its counts stay. After the endpoints' own
 * records were drained (drain.h says why). 0, or -errno.
 */
int gp_operations_collect(struct gp_operations *o, struct gp_snapshot *s, const size_t *place,
			  uint64_t now_ns);

/*
 * After each collection, and after endpoints were recycled: a slot is first retired, so that the
 * kernel no longer finds it; what came until then is collected the next time; then it is released.
 */
void gp_operations_recycle(struct gp_operations *o, uint64_t now_ns);

/* Slots that are not free. */
uint32_t gp_operations_used(const struct gp_operations *o);

#endif
