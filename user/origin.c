// SPDX-License-Identifier: GPL-2.0-or-later
#include "origin.h"

#include <errno.h>
#include <string.h>

int gp_origin_path(const struct gp_path *p, char *path, size_t size)
{
	size_t at, len, end = p->len;

	if (p->state != GP_PATH_WHOLE)
		return p->state == GP_PATH_CUT ? -ENAMETOOLONG : -ENOENT;
	/* They are as long as the path: each has a NUL behind it instead of a slash before it. */
	if (end > GP_PATH_SIZE || (end ?: 1) + 1 > size)
		return -ENAMETOOLONG;
	path[0] = '/';
	path[end ?: 1] = '\0';
	for (at = 0; at < end; at += len + 1) {
		len = strnlen(p->part + at, end - at - 1);
		path[end - at - len - 1] = '/';
		memcpy(path + end - at - len, p->part + at, len);
	}
	return 0;
}
