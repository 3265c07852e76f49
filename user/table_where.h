/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the table for where the time of requests went: culprit.h has the rules. */
#ifndef GP_TABLE_WHERE_H
#define GP_TABLE_WHERE_H

#include "table_row.h"

/* Which requests are the slow ones: "1.20% >31.2ms"; "-" where nothing is said of them. */
void gp_table_slow(char *out, size_t size, const struct gp_table_row *row);

/*
 * What made them slow: "81% downstream → redis-server 127.0.0.1:6379", "67% runqueue (CPU limit)";
 * and of all requests what could not be split: "35% of all time unattributed". "-": neither.
 */
void gp_table_where(char *out, size_t size, const struct gp_table_row *row);

/*
 * The stages that took most of the time of all requests, at most three, none below 1 %:
 * "62% downstream, 30% cpu"; "-" for clients and where nothing was answered.
 */
void gp_table_stages(char *out, size_t size, const struct gp_table_row *row);

/* Both of the first two in one line: "slow ones (>31.2ms, 1.20%): 81% downstream → …"; or "". */
void gp_table_where_line(char *out, size_t size, const struct gp_table_row *row);

/*
 * The row whose slow ones cost the most time, beyond what as many of the others took; NULL if
 * nothing is said of any.
 */
const struct gp_table_row *gp_table_worst(const struct gp_table_row *rows, size_t count);

#endif
