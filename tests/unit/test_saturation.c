// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits, pressure and the host's counters from one snapshot to another, and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json_read.h"

static const char pressure_keys[] = "cpu_some cpu_full memory_some memory_full io_some io_full";

/* Everything known, in multiples of `n`; but of the pressure no "full" of the CPU. */
static struct gp_service *sample_limited(struct gp_snapshot *s, uint64_t n)
{
	struct gp_service *service = sample_service(s, "nginx", n * MS);

	service->limit_cores = 0.2 * (double)n;
	service->has_throttled = true;
	service->throttled_ns = n * MS;
	service->throttled_periods = n;
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++)
		if (i != GP_PRESSURE_CPU_FULL) {
			service->pressure.has[i] = true;
			service->pressure.ns[i] = n * (i + 1);
		}
	return service;
}

static void sample_host(struct gp_host *host, uint64_t n)
{
	host->pressure.has[GP_PRESSURE_IO_FULL] = true;
	host->pressure.ns[GP_PRESSURE_IO_FULL] = n;
	host->has_listen = host->has_retransmits = true;
	host->listen_drops = 2 * n;
	host->listen_overflows = 3 * n;
	host->retransmits = 4 * n;
}

static void test_service(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_limited(s, 3);
	lines = export(s);
	line = record_of(lines, "service", 0);
	assert_true(json_number_value(at(line, "cpu.limit_cores")) == 0.6);
	assert_int_equal(ns_at(line, "cpu.throttled_s"), 3 * MS);
	assert_int_equal(count_at(line, "cpu.throttled_periods"), 3);
	assert_keys(at(line, "pressure_s"), pressure_keys);
	assert_int_equal(ns_at(line, "pressure_s.cpu_some"), 3);
	assert_null_at(line, "pressure_s.cpu_full");
	assert_int_equal(ns_at(line, "pressure_s.memory_some"), 9);
	assert_int_equal(ns_at(line, "pressure_s.memory_full"), 12);
	assert_int_equal(ns_at(line, "pressure_s.io_some"), 15);
	assert_int_equal(ns_at(line, "pressure_s.io_full"), 18);
	json_decref(lines);
}

/* Files are read without the scheduler's programs too. */
static void test_service_without_scheduler(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_limited(s, 1)->has_sched = false;
	lines = export(s);
	line = record_of(lines, "service", 0);
	assert_keys(at(line, "cpu"), "seconds cores limit_cores throttled_s throttled_periods");
	assert_null_at(line, "cpu.seconds");
	assert_null_at(line, "cpu.cores");
	assert_true(json_number_value(at(line, "cpu.limit_cores")) == 0.2);
	assert_int_equal(ns_at(line, "cpu.throttled_s"), MS);
	json_decref(lines);
}

static void test_service_without_limit(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_service *service = sample_limited(s, 1);
	json_t *lines, *line;

	service->is_unlimited = true; /* one of two groups */
	service->throttled_ns = service->throttled_periods = 0;
	lines = export(s);
	line = record_of(lines, "service", 0);
	assert_null_at(line, "cpu.limit_cores");
	assert_int_equal(ns_at(line, "cpu.throttled_s"), 0);
	assert_int_equal(count_at(line, "cpu.throttled_periods"), 0);
	json_decref(lines);
}

static void test_host(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	json_t *lines, *line;

	sample_host(&s->host, 5);
	lines = export(s);
	line = record_of(lines, "host", 0);
	assert_keys(at(line, "pressure_s"), pressure_keys);
	assert_int_equal(ns_at(line, "pressure_s.io_full"), 5);
	assert_null_at(line, "pressure_s.cpu_some");
	assert_int_equal(count_at(line, "listen_drops"), 10);
	assert_int_equal(count_at(line, "listen_overflows"), 15);
	assert_int_equal(count_at(line, "retransmits"), 20);
	json_decref(lines);
}

static void test_prepend_service(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();
	struct gp_service *service = sample_limited(s, 1);

	service->pressure.has[GP_PRESSURE_IO_SOME] = false;
	service->pressure.ns[GP_PRESSURE_IO_SOME] = 0;
	sample_limited(older, 10);
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_true(service->limit_cores == 0.2); /* a gauge */
	assert_int_equal(service->throttled_ns, 11 * MS);
	assert_int_equal(service->throttled_periods, 11);
	assert_int_equal(service->pressure.ns[GP_PRESSURE_CPU_SOME], 11);
	assert_true(service->pressure.has[GP_PRESSURE_IO_SOME]);
	assert_int_equal(service->pressure.ns[GP_PRESSURE_IO_SOME], 50);
	assert_false(service->pressure.has[GP_PRESSURE_CPU_FULL]);
}

static void test_prepend_host(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();

	sample_host(&older->host, 10);
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_true(s->host.has_listen && s->host.has_retransmits);
	assert_true(s->host.pressure.has[GP_PRESSURE_IO_FULL]);
	sample_host(&s->host, 1);
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->host.pressure.ns[GP_PRESSURE_IO_FULL], 11);
	assert_int_equal(s->host.listen_drops, 22);
	assert_int_equal(s->host.listen_overflows, 33);
	assert_int_equal(s->host.retransmits, 44);
}

static void test_copy(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *copy = NULL;

	sample_limited(s, 7);
	sample_host(&s->host, 7);
	assert_int_equal(gp_snapshot_copy(&copy, s), 0);
	assert_true(copy->service[0].limit_cores == s->service[0].limit_cores);
	assert_int_equal(copy->service[0].throttled_ns, 7 * MS);
	assert_memory_equal(&copy->service[0].pressure, &s->service[0].pressure,
			    sizeof(struct gp_pressure));
	assert_int_equal(copy->host.retransmits, 28);
	assert_true(copy->host.pressure.has[GP_PRESSURE_IO_FULL]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_service_without_scheduler),
		cmocka_unit_test(test_service_without_limit),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_prepend_service),
		cmocka_unit_test(test_prepend_host),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
