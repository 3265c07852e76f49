// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "own.h"
#include "text.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
_Static_assert(ARRAY_SIZE(level_names) == GP_LEVEL_COUNT, "a name for each level");

/* How much is said belongs to the process as standard error does: it is passed to nobody. */
static enum gp_level most = GP_INFO;

void gp_log_verbosity(int verbosity)
{
	most = verbosity < 0 ? GP_WARNING : verbosity > 0 ? GP_DEBUG : GP_INFO;
}

/* In one piece, since others may write to the same terminal or journal. */
static void print_line(enum gp_level level, const char *text)
{
	size_t size = GP_TEXT_CLEAN_SIZE(strlen(text));
	gp_auto(gp_free) char *clean = malloc(size);
	gp_auto(gp_free) char *line = NULL;

	if (clean)
		gp_text_clean(clean, size, text);
	if (!clean || asprintf(&line, "goldpan: %s: %s\n", level_names[level], clean) < 0) {
		line = NULL; /* asprintf leaves it undefined */
		fputs("goldpan: error: out of memory for a message\n", stderr);
		return;
	}
	fputs(line, stderr);
}

void gp_log(enum gp_level level, const char *format, ...)
{
	gp_auto(gp_free) char *text = NULL;
	va_list args;
	int len;

	if (level > most)
		return;
	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		text = NULL;
	print_line(level, text ?: format);
}
