// SPDX-License-Identifier: GPL-2.0-or-later
/* Paths of programs and control groups, from the form in which the kernel side takes them down. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "origin.h"
#include "own.h"

#define PATH(parts)                                                                                \
	{                                                                                          \
		.state = GP_PATH_WHOLE, .len = sizeof(parts), .part = parts                        \
	}

static const struct {
	struct gp_path path;
	const char *expected;
} whole[] = {
	{PATH("nginx\0sbin\0usr"), "/usr/sbin/nginx"},
	{PATH("a"), "/a"},
	{{.state = GP_PATH_WHOLE}, "/"},
	{PATH("a\nb\0\xff"), "/\xff/a\nb"},
};

static void test_whole(void **state)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		memset(path, 'x', sizeof(path));
		assert_int_equal(gp_origin_path(&whole[i].path, path, sizeof(path)), 0);
		assert_string_equal(path, whole[i].expected);
	}
}

static void test_not_known(void **state)
{
	const struct gp_path unknown = {}, cut = {.state = GP_PATH_CUT, .part = "nginx\0sbin"};
	char path[PATH_MAX] = "as it was";

	assert_int_equal(gp_origin_path(&unknown, path, sizeof(path)), -ENOENT);
	assert_int_equal(gp_origin_path(&cut, path, sizeof(path)), -ENAMETOOLONG);
	assert_string_equal(path, "as it was");
}

/* Every size up to just enough: what is behind it stays untouched (the sanitizers look). */
static void test_sizes(void **state)
{
	const struct gp_path p = PATH("nginx\0sbin\0usr");
	char path[sizeof("/usr/sbin/nginx")];

	for (size_t size = 0; size < sizeof(path); size++)
		assert_int_equal(gp_origin_path(&p, path, size), -ENAMETOOLONG);
	assert_int_equal(gp_origin_path(&p, path, sizeof(path)), 0);
	assert_string_equal(path, "/usr/sbin/nginx");
}

/* Filled to the last byte, and with a length that the kernel side never gives. */
static void test_full(void **state)
{
	struct gp_path p = {.state = GP_PATH_WHOLE, .len = GP_PATH_SIZE};
	char path[PATH_MAX];

	memset(p.part, 'x', sizeof(p.part) - 1);
	assert_int_equal(gp_origin_path(&p, path, sizeof(path)), 0);
	assert_int_equal(strlen(path), GP_PATH_SIZE);
	p.len++;
	assert_int_equal(gp_origin_path(&p, path, sizeof(path)), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
