/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an HTTP message comes behind its first line: header lines, chunks, trailers. They are
 * alike in requests and answers but for what ends a body.
 */
#ifndef GP_HTTP_HEAD_H
#define GP_HTTP_HEAD_H

#include <stdbool.h>

#include "gp_http_method.h"

/* gp_parser.state: what comes next. */
enum gp_http_state {
	GP_HTTP_START,	     /* a first line */
	GP_HTTP_TARGET,	     /* of a request */
	GP_HTTP_VERSION,     /* of a request, and the end of its line */
	GP_HTTP_SKIP,	     /* the rest of a line that tells nothing */
	GP_HTTP_HEADER,	     /* a header line, a trailer, or the empty line */
	GP_HTTP_NAME,	     /* the rest of a long name */
	GP_HTTP_LENGTH,	     /* the value of Content-Length */
	GP_HTTP_LENGTH_END,  /* what may stand behind its digits */
	GP_HTTP_CODING,	     /* an element of Transfer-Encoding */
	GP_HTTP_CODING_REST, /* the rest of one that is not chunked */
	GP_HTTP_TYPE,	     /* the value of Content-Type */
	GP_HTTP_CHUNK,	     /* a chunk's size */
	GP_HTTP_CHUNK_REST,  /* what stands behind it in its line */
	GP_HTTP_CHUNK_END,   /* the line end behind a chunk */
	GP_HTTP_CLOSED	     /* nothing that a step could take */
};

/* gp_parser.mark: what is known of the message. */
#define GP_HTTP_MARK_LENGTH 1	/* gp_http_number is its Content-Length */
#define GP_HTTP_MARK_CODING 2	/* it has a Transfer-Encoding */
#define GP_HTTP_MARK_CHUNKED 4	/* whose last element, so far, is chunked */
#define GP_HTTP_MARK_TRAILER 8	/* header lines are behind the body, and tell nothing */
#define GP_HTTP_MARK_ASIDE 16	/* 1xx */
#define GP_HTTP_MARK_NO_BODY 32 /* whatever its header lines say */

/*
 * Lengths and sizes are below 2^56: seven bytes are left in a gp_parser. Longer ones are LOST, and
 * so are those written with more digits, be they zeros.
 */
#define GP_HTTP_NUMBER_BITS 56
#define GP_HTTP_DIGITS 17
#define GP_HTTP_HEX_DIGITS 14

static __always_inline void gp_http_set_number(struct gp_parser *p, __u64 number)
{
	p->items = number;
	p->own[0] = number >> 32;
	p->own[1] = number >> 40;
	p->own[2] = number >> 48;
}

static __always_inline __u64 gp_http_number(const struct gp_parser *p)
{
	return p->items | (__u64)p->own[0] << 32 | (__u64)p->own[1] << 40 | (__u64)p->own[2] << 48;
}

static __always_inline bool gp_is_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/* A line end that has to be here. */
static __always_inline int gp_http_empty_line(const __u8 *at, __u32 len)
{
	if (at[0] == '\n')
		return 1;
	if (at[0] != '\r')
		return GP_PARSE_LOST;
	if (len < 2)
		return GP_PARSE_MORE;
	return at[1] == '\n' ? 2 : GP_PARSE_LOST;
}

/* How many bytes there are up to the end of the line and with it; 0 if that is not among `len`. */
static __always_inline __u32 gp_http_line(const __u8 *at, __u32 len)
{
	__u32 taken;

	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 end = gp_has_byte(gp_load8(at + i), '\n');

		if (end) {
			taken = i + gp_up_to(end);
			return taken <= len ? taken : 0;
		}
	}
	return 0;
}

/* Takes the line, or what is here of it, and goes on with `next` behind it. */
static __always_inline int gp_http_skip_line(struct gp_parser *p, const __u8 *at, __u32 len,
					     __u8 rest, __u8 next)
{
	__u32 line = gp_http_line(at, len);

	p->state = line ? next : rest;
	return line ? line : len;
}

