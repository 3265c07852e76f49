/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test prints to standard output or standard error, caught. */
#ifndef GP_TEST_CAPTURE_H
#define GP_TEST_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct capture {
	int fd, saved, memory;
	char text[16384];
};

/* From here on, what goes to `fd` goes to `c`. */
static inline void capture_begin(struct capture *c, int fd)
{
	fflush(NULL);
	c->fd = fd;
	c->saved = dup(fd);
	c->memory = memfd_create("capture", MFD_CLOEXEC);
	dup2(c->memory, fd);
}

/* Until here; what was caught, as a string that lives as long as `c`. */
static inline const char *capture_end(struct capture *c)
{
	ssize_t n;

	fflush(NULL);
	dup2(c->saved, c->fd);
	n = pread(c->memory, c->text, sizeof(c->text) - 1, 0);
	c->text[n > 0 ? n : 0] = 0;
	close(c->memory);
	close(c->saved);
	return c->text;
}

static inline size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

#endif
