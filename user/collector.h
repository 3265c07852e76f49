/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only reader of the maps: turns what was counted since the last time into a snapshot. */
#ifndef GP_COLLECTOR_H
#define GP_COLLECTOR_H

#include <stdbool.h>

#include "config.h"
#include "loader.h"
#include "slots.h"
#include "snapshot.h"

struct gp_collector;
struct gp_directory;

/* `loader`, `slots`, `cfg` and `meta` are borrowed and outlive the collector. 0, or -errno. */
int gp_collector_new(struct gp_collector **out, const struct gp_loader *loader,
		     struct gp_slots *slots, const struct gp_config *cfg,
		     const struct gp_meta *meta);
void gp_collector_free(struct gp_collector **c);

/*
 * Collects. With `final`, exchanges that are answered count as ended, quiet or not. 0 and *out; or
 * -errno, and what was counted but not yet taken stays for the next time.
 */
int gp_collect(struct gp_collector *c, bool final, struct gp_snapshot **out);

/* The names of services, for others that name them. Lives as long as the collector. */
struct gp_directory *gp_collector_directory(const struct gp_collector *c);

/* Services that are observed now, for progress messages. */
size_t gp_collector_services(const struct gp_collector *c);

#endif
