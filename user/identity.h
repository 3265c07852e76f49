/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operator calls a service: a systemd unit, a container, or, outside both, a program.
 * Names are claims: unit and container names come only from control group paths below slices that
 * root owns; below user.slice everything is user@UID/NAME.
 */
#ifndef GP_IDENTITY_H
#define GP_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

/* All owned; NULL where not known or not applicable, but for `service`. */
struct gp_identity {
	char *service, *unit, *container, *exe;
};

/*
 * The identity of program `name` in the control group of path `cgroup` (NULL: not known). `pid` is
 * a process of it, whose executable is looked up if it still runs; 0: none. 0, or -ENOMEM.
 */
int gp_identity_new(struct gp_identity **out, const char *name, const char *cgroup, uint32_t pid);
void gp_identity_free(struct gp_identity **id);

#endif
