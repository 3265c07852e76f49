// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "own.h"

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: the handle is the node's 64-bit id */

struct gp_cgroups {
	int fd; /* the mount point */
	char root[PATH_MAX];
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
	snprintf(c->root, sizeof(c->root), "%s", m->mnt_dir);
	c->fd = open(c->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

int gp_cgroup_path(const struct gp_cgroups *c, uint64_t id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} h = {.handle = {.handle_bytes = sizeof(uint64_t), .handle_type = FILEID_KERNFS}};
	char link[64], full[PATH_MAX];
	size_t prefix = strlen(c->root);
	gp_auto(gp_close) int fd = -1;
	ssize_t len;

	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(c->fd, &h.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ENOENT : -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, full, sizeof(full) - 1);
	if (len < 0)
		return -errno;
	full[len] = '\0';
	if (strncmp(full, c->root, prefix))
		return -ENOENT;
	if ((size_t)snprintf(path, size, "%s", full[prefix] ? full + prefix : "/") >= size)
		return -ENAMETOOLONG;
	return 0;
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
