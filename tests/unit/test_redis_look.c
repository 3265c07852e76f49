// SPDX-License-Identifier: GPL-2.0-or-later
/* What Redis' parser looks things up with: names, numbers, and the looks that need no steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gp_redis.h"
#include "protocol.h"

#define TEXT(s) s, sizeof(s) - 1

/* Every listed name is found in any case; what is one character shorter or longer only if listed.
 */
static __u16 find(const char *name, size_t len, __u16 container)
{
	struct gp_redis_word w;
	__u8 at[GP_REDIS_NAME_MAX] = {};

	memcpy(at, name, len);
	gp_redis_word(&w, at, len);
	return gp_redis_command(&w, container);
}

static bool is_listed(const char *name, size_t len, __u16 container)
{
	for (int i = 1; i < GP_REDIS_OPERATION_COUNT; i++)
		if (gp_redis_commands[i].len == len &&
		    gp_redis_commands[i].container == container &&
		    memcmp(gp_redis_commands[i].text, name, len) == 0)
			return true;
	return false;
}

static void every_name(void **state)
{
	int found = 0;

	for (__u16 i = 1; i < GP_REDIS_OPERATION_COUNT; i++) {
		const struct gp_redis_name *n = &gp_redis_commands[i];
		char text[GP_REDIS_NAME_MAX];

		assert_in_range(n->len, 1, GP_REDIS_NAME_MAX - 1);
		memcpy(text, n->text, sizeof(text));
		assert_int_equal(find(text, n->len, n->container), i);
		for (size_t c = 0; c < n->len; c++)
			text[c] |= text[c] >= 'A' && text[c] <= 'Z' ? 0x20 : 0;
		assert_int_equal(find(text, n->len, n->container), i);
		text[0] ^= 0x40; /* '!' to '9', a control character */
		assert_int_equal(find(text, n->len, n->container), 0);
		memcpy(text, n->text, sizeof(text));
		for (size_t len = 0; len < n->len; len++)
			assert_int_equal(!!find(text, len, n->container),
					 is_listed(text, len, n->container));
		assert_int_equal(find(text, n->len + 1u, n->container), 0); /* with a 0 */
		text[n->len] = 'S';
		assert_int_equal(!!find(text, n->len + 1u, n->container),
				 is_listed(text, n->len + 1u, n->container));
		assert_non_null(gp_redis_names.operation(i));
		found++;
	}
	assert_int_equal(found, 536);
	assert_null(gp_redis_names.operation(GP_REDIS_OPERATION_COUNT));
	assert_int_equal(find("GET", 3, GP_REDIS_CLIENT), 0);
	assert_int_equal(find("GET", 3, GP_REDIS_CONFIG), GP_REDIS_CONFIG_GET);
}

/* Numbers of every length, against the library's. */
static void numbers(void **state)
{
	for (uint64_t n = 1; n < 4000000000u; n = n * 3 + 1) {
		char text[GP_LOOK] = {};
		__u64 number = 0;
		int len = snprintf(text, sizeof(text), "$%llu\r\n", (unsigned long long)n);

		assert_int_equal(gp_redis_head((__u8 *)text, len, &number), len);
		assert_int_equal(number, n);
		for (int cut = 1; cut < len; cut++)
			assert_int_equal(gp_redis_head((__u8 *)text, cut, &number), GP_PARSE_MORE);
		for (int bad = 1; bad < len; bad++) {
			char was = text[bad];

			text[bad] = ':';
			assert_int_not_equal(gp_redis_head((__u8 *)text, len, &number), len);
			text[bad] = was;
		}
	}
}

static bool plain(const char *stream, size_t len, struct gp_parser *p)
{
	__u8 bytes[GP_REDIS_PLAIN_BYTES] = {};

	memcpy(bytes, stream, len < sizeof(bytes) ? len : sizeof(bytes));
	return gp_redis_plain(bytes, len, p);
}

static void plain_requests(void **state)
{
	struct gp_parser p = {};

	assert_true(plain(TEXT("*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), &p));
	assert_int_equal(p.operation, GP_REDIS_GET);
	assert_true(plain(TEXT("*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n$0\r\n\r\n"), &p));
	assert_int_equal(p.operation, GP_REDIS_HSET);
	assert_true(plain(TEXT("*1\r\n$4\r\nXING\r\n"), &p));
	assert_int_equal(p.operation, GP_REDIS_OTHER);
	assert_false(plain(TEXT("*2\r\n$3\r\nget\r\n$1\r\nk\r\n*"), &p));
	assert_false(plain(TEXT("*2\r\n$3\r\nget\r\n$1\r\nk\r"), &p));
	assert_false(plain(TEXT("*2\r\n$3\r\nget\r\n$2\r\nk\r\n"), &p));
	assert_false(plain(TEXT("*2\r\n$3\r\nget\r\n"), &p));
	assert_false(plain(TEXT("*5\r\n$3\r\nget\r\n"), &p));
	assert_false(plain(TEXT("*0\r\n"), &p));
	assert_false(plain(TEXT("PING\r\n"), &p));
	assert_false(plain(TEXT("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nk\r\n"), &p));
	assert_false(plain(TEXT("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n"), &p));
	p.own[0] = GP_REDIS_REPLY_SKIP;
	assert_false(plain(TEXT("*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), &p));
}

static bool begins(const char *stream, size_t len)
{
	__u8 at[GP_LOOK] = {};

	memcpy(at, stream, len < GP_LOOK ? len : GP_LOOK);
	return gp_redis_begins(at, len < GP_LOOK ? len : GP_LOOK);
}

static void beginnings(void **state)
{
	assert_true(begins(TEXT("*2\r\n$3\r\nGET\r\n")));
	assert_true(begins(TEXT("*2\r\n$")));
	assert_true(begins(TEXT("*2\r\n")));
	assert_true(begins(TEXT("*12")));
	assert_true(begins(TEXT("*")));
	assert_true(begins(TEXT("PING\r\n")));
	assert_true(begins(TEXT("get k\r\n")));
	assert_false(begins(TEXT("PING")));
	assert_false(begins(TEXT("EHLO me\r\n")));
	assert_false(begins(TEXT("*2\r\n:3\r\n")));
	assert_false(begins(TEXT("*-1\r\n$3\r\n")));
	assert_false(begins(TEXT("*a")));
	assert_false(begins(TEXT("* OK IMAP4 ready\r\n")));
	assert_false(begins(TEXT("\r\n")));
	assert_false(begins(TEXT("GET\"\r\n")));
	assert_false(begins(TEXT("GET\0\r\n")));
}

static void first_answers(void **state)
{
	static const char *const good[] = {"+OK\r\n", "-ERR x", ":1\r\n", "$3\r\n",
					   "$-1\r\n", "*0",	"*-1",	  "%2\r\n",
					   "_\r\n",   "#t",	",inf",	  ">2"};
	static const char *const bad[] = {"VALUE a", "END\r\n", "STORED", "$a", "*?", "#x", "\r\n"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(gp_redis_answers((const __u8 *)good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(gp_redis_answers((const __u8 *)bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name),	  cmocka_unit_test(numbers),
		cmocka_unit_test(plain_requests), cmocka_unit_test(beginnings),
		cmocka_unit_test(first_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
