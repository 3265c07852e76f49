// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table: a block of text for each interval, for a person. One line an endpoint, what hurts
 * first (the order is table_row.h's). CPU and run-queue wait are those of the whole service and
 * stand in the line of each of its endpoints.
 *
 * Of a server it is said where the time of its slow requests went; once more at the top of the one
 * whose slow requests cost most.
 *
 * Text is UTF-8 whatever the locale. What comes from outside is cleaned before it is printed. Only
 * on a terminal there is colour, and columns are left out where it is narrow.
 */
#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <string.h>

#include "exporter.h"
#include "format.h"
#include "hist.h"
#include "own.h"
#include "table_row.h"
#include "table_text.h"
#include "table_where.h"

#define CELL_SIZE 512
#define SERVICE_CELLS 24
#define ENDPOINT_CELLS 30
/* Narrower terminals have where the time went in a line of its own, below the endpoint's. */
#define WHERE_WIDTH 200
#define STAGES_WIDTH 250

static void put_service(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_table_clip(out, CELL_SIZE, row->endpoint->names.service, SERVICE_CELLS);
}

static void put_endpoint(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_table_endpoint(out, CELL_SIZE, row->endpoint, ENDPOINT_CELLS);
}

static void put_rate(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_format_number(out, row->requests_per_s);
}

static void put_quantile(const struct gp_table_row *row, double ns, char *out)
{
	if (row->has_quantiles)
		gp_format_duration(out, ns);
	else
		strcpy(out, "-");
}

static void put_p50(const struct gp_table_row *row, double interval_s, char *out)
{
	put_quantile(row, row->p50_ns, out);
}

static void put_p90(const struct gp_table_row *row, double interval_s, char *out)
{
	put_quantile(row, row->p90_ns, out);
}

static void put_p99(const struct gp_table_row *row, double interval_s, char *out)
{
	put_quantile(row, row->p99_ns, out);
}

static void put_max(const struct gp_table_row *row, double interval_s, char *out)
{
	put_quantile(row, (double)row->endpoint->duration.max_ns, out);
}

static void put_failed(const struct gp_table_row *row, double interval_s, char *out)
{
	if (row->tried)
		gp_table_share(out, CELL_SIZE, row->failed, row->tried);
	else
		strcpy(out, "-");
}

static bool has_failed(const struct gp_table_row *row)
{
	return row->failed > 0;
}

static void put_in_flight(const struct gp_table_row *row, double interval_s, char *out)
{
	char count[GP_FORMAT_SIZE], age[GP_FORMAT_SIZE];

	gp_format_number(count, (double)row->endpoint->in_flight);
	gp_format_duration(age, (double)row->endpoint->oldest_ns);
	if (gp_table_is_hung(row))
		snprintf(out, CELL_SIZE, "%s (%s)", count, age);
	else
		snprintf(out, CELL_SIZE, "%s", count);
}

static void put_in(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_format_bytes(out, (double)row->endpoint->bytes_in / interval_s);
}

static void put_out(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_format_bytes(out, (double)row->endpoint->bytes_out / interval_s);
}

static void put_connections(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_format_number(out, (double)row->endpoint->active);
}

static void put_cpu(const struct gp_table_row *row, double interval_s, char *out)
{
	if (row->service && row->service->has_sched)
		gp_format_number(out, (double)row->service->cpu_ns / 1e9 / interval_s);
	else
		strcpy(out, "-");
}

static void put_runqueue(const struct gp_table_row *row, double interval_s, char *out)
{
	double ns;

	if (row->service && row->service->has_sched &&
	    gp_distribution_quantile(&row->service->runqueue, 0.99, &ns))
		gp_format_duration(out, ns);
	else
		strcpy(out, "-");
}

static void put_stages(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_table_stages(out, CELL_SIZE, row);
}

static void put_slow(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_table_slow(out, CELL_SIZE, row);
}

static void put_where(const struct gp_table_row *row, double interval_s, char *out)
{
	gp_table_where(out, CELL_SIZE, row);
}

static const struct column {
	const char *title;
	int flags;
	int from_width; /* shown on terminals at least this wide, and wherever there is none */
	void (*put)(const struct gp_table_row *row, double interval_s, char *out);
	bool (*hurts)(const struct gp_table_row *row); /* NULL: never */
} columns[] = {
	{"SERVICE", 0, 0, put_service, NULL},
	{"ENDPOINT", 0, 0, put_endpoint, NULL},
	{"REQ/S", SCOLS_FL_RIGHT, 0, put_rate, NULL},
	{"P50", SCOLS_FL_RIGHT, 0, put_p50, NULL},
	{"P90", SCOLS_FL_RIGHT, 110, put_p90, NULL},
	{"P99", SCOLS_FL_RIGHT, 0, put_p99, NULL},
	{"MAX", SCOLS_FL_RIGHT, 100, put_max, NULL},
	{"ERR", SCOLS_FL_RIGHT, 0, put_failed, has_failed},
	{"IN FLIGHT", SCOLS_FL_RIGHT, 0, put_in_flight, gp_table_is_hung},
	{"IN/S", SCOLS_FL_RIGHT, 130, put_in, NULL},
	{"OUT/S", SCOLS_FL_RIGHT, 130, put_out, NULL},
	{"CONNS", SCOLS_FL_RIGHT, 130, put_connections, NULL},
	{"CPU", SCOLS_FL_RIGHT, 90, put_cpu, NULL},
	{"RUNQ P99", SCOLS_FL_RIGHT, 90, put_runqueue, NULL},
	{"STAGES", 0, STAGES_WIDTH, put_stages, NULL},
	{"SLOW", SCOLS_FL_RIGHT, WHERE_WIDTH, put_slow, NULL},
	{"WHERE", 0, WHERE_WIDTH, put_where, NULL},
};

static void unref_table(struct libscols_table **tb)
{
	scols_unref_table(*tb);
}

static void free_locale(locale_t *locale)
{
	if (*locale)
		freelocale(*locale);
}

static bool is_shown(const struct column *column, int width)
{
	return width == 0 || width >= column->from_width;
}

static int add_columns(struct libscols_table *tb, int width, bool colour)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		struct libscols_column *cl;

		if (!is_shown(&columns[i], width))
			continue;
		cl = scols_table_new_column(tb, columns[i].title, 0, columns[i].flags);
		if (!cl)
			return -ENOMEM;
		if (colour && scols_cell_set_color(scols_column_get_header(cl), "bold"))
			return -ENOMEM;
	}
	return 0;
}

