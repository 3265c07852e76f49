// SPDX-License-Identifier: GPL-2.0-or-later
#include "ways.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "own.h"
#include "trial.h"

#define USER_NAMESPACE_OF_THE_HOST 0xEFFFFFFDU /* its inode: PROC_USER_INIT_INO */

struct gp_ways {
	struct gp_choosing *row;
	struct gp_choice *choice;
	size_t rows;
	struct gp_cgroups *cgroups;
	struct gp_trial *trial; /* NULL: it was let go of */
	char *unable;
	uint32_t protocols; /* wanted */
	bool small_stack;
};

int gp_ways_fail(struct gp_ways *w, const char *format, ...)
{
	va_list args;
	int n;

	if (w->unable)
		return 0; /* the first reason is the one to be told */
	va_start(args, format);
	n = vasprintf(&w->unable, format, args);
	va_end(args);
	if (n < 0)
		w->unable = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/* Why the kernel refused what was tried. */
static const char *reason(int err)
{
	switch (-err) {
	case 0:
		return NULL;
	case ENOENT:
		return "the kernel does not have it";
	case EINTR:
		return "other tasks are let in";
	case ENOTDIR:
		return "there are no v2 control groups";
	case EPERM:
	case EACCES:
		return "the kernel does not permit it";
	default:
		return strerrordesc_np(-err) ?: "it does not work";
	}
}

/* A user who is root in a namespace only has no say over the kernel. */
static bool in_user_namespace(void)
{
	struct stat st;

	return !stat("/proc/self/ns/user", &st) && st.st_ino != USER_NAMESPACE_OF_THE_HOST;
}

/* What goldpan needs in any case. 0, or -ENOMEM; see w->unable. */
static int ask_for_basics(struct gp_ways *w, const struct gp_trial *trial)
{
	int err = gp_trial_bpf(trial);

	if (err == -ENOSYS)
		return gp_ways_fail(w, "this kernel has no BPF (CONFIG_BPF_SYSCALL); goldpan needs "
				       "that");
	if (err == -EPERM && in_user_namespace())
		return gp_ways_fail(w, "loading BPF programs is not permitted in a user namespace: "
				       "run goldpan as root of the host");
	if (err == -EPERM)
		return gp_ways_fail(w,
				    "loading BPF programs is not permitted: run goldpan as root, "
				    "or with the capabilities CAP_BPF and CAP_PERFMON");
	if (err)
		return gp_ways_fail(w, "this kernel does not load BPF programs (%s)", reason(err));
	if (gp_trial_btf(trial))
		return gp_ways_fail(w, "this kernel does not describe its types (no "
				       "/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF); goldpan "
				       "needs that");
	err = gp_trial_storage(trial);
	if (err == -EPERM)
		return gp_ways_fail(w,
				    "keeping something with sockets is not permitted (%s): run "
				    "goldpan as root, or with the capabilities CAP_BPF, "
				    "CAP_PERFMON and CAP_NET_ADMIN",
				    reason(err));
	if (err)
		return gp_ways_fail(w,
				    "this kernel does not let programs keep something with a "
				    "socket that they trace (%s); goldpan needs that: Linux 6.1 "
				    "has it",
				    reason(err));
	err = gp_trial_loop(trial);
	if (err)
		return gp_ways_fail(w,
				    "this kernel has no loops for BPF programs (bpf_loop, %s); "
				    "goldpan needs that: Linux 6.1 has it",
				    reason(err));
	return 0;
}

/* Tries the parts of a way: whether the first is there, which makes it. */
static int try_way(const struct gp_ways *w, struct gp_trial *trial, struct gp_choosing *row,
		   const struct gp_way *way)
{
	int cgroup = w->cgroups ? gp_cgroups_root(w->cgroups) : -1;

	for (size_t i = 0; i < GP_PARTS && way->part[i].at; i++) {
		int err = gp_trial_hook(trial, way->part[i].at, way->part[i].arguments, cgroup);

		if (err && !i)
			return err;
		row->part[i] = !err;
	}
	row->way = way;
	return 0;
}

/* The best way that the kernel has, or the one that is forced. */
static int choose(struct gp_ways *w, struct gp_trial *trial, struct gp_choosing *row)
{
	const char *list = getenv(GP_HOOKS_VARIABLE);
	const struct gp_kind *kind = row->kind;
	const struct gp_way *forced = gp_hook_forced(list, kind);

	for (size_t i = 0; i < GP_WAYS && kind->way[i].name && !row->way; i++) {
		if (forced && forced != &kind->way[i]) {
			row->refused[i] = GP_HOOKS_VARIABLE " forces another";
			continue;
		}
		row->refused[i] = reason(try_way(w, trial, row, &kind->way[i]));
		if (forced && !row->way)
			return gp_ways_fail(w, GP_HOOKS_VARIABLE " forces %s: %s",
					    forced->part[0].at, row->refused[i]);
	}
	if (row->way || !kind->required)
		return 0;
	if (!kind->way[1].name)
		return gp_ways_fail(w, "this kernel has no %s (%s): %s", kind->way[0].part[0].at,
				    row->refused[0], kind->missing);
	return gp_ways_fail(w, "this kernel has neither %s (%s) nor %s (%s): %s",
			    kind->way[0].part[0].at, row->refused[0], kind->way[1].part[0].at,
			    row->refused[1], kind->missing);
}

void gp_ways_refuse(struct gp_ways *w, const char *key, const char *why)
{
	for (size_t i = 0; i < w->rows; i++) {
		struct gp_choosing *row = &w->row[i];

		if (strcmp(row->kind->key, key) || !row->way)
			continue;
		row->refused[row->way - row->kind->way] = why;
		row->way = NULL;
	}
}

/* Programs of some kinds are of use together, or not at all. Whether those are all there. */
static bool settle_group(struct gp_ways *w, bool (*is_of_group)(const struct gp_kind *kind),
			 const char *why)
{
	bool whole = true;

	for (size_t i = 0; i < w->rows; i++)
		whole &= !is_of_group(w->row[i].kind) || w->row[i].way;
	for (size_t i = 0; i < w->rows && !whole; i++)
		if (is_of_group(w->row[i].kind))
			gp_ways_refuse(w, w->row[i].kind->key, why);
	return whole;
}

/* Whether the best way of the kind is taken. */
static bool takes_best(const struct gp_ways *w, const char *key)
{
	const struct gp_choosing *row = gp_ways_find(w, key);

	return row && row->way == row->kind->way;
}

/* Some ways are of use only with others. */
static void settle(struct gp_ways *w)
{
	const struct gp_choosing *read = gp_ways_find(w, "read");

	if (read && read->way && read->way->lost_payload)
		gp_ways_refuse(w, "payload", "the way that receives are seen has no bytes");
	if (!settle_group(w, gp_kind_of_datagrams, "others of datagrams are missing"))
		gp_cgroups_free(&w->cgroups);
	if (!takes_best(w, "arrive") || !takes_best(w, "read") || w->small_stack)
		gp_ways_refuse(w, "unix-queue", "TCP is seen in a way that hands nothing over");
	settle_group(w, gp_kind_of_unix, "others of unix sockets are missing");
}

/* Where the trial cannot be made, no way is known to work. */
static void refuse_rows(struct gp_ways *w)
{
	for (size_t i = 0; i < w->rows; i++)
		for (size_t j = 0; j < GP_WAYS && w->row[i].kind->way[j].name; j++)
			w->row[i].refused[j] = "it could not be tried";
}

static int choose_all(struct gp_ways *w, const struct gp_config *cfg)
{
	bool datagrams = false;
	int err;

	for (size_t i = 0; i < gp_kinds_count; i++) {
		if (gp_kinds[i].wanted && !gp_kinds[i].wanted(cfg))
			continue;
		w->row[w->rows++].kind = &gp_kinds[i];
		datagrams |= gp_kind_of_datagrams(&gp_kinds[i]);
	}
	err = gp_trial_new(&w->trial);
	if (!err)
		err = ask_for_basics(w, w->trial);
	if (!err && w->unable)
		refuse_rows(w);
	if (err || w->unable)
		return err;
	if (datagrams && gp_cgroups_new(&w->cgroups) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < w->rows && !err; i++)
		err = choose(w, w->trial, &w->row[i]);
	w->small_stack = gp_trial_stack(w->trial);
	settle(w);
	return err;
}

int gp_ways_new(struct gp_ways **out, const struct gp_config *cfg)
{
	gp_auto(gp_ways_free) struct gp_ways *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->row = calloc(gp_kinds_count, sizeof(*w->row));
	w->choice = calloc(gp_kinds_count, sizeof(*w->choice));
	if (!w->row || !w->choice)
		return -ENOMEM;
	w->protocols = cfg->protocols;
	err = choose_all(w, cfg);
	if (err)
		return err;
	*out = TAKE_PTR(w);
	return 0;
}

void gp_ways_let_go(struct gp_ways *w)
{
	gp_trial_free(&w->trial);
}

void gp_ways_free(struct gp_ways **ways)
{
	struct gp_ways *w = TAKE_PTR(*ways);

	if (!w)
		return;
	gp_ways_let_go(w);
	gp_cgroups_free(&w->cgroups);
	free(w->unable);
	free(w->choice);
	free(w->row);
	free(w);
}

const char *gp_ways_unable(const struct gp_ways *w)
{
	return w->unable;
}

const struct gp_choosing *gp_ways_chosen(const struct gp_ways *w, size_t *n)
{
	*n = w->rows;
	return w->row;
}

const struct gp_choice *gp_ways_choices(const struct gp_ways *w, size_t *n)
{
	for (size_t i = 0; i < w->rows; i++) {
		const struct gp_choosing *row = &w->row[i];

		w->choice[i] = (struct gp_choice){
			.event = row->kind->name,
			.hook = row->way ? row->way->part[0].at : NULL,
			.missing = row->way ? row->way->lost : row->kind->missing,
		};
	}
	*n = w->rows;
	return w->choice;
}

const struct gp_choosing *gp_ways_find(const struct gp_ways *w, const char *key)
{
	for (size_t i = 0; i < w->rows; i++)
		if (!strcmp(w->row[i].kind->key, key))
			return &w->row[i];
	return NULL;
}

const struct gp_cgroups *gp_ways_cgroups(const struct gp_ways *w)
{
	return w->cgroups;
}

bool gp_ways_unix(const struct gp_ways *w)
{
	return takes_best(w, "unix-queue");
}

uint64_t gp_ways_page_map(const struct gp_ways *w)
{
	return w->trial ? gp_trial_page_map(w->trial) : 0;
}

bool gp_ways_small_stack(const struct gp_ways *w)
{
	return w->small_stack;
}

char *gp_ways_missing(const struct gp_ways *w)
{
	size_t n, size = 1;
	const struct gp_choice *choice = gp_ways_choices(w, &n);
	char *text;

	for (size_t i = 0; i < n; i++)
		size += choice[i].missing ? strlen(choice[i].missing) + 2 : 0;
	text = size > 1 ? calloc(1, size) : NULL;
	for (size_t i = 0; text && i < n; i++) {
		if (!choice[i].missing || strstr(text, choice[i].missing))
			continue;
		if (*text)
			strcat(text, "; ");
		strcat(text, choice[i].missing);
	}
	return text;
}

uint32_t gp_ways_protocols(const struct gp_ways *w)
{
	const struct gp_choosing *payload = gp_ways_find(w, "payload");
	uint32_t dns = w->cgroups ? 1u << GP_PROTOCOL_DNS : 0;

	return w->protocols & (payload && payload->way ? ~(1u << GP_PROTOCOL_DNS) | dns : dns);
}
