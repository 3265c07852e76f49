/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operator calls a service: a systemd unit, a container, or, outside both, a program.
 * Names are claims: unit and container names come only from control group paths below slices that
 * root owns; below user.slice everything is user@UID/NAME.
 */
#ifndef GP_IDENTITY_H
#define GP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A service as the kernel side knows it. */
struct gp_claim {
	const char *program; /* as of its exec; empty: all programs of the group beyond some */
	uint32_t user;	     /* whose program it is, outside the system's slices; 0: root's */
	const char *cgroup;  /* its path; NULL: not known */
	size_t trusted;	     /* so much of the path, whole names, was named by root */
	uint32_t owner;	     /* of the group at its end, if that is not root; else 0 */
	bool taken;	     /* another user's program, whose name it is, has the same */
	const char *exe;     /* the path of its program; NULL: not known */
};

/* All owned; NULL where not known or not applicable, but for `service`. */
struct gp_identity {
	char *service, *unit, *container, *exe;
	bool is_program; /* no unit, container or session: it goes by the program's name */
};

/* 0, or -ENOMEM. */
int gp_identity_new(struct gp_identity **out, const struct gp_claim *claim);
void gp_identity_free(struct gp_identity **id);

#endif
