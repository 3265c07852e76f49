/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL, what the client says (documentation, chapter "Frontend/Backend Protocol"). Requests
 * are a start-up packet, a simple query, a function call, and the messages of the extended query up
 * to and with Sync. What belongs to none is aside: requests for encryption, cancelling, passwords,
 * the data of COPY, Terminate.
 *
 * Inside a message the parser stops only for SQL, whose first keyword is the operation, and passes
 * over what stands before it: blanks, brackets and comments (nested ones end at their first end).
 *
 * The type of a message is a letter, a start-up packet begins with a byte 0, TLS with 0x16: when
 * encryption was asked for and is granted, the next request is LOST, and GP_POSTGRESQL_ASKED tells
 * that it should be looked at anew.
 */
#ifndef GP_POSTGRESQL_REQUEST_H
#define GP_POSTGRESQL_REQUEST_H

#include "gp_postgresql_head.h"

/* gp_parser.state: what comes next. `items` is what is left of the message. */
enum gp_postgresql_request_state {
	GP_POSTGRESQL_REQUEST,	     /* a message */
	GP_POSTGRESQL_STATEMENT,     /* the name of a prepared statement */
	GP_POSTGRESQL_SQL,	     /* SQL before its first keyword */
	GP_POSTGRESQL_LINE_COMMENT,  /* the rest of one that ends with its line */
	GP_POSTGRESQL_BLOCK_COMMENT, /* the rest of one that ends with an asterisk and a slash */
};

/* gp_parser.mark */
#define GP_POSTGRESQL_STARTED 1	 /* no start-up packet can follow */
#define GP_POSTGRESQL_ASKED 2	 /* for encryption */
#define GP_POSTGRESQL_OPEN 4	 /* in an extended query: a Sync is to come */
#define GP_POSTGRESQL_SIMPLE 8	 /* the SQL is that of a simple query */
#define GP_POSTGRESQL_PARSED 16	 /* gp_postgresql_parsed() is what was prepared last */
#define GP_POSTGRESQL_RUNS 32	 /* `operation` is that of a statement that is executed */
#define GP_POSTGRESQL_SYNCED 64	 /* the request before was an extended query */
#define GP_POSTGRESQL_COPIED 128 /* and its COPY was fed behind its Sync */

/* The codes in place of a start-up packet's version. */
#define GP_POSTGRESQL_CANCEL 80877102
#define GP_POSTGRESQL_SSL 80877103
#define GP_POSTGRESQL_GSSENC 80877104
#define GP_POSTGRESQL_STARTUP_MAX 10000

/* The kinds of packets that come before any message. 0 if it is none. */
static __always_inline __u32 gp_postgresql_startup_code(const __u8 *at)
{
	__u32 length = gp_postgresql_number(at), code = gp_postgresql_number(at + 4);

	if (code == GP_POSTGRESQL_SSL || code == GP_POSTGRESQL_GSSENC)
		return length == 8 ? code : 0;
	if (length < 9 || length > GP_POSTGRESQL_STARTUP_MAX)
		return 0;
	if (code == GP_POSTGRESQL_CANCEL)
		return length >= 16 && length <= 12 + 256 ? code : 0;
	return code >> 16 == 3 && (code & 0xffff) < 100 ? code : 0;
}

static __always_inline int gp_postgresql_startup(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 code;

	if (p->mark & GP_POSTGRESQL_STARTED)
		return GP_PARSE_LOST;
	if (len < 8)
		return GP_PARSE_MORE;
	code = gp_postgresql_startup_code(at);
	if (!code)
		return GP_PARSE_LOST;
	p->operation = GP_SQL_OTHER;
	p->events = GP_EVENT_BEGIN | GP_EVENT_END;
	if (code == GP_POSTGRESQL_SSL || code == GP_POSTGRESQL_GSSENC)
		p->mark |= GP_POSTGRESQL_ASKED;
	if (code >> 16 == 3)
		p->mark = GP_POSTGRESQL_STARTED;
	else
		p->events |= GP_EVENT_ASIDE;
	return gp_postgresql_pass(p, len, gp_postgresql_number(at));
}

/* Can a message of this type have this length? */
static __always_inline bool gp_postgresql_request_fits(__u8 type, __u32 length)
{
	switch (type) {
	case 'S':
	case 'H':
	case 'X':
	case 'c':
		return length == 4;
	case 'd':
	case 'p':
		return length >= 4;
	case 'Q':
	case 'f':
		return length >= 5;
	case 'D':
	case 'C':
		return length >= 6;
	case 'P':
		return length >= 8;
	case 'E':
		return length >= 9;
	case 'B':
		return length >= 12;
	case 'F':
		return length >= 14;
	default:
		return false;
	}
}

