// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroup.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "own.h"

struct gp_cgroups {
	int fd; /* the mount point */
};

static void end_mounts(FILE **mounts)
{
	if (*mounts)
		endmntent(*mounts);
}

int gp_cgroups_new(struct gp_cgroups **out)
{
	gp_auto(end_mounts) FILE *mounts = setmntent("/proc/self/mounts", "r");
	gp_auto(gp_cgroups_free) struct gp_cgroups *c = calloc(1, sizeof(*c));
	const struct mntent *m;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	if (!mounts)
		return -errno;
	while ((m = getmntent(mounts)) && strcmp(m->mnt_type, "cgroup2"))
		;
	if (!m)
		return -ENOENT;
	c->fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	*out = TAKE_PTR(c);
	return 0;
}

void gp_cgroups_free(struct gp_cgroups **cgroups)
{
	struct gp_cgroups *c = TAKE_PTR(*cgroups);

	if (!c)
		return;
	gp_close(&c->fd);
	free(c);
}

int gp_cgroups_root(const struct gp_cgroups *c)
{
	return c->fd;
}

size_t gp_cgroup_trusted(const struct gp_cgroups *c, const char *path, uint32_t *owner)
{
	char part[PATH_MAX];
	size_t trusted = 0;

	*owner = 0;
	while (path[trusted] && !*owner) {
		size_t len = trusted + strspn(path + trusted, "/");
		struct stat st;

		len += strcspn(path + len, "/");
		if (len < 2 || len >= sizeof(part))
			break;
		memcpy(part, path + 1, len - 1);
		part[len - 1] = '\0';
		if (fstatat(c->fd, part, &st, AT_SYMLINK_NOFOLLOW))
			break; /* gone by now: nobody can tell whose it was */
		*owner = st.st_uid;
		trusted = len;
	}
	return trusted;
}
