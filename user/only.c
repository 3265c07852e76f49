// SPDX-License-Identifier: GPL-2.0-or-later
#include "only.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kernel_text.h"
#include "own.h"

bool gp_only_is_process(uint32_t pid)
{
	char path[64], text[1024];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (!pid || gp_kernel_text_read(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	line = strstr(text, "\nTgid:\t");
	return line && strtoul(line + strlen("\nTgid:\t"), NULL, 10) == pid;
}

static void end_mounts(FILE **mounts)
{
	if (*mounts)
		endmntent(*mounts);
}

/* A controller of a v1 hierarchy, by the options it is mounted with. 0, or -ENOENT. */
static int find_controller(const struct mntent *m, char *controller, size_t size)
{
	static const char *const known[] = {
		"cpu",	   "cpuacct", "cpuset",	 "memory",   "pids", "blkio",	   "devices",
		"freezer", "hugetlb", "net_cls", "net_prio", "rdma", "perf_event", "misc"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!hasmntopt(m, known[i]))
			continue;
		/* The kernel's own name differs in one case. */
		snprintf(controller, size, "%s", strcmp(known[i], "blkio") ? known[i] : "io");
		return 0;
	}
	return -ENOENT;
}

/* The group whose directory this is. 0, or -ENOENT if it is none. */
static int group_of_directory(const char *path, struct gp_only_group *group)
{
	gp_auto(end_mounts) FILE *mounts = setmntent("/proc/self/mounts", "re");
	gp_auto(gp_close) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct mntent *m;
	struct stat st, root;
	struct statfs fs;

	if (fd < 0 || fstat(fd, &st) || fstatfs(fd, &fs))
		return -ENOENT;
	*group = (struct gp_only_group){.id = st.st_ino};
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return 0;
	while (fs.f_type == CGROUP_SUPER_MAGIC && mounts && (m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "cgroup") && !stat(m->mnt_dir, &root) &&
		    root.st_dev == st.st_dev)
			return find_controller(m, group->controller, sizeof(group->controller));
	return -ENOENT;
}

/* The group of this path in the hierarchies that are mounted as `type`. */
static int group_below(const char *type, const char *path, struct gp_only_group *group)
{
	gp_auto(end_mounts) FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	char full[PATH_MAX];

	while (mounts && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, type))
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", m->mnt_dir, path) < (int)sizeof(full) &&
		    !group_of_directory(full, group))
			return 0;
	}
	return -ENOENT;
}

int gp_only_find_group(const char *path, struct gp_only_group *group)
{
	if (!*path)
		return -ENOENT;
	if (!group_of_directory(path, group) || !group_below("cgroup2", path, group))
		return 0;
	return group_below("cgroup", path, group);
}
