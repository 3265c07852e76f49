// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bucket function against whole numbers of any length: v ns is at most 2^(k/8) s where
 * v^8 <= 2^k * 10^72, and that is worked out without rounding.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hist.h"
#include "own.h"

#define LIMBS 12 /* 768 bits; (2^43)^8 * 2^160 takes 504 */

struct big {
	uint64_t limb[LIMBS]; /* the least first */
};

static void multiply(struct big *b, uint64_t by)
{
	unsigned __int128 carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (unsigned __int128)b->limb[i] * by;
		b->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
	assert_true(carry == 0);
}

static int compare_big(const struct big *a, const struct big *b)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

/* Whether v ns <= 2^(k/8) s. */
static bool is_within(uint64_t v, int k)
{
	struct big left = {{1}}, right = {{1}};

	for (int i = 0; i < 8; i++) {
		multiply(&left, v);
		multiply(&right, 1000000000);
	}
	for (; k > 0; k--)
		multiply(&right, 2);
	for (; k < 0; k++)
		multiply(&left, 2);
	return compare_big(&left, &right) <= 0;
}

/* The largest whole number of nanoseconds within 2^(k/8) s. */
static uint64_t floor_of_bound(int k)
{
	uint64_t low = 0, high = 1ULL << 43;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (is_within(middle, k))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* The first slot whose upper bound holds v. */
static unsigned int expected_slot(uint64_t v)
{
	unsigned int low = 0, high = GP_HIST_OVERFLOW;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (is_within(v, GP_HIST_INDEX_MIN + (int)middle))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 16;
}

static void test_every_boundary(void **state)
{
	for (unsigned int slot = 0; slot <= GP_HIST_BUCKETS; slot++) {
		uint64_t bound = floor_of_bound(GP_HIST_INDEX_MIN + (int)slot);

		assert_int_equal(gp_hist_slot(bound - 1), slot);
		assert_int_equal(gp_hist_slot(bound), slot);
		assert_int_equal(gp_hist_slot(bound + 1), slot + 1);
		assert_int_equal(expected_slot(bound - 1), slot);
		assert_int_equal(expected_slot(bound + 1), slot + 1);
	}
}

static void test_extremes(void **state)
{
	assert_int_equal(gp_hist_slot(0), GP_HIST_UNDERFLOW);
	assert_int_equal(gp_hist_slot(1), GP_HIST_UNDERFLOW);
	assert_int_equal(gp_hist_slot(1000000000), -GP_HIST_INDEX_MIN); /* 1 s ends bucket -1 */
	assert_int_equal(gp_hist_slot(4096000000000ULL), GP_HIST_BUCKETS);
	assert_int_equal(gp_hist_slot(4096000000001ULL), GP_HIST_OVERFLOW);
	assert_int_equal(gp_hist_slot(UINT64_MAX), GP_HIST_OVERFLOW);
}

static void test_values_between(void **state)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		uint64_t v = next_random(&seed) >> (i % 42 + 5);

		assert_int_equal(gp_hist_slot(v), expected_slot(v));
	}
}

static void test_slot_ends(void **state)
{
	for (unsigned int slot = 0; slot <= GP_HIST_BUCKETS; slot++) {
		uint64_t bound = floor_of_bound(GP_HIST_INDEX_MIN + (int)slot);
		double end = gp_hist_slot_end_ns(slot);

		assert_true(end >= (double)bound && end < (double)bound + 1);
	}
	assert_true(gp_hist_slot_end_ns(0) == 1e9 / 1048576);
	assert_true(gp_hist_slot_end_ns(GP_HIST_BUCKETS) == 4096e9);
	assert_true(isinf(gp_hist_slot_end_ns(GP_HIST_OVERFLOW)));
}

/* Band b ends at 2^(b - 20) s, that is at bound 8 * (b - 20). */
static void test_bands(void **state)
{
	for (unsigned int band = 0; band < GP_BANDS - 1; band++) {
		uint64_t end = floor_of_bound(8 * ((int)band - 20));

		assert_int_equal(gp_hist_band(gp_hist_slot(end)), band);
		assert_int_equal(gp_hist_band(gp_hist_slot(end + 1)), band + 1);
	}
	assert_int_equal(gp_hist_band(GP_HIST_OVERFLOW), GP_BANDS - 1);
}

