/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives a parser's steps over a stream that comes in chunks, holds them to what gp_parser.h
 * promises, and notes which messages they saw. For unit tests and fuzzers alike, so nothing here
 * asserts: what is broken is said in `fault`.
 *
 *	assert_null(steps_every_way(&s, gp_x_request, bytes, len));
 *	assert_int_equal(s.count, 1);
 *	assert_int_equal(s.messages[0].end, len);
 */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gp_parser.h"

#define STEPS_MESSAGES 64 /* kept to look at; all are compared */
#define STEPS_OPEN UINT64_MAX

/* Events that belong to a message as a whole. */
#define STEPS_FLAGS (GP_EVENT_NAMED | GP_EVENT_ASIDE | GP_EVENT_STREAM | GP_EVENT_BODY_TO_CLOSE)

typedef int (*steps_step)(struct gp_parser *p, const __u8 *at, __u32 len);

/* One message. Operation and status are 0 unless it was NAMED. */
struct steps_message {
	uint64_t begin, end; /* offsets in the stream; end: STEPS_OPEN if it did not end */
	uint16_t operation, status;
	uint32_t flags; /* STEPS_FLAGS, of all its steps; no padding, it is compared as bytes */
};

struct steps {
	/* Set before: operations of the requests, in order, if the stream is of answers. */
	const uint16_t *requests;
	size_t requests_count;
	/* What came of it. */
	struct steps_message messages[STEPS_MESSAGES];
	size_t count;	   /* messages begun */
	size_t ended;	   /* messages ended */
	size_t answers;	   /* ended, and not ASIDE */
	uint64_t digest;   /* over all that ended */
	uint64_t taken;	   /* bytes taken and skipped; may be more than there were */
	uint64_t steps;	   /* steps that took something */
	bool lost;	   /* the parser gave up */
	bool closed;	   /* STREAM or BODY_TO_CLOSE: no step was called behind it */
	const char *fault; /* a promise that was broken; NULL: none */
	/* Of the message that has begun and not ended. */
	struct steps_message open;
	bool is_open;
	struct gp_parser p;
};

