// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines of operations below an endpoint's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exporter.h"
#include "gp_http.h"
#include "sample.h"
#include "table_row.h"

static struct gp_endpoint *sample_http(struct gp_snapshot *s)
{
	struct gp_endpoint *e = sample_endpoint(s, "nginx.service", 8080, NULL);

	e->protocol = GP_PROTOCOL_HTTP;
	return e;
}

/* The only row. */
static struct gp_table_row *rows_of(const struct gp_snapshot *s)
{
	struct gp_table_row *rows = NULL;
	size_t count = 0;

	assert_int_equal(gp_table_rows_new(&rows, &count, s), 0);
	assert_int_equal(count, 1);
	return rows;
}

static void assert_lines(const struct gp_snapshot *s, const char *const *names, size_t count)
{
	gp_auto(gp_free) struct gp_table_row *rows = rows_of(s);

	for (size_t i = 0; i < count && i < rows->operations; i++)
		assert_string_equal(rows->operation[i].name, names[i]);
	assert_int_equal(rows->operations, count);
}

/* Failures by their number, errors of clients by theirs, the rest by its time. */
static void test_order(void **state)
{
	static const char *const order[] = {"PUT none", "GET 503", "GET 404", "POST 200",
					    "GET 200"};
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s);

	sample_operation(e, GP_HTTP_GET, 200, 1000, MS);
	sample_operation(e, GP_HTTP_GET, 404, 10, MS);
	sample_operation(e, GP_HTTP_GET, 503, 2, SECOND);
	sample_operation(e, GP_HTTP_POST, 200, 2, SECOND);
	sample_operation(e, GP_HTTP_PUT, GP_STATUS_NONE, 3, 0);
	gp_endpoint_operation(e, GP_HTTP_HEAD, 200); /* without requests */
	assert_lines(s, order, ARRAY_SIZE(order));
}

/* In whatever order they come, those that do not fit are added. */
static void test_the_rest(void **state)
{
	static const char *const order[] = {"GET 209", "GET 208", "GET 207",
					    "GET 206", "GET 205", "… 6 more"};

	for (int from = 0; from < 2; from++) {
		gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
		struct gp_endpoint *e = sample_http(s);
		gp_auto(gp_free) struct gp_table_row *rows = NULL;
		const struct gp_table_figures *rest;

		sample_operation(e, 0, 0, 1, 100 * MS);
		for (int i = 0; i < 10; i++) {
			int which = from ? 9 - i : i;

			sample_operation(e, GP_HTTP_GET, 200 + which, which + 1, SECOND);
		}
		assert_lines(s, order, ARRAY_SIZE(order));
		rows = rows_of(s);
		rest = &rows->operation[5].figures;
		assert_true(rest->requests_per_s == 1.6); /* 1 and 1 to 5, in 10 s */
		assert_true(rest->max_ns == SECOND);
		assert_true(rest->p99_ns > 0.9 * SECOND);
		assert_int_equal(rest->failed, 0);
	}
}

/* Failures among the rest are counted. */
static void test_failures_in_the_rest(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s);
	gp_auto(gp_free) struct gp_table_row *rows = NULL;

	for (int i = 0; i < 8; i++)
		sample_operation(e, GP_HTTP_GET, 500 + i, 10 - i, MS);
	rows = rows_of(s);
	assert_string_equal(rows->operation[5].name, "… 3 more");
	assert_int_equal(rows->operation[5].figures.failed, 5 + 4 + 3);
	assert_int_equal(rows->operation[5].figures.tried, 52);
}

static void test_nothing_known(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s);

	sample_operation(e, 0, 0, 5, MS);
	assert_lines(s, NULL, 0);
	sample_operation(e, GP_HTTP_GET, 0, 5, MS);
	assert_lines(s, (const char *const[]){"other other", "GET other"}, 2);
}

static struct gp_snapshot *sample_block(void)
{
	struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_http(s);

	sample_operation(e, GP_HTTP_GET, 200, 19700, 100000);
	sample_operation(e, GP_HTTP_GET, 404, 100, 50000);
	sample_operation(e, GP_HTTP_POST, 503, 200, 20 * MS);
	sample_operation(e, GP_HTTP_OPTIONS, GP_STATUS_NONE, 4, 0);
	e->errors[GP_ERROR_SERVER] = 200;
	e->errors[GP_ERROR_CLIENT] = 100;
	e = sample_endpoint(s, "nginx.service", 6379, "127.0.0.1");
	sample_exchange(e, 50000, 0);
	sample_service(s, "nginx.service", 12 * SECOND);
	return s;
}

/* Takes colours, and blanks at the end, out of a line. */
static char *strip(char *line)
{
	char *to = line;

	for (const char *from = line; *from; from++) {
		if (*from == '\033')
			from = strchr(from, 'm');
		else
			*to++ = *from;
	}
	while (to > line && to[-1] == ' ')
		to--;
	*to = 0;
	return line;
}

static void assert_block(int width, const char *const *expected, size_t count)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_block();
	gp_auto(gp_free) char *text = NULL;
	size_t len = 0, n = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(gp_exporter_table.write(s, out, width), 0);
	assert_int_equal(fclose(out), 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++)
		if (n >= 3 && n < 3 + count)
			assert_string_equal(strip(line), expected[n - 3]);
	assert_int_equal(n, 3 + count);
}

/* Behind where the time went, which is the endpoint's; aligned with its columns. */
static void test_below_the_endpoint(void **state)
{
	static const char *const expected[] = {
		"SERVICE         ENDPOINT          REQ/S     P50     P99    ERR  IN FLIGHT",
		"nginx.service   :8080             2.00k  98.3µs  98.3µs  1.02%          0",
		"    slow ones (>15.6ms, 1.00%): 67% unattributed; 67% of all time unattributed",
		"  POST 503                           20  19.4ms  19.4ms  1.00%",
		"  OPTIONS none                     0.40       -       -  0.02%",
		"  GET 404                            10  49.1µs  49.1µs",
		"  GET 200                         1.97k  98.3µs  98.3µs",
		"nginx.service   → 127.0.0.1:6379   0.10  49.1µs  49.1µs      0          0",
	};

	assert_block(80, expected, ARRAY_SIZE(expected));
}

/* What is the service's or the endpoint's is not said again of its operations. */
static void test_in_a_file(void **state)
{
	static const char *const expected[] = {
		"SERVICE         ENDPOINT          REQ/S     P50     P90     P99     MAX    ERR  "
		"IN FLIGHT  IN/S  OUT/S  CONNS   CPU  RUNQ P99  STAGES                      "
		"        SLOW  WHERE",
		"nginx.service   :8080             2.00k  98.3µs  98.3µs  98.3µs  20.0ms  1.02%  "
		"        0    0B     0B      0  1.20         -  67% unattributed, 33% cpu  "
		"1.00% >15.6ms  67% unattributed; 67% of all time unattributed",
		"  POST 503                           20  19.4ms  19.4ms  19.4ms  20.0ms  1.00%",
		"  OPTIONS none                     0.40       -       -       -       -  0.02%",
		"  GET 404                            10  49.1µs  49.1µs  49.1µs  50.0µs",
		"  GET 200                         1.97k  98.3µs  98.3µs  98.3µs   100µs",
		"nginx.service   → 127.0.0.1:6379   0.10  49.1µs  49.1µs  49.1µs  50.0µs      0  "
		"        0    0B     0B      0  1.20         -  -                           "
		"           -  -",
	};

	assert_block(0, expected, ARRAY_SIZE(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_the_rest),
		cmocka_unit_test(test_failures_in_the_rest),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_below_the_endpoint),
		cmocka_unit_test(test_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
