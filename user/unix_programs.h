/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of unix sockets that are not attached: TCP's of the same hook go over to them. */
#ifndef GP_UNIX_PROGRAMS_H
#define GP_UNIX_PROGRAMS_H

#include <stdbool.h>

struct goldpan_bpf;
struct gp_programs;

/* Whether the program of this name is one of these. */
bool gp_unix_programs_has(const char *name);

/* Lets TCP's programs go over to them, once all are loaded. 0 or -errno. */
int gp_unix_programs_connect(const struct goldpan_bpf *maps, const struct gp_programs *programs);

#endif
