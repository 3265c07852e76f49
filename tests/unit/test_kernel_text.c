// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "host_files.h"
#include "kernel_text.h"
#include "own.h"

static const char cpu_stat_v1[] =
	"nr_periods 5961\nnr_throttled 5958\nthrottled_time 538811862347\n"
	"nr_bursts 0\nburst_time 0\n";
static const char netstat[] = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n"
			      "TcpExt: 0 8 9 43932079\n"
			      "IpExt: InNoRoutes ListenDrops\n"
			      "IpExt: 0 77\n";
static const char snmp[] = "Ip: Forwarding DefaultTTL\n"
			   "Ip: 1 64\n"
			   "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn RetransSegs InErrs\n"
			   "Tcp: 1 200 120000 -1 11483 0\n"
			   "UdpLite: InDatagrams\n";

static void test_field(void **state)
{
	uint64_t value = 1;

	assert_true(gp_kernel_text_field(cpu_stat_v1, "nr_periods", &value));
	assert_int_equal(value, 5961);
	assert_true(gp_kernel_text_field(cpu_stat_v1, "throttled_time", &value));
	assert_int_equal(value, 538811862347);
	assert_true(gp_kernel_text_field(cpu_stat_v1, "burst_time", &value));
	assert_int_equal(value, 0);
	assert_false(gp_kernel_text_field(cpu_stat_v1, "throttled", &value));
	assert_false(gp_kernel_text_field(cpu_stat_v1, "throttled_usec", &value));
	assert_false(gp_kernel_text_field("", "nr_periods", &value));
	assert_false(gp_kernel_text_field("a ", "a", &value));
	assert_false(gp_kernel_text_field("a -1\n", "a", &value));
	assert_true(gp_kernel_text_field("a 18446744073709551615", "a", &value));
	assert_true(value == UINT64_MAX);
	assert_false(gp_kernel_text_field("a 18446744073709551616\n", "a", &value));
}

static void test_column(void **state)
{
	uint64_t value = 1;

	assert_true(gp_kernel_text_column(netstat, "TcpExt:", "ListenDrops", &value));
	assert_int_equal(value, 9);
	assert_true(gp_kernel_text_column(netstat, "TcpExt:", "TCPHPHits", &value));
	assert_int_equal(value, 43932079);
	assert_true(gp_kernel_text_column(snmp, "Tcp:", "RetransSegs", &value));
	assert_int_equal(value, 11483);
	assert_false(gp_kernel_text_column(snmp, "Tcp:", "MaxConn", &value));
	assert_false(gp_kernel_text_column(snmp, "Tcp:", "Retrans", &value));
	assert_false(gp_kernel_text_column(snmp, "UdpLite:", "InDatagrams", &value));
	assert_false(gp_kernel_text_column(snmp, "Udp:", "InDatagrams", &value));
	assert_false(gp_kernel_text_column("A: x y\nA: 1", "A:", "y", &value));
	assert_false(gp_kernel_text_column("", "A:", "y", &value));
}

static void test_read(void **state)
{
	char text[8];

	host_write("a/b", "12345");
	assert_int_equal(gp_kernel_text_read(AT_FDCWD, scratch_path("a/b"), text, sizeof(text)), 5);
	assert_string_equal(text, "12345");
	host_write("a/b", "123456789");
	assert_int_equal(gp_kernel_text_read(AT_FDCWD, scratch_path("a/b"), text, sizeof(text)), 7);
	assert_string_equal(text, "1234567");
	assert_int_equal(gp_kernel_text_read(AT_FDCWD, scratch_path("a/c"), text, sizeof(text)),
			 -ENOENT);
	assert_int_equal(gp_kernel_text_read(AT_FDCWD, scratch_path("a"), text, sizeof(text)),
			 -EISDIR);
}

static void test_pressure(void **state)
{
	struct gp_pressure p = {.has[GP_PRESSURE_IO_SOME] = true};
	char before[2 * PATH_MAX];

	host_write_pressure("p/cpu", 478257595, 0);
	host_write_pressure("p/memory", 18621162, 16587994);
	snprintf(before, sizeof(before), "%s/", scratch_path("p"));
	assert_true(gp_kernel_text_pressure(AT_FDCWD, before, "", &p));
	assert_true(p.has[GP_PRESSURE_CPU_SOME] && p.has[GP_PRESSURE_CPU_FULL]);
	assert_int_equal(p.ns[GP_PRESSURE_CPU_SOME], 478257595000);
	assert_int_equal(p.ns[GP_PRESSURE_CPU_FULL], 0);
	assert_int_equal(p.ns[GP_PRESSURE_MEMORY_SOME], 18621162000);
	assert_int_equal(p.ns[GP_PRESSURE_MEMORY_FULL], 16587994000);
	assert_false(p.has[GP_PRESSURE_IO_SOME] || p.has[GP_PRESSURE_IO_FULL]);
}

/* Before 5.13 there was no "full" of the CPU. */
static void test_pressure_in_part(void **state)
{
	gp_auto(gp_close) int dir = -1;
	struct gp_pressure p = {};

	host_write("g/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
	host_write("g/io.pressure", "some avg10=0.00 avg60=0.00\nfull total=x\n");
	dir = open(scratch_path("g"), O_PATH | O_CLOEXEC);
	assert_true(gp_kernel_text_pressure(dir, "", ".pressure", &p));
	assert_int_equal(p.ns[GP_PRESSURE_CPU_SOME], 7000);
	for (size_t i = GP_PRESSURE_CPU_SOME + 1; i < GP_PRESSURE_COUNT; i++)
		assert_false(p.has[i]);
	assert_false(gp_kernel_text_pressure(dir, "no", ".pressure", &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_column),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_pressure_in_part),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
