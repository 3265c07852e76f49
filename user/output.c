// SPDX-License-Identifier: GPL-2.0-or-later
#include "output.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "exporter.h"
#include "log.h"
#include "own.h"
#include "sink.h"

static const struct gp_exporter *const exporters[] = {
	[GP_FORMAT_TABLE] = &gp_exporter_table,
	[GP_FORMAT_JSON] = &gp_exporter_json,
};
_Static_assert(ARRAY_SIZE(exporters) == GP_FORMAT_COUNT, "an exporter for each format");

struct output {
	const struct gp_exporter *exporter;
	struct gp_sink sink;
	bool has_begun;		  /* the opening lines are in what is open now */
	int error;		  /* of the last attempt: -errno, or 0 */
	struct gp_snapshot *kept; /* what could not be written yet; NULL: nothing */
};

struct gp_outputs {
	size_t count;
	struct output output[];
};

int gp_format_find(const char *name, size_t len, enum gp_format *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(exporters); i++) {
		if (strlen(exporters[i]->name) != len || memcmp(exporters[i]->name, name, len))
			continue;
		*out = i;
		return 0;
	}
	return -EINVAL;
}

/* Whether it is standard output and its reader went away: that is no failure, but the end. */
static bool is_over(const struct output *o)
{
	return !o->sink.path && o->error == -EPIPE;
}

/* Takes down how the last attempt went, and says when that has changed. */
static int settle(struct output *o, int rc)
{
	int before = o->error;

	o->error = rc;
	if (!is_over(o))
		gp_sink_report(&o->sink, o->exporter->name, before, rc);
	return rc;
}

/* Columns of the terminal that the output is; 0: it is none. */
static int width_of(const struct output *o)
{
	struct winsize size;

	if (!isatty(o->sink.fd))
		return 0;
	return !ioctl(o->sink.fd, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

/* The text of the opening lines if they are due, and of `s` unless NULL; free() it. */
static int render(const struct output *o, const struct gp_meta *meta, const struct gp_snapshot *s,
		  char **text, size_t *len)
{
	gp_auto(gp_free) char *bytes = NULL;
	FILE *out = open_memstream(&bytes, len);
	int rc = 0;

	if (!out)
		return -errno;
	if (!o->has_begun && o->exporter->begin)
		rc = o->exporter->begin(meta, out);
	if (!rc && s)
		rc = o->exporter->write(s, out, width_of(o));
	if (fclose(out) && !rc) /* only now `bytes` and `len` hold */
		rc = -ENOMEM;
	if (!rc)
		*text = TAKE_PTR(bytes);
	return rc;
}

/*
 * One attempt to write the opening lines if they are due, and `s` unless NULL. *taken: they are
 * written or will be, and must not be written again, whatever is returned.
 */
static int send_out(struct output *o, const struct gp_meta *meta, const struct gp_snapshot *s,
		    bool *taken)
{
	gp_auto(gp_free) char *text = NULL;
	size_t len = 0;
	int rc = 0;

	*taken = false;
	if (gp_sink_is_lost(&o->sink)) {
		o->has_begun = false;
		rc = gp_sink_open(&o->sink);
	}
	if (!rc)
		rc = gp_sink_flush(&o->sink);
	if (!rc)
		rc = render(o, meta, s, &text, &len);
	if (!rc)
		rc = gp_sink_write(&o->sink, &text, len, taken);
	if (*taken)
		o->has_begun = true;
	return rc;
}

/* Keeps `s`, or in its place what *all has of it and of what was kept before. */
static void keep(struct output *o, const struct gp_snapshot *s, struct gp_snapshot **all)
{
	if (!*all && gp_snapshot_copy(all, s)) {
		gp_error("output %s to %s: no memory to keep what could not be written: it is lost",
			 o->exporter->name, gp_sink_place(&o->sink));
		return;
	}
	gp_snapshot_free(&o->kept);
	o->kept = TAKE_PTR(*all);
}

static void export_one(struct output *o, const struct gp_snapshot *s)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *all = NULL;
	bool taken = false;
	int rc;

	if (is_over(o))
		return;
	if (o->kept && (gp_snapshot_copy(&all, s) || gp_snapshot_prepend(all, o->kept))) {
		settle(o,
		       -ENOMEM); /* `s` is lost to this output: gp_snapshot_copy would fail too */
		return;
	}
	rc = send_out(o, s->meta, all ?: s, &taken);
	settle(o, rc);
	if (taken)
		gp_snapshot_free(&o->kept);
	else if (!is_over(o))
		keep(o, s, &all);
}

static void begin_one(struct output *o, const struct gp_meta *meta)
{
	bool taken;

	if (!is_over(o))
		settle(o, send_out(o, meta, NULL, &taken));
}

static void reopen_one(struct output *o, const struct gp_meta *meta)
{
	int rc;

	if (!o->sink.path) /* not ours to open */
		return;
	rc = gp_sink_open(&o->sink);
	o->has_begun = false;
	if (rc)
		settle(o, rc);
	else
		begin_one(o, meta);
}

/* Adds how the output's last attempt went to what is returned: the end of standard output first. */
static void add_result(int *rc, const struct output *o)
{
	if (is_over(o))
		*rc = -EPIPE;
	else if (o->error && *rc != -EPIPE)
		*rc = o->error == -EPIPE ? -EIO : o->error;
}

int gp_outputs_begin(struct gp_outputs *o, const struct gp_meta *meta)
{
	int rc = 0;

	for (size_t i = 0; i < o->count; i++) {
		begin_one(&o->output[i], meta);
		add_result(&rc, &o->output[i]);
	}
	return rc;
}

int gp_outputs_export(struct gp_outputs *o, const struct gp_snapshot *s)
{
	int rc = 0;

	for (size_t i = 0; i < o->count; i++) {
		export_one(&o->output[i], s);
		add_result(&rc, &o->output[i]);
	}
	return rc;
}

int gp_outputs_reopen(struct gp_outputs *o, const struct gp_meta *meta)
{
	int rc = 0;

	for (size_t i = 0; i < o->count; i++) {
		reopen_one(&o->output[i], meta);
		add_result(&rc, &o->output[i]);
	}
	return rc;
}

bool gp_outputs_healthy(const struct gp_outputs *o)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->output[i].error && !is_over(&o->output[i]))
			return false;
	return true;
}

