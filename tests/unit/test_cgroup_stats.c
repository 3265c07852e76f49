// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "cgroup_figures.h"
#include "cgroup_stats.h"
#include "host_files.h"
#include "own.h"

#define V2 "sys/fs/cgroup"
#define UNIFIED "sys/fs/cgroup/unified"
#define CPU "sys/fs/cgroup/cpu"

static void write_v2(const char *group, const char *max, unsigned long periods, unsigned long us)
{
	char path[256], text[512];

	snprintf(path, sizeof(path), V2 "%s/cpu.max", group);
	host_write(path, max);
	snprintf(text, sizeof(text),
		 "usage_usec 1043\nuser_usec 0\nsystem_usec 1043\nnr_periods 5961\n"
		 "nr_throttled %lu\nthrottled_usec %lu\nnr_bursts 0\nburst_usec 0\n",
		 periods, us);
	snprintf(path, sizeof(path), V2 "%s/cpu.stat", group);
	host_write(path, text);
}

static void write_v1(const char *group, const char *quota, unsigned long periods, unsigned long ns)
{
	char path[256], text[512];

	snprintf(path, sizeof(path), CPU "%s/cpu.cfs_quota_us", group);
	host_write(path, quota);
	snprintf(path, sizeof(path), CPU "%s/cpu.cfs_period_us", group);
	host_write(path, "100000\n");
	snprintf(text, sizeof(text),
		 "nr_periods 5961\nnr_throttled %lu\nthrottled_time %lu\nnr_bursts 0\n"
		 "burst_time 0\n",
		 periods, ns);
	snprintf(path, sizeof(path), CPU "%s/cpu.stat", group);
	host_write(path, text);
}

static struct gp_cgroup_stats *new_stats(const char *mounts)
{
	struct gp_cgroup_stats *s = NULL;

	host_write("proc/self/mounts", mounts);
	assert_int_equal(gp_cgroup_stats_new(&s, scratch_directory), 0);
	return s;
}

static struct gp_cgroup_stats *new_v2(void)
{
	host_write(V2 "/cgroup.controllers", HOST_CONTROLLERS);
	return new_stats(HOST_MOUNTS_V2);
}

/* What a service has in one round, of one group. */
static struct gp_service in_round(struct gp_cgroup_stats *s, uint64_t round, const char *path,
				  pid_t pid)
{
	struct gp_service service = {.names.service = "a"};

	assert_int_equal(gp_cgroup_stats_add(s, round, path, pid, &service), 0);
	return service;
}

static void assert_limit(const struct gp_service *s, double cores)
{
	assert_false(s->is_unlimited);
	assert_true(s->limit_cores > cores - 1e-9 && s->limit_cores < cores + 1e-9);
}

static void assert_throttled(const struct gp_service *s, uint64_t ns, uint64_t periods)
{
	assert_true(s->has_throttled);
	assert_int_equal(s->throttled_ns, ns);
	assert_int_equal(s->throttled_periods, periods);
}

static void assert_unknown(const struct gp_service *s)
{
	assert_false(s->is_unlimited || s->has_throttled || s->limit_cores > 0);
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++)
		assert_false(s->pressure.has[i]);
}

static void test_v2(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a;

	write_v2("/system.slice/a.service", "20000 100000\n", 5, 1000);
	host_write_pressure(V2 "/system.slice/a.service/cpu.pressure", 100, 10);
	s = new_v2();
	a = in_round(s, 0, "/system.slice/a.service", 0);
	assert_limit(&a, 0.2);
	assert_throttled(&a, 0, 0);
	assert_true(a.pressure.has[GP_PRESSURE_CPU_SOME]);
	write_v2("/system.slice/a.service", "50000 100000\n", 7, 1300);
	host_write_pressure(V2 "/system.slice/a.service/cpu.pressure", 150, 12);
	a = in_round(s, 1, "/system.slice/a.service", 0);
	assert_limit(&a, 0.5);
	assert_throttled(&a, 300000, 2);
	assert_true(a.pressure.has[GP_PRESSURE_CPU_SOME]);
	assert_int_equal(a.pressure.ns[GP_PRESSURE_CPU_SOME], 50000);
	assert_int_equal(a.pressure.ns[GP_PRESSURE_CPU_FULL], 2000);
	assert_false(a.pressure.has[GP_PRESSURE_IO_SOME]);
	/* The limit is lifted: what was before that still counts, then nothing does. */
	write_v2("/system.slice/a.service", "max 100000\n", 8, 1301);
	a = in_round(s, 2, "/system.slice/a.service", 0);
	assert_true(a.is_unlimited);
	assert_throttled(&a, 1000, 1);
	a = in_round(s, 3, "/system.slice/a.service", 0);
	assert_throttled(&a, 0, 0);
}

