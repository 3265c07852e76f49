/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a service comes from, as the kernel side took it down. */
#ifndef GP_ORIGIN_H
#define GP_ORIGIN_H

#include <stddef.h>

#include "gp_records.h"

/*
 * The path, the right way round: "/usr/sbin/nginx"; "/" if it has no components. 0; -ENOENT if it
 * is not known; -ENAMETOOLONG if it was too long for the kernel side, or is for `size`.
 */
int gp_origin_path(const struct gp_path *p, char *path, size_t size);

#endif