/*
 * How long a header's name is, with its colon; GP_PARSE_MORE if that is not among `len` bytes.
 * Blanks, control characters and bytes above 127 in a name are LOST.
 */
static __always_inline int gp_http_name(const __u8 *at, __u32 len)
{
	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 word = gp_load8(at + i), colon = gp_has_byte(word, ':');
		__u64 end = colon | gp_has_below(word, '!') | (word & 0x8080808080808080ull);
		__u32 taken;

		if (!end)
			continue;
		taken = i + gp_up_to(end);
		if (taken > len)
			return GP_PARSE_MORE;
		return end & -end & colon ? (int)taken : GP_PARSE_LOST;
	}
	return GP_PARSE_MORE;
}

/* Which state reads the value of the header whose name has `name` bytes with its colon. */
static __always_inline __u8 gp_http_value_state(const __u8 *at, __u32 name, bool answer)
{
	__u64 first = gp_load8(at) | GP_LOWER8, second = gp_load8(at + 8) | GP_LOWER8;

	/* A name has no control characters, so nothing but '-' looks like one here. */
	if (name == sizeof("content-length") && first == GP_WORD8("content-") &&
	    gp_low_bytes(second, 6) == GP_WORD8("length"))
		return GP_HTTP_LENGTH;
	if (name == sizeof("transfer-encoding") && first == GP_WORD8("transfer") &&
	    second == GP_WORD8("-encodin") && (at[16] | 0x20) == 'g')
		return GP_HTTP_CODING;
	if (answer && name == sizeof("content-type") && first == GP_WORD8("content-") &&
	    gp_low_bytes(second, 4) == GP_WORD8("type"))
		return GP_HTTP_TYPE;
	return GP_HTTP_SKIP;
}

static __always_inline void gp_http_end(struct gp_parser *p)
{
	p->events |= GP_EVENT_END | (p->mark & GP_HTTP_MARK_ASIDE ? GP_EVENT_ASIDE : 0);
	p->state = GP_HTTP_START;
	p->mark = 0;
}

/* The empty line was taken: what follows it? RFC 9112, 6.3. `taken`, or GP_PARSE_LOST. */
static __always_inline int gp_http_head_end(struct gp_parser *p, int taken, bool answer)
{
	__u8 mark = p->mark;

	if (mark & (GP_HTTP_MARK_TRAILER | GP_HTTP_MARK_ASIDE | GP_HTTP_MARK_NO_BODY)) {
		gp_http_end(p);
		return taken;
	}
	if (mark & GP_HTTP_MARK_CHUNKED) {
		p->state = GP_HTTP_CHUNK;
		return taken;
	}
	if (!answer && mark & GP_HTTP_MARK_CODING)
		return GP_PARSE_LOST;
	if (answer && (mark & GP_HTTP_MARK_CODING || !(mark & GP_HTTP_MARK_LENGTH))) {
		p->events = GP_EVENT_BODY_TO_CLOSE;
		p->state = GP_HTTP_CLOSED;
		return taken;
	}
	if (mark & GP_HTTP_MARK_LENGTH)
		p->skip = gp_http_number(p);
	gp_http_end(p);
	return taken;
}

static __always_inline int gp_http_header_step(struct gp_parser *p, const __u8 *at, __u32 len,
					       bool answer)
{
	__u8 state = GP_HTTP_SKIP;
	int name;

	if (at[0] == '\r' || at[0] == '\n') {
		int taken = gp_http_empty_line(at, len);

		return taken > 0 ? gp_http_head_end(p, taken, answer) : taken;
	}
	name = gp_http_name(at, len);
	if (name == GP_PARSE_MORE && len == GP_LOOK) {
		p->state = GP_HTTP_NAME;
		return len;
	}
	if (name <= 0)
		return name;
	if (name == 1)
		return GP_PARSE_LOST;
	if (!(p->mark & GP_HTTP_MARK_TRAILER))
		state = gp_http_value_state(at, name, answer);
	if (state == GP_HTTP_SKIP)
		return gp_http_skip_line(p, at, len, GP_HTTP_SKIP, GP_HTTP_HEADER);
	if (state == GP_HTTP_CODING)
		p->mark |= GP_HTTP_MARK_CODING;
	p->state = state;
	/* These names are short; the verifier does not know it. */
	return name + ((__u32)name < len && at[name & 31] == ' ');
}

