// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations in snapshots, and in the JSON made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gp_http.h"
#include "json_read.h"
#include "room.h"

static struct gp_endpoint *sample_http(struct gp_snapshot *s, uint16_t port)
{
	struct gp_endpoint *e = sample_endpoint(s, "nginx", port, NULL);

	e->protocol = GP_PROTOCOL_HTTP;
	e->framing = GP_FRAMING_PROTOCOL;
	return e;
}

static uint64_t requests_of(struct gp_endpoint *e, uint16_t operation, uint16_t status)
{
	return gp_operation_requests(gp_endpoint_operation(e, operation, status));
}

static void test_room(void **state)
{
	gp_auto(gp_free) int *array = NULL;
	int *before;

	assert_int_equal(gp_room_reserve(&array, 0, 0, sizeof(*array)), 0);
	assert_null(array);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(gp_room_reserve(&array, i, 1, sizeof(*array)), 0);
		array[i] = i;
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(array[i], i);
	before = array;
	assert_int_equal(gp_room_reserve(&array, 100, 28, sizeof(*array)), 0);
	assert_ptr_equal(array, before);
}

static void test_finding_and_adding(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s, 80);

	for (uint16_t status = 200; status < 400; status++)
		sample_operation(e, GP_HTTP_GET, status, status, MS);
	sample_operation(e, GP_HTTP_POST, 200, 1, MS);
	sample_operation(e, GP_HTTP_GET, 250, 1, 2 * MS);
	assert_int_equal(e->operations, 201);
	for (uint16_t status = 200; status < 400; status++)
		assert_int_equal(requests_of(e, GP_HTTP_GET, status), status + (status == 250));
	assert_int_equal(e->operations, 201);
	assert_int_equal(requests_of(e, GP_HTTP_PUT, 200), 0);
}

static void test_prepending(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();
	struct gp_endpoint *both, *only_older;

	sample_operation(sample_http(s, 80), GP_HTTP_GET, 200, 2, MS);
	both = sample_http(older, 80);
	sample_operation(both, GP_HTTP_GET, 200, 3, 5 * MS);
	for (uint16_t status = 300; status < 320; status++)
		sample_operation(both, GP_HTTP_GET, status, 1, MS);
	sample_operation(both, GP_HTTP_PUT, GP_STATUS_NONE, 4, 0);
	sample_operation(sample_http(older, 81), GP_HTTP_HEAD, 204, 7, MS);

	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	both = &s->endpoint[0];
	assert_int_equal(both->operations, 22);
	assert_int_equal(requests_of(both, GP_HTTP_GET, 200), 5);
	assert_int_equal(gp_endpoint_operation(both, GP_HTTP_GET, 200)->duration.sum_ns, 17 * MS);
	assert_int_equal(gp_endpoint_operation(both, GP_HTTP_GET, 200)->duration.max_ns, 5 * MS);
	assert_int_equal(requests_of(both, GP_HTTP_PUT, GP_STATUS_NONE), 4);
	assert_int_equal(gp_endpoint_requests(both), 29);
	only_older = &s->endpoint[1];
	assert_int_equal(requests_of(only_older, GP_HTTP_HEAD, 204), 7);
	/* Nothing is shared. */
	assert_ptr_not_equal(only_older->operation, older->endpoint[1].operation);
	assert_int_equal(older->endpoint[1].operations, 1);
}

static void test_copying(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *copy = NULL;

	sample_http(s, 80);
	sample_operation(sample_http(s, 81), GP_HTTP_GET, 200, 2, MS);
	assert_int_equal(gp_snapshot_copy(&copy, s), 0);
	assert_int_equal(copy->endpoint[0].operations, 0);
	assert_null(copy->endpoint[0].operation);
	assert_int_equal(copy->endpoint[1].operations, 1);
	gp_snapshot_free(&s);
	assert_int_equal(requests_of(&copy->endpoint[1], GP_HTTP_GET, 200), 2);
}

static json_t *find(json_t *e, const char *operation, const char *status)
{
	json_t *o;
	size_t i;

	json_array_foreach(at(e, "operations"), i,
			   o) if (!strcmp(json_string_value(at(o, "operation")), operation) &&
				  !strcmp(json_string_value(at(o, "status")), status)) return o;
	fail_msg("no operation %s %s", operation, status);
	return NULL;
}

static void test_json(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s, 80);
	uint64_t requests = 0;
	json_t *lines, *r, *o;
	size_t i;

	sample_operation(e, GP_HTTP_GET, 200, 10, 3 * MS);
	sample_operation(e, GP_HTTP_GET, 404, 2, MS);
	sample_operation(e, GP_HTTP_POST, GP_STATUS_NONE, 3, 0);
	sample_operation(e, 0, 0, 1, MS);
	gp_endpoint_operation(e, GP_HTTP_PUT, 201);
	e->errors[GP_ERROR_CLIENT] = 2;
	e->streams = 5;
	lines = export(s);
	r = record_of(lines, "endpoint", 0);
	assert_text_at(r, "protocol", "http");
	assert_text_at(r, "framing", "protocol");
	assert_int_equal(count_at(r, "errors.server"), 0);
	assert_int_equal(count_at(r, "errors.client"), 2);
	assert_int_equal(count_at(r, "connections.streams"), 5);
	assert_int_equal(json_array_size(at(r, "operations")), 4);
	json_array_foreach(at(r, "operations"), i, o)
	{
		uint64_t count = count_at(o, "latency_s.count");

		assert_keys(o, "operation status requests latency_s");
		assert_keys(at(o, "latency_s"), QUANTILES " histogram");
		check_quantiles(at(o, "latency_s"), count);
		check_histogram(at(o, "latency_s.histogram"), count);
		requests += count_at(o, "requests");
	}
	assert_int_equal(requests, count_at(r, "requests"));
	o = find(r, "GET", "200");
	assert_int_equal(count_at(o, "requests"), 10);
	assert_int_equal(ns_at(o, "latency_s.sum"), 30 * MS);
	assert_int_equal(ns_at(o, "latency_s.max"), 3 * MS);
	assert_int_equal(count_at(find(r, "GET", "404"), "requests"), 2);
	o = find(r, "POST", "none");
	assert_int_equal(count_at(o, "requests"), 3);
	assert_int_equal(count_at(o, "latency_s.count"), 0);
	assert_null_at(o, "latency_s.max");
	assert_int_equal(count_at(find(r, "other", "other"), "requests"), 1);
	json_decref(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),	   cmocka_unit_test(test_finding_and_adding),
		cmocka_unit_test(test_prepending), cmocka_unit_test(test_copying),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
