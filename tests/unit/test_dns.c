// SPDX-License-Identifier: GPL-2.0-or-later
/* DNS: what is told of one datagram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gp_dns.h"
#include "own.h"
#include "protocol.h"

#define HEAD(flags, counts) "\x12\x34" flags counts
#define QUERY HEAD("\1\0", "\0\1\0\0\0\0\0\0")
#define ANSWER(rcode) HEAD("\x81" rcode, "\0\1\0\0\0\0\0\0")
#define NAME "\3www\7example\3com\0"
#define IN "\0\1"

/* The look at a literal, at exactly what it is allowed to read. */
#define LOOK(d, bytes) look(d, bytes, sizeof(bytes) - 1)

static bool look(struct gp_dns *d, const void *bytes, size_t len)
{
	uint8_t *window = malloc(GP_DNS_LOOK); /* so that the sanitizer sees its ends */
	bool is_message;

	assert_non_null(window);
	memset(window, 1, GP_DNS_LOOK);
	memcpy(window, bytes, len < GP_DNS_LOOK ? len : GP_DNS_LOOK);
	is_message = gp_dns_look(window, (uint32_t)len, d);
	free(window);
	return is_message;
}

static void test_a_query(void **state)
{
	struct gp_dns d;

	assert_true(LOOK(&d, QUERY NAME "\0\34" IN));
	assert_int_equal(d.id, 0x1234);
	assert_int_equal(d.type, 28);
	assert_int_equal(d.operation, GP_DNS_AAAA);
	assert_int_equal(d.opcode, GP_DNS_QUERY);
	assert_false(d.is_response);
	assert_false(d.truncated);
	/* With what EDNS adds behind the question. */
	assert_true(LOOK(&d, HEAD("\1\40", "\0\1\0\0\0\0\0\1") NAME "\0\1" IN
								    "\0\0\51\4\320\0\0\0\0\0\0"));
	assert_int_equal(d.operation, GP_DNS_A);
	assert_true(LOOK(&d, QUERY "\0\0\2" IN)); /* the root */
	assert_int_equal(d.operation, GP_DNS_NS);
	assert_true(LOOK(&d, QUERY NAME "\377\1" IN));
	assert_int_equal(d.operation, GP_DNS_OTHER);
}

static void test_answers(void **state)
{
	struct gp_dns d;

	assert_true(LOOK(&d, ANSWER("\x83") NAME "\0\1" IN));
	assert_true(d.is_response);
	assert_int_equal(d.rcode, 3);
	assert_int_equal(d.status, GP_DNS_STATUS(GP_DNS_RCODE_NXDOMAIN));
	assert_true(
		LOOK(&d, HEAD("\x83\x80", "\0\1\0\1\0\0\0\0") NAME "\0\1" IN "\300\14\0\1\0\1"));
	assert_true(d.truncated);
	assert_int_equal(d.status, GP_DNS_STATUS(GP_DNS_RCODE_NOERROR));
	assert_true(LOOK(&d, HEAD("\x81\x81", "\0\0\0\0\0\0\0\0"))); /* not even the question */
	assert_int_equal(d.type, 0);
	assert_int_equal(d.status, GP_DNS_STATUS(GP_DNS_RCODE_FORMERR));
	assert_true(LOOK(&d, ANSWER("\x8f") NAME "\0\1" IN));
	assert_int_equal(d.status, 0);
	/* Longer than what can be read of it. */
	assert_true(look(&d,
			 (uint8_t[4000]){0x12, 0x34, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 1, 'a', 0,
					 0, 16, 0, 1},
			 4000));
	assert_int_equal(d.operation, GP_DNS_TXT);
}

static void test_notify_and_update(void **state)
{
	struct gp_dns d;

	assert_true(LOOK(&d, HEAD("\44\0", "\0\1\0\1\0\0\0\0") NAME "\0\6" IN "\300\14"));
	assert_int_equal(d.opcode, GP_DNS_NOTIFY);
	assert_int_equal(d.operation, GP_DNS_SOA);
	assert_true(LOOK(&d, HEAD("\50\0", "\0\1\0\0\0\1\0\0") NAME "\0\6" IN "\300\14"));
	assert_int_equal(d.opcode, GP_DNS_UPDATE);
}

