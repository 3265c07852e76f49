// SPDX-License-Identifier: GPL-2.0-or-later
/* What the line of an exemplar says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "events.h"
#include "json_read.h"
#include "json_record.h"

/* The line, read back; to be given to json_decref. */
static json_t *line_of(const struct gp_event *event)
{
	gp_auto(gp_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct gp_json *j = NULL;
	json_t *line;

	assert_non_null(out);
	assert_int_equal(gp_json_new(&j, out), 0);
	gp_json_event(j, &sample_meta, event);
	gp_json_free(&j);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(strcspn(text, "\n"), len - 1);
	line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	return line;
}

static const char keys[] =
	COMMON "service role transport port protocol operation status duration_s first_byte_s "
	       "stages_s downstream bytes pid tid peer reason";

static void test_server(void **state)
{
	struct gp_event event = {
		.time = {.tv_sec = 1700000003, .tv_nsec = 250000000},
		.service = "ng\"inx\033[2J\xff",
		.port = 8080,
		.duration_ns = 7 * MS,
		.first_byte_ns = 5 * MS,
		.downstream = {"redis", "127.0.0.1", 6379, 3 * MS},
		.has_bytes = true,
		.bytes_in = 12,
		.bytes_out = 34,
		.pid = 4711,
		.tid = 4712,
		.peer = "192.0.2.1:4711",
	};
	json_t *line;

	for (size_t i = 0; i < GP_STAGE_COUNT; i++)
		event.stages_ns[i] = i + 1;
	line = line_of(&event);
	check_common(line);
	assert_keys(line, keys);
	assert_text_at(line, "type", "exemplar");
	assert_text_at(line, "time", "2023-11-14T22:13:23.250Z");
	assert_null_at(line, "interval_s");
	assert_text_at(line, "service", "ng\"inx" BAD "[2J" BAD);
	assert_text_at(line, "role", "server");
	assert_text_at(line, "transport", "tcp");
	assert_int_equal(count_at(line, "port"), 8080);
	assert_text_at(line, "protocol", "unknown");
	assert_null_at(line, "operation");
	assert_null_at(line, "status");
	assert_int_equal(ns_at(line, "duration_s"), 7 * MS);
	assert_int_equal(ns_at(line, "first_byte_s"), 5 * MS);
	assert_keys(at(line, "stages_s"),
		    "runqueue backlog cpu downstream io sleep unattributed transfer");
	assert_int_equal(ns_at(line, "stages_s.runqueue"), 1);
	assert_int_equal(ns_at(line, "stages_s.transfer"), 8);
	assert_keys(at(line, "downstream"), "service address port seconds");
	assert_text_at(line, "downstream.service", "redis");
	assert_text_at(line, "downstream.address", "127.0.0.1");
	assert_int_equal(count_at(line, "downstream.port"), 6379);
	assert_int_equal(ns_at(line, "downstream.seconds"), 3 * MS);
	assert_keys(at(line, "bytes"), "in out");
	assert_int_equal(count_at(line, "bytes.in"), 12);
	assert_int_equal(count_at(line, "bytes.out"), 34);
	assert_int_equal(count_at(line, "pid"), 4711);
	assert_int_equal(count_at(line, "tid"), 4712);
	assert_text_at(line, "peer", "192.0.2.1:4711");
	assert_text_at(line, "reason", "slow");
	json_decref(line);
}

/* What is not known is null. */
static void test_client_aborted(void **state)
{
	struct gp_event event = {
		.reason = GP_REASON_ABORTED, .service = "wrk", .role = GP_ROLE_CLIENT};
	json_t *line = line_of(&event);

	assert_keys(line, keys);
	assert_text_at(line, "role", "client");
	assert_text_at(line, "reason", "aborted");
	assert_text_at(line, "status", "none");
	assert_int_equal(ns_at(line, "duration_s"), 0);
	assert_null_at(line, "port");
	assert_null_at(line, "operation");
	assert_null_at(line, "first_byte_s");
	assert_null_at(line, "stages_s");
	assert_null_at(line, "downstream");
	assert_null_at(line, "bytes.in");
	assert_null_at(line, "bytes.out");
	assert_null_at(line, "pid");
	assert_null_at(line, "tid");
	assert_null_at(line, "peer");
	json_decref(line);
}

static void test_error(void **state)
{
	struct gp_event event = {
		.reason = GP_REASON_ERROR, .service = "wrk", .operation = "GET", .status = "500"};
	json_t *line;

	event.downstream.address = "other";
	line = line_of(&event);
	assert_text_at(line, "reason", "error");
	assert_text_at(line, "operation", "GET");
	assert_text_at(line, "status", "500");
	assert_text_at(line, "downstream.address", "other");
	assert_null_at(line, "downstream.service");
	assert_null_at(line, "downstream.port");
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_client_aborted),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
