// SPDX-License-Identifier: GPL-2.0-or-later
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "own.h"

#define BESIDE ".goldpan" /* what the file beside ends in: one name, so that none is left over */

const char *gp_refusal_text(enum gp_refusal why)
{
	static const char *const texts[] = {
		[GP_REFUSAL_LINK] = "it is a symbolic link; name the file itself",
		[GP_REFUSAL_LINK_ON_THE_WAY] =
			"a directory of its path is a symbolic link; name where it leads",
		[GP_REFUSAL_DIRECTORY] = "it is a directory; name a file in it",
		[GP_REFUSAL_KIND] =
			"it is neither a regular file nor a FIFO nor a character device",
		[GP_REFUSAL_WRITABLE] =
			"everybody may write in its directory, or one above that, which has no "
			"sticky bit; choose another one or run chmod o-w on it",
		[GP_REFUSAL_NAMES] = "the file has another name as well (a hard link); remove one",
		[GP_REFUSAL_NO_READER] = "nobody reads this FIFO; start its reader first",
		[GP_REFUSAL_KEEPER] =
			"the process of goldpan's own that may open it is gone; restart goldpan",
	};

	_Static_assert(ARRAY_SIZE(texts) == GP_REFUSAL_COUNT, "a text for each");
	return texts[why];
}

/* Takes down what errno cannot say, and returns it. */
static int refuse(enum gp_refusal *why, enum gp_refusal reason, int error)
{
	*why = reason;
	return error;
}

/* 0 if files of this kind are written to. */
static int check_kind(mode_t mode, enum gp_refusal *why)
{
	if (S_ISREG(mode) || S_ISFIFO(mode) || S_ISCHR(mode))
		return 0;
	if (S_ISLNK(mode))
		return refuse(why, GP_REFUSAL_LINK, -ELOOP);
	if (S_ISDIR(mode))
		return refuse(why, GP_REFUSAL_DIRECTORY, -EISDIR);
	return refuse(why, GP_REFUSAL_KIND, -ENOTSUP);
}

/* 0 if nobody but its owner can exchange what is in this directory. */
static int check_directory(int fd, enum gp_refusal *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISLNK(st.st_mode))
		return refuse(why, GP_REFUSAL_LINK_ON_THE_WAY, -ELOOP);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return refuse(why, GP_REFUSAL_WRITABLE, -EPERM);
	return 0;
}

/*
 * Step by step to the directory of the path; what is then left of the path is a name in it. Each
 * directory is looked at once it is open, so it cannot be exchanged between the look and the step.
 */
static int open_directory(const struct gp_place *p, int *out, const char **name,
			  enum gp_refusal *why)
{
	char step[NAME_MAX + 1];
	const char *at = p->path;
	gp_auto(gp_close) int fd = open(*at == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : check_directory(fd, why);

	while (!err) {
		size_t len;
		int next;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (!at[len])
			break;
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(step, at, len);
		step[len] = '\0';
		next = openat(fd, step, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close(fd);
		fd = next;
		err = check_directory(fd, why);
		at += len;
	}
	if (!err && !*at)
		err = refuse(why, GP_REFUSAL_DIRECTORY, -EISDIR);
	if (err)
		return err;
	*name = at;
	*out = TAKE_FD(fd);
	return 0;
}

/* A second name may be one that somebody gave to a file of ours, or of root's. */
static int check_file(int fd, enum gp_refusal *why)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	err = check_kind(st.st_mode, why);
	if (!err && S_ISREG(st.st_mode) && st.st_nlink > 1)
		err = refuse(why, GP_REFUSAL_NAMES, -EMLINK);
	return err;
}

static int append_in(int directory, const char *name, mode_t mode, int *out, enum gp_refusal *why)
{
	gp_auto(gp_close) int fd = -1;
	struct stat st = {};
	int err = 0;

	/* Looked at first for the sake of the message, and not to open devices to no purpose. */
	if (!fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW))
		err = check_kind(st.st_mode, why);
	if (err)
		return err;
	fd = openat(directory, name,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		    mode);
	if (fd < 0 && errno == ENXIO && S_ISFIFO(st.st_mode))
		return refuse(why, GP_REFUSAL_NO_READER, -ENXIO);
	if (fd < 0)
		return -errno;
	err = check_file(fd, why);
	if (err)
		return err;
	*out = TAKE_FD(fd);
	return 0;
}

int gp_place_append(const struct gp_place *p, int *fd, enum gp_refusal *why)
{
	gp_auto(gp_close) int directory = -1;
	const char *name;
	int err;

	*why = GP_REFUSAL_NONE;
	err = open_directory(p, &directory, &name, why);
	return err ?: append_in(directory, name, p->mode, fd, why);
}

/* The directory, and both names in it, of a file that is replaced. */
static int open_beside(const struct gp_place *p, int *directory, const char **name,
		       char beside[NAME_MAX + 1], enum gp_refusal *why)
{
	int err;

	*why = GP_REFUSAL_NONE;
	err = open_directory(p, directory, name, why);
	if (!err && snprintf(beside, NAME_MAX + 1, ".%s" BESIDE, *name) > NAME_MAX)
		err = -ENAMETOOLONG;
	return err;
}

/* 0 if there is no such file yet, or a regular one, which is all that is replaced or removed. */
static int check_replaced(int directory, const char *name, enum gp_refusal *why)
{
	struct stat st;
	int err;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	err = check_kind(st.st_mode, why);
	if (!err && !S_ISREG(st.st_mode))
		err = refuse(why, GP_REFUSAL_KIND, -ENOTSUP);
	return err;
}

int gp_place_begin(const struct gp_place *p, int *out, enum gp_refusal *why)
{
	gp_auto(gp_close) int directory = -1, fd = -1;
	char beside[NAME_MAX + 1];
	const char *name;
	int err = open_beside(p, &directory, &name, beside, why);

	if (!err)
		err = check_replaced(directory, name, why);
	if (err)
		return err;
	if (unlinkat(directory, beside, 0) && errno != ENOENT)
		return -errno;
	fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    p->mode);
	if (fd < 0)
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

int gp_place_replace(const struct gp_place *p, enum gp_refusal *why)
{
	gp_auto(gp_close) int directory = -1;
	char beside[NAME_MAX + 1];
	const char *name;
	int err = open_beside(p, &directory, &name, beside, why);

	if (!err)
		err = check_replaced(directory, name, why);
	if (!err && renameat(directory, beside, directory, name))
		err = -errno;
	return err;
}

int gp_place_remove(const struct gp_place *p, enum gp_refusal *why)
{
	gp_auto(gp_close) int directory = -1;
	const char *name;
	int err;

	*why = GP_REFUSAL_NONE;
	err = open_directory(p, &directory, &name, why);
	if (!err)
		err = check_replaced(directory, name, why);
	if (!err && unlinkat(directory, name, 0) && errno != ENOENT)
		err = -errno;
	return err;
}

int gp_place_read(const struct gp_place *p, int *out, enum gp_refusal *why)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*why = GP_REFUSAL_NONE;
	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}
