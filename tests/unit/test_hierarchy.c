// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "hierarchy.h"
#include "host_files.h"

static const char cgroup_hybrid[] = "9:name=systemd:/system.slice/a.service\n"
				    "8:pids:/p\n"
				    "4:memory:/process_api/2509f593e227d5497ec8addd70a964cf\n"
				    "3:cpuset:/s\n"
				    "2:cpuacct:/t\n"
				    "1:cpu:/limited/one\n"
				    "0::/system.slice/a.service\n";

static void find(struct gp_hierarchy **v2, struct gp_hierarchy **cpu)
{
	assert_int_equal(gp_hierarchies_find(scratch_directory, v2, cpu), 0);
}

static void test_hybrid(void **state)
{
	struct gp_hierarchy *v2, *cpu;

	host_write("proc/self/mounts", HOST_MOUNTS_HYBRID);
	host_write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
	find(&v2, &cpu);
	assert_string_equal(v2->mount, scratch_path("sys/fs/cgroup/unified"));
	assert_true(v2->is_v2);
	assert_string_equal(cpu->mount, scratch_path("sys/fs/cgroup/cpu"));
	assert_false(cpu->is_v2);
	free(v2);
	free(cpu);
}

static void test_v2(void **state)
{
	struct gp_hierarchy *v2, *cpu;
	uint64_t id, root;
	int fd;

	host_write("proc/self/mounts", HOST_MOUNTS_V2);
	host_write("sys/fs/cgroup/cgroup.controllers", HOST_CONTROLLERS);
	host_write("sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
	find(&v2, &cpu);
	assert_ptr_equal(v2, cpu);
	fd = gp_hierarchy_open(v2, "/", &root);
	assert_true(fd >= 0);
	close(fd);
	fd = gp_hierarchy_open(v2, "/a.slice/b.service", &id);
	assert_true(fd >= 0);
	close(fd);
	assert_true(id <= v2->seen && root <= v2->seen);
	assert_int_equal(gp_hierarchy_open(v2, "/a.slice/c.service", &id), -ENOENT);
	assert_int_equal(gp_hierarchy_open(v2, "/a.slice/b.service/cpu.max", &id), -ENOTDIR);
	free(v2);
}

static int note(void *arg, const char *path)
{
	char *all = arg;

	strcat(strcat(all, path), " ");
	return strcmp(path, "/stop") ? 0 : 7;
}

static void test_each(void **state)
{
	struct gp_hierarchy *v2, *cpu;
	char all[256] = "";

	host_write("proc/self/mounts", HOST_MOUNTS_V2);
	find(&v2, &cpu);
	assert_int_equal(gp_hierarchy_each(v2, note, all), 0); /* not there */
	assert_string_equal(all, "");
	host_write("sys/fs/cgroup/a.slice/.b/cpu.max", "");
	assert_int_equal(gp_hierarchy_each(v2, note, all), 0);
	assert_string_equal(all, "/a.slice /a.slice/.b ");
	host_write("sys/fs/cgroup/stop/cpu.max", "");
	assert_int_equal(gp_hierarchy_each(v2, note, all), 7);
	free(v2);
}

/* cpu and cpuacct as one, which is usual; no v2. */
static void test_v1(void **state)
{
	struct gp_hierarchy *v2, *cpu;

	host_write("proc/self/mounts",
		   "cgroup /sys/fs/cgroup/cpuset cgroup rw,nosuid,cpuset 0 0\n"
		   "cgroup /sys/fs/cgroup/cpu\\040x cgroup rw,nosuid,cpu,cpuacct 0 0\n");
	find(&v2, &cpu);
	assert_null(v2);
	assert_string_equal(cpu->mount, scratch_path("sys/fs/cgroup/cpu x"));
	free(cpu);
}

static void test_none(void **state)
{
	struct gp_hierarchy *v2, *cpu;

	find(&v2, &cpu);
	assert_null(v2);
	assert_null(cpu);
	host_write("proc/self/mounts", "proc /proc proc rw 0 0\n");
	find(&v2, &cpu);
	assert_null(v2);
	assert_null(cpu);
}

static int of_pid(pid_t pid, const char *v2_path, char *path, size_t size)
{
	return gp_hierarchy_of_pid(scratch_directory, pid, v2_path, path, size);
}

static void test_of_pid(void **state)
{
	char path[PATH_MAX];

	host_write("proc/7/cgroup", cgroup_hybrid);
	assert_int_equal(of_pid(7, NULL, path, sizeof(path)), 0);
	assert_string_equal(path, "/limited/one");
	assert_int_equal(of_pid(7, "/system.slice/a.service", path, sizeof(path)), 0);
	assert_int_equal(of_pid(7, "/system.slice/a", path, sizeof(path)), -ESTALE);
	assert_int_equal(of_pid(7, "/", path, sizeof(path)), -ESTALE);
	assert_int_equal(of_pid(7, NULL, path, 12), -ENAMETOOLONG);
	assert_int_equal(of_pid(8, NULL, path, sizeof(path)), -ENOENT);
	host_write("proc/8/cgroup", "5:cpuacct,cpu:/docker/a:b\n0::/\n");
	assert_int_equal(of_pid(8, "/", path, sizeof(path)), 0);
	assert_string_equal(path, "/docker/a:b");
	host_write("proc/9/cgroup", "0::/\n");
	assert_int_equal(of_pid(9, "/", path, sizeof(path)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hybrid, host_clear_before),
		cmocka_unit_test_setup(test_v2, host_clear_before),
		cmocka_unit_test_setup(test_each, host_clear_before),
		cmocka_unit_test_setup(test_v1, host_clear_before),
		cmocka_unit_test_setup(test_none, host_clear_before),
		cmocka_unit_test_setup(test_of_pid, host_clear_before),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
