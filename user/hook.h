/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goldpan wants to see, and the ways to see it: one table. Which way is taken the running
 * kernel decides (ways.h), never its version.
 *
 * The environment variable GOLDPAN_HOOKS forces ways, for tests: "send=fentry,arrive=fentry". It
 * is not for users.
 */
#ifndef GP_HOOK_H
#define GP_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define GP_HOOKS_VARIABLE "GOLDPAN_HOOKS"
#define GP_WAYS 2  /* of one event */
#define GP_PARTS 3 /* of one way */

/* A program, and where it is attached. */
struct gp_hook {
	const char *at; /* as libbpf says it: "tp_btf/sk_data_ready"; or as gp_trial_hook does */
	const char *program;	/* in the object; NULL: a means of the programs of others */
	const char *small;	/* the same for kernels with a small stack; NULL: no other */
	unsigned int arguments; /* of the tracepoint's that it reads; 0: those that all have */
};

/* One way to see a kind of event. */
struct gp_way {
	const char *name; /* as GOLDPAN_HOOKS calls it; NULL: there is no such way */
	/* The first makes the way, and gives it its name in `doctor` and `meta`. The others belong
	 * to it where the kernel has them: what they see happens elsewhere on other kernels. */
	struct gp_hook part[GP_PARTS];
	const char *lost;  /* a sentence: what this way does not see; NULL: nothing */
	bool lost_payload; /* what is received cannot be read: no protocol is recognised */
};

/* A kind of event, with its ways, the best first. */
struct gp_kind {
	const char *key;			     /* as GOLDPAN_HOOKS calls it */
	const char *name;			     /* as `doctor` and `meta` say it */
	bool (*wanted)(const struct gp_config *cfg); /* NULL: always */
	bool required;				     /* without it goldpan cannot work at all */
	const char *missing;			     /* a sentence: what is missing without it */
	struct gp_way way[GP_WAYS];
};

extern const struct gp_kind gp_kinds[];
extern const size_t gp_kinds_count;

/* Whether it is one of those that see datagrams: all of these are there, or none. */
bool gp_kind_of_datagrams(const struct gp_kind *kind);

/* Likewise of those that see unix sockets. */
bool gp_kind_of_unix(const struct gp_kind *kind);

/* 0, or -EINVAL after saying which part of the list names no event or no way of it. NULL: no list.
 */
int gp_hook_check(const char *list);

/* The way that `list` forces for the kind; NULL: none. The list was found right. */
const struct gp_way *gp_hook_forced(const char *list, const struct gp_kind *kind);

/* Likewise of those that see unix sockets. */
bool gp_hook_of_unix(const struct gp_hook *hook);

#endif
