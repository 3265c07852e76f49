// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter.h"
#include "sample.h"
#include "table_text.h"
#include "text.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */
#define LINES_MAX 32

/* An export and its lines. */
struct block {
	char *text, *line[LINES_MAX];
	size_t lines;
};

static void free_block(struct block *b)
{
	free(b->text);
}

static struct block export(const struct gp_snapshot *s, int width)
{
	struct block b = {};
	size_t len = 0;
	FILE *out = open_memstream(&b.text, &len);

	assert_non_null(out);
	assert_int_equal(gp_exporter_table.write(s, out, width), 0);
	assert_int_equal(fclose(out), 0);
	assert_true(len > 2);
	assert_ptr_equal(strstr(b.text, "\n\n"), b.text + len - 2); /* only there */
	for (char *line = strtok(b.text, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(b.lines < LINES_MAX);
		b.line[b.lines++] = line;
	}
	return b;
}

static void assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, beginning);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not have '%s'", text, part);
}

static void test_shares(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *text;
	} cases[] = {
		{0, 5, "0"},	 {1, 100000, "<0.01%"}, {1, 1000, "0.10%"},
		{1, 3, "33.3%"}, {5, 5, "100%"},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_table_share(text, sizeof(text), cases[i].part, cases[i].whole);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_clipping(void **state)
{
	static const struct {
		const char *given, *text;
	} cases[] = {
		{"nginx", "nginx"},
		{"12345678", "12345678"},
		{"123456789", "1234567…"},
		{"ääääääää", "ääääääää"},
		{"äääääääää", "äääääää…"},
		{"\033[31mred", BAD "[31mred"},
		{"\033[31mredd", BAD "[31mre…"},
		{"", ""},
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_table_clip(text, sizeof(text), cases[i].given, 8);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_endpoints(void **state)
{
	static const struct {
		struct gp_endpoint e;
		const char *text;
	} cases[] = {
		{{.port = 8080}, ":8080"},
		{{.transport = GP_TRANSPORT_UDP, .port = 53}, "udp :53"},
		{{.transport = GP_TRANSPORT_UNIX, .address = "/run/a"}, "unix /run/a"},
		{{.is_other = true}, "other"},
		{{.role = GP_ROLE_CLIENT, .is_other = true}, "→ other"},
		{{.role = GP_ROLE_CLIENT, .port = 6379, .address = "127.0.0.1"},
		 "→ 127.0.0.1:6379"},
		{{.role = GP_ROLE_CLIENT, .port = 6379, .address = "::1"}, "→ [::1]:6379"},
		{{.role = GP_ROLE_CLIENT, .port = 65535, .address = "2001:db8:1111:2222::1"},
		 "→ [2001:db8:…]:65535"},
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_table_endpoint(text, sizeof(text), &cases[i].e, 20);
		assert_string_equal(text, cases[i].text);
	}
}

/* A server, its client side, and a service that only computes. */
static struct gp_snapshot *sample_block(void)
{
	struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "nginx.service", 8080, NULL);
	struct gp_service *service;

	for (int i = 0; i < 19990; i++)
		sample_exchange(e, i < 18000 ? 100000 : 2 * MS, 0);
	e->errors[GP_ERROR_ABORTED] = 10;
	e->in_flight = 3;
	e->oldest_ns = SECOND;
	e->bytes_in = 10 * 1536;
	e->bytes_out = 10 * 1536 * 1024;
	e->active = 256;
	e = sample_endpoint(s, "nginx.service", 6379, "127.0.0.1");
	for (int i = 0; i < 50; i++)
		sample_exchange(e, 50000, 0);
	service = sample_service(s, "nginx.service", 12 * SECOND);
	sample_value(&service->runqueue, 20000);
	service = sample_service(s, "postgres", SECOND);
	sample_value(&service->runqueue, 20000);
	sample_service(s, "idle", SECOND / 11);
	sample_value(&s->host.runqueue, 30000);
	s->self.dropped[GP_DROP_SERVICES] = 3;
	s->self.dropped[GP_DROP_EXEMPLARS] = 12;
	return s;
}

static void test_whole_block(void **state)
{
	static const char *const expected[] = {
		"2023-11-14T22:13:30.123Z  host" BAD "[2J1  last 10.0s; worst first: unanswered > "
		"1s, errors, p99 x rate",
		"served 2.00k/s, called 5/s, 10 failed (0.05%), 3 in flight; CPU 1 of 2 cores, "
		"run-queue p99 29.2µs",
		"most time lost: nginx.service :8080, slow ones (>1.95ms, 9.95%): 67% "
		"unattributed; 67% of all time unattributed",
		"SERVICE        ENDPOINT          REQ/S     P50     P90     P99     MAX    ERR  "
		"IN FLIGHT     IN/S    OUT/S  CONNS   CPU  RUNQ P99  STAGES                  "
		"            SLOW  WHERE",
		"nginx.service  :8080             2.00k  98.3µs  98.3µs  2.00ms  2.00ms  0.05%  "
		"        3  1.50KiB  1.50MiB    256  1.20    20.0µs  "
		"67% unattributed, 33% cpu  9.95% >1.95ms  67% unattributed; 67% of all time "
		"unattributed",
		"nginx.service  → 127.0.0.1:6379      5  49.1µs  49.1µs  49.1µs  50.0µs      0  "
		"        0       0B       0B      0  1.20    20.0µs  "
		"-                                      -  -",
		"other services: postgres CPU 0.10, run-queue p99 20.0µs",
		"dropped: services 3, exemplars 12",
	};
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(free_block) struct block b = export(s, 0);

	for (size_t i = 0; i < b.lines && i < ARRAY_SIZE(expected); i++)
		assert_string_equal(b.line[i], expected[i]);
	assert_int_equal(b.lines, ARRAY_SIZE(expected));
}

/* One endpoint for each reason to stand higher, given in the opposite order. */
static void test_order(void **state)
{
	static const char *const order[] = {"hung-long",    "hung",    "failing",
					    "failing-less", "refused", "busy",
					    "slow",	    "b-idle",  "c-idle"};
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e[ARRAY_SIZE(order)];
	gp_auto(free_block) struct block b = {};

	for (size_t i = ARRAY_SIZE(order); i-- > 0;)
		sample_endpoint(s, order[i], 80, strcmp(order[i], "refused") ? NULL : "10.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		e[i] = &s->endpoint[ARRAY_SIZE(order) - 1 - i];
		e[i]->active = 1;
		for (int n = 0; n < 100 && i < 5; n++)
			sample_exchange(e[i], MS, 0);
	}
	for (int i = 0; i < 2; i++) {
		e[i]->in_flight = 1;
		e[i]->oldest_ns = (20 - i) * SECOND;
	}
	e[1]->errors[GP_ERROR_ABORTED] = 1000;
	e[2]->errors[GP_ERROR_ABORTED] = 50;
	e[2]->in_flight = 1;
	e[2]->oldest_ns = SECOND; /* not longer than that */
	e[3]->errors[GP_ERROR_ABORTED] = 5;
	e[4]->failed[GP_FAILURE_REFUSED] = 1;
	for (int i = 0; i < 100; i++)
		sample_exchange(e[5], 2 * MS, 0);
	sample_exchange(e[6], 50 * MS, 0);
	b = export(s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_begins(b.line[3 + i], order[i]);
	assert_has(b.line[3], "1 (20.0s)");
	assert_has(b.line[4], "1 (19.0s)");
	assert_has(b.line[7], " 0.99%");
}

static void test_columns_are_aligned(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	gp_auto(free_block) struct block b = {};
	size_t cells[5] = {};

	sample_endpoint(s, "caf\xc3\xa9", 80, NULL)->active = 1;
	sample_endpoint(s, "a-service-whose-name-is-much-too-long", 80, "2001:db8::1")->active = 1;
	sample_exchange(&s->endpoint[1], 3 * MS, MS);
	sample_endpoint(s, "\033[2J\r", 80, NULL)->active = 123456;
	b = export(s, 0);
	assert_int_equal(b.lines, 6);
	for (size_t i = 0; i < 4; i++) {
		const char *text = b.line[2 + i], *last = strrchr(text, ' ');

		while (text < last && gp_text_next(&text))
			cells[i]++;
		assert_int_equal(cells[i], cells[0]);
	}
	assert_begins(b.line[3], "a-service-whose-name-is…  → [2001:db8::1]:80");
}

/* Whatever the locale of the process: here it is C. */
static void test_no_escape_gets_out(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(free_block) struct block b = {};

	sample_endpoint(s, "\033]0;title\007\x9b", 80, "\033[31m")->active = 1;
	sample_service(s, "\033[1mbusy", SECOND);
	b = export(s, 0);
	for (size_t i = 0; i < b.lines; i++)
		for (const char *at = b.line[i]; *at; at++)
			assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
	assert_begins(b.line[6], BAD "]0;title" BAD BAD "  ");
	assert_has(b.line[6], "→ " BAD "[31m:80");
	assert_has(b.line[7], BAD "[1mbusy CPU 0.10");
}

static void test_on_a_terminal(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(free_block) struct block wide = export(s, 200), narrow = export(s, 80);

	assert_has(wide.line[3], "\033[1mSERVICE");
	assert_has(wide.line[3], "CONNS");
	assert_has(wide.line[4], "\033[31m0.05%\033[0m");
	assert_null(strchr(wide.line[5], '\033')); /* nothing hurts there */
	assert_has(narrow.line[3], "SERVICE");
	assert_has(narrow.line[3], "IN FLIGHT");
	assert_null(strstr(narrow.line[3], "CONNS"));
	assert_null(strstr(narrow.line[3], "P90"));
	assert_null(strstr(narrow.line[4], "98.3µs  98.3µs"));
	assert_has(narrow.line[4], "2.00ms");
}

/* Where the time went stands in columns if there is room for them, else below. */
static void test_where(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(free_block) struct block widest = export(s, 250), wide = export(s, 249),
					 narrow = export(s, 199);

	assert_has(widest.line[3], "STAGES");
	assert_has(widest.line[4], "67% unattributed, 33% cpu  9.95% >1.95ms  67% unattr");
	assert_null(strstr(wide.line[3], "STAGES"));
	assert_has(wide.line[3], "SLOW");
	assert_has(wide.line[3], "WHERE");
	assert_has(wide.line[4], "20.0µs  9.95% >1.95ms  67% unattr");
	assert_int_equal(wide.lines, 8);

	assert_null(strstr(narrow.line[3], "SLOW"));
	assert_null(strstr(narrow.line[3], "WHERE"));
	assert_begins(narrow.line[4], "nginx.service  :8080 ");
	assert_string_equal(narrow.line[5], "    slow ones (>1.95ms, 9.95%): 67% unattributed; "
					    "67% of all time unattributed");
	assert_begins(narrow.line[6], "nginx.service  → ");
	assert_begins(narrow.line[7], "other services:");
	assert_int_equal(narrow.lines, 9);
}

/* At the top is the one whose slow requests took most time beyond that of the others. */
static void test_most_time_lost(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	gp_auto(free_block) struct block b = {};
	struct gp_endpoint *longest = sample_endpoint(s, "longest", 80, NULL), *most;

	for (int i = 0; i < 100; i++)
		sample_exchange(longest, i < 98 ? MS : 50 * MS, 0);
	most = sample_endpoint(s, "most", 81, NULL);
	for (int i = 0; i < 1000; i++)
		sample_exchange(most, i < 980 ? MS : 0, i < 980 ? 0 : 20 * MS);
	b = export(s, 120);
	assert_string_equal(b.line[2], "most time lost: most :81, slow ones (>15.6ms, 2.00%): "
				       "100% transfer; 47% of all time unattributed");
}

static void test_nothing_happened(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	gp_auto(free_block) struct block b = {};

	sample_endpoint(s, "quiet", 80, NULL)->listeners = 1;
	s->host.has_sched = false;
	b = export(s, 0);
	assert_int_equal(b.lines, 3);
	assert_string_equal(b.line[1], "served 0/s, called 0/s, 0 failed, 0 in flight");
	assert_string_equal(b.line[2], "no endpoint had traffic");
}

static void test_without_scheduler(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(free_block) struct block b = {};

	for (size_t i = 0; i < s->services; i++)
		s->service[i].has_sched = false;
	b = export(s, 0);
	assert_has(b.line[4], "    256    -         -");
	assert_begins(b.line[6], "dropped:");
}

static void test_busiest_others(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	gp_auto(free_block) struct block b = {};
	char name[16];

	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		sample_service(s, name, (i * 4 % 9 + 1) * SECOND);
	}
	sample_service(s, "least", SECOND / 10);
	b = export(s, 0);
	assert_string_equal(b.line[3], "other services: s2 CPU 0.90; s4 CPU 0.80; s6 CPU 0.70; "
				       "s8 CPU 0.60; s1 CPU 0.50");
	s->services = 0;
	sample_service(s, "least", SECOND / 10);
	sample_service(s, "less", SECOND / 10 - 1);
	free_block(&b);
	b = export(s, 0);
	assert_string_equal(b.line[3], "other services: least CPU 0.01");
}

static void test_full_disk(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(gp_fclose) FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(gp_exporter_table.write(s, full, 0), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_clipping),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_whole_block),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_columns_are_aligned),
		cmocka_unit_test(test_no_escape_gets_out),
		cmocka_unit_test(test_on_a_terminal),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_most_time_lost),
		cmocka_unit_test(test_nothing_happened),
		cmocka_unit_test(test_without_scheduler),
		cmocka_unit_test(test_busiest_others),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
