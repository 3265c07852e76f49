// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "json_writer.h"
#include "text.h"

#define NS_PER_S 1000000000ULL
#define REPLACEMENT 0xfffd

/* What stands before a value: a comma if it is not the first, and its key. */
static void begin(struct gp_json *j, const char *key)
{
	if (j->separator)
		putc_unlocked(j->separator, j->out);
	j->separator = ',';
	if (key) {
		putc_unlocked('"', j->out);
		fputs_unlocked(key, j->out);
		fputs_unlocked("\":", j->out);
	}
}

void gp_json_open(struct gp_json *j, const char *key, char bracket)
{
	begin(j, key);
	putc_unlocked(bracket, j->out);
	j->separator = 0;
}

void gp_json_close(struct gp_json *j, char bracket)
{
	putc_unlocked(bracket, j->out);
	j->separator = ',';
}

void gp_json_null(struct gp_json *j, const char *key)
{
	begin(j, key);
	fputs_unlocked("null", j->out);
}

/* The digits of a number, at least `width` of them, zeros in front. */
static void write_digits(FILE *out, uint64_t value, int width)
{
	char digits[20]; /* of 2^64 - 1 */
	int at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
		width--;
	} while (value || width > 0);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, out);
}

void gp_json_count(struct gp_json *j, const char *key, uint64_t value)
{
	begin(j, key);
	write_digits(j->out, value, 1);
}

void gp_json_signed(struct gp_json *j, const char *key, int64_t value)
{
	begin(j, key);
	if (value < 0)
		putc_unlocked('-', j->out);
	write_digits(j->out, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
}

void gp_json_seconds(struct gp_json *j, const char *key, uint64_t ns)
{
	uint64_t part = ns % NS_PER_S;
	int width = 9;

	while (part % 10 == 0 && width > 1) {
		part /= 10;
		width--;
	}
	begin(j, key);
	write_digits(j->out, ns / NS_PER_S, 1);
	putc_unlocked('.', j->out);
	write_digits(j->out, part, width);
}

void gp_json_real(struct gp_json *j, const char *key, double value, int digits)
{
	begin(j, key);
	fprintf(j->out, "%.*g", digits, value);
}

void gp_json_string(struct gp_json *j, const char *key, const char *text)
{
	const char *from = text;
	uint32_t code;

	if (!text) {
		gp_json_null(j, key);
		return;
	}
	begin(j, key);
	putc_unlocked('"', j->out);
	while ((code = gp_text_next(&text))) {
		if (code == '"' || code == '\\')
			putc_unlocked('\\', j->out);
		if (code == REPLACEMENT)
			fputs_unlocked("\xef\xbf\xbd", j->out);
		else
			fwrite_unlocked(from, 1, text - from, j->out);
		from = text;
	}
	putc_unlocked('"', j->out);
}
