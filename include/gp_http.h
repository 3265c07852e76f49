/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.0 and 1.1 (RFC 9110, RFC 9112), as gp_parser.h says. A message is its first line, header
 * lines up to an empty one, and a body whose length these tell. A step takes a method, a target, a
 * version, a line, the name or value of a header that tells how long the body is, or the size of a
 * chunk. Lines that tell nothing are taken whole, or by windows.
 *
 * What a sender and a server may read in two ways (two lengths, a blank before a colon, a folded
 * line, a request whose coding does not end in chunked) is LOST: a wrong guess would take a body
 * for requests. Bare line feeds are line ends.
 *
 * Of answers, `request` tells what is answered: GP_HTTP_HEAD has no body, GP_HTTP_CONNECT a stream.
 * A stream begins with GP_EVENT_STREAM and no GP_EVENT_END. Behind it, behind
 * GP_EVENT_BODY_TO_CLOSE and behind GP_PARSE_LOST no step follows.
 */
#ifndef GP_HTTP_H
#define GP_HTTP_H

#include <stdbool.h>

#include "gp_http_head.h"
#include "gp_records.h"

/* The request line begins: a method, or an empty line that some clients send behind a body. */
static __always_inline int gp_http_method_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u16 operation;
	int taken;

	if (at[0] == '\r' || at[0] == '\n')
		return gp_http_empty_line(at, len);
	taken = gp_http_method(at, len, &operation);
	if (taken <= 0)
		return taken;
	p->operation = operation;
	p->mark = 0;
	p->state = GP_HTTP_TARGET;
	p->events = GP_EVENT_BEGIN | GP_EVENT_NAMED;
	return taken;
}

/* The target, of any length, and the blank behind it. HTTP/0.9 has none, and is LOST. */
static __always_inline int gp_http_target_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 word = gp_load8(at + i), end = gp_has_below(word, '!');
		__u32 taken;

		if (!end)
			continue;
		taken = i + gp_up_to(end);
		if (taken > len)
			break;
		if (!(end & -end & gp_has_byte(word, ' ')))
			return GP_PARSE_LOST;
		p->state = GP_HTTP_VERSION;
		return taken;
	}
	return len;
}

static __always_inline int gp_http_version_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 word = gp_load8(at);
	int end;

	if (at[0] == ' ')
		return 1;
	if (gp_low_bytes(word ^ GP_WORD8("HTTP/1."), len < 7 ? len : 7))
		return GP_PARSE_LOST;
	if (len > 7 && !gp_is_digit(at[7]))
		return GP_PARSE_LOST;
	if (len < 9)
		return GP_PARSE_MORE;
	end = gp_http_empty_line(at + 8, len - 8);
	if (end <= 0)
		return end;
	p->state = GP_HTTP_HEADER;
	return 8 + end;
}

/* The status, 100 to 599, that the 12 bytes at the beginning of an answer tell; 0 if it is none. */
static __always_inline int gp_http_status(const __u8 *at)
{
	__u8 hundreds = at[9] - '0', tens = at[10] - '0', ones = at[11] - '0';

	if (gp_low_bytes(gp_load8(at) ^ GP_WORD8("HTTP/1."), 7) || at[8] != ' ')
		return 0;
	if (!gp_is_digit(at[7]) || hundreds - 1u > 4 || tens > 9 || ones > 9)
		return 0;
	return hundreds * 100 + tens * 10 + ones;
}

/* A status line, or what is here of it. */
static __always_inline int gp_http_status_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	int status;

	if (gp_low_bytes(gp_load8(at) ^ GP_WORD8("HTTP/1."), len < 7 ? len : 7))
		return GP_PARSE_LOST;
	if (len < 13)
		return GP_PARSE_MORE;
	status = gp_http_status(at);
	if (!status || (at[12] != ' ' && at[12] != '\r' && at[12] != '\n'))
		return GP_PARSE_LOST;
	p->status = status;
	p->mark = 0;
	p->events = GP_EVENT_BEGIN | GP_EVENT_NAMED;
	if (status == 101 || (p->request == GP_HTTP_CONNECT && status - 200u < 100)) {
		p->events |= GP_EVENT_STREAM;
	} else if (status < 200) {
		p->mark = GP_HTTP_MARK_ASIDE;
		p->events |= GP_EVENT_ASIDE;
	} else if (p->request == GP_HTTP_HEAD || status == 204 || status == 304) {
		p->mark = GP_HTTP_MARK_NO_BODY;
	}
	return gp_http_skip_line(p, at, len, GP_HTTP_SKIP, GP_HTTP_HEADER);
}

