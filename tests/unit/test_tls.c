// SPDX-License-Identifier: GPL-2.0-or-later
/* TLS: which records of a connection are messages, in every way of splitting it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gp_tls.h"
#include "steps.h"

#define RECORDS_MAX 24

/*
 * One side of a connection, a word for a record:
 *	hello, key (exchange), cipher (ChangeCipherSpec), finished (as up to TLS 1.2), alert
 *	N (a record of application data of N bytes), and DATA(N) if it is to be a message.
 */
struct record {
	enum gp_tls_type type;
	size_t len;
	bool is_hello, is_message;
};

#define HELLO                                                                                      \
	{                                                                                          \
		GP_TLS_HANDSHAKE, 512, true, false                                                 \
	}
#define KEY                                                                                        \
	{                                                                                          \
		GP_TLS_HANDSHAKE, 70, false, false                                                 \
	}
#define FINISHED                                                                                   \
	{                                                                                          \
		GP_TLS_HANDSHAKE, 40, false, false                                                 \
	}
#define CIPHER                                                                                     \
	{                                                                                          \
		GP_TLS_CIPHER, 1, false, false                                                     \
	}
#define ALERT                                                                                      \
	{                                                                                          \
		GP_TLS_ALERT, 26, false, false                                                     \
	}
#define HIDDEN(n)                                                                                  \
	{                                                                                          \
		GP_TLS_DATA, n, false, false                                                       \
	}
#define DATA(n)                                                                                    \
	{                                                                                          \
		GP_TLS_DATA, n, false, true                                                        \
	}

static size_t put_record(uint8_t *at, const struct record *r, bool is_request)
{
	const uint8_t hello[] = {is_request ? GP_TLS_CLIENT_HELLO : GP_TLS_SERVER_HELLO,
				 0,
				 (uint8_t)((r->len - 4) >> 8),
				 (uint8_t)(r->len - 4),
				 3,
				 3};

	memcpy(at, (uint8_t[]){r->type, 3, 3, (uint8_t)(r->len >> 8), (uint8_t)r->len}, 5);
	memset(at + 5, 0xa5, r->len);
	if (r->is_hello)
		memcpy(at + 5, hello, sizeof(hello));
	return r->len + 5;
}

static void check(const struct record *records, size_t count, bool is_request)
{
	static uint8_t stream[65536];
	size_t len = 0, end[RECORDS_MAX];
	struct steps s = {0};

	assert_true(count <= RECORDS_MAX);
	for (size_t i = 0; i < count; i++) {
		len += put_record(stream + len, &records[i], is_request);
		end[i] = len;
	}
	assert_null(
		steps_every_way(&s, is_request ? gp_tls_request : gp_tls_response, stream, len));
	assert_false(s.lost);
	assert_int_equal(s.ended, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(s.messages[i].end, end[i]);
		assert_int_equal(s.messages[i].flags, records[i].is_message ? 0 : GP_EVENT_ASIDE);
	}
}

#define CHECK(is_request, ...)                                                                     \
	do {                                                                                       \
		const struct record records[] = {__VA_ARGS__};                                     \
		check(records, sizeof(records) / sizeof(records[0]), is_request);                  \
	} while (0)
#define CLIENT(...) CHECK(true, __VA_ARGS__)
#define SERVER(...) CHECK(false, __VA_ARGS__)

static void test_tls12(void **state)
{
	CLIENT(HELLO, KEY, CIPHER, FINISHED, DATA(53), DATA(19), ALERT);
	SERVER(HELLO, KEY, KEY, CIPHER, FINISHED, DATA(53), DATA(19), DATA(17000), ALERT);
	CLIENT(HELLO, CIPHER, FINISHED, DATA(69), ALERT); /* resumed */
	SERVER(HELLO, CIPHER, FINISHED, DATA(69), ALERT);
}

