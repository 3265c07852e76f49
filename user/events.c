// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include <errno.h>
#include <string.h>

#include "json_record.h"
#include "own.h"
#include "sink.h"

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

/* An event that will be written unless a fairer one comes. */
struct line {
	uint32_t endpoint;
	char *text;
	size_t len;
};

/* How many lines an endpoint has. */
struct share {
	uint32_t endpoint;
	size_t lines;
};

struct gp_events {
	struct gp_sink sink;
	const struct gp_meta *meta;
	uint64_t second;		     /* the one that is collected */
	struct line line[GP_EVENTS_PER_S];   /* of it, in the order in which they came */
	struct share share[GP_EVENTS_PER_S]; /* of it, all above 0 */
	size_t lines, shares;
	char *unsent; /* of a second that is over; NULL: nothing */
	size_t unsent_len, unsent_lines;
	uint64_t dropped;
	int error; /* of the last attempt: -errno, or 0 */
};

static int settle(struct gp_events *e, int rc)
{
	gp_sink_report(&e->sink, "events", e->error, rc);
	e->error = rc;
	return rc;
}

int gp_events_new(struct gp_events **out, const struct gp_config *cfg, struct gp_keeper *keeper)
{
	gp_auto(gp_events_free) struct gp_events *e = NULL;
	int rc;

	if (!cfg->events) {
		*out = NULL;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	gp_sink_init(&e->sink, cfg->events);
	e->sink.mode = 0600; /* who talks to whom is not for everybody */
	rc = gp_sink_keep(&e->sink, keeper);
	if (!rc)
		rc = settle(e, gp_sink_open(&e->sink));
	if (rc)
		return rc;
	*out = TAKE_PTR(e);
	return 0;
}

static void forget_second(struct gp_events *e)
{
	for (size_t i = 0; i < e->lines; i++)
		free(e->line[i].text);
	e->lines = e->shares = 0;
}

static void forget_unsent(struct gp_events *e)
{
	gp_free(&e->unsent);
	e->unsent_len = e->unsent_lines = 0;
}

void gp_events_free(struct gp_events **events)
{
	struct gp_events *e = TAKE_PTR(*events);

	if (!e)
		return;
	forget_second(e);
	forget_unsent(e);
	gp_sink_close(&e->sink);
	free(e);
}

void gp_events_begin(struct gp_events *e, const struct gp_meta *meta)
{
	if (e)
		e->meta = meta;
}

/* The event's line; free() its text. 0, or -ENOMEM. */
static int render(const struct gp_events *e, const struct gp_event *event, struct line *out)
{
	gp_auto(gp_free) char *text = NULL;
	gp_auto(gp_fclose) FILE *file = open_memstream(&text, &out->len);
	gp_auto(gp_json_free) struct gp_json *j = NULL;
	bool failed;

	if (!file || gp_json_new(&j, file))
		return -ENOMEM;
	gp_json_event(j, e->meta, event);
	failed = ferror(file);
	if (fclose(TAKE_PTR(file)) || failed) /* only now `text` and `len` hold */
		return -ENOMEM;
	out->endpoint = event->endpoint;
	out->text = TAKE_PTR(text);
	return 0;
}

static struct share *share_of(struct gp_events *e, uint32_t endpoint)
{
	for (size_t i = 0; i < e->shares; i++)
		if (e->share[i].endpoint == endpoint)
			return &e->share[i];
	return NULL;
}

static struct share *largest_share(struct gp_events *e)
{
	struct share *largest = &e->share[0];

	for (size_t i = 1; i < e->shares; i++)
		if (e->share[i].lines > largest->lines)
			largest = &e->share[i];
	return largest;
}

/* Takes the last line of an endpoint, which has several, away from it. */
static void take_from(struct gp_events *e, struct share *share)
{
	size_t i = e->lines - 1;

	while (e->line[i].endpoint != share->endpoint)
		i--;
	free(e->line[i].text);
	memmove(&e->line[i], &e->line[i + 1], (e->lines - i - 1) * sizeof(e->line[0]));
	e->lines--;
	share->lines--;
	e->dropped++;
}

/*
 * Whether a line more of `endpoint` is fair. If all are taken, the endpoint that has most has to
 * give one, which only helps if it has then no fewer than this one: so at every moment the lines
 * are shared out as if all events were known, and no more of them need be kept.
 */
static bool make_room(struct gp_events *e, uint32_t endpoint)
{
	const struct share *own = share_of(e, endpoint);
	struct share *largest;

	if (e->lines < GP_EVENTS_PER_S)
		return true;
	largest = largest_share(e);
	if ((own ? own->lines : 0) + 1 >= largest->lines)
		return false;
	take_from(e, largest);
	return true;
}

void gp_events_add(struct gp_events *e, const struct gp_event *event)
{
	struct line new = {};
	struct share *share;

	if (!e)
		return;
	if (!make_room(e, event->endpoint) || render(e, event, &new)) {
		e->dropped++;
		return;
	}
	share = share_of(e, event->endpoint);
	if (!share) {
		share = &e->share[e->shares++];
		*share = (struct share){.endpoint = event->endpoint};
	}
	share->lines++;
	e->line[e->lines++] = new;
}

/* The second that was collected becomes what is to be sent; without memory for it, it is lost. */
static void close_second(struct gp_events *e)
{
	size_t len = 0;

	for (size_t i = 0; i < e->lines; i++)
		len += e->line[i].len;
	e->unsent = e->lines ? malloc(len) : NULL;
	if (!e->unsent) {
		e->dropped += e->lines;
		forget_second(e);
		return;
	}
	for (size_t i = 0; i < e->lines; i++) {
		memcpy(e->unsent + e->unsent_len, e->line[i].text, e->line[i].len);
		e->unsent_len += e->line[i].len;
	}
	e->unsent_lines = e->lines;
	forget_second(e);
}

/* One attempt to write what is to be sent, and before it what the sink has kept. */
static void send_out(struct gp_events *e)
{
	bool taken = false;
	int rc = 0;

	if (gp_sink_is_lost(&e->sink))
		rc = gp_sink_open(&e->sink);
	if (!rc)
		rc = gp_sink_flush(&e->sink);
	if (!rc && e->unsent)
		rc = gp_sink_write(&e->sink, &e->unsent, e->unsent_len, &taken);
	settle(e, rc);
	if (taken)
		forget_unsent(e);
}

/* Sends what is left of earlier seconds; then, if all of it went, the one that was collected. */
static void write_second(struct gp_events *e)
{
	send_out(e);
	if (e->unsent) {
		e->dropped += e->lines;
		forget_second(e);
	} else if (e->lines) {
		close_second(e);
		send_out(e);
	}
}

void gp_events_flush(struct gp_events *e, uint64_t now_ns)
{
	if (!e || now_ns / NS_PER_S == e->second)
		return;
	write_second(e);
	e->second = now_ns / NS_PER_S;
}

int gp_events_due_ms(const struct gp_events *e, uint64_t now_ns)
{
	uint64_t end_ns = e ? (e->second + 1) * NS_PER_S : 0;

	if (!e || !e->lines)
		return -1;
	return now_ns >= end_ns ? 0 : (end_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

void gp_events_finish(struct gp_events *e)
{
	if (!e)
		return;
	write_second(e);
	e->dropped += e->unsent_lines;
	forget_unsent(e);
}

void gp_events_reopen(struct gp_events *e)
{
	if (e)
		settle(e, gp_sink_open(&e->sink));
}

uint64_t gp_events_take_dropped(struct gp_events *e)
{
	uint64_t dropped = e ? e->dropped : 0;

	if (e)
		e->dropped = 0;
	return dropped;
}

bool gp_events_healthy(const struct gp_events *e)
{
	return !e || !e->error;
}
