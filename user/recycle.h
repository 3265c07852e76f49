/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slots are given out again: those of services that are gone, and of endpoints long silent.
 */
#ifndef GP_RECYCLE_H
#define GP_RECYCLE_H

#include "slots.h"

/* From then on, without connections and events, an endpoint is recycled; an operation likewise. */
#define GP_SILENT_NS (600ULL * 1000000000)

struct gp_recycler;

/* `slots` is borrowed. 0, or -ENOMEM. */
int gp_recycler_new(struct gp_recycler **out, struct gp_slots *slots);
void gp_recycler_free(struct gp_recycler **r);

/* Something was counted at the endpoint. */
void gp_recycler_active(struct gp_recycler *r, uint32_t slot, uint64_t now_ns);

/*
 * After each collection. A slot is first retired: nobody finds it any more; what still comes for it
 * is collected the next time; then it is released.
 */
void gp_recycle(struct gp_recycler *r, uint64_t now_ns);

#endif
