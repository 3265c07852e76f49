// SPDX-License-Identifier: GPL-2.0-or-later
#include "series.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#include "own.h"

/* What the tree holds: the series and its name. */
struct line {
	struct gp_series series;
	struct line *next; /* all entries, in no order */
	char name[];
};

struct gp_series_table {
	void *root; /* of tsearch(3) */
	struct line *all;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

int gp_series_table_new(struct gp_series_table **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void gp_series_table_free(struct gp_series_table **table)
{
	struct gp_series_table *t = TAKE_PTR(*table);

	if (!t)
		return;
	gp_series_expire(t, UINT64_MAX);
	free(t);
}

/* The name of the series. The service's own, which may hold anything, comes last: it cannot forge
 * the rest. Returns the length, like snprintf. */
static int write_name(char *to, size_t size, const struct gp_endpoint *e)
{
	return snprintf(to, size, "%d\n%d\n%d\n%u\n%d\n%s\n%s", e->role, e->transport, e->protocol,
			e->port, e->is_other, e->address ? e->address : "", e->names.service);
}

static struct line *line_new(const struct gp_endpoint *e)
{
	int len = write_name(NULL, 0, e);
	struct line *line = calloc(1, sizeof(*line) + len + 1);

	if (!line)
		return NULL;
	write_name(line->name, len + 1, e);
	line->series.index = SIZE_MAX;
	return line;
}

struct gp_series *gp_series_get(struct gp_series_table *t, const struct gp_endpoint *e)
{
	struct line *line = line_new(e), **found;

	if (!line)
		return NULL;
	found = tsearch(line, &t->root, by_name);
	if (!found || *found != line) {
		free(line);
		return found ? &(*found)->series : NULL;
	}
	line->next = t->all;
	t->all = line;
	return &line->series;
}

void gp_series_expire(struct gp_series_table *t, uint64_t round)
{
	struct line **at = &t->all;

	while (*at) {
		struct line *line = *at;

		if (line->series.round == round) {
			at = &line->next;
			continue;
		}
		*at = line->next;
		tdelete(line, &t->root, by_name);
		free(line);
	}
}
