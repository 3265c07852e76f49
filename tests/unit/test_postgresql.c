// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PostgreSQL's parsers: what they make of conversations put together from whole messages, so that
 * where each exchange begins and ends is known, in every way of splitting them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gp_postgresql.h"
#include "own.h"
#include "postgresql_wire.h"
#include "protocol.h"
#include "steps.h"

/* "SELECT", "other aside", "SELECT OK", "other 42P01", "COPY OK stream to close" */
static const char *told(const struct steps_message *m, bool answer, char text[64])
{
	char buffer[GP_STATUS_LEN];
	const char *operation = gp_postgresql_names.operation(m->operation);
	const char *status = gp_postgresql_names.status(m->status, buffer);

	if (m->flags & GP_EVENT_ASIDE)
		return "aside";
	snprintf(text, 64, "%s%s%s%s%s", operation ?: "other", answer ? " " : "",
		 !answer ? "" : (status ?: "other"), m->flags & GP_EVENT_STREAM ? " stream" : "",
		 m->flags & GP_EVENT_BODY_TO_CLOSE ? " to close" : "");
	return text;
}

static void check_messages(const struct wire *w, const struct steps *s, bool answer)
{
	char text[64];

	assert_false(s->lost);
	assert_int_equal(s->count, w->count);
	for (size_t i = 0; i < w->count; i++) {
		size_t end = i + 1 < w->count ? w->parts[i + 1].begin : w->len;

		assert_string_equal(told(&s->messages[i], answer, text), w->parts[i].seen);
		assert_int_equal(s->messages[i].begin, w->parts[i].begin);
		if (!(s->messages[i].flags & GP_EVENT_BODY_TO_CLOSE))
			assert_int_equal(s->messages[i].end, end);
	}
}

static void check_requests(const struct wire *w)
{
	struct steps s = {0};

	assert_null(steps_every_way(&s, gp_postgresql_request, w->bytes, w->len));
	check_messages(w, &s, false);
}

/* A COPY's stream ends with its answer, so steps follow it. */
static int past_copy(struct gp_parser *p, const __u8 *at, __u32 len)
{
	int taken = gp_postgresql_response(p, at, len);

	if (!(p->events & GP_EVENT_BODY_TO_CLOSE))
		p->events &= ~GP_EVENT_STREAM;
	return taken;
}

static void check_answers(const struct wire *w)
{
	struct steps s = {0};

	assert_null(steps_every_way(&s, past_copy, w->bytes, w->len));
	check_messages(w, &s, true);
}

/* A statement alone, as a simple query and as one that is prepared and executed. */
static void check_statement(const char *sql, const char *operation)
{
	struct wire w = {0};
	char parse[8192] = "";
	size_t len = strlen(sql) + 1;

	part(&w, operation);
	put_message(&w, 'Q', sql, len);
	memcpy(parse + 1, sql, len);
	part(&w, operation);
	put_message(&w, 'P', parse, len + 3);
	PUT_EXACT(&w, 'B', BIND);
	PUT(&w, 'E', EXECUTE);
	PUT_HEAD(&w, 'S');
	part(&w, operation);
	memcpy(parse, "name", 5);
	memcpy(parse + 5, sql, len);
	put_message(&w, 'P', parse, len + 7);
	PUT(&w, 'E', EXECUTE);
	PUT_HEAD(&w, 'S');
	check_requests(&w);
}

