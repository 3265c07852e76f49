/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where exports go: standard output and files. Each line is one write; an export is in a file whole
 * or not at all; what could not be written is kept and goes out with the next export.
 *
 * The process must ignore SIGPIPE and SIGXFSZ, so that a failing write returns.
 */
#ifndef GP_OUTPUT_H
#define GP_OUTPUT_H

#include "config.h"
#include "keeper.h"
#include "snapshot.h"

struct gp_outputs;

/* The format whose name are the `len` bytes at `name`. 0, or -EINVAL if there is none. */
int gp_format_find(const char *name, size_t len, enum gp_format *out);

/*
 * Opens every output of the configuration, as contract.md says under "Files" (no symbolic links,
 * regular files, FIFOs or character devices only, mode 0644). 0; -ENOMEM; or another -errno after
 * saying which output and why. `keeper`, which is started later, opens them again (NULL: nobody
 * else does). Both must outlive them.
 */
int gp_outputs_new(struct gp_outputs **out, const struct gp_config *cfg, struct gp_keeper *keeper);
void gp_outputs_free(struct gp_outputs **o);

/*
 * Writes the opening lines (`meta`) of formats that have them: at the start, where a failure is the
 * end (an output that cannot be written). As gp_outputs_export.
 */
int gp_outputs_begin(struct gp_outputs *o, const struct gp_meta *meta);

/*
 * Exports the snapshot to every output. A failure is said once on standard error and what failed
 * is kept for the next call; exports to the other outputs go on. 0 if all were written, -EPIPE if
 * (and only if) the reader of standard output went away, else the last -errno.
 */
int gp_outputs_export(struct gp_outputs *o, const struct gp_snapshot *s);

/*
 * Opens appended files again (log rotation), with a new `meta` line in each. What cannot be opened
 * is said, and tried again at each export. As gp_outputs_export.
 */
int gp_outputs_reopen(struct gp_outputs *o, const struct gp_meta *meta);

/* Whether the last export of every output succeeded, or its reader on standard output left. */
bool gp_outputs_healthy(const struct gp_outputs *o);

#endif
