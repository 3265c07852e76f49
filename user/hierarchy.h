/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hierarchies of control groups on this host, as files: v2 alone, v1 alone, or v1 controllers
 * beside a v2 tree (hybrid). Paths of groups begin with "/" and are below the mount point.
 */
#ifndef GP_HIERARCHY_H
#define GP_HIERARCHY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gp_hierarchy {
	char mount[PATH_MAX];
	bool is_v2;
	/*
	 * Ids of control groups only ever grow: those of groups made later are larger than that of
	 * any there was. The largest that gp_hierarchy_open met, and what that was at a time which
	 * the user of the hierarchy chooses.
	 */
	uint64_t seen, newest;
};

/*
 * Finds the v2 hierarchy, and the one that has the cpu controller: v2 or v1. `root` stands before
 * the paths of the host, "" for the running one. NULL where there is none. 0, or -ENOMEM.
 */
int gp_hierarchies_find(const char *root, struct gp_hierarchy **v2, struct gp_hierarchy **cpu);

/*
 * The directory of a group, for openat(2): a descriptor (O_PATH), and the group's id, which h->seen
 * is then at least. Or -errno.
 */
int gp_hierarchy_open(struct gp_hierarchy *h, const char *path, uint64_t *id);

/*
 * Calls found(arg, path) for each group but the root, in no order, until it returns other than 0,
 * which is then returned; else 0. What cannot be read is left out.
 */
int gp_hierarchy_each(const struct gp_hierarchy *h, int (*found)(void *arg, const char *path),
		      void *arg);

/*
 * The group of process `pid` in the v1 hierarchy of the cpu controller. Fails with -ESTALE where
 * the process is in another v2 group than `v2_path` (NULL: any will do): the pid was given out
 * again. 0, -errno, or -ENOENT where there is no such line.
 */
int gp_hierarchy_of_pid(const char *root, pid_t pid, const char *v2_path, char *path, size_t size);

#endif
