// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "host_files.h"
#include "host_stats.h"
#include "own.h"

static void write_netstat(unsigned long overflows, unsigned long drops)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "TcpExt: SyncookiesSent DelayedACKLost ListenOverflows ListenDrops TCPHPHits\n"
		 "TcpExt: 0 11407 %lu %lu 43932079\n"
		 "IpExt: InNoRoutes InOctets\n"
		 "IpExt: 0 21796863537\n",
		 overflows, drops);
	host_write("proc/net/netstat", text);
}

static void write_snmp(unsigned long retransmits)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn OutSegs RetransSegs InErrs\n"
		 "Tcp: 1 200 120000 -1 121245070 %lu 0\n",
		 retransmits);
	host_write("proc/net/snmp", text);
}

static void test_differences(void **state)
{
	gp_auto(gp_host_stats_free) struct gp_host_stats *s = NULL;
	struct gp_host host = {};

	host_write_pressure("proc/pressure/cpu", 1000, 0);
	host_write_pressure("proc/pressure/memory", 2000, 200);
	host_write_pressure("proc/pressure/io", 3000, 300);
	write_netstat(8, 9);
	write_snmp(11483);
	assert_int_equal(gp_host_stats_new(&s, scratch_directory), 0);
	host_write_pressure("proc/pressure/cpu", 1001, 0);
	host_write_pressure("proc/pressure/memory", 2020, 203);
	write_netstat(10, 14);
	write_snmp(11490);
	for (int again = 0; again < 2; again++) {
		gp_host_stats_collect(s, &host);
		assert_true(host.pressure.has[GP_PRESSURE_CPU_SOME]);
		assert_false(host.pressure.has[GP_PRESSURE_CPU_FULL]); /* of a host: undefined */
		assert_true(host.pressure.has[GP_PRESSURE_IO_FULL]);
		assert_int_equal(host.pressure.ns[GP_PRESSURE_CPU_SOME], again ? 0 : 1000);
		assert_int_equal(host.pressure.ns[GP_PRESSURE_MEMORY_SOME], again ? 0 : 20000);
		assert_int_equal(host.pressure.ns[GP_PRESSURE_MEMORY_FULL], again ? 0 : 3000);
		assert_int_equal(host.pressure.ns[GP_PRESSURE_IO_SOME], 0);
		assert_true(host.has_listen && host.has_retransmits);
		assert_int_equal(host.listen_overflows, again ? 0 : 2);
		assert_int_equal(host.listen_drops, again ? 0 : 5);
		assert_int_equal(host.retransmits, again ? 0 : 7);
	}
}

static void test_nothing_there(void **state)
{
	gp_auto(gp_host_stats_free) struct gp_host_stats *s = NULL;
	struct gp_host host = {};
	struct capture c;
	const char *said;

	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(gp_host_stats_new(&s, scratch_directory), 0);
	said = capture_end(&c);
	assert_int_equal(count_lines(said), 2);
	assert_non_null(strstr(said, "pressure"));
	assert_non_null(strstr(said, "listen drops"));
	host_write_pressure("proc/pressure/cpu", 1000, 0); /* no difference is known yet */
	write_snmp(5);
	for (int again = 0; again < 2; again++) {
		gp_host_stats_collect(s, &host);
		assert_true(host.pressure.has[GP_PRESSURE_CPU_SOME] == again);
		assert_true(host.has_retransmits == again);
		assert_false(host.pressure.has[GP_PRESSURE_MEMORY_SOME]);
		assert_false(host.has_listen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_differences, host_clear_before),
		cmocka_unit_test_setup(test_nothing_there, host_clear_before),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
