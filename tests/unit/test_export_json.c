// SPDX-License-Identifier: GPL-2.0-or-later
/* All records but those of endpoints, and what concerns all of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json_read.h"

static void test_meta(void **state)
{
	gp_auto(gp_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *lines, *meta;

	assert_non_null(out);
	assert_int_equal(gp_exporter_json.begin(&sample_meta, out), 0);
	assert_int_equal(fclose(out), 0);
	lines = parse_lines(text);
	assert_int_equal(json_array_size(lines), 1);
	meta = json_array_get(lines, 0);
	check_common(meta);
	assert_keys(meta, COMMON "version kernel hooks missing bounds protocols");
	assert_text_at(meta, "type", "meta");
	assert_null_at(meta, "interval_s");
	assert_int_equal(strlen(json_string_value(at(meta, "time"))), 24);
	assert_text_at(meta, "version", "1.2.3");
	assert_text_at(meta, "kernel", "6.12.0");
	assert_int_equal(count_at(meta, "bounds.endpoints"), 1024);
	assert_int_equal(count_at(meta, "bounds.services"), 512);
	assert_int_equal(json_array_size(at(meta, "hooks")), 2);
	assert_text_at(json_array_get(at(meta, "hooks"), 0), "event", "data readable");
	assert_text_at(json_array_get(at(meta, "hooks"), 0), "hook", "tp_btf/sk_data_ready");
	assert_null_at(json_array_get(at(meta, "hooks"), 1), "hook");
	assert_int_equal(json_array_size(at(meta, "missing")), 1);
	assert_string_equal(json_string_value(json_array_get(at(meta, "missing"), 0)),
			    "accept_queue.wait_s is not known");
	assert_int_equal(json_array_size(at(meta, "protocols")), 2);
	assert_string_equal(json_string_value(json_array_get(at(meta, "protocols"), 0)), "http");
	assert_string_equal(json_string_value(json_array_get(at(meta, "protocols"), 1)), "dns");
	json_decref(lines);
}

static void test_names_are_clean(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines;

	sample_endpoint(s, "a\"b\\c\033[31m\xff/\xc3\xa9\n", 80, NULL)->active = 1;
	sample_service(s, "\x7f\xc2\x9b", 1);
	lines = export(s);
	assert_text_at(record_of(lines, "endpoint", 0), "service",
		       "a\"b\\c" BAD "[31m" BAD "/\xc3\xa9" BAD);
	assert_text_at(record_of(lines, "service", 0), "service", BAD BAD);
	json_decref(lines);
}

static const char service_keys[] =
	COMMON NAMES "pid threads cpu runqueue_s runqueue_histogram switches io_wait_s pressure_s "
		     "unattributed";

static void test_service(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_service *service = sample_service(s, "nginx", 2500 * MS);
	json_t *lines, *line;

	service->pid = 4711;
	service->threads = 3;
	service->io_ns = 5;
	service->voluntary = 6;
	service->involuntary = 7;
	sample_value(&service->runqueue, 20000);
	/* cpu a third of the first-byte time, the rest of it unattributed: 2 + 4 of 9 ms. */
	sample_exchange(sample_endpoint(s, "nginx", 80, NULL), 3 * MS, 0);
	sample_exchange(sample_endpoint(s, "nginx", 81, NULL), 6 * MS, 3 * MS);
	sample_exchange(sample_endpoint(s, "nginx", 81, "10.0.0.1"), 60 * MS, 0);
	sample_exchange(sample_endpoint(s, "other", 81, NULL), 60 * MS, 0);
	lines = export(s);
	line = record_of(lines, "service", 0);
	check_common(line);
	assert_keys(line, service_keys);
	assert_int_equal(count_at(line, "pid"), 4711);
	assert_int_equal(count_at(line, "threads"), 3);
	assert_keys(at(line, "cpu"), "seconds cores limit_cores throttled_s throttled_periods");
	assert_int_equal(ns_at(line, "cpu.seconds"), 2500 * MS);
	assert_true(json_number_value(at(line, "cpu.cores")) == 0.25);
	assert_null_at(line, "cpu.limit_cores");
	assert_null_at(line, "cpu.throttled_s");
	assert_null_at(line, "cpu.throttled_periods");
	assert_keys(at(line, "runqueue_s"), QUANTILES);
	check_quantiles(at(line, "runqueue_s"), 1);
	check_histogram(at(line, "runqueue_histogram"), 1);
	assert_int_equal(count_at(line, "switches.voluntary"), 6);
	assert_int_equal(count_at(line, "switches.involuntary"), 7);
	assert_int_equal(ns_at(line, "io_wait_s"), 5);
	assert_null_at(line, "pressure_s");
	assert_true(json_number_value(at(line, "unattributed")) == 0.5);
	json_decref(lines);
}

static void test_without_scheduler(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_service(s, "nginx", 1)->has_sched = false;
	s->host.has_sched = false;
	lines = export(s);
	line = record_of(lines, "service", 0);
	assert_keys(line, service_keys);
	assert_null_at(line, "pid");
	assert_null_at(line, "cpu");
	assert_null_at(line, "runqueue_s");
	assert_null_at(line, "runqueue_histogram");
	assert_null_at(line, "switches");
	assert_null_at(line, "io_wait_s");
	assert_null_at(line, "unattributed");
	line = record_of(lines, "host", 0);
	assert_int_equal(count_at(line, "cpus"), 2);
	assert_null_at(line, "cpu");
	assert_null_at(line, "runqueue_s");
	assert_null_at(line, "runqueue_length");
	json_decref(lines);
}

