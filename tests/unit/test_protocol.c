// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gp_http.h"
#include "names.h"
#include "protocol.h"

static void test_names(void **state)
{
	char buffer[GP_STATUS_LEN];

	assert_string_equal(gp_operation_name(GP_PROTOCOL_HTTP, GP_HTTP_DELETE), "DELETE");
	assert_string_equal(gp_status_name(GP_PROTOCOL_HTTP, 404, buffer), "404");
}

/* Whatever the protocol, and so where a record has what its list does not. */
static void test_names_not_listed(void **state)
{
	char buffer[GP_STATUS_LEN];

	for (enum gp_protocol i = 0; i < GP_PROTOCOL_COUNT; i++) {
		assert_string_equal(gp_operation_name(i, 0), "other");
		assert_string_equal(gp_operation_name(i, 65535), "other");
		assert_string_equal(gp_status_name(i, 0, buffer), "other");
		assert_string_equal(gp_status_name(i, 65534, buffer), "other");
		assert_string_equal(gp_status_name(i, GP_STATUS_NONE, buffer), "none");
		assert_int_equal(gp_status_error(i, 0), GP_ERROR_COUNT);
		assert_int_equal(gp_status_error(i, GP_STATUS_NONE), GP_ERROR_ABORTED);
	}
}

/* Every protocol that is read has names for what its enumerations begin with. */
static void test_protocols_that_are_read(void **state)
{
	char buffer[GP_STATUS_LEN];

	for (enum gp_protocol i = 0; i < GP_PROTOCOL_COUNT; i++) {
		bool is_read = i != GP_PROTOCOL_UNKNOWN && i != GP_PROTOCOL_TLS;
		size_t statuses = 0;

		assert_int_equal(gp_protocol_is_read(i), is_read);
		assert_int_equal(strcmp(gp_operation_name(i, 1), "other") != 0, is_read);
		for (uint16_t status = 1; status < 600; status++) {
			const char *name = gp_status_name(i, status, buffer);

			assert_true(strlen(name) < GP_STATUS_LEN);
			statuses += strcmp(name, "other") != 0;
		}
		assert_int_equal(statuses > 0, is_read);
	}
}

static void test_errors(void **state)
{
	static const struct {
		uint16_t status;
		enum gp_error error;
	} cases[] = {
		{200, GP_ERROR_COUNT},	{304, GP_ERROR_COUNT},	{404, GP_ERROR_CLIENT},
		{499, GP_ERROR_CLIENT}, {500, GP_ERROR_SERVER}, {599, GP_ERROR_SERVER},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(gp_status_error(GP_PROTOCOL_HTTP, cases[i].status),
				 cases[i].error);
		assert_int_equal(gp_status_error(GP_PROTOCOL_UNKNOWN, cases[i].status),
				 GP_ERROR_COUNT);
	}
}

static void test_finding(void **state)
{
	enum gp_protocol found;

	for (enum gp_protocol i = GP_PROTOCOL_UNKNOWN + 1; i < GP_PROTOCOL_COUNT; i++) {
		assert_true(gp_protocol_find(gp_protocol_names[i], strlen(gp_protocol_names[i]),
					     &found));
		assert_int_equal(found, i);
	}
	assert_true(gp_protocol_find("dns,http", 3, &found));
	assert_int_equal(found, GP_PROTOCOL_DNS);
	assert_false(gp_protocol_find("unknown", 7, &found));
	assert_false(gp_protocol_find("http", 3, &found));
	assert_false(gp_protocol_find("", 0, &found));
	assert_false(gp_protocol_find("HTTP", 4, &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_not_listed),
		cmocka_unit_test(test_protocols_that_are_read),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
