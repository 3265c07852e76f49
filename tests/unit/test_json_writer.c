// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes of JSON that are written: numbers exact, text clean, one line each. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "json_writer.h"
#include "own.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

/* The text of what `write` writes; free() it. */
static char *written(void (*write)(struct gp_json *j))
{
	gp_auto(gp_json_free) struct gp_json *j = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(gp_json_new(&j, out), 0);
	write(j);
	assert_int_equal(ferror(out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_written(void (*write)(struct gp_json *j), const char *expected)
{
	gp_auto(gp_free) char *text = written(write);

	assert_string_equal(text, expected);
}

static void write_counts(struct gp_json *j)
{
	gp_json_open(j, NULL, '[');
	gp_json_count(j, NULL, 0);
	gp_json_count(j, NULL, UINT64_MAX);
	gp_json_signed(j, NULL, -160);
	gp_json_signed(j, NULL, INT64_MIN);
	gp_json_signed(j, NULL, INT64_MAX);
	gp_json_close(j, ']');
	gp_json_end_line(j);
}

static void test_counts(void **state)
{
	assert_written(write_counts, "[0,18446744073709551615,-160,-9223372036854775808,"
				     "9223372036854775807]\n");
}

static void write_seconds(struct gp_json *j)
{
	static const uint64_t values[] = {
		0, 1, 10, 999999999, 1000000000, 1500000000, 9007199254740993, UINT64_MAX,
	};

	gp_json_open(j, NULL, '[');
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		gp_json_seconds(j, NULL, values[i]);
	gp_json_close(j, ']');
	gp_json_end_line(j);
}

/* Beyond 2^53 a double would lose nanoseconds. */
static void test_seconds_are_exact(void **state)
{
	assert_written(write_seconds, "[0.0,0.000000001,0.00000001,0.999999999,1.0,1.5,"
				      "9007199.254740993,18446744073.709551615]\n");
}

static void write_reals(struct gp_json *j)
{
	gp_json_open(j, NULL, '[');
	gp_json_real(j, NULL, 0.1, 9);
	gp_json_real(j, NULL, 2.0 / 3, 9);
	gp_json_real(j, NULL, 0x1p-20, 17);
	gp_json_real(j, NULL, 4096, 17);
	gp_json_real(j, NULL, -1.5e300, 9);
	gp_json_close(j, ']');
	gp_json_end_line(j);
}

static void test_reals(void **state)
{
	assert_written(write_reals, "[0.1,0.666666667,9.5367431640625e-07,4096,-1.5e+300]\n");
}

static void write_texts(struct gp_json *j)
{
	gp_json_open(j, NULL, '{');
	gp_json_string(j, "plain", "caf\xc3\xa9 / \xf0\x9f\x98\x80");
	gp_json_string(j, "empty", "");
	gp_json_string(j, "none", NULL);
	gp_json_string(j, "quoted", "a\"b\\c");
	gp_json_string(j, "control", "a\nb\r\t\x1b[31m\x7f");
	gp_json_string(j, "bytes", "\xff\xc0\xaf\xed\xa0\x80\xc2\x9b\xe2\x82");
	gp_json_close(j, '}');
	gp_json_end_line(j);
}

static void test_texts(void **state)
{
	assert_written(write_texts,
		       "{\"plain\":\"caf\xc3\xa9 / \xf0\x9f\x98\x80\",\"empty\":\"\",\"none\":null,"
		       "\"quoted\":\"a\\\"b\\\\c\","
		       "\"control\":\"a" BAD "b" BAD BAD BAD "[31m" BAD "\","
		       "\"bytes\":\"" BAD BAD BAD BAD BAD BAD BAD BAD "\"}\n");
}

/* The longest path stays whole, even if every byte of it becomes three. */
static void write_long_texts(struct gp_json *j)
{
	char text[PATH_MAX];

	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	gp_json_string(j, NULL, text);
	gp_json_end_line(j);
}

static void test_longest_path(void **state)
{
	gp_auto(gp_free) char *text = written(write_long_texts);

	assert_int_equal(strlen(text), 3 * (PATH_MAX - 1) + strlen("\"\"\n"));
	assert_string_equal(text + strlen(text) - 5, BAD "\"\n");
}

static void write_lines(struct gp_json *j)
{
	for (int i = 0; i < 3; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_open(j, "a", '[');
		gp_json_open(j, NULL, '[');
		gp_json_close(j, ']');
		gp_json_null(j, NULL);
		gp_json_open(j, NULL, '{');
		gp_json_count(j, "b", i);
		gp_json_null(j, "c");
		gp_json_close(j, '}');
		gp_json_close(j, ']');
		gp_json_close(j, '}');
		gp_json_end_line(j);
	}
}

static void test_lines(void **state)
{
	assert_written(write_lines, "{\"a\":[[],null,{\"b\":0,\"c\":null}]}\n"
				    "{\"a\":[[],null,{\"b\":1,\"c\":null}]}\n"
				    "{\"a\":[[],null,{\"b\":2,\"c\":null}]}\n");
}

static void test_full_disk(void **state)
{
	gp_auto(gp_fclose) FILE *full = fopen("/dev/full", "w");
	gp_auto(gp_json_free) struct gp_json *j = NULL;

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(gp_json_new(&j, full), 0);
	errno = 0;
	write_counts(j);
	assert_int_not_equal(ferror(full), 0);
	assert_int_equal(errno, ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	     cmocka_unit_test(test_seconds_are_exact),
		cmocka_unit_test(test_reals),	     cmocka_unit_test(test_texts),
		cmocka_unit_test(test_longest_path), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
