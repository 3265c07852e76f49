/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What does not change while goldpan runs: who it is, where, since when, by which hooks. */
#ifndef GP_META_H
#define GP_META_H

#include "config.h"
#include "snapshot.h"
#include "ways.h"

#define GP_VERSION "0.1.0"

struct gp_meta_store;

/* `ways` is borrowed and outlives the store. 0, or -errno. */
int gp_meta_store_new(struct gp_meta_store **out, const struct gp_config *cfg,
		      const struct gp_ways *ways);
void gp_meta_store_free(struct gp_meta_store **m);

const struct gp_meta *gp_meta(const struct gp_meta_store *m);

#endif