static void test_what_is_no_message(void **state)
{
	struct gp_dns d;

	assert_false(LOOK(&d, QUERY NAME "\0\34\0"));	     /* cut off */
	assert_false(LOOK(&d, QUERY NAME "\0\34" IN "x"));   /* more than there is */
	assert_false(LOOK(&d, QUERY NAME "\0\34\0\5"));	     /* no such class */
	assert_false(LOOK(&d, QUERY NAME "\0\0" IN));	     /* no type */
	assert_false(LOOK(&d, QUERY "\300\14\0\1" IN));	     /* a name that is none */
	assert_false(LOOK(&d, QUERY "\100" NAME "\0\1" IN)); /* a label too long */
	assert_false(LOOK(&d, HEAD("\1\0", "\0\2\0\0\0\0\0\0") NAME "\0\1" IN NAME "\0\1" IN));
	assert_false(LOOK(&d, HEAD("\1\0", "\0\0\0\0\0\0\0\0")));		 /* asks nothing */
	assert_false(LOOK(&d, HEAD("\1\3", "\0\1\0\0\0\0\0\0") NAME "\0\1" IN)); /* an rcode */
	assert_false(LOOK(&d, HEAD("\3\0", "\0\1\0\0\0\0\0\0") NAME "\0\1" IN));
	assert_false(LOOK(&d, HEAD("\1\0", "\0\1\0\1\0\0\0\0") NAME "\0\1" IN "\300\14\0\1"));
	assert_false(LOOK(&d, HEAD("\1\100", "\0\1\0\0\0\0\0\0") NAME "\0\1" IN)); /* reserved */
	assert_false(LOOK(&d, HEAD("\10\0", "\0\1\0\0\0\0\0\0") NAME "\0\1" IN));  /* opcode 1 */
}

/* Names of any number of labels, up to the length that a name may have. */
static void test_names(void **state)
{
	for (int label = 1; label <= GP_DNS_LABEL_MAX; label++) {
		for (int labels = 1; labels * (label + 1) < 400; labels++) {
			uint8_t bytes[512] = QUERY;
			size_t len = GP_DNS_HEAD;
			struct gp_dns d;

			for (int i = 0; i < labels; i++) {
				bytes[len++] = (uint8_t)label;
				memset(bytes + len, 'a', (size_t)label);
				len += (size_t)label;
			}
			memcpy(bytes + len, "\0\0\101\0\1", 5);
			assert_int_equal(look(&d, bytes, len + 5),
					 labels * (label + 1) + 1 <= GP_DNS_NAME_MAX);
			if (labels * (label + 1) + 1 <= GP_DNS_NAME_MAX)
				assert_int_equal(d.operation, GP_DNS_HTTPS);
		}
	}
}

/* A message cut off anywhere is none. */
static void test_every_length(void **state)
{
	static const char query[] = QUERY NAME "\0\34" IN,
			  answer[] = ANSWER("\x80") NAME "\0\34" IN;
	struct gp_dns d;

	for (size_t len = 0; len < sizeof(query) - 1; len++) {
		assert_false(look(&d, query, len));
		assert_false(look(&d, answer, len));
	}
	assert_true(look(&d, answer, sizeof(answer) - 1));
}

static void test_names_and_errors(void **state)
{
	char buffer[GP_STATUS_LEN];

	for (uint16_t i = 1; i < GP_DNS_OPERATION_COUNT; i++)
		assert_non_null(gp_dns_names.operation(i));
	assert_null(gp_dns_names.operation(0));
	assert_null(gp_dns_names.operation(GP_DNS_OPERATION_COUNT));
	assert_string_equal(gp_dns_names.operation(GP_DNS_NSEC3PARAM), "NSEC3PARAM");
	for (uint16_t i = 0; i < GP_DNS_RCODE_COUNT; i++) {
		enum gp_error error = GP_ERROR_CLIENT;

		assert_non_null(gp_dns_names.status(GP_DNS_STATUS(i), buffer));
		if (i == GP_DNS_RCODE_SERVFAIL)
			error = GP_ERROR_SERVER;
		if (i == GP_DNS_RCODE_NOERROR || i == GP_DNS_RCODE_NXDOMAIN)
			error = GP_ERROR_COUNT;
		assert_int_equal(gp_dns_error(GP_DNS_STATUS(i)), error);
	}
	assert_string_equal(gp_dns_names.status(3, buffer), "SERVFAIL");
	assert_null(gp_dns_names.status(0, buffer));
	assert_null(gp_dns_names.status(GP_DNS_STATUS(GP_DNS_RCODE_COUNT), buffer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_query),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_notify_and_update),
		cmocka_unit_test(test_what_is_no_message),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_names_and_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
