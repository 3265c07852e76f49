/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis' answers in RESP2 and RESP3, as gp_parser.h says. An answer is a tree of elements. It is
 * followed by one number, `items`: how many elements are still missing, at first the answer itself.
 * An element takes one off and adds its own; attributes add theirs and take none off, as the
 * element they belong to is still to come. At 0 the answer ends:
 *
 *	*2 (1 - 1 + 2) $3 foo (1) *1 (1 - 1 + 1) :7 (0)
 *
 * The outermost element's type is the status. A step takes up to four elements that are whole in
 * the window, or the beginning of one. A push (RESP3) is an answer to nothing: GP_EVENT_ASIDE.
 * Strings of unknown length (`$?`), which no server sends, are LOST.
 */
#ifndef GP_REDIS_RESPONSE_H
#define GP_REDIS_RESPONSE_H

#include "gp_redis_head.h"
#include "gp_redis_name.h"

enum gp_redis_response_state { GP_REDIS_IN_ELEMENTS = 1, GP_REDIS_IN_TEXT };

#define GP_REDIS_ELEMENTS_A_STEP 4
#define GP_REDIS_ERROR_MAX 16		   /* no first word of an error is longer */
#define GP_REDIS_MISSING_MAX 0x80000000ull /* elements, in all */
#define GP_REDIS_TEXT_LOOK 8		   /* bytes of a line that are looked at with its type */

/* What the longest element needs behind its beginning. */
#define GP_REDIS_ELEMENT_BYTES (GP_REDIS_HEAD_MAX + GP_REDIS_ERROR_MAX + GP_REDIS_TEXT_LOOK)

/* How many bytes of text there are up to a line's end, at most `room`; 0 if it is further on. */
static __always_inline __u32 gp_redis_line_end(const __u8 *at, __u32 room)
{
	for (__u32 i = 0; i < room; i += 8) {
		__u64 end = gp_has_byte(gp_load8(at + i), '\n');

		if (end)
			return i + gp_up_to(end);
	}
	return 0;
}

/* What a type is: of a line, of a string with its length before it, of elements. */
enum gp_redis_kind {
	GP_REDIS_IS_LINE = 1,
	GP_REDIS_IS_STRING = 2,
	GP_REDIS_IS_ELEMENTS = 4,
	GP_REDIS_IS_ERROR = 8,
	GP_REDIS_IS_PUSH = 16,
	GP_REDIS_IS_ATTRIBUTE = 32,
	GP_REDIS_IS_PAIRS = 64
};

/* What the byte behind a type may be. */
enum gp_redis_next {
	GP_REDIS_TEXT = 1,
	GP_REDIS_LENGTH = 2,
	GP_REDIS_INTEGER = 4,
	GP_REDIS_DOUBLE = 8,
	GP_REDIS_TRUTH = 16,
	GP_REDIS_NIL = 32
};

/* Tables, as the verifier walks what follows a switch once for each case. */
static const struct gp_redis_type {
	__u8 kind, next;
} gp_redis_types[256] = {
	['+'] = {GP_REDIS_IS_LINE, GP_REDIS_TEXT},
	['-'] = {GP_REDIS_IS_LINE | GP_REDIS_IS_ERROR, GP_REDIS_TEXT},
	[':'] = {GP_REDIS_IS_LINE, GP_REDIS_INTEGER},
	['('] = {GP_REDIS_IS_LINE, GP_REDIS_INTEGER},
	[','] = {GP_REDIS_IS_LINE, GP_REDIS_DOUBLE},
	['#'] = {GP_REDIS_IS_LINE, GP_REDIS_TRUTH},
	['_'] = {GP_REDIS_IS_LINE, GP_REDIS_NIL},
	['$'] = {GP_REDIS_IS_STRING, GP_REDIS_LENGTH},
	['='] = {GP_REDIS_IS_STRING, GP_REDIS_LENGTH},
	['!'] = {GP_REDIS_IS_STRING | GP_REDIS_IS_ERROR, GP_REDIS_LENGTH},
	['*'] = {GP_REDIS_IS_ELEMENTS, GP_REDIS_LENGTH},
	['~'] = {GP_REDIS_IS_ELEMENTS, GP_REDIS_LENGTH},
	['>'] = {GP_REDIS_IS_ELEMENTS | GP_REDIS_IS_PUSH, GP_REDIS_LENGTH},
	['%'] = {GP_REDIS_IS_ELEMENTS | GP_REDIS_IS_PAIRS, GP_REDIS_LENGTH},
	['|'] = {GP_REDIS_IS_ELEMENTS | GP_REDIS_IS_PAIRS | GP_REDIS_IS_ATTRIBUTE, GP_REDIS_LENGTH},
};

