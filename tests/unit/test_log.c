// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages, and the cleaning of text from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture.h"
#include "log.h"
#include "own.h"
#include "text.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static const struct {
	const char *given, *clean;
} texts[] = {
	{"", ""},
	{"nginx:8080", "nginx:8080"},
	{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
	{"a\x1b[31mb", "a" BAD "[31mb"},			      /* an escape sequence */
	{"a\nb\tc\x7f", "a" BAD "b" BAD "c" BAD},		      /* C0, DEL */
	{"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", BAD BAD BAD "\xc2\xa0"}, /* C1 and what follows it */
	{"\x80\xbf\xfe\xff", BAD BAD BAD BAD},			      /* never at the beginning */
	{"\xc0\xaf\xc1\xbf", BAD BAD BAD BAD},			      /* overlong */
	{"\xe0\x9f\xbf", BAD BAD BAD},				      /* overlong */
	{"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD},			      /* overlong */
	{"\xed\xa0\x80", BAD BAD BAD},				      /* a surrogate */
	{"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},     /* its neighbours */
	{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},		      /* U+10FFFF */
	{"\xf4\x90\x80\x80", BAD BAD BAD BAD},			      /* beyond */
	{"\xe2\x82", BAD},					      /* cut off at the end */
	{"\xe2\x82x", BAD "x"},					      /* and before */
	{"\xf0\x9f\x98\xe2\x82\xac", BAD "\xe2\x82\xac"},
};

static void test_clean(void **state)
{
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = gp_text_clean(out, sizeof(out), texts[i].given);

		assert_string_equal(out, texts[i].clean);
		assert_int_equal(len, strlen(out));
		assert_true(len < GP_TEXT_CLEAN_SIZE(strlen(texts[i].given)));
	}
}

static void test_clean_is_stable(void **state)
{
	char once[64], twice[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		gp_text_clean(once, sizeof(once), texts[i].given);
		gp_text_clean(twice, sizeof(twice), once);
		assert_string_equal(once, twice);
	}
}

static void test_clean_cuts_whole_characters(void **state)
{
	char out[8];

	assert_int_equal(gp_text_clean(out, 1, "abc"), 0);
	assert_string_equal(out, "");
	assert_int_equal(gp_text_clean(out, 4, "ab\xe2\x82\xac"), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(gp_text_clean(out, 6, "ab\xe2\x82\xac"), 5);
	assert_string_equal(out, "ab\xe2\x82\xac");
	assert_int_equal(gp_text_clean(out, 3, "\x01\x01"), 0);
}

/* Every code point comes back as itself, but for the controls; surrogates are none. */
static void test_every_code_point(void **state)
{
	for (uint32_t code = 1; code <= 0x10ffff; code++) {
		char text[5] = {};
		const char *at = text;
		bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);

		if (code >= 0xd800 && code < 0xe000)
			continue;
		if (code < 0x80) {
			text[0] = code;
		} else if (code < 0x800) {
			text[0] = 0xc0 | code >> 6;
			text[1] = 0x80 | (code & 0x3f);
		} else if (code < 0x10000) {
			text[0] = 0xe0 | code >> 12;
			text[1] = 0x80 | (code >> 6 & 0x3f);
			text[2] = 0x80 | (code & 0x3f);
		} else {
			text[0] = 0xf0 | code >> 18;
			text[1] = 0x80 | (code >> 12 & 0x3f);
			text[2] = 0x80 | (code >> 6 & 0x3f);
			text[3] = 0x80 | (code & 0x3f);
		}
		assert_int_equal(gp_text_next(&at), is_control ? 0xfffd : code);
		assert_int_equal(gp_text_next(&at), 0);
		assert_int_equal(at - text, strlen(text));
	}
}

static const char *logged(struct capture *c, int verbosity)
{
	capture_begin(c, STDERR_FILENO);
	gp_log_verbosity(verbosity);
	gp_error("an %s", "error");
	gp_warning("a warning");
	gp_info("%d services", 14);
	gp_debug("a detail");
	gp_log_verbosity(0);
	return capture_end(c);
}

static void test_levels(void **state)
{
	struct capture c;

	assert_string_equal(logged(&c, -1), "goldpan: error: an error\n"
					    "goldpan: warning: a warning\n");
	assert_string_equal(logged(&c, 0), "goldpan: error: an error\n"
					   "goldpan: warning: a warning\n"
					   "goldpan: info: 14 services\n");
	assert_string_equal(logged(&c, 1), "goldpan: error: an error\n"
					   "goldpan: warning: a warning\n"
					   "goldpan: info: 14 services\n"
					   "goldpan: debug: a detail\n");
}

static void test_one_clean_line(void **state)
{
	struct capture c;

	capture_begin(&c, STDERR_FILENO);
	gp_info("service %s", "evil\x1b]0;x\x07\nname\xff");
	assert_string_equal(capture_end(&c),
			    "goldpan: info: service evil" BAD "]0;x" BAD BAD "name" BAD "\n");
}

static void test_long_line(void **state)
{
	char name[10001] = {};
	struct capture c;

	memset(name, 'x', sizeof(name) - 1);
	capture_begin(&c, STDERR_FILENO);
	gp_error("%s", name);
	assert_int_equal(strlen(capture_end(&c)), strlen("goldpan: error: \n") + 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_is_stable),
		cmocka_unit_test(test_clean_cuts_whole_characters),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_one_clean_line),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
