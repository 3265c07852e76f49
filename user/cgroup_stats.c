// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroup_stats.h"

#include <errno.h>
#include <string.h>

#include "cgroup_figures.h"
#include "hierarchy.h"
#include "kernel_text.h"
#include "log.h"
#include "own.h"

#define DEPTH_MAX 32   /* groups nested deeper are looked into no further */
#define OLDER_MAX 2048 /* groups of a hierarchy whose totals are taken at the start */
#define BUCKETS 512    /* a power of two */
#define NEVER UINT64_MAX

enum kind { LIMIT, PRESSURE };

/* A group, for each kind of figures, is read once a round, when the first service asks. */
struct record {
	struct record *next;
	enum kind kind;
	uint32_t hash;	/* of the path */
	uint64_t round; /* NEVER: only its totals at the start are known so far */
	struct gp_cgroup_figures figures;
	char path[];
};

/* A record counts once for a service, whose name's address says in a round which it is. */
struct taken {
	const struct record *record;
	const char *service;
};

struct gp_cgroup_stats {
	char *root;
	struct gp_hierarchy *v2, *cpu;	 /* may be the same; NULL: there is none */
	struct record *records[BUCKETS]; /* by their hash */
	uint64_t round;
	struct taken *taken; /* in this round */
	size_t takes, room;
	bool said_pressure;
};

static void read_record(struct gp_cgroup_stats *s, struct record *r)
{
	if (r->kind == LIMIT) {
		gp_cgroup_read_limit(s->cpu, r->path, &r->figures);
	} else if (!gp_cgroup_read_pressure(s->v2, r->path, &r->figures) && !s->said_pressure) {
		gp_info("control group %s, and maybe others, has its pressure switched off "
			"(cgroup.pressure): pressure_s will be null",
			r->path);
		s->said_pressure = true;
	}
}

static uint32_t hash_of(const char *path)
{
	uint32_t hash = 2166136261; /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619;
	return hash;
}

static struct record *record_new(enum kind kind, const char *path, uint32_t hash)
{
	struct record *r = calloc(1, sizeof(*r) + strlen(path) + 1);

	if (!r)
		return NULL;
	strcpy(r->path, path);
	r->kind = kind;
	r->hash = hash;
	r->round = NEVER;
	return r;
}

/* The record of a group, as it was last read. NULL when out of memory. */
static struct record *find(struct gp_cgroup_stats *s, enum kind kind, const char *path)
{
	uint32_t hash = hash_of(path);
	struct record **bucket = &s->records[hash % BUCKETS], *r = *bucket;

	while (r && (r->hash != hash || r->kind != kind || strcmp(r->path, path)))
		r = r->next;
	if (r)
		return r;
	r = record_new(kind, path, hash);
	if (!r)
		return NULL;
	r->next = *bucket;
	*bucket = r;
	return r;
}

static void forget(struct record **place)
{
	struct record *r = *place;

	*place = r->next;
	free(r);
}

/* A walk over the groups that there are at the start. */
struct older {
	struct gp_cgroup_stats *stats;
	enum kind kind;
	struct gp_hierarchy *hierarchy;
	size_t groups;
};

static int take_older(void *arg, const char *path)
{
	struct older *o = arg;
	struct record *r;

	if (o->groups++ >= OLDER_MAX) { /* all that is kept is that its id was there */
		uint64_t id;
		gp_auto(gp_close) int dir = gp_hierarchy_open(o->hierarchy, path, &id);

		return 0;
	}
	r = find(o->stats, o->kind, path);
	if (!r)
		return -ENOMEM;
	read_record(o->stats, r);
	return 0;
}

/*
 * A service that sleeps is not known until it wakes: so the groups are asked, not the services.
 * Whether there was memory for it.
 */
static bool take_totals(struct gp_cgroup_stats *s)
{
	for (enum kind kind = LIMIT; kind <= PRESSURE; kind++) {
		struct gp_hierarchy *h = kind == LIMIT ? s->cpu : s->v2;
		struct older o = {.stats = s, .kind = kind, .hierarchy = h};

		if (!h)
			continue;
		h->newest = UINT64_MAX; /* whatever they have counted was before */
		if (gp_hierarchy_each(h, take_older, &o) < 0)
			return false;
		h->newest = h->seen;
	}
	return true;
}

int gp_cgroup_stats_new(struct gp_cgroup_stats **out, const char *root)
{
	gp_auto(gp_cgroup_stats_free) struct gp_cgroup_stats *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->round = NEVER;
	s->root = strdup(root);
	if (!s->root || gp_hierarchies_find(root, &s->v2, &s->cpu))
		return -ENOMEM;
	if (!take_totals(s))
		return -ENOMEM;
	if (!s->cpu)
		gp_info("no mounted control group hierarchy has the cpu controller: limit_cores, "
			"throttled_s and throttled_periods will be null");
	*out = TAKE_PTR(s);
	return 0;
}

void gp_cgroup_stats_free(struct gp_cgroup_stats **stats)
{
	struct gp_cgroup_stats *s = TAKE_PTR(*stats);

	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->records[i])
			forget(&s->records[i]);
	if (s->cpu != s->v2)
		free(s->cpu);
	free(s->v2);
	free(s->taken);
	free(s->root);
	free(s);
}

static void advance(struct gp_hierarchy *h)
{
	if (h && h->seen > h->newest)
		h->newest = h->seen;
}

