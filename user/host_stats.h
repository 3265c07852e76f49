/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself counts of the whole host: pressure, and what TCP had to drop or to send
 * again. TCP's are those of goldpan's own network namespace, which is the host's unless goldpan was
 * started in another one: the kernel counts them for each.
 */
#ifndef GP_HOST_STATS_H
#define GP_HOST_STATS_H

#include "snapshot.h"

struct gp_host_stats;

/*
 * Counts from now on. `root` stands before the paths of the host, "" for the running one. Says once
 * what the host lacks. 0, or -ENOMEM.
 */
int gp_host_stats_new(struct gp_host_stats **out, const char *root);
void gp_host_stats_free(struct gp_host_stats **s);

/* Fills in what was counted since the last call: pressure, drops, retransmits. */
void gp_host_stats_collect(struct gp_host_stats *s, struct gp_host *host);

#endif
