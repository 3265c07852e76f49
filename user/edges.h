/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edges: who calls whom. Their records, collected and given back when an end of them is gone. */
#ifndef GP_EDGES_H
#define GP_EDGES_H

#include "directory.h"
#include "slots.h"
#include "snapshot.h"

struct gp_edges;

/* `slots` and `directory` are borrowed. 0, or -errno. */
int gp_edges_new(struct gp_edges **out, struct gp_slots *slots, struct gp_directory *directory);
void gp_edges_free(struct gp_edges **e);

/* Adds the edges on which something happened to the snapshot. 0, or -ENOMEM. */
int gp_edges_collect(struct gp_edges *e, struct gp_snapshot *s);

#endif
