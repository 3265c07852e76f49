/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis' requests, as gp_parser.h says: arrays of bulk strings, and lines of words. The first word
 * names the command, in containers the second the subcommand; of the others only the lengths are
 * read. A step takes as many of these as are whole in the window: a GET costs one, with its key to
 * skip.
 *
 * CLIENT REPLY OFF and SKIP are followed: what the server will not answer is GP_EVENT_ASIDE, which
 * then comes with GP_EVENT_END. So own[0] stays from message to message.
 *
 * In a line, quotes are not paired: the first word is the command with quotes or without, and the
 * line ends where it ends. Not followed: a subscription that is refused is taken for one, and one
 * made after HELLO 3, which leaves room for exchanges, ends them, too.
 */
#ifndef GP_REDIS_REQUEST_H
#define GP_REDIS_REQUEST_H

#include "gp_redis_head.h"
#include "gp_redis_name.h"

enum gp_redis_request_state { GP_REDIS_IN_BULKS = 1, GP_REDIS_IN_LINE };

/* What the next word is looked at for: `mark`. */
enum gp_redis_look {
	GP_REDIS_LOOK_COMMAND,
	GP_REDIS_LOOK_SUBCOMMAND,
	GP_REDIS_LOOK_REPLY,
	GP_REDIS_LOOK_NO_MORE
};

/* Of CLIENT REPLY: own[0] what holds for this message, own[1] what this message says. */
enum gp_redis_reply { GP_REDIS_REPLY_ALWAYS, GP_REDIS_REPLY_SKIP, GP_REDIS_REPLY_OFF };
#define GP_REDIS_REPLY_SAID_ON 3

#define GP_REDIS_LINE_MAX 65536 /* of redis-server, too */
#define GP_REDIS_BULKS_A_STEP 4 /* and the array's head before them */

/* Whether the message that ends is answered; and the next ones. */
static __always_inline __u8 gp_redis_settle_reply(struct gp_parser *p)
{
	__u8 before = p->own[0], said = p->own[1];

	if (said == GP_REDIS_REPLY_SAID_ON)
		p->own[0] = GP_REDIS_REPLY_ALWAYS;
	else if (before != GP_REDIS_REPLY_OFF)
		p->own[0] = said;
	if (said == GP_REDIS_REPLY_SAID_ON || (before | said) == GP_REDIS_REPLY_ALWAYS)
		return 0;
	return GP_EVENT_ASIDE;
}

static __always_inline void gp_redis_end(struct gp_parser *p)
{
	p->events |= GP_EVENT_END;
	if (p->mark == GP_REDIS_LOOK_SUBCOMMAND)
		p->events |= GP_EVENT_NAMED; /* a container with nothing behind it */
	if (p->own[0] | p->own[1])
		p->events |= gp_redis_settle_reply(p);
	if (gp_redis_is_stream(p->operation))
		p->events |= GP_EVENT_STREAM;
	p->state = 0;
	p->mark = GP_REDIS_LOOK_COMMAND;
	p->own[1] = 0;
}

static __always_inline void gp_redis_begin(struct gp_parser *p, __u8 state, __u32 items)
{
	p->events = GP_EVENT_BEGIN;
	p->operation = GP_REDIS_OTHER;
	p->state = state;
	p->items = items;
}

static __always_inline __u8 gp_redis_reply_word(struct gp_redis_word *w)
{
	__u64 word = gp_redis_upper(w->words[0]);

	if (w->len == 3 && word == GP_WORD8("OFF"))
		return GP_REDIS_REPLY_OFF;
	if (w->len == 4 && word == GP_WORD8("SKIP"))
		return GP_REDIS_REPLY_SKIP;
	return w->len == 2 && word == GP_WORD8("ON") ? GP_REDIS_REPLY_SAID_ON : 0;
}

