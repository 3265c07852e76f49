/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL, what the server says. An answer is everything up to ReadyForQuery, or up to an error
 * after which the server hangs up (severity FATAL or PANIC; all errors before the first
 * ReadyForQuery are such). Notices, notifications and settings between answers are aside, and so is
 * the byte that answers a request for encryption: it is told from a message by what follows it,
 * since the first byte of a message's length is 0 there. Until then a step asks for more.
 *
 * `status` is GP_POSTGRESQL_OK or, from its first error on, that of the answer. Where `request` is
 * 0, the tag of the first command that completes names the operation.
 *
 * COPY and replication begin with GP_EVENT_STREAM on CopyIn-, CopyOut- or CopyBothResponse; the
 * stream is over with the answer, at its GP_EVENT_END, and exchanges go on behind it. After LISTEN
 * the stream lasts (GP_EVENT_STREAM and GP_EVENT_BODY_TO_CLOSE, no GP_EVENT_END).
 *
 * A server may say something that answers nothing: that it ends the connection. Such an answer to
 * no request is for the caller to see, who knows whether one is open.
 */
#ifndef GP_POSTGRESQL_RESPONSE_H
#define GP_POSTGRESQL_RESPONSE_H

#include "gp_postgresql_head.h"

/* gp_parser.state: what comes next. `items` is what is left of the message. */
enum gp_postgresql_response_state {
	GP_POSTGRESQL_RESPONSE,	  /* a message */
	GP_POSTGRESQL_FIELD,	  /* a field of an error */
	GP_POSTGRESQL_FIELD_REST, /* the rest of its text */
	GP_POSTGRESQL_LISTENS	  /* notifications */
};

/* gp_parser.mark */
#define GP_POSTGRESQL_SPOKE 1	  /* a message: no single byte can follow */
#define GP_POSTGRESQL_ANSWERS 2	  /* in the middle of an answer */
#define GP_POSTGRESQL_FAILED 4	  /* its `status` is that of an error */
#define GP_POSTGRESQL_FATAL 8	  /* the last message of the connection */
#define GP_POSTGRESQL_COMPLETE 16 /* its first command */

/* Can a message of this type have this length? */
static __always_inline bool gp_postgresql_response_fits(__u8 type, __u32 length)
{
	switch (type) {
	case '1':
	case '2':
	case '3':
	case 'n':
	case 's':
	case 'I':
	case 'c':
		return length == 4;
	case 'Z':
		return length == 5;
	case 'd':
		return length >= 4;
	case 'E':
	case 'N':
	case 'C':
		return length >= 5;
	case 'T':
	case 'D':
	case 't':
	case 'S':
		return length >= 6;
	case 'G':
	case 'H':
	case 'W':
		return length >= 7;
	case 'R':
	case 'V':
		return length >= 8;
	case 'A':
		return length >= 10;
	case 'K':
	case 'v':
		return length >= 12;
	default:
		return false;
	}
}

/* The first message of an answer, or one more. */
static __always_inline void gp_postgresql_answer(struct gp_parser *p)
{
	if (p->mark & GP_POSTGRESQL_ANSWERS)
		return;
	p->mark = GP_POSTGRESQL_SPOKE | GP_POSTGRESQL_ANSWERS;
	p->events = GP_EVENT_BEGIN;
	p->operation = GP_SQL_OTHER;
	p->status = GP_POSTGRESQL_OK;
}

static __always_inline void gp_postgresql_answered(struct gp_parser *p)
{
	p->mark = GP_POSTGRESQL_SPOKE;
	p->events |= GP_EVENT_END | GP_EVENT_NAMED;
}

/* Notices and the like. */
static __always_inline int gp_postgresql_notice(struct gp_parser *p, __u32 len, __u32 total)
{
	p->mark |= GP_POSTGRESQL_SPOKE;
	if (!(p->mark & GP_POSTGRESQL_ANSWERS))
		p->events = GP_EVENT_BEGIN | GP_EVENT_END | GP_EVENT_ASIDE;
	return gp_postgresql_pass(p, len, total);
}

