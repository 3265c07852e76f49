/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this host and of goldpan's standing on it decides what can be known, apart from hooks. */
#ifndef GP_SURROUNDINGS_H
#define GP_SURROUNDINGS_H

#include <stddef.h>

struct gp_fact {
	const char *name; /* "capabilities" */
	char value[96];
	const char *advice; /* what is missing because of it, and how to get it; NULL: nothing */
};

#define GP_FACTS 9

/*
 * Looks; changes nothing. `root` stands before the paths of the host, "" for the running one. How
 * many facts there are.
 */
size_t gp_surroundings(const char *root, struct gp_fact facts[GP_FACTS]);

#endif
