/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place that text is appended to: standard output, a regular file, a FIFO or a character device.
 *
 * Text goes in whole or not at all. From a regular file, what was written before a failure is cut
 * off again. What cannot be cut off (a FIFO, a file that others append to) is finished later: the
 * sink keeps the rest and writes it before anything else.
 */
#ifndef GP_SINK_H
#define GP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "keeper.h"

struct gp_sink {
	const char *path;	  /* NULL: standard output. Not owned */
	int fd;			  /* -1: not open */
	mode_t mode;		  /* of a file that it makes: 0644 unless set to another before */
	struct gp_keeper *keeper; /* who opens it; NULL: the sink itself */
	size_t number;		  /* of it there */
	bool is_regular;
	bool is_stalled; /* kept us waiting in vain: not waited for again until it is read */
	dev_t device;
	ino_t inode;
	char *rest; /* begun and not finished; NULL: nothing */
	size_t rest_len, rest_at;
	enum gp_refusal why; /* what gp_sink_open knows beyond its errno */
};

/* Not open yet. `path` must live as long as the sink. */
void gp_sink_init(struct gp_sink *s, const char *path);

/* From now on `keeper`, not started yet, opens it; NULL: nobody else. 0, or -ENOMEM. */
int gp_sink_keep(struct gp_sink *s, struct gp_keeper *keeper);

/*
 * Opens it, or opens it again, by the rules of contract.md, "Files". 0, or -errno (the text is
 * gp_sink_reason's), and then it is not open. The rest of another file's text is dropped.
 */
int gp_sink_open(struct gp_sink *s);
void gp_sink_close(struct gp_sink *s);

/* Whether it is not open, or is a file that was removed: it must be opened before it is written. */
bool gp_sink_is_lost(const struct gp_sink *s);

/* Whether both are open on one regular file. */
bool gp_sink_is_same(const struct gp_sink *a, const struct gp_sink *b);

/*
 * Appends `len` bytes of lines, each by one write, after what gp_sink_flush would write: call that
 * first. 0 and *taken; or -errno, where *taken says that the sink has begun to write and keeps the
 * rest, *text with it (then NULL): do not write that text again. Else nothing of it is there.
 */
int gp_sink_write(struct gp_sink *s, char **text, size_t len, bool *taken);

/* Writes what was kept. 0 if nothing is left of it, else -errno. */
int gp_sink_flush(struct gp_sink *s);

/* Why the call that returned `error` failed, for people. Holds until the next call. */
const char *gp_sink_reason(const struct gp_sink *s, int error);

/* Where it is, for people. */
const char *gp_sink_place(const struct gp_sink *s);

/*
 * Says that the output called `name` fails, or works again, where `error` (0, or -errno of the last
 * attempt) differs in that from the attempt `before` it.
 */
void gp_sink_report(const struct gp_sink *s, const char *name, int before, int error);

#endif
