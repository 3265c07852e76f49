/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options: one row each, from which the command line, the help and the defaults come. */
#ifndef GP_OPTION_H
#define GP_OPTION_H

#include "config.h"

struct gp_option {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* what the help calls its argument; NULL: a switch */
	const char *preset;   /* the argument if the option is not given; NULL: none */
	const char *help;
	const char *accepted; /* what an argument must be, to follow "give"; NULL for a switch */
	/* Puts `arg` in its place. 0; -EINVAL if it is not accepted, said by nobody; -ENOMEM. */
	int (*parse)(const struct gp_option *o, const char *arg, struct gp_config *cfg);
	size_t offset;	    /* of its field, where there is just one */
	uint64_t low, high; /* bounds of its value */
	int value;	    /* what a switch stores */
	bool is_live;	    /* may change while goldpan runs */
	bool is_asked;	    /* says what to do, not how: not in a file */
};

extern const struct gp_option gp_options[];
extern const size_t gp_option_count;

/*
 * 0; -EINVAL after saying which option, what was given and what is accepted; -ENOMEM. `arg` is
 * NULL for a switch.
 */
int gp_option_apply(const struct gp_option *o, const char *arg, struct gp_config *cfg);

#endif
