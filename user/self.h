/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goldpan itself costs and lost. */
#ifndef GP_SELF_H
#define GP_SELF_H

#include "loader.h"
#include "operations.h"
#include "slots.h"
#include "snapshot.h"

struct gp_self_watch;

/* `loader` is borrowed. 0, or -errno. */
int gp_self_watch_new(struct gp_self_watch **out, const struct gp_loader *loader);
void gp_self_watch_free(struct gp_self_watch **w);

/* Fills in what happened since the last call. 0, or -errno. */
int gp_self_collect(struct gp_self_watch *w, struct gp_slots *slots,
		    const struct gp_operations *operations, struct gp_self *self);

#endif
