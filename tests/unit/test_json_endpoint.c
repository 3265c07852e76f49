// SPDX-License-Identifier: GPL-2.0-or-later
/* Endpoint records: what must always hold of them is worked out again from what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json_read.h"

static uint64_t sum_of_stages(json_t *stages)
{
	const char *key;
	json_t *value;
	uint64_t sum = 0;

	assert_keys(stages, "runqueue backlog cpu downstream io sleep unattributed transfer");
	json_object_foreach(stages, key, value) sum += ns_at(stages, key);
	return sum;
}

/* contract.md: "Always (computed so, not read twice…)", and the bands likewise. */
static void check_invariants(json_t *e)
{
	uint64_t count = count_at(e, "latency_s.count");
	uint64_t band_count = 0, band_ns = 0;
	json_t *band;
	size_t i;

	assert_int_equal(count_at(e, "requests"), count + count_at(e, "errors.aborted"));
	check_quantiles(at(e, "latency_s"), count);
	check_quantiles(at(e, "first_byte_s"), count_at(e, "first_byte_s.count"));
	check_histogram(at(e, "histogram"), count);
	check_histogram(at(e, "first_byte_histogram"), count_at(e, "first_byte_s.count"));
	if (json_is_null(at(e, "stages_s")))
		return;
	assert_int_equal(sum_of_stages(at(e, "stages_s")), ns_at(e, "latency_s.sum"));
	assert_int_equal(sum_of_stages(at(e, "stages_s")) - ns_at(e, "stages_s.transfer"),
			 ns_at(e, "first_byte_s.sum"));
	json_array_foreach(at(e, "stages_by_duration"), i, band)
	{
		assert_keys(band, "le_s count stages_s");
		band_count += count_at(band, "count");
		band_ns += sum_of_stages(at(band, "stages_s"));
	}
	assert_int_equal(band_count, count);
	assert_int_equal(band_ns, ns_at(e, "latency_s.sum"));
}

static const char endpoint_keys[] = COMMON NAMES
	"role transport port address protocol framing requests requests_total "
	"latency_s first_byte_s stages_s stages_by_duration slowest errors in_flight bytes "
	"connections connect_s tcp accept_queue unread_bytes operations histogram "
	"first_byte_histogram";

static void check_endpoint_form(json_t *e)
{
	check_common(e);
	assert_text_at(e, "time", "2023-11-14T22:13:30.123Z");
	assert_int_equal(ns_at(e, "interval_s"), 10 * SECOND);
	assert_keys(e, endpoint_keys);
	assert_keys(at(e, "latency_s"), QUANTILES);
	assert_keys(at(e, "first_byte_s"), QUANTILES);
	assert_keys(at(e, "errors"), "server client aborted");
	assert_keys(at(e, "in_flight"), "now oldest_s");
	assert_keys(at(e, "bytes"), "in out");
	assert_keys(at(e, "connections"), "opened closed active streams handed_over failed");
	assert_keys(at(e, "connections.failed"), "refused timeout reset other");
	assert_int_equal(json_array_size(at(e, "operations")), 0);
	assert_null_at(e, "errors.server");
	assert_null_at(e, "errors.client");
	assert_null_at(e, "connections.streams");
	check_invariants(e);
}

static void fill_server(struct gp_endpoint *e)
{
	sample_exchange(e, 100, 23);		      /* underflow */
	sample_exchange(e, 1500000, 1);		      /* 1.500001 ms */
	sample_exchange(e, 3 * SECOND, 2 * SECOND);   /* 5 s */
	sample_exchange(e, 5000 * SECOND, 987654321); /* overflow */
	e->requests_total = 1ULL << 53;
	e->errors[GP_ERROR_ABORTED] = 3;
	e->in_flight = 2;
	e->oldest_ns = 1234567891;
	e->bytes_in = 11;
	e->bytes_out = 12;
	e->opened = 13;
	e->closed = 14;
	e->active = 15;
	e->handed_over = 17;
	e->retransmits = 21;
	e->rtt_ns = 3 * MS;
	e->rtt_count = 2;
	e->rtt_min_ns = 1 * MS;
	e->accept_queue = 4;
	e->accept_limit = 128;
	e->listeners = 1;
	e->unread_bytes = 99;
	e->overflows = 5;
	sample_value(&e->setup, 7 * MS);
}

