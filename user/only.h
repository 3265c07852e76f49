/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --pid and --cgroup name. */
#ifndef GP_ONLY_H
#define GP_ONLY_H

#include <stdbool.h>
#include <stdint.h>

/* A control group: its id in its hierarchy, and a controller that this has. */
struct gp_only_group {
	uint64_t id;	     /* 0: none, all are asked for */
	char controller[32]; /* empty: the v2 hierarchy */
};

/* Whether `pid` is a process that runs, not one thread of another. */
bool gp_only_is_process(uint32_t pid);

/*
 * Finds the control group of a path: that of its directory, or below the root of its hierarchy, as
 * in /proc/PID/cgroup; there in v2, else in the first of v1 that has it. 0, or -ENOENT if there is
 * no such group, or one of a v1 hierarchy without controllers.
 */
int gp_only_find_group(const char *path, struct gp_only_group *group);

#endif
