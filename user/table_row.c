// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hist.h"
#include "own.h"
#include "table_operation.h"
#include "table_row.h"

void gp_table_fill(struct gp_table_figures *to, uint64_t requests, const struct gp_distribution *d,
		   uint64_t interval_ns)
{
	to->requests_per_s = interval_ns ? (double)requests * 1e9 / (double)interval_ns : 0;
	to->has_quantiles = gp_distribution_quantile(d, 0.5, &to->p50_ns) &&
			    gp_distribution_quantile(d, 0.9, &to->p90_ns) &&
			    gp_distribution_quantile(d, 0.99, &to->p99_ns);
	to->max_ns = (double)d->max_ns;
}

static void fill(struct gp_table_row *row, const struct gp_snapshot *s, const struct gp_endpoint *e)
{
	struct gp_table_figures *f = &row->figures;
	uint64_t refused = 0;

	row->endpoint = e;
	row->service = gp_snapshot_find_service(s, e->names.service);
	f->tried = gp_endpoint_requests(e);
	gp_table_fill(f, f->tried, &e->duration, s->interval_ns);
	f->failed = e->errors[GP_ERROR_SERVER] + e->errors[GP_ERROR_ABORTED];
	if (e->role == GP_ROLE_CLIENT) {
		for (size_t i = 0; i < GP_FAILURE_COUNT; i++)
			refused += e->failed[i];
		f->failed += refused;
		f->tried += refused;
	}
	row->has_culprit = gp_culprit_find(&row->culprit, s, e);
	row->unattributed = gp_culprit_unattributed(e);
	gp_table_fill_operations(row, s->interval_ns);
}

static double failed_share(const struct gp_table_row *row)
{
	return row->figures.tried ? (double)row->figures.failed / (double)row->figures.tried : 0;
}

bool gp_table_is_hung(const struct gp_table_row *row)
{
	return row->endpoint->in_flight && row->endpoint->oldest_ns > GP_TABLE_HUNG_NS;
}

static uint64_t hung_ns(const struct gp_table_row *row)
{
	return gp_table_is_hung(row) ? row->endpoint->oldest_ns : 0;
}

/* The larger first. */
static int descending(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b)
{
	const struct gp_table_row *x = a, *y = b;
	const struct gp_endpoint *e = x->endpoint, *f = y->endpoint;
	int order = descending((double)hung_ns(x), (double)hung_ns(y));

	if (order == 0)
		order = descending(failed_share(x), failed_share(y));
	if (order == 0)
		order = descending(x->figures.p99_ns * x->figures.requests_per_s,
				   y->figures.p99_ns * y->figures.requests_per_s);
	if (order == 0)
		order = strcmp(e->names.service, f->names.service);
	if (order == 0)
		order = (int)e->role - (int)f->role;
	if (order == 0)
		order = (int)e->port - (int)f->port;
	return order ? order : strcmp(e->address ?: "", f->address ?: "");
}

int gp_table_rows_new(struct gp_table_row **out, size_t *count, const struct gp_snapshot *s)
{
	gp_auto(gp_free) struct gp_table_row *rows = calloc(s->endpoints + 1, sizeof(*rows));
	size_t n = 0;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < s->endpoints; i++)
		if (!gp_endpoint_is_quiet(&s->endpoint[i]))
			fill(&rows[n++], s, &s->endpoint[i]);
	qsort(rows, n, sizeof(*rows), compare);
	*out = TAKE_PTR(rows);
	*count = n;
	return 0;
}
