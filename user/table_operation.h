/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table says of an endpoint's operations: those that hurt most, and the others as one. */
#ifndef GP_TABLE_OPERATION_H
#define GP_TABLE_OPERATION_H

#include "table_row.h"

/*
 * Fills in the operations of a row whose endpoint and figures are there. Those that failed come
 * first, then those that the client got wrong, the most frequent before the others; then by the
 * time they took in all. None where nothing is known of any.
 */
void gp_table_fill_operations(struct gp_table_row *row, uint64_t interval_ns);

#endif