/* A request begins, unless an extended query is open, of which the message is then a part. */
static __always_inline void gp_postgresql_begin(struct gp_parser *p, __u8 mark)
{
	if (!(p->mark & GP_POSTGRESQL_OPEN)) {
		p->events = GP_EVENT_BEGIN;
		p->operation = GP_SQL_OTHER;
		p->mark = GP_POSTGRESQL_STARTED;
	}
	p->mark |= mark;
}

static __always_inline void gp_postgresql_end(struct gp_parser *p, __u8 mark)
{
	p->events |= GP_EVENT_END | (p->operation ? GP_EVENT_NAMED : 0);
	p->mark = GP_POSTGRESQL_STARTED | mark;
}

/* The message is no request: unless it is in the middle of one, it is aside. */
static __always_inline void gp_postgresql_aside(struct gp_parser *p)
{
	p->mark |= GP_POSTGRESQL_STARTED;
	if (!(p->mark & GP_POSTGRESQL_OPEN))
		p->events = GP_EVENT_BEGIN | GP_EVENT_END | GP_EVENT_ASIDE;
}

/* Bind or Execute: of what was prepared last, if that was in the same request. */
static __always_inline void gp_postgresql_runs(struct gp_parser *p)
{
	if (!(p->mark & GP_POSTGRESQL_PARSED))
		return;
	p->operation = p->own[0];
	p->mark |= GP_POSTGRESQL_RUNS;
	p->events |= p->operation ? GP_EVENT_NAMED : 0;
}

static __always_inline void gp_postgresql_sync(struct gp_parser *p)
{
	bool open = p->mark & GP_POSTGRESQL_OPEN;

	if (!open && p->mark & GP_POSTGRESQL_COPIED) {
		/* Two Syncs, one answer: the server passes over the first while it copies. */
		p->mark = GP_POSTGRESQL_STARTED;
		p->events = GP_EVENT_BEGIN | GP_EVENT_END | GP_EVENT_ASIDE;
		return;
	}
	gp_postgresql_begin(p, 0);
	if (p->mark & GP_POSTGRESQL_PARSED && !(p->mark & GP_POSTGRESQL_RUNS))
		p->operation = GP_SQL_PARSE;
	gp_postgresql_end(p, GP_POSTGRESQL_SYNCED);
}

/* The statement's first keyword is known, or that it has none; `left` bytes of it are not taken. */
static __always_inline int gp_postgresql_statement(struct gp_parser *p, __u32 len, __u32 left,
						   enum gp_sql keyword)
{
	if (p->mark & GP_POSTGRESQL_SIMPLE) {
		p->operation = keyword;
		gp_postgresql_end(p, 0);
	} else {
		p->own[0] = keyword;
		p->mark |= GP_POSTGRESQL_PARSED;
	}
	return gp_postgresql_pass(p, len, left);
}

/* `taken` bytes told nothing. A statement that ends with them has no keyword. */
static __always_inline int gp_postgresql_before(struct gp_parser *p, __u32 len, __u32 taken,
						__u8 state)
{
	if (taken == p->items)
		return gp_postgresql_statement(p, len, taken, GP_SQL_OTHER);
	p->items -= taken;
	p->state = state;
	return taken;
}

/* Blanks, the beginning of a comment, or the keyword. */
static __always_inline int gp_postgresql_sql(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 have = len < p->items ? len : p->items, blanks = 0;

	if (gp_sql_is_blank(at[0])) {
		for (__u32 i = 0; i < GP_SQL_WORD && blanks == i; i++)
			blanks += i < have && gp_sql_is_blank(at[i]);
		return gp_postgresql_before(p, len, blanks, GP_POSTGRESQL_SQL);
	}
	if (have < GP_SQL_WORD && have < p->items)
		return GP_PARSE_MORE;
	if (have > 2 && at[0] == '-' && at[1] == '-')
		return gp_postgresql_before(p, len, 2, GP_POSTGRESQL_LINE_COMMENT);
	if (have > 2 && at[0] == '/' && at[1] == '*')
		return gp_postgresql_before(p, len, 2, GP_POSTGRESQL_BLOCK_COMMENT);
	return gp_postgresql_statement(p, len, p->items, gp_sql_keyword(at, have));
}

