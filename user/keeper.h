/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small process that keeps privileges when goldpan drops them: it opens, replaces and removes
 * the outputs, reads the configuration file again, and does nothing else.
 *
 * It is forked before anything is loaded, so it holds no descriptor of BPF, and knows the files
 * from then: what it is asked names a file by its number, never by a path. Where goldpan drops
 * nothing (started without root, or told to keep its privileges) there is no such process, and all
 * functions do the same themselves.
 *
 * It ends with goldpan, however goldpan ends. If it ends before, that is said once, and what
 * needs it fails with -ESRCH and GP_REFUSAL_KEEPER from then on; what is open stays open.
 */
#ifndef GP_KEEPER_H
#define GP_KEEPER_H

#include <stddef.h>

#include "place.h"

struct gp_keeper;

/* 0, or -ENOMEM. Nothing is forked yet. */
int gp_keeper_new(struct gp_keeper **out);

/* Ends the process, and waits for that. */
void gp_keeper_free(struct gp_keeper **k);

/* One more file, and its number. `path` must live as long as the keeper. 0, or -ENOMEM. */
int gp_keeper_add(struct gp_keeper *k, const char *path, mode_t mode, size_t *number);

/* Forks the process, if there is any file to keep; none is added later. 0, or -errno. */
int gp_keeper_start(struct gp_keeper *k);

/* As the functions of place.h, by the process if there is one. */
int gp_keeper_append(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why);
int gp_keeper_begin(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why);
int gp_keeper_replace(struct gp_keeper *k, size_t number, enum gp_refusal *why);
int gp_keeper_remove(struct gp_keeper *k, size_t number, enum gp_refusal *why);
int gp_keeper_read(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why);

/* To be polled for POLLIN: it is ready when the process is gone. -1: there is none. */
int gp_keeper_watch(const struct gp_keeper *k);

/* Says that the process is gone. For when gp_keeper_watch is ready. */
void gp_keeper_lost(struct gp_keeper *k);

#endif