static __always_inline int gp_http_request(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	switch (p->state) {
	case GP_HTTP_START:
		return gp_http_method_step(p, at, len);
	case GP_HTTP_TARGET:
		return gp_http_target_step(p, at, len);
	case GP_HTTP_VERSION:
		return gp_http_version_step(p, at, len);
	default:
		return gp_http_rest(p, at, len, false);
	}
}

static __always_inline int gp_http_response(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	if (p->state == GP_HTTP_START)
		return gp_http_status_step(p, at, len);
	return gp_http_rest(p, at, len, true);
}

#define GP_HTTP_PLAIN 512

/* What the cheap look sees. */
struct gp_http_bytes {
	__u8 at[GP_HTTP_PLAIN + 8];
};

/* Does the line that begins behind the marked one of the eight bytes at `i` ask for a stream? */
GP_ONCE int gp_http_asks_for_events(struct gp_http_bytes *bytes, __u32 i, __u64 marked)
{
	const __u8 *at = (const __u8 *)bytes;
	__u32 next;

	if (!bytes || !marked)
		return 0;
	next = i + gp_up_to(marked);
	asm volatile("" : "+r"(next)); /* the check is for the verifier: of this, not of a sum */
	if (next > GP_HTTP_PLAIN - 16)
		return 0;
	return (gp_load8(at + next) | GP_LOWER8) == GP_WORD8("accept: ") &&
	       (gp_load8(at + next + 8) | GP_LOWER8) == GP_WORD8("text/eve");
}

/*
 * The cheap look at a segment of `len` bytes, of which `bytes` (a struct gp_http_bytes) has the
 * first 512, and what is behind them undefined: true if it is one whole request and nothing else,
 * of a method that is taken to have no body, so that no step is needed; but not one that asks for
 * server-sent events, whose answer's head has to be looked at. `p->operation` is then set, and
 * nothing else. What a step would call LOST may pass.
 *
 * Looks for line feeds, eight bytes at a time, and at what stands behind each: the head ends where
 * that is another one, with a CR before it or without, which has to be the segment's last byte.
 */
static __always_inline bool gp_http_plain(const __u8 *bytes, __u32 len, struct gp_parser *p)
{
	const __u64 ones = 0x0101010101010101ull, high = ones << 7;

	if (len < 16 || len > GP_HTTP_PLAIN) /* "GET / HTTP/1.0", LF, LF */
		return false;
	if (!gp_http_known_method(bytes, &p->operation) || !gp_http_is_bodiless(p->operation))
		return false;
	for (__u32 i = 0; i < GP_HTTP_PLAIN && i < len; i += 8) {
		__u64 word = gp_load8(bytes + i), next, ends, crs, empty, accept;

		/* Also true of some bytes above 127, and that does no harm. */
		if (!(((word ^ ones * '\n') - ones) & high))
			continue;
		next = gp_load8(bytes + i + 1);
		ends = gp_mark_bytes(word, '\n');
		crs = gp_mark_bytes(next, '\r') & gp_mark_bytes(gp_load8(bytes + i + 2), '\n');
		empty = ends & (gp_mark_bytes(next, '\n') | crs);
		if (empty)
			return i + gp_up_to(empty) + 1 + !!(empty & -empty & crs) == len;
		accept = ends & gp_mark_bytes(next | GP_LOWER8, 'a');
		if (accept && gp_http_asks_for_events((struct gp_http_bytes *)bytes, i, accept))
			return false;
	}
	return false;
}

/* The status of an answer by its first bytes; 0 if it is none, or fewer than 12 are there. */
static __always_inline int gp_http_plain_status(const __u8 *at, __u32 len)
{
	return len < 12 ? 0 : gp_http_status(at);
}

/* The error that a status stands for; GP_ERROR_COUNT if it is none. */
static __always_inline enum gp_error gp_http_error(__u16 status)
{
	if (status >= 500 && status <= 599)
		return GP_ERROR_SERVER;
	return status >= 400 && status <= 499 ? GP_ERROR_CLIENT : GP_ERROR_COUNT;
}

#endif
