// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "hist.h"
#include "names.h"
#include "own.h"
#include "table_text.h"
#include "table_where.h"
#include "text.h"

#define NAME_SIZE 128
#define NAME_CELLS 24
#define LINE_SIZE 512
#define OTHERS_MAX 5
#define OTHERS_CORES 0.01 /* services that use less CPU are not worth a word */

/* The number of characters of a cleaned text. */
static size_t cells_of(const char *text)
{
	size_t cells = 0;

	while (gp_text_next(&text))
		cells++;
	return cells;
}

void gp_table_clip(char *out, size_t size, const char *text, size_t cells)
{
	size_t len = gp_text_clean(out, size, text);
	const char *end = out;

	if (cells_of(out) <= cells)
		return;
	for (size_t i = 0; i + 1 < cells; i++)
		gp_text_next(&end);
	len = end - out;
	snprintf(out + len, size - len, "…");
}

void gp_table_endpoint(char *out, size_t size, const struct gp_endpoint *e, size_t cells)
{
	const char *address = e->is_other ? "other" : e->address ?: "";
	bool is_v6 = !e->is_other && e->transport != GP_TRANSPORT_UNIX && strchr(address, ':');
	char head[16] = "", port[16] = "", middle[NAME_SIZE];
	size_t taken;

	if (e->transport != GP_TRANSPORT_TCP)
		snprintf(head, sizeof(head), "%s ", gp_transport_names[e->transport]);
	if (!e->is_other && e->transport != GP_TRANSPORT_UNIX)
		snprintf(port, sizeof(port), "%s:%u", is_v6 ? "]" : "", e->port);
	taken = strlen(head) + strlen(port) + (e->role == GP_ROLE_CLIENT ? 2 : 0) + is_v6;
	gp_table_clip(middle, sizeof(middle), address, cells > taken ? cells - taken : 1);
	snprintf(out, size, "%s%s%s%s%s", head, e->role == GP_ROLE_CLIENT ? "→ " : "",
		 is_v6 ? "[" : "", middle, port);
}

void gp_table_share(char *out, size_t size, uint64_t part, uint64_t whole)
{
	double percent = 100.0 * (double)part / (double)whole;

	if (part == 0)
		snprintf(out, size, "0");
	else if (percent < 0.01)
		snprintf(out, size, "<0.01%%");
	else if (part == whole)
		snprintf(out, size, "100%%");
	else
		snprintf(out, size, "%.*f%%", percent < 10 ? 2 : 1, percent);
}

/* Totals */

struct totals {
	double served_per_s, called_per_s;
	uint64_t failed, tried, in_flight, cpu_ns;
};

static struct totals add_up(const struct gp_snapshot *s, const struct gp_table_row *rows,
			    size_t count)
{
	struct totals t = {};

	for (size_t i = 0; i < count; i++) {
		if (rows[i].endpoint->role == GP_ROLE_SERVER)
			t.served_per_s += rows[i].figures.requests_per_s;
		else
			t.called_per_s += rows[i].figures.requests_per_s;
		t.failed += rows[i].figures.failed;
		t.tried += rows[i].figures.tried;
		t.in_flight += rows[i].endpoint->in_flight;
	}
	for (size_t i = 0; i < s->host.cpus; i++)
		t.cpu_ns += s->host.cpu[i].busy_ns;
	return t;
}

static void print_host(FILE *out, const struct gp_snapshot *s, uint64_t cpu_ns)
{
	char text[GP_FORMAT_SIZE];
	double ns;

	if (!s->host.has_sched || !s->interval_ns)
		return;
	gp_format_number(text, (double)cpu_ns / (double)s->interval_ns);
	fprintf(out, "; CPU %s of %zu cores", text, s->host.cpus);
	if (gp_distribution_quantile(&s->host.runqueue, 0.99, &ns)) {
		gp_format_duration(text, ns);
		fprintf(out, ", run-queue p99 %s", text);
	}
}