static void test_server(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *e;

	fill_server(sample_endpoint(s, "nginx", 8080, NULL));
	s->endpoint[0].names.unit = sample_text(s, "nginx.service");
	s->endpoint[0].names.exe = sample_text(s, "/usr/sbin/nginx");
	lines = export(s);
	e = record_of(lines, "endpoint", 0);
	check_endpoint_form(e);
	assert_text_at(e, "service", "nginx");
	assert_text_at(e, "unit", "nginx.service");
	assert_null_at(e, "container");
	assert_text_at(e, "exe", "/usr/sbin/nginx");
	assert_text_at(e, "role", "server");
	assert_text_at(e, "transport", "tcp");
	assert_int_equal(count_at(e, "port"), 8080);
	assert_null_at(e, "address");
	assert_text_at(e, "protocol", "unknown");
	assert_text_at(e, "framing", "turns");
	assert_int_equal(count_at(e, "requests"), 7);
	assert_int_equal(count_at(e, "requests_total"), 1ULL << 53);
	assert_int_equal(ns_at(e, "latency_s.sum"), 5005 * SECOND + 1500124 + 987654321);
	assert_int_equal(ns_at(e, "latency_s.max"), 5000 * SECOND + 987654321);
	assert_int_equal(count_at(e, "in_flight.now"), 2);
	assert_int_equal(ns_at(e, "in_flight.oldest_s"), 1234567891);
	assert_int_equal(count_at(e, "bytes.in"), 11);
	assert_int_equal(count_at(e, "bytes.out"), 12);
	assert_int_equal(count_at(e, "connections.opened"), 13);
	assert_int_equal(count_at(e, "connections.closed"), 14);
	assert_int_equal(count_at(e, "connections.active"), 15);
	assert_int_equal(count_at(e, "connections.handed_over"), 17);
	assert_null_at(e, "slowest"); /* of few requests nothing is said */
	assert_null_at(e, "connect_s");
	assert_int_equal(count_at(e, "tcp.retransmits"), 21);
	assert_int_equal(count_at(e, "tcp.rtt_s.count"), 2);
	assert_int_equal(ns_at(e, "tcp.rtt_s.sum"), 3 * MS);
	assert_int_equal(ns_at(e, "tcp.rtt_s.min"), 1 * MS);
	assert_keys(at(e, "accept_queue"), "length limit overflows wait_s");
	assert_int_equal(count_at(e, "accept_queue.length"), 4);
	assert_int_equal(count_at(e, "accept_queue.limit"), 128);
	assert_int_equal(count_at(e, "accept_queue.overflows"), 5);
	check_quantiles(at(e, "accept_queue.wait_s"), 1);
	check_histogram(at(e, "accept_queue.wait_s.histogram"), 1);
	assert_int_equal(ns_at(e, "accept_queue.wait_s.sum"), 7 * MS);
	assert_int_equal(count_at(e, "unread_bytes"), 99);
	json_decref(lines);
}

/* 1.500001 ms lies between 2^(-76/8) and 2^(-75/8) s, 5 s between 2^(18/8) and 2^(19/8). */
static void test_buckets(void **state)
{
	static const int indexes[] = {-76, 18};
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *h;

	fill_server(sample_endpoint(s, "nginx", 8080, NULL));
	lines = export(s);
	h = at(record_of(lines, "endpoint", 0), "histogram");
	assert_int_equal(count_at(h, "underflow"), 1);
	assert_int_equal(count_at(h, "overflow"), 1);
	assert_int_equal(json_array_size(at(h, "counts")), ARRAY_SIZE(indexes));
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
		json_t *pair = json_array_get(at(h, "counts"), i);

		assert_int_equal(json_integer_value(json_array_get(pair, 0)), indexes[i]);
		assert_int_equal(json_integer_value(json_array_get(pair, 1)), 1);
	}
	json_decref(lines);
}