/* The smallest limit on the way up, and the throttling of the group that has it. */
static void test_slice(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a;

	write_v2("/x.slice", "150000 100000\n", 10, 100);
	write_v2("/x.slice/x-y.slice", "max 100000\n", 0, 0);
	write_v2("/x.slice/x-y.slice/a.service", "200000 100000\n", 20, 200);
	host_write(V2 "/x.slice/x-y.slice/b.service/cgroup.procs", "");
	s = new_v2();
	in_round(s, 0, "/x.slice/x-y.slice/a.service", 0);
	write_v2("/x.slice", "150000 100000\n", 11, 150);
	write_v2("/x.slice/x-y.slice/a.service", "200000 100000\n", 23, 208);
	a = in_round(s, 1, "/x.slice/x-y.slice/a.service", 0);
	assert_limit(&a, 1.5);
	assert_throttled(&a, 50000, 1);
	/* b has no controller of its own; a has a smaller limit from now on. */
	write_v2("/x.slice/x-y.slice/a.service", "10000 100000\n", 24, 210);
	a = in_round(s, 2, "/x.slice/x-y.slice/b.service", 0);
	assert_limit(&a, 1.5);
	assert_throttled(&a, 0, 0);
	a = in_round(s, 2, "/x.slice/x-y.slice/a.service", 0);
	assert_limit(&a, 0.1);
	assert_throttled(&a, 2000, 1);
}

/* Once per group and name: also where the group is an ancestor of two. */
static void test_once_per_group(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	static const char *const groups[] = {"/a.slice/1", "/a.slice/2", "/a.slice/1", "/b", "/b"};
	struct gp_service a, other = {.names.service = "other"};

	for (int more = 0; more < 2; more++) {
		write_v2("/a.slice", "100000 100000\n", more, 10 * more);
		write_v2("/a.slice/1", "max 100000\n", 0, 0);
		write_v2("/a.slice/2", "max 100000\n", 0, 0);
		write_v2("/b", "50000 100000\n", 3 * more, 100 * more);
		host_write_pressure(V2 "/a.slice/1/cpu.pressure", more, 0);
		host_write_pressure(V2 "/a.slice/2/cpu.pressure", 2 * more, 0);
		if (!more)
			s = new_v2();
		a = (struct gp_service){.names.service = "a"};
		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			assert_int_equal(gp_cgroup_stats_add(s, more, groups[i], 0, &a), 0);
	}
	assert_limit(&a, 1.5);
	assert_throttled(&a, 110000, 4);
	assert_int_equal(a.pressure.ns[GP_PRESSURE_CPU_SOME], 3000);
	assert_int_equal(gp_cgroup_stats_add(s, 1, "/b", 0, &other), 0);
	assert_throttled(&other, 100000, 3);
}

static void test_one_without_limit(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a = {.names.service = "a"};

	write_v2("/1", "100000 100000\n", 0, 0);
	write_v2("/2", "max 100000\n", 0, 0);
	s = new_v2();
	assert_int_equal(gp_cgroup_stats_add(s, 0, "/2", 0, &a), 0);
	assert_int_equal(gp_cgroup_stats_add(s, 0, "/1", 0, &a), 0);
	assert_true(a.is_unlimited);
}

static void test_root_and_gone(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	static const char *const nowhere[] = {"/", "", NULL, "/..", "/../a", "/gone"};
	char deep[512] = "";
	struct gp_service a;

	write_v2("", "max 100000\n", 1, 1);
	host_write_pressure(V2 "/cpu.pressure", 1, 1);
	s = new_v2();
	for (uint64_t round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
			a = in_round(s, round, nowhere[i], 1);
			assert_unknown(&a);
		}
	for (int i = 0; i < 100; i++)
		strcat(deep, "/a");
	a = in_round(s, 2, deep, 1);
	assert_unknown(&a);
}

/* v1 beside an empty v2 tree: the limit by the pid, the pressure by the v2 path. */
static void test_hybrid(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a;

	write_v1("/limited", "20000\n", 5, 1000);
	write_v1("/limited/free", "-1\n", 0, 0);
	host_write_pressure(UNIFIED "/a.service/cpu.pressure", 100, 10);
	host_write(UNIFIED "/a.service/cgroup.procs", "7\n8\n");
	host_write(UNIFIED "/cgroup.controllers", "hugetlb\n");
	host_write("proc/7/cgroup", "1:cpu:/limited/free\n0::/a.service\n");
	host_write("proc/9/cgroup", "1:cpu:/\n0::/elsewhere\n");
	s = new_stats(HOST_MOUNTS_HYBRID);
	in_round(s, 0, "/a.service", 7);
	write_v1("/limited", "20000\n", 6, 1777);
	host_write_pressure(UNIFIED "/a.service/cpu.pressure", 101, 10);
	/* That pid, a pid that is gone, or one that was given out again: the group has others. */
	for (pid_t pid = 7; pid < 10; pid++) {
		a = in_round(s, pid, "/a.service", pid);
		assert_limit(&a, 0.2);
		assert_throttled(&a, pid == 7 ? 777 : 0, pid == 7);
		assert_int_equal(a.pressure.ns[GP_PRESSURE_CPU_SOME], pid == 7 ? 1000 : 0);
	}
	host_write("proc/7/cgroup", "1:cpu:/limited\n0::/\n");
	a = in_round(s, 10, "/", 7);
	assert_limit(&a, 0.2);
	assert_throttled(&a, 0, 0);
	assert_false(a.pressure.has[GP_PRESSURE_CPU_SOME]);
	a = in_round(s, 10, "/", 8);
	assert_unknown(&a);
}