/* A word that was looked for has come. One too long for a name has `len` above the longest. */
static __always_inline void gp_redis_tell(struct gp_parser *p, struct gp_redis_word *w)
{
	bool is_command = p->mark == GP_REDIS_LOOK_COMMAND;
	__u16 operation = 0;

	if (p->mark == GP_REDIS_LOOK_REPLY) {
		p->own[1] = gp_redis_reply_word(w);
		p->mark = GP_REDIS_LOOK_NO_MORE;
		return;
	}
	if (w->len <= GP_REDIS_NAME_MAX)
		operation = gp_redis_command(w, is_command ? 0 : p->operation);
	if (is_command || operation) /* a subcommand that is not in the list: the container */
		p->operation = operation;
	if (is_command && gp_redis_is_container(operation)) {
		p->mark = GP_REDIS_LOOK_SUBCOMMAND;
		return;
	}
	p->mark = operation == GP_REDIS_CLIENT_REPLY ? GP_REDIS_LOOK_REPLY : GP_REDIS_LOOK_NO_MORE;
	p->events |= GP_EVENT_NAMED;
}

/* The array's head. One without elements is answered by nothing. */
static __always_inline int gp_redis_array(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 number;
	int taken = gp_redis_head(at, len, &number);

	if (taken <= 0)
		return taken;
	if (number == GP_REDIS_NONE || number == 0) {
		gp_redis_begin(p, 0, 0);
		gp_redis_end(p);
		p->events |= GP_EVENT_ASIDE;
		return taken;
	}
	if (number > GP_REDIS_ELEMENTS_MAX)
		return GP_PARSE_LOST;
	gp_redis_begin(p, GP_REDIS_IN_BULKS, number);
	return taken;
}

static __always_inline int gp_redis_bulk_head(const __u8 *at, __u32 len, __u64 *number)
{
	int taken;

	if (at[0] != '$')
		return GP_PARSE_LOST;
	taken = gp_redis_head(at, len, number);
	return taken > 0 && *number > GP_REDIS_BULK_MAX ? GP_PARSE_LOST : taken;
}

/* The word that a bulk string is, whole in the window or too long for a name. */
static __always_inline int gp_redis_bulk_word(struct gp_parser *p, const __u8 *at, __u32 from,
					      __u32 len, __u64 number)
{
	struct gp_redis_word w = {.len = GP_REDIS_NAME_MAX + 1};

	if (from > GP_LOOK - GP_REDIS_NAME_MAX)
		return GP_PARSE_MORE;
	if (number <= GP_REDIS_NAME_MAX) {
		if (from + (__u32)number + 2 > len)
			return GP_PARSE_MORE;
		gp_redis_word(&w, at + from, number);
	}
	gp_redis_tell(p, &w);
	return 1;
}

/*
 * The bulk string at `from`; how many bytes, with its own and CR LF if they are there, else these
 * are skipped. GP_PARSE_MORE also if it has to begin nearer to the window's beginning.
 */
static __always_inline int gp_redis_bulk(struct gp_parser *p, const __u8 *at, __u32 from, __u32 len)
{
	__u64 number;
	int taken;

	if (from > GP_LOOK - GP_REDIS_HEAD_MAX)
		return GP_PARSE_MORE;
	taken = gp_redis_bulk_head(at + from, len - from, &number);
	if (taken <= 0)
		return taken;
	taken = gp_redis_forget(p, taken);
	if (p->mark != GP_REDIS_LOOK_NO_MORE &&
	    gp_redis_bulk_word(p, at, from + taken, len, number) <= 0)
		return GP_PARSE_MORE;
	if (--p->items == 0)
		gp_redis_end(p);
	if (number <= GP_LOOK && from + taken + (__u32)number + 2 <= len)
		return taken + (__u32)number + 2;
	p->skip = number + 2;
	return taken;
}

GP_ONCE int gp_redis_bulk_once(struct gp_parser *p, struct gp_bytes *bytes, __u32 from, __u32 len)
{
	return p && bytes ? gp_redis_bulk(p, (const __u8 *)bytes, from, len) : GP_PARSE_LOST;
}

static __always_inline int gp_redis_bulks(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 from = 0;
	int taken;

	if (p->state == 0) {
		taken = gp_redis_array(p, at, len);
		if (taken <= 0)
			return taken;
		from = taken;
	}
	for (int i = 0; i < GP_REDIS_BULKS_A_STEP; i++) {
		if (from >= len || p->state == 0 || p->skip)
			break;
		from = gp_redis_forget(p, from);
		taken = gp_redis_bulk_once(p, (struct gp_bytes *)at, from, len);
		if (taken <= 0)
			return from ? (int)from : taken;
		from += taken;
	}
	return from;
}

