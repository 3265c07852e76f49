// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table: a block of text for each interval, for a person. One line an endpoint, what hurts
 * first (the order is table_row.h's). CPU and run-queue wait are those of the whole service and
 * stand in the line of each of its endpoints. Below it are the operations that hurt most, of which
 * ERR is the share of all the endpoint's requests.
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
#define ENDPOINT_CELLS 30
/* Narrower terminals have where the time went in a line of its own, below the endpoint's. */
#define WHERE_WIDTH 200
#define STAGES_WIDTH 250

/* A line of the table: an endpoint, or below it one of its operations. */
struct line {
	const struct gp_table_row *row;
	const struct gp_table_operation *operation; /* NULL: the endpoint itself */
	const struct gp_table_figures *figures;	    /* of the one or the other */
	double interval_s;
};

static void put_service(const struct line *l, char *out)
{
	if (l->operation)
		snprintf(out, CELL_SIZE, "%*s%s", GP_TABLE_OPERATION_INDENT, "",
			 l->operation->name);
	else
		gp_table_clip(out, CELL_SIZE, l->row->endpoint->names.service,
			      GP_TABLE_SERVICE_CELLS);
}

static void put_endpoint(const struct line *l, char *out)
{
	gp_table_endpoint(out, CELL_SIZE, l->row->endpoint, ENDPOINT_CELLS);
}

static void put_rate(const struct line *l, char *out)
{
	gp_format_number(out, l->figures->requests_per_s);
}

static void put_quantile(const struct line *l, double ns, char *out)
{
	if (l->figures->has_quantiles)
		gp_format_duration(out, ns);
	else
		strcpy(out, "-");
}

static void put_p50(const struct line *l, char *out)
{
	put_quantile(l, l->figures->p50_ns, out);
}

static void put_p90(const struct line *l, char *out)
{
	put_quantile(l, l->figures->p90_ns, out);
}

static void put_p99(const struct line *l, char *out)
{
	put_quantile(l, l->figures->p99_ns, out);
}

static void put_max(const struct line *l, char *out)
{
	put_quantile(l, l->figures->max_ns, out);
}

static bool has_failed(const struct line *l)
{
	return l->figures->failed > 0;
}

/* Most operations are no errors: a 0 in each of their lines would say nothing. */
static void put_failed(const struct line *l, char *out)
{
	if (l->operation && !has_failed(l))
		return;
	if (l->figures->tried)
		gp_table_share(out, CELL_SIZE, l->figures->failed, l->figures->tried);
	else
		strcpy(out, "-");
}

static bool is_hung(const struct line *l)
{
	return gp_table_is_hung(l->row);
}

static void put_in_flight(const struct line *l, char *out)
{
	char count[GP_FORMAT_SIZE], age[GP_FORMAT_SIZE];

	gp_format_number(count, (double)l->row->endpoint->in_flight);
	gp_format_duration(age, (double)l->row->endpoint->oldest_ns);
	if (is_hung(l))
		snprintf(out, CELL_SIZE, "%s (%s)", count, age);
	else
		snprintf(out, CELL_SIZE, "%s", count);
}

static void put_in(const struct line *l, char *out)
{
	gp_format_bytes(out, (double)l->row->endpoint->bytes_in / l->interval_s);
}

static void put_out(const struct line *l, char *out)
{
	gp_format_bytes(out, (double)l->row->endpoint->bytes_out / l->interval_s);
}

static void put_connections(const struct line *l, char *out)
{
	gp_format_number(out, (double)l->row->endpoint->active);
}

static void put_cpu(const struct line *l, char *out)
{
	const struct gp_service *service = l->row->service;

	if (service && service->has_sched)
		gp_format_number(out, (double)service->cpu_ns / 1e9 / l->interval_s);
	else
		strcpy(out, "-");
}

static void put_runqueue(const struct line *l, char *out)
{
	const struct gp_service *service = l->row->service;
	double ns;

	if (service && service->has_sched &&
	    gp_distribution_quantile(&service->runqueue, 0.99, &ns))
		gp_format_duration(out, ns);
	else
		strcpy(out, "-");
}

static void put_stages(const struct line *l, char *out)
{
	gp_table_stages(out, CELL_SIZE, l->row);
}

static void put_slow(const struct line *l, char *out)
{
	gp_table_slow(out, CELL_SIZE, l->row);
}

static void put_where(const struct line *l, char *out)
{
	gp_table_where(out, CELL_SIZE, l->row);
}

static const struct column {
	const char *title;
	int flags;
	int from_width;	     /* shown on terminals at least this wide, and wherever there is none */
	bool has_operations; /* else it is of endpoints alone */
	void (*put)(const struct line *l, char *out);
	bool (*hurts)(const struct line *l); /* NULL: never */
} columns[] = {
	{"SERVICE", 0, 0, true, put_service, NULL},
	{"ENDPOINT", 0, 0, false, put_endpoint, NULL},
	{"REQ/S", SCOLS_FL_RIGHT, 0, true, put_rate, NULL},
	{"P50", SCOLS_FL_RIGHT, 0, true, put_p50, NULL},
	{"P90", SCOLS_FL_RIGHT, 110, true, put_p90, NULL},
	{"P99", SCOLS_FL_RIGHT, 0, true, put_p99, NULL},
	{"MAX", SCOLS_FL_RIGHT, 100, true, put_max, NULL},
	{"ERR", SCOLS_FL_RIGHT, 0, true, put_failed, has_failed},
	{"IN FLIGHT", SCOLS_FL_RIGHT, 0, false, put_in_flight, is_hung},
	{"IN/S", SCOLS_FL_RIGHT, 130, false, put_in, NULL},
	{"OUT/S", SCOLS_FL_RIGHT, 130, false, put_out, NULL},
	{"CONNS", SCOLS_FL_RIGHT, 130, false, put_connections, NULL},
	{"CPU", SCOLS_FL_RIGHT, 90, false, put_cpu, NULL},
	{"RUNQ P99", SCOLS_FL_RIGHT, 90, false, put_runqueue, NULL},
	{"STAGES", 0, STAGES_WIDTH, false, put_stages, NULL},
	{"SLOW", SCOLS_FL_RIGHT, WHERE_WIDTH, false, put_slow, NULL},
	{"WHERE", 0, WHERE_WIDTH, false, put_where, NULL},
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

static int add_line(struct libscols_table *tb, const struct line *l, int width, bool colour)
{
	struct libscols_line *line = scols_table_new_line(tb, NULL);
	char cell[CELL_SIZE];
	size_t n = 0;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		bool is_said = !l->operation || columns[i].has_operations;

		if (!is_shown(&columns[i], width))
			continue;
		*cell = 0;
		if (is_said)
			columns[i].put(l, cell);
		if (scols_line_set_data(line, n, cell))
			return -ENOMEM;
		if (colour && is_said && columns[i].hurts && columns[i].hurts(l) &&
		    scols_cell_set_color(scols_line_get_cell(line, n), "red"))
			return -ENOMEM;
		n++;
	}
	return 0;
}

/* The endpoint, and its operations below it. */
static int add_lines(struct libscols_table *tb, const struct gp_table_row *row, double interval_s,
		     int width, bool colour)
{
	struct line l = {.row = row, .figures = &row->figures, .interval_s = interval_s};
	int err = add_line(tb, &l, width, colour);

	for (size_t i = 0; !err && i < row->operations; i++) {
		l.operation = &row->operation[i];
		l.figures = &l.operation->figures;
		err = add_line(tb, &l, width, colour);
	}
	return err;
}

static int print_line(struct libscols_table *tb, size_t n, FILE *out)
{
	struct libscols_line *line = scols_table_get_line(tb, n);
	gp_auto(gp_free) char *text = NULL;
	int err = scols_table_print_range_to_string(tb, line, line, &text);
	size_t len;

	if (err)
		return err;
	/* It ends in a newline, unless it is the table's last. */
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	fprintf(out, "%s\n", text);
	return 0;
}

/* Line by line, with where the time went below those of which there is something to be said. */
static int print_apart(struct libscols_table *tb, const struct gp_table_row *rows, size_t count,
		       FILE *out)
{
	char where[CELL_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		int err = print_line(tb, n++, out);

		gp_table_where_line(where, sizeof(where), &rows[i]);
		if (!err && *where)
			fprintf(out, "    %s\n", where);
		for (size_t k = 0; !err && k < rows[i].operations; k++)
			err = print_line(tb, n++, out);
		if (err)
			return err;
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
		if (add_lines(tb, &rows[i], interval_s, width, colour))
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
