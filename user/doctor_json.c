// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <time.h>

#include "doctor.h"
#include "json_record.h"
#include "own.h"

static void put_refused(struct gp_json *j, const struct gp_choosing *row)
{
	gp_json_open(j, "refused", '[');
	for (size_t i = 0; i < GP_WAYS && row->kind->way[i].name; i++) {
		if (!row->refused[i])
			continue;
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "hook", row->kind->way[i].part[0].at);
		gp_json_string(j, "reason", row->refused[i]);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
}

static void put_hooks(struct gp_json *j, const struct gp_findings *found)
{
	const struct gp_meta *meta = found->meta;
	size_t n;
	const struct gp_choosing *row = gp_ways_chosen(found->ways, &n);

	gp_json_open(j, "hooks", '[');
	for (size_t i = 0; i < n && i < meta->choices; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "event", meta->choice[i].event);
		gp_json_string(j, "hook", meta->choice[i].hook);
		put_refused(j, &row[i]);
		gp_json_string(j, "missing", meta->choice[i].missing);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
	gp_json_missing(j, meta);
}

static void put_facts(struct gp_json *j, const struct gp_findings *found)
{
	gp_json_open(j, "surroundings", '[');
	for (size_t i = 0; i < found->facts; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "name", found->fact[i].name);
		gp_json_string(j, "value", found->fact[i].value);
		gp_json_string(j, "advice", found->fact[i].advice);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
}

int gp_doctor_json(const struct gp_findings *found, FILE *out)
{
	gp_auto(gp_json_free) struct gp_json *j = NULL;
	const struct gp_meta *meta = found->meta;
	struct gp_json_head head = {.meta = meta, .time = &meta->start};

	if (gp_json_new(&j, out))
		return -ENOMEM;
	errno = 0;
	gp_json_begin_record(j, "doctor", &head);
	gp_json_string(j, "version", meta->version);
	gp_json_string(j, "kernel", meta->kernel);
	gp_json_string(j, "unable", gp_ways_unable(found->ways));
	put_hooks(j, found);
	gp_json_protocols(j, meta);
	put_facts(j, found);
	gp_json_end_record(j);
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}
