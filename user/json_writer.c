// SPDX-License-Identifier: GPL-2.0-or-later
#include "json_writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "own.h"
#include "text.h"

#define NS_PER_S UINT64_C(1000000000)

struct gp_json {
	yajl_gen gen;
};

/* Bytes that cannot be written set the error mark of the stream: that is where callers look. */
static void print(void *out, const char *bytes, size_t len)
{
	fwrite_unlocked(bytes, 1, len, out);
}

/* Whatever else the generator answers, the caller did not keep to the order of JSON's parts. */
static void check(yajl_gen_status status)
{
	assert(status == yajl_gen_status_ok);
	(void)status;
}

int gp_json_new(struct gp_json **out, FILE *file)
{
	gp_auto(gp_json_free) struct gp_json *j = calloc(1, sizeof(*j));
	int known;

	if (j)
		j->gen = yajl_gen_alloc(NULL);
	if (!j || !j->gen)
		return -ENOMEM;
	known = yajl_gen_config(j->gen, yajl_gen_print_callback, print, file) &&
		yajl_gen_config(j->gen, yajl_gen_validate_utf8, 1);
	assert(known);
	(void)known;
	*out = TAKE_PTR(j);
	return 0;
}

void gp_json_free(struct gp_json **j)
{
	if (*j && (*j)->gen)
		yajl_gen_free((*j)->gen);
	free(*j);
	*j = NULL;
}

static void put_text(struct gp_json *j, const char *text, size_t len)
{
	check(yajl_gen_string(j->gen, (const unsigned char *)text, len));
}

static void put_key(struct gp_json *j, const char *key)
{
	if (key)
		put_text(j, key, strlen(key));
}

void gp_json_open(struct gp_json *j, const char *key, char bracket)
{
	put_key(j, key);
	check(bracket == '{' ? yajl_gen_map_open(j->gen) : yajl_gen_array_open(j->gen));
}

void gp_json_close(struct gp_json *j, char bracket)
{
	check(bracket == '}' ? yajl_gen_map_close(j->gen) : yajl_gen_array_close(j->gen));
}

void gp_json_end_line(struct gp_json *j)
{
	/* Only behind a whole value does the generator refuse another one. */
	yajl_gen_status status = yajl_gen_null(j->gen);

	assert(status == yajl_gen_generation_complete);
	(void)status;
	yajl_gen_reset(j->gen, "\n");
}

void gp_json_null(struct gp_json *j, const char *key)
{
	put_key(j, key);
	check(yajl_gen_null(j->gen));
}

/*
 * A number whose text is made here: yajl_gen_integer ends at 2^63, and yajl_gen_double writes 20
 * digits, of which the last are those of the nearest double and not of the value.
 */
__attribute__((format(printf, 3, 4))) static void put_number(struct gp_json *j, const char *key,
							     const char *format, ...)
{
	char text[32];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(len > 0 && (size_t)len < sizeof(text));
	put_key(j, key);
	check(yajl_gen_number(j->gen, text, len));
}

void gp_json_count(struct gp_json *j, const char *key, uint64_t value)
{
	put_number(j, key, "%" PRIu64, value);
}

void gp_json_signed(struct gp_json *j, const char *key, int64_t value)
{
	put_number(j, key, "%" PRId64, value);
}

void gp_json_seconds(struct gp_json *j, const char *key, uint64_t ns)
{
	uint64_t part = ns % NS_PER_S;
	int width = 9;

	while (part % 10 == 0 && width > 1) {
		part /= 10;
		width--;
	}
	put_number(j, key, "%" PRIu64 ".%0*" PRIu64, ns / NS_PER_S, width, part);
}

void gp_json_real(struct gp_json *j, const char *key, double value, int digits)
{
	assert(isfinite(value) && digits <= 17);
	put_number(j, key, "%.*g", digits, value);
}

void gp_json_string(struct gp_json *j, const char *key, const char *text)
{
	char clean[GP_TEXT_CLEAN_SIZE(PATH_MAX)];

	if (!text) {
		gp_json_null(j, key);
		return;
	}
	put_key(j, key);
	put_text(j, clean, gp_text_clean(clean, sizeof(clean), text));
}
