/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic of histograms: design.md, "Histograms". */
#ifndef GP_USER_HIST_H
#define GP_USER_HIST_H

#include <stdbool.h>

#include "snapshot.h"

/* The number of values: the sum of all slots. */
uint64_t gp_hist_count(const struct gp_hist *h);

/* The number of values in each band. */
void gp_hist_bands(uint64_t counts[GP_BANDS], const struct gp_hist *h);

void gp_hist_add(struct gp_hist *to, const struct gp_hist *from);

/* Adds buckets and sums; the larger `max` stays. */
void gp_distribution_add(struct gp_distribution *to, const struct gp_distribution *from);

/*
 * Raises max_ns to the least whole number of nanoseconds that the highest bucket with values can
 * hold. The kernel raises the maximum before it counts the bucket, and the collector takes the
 * buckets first: a value between the two has its maximum in one interval and its bucket in the
 * next, where quantiles would be capped by a maximum that is not theirs.
 */
void gp_distribution_settle(struct gp_distribution *d);

/*
 * The q-quantile (0 < q <= 1) in nanoseconds: the geometric middle of the bucket that holds the
 * value of rank ceil(q * n), at most `max_ns`; 2^-20 s in the underflow, `max_ns` in the overflow.
 * False, and *ns untouched, if there are no values.
 */
bool gp_distribution_quantile(const struct gp_distribution *d, double q, double *ns);

/* Upper bound of a slot in nanoseconds, exact for slots up to GP_HIST_BUCKETS; INFINITY beyond. */
double gp_hist_slot_end_ns(unsigned int slot);

#endif