static void test_host(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line, *each;

	sample_value(&s->host.runqueue, 3000);
	s->host.cpu[0].waited_ns = 15 * SECOND;
	s->host.cpu[0].waiting_max = 9;
	s->host.cpu[1].waited_ns = 5 * SECOND;
	s->host.cpu[1].waiting_max = 4;
	lines = export(s);
	line = record_of(lines, "host", 0);
	check_common(line);
	assert_keys(line, COMMON "cpus cpu runqueue_length runqueue_s pressure_s listen_drops "
				 "listen_overflows retransmits");
	assert_int_equal(ns_at(line, "cpu.seconds"), 10 * SECOND);
	assert_true(json_number_value(at(line, "cpu.busy")) == 0.5);
	assert_int_equal(json_array_size(at(line, "cpu.each")), 2);
	assert_int_equal(ns_at(json_array_get(at(line, "cpu.each"), 1), "seconds"), 2 * SECOND);
	assert_true(json_number_value(at(json_array_get(at(line, "cpu.each"), 0), "busy")) == 0.8);
	assert_keys(at(line, "runqueue_s"), QUANTILES " histogram");
	check_histogram(at(line, "runqueue_s.histogram"), 1);
	assert_true(json_number_value(at(line, "runqueue_length.avg")) == 2);
	assert_int_equal(count_at(line, "runqueue_length.max"), 9);
	each = json_array_get(at(line, "runqueue_length.each"), 1);
	assert_true(json_number_value(at(each, "avg")) == 0.5);
	assert_int_equal(count_at(each, "max"), 4);
	assert_null_at(line, "pressure_s");
	assert_null_at(line, "listen_drops");
	assert_null_at(line, "listen_overflows");
	assert_null_at(line, "retransmits");
	json_decref(lines);
}

static void test_edges(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_edge(s, "ng\ninx", "redis", "127.0.0.1", 5)->errors = 2;
	sample_edge(s, "quiet", NULL, "127.0.0.1", 0);
	sample_edge(s, NULL, NULL, "other", 1)->port = 0;
	lines = export(s);
	line = record_of(lines, "edge", 0);
	check_common(line);
	assert_keys(line, COMMON "service port protocol to calls errors seconds");
	assert_text_at(line, "service", "ng" BAD "inx");
	assert_int_equal(count_at(line, "port"), 80);
	assert_text_at(line, "protocol", "unknown");
	assert_keys(at(line, "to"), "service address port protocol");
	assert_text_at(line, "to.service", "redis");
	assert_text_at(line, "to.address", "127.0.0.1");
	assert_int_equal(count_at(line, "to.port"), 6379);
	assert_text_at(line, "to.protocol", "unknown");
	assert_int_equal(count_at(line, "calls"), 5);
	assert_int_equal(count_at(line, "errors"), 2);
	assert_int_equal(ns_at(line, "seconds"), 5 * MS);

	line = record_of(lines, "edge", 1);
	assert_null_at(line, "service");
	assert_null_at(line, "port");
	assert_null_at(line, "protocol");
	assert_null_at(line, "to.service");
	assert_text_at(line, "to.address", "other");
	assert_null_at(line, "to.port");
	assert_text_at(line, "to.protocol", "unknown");
	assert_null(record_of(lines, "edge", 2));
	json_decref(lines);
}

static void test_self(void **state)
{
	static const char *const dropped[] = {
		"endpoints", "services",     "operations",  "connections", "threads",	"edges",
		"pipeline",  "bytes_unseen", "stale_slots", "clock",	   "exemplars",
	};
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_self *self = &s->self;
	json_t *lines, *line;

	self->program = calloc(1, sizeof(*self->program));
	self->map = calloc(1, sizeof(*self->map));
	assert_true(self->program && self->map);
	self->programs = self->maps = 1;
	*self->program = (struct gp_program){.name = "arrive_tp", .runs = 5, .ns = 601};
	*self->map = (struct gp_map_use){.name = "gp_threads", .used = 7, .max = 8};
	self->cpu_ns = 12345;
	self->rss_bytes = 4096;
	for (size_t i = 0; i < GP_DROP_COUNT; i++)
		self->dropped[i] = 100 + i;
	for (int known = 0; known < 2; known++) {
		self->has_programs = known;
		lines = export(s);
		line = record_of(lines, "self", 0);
		check_common(line);
		assert_keys(line, COMMON "bpf cpu_s rss_bytes maps dropped");
		assert_int_equal(ns_at(line, "cpu_s"), 12345);
		assert_int_equal(count_at(line, "rss_bytes"), 4096);
		assert_text_at(json_array_get(at(line, "maps"), 0), "map", "gp_threads");
		assert_int_equal(count_at(json_array_get(at(line, "maps"), 0), "used"), 7);
		assert_int_equal(count_at(json_array_get(at(line, "maps"), 0), "max"), 8);
		assert_int_equal(json_object_size(at(line, "dropped")), ARRAY_SIZE(dropped));
		for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
			assert_int_equal(count_at(at(line, "dropped"), dropped[i]), 100 + i);
		if (known) {
			line = json_array_get(at(line, "bpf"), 0);
			assert_keys(line, "program runs seconds");
			assert_text_at(line, "program", "arrive_tp");
			assert_int_equal(count_at(line, "runs"), 5);
			assert_int_equal(ns_at(line, "seconds"), 601);
		} else {
			assert_null_at(line, "bpf");
		}
		json_decref(lines);
	}
}

static void test_full_disk(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	gp_auto(gp_fclose) FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(gp_exporter_json.write(s, full, 0), -ENOSPC);
	assert_int_equal(gp_exporter_json.begin(&sample_meta, full), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta),	  cmocka_unit_test(test_names_are_clean),
		cmocka_unit_test(test_service),	  cmocka_unit_test(test_without_scheduler),
		cmocka_unit_test(test_host),	  cmocka_unit_test(test_self),
		cmocka_unit_test(test_full_disk), cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
