/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control groups of the v2 hierarchy, by the id that the kernel side knows them by. */
#ifndef GP_CGROUP_H
#define GP_CGROUP_H

#include <stddef.h>
#include <stdint.h>

struct gp_cgroups;

/* Finds where the v2 hierarchy is mounted (also beside v1). 0; -ENOENT if it is not; -errno. */
int gp_cgroups_new(struct gp_cgroups **out);
void gp_cgroups_free(struct gp_cgroups **c);

/* The directory of the hierarchy's root: a descriptor that stays with `c`. */
int gp_cgroups_root(const struct gp_cgroups *c);

/*
 * The path of control group `id` below the hierarchy's root: "/system.slice/nginx.service", "/" for
 * the root. 0; -ENOENT if it is gone; -errno. Needs CAP_DAC_READ_SEARCH.
 */
int gp_cgroup_path(const struct gp_cgroups *c, uint64_t id, char *path, size_t size);

/*
 * How much of a path was named by root: down to the first group that is somebody else's, whose
 * number `owner` is then (else 0). What lies below he calls what he likes.
 */
size_t gp_cgroup_trusted(const struct gp_cgroups *c, const char *path, uint32_t *owner);

#endif
