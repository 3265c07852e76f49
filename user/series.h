/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Series: what is exported under one name. Several records may belong to one series (a service
 * that was restarted into a new control group); it keeps its total while any of them lives, and
 * ends with the last.
 */
#ifndef GP_SERIES_H
#define GP_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

struct gp_series_table;

struct gp_series {
	uint64_t requests_total;
	uint64_t aborted_ahead; /* for gp_drain_finish_endpoint */
	uint64_t round;		/* the collection in which a record of it was last seen alive */
	size_t index; /* its place in that collection's snapshot; SIZE_MAX: not there yet */
};

/* An empty table. 0, or -ENOMEM. */
int gp_series_table_new(struct gp_series_table **out);
void gp_series_table_free(struct gp_series_table **t);

/* The series that `e` (its names, role, transport, port, protocol, address) belongs to, made if
 * need be. NULL when out of memory. */
struct gp_series *gp_series_get(struct gp_series_table *t, const struct gp_endpoint *e);

/* Ends every series that was not seen in collection `round`. */
void gp_series_expire(struct gp_series_table *t, uint64_t round);

#endif