static int compare_values(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void record(struct gp_distribution *d, uint64_t ns)
{
	d->hist.slots[gp_hist_slot(ns)]++;
	d->sum_ns += ns;
	if (ns > d->max_ns)
		d->max_ns = ns;
}

/* Between 1 µs and 1 h, as many in each octave. */
static uint64_t random_duration(uint64_t *seed)
{
	unsigned int octave = 10 + next_random(seed) % 31;

	return (1ULL << octave) + next_random(seed) % (1ULL << octave);
}

static void check_quantiles(size_t n, uint64_t *seed)
{
	static const unsigned int permille[] = {1, 70, 500, 900, 990, 999, 1000};
	gp_auto(gp_free) uint64_t *values = calloc(n, sizeof(*values));
	struct gp_distribution d = {};
	double ns;

	for (size_t i = 0; i < n; i++) {
		values[i] = random_duration(seed);
		record(&d, values[i]);
	}
	qsort(values, n, sizeof(*values), compare_values);
	for (size_t i = 0; i < ARRAY_SIZE(permille); i++) {
		double exact = (double)values[(n * permille[i] + 999) / 1000 - 1];

		assert_true(gp_distribution_quantile(&d, permille[i] / 1000.0, &ns));
		assert_true(fabs(ns / exact - 1) <= 0.045);
		assert_true(ns <= (double)d.max_ns);
	}
}

static void test_quantiles_of_samples(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 7, 10, 99, 100, 101, 1000, 1001, 100000};
	uint64_t seed = 7;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_quantiles(sizes[i], &seed);
}

/* Values so far apart that a rank which is off by one shows. */
static void test_ranks(void **state)
{
	static const struct {
		unsigned int percent, n, rank; /* ceil(n * percent / 100) */
	} cases[] = {
		{7, 100, 7},  {29, 100, 29}, {55, 100, 55}, {99, 100, 99},
		{50, 1, 1},   {50, 10, 5},   {50, 11, 6},   {90, 10, 9},
		{99, 10, 10}, {1, 3, 1},     {100, 10, 10},
	};
	double ns;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct gp_distribution d = {};

		d.hist.slots[100] = cases[i].rank - 1;
		d.hist.slots[110] = 1;
		d.hist.slots[120] = cases[i].n - cases[i].rank;
		d.max_ns = UINT64_MAX;
		assert_true(gp_distribution_quantile(&d, cases[i].percent / 100.0, &ns));
		assert_true(ns > gp_hist_slot_end_ns(109) && ns < gp_hist_slot_end_ns(110));
	}
}

static void test_quantiles_at_the_ends(void **state)
{
	struct gp_distribution d = {};
	double ns = -1;

	assert_false(gp_distribution_quantile(&d, 0.5, &ns));
	assert_true(ns == -1);

	record(&d, 3);
	assert_true(gp_distribution_quantile(&d, 0.5, &ns));
	assert_true(ns == 1e9 / 1048576); /* 2^-20 s */

	record(&d, 5000000000000ULL);
	assert_true(gp_distribution_quantile(&d, 1, &ns));
	assert_true(ns == 5e12);

	/* The lower end of the bucket (2^0, 2^(1/8)] s: its middle is beyond the largest value. */
	d = (struct gp_distribution){};
	record(&d, 1000000001);
	assert_true(gp_distribution_quantile(&d, 0.99, &ns));
	assert_true(ns == 1000000001);
}

static void test_adding(void **state)
{
	struct gp_distribution a = {}, b = {};
	uint64_t seed = 3, sum = 0, max = 0;

	for (int i = 0; i < 1000; i++) {
		uint64_t ns = random_duration(&seed);

		record(i % 3 ? &a : &b, ns);
		sum += ns;
		max = ns > max ? ns : max;
	}
	assert_int_equal(gp_hist_count(&a.hist), 666);
	gp_distribution_add(&a, &b);
	assert_int_equal(gp_hist_count(&a.hist), 1000);
	assert_int_equal(a.sum_ns, sum);
	assert_int_equal(a.max_ns, max);
	gp_distribution_add(&b, &a);
	assert_int_equal(b.max_ns, max);
	gp_distribution_add(&a, &(struct gp_distribution){});
	assert_int_equal(a.max_ns, max);
}

/* Of every bucket, the least value is one that falls into it, and the one below does not. */
static void test_settling(void **state)
{
	double ns;

	for (unsigned int slot = 1; slot < GP_HIST_SLOTS; slot++) {
		struct gp_distribution d = {};

		d.hist.slots[GP_HIST_UNDERFLOW] = 1;
		d.hist.slots[slot] = 1;
		gp_distribution_settle(&d);
		assert_int_equal(gp_hist_slot(d.max_ns), slot);
		assert_int_equal(gp_hist_slot(d.max_ns - 1), slot - 1);
		assert_true(gp_distribution_quantile(&d, 1, &ns));
		assert_int_equal(gp_hist_slot((uint64_t)ns), slot);
	}
}

static void test_settling_keeps_what_is_known(void **state)
{
	struct gp_distribution d = {};

	gp_distribution_settle(&d);
	assert_int_equal(d.max_ns, 0);
	record(&d, 3);
	gp_distribution_settle(&d);
	assert_int_equal(d.max_ns, 3);
	record(&d, 1234567);
	gp_distribution_settle(&d);
	assert_int_equal(d.max_ns, 1234567);
	d.max_ns = 5000000; /* of a value that is counted in the next interval */
	gp_distribution_settle(&d);
	assert_int_equal(d.max_ns, 5000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_boundary),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_values_between),
		cmocka_unit_test(test_slot_ends),
		cmocka_unit_test(test_bands),
		cmocka_unit_test(test_quantiles_of_samples),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_quantiles_at_the_ends),
		cmocka_unit_test(test_adding),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_settling_keeps_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