static void test_bands(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *bands;

	fill_server(sample_endpoint(s, "nginx", 8080, NULL));
	lines = export(s);
	bands = at(record_of(lines, "endpoint", 0), "stages_by_duration");
	assert_int_equal(json_array_size(bands), 4);
	assert_true(json_number_value(at(json_array_get(bands, 0), "le_s")) == 0x1p-20);
	assert_true(json_number_value(at(json_array_get(bands, 1), "le_s")) == 0x1p-9);
	assert_true(json_number_value(at(json_array_get(bands, 2), "le_s")) == 8);
	assert_null_at(json_array_get(bands, 3), "le_s");
	assert_int_equal(ns_at(json_array_get(bands, 2), "stages_s.transfer"), 2 * SECOND);
	json_decref(lines);
}

/* Where the time of the slow ones went, for each kind of cause. */
static void test_slowest(void **state)
{
	static const struct {
		enum gp_stage stage;
		const char *name, *cause;
	} cases[] = {
		{GP_STAGE_SLEEP, "sleep", NULL},
		{GP_STAGE_RUNQUEUE, "runqueue", "CPU limit"},
		{GP_STAGE_DOWNSTREAM, "downstream", "redis" BAD " [::1]:6379"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
		struct gp_endpoint *e = sample_endpoint(s, "web", 80, NULL);
		struct gp_service *service = sample_service(s, "web", SECOND);
		json_t *lines, *slowest;

		service->has_throttled = true;
		service->throttled_ns = SECOND;
		sample_edge(s, "web", "redis\033", "::1", 10);
		for (int n = 0; n < 98; n++)
			sample_exchange(e, MS, 0);
		for (int n = 0; n < 2; n++)
			sample_value(&e->duration, 100 * MS);
		e->stages_ns[gp_hist_band(gp_hist_slot(100 * MS))][GP_STAGE_CPU] = 50 * MS;
		e->stages_ns[gp_hist_band(gp_hist_slot(100 * MS))][cases[i].stage] = 150 * MS;
		lines = export(s);
		slowest = at(record_of(lines, "endpoint", 0), "slowest");
		assert_keys(slowest, "from_s requests share stage stage_share cause");
		assert_true(json_number_value(at(slowest, "from_s")) == 0.0625);
		assert_int_equal(count_at(slowest, "requests"), 2);
		assert_true(json_number_value(at(slowest, "share")) == 0.02);
		assert_text_at(slowest, "stage", cases[i].name);
		assert_true(json_number_value(at(slowest, "stage_share")) == 0.75);
		if (cases[i].cause)
			assert_text_at(slowest, "cause", cases[i].cause);
		else
			assert_null_at(slowest, "cause");
		json_decref(lines);
	}
}

static void test_client(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "nginx", 6379, "::1");
	json_t *lines, *line;

	sample_exchange(e, 2 * MS, MS);
	sample_value(&e->setup, 40 * MS);
	e->failed[GP_FAILURE_REFUSED] = 1;
	e->failed[GP_FAILURE_TIMEOUT] = 2;
	e->failed[GP_FAILURE_RESET] = 3;
	e->failed[GP_FAILURE_OTHER] = 4;
	lines = export(s);
	line = record_of(lines, "endpoint", 0);
	check_endpoint_form(line);
	assert_text_at(line, "role", "client");
	assert_text_at(line, "address", "::1");
	assert_null_at(line, "stages_s");
	assert_null_at(line, "stages_by_duration");
	assert_null_at(line, "slowest");
	assert_null_at(line, "accept_queue");
	assert_null_at(line, "in_flight.oldest_s");
	assert_null_at(line, "tcp.rtt_s.min");
	assert_keys(at(line, "connect_s"), QUANTILES " histogram");
	check_quantiles(at(line, "connect_s"), 1);
	check_histogram(at(line, "connect_s.histogram"), 1);
	assert_int_equal(ns_at(line, "connect_s.sum"), 40 * MS);
	assert_int_equal(count_at(line, "connections.failed.refused"), 1);
	assert_int_equal(count_at(line, "connections.failed.timeout"), 2);
	assert_int_equal(count_at(line, "connections.failed.reset"), 3);
	assert_int_equal(count_at(line, "connections.failed.other"), 4);
	json_decref(lines);
}

