/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's CPUs: busy and idle time, and what runs on them just now. */
#ifndef GP_HOST_H
#define GP_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot.h"

struct goldpan_bpf;
struct gp_host_watch;

/* `bpf` is borrowed. 0, or -errno. */
int gp_host_watch_new(struct gp_host_watch **out, struct goldpan_bpf *bpf, bool has_sched);
void gp_host_watch_free(struct gp_host_watch **w);

/*
 * How long the threads of the service have been running in their present stints, on all CPUs. The
 * kernel counts that only when they are switched out.
 */
uint64_t gp_host_running_ns(struct gp_host_watch *w, uint32_t service_ref);

/* Whether none of those stints has ended since the last call of gp_host_running_ns. */
bool gp_host_still_running(const struct gp_host_watch *w);

/* Fills in the CPUs' times since the last call. 0, or -ENOMEM. */
int gp_host_collect(struct gp_host_watch *w, struct gp_host *host);

#endif