/* Up to the end of a comment, or by windows. */
static __always_inline int gp_postgresql_comment(struct gp_parser *p, const __u8 *at, __u32 len,
						 bool block)
{
	__u32 have = len < p->items ? len : p->items;
	__u32 taken = gp_postgresql_find(at, have, block ? '/' : '\n');

	if (!block)
		return gp_postgresql_before(p, len, taken ?: have,
					    taken ? GP_POSTGRESQL_SQL : GP_POSTGRESQL_LINE_COMMENT);
	if (taken >= 2 && at[(taken - 2) & (GP_LOOK - 1)] == '*')
		return gp_postgresql_before(p, len, taken, GP_POSTGRESQL_SQL);
	if (!taken) {
		/* An asterisk at the end stays, to be seen with what follows. */
		taken = have - (have < p->items && at[(have - 1) & (GP_LOOK - 1)] == '*');
		if (!taken)
			return GP_PARSE_MORE;
	}
	return gp_postgresql_before(p, len, taken, GP_POSTGRESQL_BLOCK_COMMENT);
}

/* The name of what is prepared, by windows. */
static __always_inline int gp_postgresql_name(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 have = len < p->items ? len : p->items, taken = gp_postgresql_find(at, have, 0);

	if (!taken && have == p->items)
		return GP_PARSE_LOST;
	return gp_postgresql_before(p, len, taken ?: have,
				    taken ? GP_POSTGRESQL_SQL : GP_POSTGRESQL_STATEMENT);
}

/*
 * Query or Parse. The usual ones are taken whole: no name, and SQL that begins with its keyword.
 * Of others the head alone, and steps follow.
 */
static __always_inline int gp_postgresql_text(struct gp_parser *p, const __u8 *at, __u32 len,
					      __u32 total)
{
	bool simple = at[0] == 'Q', named = !simple && at[GP_POSTGRESQL_HEAD];
	__u32 head = GP_POSTGRESQL_HEAD + !simple, have;
	__u8 mark = simple ? GP_POSTGRESQL_SIMPLE : GP_POSTGRESQL_OPEN;

	if (len <= head)
		return GP_PARSE_MORE;
	if (!named && gp_sql_is_letter(at[head])) {
		have = total - head < GP_SQL_WORD ? total - head : GP_SQL_WORD;
		if (len < head + have)
			return GP_PARSE_MORE;
		gp_postgresql_begin(p, mark);
		return gp_postgresql_statement(p, len, total, gp_sql_keyword(at + head, have));
	}
	gp_postgresql_begin(p, mark);
	head -= named;
	p->items = total - head;
	p->state = named ? GP_POSTGRESQL_STATEMENT : GP_POSTGRESQL_SQL;
	return head;
}

static __always_inline int gp_postgresql_message(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 length;

	if (len < GP_POSTGRESQL_HEAD)
		return GP_PARSE_MORE;
	length = gp_postgresql_length(at);
	if (!length || !gp_postgresql_request_fits(at[0], length))
		return GP_PARSE_LOST;
	switch (at[0]) {
	case 'Q':
	case 'P':
		return gp_postgresql_text(p, at, len, length + 1);
	case 'B':
	case 'E':
		gp_postgresql_begin(p, GP_POSTGRESQL_OPEN);
		gp_postgresql_runs(p);
		break;
	case 'D':
	case 'C':
	case 'H':
		gp_postgresql_begin(p, GP_POSTGRESQL_OPEN);
		break;
	case 'S':
		gp_postgresql_sync(p);
		break;
	case 'F':
		gp_postgresql_begin(p, 0);
		gp_postgresql_end(p, 0);
		break;
	default:
		gp_postgresql_aside(p);
		if (p->mark & GP_POSTGRESQL_SYNCED && (at[0] == 'c' || at[0] == 'f'))
			p->mark |= GP_POSTGRESQL_COPIED;
	}
	return gp_postgresql_pass(p, len, length + 1);
}

static __always_inline int gp_postgresql_request(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	switch (p->state) {
	case GP_POSTGRESQL_REQUEST:
		return at[0] ? gp_postgresql_message(p, at, len)
			     : gp_postgresql_startup(p, at, len);
	case GP_POSTGRESQL_STATEMENT:
		return gp_postgresql_name(p, at, len);
	case GP_POSTGRESQL_SQL:
		return gp_postgresql_sql(p, at, len);
	default:
		return gp_postgresql_comment(p, at, len, p->state == GP_POSTGRESQL_BLOCK_COMMENT);
	}
}

#endif
