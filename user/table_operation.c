// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "hist.h"
#include "own.h"
#include "protocol.h"
#include "table_operation.h"
#include "table_text.h"

#define NAME_SIZE 40

/* The operations seen so far: those that are shown, sorted, and all others added. */
struct choice {
	const struct gp_operation *shown[GP_TABLE_OPERATIONS];
	size_t shown_count, rest_count;
	struct gp_operation rest;
	uint64_t rest_failed;
};

static bool has_failed(enum gp_protocol protocol, const struct gp_operation *o)
{
	enum gp_error error = gp_status_error(protocol, o->status);

	return error == GP_ERROR_SERVER || error == GP_ERROR_ABORTED;
}

/* Failures, then errors of the client, then the rest. */
static int rank_of(enum gp_protocol protocol, const struct gp_operation *o)
{
	if (has_failed(protocol, o))
		return 0;
	return gp_status_error(protocol, o->status) == GP_ERROR_CLIENT ? 1 : 2;
}

static bool comes_before(enum gp_protocol protocol, const struct gp_operation *a,
			 const struct gp_operation *b)
{
	int rank_a = rank_of(protocol, a), rank_b = rank_of(protocol, b);

	if (rank_a != rank_b)
		return rank_a < rank_b;
	if (rank_a == 2 && a->duration.sum_ns != b->duration.sum_ns)
		return a->duration.sum_ns > b->duration.sum_ns;
	return gp_operation_requests(a) > gp_operation_requests(b);
}

static void add_to_rest(struct choice *c, enum gp_protocol protocol, const struct gp_operation *o)
{
	c->rest_count++;
	gp_operation_add(&c->rest, o);
	if (has_failed(protocol, o))
		c->rest_failed += gp_operation_requests(o);
}

static void choose(struct choice *c, enum gp_protocol protocol, const struct gp_operation *o)
{
	size_t place = c->shown_count;

	while (place > 0 && comes_before(protocol, o, c->shown[place - 1]))
		place--;
	if (place == ARRAY_SIZE(c->shown)) {
		add_to_rest(c, protocol, o);
		return;
	}
	if (c->shown_count == ARRAY_SIZE(c->shown))
		add_to_rest(c, protocol, c->shown[--c->shown_count]);
	memmove(&c->shown[place + 1], &c->shown[place],
		(c->shown_count - place) * sizeof(c->shown[0]));
	c->shown[place] = o;
	c->shown_count++;
}

/* The status is shown whole. */
static void put_name(char *out, size_t size, enum gp_protocol protocol,
		     const struct gp_operation *o)
{
	const size_t cells = GP_TABLE_SERVICE_CELLS - GP_TABLE_OPERATION_INDENT;
	char operation[NAME_SIZE], buffer[GP_STATUS_LEN];
	const char *status = gp_status_name(protocol, o->status, buffer);
	size_t taken = strlen(status) + 1;

	gp_table_clip(operation, sizeof(operation), gp_operation_name(protocol, o->operation),
		      cells > taken ? cells - taken : 1);
	snprintf(out, size, "%s %s", operation, status);
}

static bool says_nothing(const struct choice *c)
{
	return c->shown_count == 1 && !c->shown[0]->operation && !c->shown[0]->status;
}

/* One more line, its name to be filled in. */
static struct gp_table_operation *add_line(struct gp_table_row *row, const struct gp_operation *o,
					   uint64_t failed, uint64_t interval_ns)
{
	struct gp_table_operation *line = &row->operation[row->operations++];

	gp_table_fill(&line->figures, gp_operation_requests(o), &o->duration, interval_ns);
	line->figures.failed = failed;
	line->figures.tried = row->figures.tried;
	return line;
}

void gp_table_fill_operations(struct gp_table_row *row, uint64_t interval_ns)
{
	const struct gp_endpoint *e = row->endpoint;
	struct gp_table_operation *line;
	struct choice c = {};

	row->operations = 0;
	for (size_t i = 0; i < e->operations; i++)
		if (gp_operation_requests(&e->operation[i]))
			choose(&c, e->protocol, &e->operation[i]);
	if (says_nothing(&c))
		return;
	for (size_t i = 0; i < c.shown_count; i++) {
		const struct gp_operation *o = c.shown[i];
		uint64_t failed = has_failed(e->protocol, o) ? gp_operation_requests(o) : 0;

		line = add_line(row, o, failed, interval_ns);
		put_name(line->name, sizeof(line->name), e->protocol, o);
	}
	if (c.rest_count) {
		line = add_line(row, &c.rest, c.rest_failed, interval_ns);
		snprintf(line->name, sizeof(line->name), "… %zu more", c.rest_count);
	}
}
