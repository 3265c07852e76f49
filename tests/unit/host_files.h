/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host made of files in the scratch directory, as real ones look in /proc and /sys. */
#ifndef GP_TEST_HOST_FILES_H
#define GP_TEST_HOST_FILES_H

#include <errno.h>
#include <sys/stat.h>

#include "scratch.h"

#define HOST_MOUNTS_HYBRID                                                                         \
	"tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0\n"                                    \
	"cgroup /sys/fs/cgroup/cpuacct cgroup rw,relatime,cpuacct 0 0\n"                           \
	"cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n"                             \
	"cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n"                                   \
	"cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n"                      \
	"cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
#define HOST_MOUNTS_V2                                                                             \
	"proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"                                    \
	"cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"
#define HOST_CONTROLLERS "cpuset cpu io memory hugetlb pids rdma misc\n"

/* Makes the directories that the file needs. */
static inline void host_make_parents(const char *path)
{
	char at[PATH_MAX];

	snprintf(at, sizeof(at), "%s", scratch_path(path));
	for (char *slash = at + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(at, 0755) && errno != EEXIST)
			abort();
		*slash = '/';
	}
}

/* The file of this host, "sys/fs/cgroup/cpu.max", with this content from now on. */
static inline void host_write(const char *path, const char *text)
{
	host_make_parents(path);
	scratch_write(path, text);
}

/* Another host from here on: everything that was there is gone. */
static inline void host_clear(void)
{
	if (nftw(scratch_directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS) ||
	    mkdir(scratch_directory, 0755))
		abort();
}

static inline int host_clear_before(void **state)
{
	host_clear();
	return 0;
}

/* A pressure file whose totals are these microseconds. */
static inline void host_write_pressure(const char *path, unsigned long some, unsigned long full)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "some avg10=6.00 avg60=21.84 avg300=27.58 total=%lu\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=%lu\n",
		 some, full);
	host_write(path, text);
}

#endif
