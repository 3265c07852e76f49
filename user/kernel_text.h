/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text files of the kernel: /proc, /sys and control groups. Read whole, then looked up. */
#ifndef GP_KERNEL_TEXT_H
#define GP_KERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

/*
 * Reads the file at `path`, relative to the directory `dir` as for openat(2), into `text`, which
 * ends in a 0 byte; what does not fit is left out. The length, or -errno.
 */
int gp_kernel_text_read(int dir, const char *path, char *text, size_t size);

/* The number on the line that begins with `key` and a space, as cpu.stat has them. */
bool gp_kernel_text_field(const char *text, const char *key, uint64_t *value);

/*
 * The number below the word `name` in the pair of lines that begin with `group`, as
 * /proc/net/netstat and /proc/net/snmp have them ("TcpExt:").
 */
bool gp_kernel_text_column(const char *text, const char *group, const char *name, uint64_t *value);

/*
 * The totals of three pressure files: `before`, a resource ("cpu", "memory", "io") and `after` make
 * their paths, relative to the directory `dir`. Says in p->has what was there, and returns whether
 * anything was.
 */
bool gp_kernel_text_pressure(int dir, const char *before, const char *after, struct gp_pressure *p);

#endif
