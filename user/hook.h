/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hooks: which events goldpan wants to see, and by which program. */
#ifndef GP_HOOK_H
#define GP_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "snapshot.h"

struct btf;

/* One way to see one kind of event. Rows of one event stand together, the best way first. */
struct gp_hook {
	const char *event;   /* as `doctor` and `meta` say it */
	const char *hook;    /* as libbpf says it: "tp_btf/sk_data_ready" */
	const char *program; /* in the object */
	const char *needs; /* a BTF typedef that the kernel has if it has the hook; NULL: nothing */
	bool (*wanted)(const struct gp_config *cfg); /* NULL: always */
	bool required;				     /* without it goldpan cannot work at all */
	const char *missing;			     /* a sentence: what is missing without it */
};

extern const struct gp_hook gp_hooks[];
extern const size_t gp_hooks_count;

/* Whether the running kernel, by its BTF, has the hook. */
bool gp_hook_present(const struct gp_hook *hook, const struct btf *kernel);

/* Whether it is one of those that see datagrams: all of these are there, or none. */
bool gp_hook_of_datagrams(const struct gp_hook *hook);

/* Likewise of those that see unix sockets. */
bool gp_hook_of_unix(const struct gp_hook *hook);

#endif