/* The tag of a command that is complete. */
static __always_inline int gp_postgresql_tag(struct gp_parser *p, const __u8 *at, __u32 len,
					     __u32 total)
{
	__u32 tag = total - GP_POSTGRESQL_HEAD;

	if (tag > GP_SQL_WORD)
		tag = GP_SQL_WORD;
	if (len < GP_POSTGRESQL_HEAD + tag)
		return GP_PARSE_MORE;
	at += GP_POSTGRESQL_HEAD;
	gp_postgresql_answer(p);
	if (!p->request && !(p->mark & GP_POSTGRESQL_COMPLETE)) {
		p->operation = gp_sql_keyword(at, tag);
		p->events |= p->operation ? GP_EVENT_NAMED : 0;
	}
	p->mark |= GP_POSTGRESQL_COMPLETE;
	if (gp_low_bytes(gp_load8(at), tag < 7 ? tag : 7) == GP_WORD8("LISTEN")) {
		p->events |= GP_EVENT_NAMED | GP_EVENT_STREAM | GP_EVENT_BODY_TO_CLOSE;
		p->state = GP_POSTGRESQL_LISTENS;
		return GP_POSTGRESQL_HEAD;
	}
	return gp_postgresql_pass(p, len, total);
}

/* The rest of an error needs no look. */
static __always_inline int gp_postgresql_error_end(struct gp_parser *p, __u32 len)
{
	if (p->mark & GP_POSTGRESQL_FATAL)
		gp_postgresql_answered(p);
	return gp_postgresql_pass(p, len, p->items);
}

/* The SQLSTATE. What is behind it is of no interest, severity comes before. */
static __always_inline int gp_postgresql_state(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u64 key = gp_low_bytes(gp_load8(at + 1), 5);

	if (p->items < 7)
		return GP_PARSE_LOST;
	if (len < 7)
		return GP_PARSE_MORE;
	if (at[6])
		return GP_PARSE_LOST;
	if (!(p->mark & GP_POSTGRESQL_FAILED)) {
		p->status = GP_POSTGRESQL_SQLSTATE(gp_sqlstate_find(key));
		p->mark |= GP_POSTGRESQL_FAILED;
		p->events = GP_EVENT_NAMED;
	}
	return gp_postgresql_error_end(p, len);
}

/* A field of an error: a letter that tells what it is, and text up to a 0; or the 0 at the end. */
static __always_inline int gp_postgresql_field(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 have = len < p->items ? len : p->items, taken;
	__u64 severity;

	if (p->state == GP_POSTGRESQL_FIELD) {
		if (!at[0])
			return gp_postgresql_error_end(p, len);
		if (at[0] == 'C')
			return gp_postgresql_state(p, at, len);
		if (have < 7 && have < p->items)
			return GP_PARSE_MORE;
		severity = gp_low_bytes(gp_load8(at + 1), have > 6 ? 6 : 0);
		if ((at[0] == 'S' || at[0] == 'V') &&
		    (severity == GP_WORD8("FATAL") || severity == GP_WORD8("PANIC")))
			p->mark |= GP_POSTGRESQL_FATAL;
	}
	taken = gp_postgresql_find(at, have, 0);
	p->state = taken ? GP_POSTGRESQL_FIELD : GP_POSTGRESQL_FIELD_REST;
	taken = taken ?: have;
	p->items -= taken;
	if (!p->items)
		return GP_PARSE_LOST;
	return taken;
}

static __always_inline int gp_postgresql_said(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 length;

	if (!(p->mark & GP_POSTGRESQL_SPOKE) && (at[0] == 'S' || at[0] == 'N' || at[0] == 'G')) {
		if (len < 2)
			return GP_PARSE_MORE;
		if (at[1]) {
			p->events = GP_EVENT_BEGIN | GP_EVENT_END | GP_EVENT_ASIDE;
			return 1;
		}
	}
	if (len < GP_POSTGRESQL_HEAD)
		return GP_PARSE_MORE;
	length = gp_postgresql_length(at);
	if (!length || !gp_postgresql_response_fits(at[0], length))
		return GP_PARSE_LOST;
	if (at[0] == 'N' || at[0] == 'A' || at[0] == 'S')
		return gp_postgresql_notice(p, len, length + 1);
	if (at[0] == 'C')
		return gp_postgresql_tag(p, at, len, length + 1);
	gp_postgresql_answer(p);
	if (at[0] == 'E') {
		p->items = length - 4;
		p->state = GP_POSTGRESQL_FIELD;
		return GP_POSTGRESQL_HEAD;
	}
	if (at[0] == 'Z')
		gp_postgresql_answered(p);
	else if (at[0] == 'G' || at[0] == 'H' || at[0] == 'W')
		p->events |= GP_EVENT_STREAM | GP_EVENT_NAMED;
	return gp_postgresql_pass(p, len, length + 1);
}

static __always_inline int gp_postgresql_response(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	switch (p->state) {
	case GP_POSTGRESQL_RESPONSE:
		return gp_postgresql_said(p, at, len);
	case GP_POSTGRESQL_LISTENS:
		return len;
	default:
		return gp_postgresql_field(p, at, len);
	}
}

#endif