static void test_a_connection_starts(void **state)
{
	struct wire c = {0}, s = {0};

	part(&c, "aside");
	put_startup(&c, GP_POSTGRESQL_GSSENC, "", 0);
	part(&c, "aside");
	put_startup(&c, GP_POSTGRESQL_SSL, "", 0);
	part(&c, "other");
	put_startup(&c, 3 << 16, "user\0me\0", 9);
	part(&c, "aside");
	PUT(&c, 'p', "SCRAM-SHA-256\0\0\0\0 n,,n=,r=zzzz");
	part(&c, "aside");
	PUT(&c, 'p', "c=biws");
	part(&c, "SELECT");
	PUT(&c, 'Q', "SELECT 1");
	part(&c, "aside");
	PUT_HEAD(&c, 'X');
	check_requests(&c);

	part(&s, "aside");
	put_bytes(&s, "N", 1);
	part(&s, "aside");
	put_bytes(&s, "N", 1);
	part(&s, "other OK");
	PUT(&s, 'R', "\0\0\0\12SCRAM-SHA-256\0");
	PUT_EXACT(&s, 'R', "\0\0\0\0");
	PUT(&s, 'S', "TimeZone\0UTC");
	PUT_EXACT(&s, 'K', "\0\0\0\1\0\0\0\2");
	PUT_EXACT(&s, 'Z', "I");
	part(&s, "SELECT OK");
	PUT(&s, 'C', "SELECT 1");
	PUT_EXACT(&s, 'Z', "I");
	check_answers(&s);
}

static void test_a_connection_is_refused(void **state)
{
	struct wire c = {0}, s = {0};

	part(&c, "aside");
	put_startup(&c, GP_POSTGRESQL_CANCEL, "\0\0\0\1\0\0\0\2", 8);
	check_requests(&c);
	part(&s, "other 28P01");
	PUT_EXACT(&s, 'R', "\0\0\0\3");
	PUT(&s, 'E', "SFATAL\0VFATAL\0C28P01\0Mno\0");
	check_answers(&s);
}

static void test_every_keyword(void **state)
{
	for (uint16_t i = 1; i < GP_SQL_COUNT; i++) {
		const char *name = gp_postgresql_names.operation(i);
		char sql[64], lower[64];

		assert_non_null(name);
		if (i == GP_SQL_PARSE)
			continue;
		snprintf(sql, sizeof(sql), "%s", name);
		check_statement(sql, name);
		snprintf(lower, sizeof(lower), "%s x", name);
		for (char *c = lower; *c; c++)
			*c |= 0x20;
		check_statement(lower, name);
		snprintf(sql, sizeof(sql), "%s_", name);
		check_statement(sql, "other");
		snprintf(sql, sizeof(sql), "%s1", name);
		check_statement(sql, "other");
	}
	assert_null(gp_postgresql_names.operation(0));
	assert_null(gp_postgresql_names.operation(GP_SQL_COUNT));
}

static void test_what_stands_before_the_keyword(void **state)
{
	char sql[4096];

	check_statement("", "other");
	check_statement(" \t\r\n\f\v((;  SELECT", "SELECT");
	check_statement("-- SELECT\nDELETE", "DELETE");
	check_statement("-- SELECT", "other");
	check_statement("--", "other");
	check_statement("/* a */ /* b*/UPDATE", "UPDATE");
	check_statement("/*/ SELECT */INSERT", "INSERT");
	check_statement("/***/VALUES (1)", "VALUES");
	check_statement("/* never ends *", "other");
	check_statement("/", "other");
	check_statement("- SELECT", "other");
	check_statement("SELECT(1)", "SELECT");
	check_statement("SELECT~1", "SELECT");
	check_statement("SELECT\303\251", "other");
	check_statement("SELECT\340\244\205", "other");
	check_statement("DEALLOCATES", "other");
	check_statement("PARSE", "other");
	for (size_t i = 1; i < 200; i++) {
		snprintf(sql, sizeof(sql), "%*s/*%0*d*/ /*/%0*d/**/--%0*d\n\nCOMMIT", (int)i, "",
			 (int)i, 0, (int)i, 0, (int)i, 0);
		if (i % 9 == 0 || (i > 50 && i < 70))
			check_statement(sql, "COMMIT");
	}
}

