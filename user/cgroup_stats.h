/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of services' control groups: CPU limit, throttling, pressure.
 *
 * Pressure is that of the service's own v2 group. Limit and throttling come from the hierarchy that
 * has the cpu controller, v2 or v1, and there from one group: that with the smallest limit of the
 * service's own and all that it lies in (of equal ones the innermost), since it is the one that
 * holds the service up. So where a slice is the tighter one, the throttling of the slice counts,
 * whoever in it used up the limit. Where there is no limit at all, it is 0.
 *
 * Several groups under one name are added, each of them once. Known weaknesses: of a group and
 * another inside of it, both under one name, what the inner one waited for is in the outer one's
 * pressure too; what happens between the last collection and the end of a group is not seen.
 */
#ifndef GP_CGROUP_STATS_H
#define GP_CGROUP_STATS_H

#include <sys/types.h>

#include "snapshot.h"

struct gp_cgroup_stats;

/*
 * Counts from now on, for groups there are, or from a group's beginning, if it is made later.
 * `root` stands before all paths of the host: "" for the running one. What it lacks is said once
 * as soon as it shows. 0, or -ENOMEM.
 */
int gp_cgroup_stats_new(struct gp_cgroup_stats **out, const char *root);
void gp_cgroup_stats_free(struct gp_cgroup_stats **s);

/*
 * Adds to `to` what the groups of a service counted since the last round. Calls of one collection
 * have the same `round`, and the same to->names.service where they are about the same service. Of
 * a group that no service was in for a while, the figures are known from the next round on.
 * `v2_path` is the service's v2 group, NULL if not known; `pid` one of its processes, 0 if not
 * known, which only v1 needs. A group that is gone, or the root, leaves `to` as it is. 0, or
 * -ENOMEM.
 */
int gp_cgroup_stats_add(struct gp_cgroup_stats *s, uint64_t round, const char *v2_path, pid_t pid,
			struct gp_service *to);

#endif