static int add_line(struct libscols_table *tb, const struct gp_table_row *row, double interval_s,
		    int width, bool colour)
{
	struct libscols_line *line = scols_table_new_line(tb, NULL);
	char cell[CELL_SIZE];
	size_t n = 0;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!is_shown(&columns[i], width))
			continue;
		columns[i].put(row, interval_s, cell);
		if (scols_line_set_data(line, n, cell))
			return -ENOMEM;
		if (colour && columns[i].hurts && columns[i].hurts(row) &&
		    scols_cell_set_color(scols_line_get_cell(line, n), "red"))
			return -ENOMEM;
		n++;
	}
	return 0;
}

/* Line by line, with where the time went below those of which there is something to be said. */
static int print_apart(struct libscols_table *tb, const struct gp_table_row *rows, size_t count,
		       FILE *out)
{
	char where[CELL_SIZE];

	for (size_t i = 0; i < count; i++) {
		struct libscols_line *line = scols_table_get_line(tb, i);
		gp_auto(gp_free) char *text = NULL;
		int err = scols_table_print_range_to_string(tb, line, line, &text);
		size_t len;

		if (err)
			return err;
		/* It ends in a newline, unless it is the table's last. */
		len = strlen(text);
		if (len && text[len - 1] == '\n')
			text[len - 1] = 0;
		gp_table_where_line(where, sizeof(where), &rows[i]);
		fprintf(out, "%s\n%s%s%s", text, *where ? "    " : "", where, *where ? "\n" : "");
	}
	return 0;
}

static int print_rows(const struct gp_table_row *rows, size_t count, double interval_s, FILE *out,
		      int width)
{
	gp_auto(unref_table) struct libscols_table *tb = scols_new_table();
	bool colour = width > 0;

	if (!tb || add_columns(tb, width, colour))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (add_line(tb, &rows[i], interval_s, width, colour))
			return -ENOMEM;
	/* A line that does not fit is wrapped by the terminal: cutting it would hide figures. */
	if (scols_table_set_stream(tb, out) || scols_table_set_column_separator(tb, "  ") ||
	    scols_table_set_termforce(tb, SCOLS_TERMFORCE_NEVER) ||
	    scols_table_enable_colors(tb, colour))
		return -ENOMEM;
	if (width > 0 && width < WHERE_WIDTH)
		return print_apart(tb, rows, count, out);
	return scols_print_table(tb);
}

static int print_block(const struct gp_snapshot *s, FILE *out, int width)
{
	gp_auto(gp_free) struct gp_table_row *rows = NULL;
	double interval_s = s->interval_ns ? (double)s->interval_ns / 1e9 : 1;
	size_t count;
	int err = gp_table_rows_new(&rows, &count, s);

	if (err)
		return err;
	gp_table_head(out, s, rows, count);
	if (count) {
		err = print_rows(rows, count, interval_s, out, width);
		if (err)
			return err;
	} else {
		fputs("no endpoint had traffic\n", out);
	}
	gp_table_foot(out, s, rows, count);
	errno = 0;
	if (fputc('\n', out) == EOF || fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}

/* libsmartcols takes widths, and what can be printed, from the locale of the thread. */
static int write_snapshot(const struct gp_snapshot *s, FILE *out, int width)
{
	gp_auto(free_locale) locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	locale_t before = utf8 ? uselocale(utf8) : NULL;
	int err = print_block(s, out, width);

	if (before)
		uselocale(before);
	return err;
}

const struct gp_exporter gp_exporter_table = {
	.name = "table",
	.write = write_snapshot,
};