/* A group nobody was in for a round is met again: nobody knows what it counted meanwhile. */
static void test_met_again(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a;

	write_v2("/a", "10000 100000\n", 1, 1);
	s = new_v2();
	write_v2("/a", "10000 100000\n", 2, 3);
	a = in_round(s, 5, "/a", 0); /* asleep until now: counted from the start */
	assert_throttled(&a, 2000, 1);
	in_round(s, 6, "/", 0);
	in_round(s, 7, "/", 0);
	write_v2("/a", "10000 100000\n", 4, 5);
	a = in_round(s, 8, "/a", 0);
	assert_limit(&a, 0.1);
	assert_false(a.has_throttled);
	write_v2("/a", "10000 100000\n", 5, 9);
	a = in_round(s, 9, "/a", 0);
	assert_throttled(&a, 4000, 1);
}

static void test_no_hierarchy(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct gp_service a;
	struct capture c;
	const char *said;

	capture_begin(&c, STDERR_FILENO);
	s = new_stats("");
	a = in_round(s, 0, "/a", 1);
	said = capture_end(&c);
	assert_unknown(&a);
	assert_int_equal(count_lines(said), 1);
	assert_non_null(strstr(said, "limit_cores"));
}

/* A group made since counts from 0; the next one of the same path begins anew. */
static void test_made_since(void **state)
{
	struct gp_hierarchy h = {.is_v2 = true, .newest = 0};
	struct gp_cgroup_figures f = {};

	snprintf(h.mount, sizeof(h.mount), "%s", scratch_path(V2));
	write_v2("/a", "20000 100000\n", 5, 1000);
	gp_cgroup_read_limit(&h, "/a", &f);
	assert_true(f.has[GP_THROTTLED_NS]);
	assert_int_equal(f.delta[GP_THROTTLED_NS], 1000000);
	assert_int_equal(f.delta[GP_THROTTLED_PERIODS], 5);
	assert_int_equal(h.seen, f.id);
	f.id++; /* as if it had been another one */
	gp_cgroup_read_limit(&h, "/a", &f);
	assert_int_equal(f.delta[GP_THROTTLED_NS], 1000000);
	gp_cgroup_read_limit(&h, "/a", &f);
	assert_int_equal(f.delta[GP_THROTTLED_NS], 0);
	gp_cgroup_read_limit(&h, "/b", &f);
	assert_int_equal(f.id, 0);
	assert_false(f.has[GP_THROTTLED_NS]);
}

static void test_pressure_switched_off(void **state)
{
	struct gp_hierarchy h = {.is_v2 = true};
	struct gp_cgroup_figures f = {};

	snprintf(h.mount, sizeof(h.mount), "%s", scratch_path(V2));
	assert_true(gp_cgroup_read_pressure(&h, "/a", &f)); /* there is no such group */
	host_write(V2 "/a/cgroup.procs", "");
	assert_true(gp_cgroup_read_pressure(&h, "/a", &f)); /* nor PSI, said elsewhere */
	host_write(V2 "/a/cgroup.pressure", "0\n");
	assert_false(gp_cgroup_read_pressure(&h, "/a", &f));
	assert_false(f.has[GP_PRESSURE_CPU_SOME]);
	host_write_pressure(V2 "/a/cpu.pressure", 1, 1);
	assert_true(gp_cgroup_read_pressure(&h, "/a", &f));
	assert_true(f.has[GP_PRESSURE_CPU_SOME]);
}

/* Said of the first group only, and not again. */
static void test_said_once(void **state)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = NULL;
	struct capture c;
	const char *said;

	host_write(V2 "/a/cgroup.pressure", "0\n");
	host_write(V2 "/b/cgroup.pressure", "0\n");
	capture_begin(&c, STDERR_FILENO);
	s = new_v2();
	for (uint64_t round = 0; round < 2; round++) {
		in_round(s, round, "/a", 0);
		in_round(s, round, "/b", 0);
	}
	said = capture_end(&c);
	assert_int_equal(count_lines(said), 1);
	assert_non_null(strstr(said, "cgroup.pressure"));
}

#define TEST(test) cmocka_unit_test_setup(test, host_clear_before)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_v2),
		TEST(test_slice),
		TEST(test_once_per_group),
		TEST(test_one_without_limit),
		TEST(test_root_and_gone),
		TEST(test_hybrid),
		TEST(test_met_again),
		TEST(test_no_hierarchy),
		TEST(test_made_since),
		TEST(test_pressure_switched_off),
		TEST(test_said_once),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