static const __u8 gp_redis_nexts[256] = {
	['\r'] = GP_REDIS_TEXT | GP_REDIS_NIL,
	[' ' ... '*'] = GP_REDIS_TEXT,
	['+'] = GP_REDIS_TEXT | GP_REDIS_INTEGER | GP_REDIS_DOUBLE,
	[','] = GP_REDIS_TEXT,
	['-'] = GP_REDIS_TEXT | GP_REDIS_LENGTH | GP_REDIS_INTEGER | GP_REDIS_DOUBLE,
	['.' ... '/'] = GP_REDIS_TEXT,
	['0' ... '9'] = GP_REDIS_TEXT | GP_REDIS_LENGTH | GP_REDIS_INTEGER | GP_REDIS_DOUBLE,
	[':' ... 'e'] = GP_REDIS_TEXT,
	['f'] = GP_REDIS_TEXT | GP_REDIS_TRUTH,
	['g' ... 'h'] = GP_REDIS_TEXT,
	['i'] = GP_REDIS_TEXT | GP_REDIS_DOUBLE, /* inf */
	['j' ... 'm'] = GP_REDIS_TEXT,
	['n'] = GP_REDIS_TEXT | GP_REDIS_DOUBLE, /* nan */
	['o' ... 's'] = GP_REDIS_TEXT,
	['t'] = GP_REDIS_TEXT | GP_REDIS_TRUTH,
	['u' ... 0xff] = GP_REDIS_TEXT,
};

/* The error that begins at `at`, where twice GP_REDIS_ERROR_MAX can be read. False: not all there.
 */
static __always_inline bool gp_redis_error_status(const __u8 *at, __u32 len, __u16 *status)
{
	struct gp_redis_word w = {};
	__u64 end = gp_has_below(gp_load8(at), '!');
	__u32 word_len;

	*status = GP_REDIS_STATUS_OTHER;
	if (end) {
		word_len = gp_up_to(end) - 1;
	} else {
		end = gp_has_below(gp_load8(at + 8), '!');
		word_len = end ? gp_up_to(end) + 7 : GP_REDIS_ERROR_MAX;
	}
	if (word_len >= len)
		return false;
	if (word_len >= GP_REDIS_ERROR_MAX)
		return true;
	w.len = word_len;
	w.words[0] = gp_low_bytes(gp_load8(at), word_len);
	w.words[1] = word_len > 8 ? gp_low_bytes(gp_load8(at + 8), word_len - 8) : 0;
	w.words[2] = 0;
	*status = gp_redis_error_word(&w);
	return true;
}

/* The outermost element has come: what it is tells what came of the request. */
static __always_inline void gp_redis_outermost(struct gp_parser *p, __u8 kind, __u16 status)
{
	p->mark = 1;
	p->status = status;
	p->events |= GP_EVENT_NAMED | (kind & GP_REDIS_IS_PUSH ? GP_EVENT_ASIDE : 0);
}

/* How many elements an aggregate's head announces; above GP_REDIS_MISSING_MAX if it is wrong. */
static __always_inline __u64 gp_redis_children(__u8 kind, __u64 number)
{
	if (!(kind & GP_REDIS_IS_ELEMENTS) || number == GP_REDIS_NONE)
		return 0;
	return number > GP_REDIS_ELEMENTS_MAX
		       ? ~0u
		       : number << (kind & GP_REDIS_IS_PAIRS) / GP_REDIS_IS_PAIRS;
}

/* Behind the type of a line and its text's beginning: its end if that is near, else a part. */
static __always_inline int gp_redis_line_part(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 taken = gp_redis_line_end(at, GP_REDIS_TEXT_LOOK);

	if (taken && taken <= len)
		return taken;
	p->state = GP_REDIS_IN_TEXT;
	return len < GP_REDIS_TEXT_LOOK ? len : GP_REDIS_TEXT_LOOK;
}

