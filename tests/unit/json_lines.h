/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exported JSON lines, read back and added up. To be included after cmocka.h. */
#ifndef GP_TEST_JSON_LINES_H
#define GP_TEST_JSON_LINES_H

#include <jansson.h>
#include <string.h>

#include "scratch.h"

/* What a file of JSON lines holds: every line must be a whole object. */
struct lines {
	size_t meta, endpoints, selves;
	uint64_t requests, active;  /* of all endpoint lines; of the last */
	double interval_s, covered; /* of the last endpoint line; of all */
};

static inline void add_line(struct lines *l, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	const char *type;

	if (!line)
		fail_msg("not a line of JSON: %.*s", (int)len, text);
	type = json_string_value(json_object_get(line, "type"));
	l->meta += !strcmp(type, "meta");
	l->selves += !strcmp(type, "self");
	if (!strcmp(type, "endpoint")) {
		l->endpoints++;
		l->requests += json_integer_value(json_object_get(line, "requests"));
		l->active = json_integer_value(
			json_object_get(json_object_get(line, "connections"), "active"));
		l->interval_s = json_number_value(json_object_get(line, "interval_s"));
		l->covered += l->interval_s;
	}
	json_decref(line);
}

static inline struct lines read_lines(const char *name)
{
	struct lines l = {};

	for (const char *at = scratch_read(name); *at;) {
		const char *end = strchr(at, '\n');

		assert_non_null(end);
		add_line(&l, at, end - at);
		at = end + 1;
	}
	return l;
}

#endif
