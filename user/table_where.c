// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "culprit.h"
#include "format.h"
#include "hist.h"
#include "names.h"
#include "table_text.h"
#include "table_where.h"

#define NAME_CELLS 24
#define NAME_SIZE 128
#define CAUSE_CELLS 72 /* such a name, an IPv6 address and a port */
#define STAGES_SHOWN 3
#define LIMITED " (CPU limit)"

/* From when on, and how many: the two halves of which its place says what comes first. */
static void tell_slow(char from[GP_FORMAT_SIZE], char share[GP_FORMAT_SIZE],
		      const struct gp_culprit *c)
{
	gp_format_duration(from, c->from_ns);
	gp_table_share(share, GP_FORMAT_SIZE, c->slow, c->all);
}

void gp_table_slow(char *out, size_t size, const struct gp_table_row *row)
{
	char from[GP_FORMAT_SIZE], share[GP_FORMAT_SIZE];

	if (!row->has_culprit) {
		snprintf(out, size, "-");
		return;
	}
	tell_slow(from, share, &row->culprit);
	snprintf(out, size, "%s >%s", share, from);
}

static void put_culprit(char *out, size_t size, const struct gp_culprit *c)
{
	char called[NAME_SIZE], cause[NAME_SIZE + GP_CULPRIT_CAUSE_SIZE], clean[sizeof(cause)];
	const char *name = NULL, *before = "", *after = "";

	if (c->edge && c->edge->to) {
		gp_table_clip(called, sizeof(called), c->edge->to, NAME_CELLS);
		name = called;
	}
	gp_culprit_cause(cause, sizeof(cause), c, name);
	gp_table_clip(clean, sizeof(clean), cause, CAUSE_CELLS);
	if (*clean) {
		before = c->edge ? " → " : " (";
		after = c->edge ? "" : ")";
	}
	snprintf(out, size, "%.0f%% %s%s%s%s", 100 * c->share, gp_stage_names[c->stage], before,
		 clean, after);
}

/* Both parts, or one, or neither. */
static void put_where(char *out, size_t size, const struct gp_table_row *row)
{
	size_t len = 0;

	*out = 0;
	if (row->has_culprit) {
		put_culprit(out, size, &row->culprit);
		len = strlen(out);
	}
	if (row->unattributed > 0)
		snprintf(out + len, size - len, "%s%.0f%% of all time unattributed",
			 len ? "; " : "", 100 * row->unattributed);
}

void gp_table_where(char *out, size_t size, const struct gp_table_row *row)
{
	put_where(out, size, row);
	if (!*out)
		snprintf(out, size, "-");
}

void gp_table_where_line(char *out, size_t size, const struct gp_table_row *row)
{
	char from[GP_FORMAT_SIZE], share[GP_FORMAT_SIZE];
	size_t len = 0;

	if (row->has_culprit) {
		tell_slow(from, share, &row->culprit);
		snprintf(out, size, "slow ones (>%s, %s): ", from, share);
		len = strlen(out);
	}
	put_where(out + len, size - len, row);
}

static enum gp_stage largest(const uint64_t sums_ns[GP_STAGE_COUNT])
{
	enum gp_stage most = 0;

	for (enum gp_stage i = 0; i < GP_STAGE_COUNT; i++)
		if (sums_ns[i] > sums_ns[most])
			most = i;
	return most;
}

void gp_table_stages(char *out, size_t size, const struct gp_table_row *row)
{
	uint64_t sums_ns[GP_STAGE_COUNT];
	uint64_t all_ns = gp_culprit_sum(sums_ns, row->endpoint);
	bool is_limited = gp_culprit_is_limited(row->service, sums_ns[GP_STAGE_RUNQUEUE],
						gp_hist_count(&row->endpoint->duration.hist));
	size_t len = 0;

	snprintf(out, size, "-");
	if (row->endpoint->role != GP_ROLE_SERVER || !all_ns)
		return;
	for (int shown = 0; shown < STAGES_SHOWN; shown++) {
		enum gp_stage stage = largest(sums_ns);

		if (sums_ns[stage] < all_ns / 100 || !sums_ns[stage])
			break;
		snprintf(out + len, size - len, "%s%.0f%% %s%s", len ? ", " : "",
			 100.0 * (double)sums_ns[stage] / (double)all_ns, gp_stage_names[stage],
			 is_limited && stage == GP_STAGE_RUNQUEUE ? LIMITED : "");
		len = strlen(out);
		sums_ns[stage] = 0;
	}
}

const struct gp_table_row *gp_table_worst(const struct gp_table_row *rows, size_t count)
{
	const struct gp_table_row *worst = NULL;

	for (size_t i = 0; i < count; i++)
		if (rows[i].has_culprit &&
		    (!worst || rows[i].culprit.excess_ns > worst->culprit.excess_ns))
			worst = &rows[i];
	return worst;
}
