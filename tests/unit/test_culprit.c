// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "culprit.h"
#include "sample.h"

#define US 1000ULL

/* `count` exchanges with so much time in `cpu`, and so much in another stage. */
static void add(struct gp_endpoint *e, int count, uint64_t cpu_ns, enum gp_stage stage, uint64_t ns)
{
	for (int i = 0; i < count; i++) {
		unsigned int band = gp_hist_band(gp_hist_slot(cpu_ns + ns));

		sample_value(&e->duration, cpu_ns + ns);
		e->stages_ns[band][GP_STAGE_CPU] += cpu_ns;
		e->stages_ns[band][stage] += ns;
	}
}

static struct gp_endpoint *server_of(struct gp_snapshot *s)
{
	return sample_endpoint(s, "web", 80, NULL);
}

static void assert_silent(const struct gp_snapshot *s)
{
	struct gp_culprit c = {.all = 4711};

	assert_false(gp_culprit_find(&c, s, &s->endpoint[0]));
	assert_int_equal(c.all, 4711);
}

static void assert_close(double got, double wanted)
{
	if (got < wanted * 0.999999 || got > wanted * 1.000001)
		fail_msg("%.9g is not %.9g", got, wanted);
}

static struct gp_culprit culprit_of(const struct gp_snapshot *s)
{
	struct gp_culprit c = {};

	assert_true(gp_culprit_find(&c, s, &s->endpoint[0]));
	return c;
}

static void test_each_stage(void **state)
{
	for (enum gp_stage stage = 0; stage < GP_STAGE_COUNT; stage++) {
		gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
		struct gp_endpoint *e = server_of(s);
		struct gp_culprit c;

		add(e, 980, MS, stage, 0);
		add(e, 20, MS, stage, 39 * MS);
		c = culprit_of(s);
		assert_int_equal(c.stage, stage);
		assert_int_equal(c.slow, 20);
		assert_int_equal(c.all, 1000);
		assert_close(c.from_ns, 31.25e6);
		assert_close(c.share, stage == GP_STAGE_CPU ? 1 : 39.0 / 40);
		assert_close(c.excess_ns, 20 * 39e6);
		assert_false(c.is_limited);
		assert_null(c.edge);
	}
}

/* All spend most of their time in `cpu`, the slow ones too: it is not what made them slow. */
static void test_growth_not_share(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_culprit c;

	add(server_of(s), 95, 5 * MS, GP_STAGE_SLEEP, 0);
	add(&s->endpoint[0], 5, 8900 * US, GP_STAGE_SLEEP, 8 * MS);
	c = culprit_of(s);
	assert_int_equal(c.stage, GP_STAGE_SLEEP);
	assert_close(c.share, 8.0 / 16.9);
}

/* Ten are enough of 1,000, and not of 1,001: then the band below is one of the slow ones. */
static void test_hundredth_of_requests(void **state)
{
	for (int more = 0; more <= 1; more++) {
		gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
		struct gp_culprit c;

		add(server_of(s), 900 + more, 3 * MS, GP_STAGE_IO, 0);
		add(&s->endpoint[0], 90, 3 * MS, GP_STAGE_IO, 10 * MS);
		add(&s->endpoint[0], 10, 3 * MS, GP_STAGE_IO, 20 * MS);
		c = culprit_of(s);
		assert_int_equal(c.slow, more ? 100 : 10);
		assert_close(c.from_ns, more ? 7.8125e6 : 15.625e6);
	}
}

