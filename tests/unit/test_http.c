// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP's parser: what it makes of streams put together from whole messages, so that where each
 * begins and ends is known, in every way of splitting them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gp_http.h"
#include "own.h"
#include "protocol.h"
#include "steps.h"

#define STREAM_MAX 65536
#define PARTS_MAX 32

/* A whole message, and what it is seen as: as told() says, or NULL if it is none. */
struct part {
	const char *bytes, *seen;
	uint16_t request; /* of an answer: what it answers */
};

#define IS(text, what)                                                                             \
	{                                                                                          \
		.bytes = text, .seen = what                                                        \
	}
#define TO(method, text, what)                                                                     \
	{                                                                                          \
		.bytes = text, .seen = what, .request = GP_HTTP_##method                           \
	}

/* "GET", "100 aside", "200 stream" */
static const char *told(const struct steps_message *m, bool answer, char text[64])
{
	char buffer[GP_STATUS_LEN];
	const char *name = answer ? gp_http_names.status(m->status, buffer)
				  : gp_http_names.operation(m->operation);

	snprintf(text, 64, "%s%s%s%s%s", name ? name : "other",
		 m->flags & GP_EVENT_NAMED ? "" : " unnamed",
		 m->flags & GP_EVENT_ASIDE ? " aside" : "",
		 m->flags & GP_EVENT_STREAM ? " stream" : "",
		 m->flags & GP_EVENT_BODY_TO_CLOSE ? " to close" : "");
	return text;
}

static void check(const struct part *parts, size_t count, bool answer)
{
	static char stream[STREAM_MAX];
	size_t begin[PARTS_MAX], end[PARTS_MAX], which[PARTS_MAX], seen = 0, len = 0;
	uint16_t requests[PARTS_MAX];
	size_t asked = 0;
	struct steps s = {.requests = requests};
	char text[64];

	for (size_t i = 0; i < count; i++) {
		size_t part_len = strlen(parts[i].bytes);

		assert_true(len + part_len < STREAM_MAX && seen < PARTS_MAX);
		if (parts[i].seen) {
			which[seen] = i;
			begin[seen] = len;
			end[seen++] = len + part_len;
			if (!strstr(parts[i].seen, "aside"))
				requests[asked++] = parts[i].request;
		}
		memcpy(stream + len, parts[i].bytes, part_len);
		len += part_len;
	}
	s.requests_count = asked;
	assert_null(steps_every_way(&s, answer ? gp_http_response : gp_http_request, stream, len));
	assert_false(s.lost);
	assert_int_equal(s.count, seen);
	for (size_t i = 0; i < seen; i++) {
		const struct steps_message *m = &s.messages[i];

		assert_string_equal(told(m, answer, text), parts[which[i]].seen);
		assert_int_equal(m->begin, begin[i]);
		if (!(m->flags & (GP_EVENT_STREAM | GP_EVENT_BODY_TO_CLOSE)))
			assert_int_equal(m->end, end[i]);
		else
			assert_true(m->end == STEPS_OPEN && i == seen - 1);
	}
}

#define CHECK_REQUESTS(...) CHECK(false, __VA_ARGS__)
#define CHECK_ANSWERS(...) CHECK(true, __VA_ARGS__)
#define CHECK(answer, ...)                                                                         \
	do {                                                                                       \
		const struct part parts[] = {__VA_ARGS__};                                         \
		check(parts, ARRAY_SIZE(parts), answer);                                           \
	} while (0)

