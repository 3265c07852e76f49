/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON lines as they come, by libyajl's streaming generator: no record is built in memory
 * first. What goldpan adds are its own forms of numbers (exact nanoseconds, all 64 bits) and the
 * cleaning of text.
 *
 * `key` is NULL inside of arrays and for the object of a line, else an identifier. A missing
 * key, a bracket left open or a number that is not finite are mistakes of the caller, found by
 * assert. That writing failed shows in ferror() of the stream.
 */
#ifndef GP_JSON_WRITER_H
#define GP_JSON_WRITER_H

#include <stdint.h>
#include <stdio.h>

struct gp_json;

/* Writes to `file`, which is borrowed. 0 or -ENOMEM: after that no function needs memory. */
int gp_json_new(struct gp_json **out, FILE *file);
void gp_json_free(struct gp_json **j);

/* `bracket` is '{' or '['. */
void gp_json_open(struct gp_json *j, const char *key, char bracket);

/* `bracket` is '}' or ']'. */
void gp_json_close(struct gp_json *j, char bracket);

/* Ends the line, behind its last bracket; the next may begin. */
void gp_json_end_line(struct gp_json *j);

void gp_json_null(struct gp_json *j, const char *key);
void gp_json_count(struct gp_json *j, const char *key, uint64_t value);
void gp_json_signed(struct gp_json *j, const char *key, int64_t value);

/* Nanoseconds as seconds: all nine decimals that are not trailing zeros, so nothing is rounded. */
void gp_json_seconds(struct gp_json *j, const char *key, uint64_t ns);

/* A finite number, with at most `digits` (1 .. 17) significant digits. */
void gp_json_real(struct gp_json *j, const char *key, double value, int digits);

/*
 * Cleaned as gp_text_clean does, and escaped; of a text longer than PATH_MAX bytes, the longest
 * that systems give, the end may be left out. NULL becomes null.
 */
void gp_json_string(struct gp_json *j, const char *key, const char *text);

#endif
