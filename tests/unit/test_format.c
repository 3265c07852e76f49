// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "format.h"
#include "own.h"

static void test_durations(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} cases[] = {
		{0, "0ns"},
		{999, "999ns"},
		{953.67, "954ns"},
		{999.6, "1.00µs"},
		{9994, "9.99µs"},
		{9996, "10.0µs"},
		{99960, "100µs"},
		{999400, "999µs"},
		{999600, "1.00ms"},
		{12345678, "12.3ms"},
		{1e9, "1.00s"},
		{61e9, "61.0s"},
		{99.96e9, "1.67m"},
		{3600e9, "60.0m"},
		{99.96 * 60e9, "1.67h"},
		{1000 * 3600e9, "1000h"},
	};
	char text[GP_FORMAT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_format_duration(text, cases[i].ns);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_numbers_and_bytes(void **state)
{
	static const struct {
		double number;
		const char *text, *bytes;
	} cases[] = {
		{0, "0", "0B"},
		{0.104, "0.10", "0.10B"},
		{12.34, "12.3", "12.3B"},
		{999, "999", "999B"},
		{999.7, "1.00k", "0.98KiB"},
		{1536, "1.54k", "1.50KiB"},
		{1234567, "1.23M", "1.18MiB"},
		{5e9, "5.00G", "4.66GiB"},
		{5e12, "5000G", "4657GiB"},
	};
	char text[GP_FORMAT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_format_number(text, cases[i].number);
		assert_string_equal(text, cases[i].text);
		gp_format_bytes(text, cases[i].number);
		assert_string_equal(text, cases[i].bytes);
	}
}

static void test_time(void **state)
{
	char text[GP_FORMAT_SIZE];

	gp_format_time(text, &(struct timespec){.tv_sec = 951782399, .tv_nsec = 999999999});
	assert_string_equal(text, "2000-02-28T23:59:59.999Z");
	gp_format_time(text, &(struct timespec){.tv_sec = 253402300800});
	assert_string_equal(text, "");
}

static void test_places(void **state)
{
	static const struct {
		const char *address, *text;
		uint16_t port;
	} cases[] = {
		{"127.0.0.1", "127.0.0.1:80", 80},
		{"2001:db8::1", "[2001:db8::1]:65535", 65535},
		{"other", "other", 0},
		{"/run/a:b", "/run/a:b", 0},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gp_format_place(text, sizeof(text), cases[i].address, cases[i].port);
		assert_string_equal(text, cases[i].text);
	}
	gp_format_place(text, 8, "2001:db8::1", 80);
	assert_string_equal(text, "[2001:d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_numbers_and_bytes),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