/* Fewer are slow ones for the time they take, but not fewer than 20, nor for less time. */
static void test_twentieth_of_time(void **state)
{
	static const struct {
		int slow;
		uint64_t ns;
		bool is_said;
	} cases[] = {
		{20, 27 * MS, true},
		{20, 25 * MS, false}, /* 0.5 s of 10.5 s */
		{19, 60 * MS, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

		add(server_of(s), 10000, MS, GP_STAGE_IO, 0);
		add(&s->endpoint[0], cases[i].slow, 0, GP_STAGE_IO, cases[i].ns);
		if (cases[i].is_said)
			assert_int_equal(culprit_of(s).slow, cases[i].slow);
		else
			assert_silent(s);
	}
}

static void test_few_requests(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

	assert_silent((server_of(s), s));
	add(&s->endpoint[0], 18, MS, GP_STAGE_IO, 0);
	add(&s->endpoint[0], 1, MS, GP_STAGE_IO, 99 * MS);
	assert_silent(s);
	add(&s->endpoint[0], 1, MS, GP_STAGE_IO, 0);
	assert_int_equal(culprit_of(s).slow, 1);
}

static void test_nothing_slow(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *one = sample_new(), *near = sample_new(),
						     *zero = sample_new();

	add(server_of(one), 1000, MS, GP_STAGE_IO, 40 * MS); /* all in one band */
	assert_silent(one);
	add(server_of(near), 900, 15 * MS, GP_STAGE_IO, 0);
	add(&near->endpoint[0], 100, 15 * MS, GP_STAGE_IO, 14900 * US);
	assert_silent(near); /* in the next band, but less than twice as long */
	add(&near->endpoint[0], 20, 15 * MS, GP_STAGE_IO, 25 * MS);
	assert_int_equal(culprit_of(near).slow, 20);
	add(server_of(zero), 1000, 0, GP_STAGE_IO, 0);
	assert_silent(zero);
}

/* Buckets are collected before sums: a band may have the one and not the other. */
static void test_torn_bands(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = server_of(s);

	add(e, 1000, MS, GP_STAGE_IO, 0);
	e->stages_ns[20][GP_STAGE_IO] = 900 * MS; /* and no request */
	assert_silent(s);
	e->stages_ns[20][GP_STAGE_IO] = 0;
	e->duration.hist.slots[GP_HIST_OVERFLOW] = 15; /* and no time */
	assert_silent(s);
	memset(e->stages_ns, 0, sizeof(e->stages_ns));
	assert_silent(s);
}

static void test_ends_of_the_bands(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_culprit c;

	add(server_of(s), 50, 100, GP_STAGE_IO, 0);
	add(&s->endpoint[0], 2, 100, GP_STAGE_IO, 5000 * SECOND);
	c = culprit_of(s);
	assert_close(c.from_ns, 4096e9);
	assert_int_equal(c.slow, 2);
}

static void test_client(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

	add(sample_endpoint(s, "web", 80, "10.0.0.1"), 90, MS, GP_STAGE_IO, 0);
	add(&s->endpoint[0], 10, MS, GP_STAGE_UNATTRIBUTED, 99 * MS);
	assert_silent(s);
	assert_true(gp_culprit_unattributed(&s->endpoint[0]) == 0);
}

static void assert_cause(const struct gp_culprit *c, const char *called, const char *text)
{
	char cause[64];

	gp_culprit_cause(cause, sizeof(cause), c, called);
	assert_string_equal(cause, text);
}

static void test_limit(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_service *service;
	struct gp_culprit c;

	add(server_of(s), 90, MS, GP_STAGE_RUNQUEUE, 0);
	add(&s->endpoint[0], 10, MS, GP_STAGE_RUNQUEUE, 80 * MS);
	assert_false(culprit_of(s).is_limited); /* nothing is known of the service */
	sample_service(s, "another", SECOND);
	s->service[0].has_throttled = true;
	s->service[0].throttled_ns = SECOND;
	service = sample_service(s, "web", SECOND);
	service->has_throttled = true;
	c = culprit_of(s);
	assert_int_equal(c.stage, GP_STAGE_RUNQUEUE);
	assert_false(c.is_limited);
	assert_cause(&c, NULL, "");
	service->throttled_ns = 40 * MS - 1; /* not half of the 80 ms that one waited */
	assert_false(culprit_of(s).is_limited);
	service->throttled_ns = 40 * MS;
	c = culprit_of(s);
	assert_true(c.is_limited);
	assert_cause(&c, NULL, "CPU limit");
	service->has_throttled = false;
	assert_false(culprit_of(s).is_limited);
	assert_false(gp_culprit_is_limited(NULL, MS, 1));
}

/* The limit explains nothing but run-queue wait. */
static void test_limit_and_another_stage(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_service *service = sample_service(s, "web", SECOND);

	service->has_throttled = true;
	service->throttled_ns = SECOND;
	add(server_of(s), 90, MS, GP_STAGE_SLEEP, 0);
	add(&s->endpoint[0], 10, MS, GP_STAGE_SLEEP, 80 * MS);
	s->endpoint[0].stages_ns[gp_hist_band(gp_hist_slot(81 * MS))][GP_STAGE_RUNQUEUE] = 50 * MS;
	assert_int_equal(culprit_of(s).stage, GP_STAGE_SLEEP);
	assert_false(culprit_of(s).is_limited);
}

/* Calls of others, of another port and on nobody's behalf are not this endpoint's. */
static void test_downstream(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_culprit c;

	add(server_of(s), 90, MS, GP_STAGE_DOWNSTREAM, 0);
	add(&s->endpoint[0], 10, MS, GP_STAGE_DOWNSTREAM, 80 * MS);
	sample_edge(s, "other", "a", "10.0.0.1", 1000);
	sample_edge(s, NULL, "b", "10.0.0.2", 1000);
	sample_edge(s, "web", "c", "10.0.0.3", 1000)->from_port = 81;
	c = culprit_of(s);
	assert_int_equal(c.stage, GP_STAGE_DOWNSTREAM);
	assert_null(c.edge);
	assert_cause(&c, NULL, "");
	sample_edge(s, "web", "redis-server", "::1", 10);
	sample_edge(s, "web", NULL, "10.0.0.4", 20);
	sample_edge(s, "web", "d", "10.0.0.5", 5);
	c = culprit_of(s);
	assert_ptr_equal(c.edge, &s->edge[4]); /* the most time */
	assert_cause(&c, NULL, "10.0.0.4:6379");
	s->edge[3].ns = SECOND;
	c = culprit_of(s);
	assert_ptr_equal(c.edge, &s->edge[3]);
	assert_cause(&c, "redis-server", "redis-server [::1]:6379");
	s->edge[3].port = 0;
	s->edge[3].address = sample_text(s, "other");
	assert_cause(&c, "redis-server", "redis-server other");
}

static void test_no_edge_for_other_stages(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

	add(server_of(s), 90, MS, GP_STAGE_DOWNSTREAM, MS);
	add(&s->endpoint[0], 10, 80 * MS, GP_STAGE_DOWNSTREAM, MS);
	sample_edge(s, "web", "redis-server", "::1", 10);
	assert_int_equal(culprit_of(s).stage, GP_STAGE_CPU);
	assert_null(culprit_of(s).edge);
}

static void test_unattributed(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = server_of(s);

	assert_true(gp_culprit_unattributed(e) == 0);
	add(e, 19, 6 * MS, GP_STAGE_UNATTRIBUTED, 2 * MS);
	assert_true(gp_culprit_unattributed(e) == 0); /* of few requests nothing is said */
	add(e, 1, 6 * MS, GP_STAGE_UNATTRIBUTED, 2 * MS);
	assert_close(gp_culprit_unattributed(e), 0.25);
	add(e, 5, 8 * MS, GP_STAGE_UNATTRIBUTED, 0);
	assert_true(gp_culprit_unattributed(e) == 0); /* a fifth is not more than that */
	e->stages_ns[3][GP_STAGE_UNATTRIBUTED] += 1 * US;
	assert_close(gp_culprit_unattributed(e), 40.001 / 200.001);
}

static void test_sums(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	uint64_t sums_ns[GP_STAGE_COUNT];

	add(server_of(s), 3, MS, GP_STAGE_IO, 0);
	add(&s->endpoint[0], 2, MS, GP_STAGE_TRANSFER, 50 * MS);
	assert_int_equal(gp_culprit_sum(sums_ns, &s->endpoint[0]), 105 * MS);
	assert_int_equal(sums_ns[GP_STAGE_CPU], 5 * MS);
	assert_int_equal(sums_ns[GP_STAGE_TRANSFER], 100 * MS);
	assert_int_equal(sums_ns[GP_STAGE_IO], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_stage),
		cmocka_unit_test(test_growth_not_share),
		cmocka_unit_test(test_hundredth_of_requests),
		cmocka_unit_test(test_twentieth_of_time),
		cmocka_unit_test(test_few_requests),
		cmocka_unit_test(test_nothing_slow),
		cmocka_unit_test(test_torn_bands),
		cmocka_unit_test(test_ends_of_the_bands),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_and_another_stage),
		cmocka_unit_test(test_downstream),
		cmocka_unit_test(test_no_edge_for_other_stages),
		cmocka_unit_test(test_unattributed),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
