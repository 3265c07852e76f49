/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exemplars: exchanges that were slow or failed, from the kernel's ring buffer to the events file.
 */
#ifndef GP_EXEMPLARS_H
#define GP_EXEMPLARS_H

#include "directory.h"
#include "events.h"
#include "slots.h"

struct gp_exemplars;

/* Tells the kernel what to send, as configured. All are borrowed; `events` may be NULL. 0, or
 * -errno. */
int gp_exemplars_new(struct gp_exemplars **out, struct gp_slots *slots,
		     struct gp_directory *directory, const struct gp_config *cfg,
		     struct gp_events *events);
void gp_exemplars_free(struct gp_exemplars **x);

/* From now on exchanges that take longer are sent; 0: none for that. */
void gp_exemplars_slow(struct gp_exemplars *x, uint64_t slow_ns);

/* Takes what the kernel has sent so far. */
void gp_exemplars_take(struct gp_exemplars *x);

/* Those that were not written since the last call: for `self.dropped.exemplars`. */
uint64_t gp_exemplars_take_dropped(struct gp_exemplars *x);

#endif