/* Behind the head of a string: its bytes and CR LF if they are there, else they are skipped. */
static __always_inline int gp_redis_string_body(struct gp_parser *p, __u32 taken, __u64 number,
						__u32 len)
{
	if (number == GP_REDIS_NONE)
		return taken;
	if (number <= GP_LOOK && taken + (__u32)number + 2 <= len)
		return taken + (__u32)number + 2;
	p->skip = number + 2;
	return taken;
}

static __always_inline int gp_redis_element(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u8 kind = gp_redis_types[at[0]].kind;
	__u32 begins = ((__u32)p->state - 1) >> 31; /* without a branch: 1 if it is 0 */
	__u64 missing = p->items + begins;	    /* the answer itself, if it begins here */
	bool outermost = ((missing - 1) | p->mark) == 0;
	__u16 status = GP_REDIS_STATUS_OK;
	__u64 number = 0;
	int head = 1;

	if (len < 2)
		return kind ? GP_PARSE_MORE : GP_PARSE_LOST;
	if (!(gp_redis_types[at[0]].next & gp_redis_nexts[at[1]]))
		return GP_PARSE_LOST;
	if (!(kind & GP_REDIS_IS_LINE))
		head = gp_redis_head(at, len, &number);
	if (head <= 0)
		return head;
	head = gp_redis_forget(p, head);
	if (head > GP_REDIS_HEAD_MAX)
		return GP_PARSE_LOST;
	missing += gp_redis_children(kind, number) -
		   (~kind & GP_REDIS_IS_ATTRIBUTE) / GP_REDIS_IS_ATTRIBUTE;
	if (missing > GP_REDIS_MISSING_MAX || (kind & GP_REDIS_IS_PUSH && !outermost))
		return GP_PARSE_LOST;
	if (kind & GP_REDIS_IS_STRING && number != GP_REDIS_NONE && number > GP_REDIS_BULK_MAX)
		return GP_PARSE_LOST;
	if (outermost && !(kind & GP_REDIS_IS_ATTRIBUTE)) {
		if (kind & GP_REDIS_IS_ERROR &&
		    !gp_redis_error_status(at + head, len - head, &status))
			return GP_PARSE_MORE;
		gp_redis_outermost(p, kind, status);
	}
	p->events |= begins * GP_EVENT_BEGIN;
	p->state = GP_REDIS_IN_ELEMENTS;
	p->items = missing;
	if (kind & GP_REDIS_IS_LINE)
		return gp_redis_line_part(p, at, len);
	if (kind & GP_REDIS_IS_STRING)
		return gp_redis_string_body(p, head, number, len);
	return head;
}

/* Behind an element or the end of a line. */
static __always_inline void gp_redis_settle(struct gp_parser *p)
{
	if (p->items || p->state == GP_REDIS_IN_TEXT)
		return;
	p->events |= GP_EVENT_END;
	p->state = 0;
	p->mark = 0;
}

/* The rest of a line, or a window of it. */
static __always_inline int gp_redis_text(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 taken = gp_redis_line_end(at, GP_LOOK);

	if (!taken || taken > len)
		return len;
	p->state = GP_REDIS_IN_ELEMENTS;
	gp_redis_settle(p);
	return taken;
}

/* What an element can be looked up in. */
struct gp_redis_bytes {
	__u8 at[2 * GP_LOOK];
};

GP_ONCE int gp_redis_element_once(struct gp_parser *p, struct gp_redis_bytes *bytes, __u32 len)
{
	return p && bytes ? gp_redis_element(p, (const __u8 *)bytes, len) : GP_PARSE_LOST;
}

/* As many elements as are whole in the window, up to GP_REDIS_ELEMENTS_A_STEP. */
static __always_inline int gp_redis_elements(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 from = 0;

	for (int i = 0; i < GP_REDIS_ELEMENTS_A_STEP; i++) {
		int taken;

		from = gp_redis_forget(p, from);
		if (from > GP_LOOK - GP_REDIS_ELEMENT_BYTES)
			break;
		taken = gp_redis_element_once(p, (struct gp_redis_bytes *)(at + from), len - from);
		if (taken <= 0)
			return from ? (int)from : taken;
		from += taken;
		gp_redis_settle(p);
		if (from >= len || p->skip || p->state != GP_REDIS_IN_ELEMENTS)
			break;
	}
	return from;
}

static __always_inline int gp_redis_response(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	if (p->state == GP_REDIS_IN_TEXT)
		return gp_redis_text(p, at, len);
	return gp_redis_elements(p, at, len);
}

#endif