static __always_inline int gp_http_name_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	int name = gp_http_name(at, len);

	if (name == GP_PARSE_MORE)
		return len;
	if (name > 0)
		p->state = GP_HTTP_SKIP;
	return name;
}

/* One digit at least, and GP_HTTP_DIGITS at most; the line's end with them, if it is just that. */
static __always_inline int gp_http_length_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 number = 0;
	__u32 i;

	if (gp_is_blank(at[0]))
		return 1;
	for (i = 0; i <= GP_HTTP_DIGITS; i++) {
		if (i >= len)
			return GP_PARSE_MORE;
		if (!gp_is_digit(at[i]))
			break;
		number = number * 10 + (at[i] - '0');
	}
	if (i == 0 || i > GP_HTTP_DIGITS || number >> GP_HTTP_NUMBER_BITS)
		return GP_PARSE_LOST;
	if (p->mark & GP_HTTP_MARK_LENGTH && gp_http_number(p) != number)
		return GP_PARSE_LOST;
	p->mark |= GP_HTTP_MARK_LENGTH;
	gp_http_set_number(p, number);
	if (i + 2 <= len && at[i] == '\r' && at[i + 1] == '\n') {
		p->state = GP_HTTP_HEADER;
		return i + 2;
	}
	p->state = GP_HTTP_LENGTH_END;
	return i;
}

static __always_inline int gp_http_length_end_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	int taken;

	if (gp_is_blank(at[0]))
		return 1;
	taken = gp_http_empty_line(at, len);
	if (taken > 0)
		p->state = GP_HTTP_HEADER;
	return taken;
}

/* The rest of a coding: up to a comma or the end of the line. */
static __always_inline int gp_http_coding_rest_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 word = gp_load8(at + i), comma = gp_has_byte(word, ',');
		__u64 end = comma | gp_has_byte(word, '\n');
		__u32 taken;

		if (!end)
			continue;
		taken = i + gp_up_to(end);
		if (taken > len)
			break;
		p->state = end & -end & comma ? GP_HTTP_CODING : GP_HTTP_HEADER;
		return taken;
	}
	p->state = GP_HTTP_CODING_REST;
	return len;
}

static __always_inline int gp_http_coding_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	if (gp_is_blank(at[0]) || at[0] == ',')
		return 1;
	if (at[0] == '\r' || at[0] == '\n')
		return gp_http_length_end_step(p, at, len);
	if (len < 7 && !gp_http_line(at, len))
		return GP_PARSE_MORE;
	/* What stands behind it without a comma is taken for another coding, and not chunked. */
	if (gp_low_bytes(gp_load8(at) | GP_LOWER8, 7) == GP_WORD8("chunked")) {
		p->mark |= GP_HTTP_MARK_CHUNKED;
		return 7;
	}
	p->mark &= ~GP_HTTP_MARK_CHUNKED;
	return gp_http_coding_rest_step(p, at, len);
}

