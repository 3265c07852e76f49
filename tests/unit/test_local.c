// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "local.h"

static const char routes[] = "Main:\n"
			     "  +-- 0.0.0.0/0 3 0 5\n"
			     "     |-- 10.77.0.0\n"
			     "        /24 link UNICAST\n"
			     "Local:\n"
			     "  +-- 0.0.0.0/0 3 0 5\n"
			     "     |-- 10.77.0.1\n"
			     "        /32 host LOCAL\n"
			     "     |-- 10.77.0.255\n"
			     "        /32 link BROADCAST\n";
static const char interfaces[] = "00000000000000000000000000000001 01 80 10 80       lo\n"
				 "20010db8000000000000000000000007 02 40 00 80     eth0\n";

static bool in_routes(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t address[] = {a, b, c, d};
	FILE *file = fmemopen((void *)routes, strlen(routes), "r");
	bool found = gp_local_in_routes(file, address);

	fclose(file);
	return found;
}

static bool in_interfaces(uint8_t last)
{
	const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};
	FILE *file = fmemopen((void *)interfaces, strlen(interfaces), "r");
	bool found = gp_local_in_interfaces(file, address);

	fclose(file);
	return found;
}

static void test_routes(void **state)
{
	assert_true(in_routes(10, 77, 0, 1));
	assert_false(in_routes(10, 77, 0, 0));	 /* a network */
	assert_false(in_routes(10, 77, 0, 2));	 /* a neighbour */
	assert_false(in_routes(10, 77, 0, 255)); /* broadcast */
}

static void test_interfaces(void **state)
{
	assert_true(in_interfaces(7));
	assert_false(in_interfaces(8));
}

static void test_loopback(void **state)
{
	const uint8_t v4[] = {127, 1, 2, 3}, v6[16] = {[15] = 1}, other[] = {192, 0, 2, 1};

	assert_true(gp_local(v4, false));
	assert_true(gp_local(v6, true));
	assert_false(gp_local(other, false)); /* TEST-NET-1 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