static inline uint32_t steps_random(uint32_t *seed)
{
	*seed ^= *seed << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static inline void steps_digest(struct steps *s, uint64_t value)
{
	s->digest = (s->digest ^ value) * 0x100000001b3ull;
	s->digest ^= s->digest >> 29;
}

static inline void steps_keep(struct steps *s)
{
	if (s->count > 0 && s->count <= STEPS_MESSAGES)
		s->messages[s->count - 1] = s->open;
}

/* Notes the events of a step that took the `taken` bytes at `start`. */
static inline void steps_note(struct steps *s, uint64_t start, uint64_t taken)
{
	const struct gp_parser *p = &s->p;

	if (p->events & GP_EVENT_BEGIN) {
		if (s->is_open)
			s->fault = "a message begins before the last one ended";
		s->open = (struct steps_message){.begin = start, .end = STEPS_OPEN};
		s->is_open = true;
		s->count++;
	} else if (!s->is_open && p->events & (STEPS_FLAGS | GP_EVENT_END)) {
		s->fault = "an event outside of any message";
	}
	s->open.flags |= p->events & STEPS_FLAGS;
	if (s->open.flags & GP_EVENT_NAMED) {
		s->open.operation = p->operation;
		s->open.status = p->status;
	}
	if (p->events & (GP_EVENT_STREAM | GP_EVENT_BODY_TO_CLOSE))
		s->closed = true;
	if (p->events & GP_EVENT_END) {
		s->open.end = start + taken + p->skip;
		s->is_open = false;
		s->ended++;
		s->answers += !(s->open.flags & GP_EVENT_ASIDE);
		steps_digest(s, s->open.begin);
		steps_digest(s, s->open.end);
		steps_digest(s, (uint64_t)s->open.operation << 32 | s->open.status << 8 |
					s->open.flags);
	}
	steps_keep(s);
}

/* One step on the `have` bytes at the beginning of `window`. Whether it took something. */
static inline bool steps_one(struct steps *s, steps_step step, const uint8_t *window, size_t have)
{
	struct gp_parser before;
	int taken;

	if (s->p.state == 0)
		s->p.request = s->answers < s->requests_count ? s->requests[s->answers] : 0;
	before = s->p;
	taken = step(&s->p, window, (__u32)have);
	if (taken == GP_PARSE_LOST) {
		s->lost = true;
		return false;
	}
	if (taken == GP_PARSE_MORE) {
		before.events = s->p.events;
		if (have >= GP_LOOK)
			s->fault = "asks for more than GP_LOOK bytes";
		if (memcmp(&before, &s->p, sizeof(before)) != 0)
			s->fault = "asks for more, but has changed what it knows";
		return false;
	}
	if (taken < 1 || (size_t)taken > have) {
		s->fault = "took more bytes than there are, or less than one";
		return false;
	}
	s->steps++;
	steps_note(s, s->taken, (uint64_t)taken);
	s->taken += (uint64_t)taken;
	return true;
}

/* All steps that the first `have` bytes of the stream allow. */
static inline void steps_chunk(struct steps *s, steps_step step, const uint8_t *stream, size_t have,
			       uint8_t *window, uint32_t *seed)
{
	while (!s->lost && !s->closed && !s->fault && s->taken < have) {
		size_t left = have - s->taken, look = left < GP_LOOK ? left : GP_LOOK;

		/* What is not there yet may be anything: line ends and digits lead astray best. */
		memset(window, "\n0\r:\0 G\xff"[*seed & 7], GP_LOOK);
		memcpy(window, stream + s->taken, look);
		if (!steps_one(s, step, window, look))
			return;
		if (s->p.skip > UINT64_MAX - s->taken) {
			s->fault = "skips beyond all bounds";
			return;
		}
		s->taken += s->p.skip;
		s->p.skip = 0;
		steps_random(seed);
	}
}

/*
 * The stream in chunks: `first` bytes, then the rest at once if `seed` is 0, else pieces of random
 * lengths. What `s` held is gone but for `requests`.
 */
static inline void steps_run(struct steps *s, steps_step step, const void *stream, size_t len,
			     size_t first, uint32_t seed)
{
	uint8_t *window = (uint8_t *)malloc(GP_LOOK); /* so that the sanitizer sees its ends */
	uint32_t random = seed ? seed : 0x9e3779b9u;
	size_t have = first < len ? first : len;

	*s = (struct steps){.requests = s->requests, .requests_count = s->requests_count};
	if (!window) {
		s->fault = "no memory";
		return;
	}
	for (;;) {
		steps_chunk(s, step, (const uint8_t *)stream, have, window, &random);
		if (have == len)
			break;
		if (seed)
			have += 1 + steps_random(&random) % (random & 0x100 ? 4 : 80);
		else
			have = len;
		if (have > len)
			have = len;
	}
	free(window);
}

/* How the same stream was seen in other chunks: NULL, or what differs. */
static inline const char *steps_difference(const struct steps *a, const struct steps *b)
{
	if (a->lost != b->lost)
		return "lost in one way of splitting, not in another";
	if (a->ended != b->ended || a->digest != b->digest)
		return "messages differ with the way of splitting";
	if (a->lost)
		return NULL; /* how far it got with the last message may differ */
	if (a->count != b->count || a->closed != b->closed || a->is_open != b->is_open ||
	    memcmp(&a->open, &b->open, sizeof(a->open)) != 0)
		return "the last message differs with the way of splitting";
	return NULL;
}

/* Once more in other chunks than `whole` was: NULL, or what is broken. */
static inline const char *steps_again(const struct steps *whole, steps_step step,
				      const void *stream, size_t len, size_t first, uint32_t seed)
{
	struct steps split;

	split.requests = whole->requests;
	split.requests_count = whole->requests_count;
	steps_run(&split, step, stream, len, first, seed);
	return split.fault ? split.fault : steps_difference(whole, &split);
}

/*
 * The stream whole, which is what `s` then shows, split at every place, byte by byte, and in random
 * chunks. NULL, or the promise that was broken.
 */
static inline const char *steps_every_way(struct steps *s, steps_step step, const void *stream,
					  size_t len)
{
	steps_run(s, step, stream, len, len, 0);
	for (size_t cut = 0; cut < len && !s->fault; cut++)
		s->fault = steps_again(s, step, stream, len, cut, 0);
	for (uint32_t seed = 1; seed <= 100 && !s->fault; seed++)
		s->fault = steps_again(s, step, stream, len, seed % 8, seed);
	return s->fault;
}

#endif
