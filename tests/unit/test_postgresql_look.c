// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of PostgreSQL's bytes without the steps, and that it agrees with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gp_postgresql.h"
#include "postgresql_wire.h"
#include "steps.h"

/* The cheap look at `len` bytes of which it can read the first; `operation` as it names it. */
static bool plain(const struct wire *w, size_t len, uint16_t *operation)
{
	uint8_t *bytes = malloc(GP_POSTGRESQL_PLAIN); /* so that the sanitizer sees its ends */
	struct gp_parser p = {0}, before = p;
	bool is_plain;

	assert_non_null(bytes);
	memset(bytes, 'x', GP_POSTGRESQL_PLAIN);
	memcpy(bytes, w->bytes, len < GP_POSTGRESQL_PLAIN ? len : GP_POSTGRESQL_PLAIN);
	is_plain = gp_postgresql_plain(bytes, (uint32_t)len, &p);
	if (!is_plain)
		assert_memory_equal(&p, &before, sizeof(p));
	free(bytes);
	*operation = p.operation;
	return is_plain;
}

/* Plain at its whole length, and at no other; the operation is the one that the steps name. */
static void check_plain(struct wire *w, uint16_t expected)
{
	struct steps s = {0};
	uint16_t operation;

	for (size_t len = 1; len < w->len; len++)
		assert_false(plain(w, len, &operation));
	assert_true(plain(w, w->len, &operation));
	assert_int_equal(operation, expected);
	steps_run(&s, gp_postgresql_request, w->bytes, w->len, w->len, 0);
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.messages[0].operation, expected);
	assert_int_equal(s.messages[0].end, w->len);
	PUT(w, 'Q', "SELECT 1");
	assert_false(plain(w, w->len, &operation));
}

static void check_not_plain(const struct wire *w)
{
	uint16_t operation;

	for (size_t len = 1; len <= w->len; len++)
		assert_false(plain(w, len, &operation));
}

static void test_plain_simple_queries(void **state)
{
	struct wire w = {0}, blank = {0}, large = {0};
	char sql[2000] = "delete from t where a in (";

	PUT(&w, 'Q', "SELECT 1");
	check_plain(&w, GP_SQL_SELECT);
	PUT(&blank, 'Q', " SELECT 1");
	check_not_plain(&blank);
	put_message(&large, 'Q', sql, sizeof(sql));
	check_plain(&large, GP_SQL_DELETE);
}

static void test_plain_extended_queries(void **state)
{
	struct wire run = {0}, again = {0}, parse = {0};

	PUT(&run, 'P', "\0UPDATE t\0\0");
	PUT_EXACT(&run, 'B', BIND);
	PUT(&run, 'D', "P");
	PUT(&run, 'E', EXECUTE);
	PUT_HEAD(&run, 'S');
	check_plain(&run, GP_SQL_UPDATE);
	PUT_EXACT(&again, 'B', BIND);
	PUT(&again, 'E', EXECUTE);
	PUT_HEAD(&again, 'S');
	check_plain(&again, GP_SQL_OTHER);
	PUT(&parse, 'P', "\0UPDATE t\0\0");
	PUT(&parse, 'D', "S");
	PUT_HEAD(&parse, 'S');
	check_plain(&parse, GP_SQL_PARSE);
}

static void test_extended_queries_that_are_not_plain(void **state)
{
	struct wire named = {0}, many = {0}, far = {0}, sync = {0}, small = {0};
	char sql[600] = "\0SELECT";

	PUT(&named, 'P', "name\0SELECT 1\0\0");
	PUT_HEAD(&named, 'S');
	check_not_plain(&named);
	for (int i = 0; i < GP_POSTGRESQL_BATCH; i++)
		PUT(&many, 'E', EXECUTE);
	PUT_HEAD(&many, 'S');
	check_not_plain(&many);
	put_message(&far, 'P', sql, sizeof(sql));
	PUT_HEAD(&far, 'S');
	check_not_plain(&far);
	PUT_HEAD(&sync, 'S');
	check_not_plain(&sync);
	PUT(&small, 'P', "\0S"); /* without the numbers that it ends with */
	PUT_HEAD(&small, 'S');
	check_not_plain(&small);
}

static void test_plain_only_between_requests(void **state)
{
	uint8_t bytes[GP_POSTGRESQL_PLAIN] = "Q\0\0\0\15SELECT 1";
	struct gp_parser open = {.mark = GP_POSTGRESQL_OPEN}, inside = {.state = GP_POSTGRESQL_SQL};

	assert_false(gp_postgresql_plain(bytes, 14, &open));
	assert_false(gp_postgresql_plain(bytes, 14, &inside));
	assert_true(gp_postgresql_plain(bytes, 14, &(struct gp_parser){0}));
}

static bool begins(const struct wire *w, size_t len)
{
	uint8_t at[GP_LOOK] = "";

	len = len < w->len ? len : w->len;
	len = len < GP_LOOK ? len : GP_LOOK;
	memcpy(at, w->bytes, len);
	return gp_postgresql_begins(at, (uint32_t)len);
}

