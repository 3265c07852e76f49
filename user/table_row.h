/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table says of an endpoint, worked out once, and the order: what hurts first. */
#ifndef GP_TABLE_ROW_H
#define GP_TABLE_ROW_H

#include "culprit.h"
#include "snapshot.h"

/* An exchange that is unanswered for longer is worth telling. */
#define GP_TABLE_HUNG_NS 1000000000ULL

#define GP_TABLE_SERVICE_CELLS 24   /* characters of a service's name */
#define GP_TABLE_OPERATION_INDENT 2 /* blanks before an operation's, which stands below it */
#define GP_TABLE_OPERATIONS 5	    /* shown of one endpoint; more are added into one */

/* What is said of an endpoint's requests, and of those of one operation. */
struct gp_table_figures {
	double requests_per_s;
	bool has_quantiles; /* false: nothing was answered */
	double p50_ns, p90_ns, p99_ns, max_ns;
	/* contract.md, `objective`: what failed, of what was tried at the endpoint. */
	uint64_t failed, tried;
};

struct gp_table_operation {
	char name[64]; /* "GET 200"; of those that are added "… 12 more" */
	struct gp_table_figures figures;
};

struct gp_table_row {
	const struct gp_endpoint *endpoint;
	const struct gp_service *service; /* NULL: not known */
	struct gp_table_figures figures;
	bool has_culprit; /* false: nothing is said of slow requests */
	struct gp_culprit culprit;
	double unattributed; /* share of the time; 0: not worth a word */
	size_t operations;
	struct gp_table_operation
		operation[GP_TABLE_OPERATIONS + 1]; /* in the order of table_operation.h */
};

/*
 * A row for each endpoint on which anything happened or is open, to be freed. Those first that
 * have an exchange unanswered for more than GP_TABLE_HUNG_NS, the oldest before the others; then by
 * the share of what failed; then by p99 times rate, which is the time that slow requests cost
 * those who wait for them; then by name. 0 and *out, *count; -ENOMEM.
 */
int gp_table_rows_new(struct gp_table_row **out, size_t *count, const struct gp_snapshot *s);

/* Rate and quantiles. */
void gp_table_fill(struct gp_table_figures *to, uint64_t requests, const struct gp_distribution *d,
		   uint64_t interval_ns);

/* Whether an exchange is unanswered for longer than GP_TABLE_HUNG_NS. */
bool gp_table_is_hung(const struct gp_table_row *row);

#endif
