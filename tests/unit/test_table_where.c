// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sample.h"
#include "table_where.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static struct gp_table_row row_of(const struct gp_snapshot *s)
{
	gp_auto(gp_free) struct gp_table_row *rows = NULL;
	size_t count = 0;

	assert_int_equal(gp_table_rows_new(&rows, &count, s), 0);
	assert_int_equal(count, 1);
	return rows[0];
}

/* 98 exchanges of 1 ms of `cpu`, and two with 49 ms more in another stage. */
static struct gp_snapshot *sample_slow(enum gp_stage stage)
{
	struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "web", 80, NULL);

	for (int i = 0; i < 100; i++) {
		uint64_t ns = i < 98 ? 0 : 49 * MS;
		unsigned int band = gp_hist_band(gp_hist_slot(MS + ns));

		sample_value(&e->duration, MS + ns);
		e->stages_ns[band][GP_STAGE_CPU] += MS;
		e->stages_ns[band][stage] += ns;
	}
	return s;
}

static void assert_words(const struct gp_snapshot *s, const char *slow, const char *where,
			 const char *stages, const char *line)
{
	struct gp_table_row row = row_of(s);
	char text[256];

	gp_table_slow(text, sizeof(text), &row);
	assert_string_equal(text, slow);
	gp_table_where(text, sizeof(text), &row);
	assert_string_equal(text, where);
	gp_table_stages(text, sizeof(text), &row);
	assert_string_equal(text, stages);
	gp_table_where_line(text, sizeof(text), &row);
	assert_string_equal(text, line);
}

static void test_stage(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_slow(GP_STAGE_SLEEP);

	assert_words(s, "2.00% >31.2ms", "98% sleep", "51% cpu, 49% sleep",
		     "slow ones (>31.2ms, 2.00%): 98% sleep");
}

static void test_limit(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_slow(GP_STAGE_RUNQUEUE);
	struct gp_service *service = sample_service(s, "web", SECOND);

	assert_words(s, "2.00% >31.2ms", "98% runqueue", "51% cpu, 49% runqueue",
		     "slow ones (>31.2ms, 2.00%): 98% runqueue");
	service->has_throttled = true;
	service->throttled_ns = SECOND;
	assert_words(s, "2.00% >31.2ms", "98% runqueue (CPU limit)",
		     "51% cpu, 49% runqueue (CPU limit)",
		     "slow ones (>31.2ms, 2.00%): 98% runqueue (CPU limit)");
}

static void test_downstream(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_slow(GP_STAGE_DOWNSTREAM);

	assert_words(s, "2.00% >31.2ms", "98% downstream", "51% cpu, 49% downstream",
		     "slow ones (>31.2ms, 2.00%): 98% downstream");
	sample_edge(s, "web", "redis\033[2J", "::1", 2);
	assert_words(s, "2.00% >31.2ms", "98% downstream → redis" BAD "[2J [::1]:6379",
		     "51% cpu, 49% downstream",
		     "slow ones (>31.2ms, 2.00%): 98% downstream → redis" BAD "[2J [::1]:6379");
	s->edge[0].to = NULL;
	s->edge[0].address = sample_text(s, "10.0.0.1\007");
	assert_words(s, "2.00% >31.2ms", "98% downstream → 10.0.0.1" BAD ":6379",
		     "51% cpu, 49% downstream",
		     "slow ones (>31.2ms, 2.00%): 98% downstream → 10.0.0.1" BAD ":6379");
}

/* The longest there is: the name is cut, the port never. */
static void test_long_names(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_slow(GP_STAGE_DOWNSTREAM);
	struct gp_table_row row;
	char text[256];

	sample_edge(s, "web", "a-service-whose-name-is-much-too-long",
		    "2001:db8:1111:2222:3333:4444:5555:6666", 2)
		->port = 65535;
	row = row_of(s);
	gp_table_where(text, sizeof(text), &row);
	assert_string_equal(text, "98% downstream → a-service-whose-name-is… "
				  "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

static void test_unattributed(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_slow(GP_STAGE_IO);

	s->endpoint[0].stages_ns[11][GP_STAGE_UNATTRIBUTED] = 98 * MS;
	assert_words(s, "2.00% >31.2ms", "98% io; 33% of all time unattributed",
		     "34% cpu, 33% io, 33% unattributed",
		     "slow ones (>31.2ms, 2.00%): 98% io; 33% of all time unattributed");
	memset(s->endpoint[0].duration.hist.slots, 0, sizeof(s->endpoint[0].duration.hist.slots));
	s->endpoint[0].duration.hist.slots[100] = 20;
	assert_words(s, "-", "33% of all time unattributed", "34% cpu, 33% io, 33% unattributed",
		     "33% of all time unattributed");
}

/* No more than three, none below 1 %. */
static void test_largest_stages(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	uint64_t *stages = sample_endpoint(s, "web", 80, NULL)->stages_ns[5];

	s->endpoint[0].active = 1;
	stages[GP_STAGE_TRANSFER] = 900;
	stages[GP_STAGE_IO] = 91;
	stages[GP_STAGE_CPU] = 9;
	assert_words(s, "-", "-", "90% transfer, 9% io", "");
	stages[GP_STAGE_SLEEP] = 200;
	stages[GP_STAGE_BACKLOG] = 300;
	assert_words(s, "-", "-", "60% transfer, 20% backlog, 13% sleep", "");
}

static void test_nothing(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *client = sample_new();

	sample_endpoint(s, "web", 80, NULL)->active = 1;
	assert_words(s, "-", "-", "-", "");
	sample_exchange(sample_endpoint(client, "web", 80, "10.0.0.1"), MS, MS);
	assert_words(client, "-", "-", "-", "");
}

static void test_worst(void **state)
{
	struct gp_table_row rows[4] = {};

	assert_null(gp_table_worst(rows, 4));
	assert_null(gp_table_worst(rows, 0));
	for (int i = 1; i < 4; i++) {
		rows[i].has_culprit = i < 3;
		rows[i].culprit.excess_ns = 10 * i;
	}
	assert_ptr_equal(gp_table_worst(rows, 4), &rows[2]);
	rows[1].culprit.excess_ns = 21;
	assert_ptr_equal(gp_table_worst(rows, 4), &rows[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stage),	     cmocka_unit_test(test_limit),
		cmocka_unit_test(test_downstream),   cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_unattributed), cmocka_unit_test(test_largest_stages),
		cmocka_unit_test(test_nothing),	     cmocka_unit_test(test_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
