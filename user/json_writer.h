/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON as it comes, without building it in memory first: building and dumping the records
 * of 200 endpoints as jansson objects takes 11 ms, most of it for the pairs of the histograms and
 * the check for loops. Writing them so takes a tenth of that.
 *
 * The caller opens and closes brackets in pairs. `key` is NULL inside of arrays, else an
 * identifier that needs no escape. That writing failed shows in ferror(out).
 */
#ifndef GP_JSON_WRITER_H
#define GP_JSON_WRITER_H

#include <stdint.h>
#include <stdio.h>

struct gp_json {
	FILE *out;
	char separator; /* before the next value: ',' or 0 */
};

/* `bracket` is '{' or '['. */
void gp_json_open(struct gp_json *j, const char *key, char bracket);

/* `bracket` is '}' or ']'. */
void gp_json_close(struct gp_json *j, char bracket);

void gp_json_null(struct gp_json *j, const char *key);
void gp_json_count(struct gp_json *j, const char *key, uint64_t value);
void gp_json_signed(struct gp_json *j, const char *key, int64_t value);

/* Nanoseconds as seconds: all nine decimals that are not trailing zeros, so nothing is rounded. */
void gp_json_seconds(struct gp_json *j, const char *key, uint64_t ns);

/* A finite number, with at most `digits` significant digits. */
void gp_json_real(struct gp_json *j, const char *key, double value, int digits);

/* Cleaned as gp_text_next does, and escaped. NULL becomes null. */
void gp_json_string(struct gp_json *j, const char *key, const char *text);

#endif