static __always_inline bool gp_redis_is_blank(__u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

static __always_inline bool gp_redis_is_quote(__u8 c)
{
	return c == '"' || c == '\'';
}

/* How long the word is that a line goes on with: above GP_REDIS_NAME_MAX if too long for a name. */
static __always_inline __u32 gp_redis_word_len(const __u8 *at)
{
	for (__u32 i = 0; i < GP_REDIS_NAME_MAX; i += 8) {
		__u64 word = gp_load8(at + i);
		__u64 end =
			gp_has_below(word, '!') | gp_has_byte(word, '"') | gp_has_byte(word, '\'');

		if (end)
			return i + gp_up_to(end) - 1;
	}
	return GP_REDIS_NAME_MAX + 1;
}

/* One word of a line. What follows it tells whether it is one: no other byte below a blank. */
static __always_inline int gp_redis_line_word(struct gp_redis_word *w, const __u8 *at, __u32 len)
{
	__u32 taken = gp_redis_word_len(at);

	w->len = taken;
	if (taken > GP_REDIS_NAME_MAX)
		return len > GP_REDIS_NAME_MAX ? GP_REDIS_NAME_MAX : GP_PARSE_MORE;
	if (taken >= len)
		return GP_PARSE_MORE;
	if (at[taken] < ' ' && at[taken] != '\n' && !gp_redis_is_blank(at[taken]))
		return GP_PARSE_LOST;
	gp_redis_word(w, at, taken);
	return taken;
}

/* A line begins: with its first word, if not with a blank, a quote or its end. */
static __always_inline int gp_redis_line_begin(struct gp_parser *p, const __u8 *at, __u32 len)
{
	struct gp_redis_word w = {};
	int taken = 1;

	if (at[0] == '\n') { /* empty: answered by nothing */
		gp_redis_begin(p, 0, 0);
		gp_redis_end(p);
		p->events |= GP_EVENT_ASIDE;
		return 1;
	}
	if (gp_redis_is_blank(at[0]) || gp_redis_is_quote(at[0])) {
		gp_redis_begin(p, GP_REDIS_IN_LINE, 1);
		return 1;
	}
	if ((__u8)((at[0] | 0x20) - 'a') > 'z' - 'a')
		return GP_PARSE_LOST;
	taken = gp_redis_line_word(&w, at, len);
	if (taken <= 0)
		return taken;
	gp_redis_begin(p, GP_REDIS_IN_LINE, taken);
	gp_redis_tell(p, &w);
	return taken;
}

/* The rest of a line, or a window of it. The server does not look for an end behind a NUL. */
static __always_inline int gp_redis_line_rest(struct gp_parser *p, const __u8 *at, __u32 len)
{
	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 word = gp_load8(at + i);
		__u64 end = gp_has_byte(word, '\n') | gp_has_byte(word, 0);
		__u32 taken;

		if (!end)
			continue;
		taken = i + gp_up_to(end);
		if (taken > len)
			break;
		if (!(end & -end & gp_has_byte(word, '\n')))
			return GP_PARSE_LOST;
		gp_redis_end(p);
		return taken;
	}
	return len;
}

static __always_inline int gp_redis_line(struct gp_parser *p, const __u8 *at, __u32 len)
{
	struct gp_redis_word w = {};
	int taken = 1;

	if (p->items > GP_REDIS_LINE_MAX)
		return GP_PARSE_LOST;
	if (p->mark == GP_REDIS_LOOK_NO_MORE) {
		taken = gp_redis_line_rest(p, at, len);
	} else if (at[0] == '\n') {
		if (p->mark == GP_REDIS_LOOK_COMMAND)
			p->events |= GP_EVENT_ASIDE;
		gp_redis_end(p);
	} else if (!gp_redis_is_blank(at[0]) && !gp_redis_is_quote(at[0])) {
		taken = gp_redis_line_word(&w, at, len);
		if (taken > 0)
			gp_redis_tell(p, &w);
	}
	if (taken > 0)
		p->items += taken;
	return taken;
}

static __always_inline int gp_redis_request(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	if (p->state == GP_REDIS_IN_LINE)
		return gp_redis_line(p, at, len);
	if (p->state == 0 && at[0] != '*')
		return gp_redis_line_begin(p, at, len);
	return gp_redis_bulks(p, at, len);
}

#endif
