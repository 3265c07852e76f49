// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "own.h"

int gp_kernel_text_read(int dir, const char *path, char *text, size_t size)
{
	gp_auto(gp_close) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	/* Some of these files come a page at a time, some at the first read only. */
	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			return -errno;
		len += n;
	}
	text[len] = '\0';
	return (int)len;
}

/* A whole number of `len` characters. */
static bool parse_number(const char *text, size_t len, uint64_t *value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned int digit = (unsigned int)(text[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digit, &n))
			return false;
	}
	*value = n;
	return len > 0;
}

/* The line that begins with `key` and a space, behind both; NULL if there is none. */
static const char *find_line(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (*text) {
		if (!strncmp(text, key, len) && text[len] == ' ')
			return text + len + 1;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

bool gp_kernel_text_field(const char *text, const char *key, uint64_t *value)
{
	const char *line = find_line(text, key);

	return line && parse_number(line, strcspn(line, " \n"), value);
}

bool gp_kernel_text_column(const char *text, const char *group, const char *name, uint64_t *value)
{
	const char *names = find_line(text, group);
	const char *values = names ? find_line(names, group) : NULL;

	while (values && *names && *names != '\n') {
		size_t len = strcspn(names, " \n"), digits = strcspn(values, " \n");

		if (len == strlen(name) && !strncmp(names, name, len))
			return parse_number(values, digits, value);
		names += len + (names[len] == ' ');
		values += digits + (values[digits] == ' ');
	}
	return false;
}

/* The total of one line of a pressure file, "some" or "full". */
static bool find_total(const char *text, const char *key, uint64_t *us)
{
	const char *line = find_line(text, key);
	const char *total = line ? strstr(line, "total=") : NULL;

	if (!total || total > line + strcspn(line, "\n"))
		return false;
	total += strlen("total=");
	return parse_number(total, strcspn(total, " \n"), us);
}

bool gp_kernel_text_pressure(int dir, const char *before, const char *after, struct gp_pressure *p)
{
	static const char *const resources[] = {"cpu", "memory", "io"};
	static const char *const kinds[] = {"some", "full"};
	char path[PATH_MAX], text[256];
	bool any = false;

	_Static_assert(ARRAY_SIZE(resources) * ARRAY_SIZE(kinds) == GP_PRESSURE_COUNT, "in order");
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++) {
		size_t kind = i % ARRAY_SIZE(kinds);
		uint64_t us = 0;

		if (kind == 0) {
			snprintf(path, sizeof(path), "%s%s%s", before,
				 resources[i / ARRAY_SIZE(kinds)], after);
			if (gp_kernel_text_read(dir, path, text, sizeof(text)) < 0)
				text[0] = '\0';
		}
		p->has[i] = find_total(text, kinds[kind], &us);
		p->ns[i] = us * 1000;
		any |= p->has[i];
	}
	return any;
}