static void test_tls13(void **state)
{
	CLIENT(HELLO, CIPHER, HIDDEN(53), DATA(53), DATA(100), HIDDEN(19));
	CLIENT(HELLO, HIDDEN(69), DATA(20)); /* without ChangeCipherSpec */
	CLIENT(HELLO, HIDDEN(45), DATA(20));
	CLIENT(HELLO, CIPHER, HELLO, HIDDEN(53), DATA(20)); /* asked to say hello again */
	CLIENT(HELLO, CIPHER, HIDDEN(900), HIDDEN(281), HIDDEN(53), DATA(20)); /* certificates */
	CLIENT(HELLO, CIPHER, HIDDEN(300), HIDDEN(1400), HIDDEN(21), HIDDEN(53),
	       DATA(20)); /* early
			     data */
	SERVER(HELLO, CIPHER, DATA(40), DATA(1000), DATA(53), DATA(250), DATA(20), HIDDEN(19));
	SERVER(HELLO, CIPHER, HELLO, DATA(40));
}

/* A Finished that cannot be told: all but the first few are messages. */
static void test_a_flight_without_an_end(void **state)
{
	CLIENT(HELLO, HIDDEN(900), HIDDEN(20), HIDDEN(20), HIDDEN(20), HIDDEN(20), HIDDEN(20),
	       HIDDEN(20), HIDDEN(20), DATA(20), DATA(20));
}

static void test_joined_later(void **state)
{
	CLIENT(DATA(53), DATA(19), DATA(0));
	SERVER(DATA(20), ALERT);
}

static void test_what_makes_no_sense(void **state)
{
	static const char *const lost[] = {
		"\31\3\3\1\1", "\23\3\3\1\1",	"\27\2\3\1\1",
		"\27\3\5\1\1", "\27\3\3\110\1", "GET / HTTP/1.1",
	};

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		struct steps s = {0};

		assert_null(steps_every_way(&s, gp_tls_request, lost[i], 5));
		assert_true(s.lost);
	}
}

static void test_how_a_connection_begins(void **state)
{
	uint8_t at[600] = "";
	const struct record hello = HELLO, key = KEY;

	put_record(at, &hello, true);
	for (uint32_t len = 6; len <= GP_LOOK; len++)
		assert_true(gp_tls_begins(at, len));
	assert_false(gp_tls_begins(at, 5));
	at[9] = 4;
	assert_false(gp_tls_begins(at, GP_LOOK));
	put_record(at, &hello, false);
	assert_false(gp_tls_begins(at, GP_LOOK));
	put_record(at, &key, true);
	assert_false(gp_tls_begins(at, GP_LOOK));
	memcpy(at, "GET / HTTP/1.1\r\n\r\n", 19);
	assert_false(gp_tls_begins(at, 18));
}

/* A Hello with these extensions, and messages behind it in its record. Its length. */
static size_t put_hello(uint8_t *at, bool is_request, const char *extensions, size_t len)
{
	static const uint8_t asks[] = {32, [33] = 0, 4, 0x13, 1, 0x13, 2, 1, 0};
	static const uint8_t answers[] = {0, 0x13, 1, 0};
	const uint8_t *rest = is_request ? asks : answers;
	size_t rest_len = is_request ? sizeof(asks) : sizeof(answers), behind = is_request ? 0 : 90;
	size_t body = 34 + rest_len + 2 + len;
	const struct record r = {GP_TLS_HANDSHAKE, 4 + body + behind, false, false};

	put_record(at, &r, is_request);
	memcpy(at + 5,
	       (uint8_t[]){is_request ? 1 : 2, 0, (uint8_t)(body >> 8), (uint8_t)body, 3, 3}, 6);
	memcpy(at + 43, rest, rest_len);
	memcpy(at + 43 + rest_len, (uint8_t[]){(uint8_t)(len >> 8), (uint8_t)len}, 2);
	memcpy(at + 45 + rest_len, extensions, len);
	return r.len + 5;
}

static bool names_h2(bool is_request, const char *extensions, size_t len)
{
	uint8_t at[1024];
	size_t all = put_hello(at, is_request, extensions, len);
	struct steps s = {0};

	assert_null(steps_every_way(&s, is_request ? gp_tls_request : gp_tls_response, at, all));
	assert_false(s.lost);
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.messages[0].end, all);
	assert_int_equal(s.messages[0].flags, GP_EVENT_ASIDE);
	assert_true(s.p.mark & GP_TLS_GREETED);
	return s.p.mark & GP_TLS_H2;
}

