// SPDX-License-Identifier: GPL-2.0-or-later
#include "older.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bpf_object.h"
#include "hook.h"
#include "log.h"
#include "own.h"
#include "walk.h"

/* Network namespaces: a path to each that was not met before. */
struct namespaces {
	ino_t *inode;
	char **path;
	size_t n;
	bool some_hidden; /* processes that this one may not look at (CAP_SYS_PTRACE) */
};

static void namespaces_free(struct namespaces *found)
{
	for (size_t i = 0; i < found->n; i++)
		free(found->path[i]);
	free(found->path);
	free(found->inode);
	*found = (struct namespaces){};
}

/* Adds the namespace that `path` leads to, if it is a new one. What is gone is no error. */
static int add_namespace(struct namespaces *found, const char *path)
{
	struct stat st;
	ino_t *inodes;
	char **paths;

	if (stat(path, &st)) {
		/* What root may not look at is not of this system, but what that runs on. */
		found->some_hidden |= errno == EACCES && geteuid();
		return 0;
	}
	for (size_t i = 0; i < found->n; i++)
		if (found->inode[i] == st.st_ino)
			return 0;
	inodes = reallocarray(found->inode, found->n + 1, sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	found->inode = inodes;
	paths = reallocarray(found->path, found->n + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	found->path = paths;
	paths[found->n] = strdup(path);
	if (!paths[found->n])
		return -ENOMEM;
	inodes[found->n++] = st.st_ino;
	return 0;
}

static void end_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int add_directory(struct namespaces *found, const char *directory, const char *suffix,
			 bool numbers_only)
{
	gp_auto(end_directory) DIR *dir = opendir(directory);
	const struct dirent *entry;
	char path[PATH_MAX];

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		int err;

		if (entry->d_name[0] == '.' ||
		    (numbers_only && !isdigit((unsigned char)entry->d_name[0])))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", directory, entry->d_name, suffix);
		err = add_namespace(found, path);
		if (err)
			return err;
	}
	return 0;
}

/*
 * The iterator shows the sockets of the reader's namespace: so a child goes there and reads. The
 * first one is its own, where it is already, and needs no privilege to go.
 */
static int walk_namespaces(const struct namespaces *found, const struct bpf_link *link,
			   struct goldpan_bpf__bss *bss)
{
	pid_t child = fork();
	int status, err = 0;

	if (child < 0)
		return -errno;
	if (child) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < found->n; i++) {
		gp_auto(gp_close) int fd = open(found->path[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 && (errno == ENOENT || errno == ESRCH))
			continue; /* gone since it was found */
		memset((void *)bss->gp_listening, 0, sizeof(bss->gp_listening));
		if (fd < 0 || (i && setns(fd, CLONE_NEWNET)) || gp_walk(link))
			err = 1;
	}
	_exit(err);
}

static int find_namespaces(struct namespaces *found)
{
	int err = add_namespace(found, "/proc/self/ns/net");

	if (!err)
		err = add_directory(found, "/proc", "/ns/net", true);
	if (!err)
		err = add_directory(found, "/run/netns", "", false);
	return err;
}

int gp_older_sockets(const struct gp_loader *l)
{
	const struct bpf_link *sockets = gp_loader_link(l, "older_tcp");
	const struct bpf_link *unix_sockets = gp_loader_link(l, "older_unix");
	const struct bpf_link *holders = gp_loader_link(l, "older_holder");
	const struct bpf_link *datagrams = gp_loader_link(l, "older_udp");
	struct goldpan_bpf__bss *bss = gp_loader_bpf(l)->bss;
	gp_auto(namespaces_free) struct namespaces found = {};
	int err = find_namespaces(&found);

	if (!err && sockets) {
		bool missed = walk_namespaces(&found, sockets, bss);

		if (unix_sockets)
			missed |= walk_namespaces(&found, unix_sockets, bss);
		if (missed || found.some_hidden)
			gp_warning("not every network namespace could be looked into (needs "
				   "CAP_SYS_PTRACE and CAP_SYS_ADMIN): connections in others that "
				   "are older than goldpan are not observed");
	}
	if (!err && holders)
		err = gp_walk(holders);
	if (!err && datagrams)
		err = gp_walk(datagrams);
	return err;
}