/* Whose slow requests cost most, and what made them slow. */
static void print_worst(FILE *out, const struct gp_table_row *rows, size_t count)
{
	const struct gp_table_row *worst = gp_table_worst(rows, count);
	char service[NAME_SIZE], endpoint[NAME_SIZE], line[LINE_SIZE];

	if (!worst)
		return;
	gp_table_clip(service, sizeof(service), worst->endpoint->names.service, NAME_CELLS);
	gp_table_endpoint(endpoint, sizeof(endpoint), worst->endpoint, NAME_CELLS);
	gp_table_where_line(line, sizeof(line), worst);
	fprintf(out, "most time lost: %s %s, %s\n", service, endpoint, line);
}

void gp_table_head(FILE *out, const struct gp_snapshot *s, const struct gp_table_row *rows,
		   size_t count)
{
	struct totals t = add_up(s, rows, count);
	char time[GP_FORMAT_SIZE], span[GP_FORMAT_SIZE], served[GP_FORMAT_SIZE];
	char called[GP_FORMAT_SIZE], host[NAME_SIZE];

	gp_format_time(time, &s->time);
	gp_format_duration(span, (double)s->interval_ns);
	gp_table_clip(host, sizeof(host), s->meta->host, NAME_CELLS);
	fprintf(out, "%s  %s  last %s; worst first: unanswered > 1s, errors, p99 x rate\n", time,
		host, span);
	gp_format_number(served, t.served_per_s);
	gp_format_number(called, t.called_per_s);
	fprintf(out, "served %s/s, called %s/s, %llu failed", served, called,
		(unsigned long long)t.failed);
	if (t.failed) {
		gp_table_share(span, sizeof(span), t.failed, t.tried);
		fprintf(out, " (%s)", span);
	}
	fprintf(out, ", %llu in flight", (unsigned long long)t.in_flight);
	print_host(out, s, t.cpu_ns);
	fputc('\n', out);
	print_worst(out, rows, count);
}

/* Services that have no row, by their CPU time */

static bool has_row(const struct gp_table_row *rows, size_t count, const struct gp_service *service)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].service == service)
			return true;
	return false;
}

/* Keeps the `most` with the most CPU time, sorted: *count grows up to there. */
static void keep_busiest(const struct gp_service **kept, size_t *count, size_t most,
			 const struct gp_service *service)
{
	size_t place = *count;

	while (place > 0 && kept[place - 1]->cpu_ns < service->cpu_ns)
		place--;
	if (place == most)
		return;
	if (*count < most)
		(*count)++;
	memmove(&kept[place + 1], &kept[place], (*count - place - 1) * sizeof(kept[0]));
	kept[place] = service;
}

static void print_others(FILE *out, const struct gp_snapshot *s, const struct gp_table_row *rows,
			 size_t count)
{
	const struct gp_service *busiest[OTHERS_MAX];
	char name[NAME_SIZE], amount[GP_FORMAT_SIZE];
	size_t n = 0;
	double ns;

	for (size_t i = 0; i < s->services; i++) {
		const struct gp_service *service = &s->service[i];

		if (service->has_sched &&
		    (double)service->cpu_ns >= OTHERS_CORES * (double)s->interval_ns &&
		    !has_row(rows, count, service))
			keep_busiest(busiest, &n, OTHERS_MAX, service);
	}
	for (size_t i = 0; i < n; i++) {
		gp_table_clip(name, sizeof(name), busiest[i]->names.service, NAME_CELLS);
		gp_format_number(amount, (double)busiest[i]->cpu_ns / (double)s->interval_ns);
		fprintf(out, "%s %s CPU %s", i ? ";" : "other services:", name, amount);
		if (gp_distribution_quantile(&busiest[i]->runqueue, 0.99, &ns)) {
			gp_format_duration(amount, ns);
			fprintf(out, ", run-queue p99 %s", amount);
		}
	}
	if (n)
		fputc('\n', out);
}

static void print_dropped(FILE *out, const struct gp_self *self)
{
	const char *before = "dropped:";

	for (size_t i = 0; i < GP_DROP_COUNT; i++) {
		if (!self->dropped[i])
			continue;
		fprintf(out, "%s %s %llu", before, gp_drop_names[i],
			(unsigned long long)self->dropped[i]);
		before = ",";
	}
	if (*before == ',')
		fputc('\n', out);
}

void gp_table_foot(FILE *out, const struct gp_snapshot *s, const struct gp_table_row *rows,
		   size_t count)
{
	print_others(out, s, rows, count);
	print_dropped(out, &s->self);
}
