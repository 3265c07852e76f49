/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The output formats. An exporter is one file with one function. */
#ifndef GP_EXPORTER_H
#define GP_EXPORTER_H

#include <stdio.h>

#include "snapshot.h"

/* One output format. Knows the snapshot and the stream: no map, no option, no other format. */
struct gp_exporter {
	const char *name; /* as in --output NAME:PATH */
	/* Whether an output of this format begins with `begin`, and again after each reopening. */
	int (*begin)(const struct gp_meta *meta, FILE *out);
	/*
	 * Writes all of `s`. `width`: columns of the terminal on which it will be seen, 0: no
	 * terminal. 0, or -errno of what failed.
	 */
	int (*write)(const struct gp_snapshot *s, FILE *out, int width);
};

extern const struct gp_exporter gp_exporter_json, gp_exporter_table;

#endif
