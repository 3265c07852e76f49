// SPDX-License-Identifier: GPL-2.0-or-later
/* Records are filled as the kernel side does, and drained into an endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drain.h"
#include "gp_http.h"
#include "sample.h"

/* What one interval counted at one HTTP endpoint. */
struct records {
	struct gp_endpoint_record own;
	struct gp_operation_record get;
};

static void count_stages(struct records *r, uint64_t ns)
{
	unsigned int band = gp_hist_band(gp_hist_slot(ns));

	r->own.stages_ns[band][GP_STAGE_CPU] += ns - ns / 4;
	r->own.stages_ns[band][GP_STAGE_TRANSFER] += ns / 4;
	r->own.first_byte[gp_hist_slot(ns - ns / 4)]++;
}

static void raise(__u64 *max, uint64_t ns)
{
	if (ns > *max)
		*max = ns;
}

static void count_own(struct records *r, uint64_t ns)
{
	count_stages(r, ns);
	r->own.duration[gp_hist_slot(ns)]++;
	raise(&r->own.duration_max_ns, ns);
}

static void count_get(struct records *r, uint64_t ns)
{
	count_stages(r, ns);
	r->get.duration[gp_hist_slot(ns)]++;
	r->get.duration_ns += ns;
	raise(&r->get.duration_max_ns, ns);
}

/* In the order of the collector. */
static struct gp_endpoint collect(struct records *r, enum gp_protocol protocol, uint64_t *ahead)
{
	struct gp_operation one = {};
	struct gp_endpoint e = {.names = {.service = "nginx"}, .protocol = protocol};

	gp_drain_endpoint(&r->own, &e);
	if (gp_drain_operation(&r->get, &one)) {
		struct gp_operation *o = gp_endpoint_operation(&e, GP_HTTP_GET, 200);

		assert_non_null(o);
		gp_operation_add(o, &one);
	}
	assert_int_equal(gp_drain_finish_endpoint(&e, ahead), 0);
	return e;
}

static void free_operations(struct gp_endpoint *e)
{
	free(e->operation);
}

static void assert_sums(const struct gp_endpoint *e)
{
	uint64_t requests = 0, ns = 0;

	for (size_t i = 0; i < e->operations; i++) {
		requests += gp_operation_requests(&e->operation[i]);
		ns += e->operation[i].duration.sum_ns;
	}
	assert_int_equal(requests, gp_endpoint_requests(e));
	assert_int_equal(ns, e->duration.sum_ns);
}

static void assert_requests(struct gp_endpoint *e, uint16_t operation, uint16_t status, uint64_t n)
{
	struct gp_operation *o = gp_endpoint_operation(e, operation, status);

	assert_int_equal(gp_operation_requests(o), n);
}

static void test_own_and_operations(void **state)
{
	struct records r = {};
	uint64_t ahead = 0;

	count_get(&r, 2 * MS);
	count_get(&r, 40 * MS);
	count_own(&r, 7 * MS);
	r.own.errors[GP_ERROR_ABORTED] = 2;
	gp_auto(free_operations) struct gp_endpoint e = collect(&r, GP_PROTOCOL_HTTP, &ahead);

	assert_int_equal(gp_endpoint_requests(&e), 5);
	assert_int_equal(e.duration.sum_ns, 49 * MS);
	assert_int_equal(e.duration.max_ns, 40 * MS);
	assert_int_equal(e.operations, 3);
	assert_requests(&e, GP_HTTP_GET, 200, 2);
	assert_requests(&e, 0, 0, 1);
	assert_requests(&e, 0, GP_STATUS_NONE, 2);
	assert_sums(&e);
	assert_int_equal(gp_endpoint_operation(&e, 0, 0)->duration.sum_ns, 7 * MS);
	assert_int_equal(gp_endpoint_operation(&e, 0, 0)->duration.max_ns, 7 * MS);

	/* All is taken. */
	gp_auto(free_operations) struct gp_endpoint again = collect(&r, GP_PROTOCOL_HTTP, &ahead);

	assert_int_equal(gp_endpoint_requests(&again), 0);
	assert_int_equal(again.operations, 0);
}

/* What the kernel itself counted as `other` is added to what no operation has. */
static void test_other_is_one(void **state)
{
	struct gp_endpoint e = {.protocol = GP_PROTOCOL_HTTP};
	uint64_t ahead = 0;

	sample_exchange(&e, MS, 0);
	e.stages_ns[gp_hist_band(gp_hist_slot(2 * MS))][GP_STAGE_CPU] += 2 * MS;
	e.duration.sum_ns = 0;
	sample_value(&gp_endpoint_operation(&e, 0, 0)->duration, 2 * MS);
	assert_int_equal(gp_drain_finish_endpoint(&e, &ahead), 0);
	assert_int_equal(e.operations, 1);
	assert_int_equal(gp_endpoint_requests(&e), 2);
	assert_sums(&e);
	free_operations(&e);
}

