/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which ways goldpan takes on the running kernel to see what it wants to see (hook.h). */
#ifndef GP_WAYS_H
#define GP_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup.h"
#include "hook.h"
#include "snapshot.h"

/* The way to see one kind of event. */
struct gp_choosing {
	const struct gp_kind *kind;
	const struct gp_way *way; /* NULL: there is none */
	bool part[GP_PARTS];	  /* of the way: whether the kernel has it */
	/* Of each way of the kind that is better than the one taken: why not, a text; else NULL. */
	const char *refused[GP_WAYS];
};

struct gp_ways;

/*
 * Asks the kernel about all that the configuration wants. What that comes to may be that goldpan
 * cannot work here: see gp_ways_unable. 0, or -ENOMEM.
 */
int gp_ways_new(struct gp_ways **out, const struct gp_config *cfg);
void gp_ways_free(struct gp_ways **w);

/* Lets go of what was tried: once all that was chosen is attached (trial.h). */
void gp_ways_let_go(struct gp_ways *w);

/* NULL, or in a sentence why goldpan cannot observe on this host. */
const char *gp_ways_unable(const struct gp_ways *w);

/* What is wanted, a row each; the array belongs to `w`. */
const struct gp_choosing *gp_ways_chosen(const struct gp_ways *w, size_t *n);

/* The same as `meta` has it. */
const struct gp_choice *gp_ways_choices(const struct gp_ways *w, size_t *n);

/* The row of the kind that has this key, or NULL if that is not wanted. */
const struct gp_choosing *gp_ways_find(const struct gp_ways *w, const char *key);

/* The protocols that can be recognised, of those wanted: bits 1 << enum gp_protocol. */
uint32_t gp_ways_protocols(const struct gp_ways *w);

/* goldpan cannot observe after all. 0, or -ENOMEM. */
__attribute__((format(printf, 2, 3))) int gp_ways_fail(struct gp_ways *w, const char *format, ...);

/* Does without the way of the kind after all, for the reason `why` (a constant). */
void gp_ways_refuse(struct gp_ways *w, const char *key, const char *why);

/* Whether programs have a small stack here (gp_trial_stack). */
bool gp_ways_small_stack(const struct gp_ways *w);

/* For the payload's way "pages" (page_map.h), until gp_ways_let_go. */
uint64_t gp_ways_page_map(const struct gp_ways *w);

/* Whether unix sockets are seen. */
bool gp_ways_unix(const struct gp_ways *w);

/* Where programs of control groups are attached; NULL: there are none in use. */
const struct gp_cgroups *gp_ways_cgroups(const struct gp_ways *w);

/* What is missing, each sentence once, with "; " between them; NULL: nothing. To be freed. */
char *gp_ways_missing(const struct gp_ways *w);

#endif
