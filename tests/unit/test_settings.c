// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of --config: how its lines are read, and what is wrong with others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture.h"
#include "own.h"
#include "scratch.h"
#include "settings.h"

static int read_text(struct gp_settings *s, const char *text, struct capture *c)
{
	int rc;

	scratch_write("config", text);
	capture_begin(c, STDERR_FILENO);
	rc = gp_settings_read(s, open(scratch_path("config"), O_RDONLY), "FILE");
	capture_end(c);
	return rc;
}

static const struct {
	const char *line, *name, *argument;
} good[] = {
	{"interval 5s", "interval", "5s"}, {"  interval\t=  5s \r", "interval", "5s"},
	{"interval=5s", "interval", "5s"}, {"service = a=b c", "service", "a=b c"},
	{"service ==x", "service", "=x"},  {"service # no comment", "service", "# no comment"},
	{"quiet", "quiet", NULL},	   {" quiet ", "quiet", NULL},
};

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		gp_auto(gp_settings_free) struct gp_settings s = {};
		gp_auto(gp_free) char *text = NULL;
		struct capture c;

		/* Between lines that say nothing; the last one without its end. */
		assert_true(asprintf(&text, "# first\n\n \t\n%s", good[i].line) > 0);
		assert_int_equal(read_text(&s, text, &c), 0);
		assert_string_equal(c.text, "");
		assert_int_equal(s.count, 1);
		assert_string_equal(s.setting[0].option->name, good[i].name);
		assert_int_equal(s.setting[0].line, 4);
		if (good[i].argument)
			assert_string_equal(s.setting[0].argument, good[i].argument);
		else
			assert_null(s.setting[0].argument);
	}
}

static const struct {
	const char *line, *words;
} bad[] = {
	{"nonsense 5", "line 2: 'nonsense' is no option"},
	{"i 5s", "'i' is no option"},
	{"--interval 5s", "'--interval' is no option"},
	{"= 5s", "'' is no option"},
	{"interval", "'interval' has no argument"},
	{"interval = ", "'interval' has no argument"},
	{"quiet = yes", "'quiet' takes no argument"},
	{"config other", "'config' is for the command line"},
	{"help", "'help' is for the command line"},
	{"\x1b[31m", "'\xef\xbf\xbd[31m' is no option"},
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		gp_auto(gp_settings_free) struct gp_settings s = {};
		gp_auto(gp_free) char *text = NULL;
		struct capture c;

		assert_true(asprintf(&text, "no-client\n%s\ninterval 1s\n", bad[i].line) > 0);
		assert_int_equal(read_text(&s, text, &c), -EINVAL);
		if (!strstr(c.text, bad[i].words) || count_lines(c.text) != 1)
			fail_msg("%s: %s", bad[i].line, c.text);
	}
}

static void test_not_readable(void **state)
{
	gp_auto(gp_settings_free) struct gp_settings s = {};
	struct capture c;

	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(gp_settings_read(&s, open("/", O_RDONLY), "FILE"), -EISDIR);
	capture_end(&c);
	assert_non_null(strstr(c.text, "FILE: Is a directory"));
}

/* Lists are compared in their order; how often a switch is given counts, too. */
static void test_agree(void **state)
{
	static const struct {
		const char *one, *other;
		bool agree;
	} pairs[] = {
		{"service a\nservice b", "service a\nquiet\nservice b", true},
		{"service a\nservice b", "service b\nservice a", false},
		{"service a", "service a\nservice b", false},
		{"", "quiet", true},
		{"", "service a", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		gp_auto(gp_settings_free) struct gp_settings one = {}, other = {};
		const struct gp_option *service = gp_options;
		struct capture c;

		while (strcmp(service->name, "service"))
			service++;
		assert_int_equal(read_text(&one, pairs[i].one, &c), 0);
		assert_int_equal(read_text(&other, pairs[i].other, &c), 0);
		assert_int_equal(gp_settings_agree(&one, &other, service), pairs[i].agree);
		assert_int_equal(gp_settings_agree(&other, &one, service), pairs[i].agree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_not_readable),
		cmocka_unit_test(test_agree),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