static void test_not_read(void **state)
{
	static const enum gp_protocol protocols[] = {GP_PROTOCOL_UNKNOWN, GP_PROTOCOL_TLS};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct records r = {};
		uint64_t ahead = 0;

		count_own(&r, 7 * MS);
		count_get(&r, 8 * MS);
		r.get.aborted = 1;
		r.own.errors[GP_ERROR_ABORTED] = 1;
		gp_auto(free_operations) struct gp_endpoint e = collect(&r, protocols[i], &ahead);

		assert_int_equal(e.operations, 0);
		assert_int_equal(gp_endpoint_requests(&e), 3);
		assert_int_equal(e.duration.sum_ns, 15 * MS);
		assert_int_equal(e.duration.max_ns, 8 * MS);
	}
}

/* An aborted exchange is drained between its two counters: it is counted once, at once. */
static void test_aborted_at_its_operation_first(void **state)
{
	struct records r = {};
	uint64_t ahead = 0;

	r.get.aborted = 3;
	r.own.errors[GP_ERROR_ABORTED] = 1;
	gp_auto(free_operations) struct gp_endpoint first = collect(&r, GP_PROTOCOL_HTTP, &ahead);

	assert_int_equal(gp_endpoint_requests(&first), 3);
	assert_requests(&first, GP_HTTP_GET, 200, 3);
	assert_sums(&first);
	assert_int_equal(ahead, 2);

	r.own.errors[GP_ERROR_ABORTED] = 2 + 1; /* the two, and one without operation */
	gp_auto(free_operations) struct gp_endpoint second = collect(&r, GP_PROTOCOL_HTTP, &ahead);

	assert_int_equal(gp_endpoint_requests(&second), 1);
	assert_requests(&second, 0, GP_STATUS_NONE, 1);
	assert_sums(&second);
	assert_int_equal(ahead, 0);
}

/* The stages of an exchange may be drained before its duration: no sum is less than 0. */
static void test_stages_late(void **state)
{
	struct records r = {};
	uint64_t ahead = 0;

	count_get(&r, 2 * MS);
	memset(r.own.stages_ns, 0, sizeof(r.own.stages_ns));
	r.own.duration[gp_hist_slot(MS)] = 1;
	gp_auto(free_operations) struct gp_endpoint e = collect(&r, GP_PROTOCOL_HTTP, &ahead);

	assert_int_equal(gp_endpoint_requests(&e), 2);
	assert_int_equal(gp_endpoint_operation(&e, 0, 0)->duration.sum_ns, 0);
	assert_in_range(gp_endpoint_operation(&e, 0, 0)->duration.max_ns, 1, 2 * MS);
}

/* Openings go to one endpoint, and all else of the record to another. */
static void test_openings_apart(void **state)
{
	struct records r = {.own = {.opened = 5, .closed = 4, .bytes_in = 3, .overflows = 2}};
	struct gp_endpoint openings = {}, rest = {};

	r.own.failed[GP_FAILURE_RESET] = 1;
	r.own.setup[gp_hist_slot(MS)] = 2;
	r.own.setup_ns = 2 * MS;
	r.own.setup_max_ns = MS;
	count_own(&r, 7 * MS);
	gp_drain_openings(&r.own, &openings);
	assert_int_equal(openings.opened, 5);
	assert_int_equal(openings.overflows, 2);
	assert_int_equal(openings.failed[GP_FAILURE_RESET], 1);
	assert_int_equal(gp_hist_count(&openings.setup.hist), 2);
	assert_int_equal(openings.setup.sum_ns, 2 * MS);
	assert_int_equal(openings.setup.max_ns, MS);
	assert_int_equal(openings.closed + openings.bytes_in, 0);
	assert_int_equal(gp_hist_count(&openings.duration.hist), 0);

	assert_true(gp_drain_endpoint(&r.own, &rest));
	assert_int_equal(rest.opened + rest.overflows + rest.failed[GP_FAILURE_RESET], 0);
	assert_int_equal(gp_hist_count(&rest.setup.hist) + rest.setup.sum_ns, 0);
	assert_int_equal(rest.closed, 4);
	assert_int_equal(rest.bytes_in, 3);
	assert_int_equal(gp_hist_count(&rest.duration.hist), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_and_operations),
		cmocka_unit_test(test_other_is_one),
		cmocka_unit_test(test_not_read),
		cmocka_unit_test(test_aborted_at_its_operation_first),
		cmocka_unit_test(test_stages_late),
		cmocka_unit_test(test_openings_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
