/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root for a moment: what goldpan gives up once everything is loaded. */
#ifndef GP_PRIVILEGES_H
#define GP_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct gp_user {
	uid_t uid;
	gid_t gid;
};

/*
 * Who to become: the user called `name`; with NULL `goldpan`, if there is such a user, else
 * `nobody`. 0; -ENOENT: there is no user of that name; -errno.
 */
int gp_user_find(const char *name, struct gp_user *out);

/* Whether this process is root, and so has somebody to become. */
bool gp_privileges_root(void);

/*
 * Gives up everything that reading what is loaded does not need, for good: supplementary groups,
 * all capabilities, the way to new ones by exec, core dumps and tracing by others of the same user;
 * and becomes `user`, unless NULL. 0, or -errno.
 */
int gp_privileges_drop(const struct gp_user *user);

/* For the keeper: the same, but stays root and may write wherever root may. */
int gp_privileges_keep_files(void);

#endif
