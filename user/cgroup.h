/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the control groups of the v2 hierarchy are. */
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
 * How much of a path was named by root: down to the first group that is somebody else's, whose
 * number `owner` is then (else 0). What lies below he calls what he likes.
 */
size_t gp_cgroup_trusted(const struct gp_cgroups *c, const char *path, uint32_t *owner);

#endif