#define SNI "\0\0\0\16\0\14\0\0\11localhost"
#define H2 "\0\20\0\5\0\3\2h2"
#define H1 "\0\20\0\13\0\11\10http/1.1"
#define BOTH "\0\20\0\16\0\14\2h2\10http/1.1"
#define LAST "\0\20\0\16\0\14\10http/1.1\2h2"
#define CUT "\0\20\0\5\0\3\2h"
#define NAMES(is_request, s) names_h2(is_request, s, sizeof(s) - 1)

static void test_what_is_inside(void **state)
{
	for (int is_request = 0; is_request < 2; is_request++) {
		assert_true(NAMES(is_request, H2));
		assert_true(NAMES(is_request, SNI H2));
		assert_true(NAMES(is_request, BOTH SNI));
		assert_true(NAMES(is_request, SNI LAST SNI));
		assert_false(NAMES(is_request, SNI H1));
		assert_false(NAMES(is_request, SNI));
		assert_false(NAMES(is_request, ""));
		assert_false(NAMES(is_request, SNI CUT));
		assert_false(NAMES(is_request, "\0\5\377\377" H2)); /* longer than there is */
	}
}

/* What the server says in TLS 1.3, by the length of its first record behind ServerHello. */
static bool accepts_h2(size_t len)
{
	const struct record server[] = {HELLO, CIPHER, DATA(len), DATA(32), DATA(32)};
	uint8_t stream[2048];
	struct steps s = {0};
	size_t all = 0;

	for (size_t i = 0; i < sizeof(server) / sizeof(server[0]); i++)
		all += put_record(stream + all, &server[i], false);
	assert_null(steps_every_way(&s, gp_tls_response, stream, all));
	return s.p.mark & GP_TLS_H2;
}

static void test_what_is_inside_tls13(void **state)
{
	assert_true(accepts_h2(15 + 17));
	assert_true(accepts_h2(19 + 17)); /* with the server's name */
	assert_false(accepts_h2(6 + 17)); /* neither */
	assert_false(accepts_h2(10 + 17));
	assert_false(accepts_h2(21 + 17)); /* HTTP/1.1 */
	assert_false(accepts_h2(25 + 17));
	assert_false(accepts_h2(1200)); /* all in one record */
}

static bool is_aside(const struct record *r, int len, bool is_sealed)
{
	uint8_t at[600];

	put_record(at, r, true);
	return gp_tls_is_aside(at, len, is_sealed);
}

static void test_what_a_turn_begins_with(void **state)
{
	const struct record alert = ALERT, cipher = CIPHER, key = KEY, hidden = HIDDEN(19);
	const struct record data = DATA(20);

	assert_true(is_aside(&alert, 5, false));
	assert_true(is_aside(&cipher, 5, false));
	assert_true(is_aside(&key, 5, true));
	assert_true(is_aside(&hidden, 5, true));
	assert_false(is_aside(&hidden, 5, false)); /* two bytes of data, in TLS 1.2 */
	assert_false(is_aside(&data, 5, true));
	for (int len = 1; len < 5; len++)
		assert_true(is_aside(&data, len, true)); /* it may be */
	assert_false(is_aside(&data, 0, true));
	assert_false(gp_tls_is_aside((const uint8_t *)"GET /", 5, true));
	assert_false(gp_tls_is_aside((const uint8_t *)"GET /", 3, true));
	assert_false(gp_tls_is_aside((const uint8_t *)"\25\3\5\0\2", 5, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls12),
		cmocka_unit_test(test_tls13),
		cmocka_unit_test(test_a_flight_without_an_end),
		cmocka_unit_test(test_joined_later),
		cmocka_unit_test(test_what_makes_no_sense),
		cmocka_unit_test(test_how_a_connection_begins),
		cmocka_unit_test(test_what_a_turn_begins_with),
		cmocka_unit_test(test_what_is_inside),
		cmocka_unit_test(test_what_is_inside_tls13),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
