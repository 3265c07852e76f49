// SPDX-License-Identifier: GPL-2.0-or-later
#include "format.h"
#include "hist.h"
#include "json_record.h"
#include "names.h"
#include "own.h"
#include "protocol.h"

static void put_time(struct gp_json *j, const char *key, const struct timespec *t)
{
	char text[GP_FORMAT_SIZE];

	gp_format_time(text, t);
	gp_json_string(j, key, text);
}

void gp_json_begin_record(struct gp_json *j, const char *type, const struct gp_json_head *head)
{
	gp_json_open(j, NULL, '{');
	gp_json_string(j, "schema", "goldpan/1");
	gp_json_string(j, "type", type);
	gp_json_string(j, "host", head->meta->host);
	put_time(j, "start", &head->meta->start);
	put_time(j, "time", head->time);
	if (head->interval_ns)
		gp_json_seconds(j, "interval_s", head->interval_ns);
	else
		gp_json_null(j, "interval_s");
}

void gp_json_end_record(struct gp_json *j)
{
	gp_json_close(j, '}');
	gp_json_end_line(j);
}

void gp_json_names(struct gp_json *j, const struct gp_names *names)
{
	gp_json_string(j, "service", names->service);
	gp_json_string(j, "unit", names->unit);
	gp_json_string(j, "container", names->container);
	gp_json_string(j, "exe", names->exe);
}

void gp_json_known(struct gp_json *j, const char *key, uint64_t value)
{
	if (value)
		gp_json_count(j, key, value);
	else
		gp_json_null(j, key);
}

void gp_json_stages(struct gp_json *j, const uint64_t stages_ns[GP_STAGE_COUNT])
{
	gp_json_open(j, "stages_s", '{');
	for (size_t i = 0; i < GP_STAGE_COUNT; i++)
		gp_json_seconds(j, gp_stage_names[i], stages_ns[i]);
	gp_json_close(j, '}');
}

void gp_json_histogram(struct gp_json *j, const char *key, const struct gp_hist *h)
{
	gp_json_open(j, key, '{');
	gp_json_count(j, "scale", GP_HIST_SCALE);
	gp_json_count(j, "underflow", h->slots[GP_HIST_UNDERFLOW]);
	gp_json_count(j, "overflow", h->slots[GP_HIST_OVERFLOW]);
	gp_json_open(j, "counts", '[');
	for (int slot = 1; slot <= GP_HIST_BUCKETS; slot++) {
		if (!h->slots[slot])
			continue;
		gp_json_open(j, NULL, '[');
		gp_json_signed(j, NULL, slot - 1 + GP_HIST_INDEX_MIN);
		gp_json_count(j, NULL, h->slots[slot]);
		gp_json_close(j, ']');
	}
	gp_json_close(j, ']');
	gp_json_close(j, '}');
}

void gp_json_distribution(struct gp_json *j, const char *key, const struct gp_distribution *d,
			  bool whole)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
	uint64_t count = gp_hist_count(&d->hist);
	double ns;

	gp_json_open(j, key, '{');
	gp_json_count(j, "count", count);
	gp_json_seconds(j, "sum", d->sum_ns);
	if (count)
		gp_json_seconds(j, "max", d->max_ns);
	else
		gp_json_null(j, "max");
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		if (gp_distribution_quantile(d, quantiles[i].q, &ns))
			gp_json_real(j, quantiles[i].name, ns / 1e9, 9);
		else
			gp_json_null(j, quantiles[i].name);
	}
	if (whole)
		gp_json_histogram(j, "histogram", &d->hist);
	gp_json_close(j, '}');
}

void gp_json_missing(struct gp_json *j, const struct gp_meta *meta)
{
	gp_json_open(j, "missing", '[');
	for (size_t i = 0; i < meta->choices; i++)
		if (meta->choice[i].missing)
			gp_json_string(j, NULL, meta->choice[i].missing);
	gp_json_close(j, ']');
}

void gp_json_protocols(struct gp_json *j, const struct gp_meta *meta)
{
	gp_json_open(j, "protocols", '[');
	for (size_t i = GP_PROTOCOL_UNKNOWN + 1; i < GP_PROTOCOL_COUNT; i++)
		if (meta->protocols & 1u << i)
			gp_json_string(j, NULL, gp_protocol_names[i]);
	gp_json_close(j, ']');
}