static void test_other_unix_and_quiet(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_endpoint(s, "quiet", 80, NULL)->listeners = 1;
	sample_endpoint(s, "full", 0, NULL)->is_other = true;
	s->endpoint[1].bytes_in = 1;
	sample_endpoint(s, "php", 0, "/run/php.sock")->transport = GP_TRANSPORT_UNIX;
	s->endpoint[2].active = 1;
	lines = export(s);
	line = record_of(lines, "endpoint", 0);
	check_endpoint_form(line);
	assert_text_at(line, "service", "full");
	assert_null_at(line, "port");
	assert_text_at(line, "address", "other");
	assert_null_at(line, "latency_s.p50");
	assert_null_at(line, "accept_queue.length");
	line = record_of(lines, "endpoint", 1);
	check_endpoint_form(line);
	assert_text_at(line, "address", "/run/php.sock");
	assert_null_at(line, "port");
	assert_null_at(line, "tcp");
	assert_null(record_of(lines, "endpoint", 2));
	json_decref(lines);
}

/* Datagrams: what only connections have is absent. */
static void test_datagrams(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_endpoint(s, "dnsmasq", 53, NULL);
	sample_endpoint(s, "curl", 53, "127.0.0.1");
	s->endpoint[0].transport = s->endpoint[1].transport = GP_TRANSPORT_UDP;
	s->endpoint[0].opened = s->endpoint[1].opened = 1;
	lines = export(s);
	for (size_t i = 0; i < 2; i++) {
		line = record_of(lines, "endpoint", i);
		assert_text_at(line, "transport", "udp");
		assert_int_equal(count_at(line, "port"), 53);
		assert_int_equal(count_at(line, "connections.opened"), 1);
		assert_null_at(line, "connections.failed");
		assert_null_at(line, "connect_s");
		assert_null_at(line, "tcp");
		assert_null_at(line, "accept_queue");
		assert_null_at(line, "unread_bytes");
	}
	json_decref(lines);
}

/* Sums of many values, of all lengths, hold to the nanosecond. */
static void test_invariants_of_many(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "busy", 80, NULL);
	uint64_t seed = 11, sum = 0;
	json_t *lines;

	for (int i = 0; i < 100000; i++) {
		uint64_t first, rest;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		first = seed >> (24 + i % 30);
		rest = (seed & 0xffff) * 1001;
		sample_exchange(e, first, rest);
		sum += first + rest;
	}
	lines = export(s);
	check_endpoint_form(record_of(lines, "endpoint", 0));
	assert_int_equal(ns_at(record_of(lines, "endpoint", 0), "latency_s.sum"), sum);
	json_decref(lines);
}

static void test_quantiles(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "a", 80, NULL);
	static const struct {
		const char *path;
		double value;
	} wanted[] = {
		{"latency_s.p50", 1e-3},
		{"latency_s.p90", 2e-3},
		{"latency_s.p99", 5e-2},
		{"latency_s.p999", 7},
	};
	json_t *lines;

	for (int i = 1; i <= 1000; i++)
		sample_exchange(e,
				i <= 500   ? MS
				: i <= 900 ? 2 * MS
				: i <= 990 ? 50 * MS
					   : 7 * SECOND,
				0);
	lines = export(s);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		double got = json_number_value(at(record_of(lines, "endpoint", 0), wanted[i].path));

		assert_true(fabs(got / wanted[i].value - 1) <= 0.045);
	}
	json_decref(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server),	  cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_bands),	  cmocka_unit_test(test_slowest),
		cmocka_unit_test(test_client),	  cmocka_unit_test(test_other_unix_and_quiet),
		cmocka_unit_test(test_datagrams), cmocka_unit_test(test_invariants_of_many),
		cmocka_unit_test(test_quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