/* Forgets the records that nobody asked for in the round that is over. */
static void begin_round(struct gp_cgroup_stats *s, uint64_t round)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct record **place = &s->records[i]; *place;) {
			if ((*place)->round == NEVER || (*place)->round == s->round)
				place = &(*place)->next;
			else
				forget(place);
		}
	advance(s->v2);
	advance(s->cpu);
	s->round = round;
	s->takes = 0;
}

/* The record of a group, as it is in this round. NULL when out of memory. */
static const struct record *visit(struct gp_cgroup_stats *s, enum kind kind, const char *path)
{
	struct record *r = find(s, kind, path);

	if (!r)
		return NULL;
	if (r->round != s->round)
		read_record(s, r);
	r->round = s->round;
	return r;
}

/* Whether the service has not had the record's figures in this round: 1 or 0, or -ENOMEM. */
static int take(struct gp_cgroup_stats *s, const struct record *r, const char *service)
{
	for (size_t i = 0; i < s->takes; i++)
		if (s->taken[i].record == r && s->taken[i].service == service)
			return 0;
	if (s->takes == s->room) {
		size_t room = 2 * s->room + 16;
		struct taken *larger = reallocarray(s->taken, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		s->taken = larger;
		s->room = room;
	}
	s->taken[s->takes++] = (struct taken){r, service};
	return 1;
}

static int add_pressure(struct gp_cgroup_stats *s, const char *path, struct gp_service *to)
{
	const struct record *r = visit(s, PRESSURE, path);
	int is_new = r ? take(s, r, to->names.service) : -ENOMEM;

	for (size_t i = 0; is_new > 0 && i < GP_PRESSURE_COUNT; i++) {
		to->pressure.has[i] |= r->figures.has[i];
		to->pressure.ns[i] += r->figures.has[i] ? r->figures.delta[i] : 0;
	}
	return is_new < 0 ? is_new : 0;
}

/*
 * The group that holds this one up most, or itself if none has a limit; NULL if it is gone or
 * nested too deep. 0, or -ENOMEM.
 */
static int find_limiting(struct gp_cgroup_stats *s, const char *path, const struct record **out)
{
	const struct record *own = NULL, *smallest = NULL;
	char at[PATH_MAX];

	*out = NULL;
	snprintf(at, sizeof(at), "%s", path);
	for (int depth = 0; at[0]; *strrchr(at, '/') = '\0', depth++) {
		const struct record *r;
		double limit;

		if (depth == DEPTH_MAX)
			return 0;
		r = visit(s, LIMIT, at);
		if (!r)
			return -ENOMEM;
		if (!own)
			own = r;
		limit = r->figures.limit_cores;
		if (limit > 0 && (!smallest || limit < smallest->figures.limit_cores))
			smallest = r;
	}
	if (own && own->figures.id)
		*out = smallest ? smallest : own;
	return 0;
}

static int add_limit(struct gp_cgroup_stats *s, const char *path, struct gp_service *to)
{
	const struct gp_cgroup_figures *f;
	const struct record *r;
	int err = find_limiting(s, path, &r), is_new;

	if (err || !r)
		return err;
	is_new = take(s, r, to->names.service);
	if (is_new <= 0)
		return is_new;
	f = &r->figures;
	to->limit_cores += f->limit_cores;
	to->is_unlimited |= f->limit_cores <= 0;
	if (f->has[GP_THROTTLED_NS]) {
		to->has_throttled = true;
		to->throttled_ns += f->delta[GP_THROTTLED_NS];
		to->throttled_periods += f->delta[GP_THROTTLED_PERIODS];
	}
	return 0;
}

/* A path below the root; one with ".." is of a group outside of what is mounted here. */
static bool is_group(const char *path)
{
	return path && path[0] == '/' && path[1] && strncmp(path, "/..", 3);
}

/* Any process of a v2 group; 0 if there is none. */
static pid_t member_of(struct gp_hierarchy *v2, const char *path)
{
	uint64_t id;
	gp_auto(gp_close) int dir = gp_hierarchy_open(v2, path, &id);
	char text[32];

	if (dir < 0 || gp_kernel_text_read(dir, "cgroup.procs", text, sizeof(text)) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* The service's group in the v1 hierarchy, or NULL. */
static const char *find_v1(const struct gp_cgroup_stats *s, const char *v2_path, pid_t pid,
			   char *path, size_t size)
{
	if (pid && !gp_hierarchy_of_pid(s->root, pid, v2_path, path, size))
		return path;
	pid = s->v2 && is_group(v2_path) ? member_of(s->v2, v2_path) : 0;
	return pid && !gp_hierarchy_of_pid(s->root, pid, v2_path, path, size) ? path : NULL;
}

int gp_cgroup_stats_add(struct gp_cgroup_stats *s, uint64_t round, const char *v2_path, pid_t pid,
			struct gp_service *to)
{
	char room[PATH_MAX];
	const char *path = v2_path;
	int err = 0;

	if (round != s->round)
		begin_round(s, round);
	if (s->v2 && is_group(v2_path))
		err = add_pressure(s, v2_path, to);
	if (err || !s->cpu)
		return err;
	if (!s->cpu->is_v2)
		path = find_v1(s, v2_path, pid, room, sizeof(room));
	return is_group(path) ? add_limit(s, path, to) : 0;
}
