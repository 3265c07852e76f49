// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "own.h"

/* How long the reader of a FIFO may leave it full before the rest is kept for the next export. */
#define PATIENCE_MS 1000

void gp_sink_init(struct gp_sink *s, const char *path)
{
	*s = (struct gp_sink){.path = path, .fd = -1, .mode = 0644};
}

static void drop_rest(struct gp_sink *s)
{
	gp_free(&s->rest);
	s->rest_len = s->rest_at = 0;
}

void gp_sink_close(struct gp_sink *s)
{
	if (s->path)
		gp_close(&s->fd);
	s->fd = -1;
	drop_rest(s);
}

int gp_sink_keep(struct gp_sink *s, struct gp_keeper *keeper)
{
	s->keeper = s->path ? keeper : NULL;
	return s->keeper ? gp_keeper_add(keeper, s->path, s->mode, &s->number) : 0;
}

static int open_path(struct gp_sink *s, int *out)
{
	const struct gp_place place = {s->path, s->mode};

	return s->keeper ? gp_keeper_append(s->keeper, s->number, out, &s->why)
			 : gp_place_append(&place, out, &s->why);
}

static int open_standard(int *out)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags < 0)
		return -errno;
	if ((flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	*out = STDOUT_FILENO;
	return 0;
}

int gp_sink_open(struct gp_sink *s)
{
	struct stat st;
	int fd = -1, rc;

	s->why = GP_REFUSAL_NONE;
	rc = s->path ? open_path(s, &fd) : open_standard(&fd);
	if (!rc && fstat(fd, &st))
		rc = -errno;
	if (rc) {
		gp_sink_close(s);
		return rc;
	}
	if (st.st_dev != s->device || st.st_ino != s->inode)
		drop_rest(s);
	if (s->path)
		gp_close(&s->fd); /* only now: a FIFO's reader must not see the end */
	s->fd = fd;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->is_regular = S_ISREG(st.st_mode);
	s->is_stalled = false;
	return 0;
}

bool gp_sink_is_lost(const struct gp_sink *s)
{
	struct stat st;

	return s->fd < 0 || (s->path && !fstat(s->fd, &st) && !st.st_nlink);
}

bool gp_sink_is_same(const struct gp_sink *a, const struct gp_sink *b)
{
	return a->fd >= 0 && b->fd >= 0 && a->is_regular && b->is_regular &&
	       a->device == b->device && a->inode == b->inode;
}

static bool wait_for_reader(struct gp_sink *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	if (poll(&p, 1, s->is_stalled ? 0 : PATIENCE_MS) > 0)
		return true;
	s->is_stalled = true;
	return false;
}

/* Writes from *at on, which moves on. 0 at the end, or -errno. */
static int write_lines(struct gp_sink *s, const char *text, size_t len, size_t *at)
{
	while (*at < len) {
		const char *from = text + *at, *end = memchr(from, '\n', len - *at);
		ssize_t n = write(s->fd, from, end ? (size_t)(end + 1 - from) : len - *at);

		if (n > 0) {
			*at += n;
			s->is_stalled = false;
		} else if (n == 0) {
			return -EIO;
		} else if (errno == EAGAIN) {
			if (!wait_for_reader(s))
				return -EAGAIN;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* The size of a regular file; -1 for anything else. */
static off_t size_of(const struct gp_sink *s)
{
	struct stat st;

	return s->is_regular && !fstat(s->fd, &st) ? st.st_size : -1;
}

/*
 * Takes back the `written` bytes that made the file longer than `start`. False if that cannot be
 * done: no regular file, one that only grows (chattr +a), one that somebody else has appended to
 * meanwhile, or standard output that does not stand at the end.
 */
static bool cut_off(const struct gp_sink *s, off_t start, size_t written)
{
	return start >= 0 && size_of(s) == start + (off_t)written && !ftruncate(s->fd, start) &&
	       lseek(s->fd, start, SEEK_SET) >= 0;
}

int gp_sink_write(struct gp_sink *s, char **text, size_t len, bool *taken)
{
	off_t start = size_of(s);
	size_t at = 0;
	int rc = write_lines(s, *text, len, &at);

	*taken = !rc;
	if (!rc || !at || cut_off(s, start, at))
		return rc;
	s->rest = TAKE_PTR(*text);
	s->rest_len = len;
	s->rest_at = at;
	*taken = true;
	return rc;
}

int gp_sink_flush(struct gp_sink *s)
{
	int rc = s->rest ? write_lines(s, s->rest, s->rest_len, &s->rest_at) : 0;

	if (!rc)
		drop_rest(s);
	return rc;
}

const char *gp_sink_reason(const struct gp_sink *s, int error)
{
	if (s->why)
		return gp_refusal_text(s->why);
	switch (error) {
	case -EAGAIN:
		return "its reader does not read";
	case -EPIPE:
		return "its reader went away";
	default:
		return strerror(-error);
	}
}

const char *gp_sink_place(const struct gp_sink *s)
{
	return s->path ?: "standard output";
}

void gp_sink_report(const struct gp_sink *s, const char *name, int before, int error)
{
	if (error && !before)
		gp_error("output %s to %s: %s", name, gp_sink_place(s), gp_sink_reason(s, error));
	if (!error && before)
		gp_info("output %s to %s: works again", name, gp_sink_place(s));
}
