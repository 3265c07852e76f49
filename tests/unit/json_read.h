/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads back by jansson what the JSON exporter wrote. After cmocka.h. */
#ifndef GP_TEST_JSON_READ_H
#define GP_TEST_JSON_READ_H

#include <jansson.h>
#include <math.h>

#include "exporter.h"
#include "sample.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

/* The lines of an export, as an array of objects; to be given to json_decref. */
static inline json_t *parse_lines(char *text)
{
	json_t *lines = json_array();
	json_error_t error;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, &error);

		if (!record)
			fail_msg("%s at %d: %s", error.text, error.position, line);
		json_array_append_new(lines, record);
	}
	return lines;
}

static inline json_t *export(const struct gp_snapshot *s)
{
	gp_auto(gp_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(gp_exporter_json.write(s, out, 0), 0);
	assert_int_equal(fclose(out), 0);
	assert_true(len > 0 && text[len - 1] == '\n');
	return parse_lines(text);
}

/* The n-th record of the type, or NULL. */
static inline json_t *record_of(json_t *lines, const char *type, size_t n)
{
	json_t *line;
	size_t i;

	json_array_foreach(
		lines, i,
		line) if (strcmp(json_string_value(json_object_get(line, "type")), type) == 0 &&
			  n-- == 0) return line;
	return NULL;
}

/* The value at a path such as "latency_s.sum"; it must be there, if only as null. */
static inline json_t *at(json_t *record, const char *path)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok(copy, "."); key; key = strtok(NULL, ".")) {
		record = json_object_get(record, key);
		if (!record)
			fail_msg("there is no %s", path);
	}
	return record;
}

static inline uint64_t count_at(json_t *record, const char *path)
{
	json_t *value = at(record, path);

	if (!json_is_integer(value))
		fail_msg("%s is no whole number", path);
	return json_integer_value(value);
}

/* Seconds as the nanoseconds they stand for: below 50 days a double tells them apart. */
static inline uint64_t ns_at(json_t *record, const char *path)
{
	json_t *value = at(record, path);
	double ns;

	if (!json_is_number(value))
		fail_msg("%s is no number", path);
	ns = json_number_value(value) * 1e9;
	assert_true(fabs(ns - round(ns)) < 0.01 + ns * 1e-15);
	return (uint64_t)llround(ns);
}

static inline void assert_null_at(json_t *record, const char *path)
{
	if (!json_is_null(at(record, path)))
		fail_msg("%s is not null", path);
}

static inline void assert_text_at(json_t *record, const char *path, const char *text)
{
	assert_true(json_is_string(at(record, path)));
	assert_string_equal(json_string_value(at(record, path)), text);
}

/* The keys of an object are these, separated by spaces, and no others. */
static inline void assert_keys(json_t *object, const char *keys)
{
	gp_auto(gp_free) char *copy = strdup(keys);
	size_t count = 0;

	assert_non_null(copy);
	for (char *key = strtok(copy, " "); key; key = strtok(NULL, " "), count++)
		if (!json_object_get(object, key))
			fail_msg("there is no %s", key);
	assert_int_equal(json_object_size(object), count);
}

#define COMMON "schema type host start time interval_s "
#define NAMES "service unit container exe "
#define QUANTILES "count sum max p50 p90 p99 p999"

static inline void check_histogram(json_t *h, uint64_t count)
{
	uint64_t sum = count_at(h, "underflow") + count_at(h, "overflow");
	json_t *pair;
	size_t i;
	json_int_t last = -161;

	assert_keys(h, "scale underflow overflow counts");
	assert_int_equal(count_at(h, "scale"), 3);
	json_array_foreach(at(h, "counts"), i, pair)
	{
		json_int_t index = json_integer_value(json_array_get(pair, 0));
		json_int_t n = json_integer_value(json_array_get(pair, 1));

		assert_int_equal(json_array_size(pair), 2);
		assert_true(index > last && index <= 95);
		assert_true(n > 0);
		last = index;
		sum += n;
	}
	assert_int_equal(sum, count);
}

static inline void check_quantiles(json_t *d, uint64_t count)
{
	static const char *const keys[] = {"p50", "p90", "p99", "p999", "max"};
	double last = 0;

	assert_int_equal(count_at(d, "count"), count);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (count == 0) {
			assert_null_at(d, keys[i]);
			continue;
		}
		assert_true(json_number_value(at(d, keys[i])) >= last);
		last = json_number_value(at(d, keys[i]));
	}
}

static inline void check_common(json_t *record)
{
	assert_text_at(record, "schema", "goldpan/1");
	assert_text_at(record, "host", "host" BAD "[2J1");
	assert_text_at(record, "start", "2023-11-14T22:13:20.007Z");
}

#endif
