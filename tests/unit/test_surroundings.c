// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_files.h"
#include "own.h"
#include "surroundings.h"

static const struct gp_fact *fact_of(const char *name)
{
	static struct gp_fact facts[GP_FACTS];
	size_t n = gp_surroundings(scratch_directory, facts);

	assert_int_equal(n, GP_FACTS);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(facts[i].name, name))
			return &facts[i];
	fail_msg("there is no fact '%s'", name);
	return NULL;
}

/* The fact's value, and its advice: a word of it, or NULL for none. */
static void expect(const char *name, const char *value, const char *word)
{
	const struct gp_fact *fact = fact_of(name);

	assert_string_equal(fact->value, value);
	if (!word && fact->advice)
		fail_msg("%s: advice '%s'", name, fact->advice);
	if (word && (!fact->advice || !strstr(fact->advice, word)))
		fail_msg("%s: advice '%s' has not '%s'", name, fact->advice ?: "", word);
}

static void test_capabilities(void **state)
{
	host_write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
	expect("capabilities", "all that are needed", NULL);
	host_write("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n");
	expect("capabilities", "no CAP_BPF", "root");
	/* CAP_BPF 39, CAP_PERFMON 38, CAP_NET_ADMIN 12, CAP_DAC_READ_SEARCH 2, CAP_SYS_ADMIN 21 */
	host_write("proc/self/status", "Name:\tx\nCapEff:\t0000008000201004\n");
	expect("capabilities", "all that are needed", NULL);
	host_write("proc/self/status", "Name:\tx\nCapEff:\t0000008000001004\n");
	expect("capabilities", "no CAP_PERFMON", "trace");
	host_write("proc/self/status", "Name:\tx\nCapEff:\t000000c000200004\n");
	expect("capabilities", "no CAP_NET_ADMIN", "DNS");
	host_write("proc/self/status", "Name:\tx\nCapEff:\t000000c000001004\n");
	expect("capabilities", "no CAP_SYS_ADMIN", "namespaces");
}

static void test_namespace(void **state)
{
	host_write("proc/self/uid_map", "         0          0 4294967295\n");
	expect("user namespace", "the host's", NULL);
	host_write("proc/self/uid_map", "         0       1000          1\n");
	expect("user namespace", "one of its own", "host");
}

static void test_lockdown(void **state)
{
	expect("lockdown", "none", NULL);
	host_write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	expect("lockdown", "none", NULL);
	host_write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect("lockdown", "integrity", NULL);
	host_write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	expect("lockdown", "confidentiality", "lockdown");
}

static void test_control_groups(void **state)
{
	expect("control groups", "none", "cgroup2");
	host_write("proc/self/mounts", HOST_MOUNTS_HYBRID);
	expect("control groups", "hybrid", NULL);
	host_write("proc/self/mounts", HOST_MOUNTS_V2);
	expect("control groups", "v2", NULL);
	host_write("proc/self/mounts", "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n");
	expect("control groups", "v1", "cgroup2");
}

static void test_switches(void **state)
{
	expect("pressure (PSI)", "off", "psi=1");
	host_write_pressure("proc/pressure/cpu", 1, 0);
	expect("pressure (PSI)", "on", NULL);
	expect("BPF jit", "unknown", NULL);
	host_write("proc/sys/net/core/bpf_jit_enable", "0\n");
	expect("BPF jit", "off", "bpf_jit_enable");
	host_write("proc/sys/net/core/bpf_jit_enable", "1\n");
	expect("BPF jit", "on", NULL);
	host_write("proc/sys/kernel/bpf_stats_enabled", "0\n");
	expect("BPF statistics", "off", "bpf_stats_enabled");
	host_write("proc/sys/kernel/bpf_stats_enabled", "1\n");
	expect("BPF statistics", "on", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_capabilities, host_clear_before),
		cmocka_unit_test_setup(test_namespace, host_clear_before),
		cmocka_unit_test_setup(test_lockdown, host_clear_before),
		cmocka_unit_test_setup(test_control_groups, host_clear_before),
		cmocka_unit_test_setup(test_switches, host_clear_before),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
