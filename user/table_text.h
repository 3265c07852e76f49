/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the table: its cells, and the lines above and below. */
#ifndef GP_TABLE_TEXT_H
#define GP_TABLE_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "table_row.h"

/* `text` cleaned, and cut to `cells` characters, of which the last is then an ellipsis. */
void gp_table_clip(char *out, size_t size, const char *text, size_t cells);

/*
 * ":8080" for a server, "→ 127.0.0.1:6379" or "→ [::1]:6379" for a client; the transport in front
 * if it is not TCP. At most `cells` characters: an address is cut, a port never.
 */
void gp_table_endpoint(char *out, size_t size, const struct gp_endpoint *e, size_t cells);

/* "0", "<0.01%", "1.25%", "100%". `whole` is not 0. */
void gp_table_share(char *out, size_t size, uint64_t part, uint64_t whole);

/* When, where, how long, the totals, and whose slow requests cost most, if there are any. */
void gp_table_head(FILE *out, const struct gp_snapshot *s, const struct gp_table_row *rows,
		   size_t count);

/* Services without endpoints that used CPU, and what was dropped; nothing if there is none. */
void gp_table_foot(FILE *out, const struct gp_snapshot *s, const struct gp_table_row *rows,
		   size_t count);

#endif