/* Server-sent events are a stream: an answer that is there to go on. */
static __always_inline int gp_http_type_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 first = gp_load8(at) | GP_LOWER8, second = gp_load8(at + 8) | GP_LOWER8;
	__u8 end = at[17];

	if (gp_is_blank(at[0]))
		return 1;
	if (len < 18 && !gp_http_line(at, len))
		return GP_PARSE_MORE;
	if (first == GP_WORD8("text/eve") && second == GP_WORD8("nt-strea") &&
	    (at[16] | 0x20) == 'm' &&
	    (gp_is_blank(end) || end == ';' || end == '\r' || end == '\n') &&
	    !(p->mark & (GP_HTTP_MARK_ASIDE | GP_HTTP_MARK_NO_BODY)) && p->status - 200u < 100) {
		p->events = GP_EVENT_STREAM;
		p->state = GP_HTTP_CLOSED;
		return 17;
	}
	return gp_http_skip_line(p, at, len, GP_HTTP_SKIP, GP_HTTP_HEADER);
}

/* The line of a chunk's size was taken. */
static __always_inline void gp_http_chunk_begins(struct gp_parser *p, __u64 size)
{
	p->skip = size;
	p->state = GP_HTTP_CHUNK_END;
	if (size == 0) {
		p->mark = GP_HTTP_MARK_TRAILER;
		p->state = GP_HTTP_HEADER;
	}
}

/* The value of a hexadecimal digit; 16 or more if it is none. */
static __always_inline __u32 gp_http_hex(__u8 c)
{
	__u8 digit = c - '0', letter = (c | 0x20) - 'a';

	return digit <= 9 ? digit : letter <= 5 ? letter + 10u : 16u;
}

static __always_inline int gp_http_chunk_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 size = 0;
	__u32 i;
	int end;

	for (i = 0; i <= GP_HTTP_HEX_DIGITS; i++) {
		__u32 digit;

		if (i >= len)
			return GP_PARSE_MORE;
		digit = gp_http_hex(at[i]);
		if (digit > 15)
			break;
		size = size << 4 | digit;
	}
	if (i == 0 || i > GP_HTTP_HEX_DIGITS)
		return GP_PARSE_LOST;
	if (gp_is_blank(at[i]) || at[i] == ';') {
		gp_http_set_number(p, size);
		p->state = GP_HTTP_CHUNK_REST;
		return i;
	}
	end = gp_http_empty_line(at + i, len - i);
	if (end <= 0)
		return end;
	gp_http_chunk_begins(p, size);
	return i + end;
}

static __always_inline int gp_http_chunk_rest_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 line = gp_http_line(at, len);

	if (!line)
		return len;
	gp_http_chunk_begins(p, gp_http_number(p));
	return line;
}

static __always_inline int gp_http_chunk_end_step(struct gp_parser *p, const __u8 *at, __u32 len)
{
	int taken = gp_http_empty_line(at, len);

	if (taken > 0)
		p->state = GP_HTTP_CHUNK;
	return taken;
}

/* A step behind the first line. */
static __always_inline int gp_http_rest(struct gp_parser *p, const __u8 *at, __u32 len, bool answer)
{
	switch (p->state) {
	case GP_HTTP_HEADER:
		return gp_http_header_step(p, at, len, answer);
	case GP_HTTP_SKIP:
		return gp_http_skip_line(p, at, len, GP_HTTP_SKIP, GP_HTTP_HEADER);
	case GP_HTTP_NAME:
		return gp_http_name_step(p, at, len);
	case GP_HTTP_LENGTH:
		return gp_http_length_step(p, at, len);
	case GP_HTTP_LENGTH_END:
		return gp_http_length_end_step(p, at, len);
	case GP_HTTP_CODING:
		return gp_http_coding_step(p, at, len);
	case GP_HTTP_CODING_REST:
		return gp_http_coding_rest_step(p, at, len);
	case GP_HTTP_TYPE:
		return answer ? gp_http_type_step(p, at, len) : GP_PARSE_LOST;
	case GP_HTTP_CHUNK:
		return gp_http_chunk_step(p, at, len);
	case GP_HTTP_CHUNK_REST:
		return gp_http_chunk_rest_step(p, at, len);
	case GP_HTTP_CHUNK_END:
		return gp_http_chunk_end_step(p, at, len);
	default:
		return GP_PARSE_LOST;
	}
}

#endif