static void test_extended_queries(void **state)
{
	struct wire w = {0};

	part(&w, "PARSE");
	PUT(&w, 'P', "stmt\0SELECT $1\0\0");
	PUT(&w, 'D', "Sstmt");
	PUT_HEAD(&w, 'S');
	part(&w, "other"); /* what was prepared in another request */
	PUT_EXACT(&w, 'B', BIND);
	PUT(&w, 'D', "P");
	PUT(&w, 'E', EXECUTE);
	PUT_HEAD(&w, 'S');
	part(&w, "UPDATE"); /* of two that run, the last; then one that is only prepared */
	PUT(&w, 'P', "\0BEGIN\0\0");
	PUT_EXACT(&w, 'B', BIND);
	PUT(&w, 'E', EXECUTE);
	PUT(&w, 'P', "\0UPDATE t\0\0");
	PUT_HEAD(&w, 'H');
	PUT_EXACT(&w, 'B', BIND);
	PUT(&w, 'E', EXECUTE);
	PUT(&w, 'P', "\0DELETE FROM t\0\0");
	PUT(&w, 'C', "Sstmt");
	PUT_HEAD(&w, 'S');
	part(&w, "other");
	PUT_HEAD(&w, 'S');
	part(&w, "INSERT"); /* a simple query ends what was begun */
	PUT(&w, 'P', "\0SELECT\0\0");
	PUT(&w, 'Q', "INSERT INTO t");
	part(&w, "other");
	PUT(&w, 'F', "\0\0\0\1\0\0\0\0\0\0");
	check_requests(&w);
}

static void test_copy_in(void **state)
{
	struct wire w = {0};

	part(&w, "COPY");
	PUT(&w, 'Q', "COPY t FROM STDIN");
	for (const char *type = "ddc"; *type; type++) {
		part(&w, "aside");
		put_message(&w, *type, "1\n", *type == 'd' ? 2 : 0);
	}
	part(&w, "other"); /* a Sync of its own */
	PUT_HEAD(&w, 'S');
	part(&w, "COPY");
	PUT(&w, 'P', "\0COPY t FROM STDIN\0\0");
	PUT_EXACT(&w, 'B', BIND);
	PUT(&w, 'E', EXECUTE);
	PUT_HEAD(&w, 'S');
	part(&w, "aside");
	PUT(&w, 'd', "1\n");
	part(&w, "aside");
	PUT(&w, 'f', "no");
	part(&w, "aside"); /* the server passes over one of the two */
	PUT_HEAD(&w, 'S');
	part(&w, "SELECT");
	PUT(&w, 'Q', "SELECT 1");
	check_requests(&w);
}

static void test_answers(void **state)
{
	struct wire w = {0};

	part(&w, "SELECT OK");
	PUT_HEAD(&w, '1');
	PUT_HEAD(&w, '2');
	PUT_EXACT(&w, 'T', DESCRIBED);
	PUT(&w, 'N', "SNOTICE\0C00000\0");
	PUT_EXACT(&w, 'D', "\0\1\0\0\0\0011");
	PUT(&w, 'C', "SELECT 1");
	PUT(&w, 'C', "INSERT 0 1");
	PUT_EXACT(&w, 'Z', "T");
	part(&w, "aside");
	PUT(&w, 'A', "\0\0\0\1channel\0payload");
	part(&w, "aside");
	PUT(&w, 'S', "TimeZone\0UTC");
	part(&w, "other OK");
	PUT_HEAD(&w, 'I');
	PUT_EXACT(&w, 'Z', "I");
	part(&w, "INSERT 23505"); /* the first error counts */
	PUT(&w, 'C', "INSERT 0 1");
	PUT(&w, 'E', FAILED "23505\0Mx\0");
	PUT(&w, 'E', FAILED "42P01\0Mx\0");
	PUT_EXACT(&w, 'Z', "E");
	part(&w, "other OK");
	PUT_EXACT(&w, 'Z', "I");
	part(&w, "other 57P01"); /* and no ReadyForQuery */
	PUT(&w, 'E', "SSCHWERWIEGEND\0VFATAL\0C57P01\0");
	check_answers(&w);
}

