/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options as they were given, on the command line or in a file, before they are applied. */
#ifndef GP_SETTINGS_H
#define GP_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "option.h"

struct gp_setting {
	const struct gp_option *option;
	char *argument;	   /* owned; NULL for a switch */
	unsigned int line; /* of the file; 0: of the command line */
};

struct gp_settings {
	struct gp_setting *setting;
	size_t count;
};

/* One more. `argument` is copied. 0, or -ENOMEM. */
int gp_settings_add(struct gp_settings *s, const struct gp_option *option, const char *argument,
		    unsigned int line);
void gp_settings_free(struct gp_settings *s);

/*
 * Those of a file: one a line, a name as on the command line without its dashes, and the argument,
 * with an equals sign between them or spaces; an empty line, or one that begins with #, is none.
 * Takes `fd`. 0; -ENOMEM; or another -errno after saying what is wrong with the file called `path`.
 */
int gp_settings_read(struct gp_settings *s, int fd, const char *path);

/* Whether there is any of the option. */
bool gp_settings_have(const struct gp_settings *s, const struct gp_option *option);

/* The argument that the option was given last; NULL: none. */
const char *gp_settings_last(const struct gp_settings *s, const struct gp_option *option);

/*
 * Applies all in the order given: to `cfg`, but to `spare` what `over` has of its own. `path` is
 * the file's, for messages. 0, -ENOMEM, or -EINVAL, said.
 */
int gp_settings_apply(const struct gp_settings *s, const struct gp_settings *over, const char *path,
		      struct gp_config *cfg, struct gp_config *spare);

/* Whether both give the option the same arguments. */
bool gp_settings_agree(const struct gp_settings *a, const struct gp_settings *b,
		       const struct gp_option *option);

/* Prints those of the option as a file for gp_settings_read has them. */
void gp_settings_print(const struct gp_settings *s, const struct gp_option *option, FILE *out);

#endif
