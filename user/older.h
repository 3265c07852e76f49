/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that were there before goldpan. */
#ifndef GP_OLDER_H
#define GP_OLDER_H

#include "loader.h"

/*
 * Finds listeners and connections in every network namespace that a process or a mount under
 * /run/netns keeps, and who holds them. After the hooks were attached. What cannot be looked into
 * is said once. 0, or -errno.
 */
int gp_older_sockets(const struct gp_loader *l);

#endif