/* Opens output `i`, which must not be a file that an earlier one has. 0, or -errno, said. */
static int open_first(struct gp_outputs *o, size_t i)
{
	struct output *new = &o->output[i];
	int rc = gp_sink_open(&new->sink);

	if (rc)
		return settle(new, rc);
	for (size_t j = 0; j < i; j++) {
		if (!gp_sink_is_same(&new->sink, &o->output[j].sink))
			continue;
		gp_error("outputs to %s and %s: they are one file; give each output its own",
			 gp_sink_place(&o->output[j].sink), gp_sink_place(&new->sink));
		return -EINVAL;
	}
	return 0;
}

int gp_outputs_new(struct gp_outputs **out, const struct gp_config *cfg, struct gp_keeper *keeper)
{
	gp_auto(gp_outputs_free) struct gp_outputs *o =
		calloc(1, sizeof(*o) + cfg->outputs * sizeof(o->output[0]));
	int rc = 0;

	if (!o)
		return -ENOMEM;
	for (; o->count < cfg->outputs; o->count++) {
		o->output[o->count].exporter = exporters[cfg->output[o->count].format];
		gp_sink_init(&o->output[o->count].sink, cfg->output[o->count].path);
	}
	for (size_t i = 0; !rc && i < o->count; i++)
		rc = gp_sink_keep(&o->output[i].sink, keeper) ?: open_first(o, i);
	if (rc)
		return rc;
	*out = TAKE_PTR(o);
	return 0;
}

void gp_outputs_free(struct gp_outputs **o)
{
	if (!*o)
		return;
	for (size_t i = 0; i < (*o)->count; i++) {
		gp_sink_close(&(*o)->output[i].sink);
		gp_snapshot_free(&(*o)->output[i].kept);
	}
	gp_free(o);
}
