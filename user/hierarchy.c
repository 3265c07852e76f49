// SPDX-License-Identifier: GPL-2.0-or-later
#include "hierarchy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel_text.h"
#include "own.h"

#define DEPTH_MAX 32 /* of a walk, each level of which holds a descriptor */

static void end_mounts(FILE **mounts)
{
	if (*mounts)
		endmntent(*mounts);
}

static struct gp_hierarchy *hierarchy_new(const char *root, const char *mount, bool is_v2)
{
	struct gp_hierarchy *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	snprintf(h->mount, sizeof(h->mount), "%s%s", root, mount);
	h->is_v2 = is_v2;
	return h;
}

/* Whether `word` is one of the words of `list`, which single characters of `separators` part. */
static bool has_word(const char *list, const char *separators, const char *word)
{
	size_t len = strlen(word);

	for (;;) {
		size_t n = strcspn(list, separators);

		if (n == len && !strncmp(list, word, n))
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
}

static bool has_cpu_controller(const struct gp_hierarchy *v2)
{
	char path[PATH_MAX + 32], text[256];

	snprintf(path, sizeof(path), "%s/cgroup.controllers", v2->mount);
	return gp_kernel_text_read(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	       has_word(text, " \n", "cpu");
}

int gp_hierarchies_find(const char *root, struct gp_hierarchy **v2, struct gp_hierarchy **cpu)
{
	char path[PATH_MAX];
	gp_auto(end_mounts) FILE *mounts = NULL;
	gp_auto(gp_free) struct gp_hierarchy *all = NULL, *v1 = NULL;
	const struct mntent *m;

	*v2 = *cpu = NULL;
	snprintf(path, sizeof(path), "%s/proc/self/mounts", root);
	mounts = setmntent(path, "re");
	while (mounts && (m = getmntent(mounts))) {
		if (!all && !strcmp(m->mnt_type, "cgroup2")) {
			all = hierarchy_new(root, m->mnt_dir, true);
			if (!all)
				return -ENOMEM;
		} else if (!v1 && !strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "cpu")) {
			v1 = hierarchy_new(root, m->mnt_dir, false);
			if (!v1)
				return -ENOMEM;
		}
	}
	*v2 = TAKE_PTR(all);
	*cpu = *v2 && has_cpu_controller(*v2) ? *v2 : TAKE_PTR(v1);
	return 0;
}

int gp_hierarchy_open(struct gp_hierarchy *h, const char *path, uint64_t *id)
{
	char full[2 * PATH_MAX];
	struct stat st;
	gp_auto(gp_close) int fd = -1;

	snprintf(full, sizeof(full), "%s%s", h->mount, path);
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	*id = st.st_ino;
	if (*id > h->seen)
		h->seen = *id;
	return TAKE_FD(fd);
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* A walk, and the path at which it is. */
struct walk {
	int (*found)(void *arg, const char *path);
	void *arg;
	char path[PATH_MAX];
	size_t len;
};

/* The groups inside of the directory `name` in `parent`. */
static int walk_below(struct walk *w, int parent, const char *name, int depth)
{
	gp_auto(close_directory) DIR *directory = NULL;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct dirent *entry;
	size_t len = w->len;
	int result = 0;

	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		gp_close(&fd);
		return 0;
	}
	while (!result && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") || depth == DEPTH_MAX)
			continue;
		w->len += snprintf(w->path + len, sizeof(w->path) - len, "/%s", entry->d_name);
		if (w->len < sizeof(w->path))
			result = w->found(w->arg, w->path);
		if (!result && w->len < sizeof(w->path))
			result = walk_below(w, dirfd(directory), entry->d_name, depth + 1);
		w->len = len;
	}
	return result;
}

int gp_hierarchy_each(const struct gp_hierarchy *h, int (*found)(void *arg, const char *path),
		      void *arg)
{
	struct walk w = {.found = found, .arg = arg};

	return walk_below(&w, AT_FDCWD, h->mount, 0);
}

/* Whether the process of a /proc/PID/cgroup is in this v2 group. */
static bool is_in(const char *text, const char *v2_path)
{
	const char *line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	size_t len = strlen(v2_path);

	if (!line)
		return false;
	line = strchr(line, '0') + 3;
	return strcspn(line, "\n") == len && !strncmp(line, v2_path, len);
}

/* One of its lines, "2:cpu,cpuacct:/path", if it is that of the cpu controller: the path. */
static const char *cpu_path(char *line)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path = '\0';
	return has_word(controllers + 1, ",", "cpu") ? path + 1 : NULL;
}

int gp_hierarchy_of_pid(const char *root, pid_t pid, const char *v2_path, char *path, size_t size)
{
	char name[PATH_MAX], text[8192], *rest = text, *line;
	int len;

	snprintf(name, sizeof(name), "%s/proc/%d/cgroup", root, pid);
	len = gp_kernel_text_read(AT_FDCWD, name, text, sizeof(text));
	if (len < 0)
		return len;
	if (v2_path && !is_in(text, v2_path))
		return -ESTALE;
	while ((line = strsep(&rest, "\n"))) {
		const char *found = cpu_path(line);

		if (found)
			return (size_t)snprintf(path, size, "%s", found) < size ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}