static void test_streams(void **state)
{
	struct wire w = {0};
	struct steps s = {0};

	part(&w, "COPY OK");
	PUT_EXACT(&w, 'G', "\0\0\0");
	PUT(&w, 'C', "COPY 2");
	PUT_EXACT(&w, 'Z', "I");
	part(&w, "COPY OK");
	PUT_EXACT(&w, 'H', "\0\0\0");
	PUT(&w, 'd', "1\n");
	PUT_HEAD(&w, 'c');
	PUT(&w, 'C', "COPY 1");
	PUT_EXACT(&w, 'Z', "I");
	part(&w, "LISTEN OK stream to close");
	PUT(&w, 'C', "LISTEN");
	PUT_EXACT(&w, 'Z', "I");
	check_answers(&w);
	steps_run(&s, gp_postgresql_response, w.bytes, w.len, w.len, 0);
	assert_int_equal(s.messages[0].flags, GP_EVENT_STREAM | GP_EVENT_NAMED);
}

static void test_the_request_names_the_operation(void **state)
{
	struct wire w = {0};
	struct steps s = {.requests = (const uint16_t[]){GP_SQL_WITH, 0}, .requests_count = 2};

	for (int i = 0; i < 2; i++) {
		part(&w, i ? "SELECT OK" : "other OK");
		PUT(&w, 'C', "SELECT 0");
		PUT_EXACT(&w, 'Z', "I");
	}
	assert_null(steps_every_way(&s, gp_postgresql_response, w.bytes, w.len));
	check_messages(&w, &s, true);
}

static void check_status(const char *sqlstate, const char *name, enum gp_error error)
{
	struct steps s = {0};
	struct wire w = {0};
	char content[64], buffer[GP_STATUS_LEN];
	int len = snprintf(content, sizeof(content), "SERROR%cC%s%c", 0, sqlstate, 0);
	const char *told_name;

	put_message(&w, 'E', content, (size_t)len + 1);
	PUT_EXACT(&w, 'Z', "I");
	steps_run(&s, gp_postgresql_response, w.bytes, w.len, w.len, 0);
	assert_int_equal(s.ended, 1);
	told_name = gp_postgresql_names.status(s.messages[0].status, buffer);
	if (name)
		assert_string_equal(told_name, name);
	else
		assert_null(told_name);
	assert_int_equal(gp_postgresql_error(s.messages[0].status), error);
}

static void test_every_sqlstate(void **state)
{
	static const char *const blamed[] = {"53", "57", "58", "XX"};
	char buffer[GP_STATUS_LEN], before[8] = "";

	for (uint16_t i = 0; i < GP_SQLSTATE_COUNT; i++) {
		const char *code = gp_postgresql_names.status(GP_POSTGRESQL_SQLSTATE(i), buffer);
		enum gp_error error = GP_ERROR_CLIENT;

		assert_int_equal(strlen(code), 5);
		assert_true(strcmp(before, code) < 0);
		snprintf(before, sizeof(before), "%s", code);
		if (strncmp(code, "03", 2) < 0)
			error = GP_ERROR_COUNT;
		for (size_t k = 0; k < ARRAY_SIZE(blamed); k++)
			if (!strncmp(code, blamed[k], 2))
				error = GP_ERROR_SERVER;
		check_status(code, code, error);
	}
	check_status("ZZ999", NULL, GP_ERROR_CLIENT);
	check_status("53ZZZ", NULL, GP_ERROR_SERVER);
	check_status("XXZZZ", NULL, GP_ERROR_SERVER);
	assert_int_equal(gp_postgresql_error(GP_POSTGRESQL_OK), GP_ERROR_COUNT);
	assert_int_equal(gp_postgresql_error(0), GP_ERROR_COUNT);
	assert_null(gp_postgresql_names.status(0, buffer));
	assert_string_equal(gp_postgresql_names.status(GP_POSTGRESQL_OK, buffer), "OK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connection_starts),
		cmocka_unit_test(test_a_connection_is_refused),
		cmocka_unit_test(test_every_keyword),
		cmocka_unit_test(test_what_stands_before_the_keyword),
		cmocka_unit_test(test_extended_queries),
		cmocka_unit_test(test_copy_in),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_the_request_names_the_operation),
		cmocka_unit_test(test_every_sqlstate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