static void is_lost(steps_step step, const char *const *streams, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct steps s = {0};

		assert_null(steps_every_way(&s, step, streams[i], strlen(streams[i])));
		if (!s.lost)
			fail_msg("not lost: %s", streams[i]);
		assert_int_equal(s.ended, 0);
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_every_method_is_named(void **state)
{
	CHECK_REQUESTS(IS(GET, "GET"), IS("HEAD / HTTP/1.1\r\n\r\n", "HEAD"),
		       IS("POST / HTTP/1.1\r\n\r\n", "POST"), IS("PUT / HTTP/1.1\r\n\r\n", "PUT"),
		       IS("DELETE / HTTP/1.1\r\n\r\n", "DELETE"),
		       IS("CONNECT a:443 HTTP/1.1\r\n\r\n", "CONNECT"),
		       IS("OPTIONS * HTTP/1.0\r\n\r\n", "OPTIONS"),
		       IS("TRACE / HTTP/1.1\r\n\r\n", "TRACE"),
		       IS("PATCH / HTTP/1.1\r\n\r\n", "PATCH"),
		       IS("PROPFIND / HTTP/1.1\r\n\r\n", "other"),
		       IS("G / HTTP/1.1\r\n\r\n", "other"), IS("GETS / HTTP/1.1\r\n\r\n", "other"),
		       IS("ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\n\r\n", "other"));
}

static void test_pipelined_requests_are_counted_one_by_one(void **state)
{
	CHECK_REQUESTS(IS(GET, "GET"), IS(GET, "GET"), IS("\r\n\n\r\n", NULL), IS(GET, "GET"),
		       IS("HEAD /a?b=c HTTP/1.1\nHost: a\nX: y\r\n\n", "HEAD"), IS(GET, "GET"));
}

static void test_a_body_is_as_long_as_its_length(void **state)
{
	CHECK_REQUESTS(IS("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n\r\n\r\nGET /", "POST"),
		       IS("PUT / HTTP/1.1\r\ncontent-LENGTH:\t 0012 \t\r\nX: y\r\n\r\nHTTP/1.1 200",
			  "PUT"),
		       IS("GET / HTTP/1.1\nContent-Length:1\nContent-Length: 01\n\n\n", "GET"),
		       IS("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "POST"),
		       IS("POST / HTTP/1.1\r\nContent-Lengths: 7\r\nXContent-Length: 7\r\n"
			  "Content-Lengtx: 7\r\nTransfer-Encodinx: chunked\r\n\r\n",
			  "POST"),
		       IS("GET / HTTP/1.1\r\nX:Content-Length: 7\r\n\r\n", "GET"), IS(GET, "GET"));
}

static void test_a_long_body_is_skipped(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nContent-Length: 72057594037927935\r\n\r\n";
	struct steps s = {0};

	assert_null(steps_every_way(&s, gp_http_request, head, strlen(head)));
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.messages[0].end, strlen(head) + 72057594037927935);
}

static void test_chunks(void **state)
{
	CHECK_REQUESTS(
		IS("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST"),
		IS("POST / HTTP/1.1\r\nTRANSFER-ENCODING:Chunked \r\nContent-Length: 3\r\n\r\n"
		   "5\r\n0\r\n\r\n\r\n00a;x=\"y\"\r\n0123456789\r\n1 ; a\n \n0\r\n"
		   "Content-Length: x\r\nTransfer-Encoding: y\r\n\r\n",
		   "POST"),
		IS("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip,, chunked\r\n\r\n"
		   "000000000000aB\r\n"
		   "0123456789012345678901234567890123456789012345678901234567890123456789012345678"
		   "0123456789012345678901234567890123456789012345678901234567890123456789012345678"
		   "0123456789012\r\n0;last\r\n\r\n",
		   "PUT"),
		IS("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, deflate\r\n"
		   "Transfer-Encoding: ,\tchunked,\r\n\r\n1\nx\n0\n\n",
		   "POST"),
		IS(GET, "GET"));
}

static void test_lines_of_any_length(void **state)
{
	static char target[3000], name[400], value[5000];

	snprintf(target, sizeof(target), "GET /%02900d HTTP/1.1\r\n\r\n", 7);
	snprintf(name, sizeof(name), "GET / HTTP/1.1\r\n%0300d: x\r\nContent-Length: 1\r\n\r\nx",
		 7);
	snprintf(value, sizeof(value),
		 "GET / HTTP/1.1\r\nX: %04000d\r\nTransfer-Encoding: %0500d, chunked\r\n\r\n"
		 "3;%0200d\r\nabc\r\n0\r\n\r\n",
		 7, 7, 7);
	CHECK_REQUESTS(IS(target, "GET"), IS(name, "GET"), IS(GET, "GET"));
	CHECK_REQUESTS(IS(value, "GET"), IS(GET, "GET"));
}

static void test_requests_that_are_none(void **state)
{
	static const char *const streams[] = {
		"get / HTTP/1.1\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"M-SEARCH * HTTP/1.1\r\n\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1\r\n\r\n",
		"\r\rGET / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /\r\n",
		"GET / FTP/1.1\r\n\r\n",
		"GET / HTTP/1.x\r\n\r\n",
		"GET / HTTP/1.\n\n",
		"GET / HTTP/1.1x\r\n\r\n",
		"GET / HTTP/1.1\r\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost\r\n\r\n",
		"GET / HTTP/1.1\r\n: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nH\xc3\xb6st: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\rX",
		"HTTP/1.1 200 OK\r\n\r\n",
		"\x16\x03\x01\x02",
		"*1\r\n$4\r\nPING\r\n",
	};

	is_lost(gp_http_request, streams, ARRAY_SIZE(streams));
}

static void test_lengths_that_cannot_be_trusted(void **state)
{
	static const char *const values[] = {
		"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"Content-Length: -1\r\n\r\n",
		"Content-Length: +1\r\n\r\n",
		"Content-Length: \r\n\r\n",
		"Content-Length: 1x\r\n\r\n",
		"Content-Length: 1 2\r\n\r\n",
		"Content-Length: 1, 1\r\n\r\n",
		"Content-Length: 0x1\r\n\r\n",
		"Content-Length : 1\r\n\r\n",
		"Content-Length: 72057594037927936\r\n\r\n",
		"Content-Length: 100000000000000000\r\n\r\n",
		"Content-Length: 99999999999999999999999999999999999999999\r\n\r\n",
		"Content-Length: 18446744073709551617\r\n\r\n",
		"Transfer-Encoding: gzip\r\n\r\n",
		"Transfer-Encoding: \r\n\r\n",
		"Transfer-Encoding: x\n\n",
		"Transfer-Encoding: chunked, gzip\r\n\r\n",
		"Transfer-Encoding: chunkedx\r\n\r\n",
		"Transfer-Encoding: xchunked\r\n\r\n",
		"Transfer-Encoding: chunked x\r\n\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\nx\r\n",
		"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
		"Transfer-Encoding: chunked\r\n\r\n1g\r\n",
		"Transfer-Encoding: chunked\r\n\r\n1\rx",
		"Transfer-Encoding: chunked\r\n\r\n100000000000000\r\n",
		"Transfer-Encoding: chunked\r\n\r\n000000000000001\r\nx\r\n",
		"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char stream[256];
		const char *one = stream;

		snprintf(stream, sizeof(stream), "POST / HTTP/1.1\r\n%s", values[i]);
		is_lost(gp_http_request, &one, 1);
	}
}

static void test_answers(void **state)
{
	CHECK_ANSWERS(IS("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/", "200"),
		      IS("HTTP/1.1 100 Continue\r\n\r\n", "100 aside"),
		      IS("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n",
			 "103 aside"),
		      IS("HTTP/1.0 404\r\ncontent-length: 0\r\n\r\n", "404"),
		      IS("HTTP/1.1 500 \nContent-Length: 1\n\n\n", "500"),
		      IS("HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n", "204"),
		      IS("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "304"),
		      TO(HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "200"),
		      TO(HEAD, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "200"),
		      IS("HTTP/1.1 599 Odd\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
			 "1f\r\n0123456789012345678901234567890\r\n0\r\nX: y\r\n\r\n",
			 "599"),
		      TO(CONNECT, "HTTP/1.1 407 Who?\r\nContent-Length: 2\r\n\r\nno", "407"),
		      TO(GET, "HTTP/1.1 200 OK\r\n\r\nall that follows", "200 to close"));
	CHECK_ANSWERS(
		IS("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nxx",
		   "200 to close"));
}

static void test_streams(void **state)
{
	CHECK_ANSWERS(IS("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81",
			 "101 stream"));
	CHECK_ANSWERS(
		TO(CONNECT, "HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", "200 stream"));
	CHECK_ANSWERS(IS("HTTP/1.1 404 None\r\nContent-Type: text/event-stream\r\n"
			 "Content-Length: 1\r\n\r\nx",
			 "404"),
		      IS("HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n"
			 "Content-Length: 1\r\n\r\nx",
			 "200"),
		      IS("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx",
			 "200"),
		      IS("HTTP/1.1 200 OK\r\nContent-type:Text/Event-Stream;charset=utf-8\r\n"
			 "Transfer-Encoding: chunked\r\n\r\n5\r\n",
			 "200 stream"));
}

static void test_an_aside_is_one_to_its_end(void **state)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct steps s = {0};

	assert_null(steps_every_way(&s, gp_http_response, text, strlen(text)));
	assert_int_equal(s.p.events, GP_EVENT_END | GP_EVENT_ASIDE);
}

static void test_answers_that_are_none(void **state)
{
	static const char *const streams[] = {
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 099 Low\r\n\r\n",
		"HTTP/1.1 600 High\r\n\r\n",
		"HTTP/1.1 2000 Long\r\n\r\n",
		"HTTP/1.1 20 Short\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTQ",
		"GET / HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	};

	is_lost(gp_http_response, streams, ARRAY_SIZE(streams));
}

static bool is_plain(const char *text, uint16_t *operation)
{
	uint8_t *bytes = malloc(sizeof(struct gp_http_bytes)); /* the sanitizer sees its ends */
	size_t len = strlen(text), here = len < GP_HTTP_PLAIN ? len : GP_HTTP_PLAIN;
	struct gp_parser p = {0};
	bool plain;

	assert_non_null(bytes);
	memset(bytes, '\n', sizeof(struct gp_http_bytes));
	memcpy(bytes, text, here);
	plain = gp_http_plain(bytes, len, &p);
	free(bytes);
	*operation = p.operation;
	return plain;
}

static void test_the_cheap_look(void **state)
{
	static const char *const plain[] = {
		GET,
		"GET / HTTP/1.0\n\n",
		"HEAD / HTTP/1.0\r\n\r\n",
		"DELETE /a HTTP/1.0\r\nA: b\r\nC: d\n\r\n",
		"OPTIONS * HTTP/1.1\r\nA:\r\nB:\r\n\r\n",
		"TRACE / HTTP/1.1\r\nA: \xe4\xf6\xfc\x8a\r\n\n",
	};
	static const char *const not_plain[] = {
		"GET / HTTP/1.1\r\nHost: a\r\naccept: Text/Event-Stream\r\n\r\n",
		"GET /12 HTTP/1.1\r\nB:1\r\nAccept: text/event-stream\r\n\r\n", /* two ends in eight
										 */
		"",
		"GET / HTTP/1.1\r\n",
		GET "G",
		GET GET,
		"GET / HTTP/1.1\n\nGET / HTTP/1.1\n\n",
		"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"PATCH / HTTP/1.1\r\n\r\n",
		"\r\n" GET,
		"get / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\n\r",
		"GET / HTTP/1.1\r\n\r\r\n",
	};
	uint16_t operation;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		assert_true(is_plain(plain[i], &operation));
		assert_int_equal(operation != 0, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_plain); i++)
		assert_false(is_plain(not_plain[i], &operation));
}

/* At every length, the last bytes of what may be read included. */
static void test_the_cheap_look_at_every_length(void **state)
{
	char text[GP_HTTP_PLAIN + 8];
	uint16_t operation;

	for (int len = 20; len <= GP_HTTP_PLAIN + 4; len++) {
		snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n\r\n", len - 18, 7);
		assert_int_equal(strlen(text), len);
		assert_int_equal(is_plain(text, &operation), len <= GP_HTTP_PLAIN);
		text[len - 1] = 'x';
		assert_false(is_plain(text, &operation));
	}
}

/* What the cheap look takes for one request, the steps take for one, or for none. */
static void test_the_cheap_look_agrees_with_the_steps(void **state)
{
	static const char *const pieces[] = {"GET / HTTP/1.1", "\r",   "\n", "\r\n", "A: b",
					     "\r\n\r\n",       "\n\n", "C",  "\xff"};
	uint32_t seed = 1, plain = 0;

	for (int i = 0; i < 200000; i++) {
		char text[128] = "HEAD / HTTP/1.1\r\n";
		struct steps s = {0};
		uint16_t operation;
		size_t len;

		for (uint32_t n = steps_random(&seed) % 7; n > 0; n--)
			strcat(text, pieces[steps_random(&seed) % ARRAY_SIZE(pieces)]);
		len = strlen(text);
		steps_run(&s, gp_http_request, text, len, len, 0);
		assert_null(s.fault);
		if (is_plain(text, &operation)) {
			plain++;
			assert_true(s.lost || (s.count == 1 && s.ended == 1));
			if (!s.lost)
				assert_int_equal(s.messages[0].end, len);
		} else if (!s.lost && s.count == 1 && s.ended == 1) {
			assert_true(s.taken < len || s.messages[0].end < len);
		}
	}
	assert_true(plain > 1000);
}

static void test_what_a_status_stands_for(void **state)
{
	char buffer[GP_STATUS_LEN];

	assert_int_equal(gp_http_plain_status((const __u8 *)"HTTP/1.1 200", 12), 200);
	assert_int_equal(gp_http_plain_status((const __u8 *)"HTTP/1.0 599", 64), 599);
	assert_int_equal(gp_http_plain_status((const __u8 *)"HTTP/1.1 200", 11), 0);
	assert_int_equal(gp_http_plain_status((const __u8 *)"HTTP/1.1 600", 12), 0);
	assert_int_equal(gp_http_plain_status((const __u8 *)"HTTP/1.1 2x0", 12), 0);
	assert_int_equal(gp_http_error(500), GP_ERROR_SERVER);
	assert_int_equal(gp_http_error(404), GP_ERROR_CLIENT);
	assert_int_equal(gp_http_error(399), GP_ERROR_COUNT);
	assert_int_equal(gp_http_error(600), GP_ERROR_COUNT);
	assert_string_equal(gp_http_names.status(100, buffer), "100");
	assert_null(gp_http_names.status(99, buffer));
	assert_null(gp_http_names.status(600, buffer));
	assert_null(gp_http_names.operation(GP_HTTP_OTHER));
	assert_null(gp_http_names.operation(GP_HTTP_OPERATION_COUNT));
	assert_string_equal(gp_http_names.operation(GP_HTTP_PATCH), "PATCH");
}

static bool begins(const char *text)
{
	__u8 at[16] = {0};

	memcpy(at, text, strlen(text));
	return gp_http_begins(at, strlen(text));
}

static void test_how_a_first_request_begins(void **state)
{
	assert_true(begins("GET / HTTP/1.1"));
	assert_true(begins("OPTIONS * HTTP"));
	assert_true(begins("CONNECT a:443"));
	assert_true(begins("CONNECT 10.0.0.1"));
	assert_true(begins("GET http://a"));
	assert_true(begins("PAT"));
	assert_true(begins("GET "));
	assert_false(begins("GET \r\n"));
	assert_false(begins("GET  /"));
	assert_false(begins("GETS /"));
	assert_false(begins("GE/"));
	assert_false(begins("PROPFIND /"));
	assert_false(begins("PRI * HTTP/2.0"));
	assert_false(begins("\x16\x03\x01"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_method_is_named),
		cmocka_unit_test(test_pipelined_requests_are_counted_one_by_one),
		cmocka_unit_test(test_a_body_is_as_long_as_its_length),
		cmocka_unit_test(test_a_long_body_is_skipped),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_lines_of_any_length),
		cmocka_unit_test(test_requests_that_are_none),
		cmocka_unit_test(test_lengths_that_cannot_be_trusted),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_an_aside_is_one_to_its_end),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_the_cheap_look),
		cmocka_unit_test(test_the_cheap_look_at_every_length),
		cmocka_unit_test(test_the_cheap_look_agrees_with_the_steps),
		cmocka_unit_test(test_what_a_status_stands_for),
		cmocka_unit_test(test_how_a_first_request_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
