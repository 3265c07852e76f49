// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "hist.h"

/* Nanoseconds that the underflow bucket reaches to: 2^-20 s. */
#define UNDERFLOW_NS (1e9 / (1 << 20))

uint64_t gp_hist_count(const struct gp_hist *h)
{
	uint64_t count = 0;

	for (size_t i = 0; i < GP_HIST_SLOTS; i++)
		count += h->slots[i];
	return count;
}

void gp_hist_bands(uint64_t counts[GP_BANDS], const struct gp_hist *h)
{
	memset(counts, 0, GP_BANDS * sizeof(counts[0]));
	for (unsigned int slot = 0; slot < GP_HIST_SLOTS; slot++)
		counts[gp_hist_band(slot)] += h->slots[slot];
}

void gp_hist_add(struct gp_hist *to, const struct gp_hist *from)
{
	for (size_t i = 0; i < GP_HIST_SLOTS; i++)
		to->slots[i] += from->slots[i];
}

void gp_distribution_add(struct gp_distribution *to, const struct gp_distribution *from)
{
	gp_hist_add(&to->hist, &from->hist);
	to->sum_ns += from->sum_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

double gp_hist_slot_end_ns(unsigned int slot)
{
	static const unsigned long long bound[] = {
		GP_HIST_BOUND(0), GP_HIST_BOUND(1), GP_HIST_BOUND(2), GP_HIST_BOUND(3),
		GP_HIST_BOUND(4), GP_HIST_BOUND(5), GP_HIST_BOUND(6), GP_HIST_BOUND(7),
	};

	if (slot > GP_HIST_BUCKETS)
		return INFINITY;
	/* The bounds have 32 fractional bits and are those of the octave that begins at 1 s. */
	return ldexp((double)bound[slot % 8], (int)(slot / 8) + GP_HIST_OCTAVE_MIN - 32);
}

void gp_distribution_settle(struct gp_distribution *d)
{
	unsigned int slot = GP_HIST_OVERFLOW;
	uint64_t least;

	while (slot > GP_HIST_UNDERFLOW && !d->hist.slots[slot])
		slot--;
	if (slot == GP_HIST_UNDERFLOW) /* holds 0 too */
		return;
	/* Lower bounds do not belong to the bucket: the next whole number does. */
	least = (uint64_t)gp_hist_slot_end_ns(slot - 1) + 1;
	if (d->max_ns < least)
		d->max_ns = least;
}

/* The smallest whole number that is at least q * n, within 1 .. n. */
static uint64_t rank_of(double q, uint64_t n)
{
	/* The product may lie a rounding error above a whole number: 0.07 * 100 does. */
	double rank = ceil(q * (double)n * (1 - 1e-15));

	if (rank < 1)
		return 1;
	return rank < (double)n ? (uint64_t)rank : n;
}

bool gp_distribution_quantile(const struct gp_distribution *d, double q, double *ns)
{
	uint64_t count = gp_hist_count(&d->hist), rank, seen = 0;
	unsigned int slot = 0;
	double middle;

	if (count == 0)
		return false;
	rank = rank_of(q, count);
	while ((seen += d->hist.slots[slot]) < rank)
		slot++;
	if (slot == GP_HIST_UNDERFLOW) {
		*ns = UNDERFLOW_NS;
	} else if (slot == GP_HIST_OVERFLOW) {
		*ns = (double)d->max_ns;
	} else {
		middle = sqrt(gp_hist_slot_end_ns(slot - 1) * gp_hist_slot_end_ns(slot));
		*ns = fmin(middle, (double)d->max_ns);
	}
	return true;
}