static void test_how_a_first_request_begins(void **state)
{
	struct wire start = {0}, query = {0}, parse = {0}, bind = {0}, not_sql = {0}, not_two = {0};

	put_startup(&start, 3 << 16 | 2, "user\0me\0", 9);
	assert_true(begins(&start, GP_LOOK));
	assert_false(begins(&start, 7));
	PUT(&query, 'Q', "/* x */ SELECT 1");
	assert_true(begins(&query, GP_LOOK));
	assert_true(begins(&query, 8));
	PUT(&query, 'B', BIND);
	assert_true(begins(&query, GP_LOOK));
	PUT(&parse, 'P', "\0SELECT 1\0\0");
	assert_true(begins(&parse, GP_LOOK));
	PUT_EXACT(&bind, 'B', BIND);
	assert_true(begins(&bind, GP_LOOK));
	PUT(&not_sql, 'Q', "quit, please");
	assert_false(begins(&not_sql, GP_LOOK));
	PUT(&not_two, 'Q', "SELECT 1");
	put_bytes(&not_two, "\n\n\n\n\n", 5);
	assert_false(begins(&not_two, GP_LOOK));
}

static void test_other_protocols_begin_otherwise(void **state)
{
	static const char *const others[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\n\r\n",
		"*1\r\n$4\r\nPING\r\n",
		"PING\r\nPING\r\n",
		"\26\3\1\2\0\1\0\1\374\3\3",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"SSH-2.0-x\r\n",
		"EHLO localhost\r\n",
		"+OK\r\n$3\r\nabc\r\n$-1\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint8_t at[GP_LOOK] = "";

		memcpy(at, others[i], strlen(others[i]));
		for (uint32_t len = 2; len <= strlen(others[i]); len++) {
			assert_false(gp_postgresql_begins(at, len));
			assert_false(gp_postgresql_answers(at, len));
		}
	}
}

static void test_how_a_first_answer_begins(void **state)
{
	uint8_t at[GP_LOOK] = "R\0\0\0\10\0\0\0\0S\0\0\0\26";

	assert_false(gp_postgresql_answers(at, 4));
	for (uint32_t len = 5; len <= 14; len++)
		assert_true(gp_postgresql_answers(at, len));
	at[9] = 'x';
	assert_true(gp_postgresql_answers(at, 9));
	assert_false(gp_postgresql_answers(at, 10));
	assert_true(gp_postgresql_answers((uint8_t[GP_LOOK]){'N'}, 1));
	assert_false(gp_postgresql_answers((uint8_t[GP_LOOK]){'R'}, 1));
}

static void test_the_end_of_an_answer(void **state)
{
	assert_true(gp_postgresql_done((const uint8_t *)"Z\0\0\0\5I"));
	assert_true(gp_postgresql_done((const uint8_t *)"Z\0\0\0\5E"));
	assert_false(gp_postgresql_done((const uint8_t *)"Z\0\0\0\5X"));
	assert_false(gp_postgresql_done((const uint8_t *)"Z\0\0\0\4T"));
	assert_false(gp_postgresql_done((const uint8_t *)"z\0\0\0\5T"));
}

/* What no parser may follow: every one is lost, whatever way it is split. */
static void test_what_makes_no_sense(void **state)
{
	static const struct {
		steps_step step;
		const char *bytes;
		size_t len;
	} lost[] = {
		{gp_postgresql_request, "Q\0\0\0\3x", 6},
		{gp_postgresql_request, "Q\100\0\0\0x", 6},
		{gp_postgresql_request, "S\0\0\0\5x", 6},
		{gp_postgresql_request, "y\0\0\0\5x", 6},
		{gp_postgresql_request, "P\0\0\0\10abcd", 9},
		{gp_postgresql_request, "\0\0\0\10\0\4\0\0", 8},
		{gp_postgresql_request, "\0\0\0\11\4\322\26\57x", 9},
		{gp_postgresql_request, "S\0\0\0\4\0\0\0\10\4\322\26\57", 13},
		{gp_postgresql_response, "Z\0\0\0\6II", 7},
		{gp_postgresql_response, "HTTP/1.1 200 OK", 15},
		{gp_postgresql_response, "E\0\0\0\11SFATA", 10},
		{gp_postgresql_response, "E\0\0\0\11C2350", 10},
		{gp_postgresql_response, "E\0\0\0\14C235055\0", 13},
		{gp_postgresql_response, "Z\0\0\0\5IN\100\0\0\0", 11},
	};

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		struct steps s = {0};

		assert_null(steps_every_way(&s, lost[i].step, lost[i].bytes, lost[i].len));
		assert_true(s.lost);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_simple_queries),
		cmocka_unit_test(test_plain_extended_queries),
		cmocka_unit_test(test_extended_queries_that_are_not_plain),
		cmocka_unit_test(test_plain_only_between_requests),
		cmocka_unit_test(test_how_a_first_request_begins),
		cmocka_unit_test(test_other_protocols_begin_otherwise),
		cmocka_unit_test(test_how_a_first_answer_begins),
		cmocka_unit_test(test_the_end_of_an_answer),
		cmocka_unit_test(test_what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
