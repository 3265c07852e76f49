/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL: both parsers, as gp_parser.h says, and what can be told without them. Operations are
 * enum gp_sql, statuses GP_POSTGRESQL_OK and GP_POSTGRESQL_SQLSTATE(enum gp_sqlstate).
 */
#ifndef GP_POSTGRESQL_H
#define GP_POSTGRESQL_H

#include "gp_postgresql_request.h"
#include "gp_postgresql_response.h"
#include "gp_records.h"

#define GP_POSTGRESQL_PLAIN 512 /* readable bytes that gp_postgresql_plain needs */
#define GP_POSTGRESQL_BATCH 8	/* messages of an extended query that it looks at */
/* The last place of a head behind which the beginning of SQL can still be read. */
#define GP_POSTGRESQL_PLAIN_AT (GP_POSTGRESQL_PLAIN - GP_POSTGRESQL_HEAD - 1 - GP_SQL_WORD)

/* Whose error a status is; GP_ERROR_COUNT: nobody's, success and warnings. */
static __always_inline enum gp_error gp_postgresql_error(__u16 status)
{
	if (status < GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_03000))
		return GP_ERROR_COUNT;
	if ((status >= GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_53000) &&
	     status < GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_54000)) ||
	    (status >= GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_57000) &&
	     status < GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_72000)) ||
	    (status >= GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_XX000) &&
	     status <= GP_POSTGRESQL_SQLSTATE(GP_SQLSTATE_SERVER)))
		return GP_ERROR_SERVER;
	return GP_ERROR_CLIENT;
}

/* Could SQL begin so? */
static __always_inline bool gp_postgresql_is_sql(const __u8 *at, __u32 len)
{
	return gp_sql_is_blank(at[0]) || at[0] == '-' || at[0] == '/' || gp_sql_keyword(at, len);
}

/* Could a name begin so, or be empty? */
static __always_inline bool gp_postgresql_is_name(__u8 c)
{
	return c == 0 || c > ' ';
}

/*
 * Could a client's first bytes be these? Either the beginning of a connection, or a message of one
 * that is older than its observer. As with steps, GP_LOOK bytes are readable. Whole messages also
 * have to be followed by the head of another, as far as it can be seen.
 */
static __always_inline bool gp_postgresql_begins(const __u8 *at, __u32 len)
{
	__u32 length, next;

	if (len < 8)
		return len >= GP_POSTGRESQL_HEAD && at[0] == 'S' && gp_postgresql_length(at) == 4;
	if (!at[0])
		return gp_postgresql_startup_code(at);
	length = gp_postgresql_length(at);
	next = length + 1;
	if (!length || at[1] || !gp_postgresql_request_fits(at[0], length))
		return false;
	if (next < len && !gp_postgresql_request_fits(at[next & (GP_LOOK - 1)], 4) &&
	    !gp_postgresql_request_fits(at[next & (GP_LOOK - 1)], GP_POSTGRESQL_LENGTH_MAX))
		return false;
	switch (at[0]) {
	case 'Q':
		return gp_postgresql_is_sql(at + GP_POSTGRESQL_HEAD, len - GP_POSTGRESQL_HEAD);
	case 'P':
		return at[5] ? gp_postgresql_is_name(at[5]) : gp_postgresql_is_sql(at + 6, len - 6);
	case 'B':
	case 'E':
		return gp_postgresql_is_name(at[5]);
	case 'D':
	case 'C':
		return at[5] == 'S' || at[5] == 'P';
	default:
		return at[0] == 'S';
	}
}

/* Likewise for a server's. */
static __always_inline bool gp_postgresql_answers(const __u8 *at, __u32 len)
{
	__u32 length, next;

	if (len == 1)
		return at[0] == 'S' || at[0] == 'N' || at[0] == 'G';
	if (len < GP_POSTGRESQL_HEAD)
		return false;
	length = gp_postgresql_length(at);
	next = length + 1;
	if (!length || !gp_postgresql_response_fits(at[0], length))
		return false;
	return next >= len || gp_postgresql_response_fits(at[next & (GP_LOOK - 1)], 4) ||
	       gp_postgresql_response_fits(at[next & (GP_LOOK - 1)], 5) ||
	       gp_postgresql_response_fits(at[next & (GP_LOOK - 1)], GP_POSTGRESQL_LENGTH_MAX);
}

/*
 * The least length of a message that a plain batch may hold, 0 if it may not: four bits for each
 * type from 'B' on (B 12, C 6, D 6, E 9, P 8), since a verifier walks every branch eight times.
 */
static __always_inline __u32 gp_postgresql_plain_least(__u8 type)
{
	__u32 index = type - 'B';

	return index > 'P' - 'B' ? 0 : 0x080000000000966cull >> (index * 4) & 15;
}

/*
 * The operation of a batch: `prepared` and `run` are where the SQL stands that was prepared last
 * and that runs, 0 if there is none.
 */
static __always_inline __u16 gp_postgresql_plain_operation(const __u8 *bytes, __u32 prepared,
							   __u32 run)
{
	__u32 head = run - GP_POSTGRESQL_HEAD - 1;

	if (head > GP_POSTGRESQL_PLAIN_AT)
		return prepared ? GP_SQL_PARSE : GP_SQL_OTHER;
	return gp_sql_keyword(bytes + head + GP_POSTGRESQL_HEAD + 1,
			      gp_postgresql_length(bytes + head) - GP_POSTGRESQL_HEAD);
}

/* Are the bytes one whole extended query? The heads of all its messages are among the first. */
static __always_inline bool gp_postgresql_plain_batch(struct gp_parser *p, const __u8 *bytes,
						      __u32 len)
{
	__u32 at = 0, prepared = 0, run = 0;

	for (int i = 0; i < GP_POSTGRESQL_BATCH && at <= GP_POSTGRESQL_PLAIN_AT; i++) {
		__u32 length = gp_postgresql_length(bytes + at);
		__u8 type = bytes[at];

		if (type == 'S') {
			if (!i || length != 4 || at + GP_POSTGRESQL_HEAD != len)
				return false;
			p->operation = gp_postgresql_plain_operation(bytes, prepared, run);
			p->mark = GP_POSTGRESQL_STARTED | GP_POSTGRESQL_SYNCED;
			return true;
		}
		if (!gp_postgresql_plain_least(type) || length < gp_postgresql_plain_least(type))
			return false;
		if (type == 'P') {
			prepared = at + GP_POSTGRESQL_HEAD + 1;
			if (bytes[prepared - 1] || !gp_sql_is_letter(bytes[prepared]))
				return false;
		} else if (type == 'B' || type == 'E') {
			run = prepared;
		}
		at += length + 1;
		if (at >= len)
			return false;
	}
	return false;
}

/*
 * Is what was sent exactly one whole request of the usual kind? `bytes` has GP_POSTGRESQL_PLAIN
 * readable ones, `len` is the length of what was sent, which may be more. If so, `p`, which has to
 * be at the beginning of a request, is as the steps would leave it, `operation` named as far as it
 * can be; else it is not changed.
 */
static __always_inline bool gp_postgresql_plain(const __u8 *bytes, __u32 len, struct gp_parser *p)
{
	const __u8 *sql = bytes + GP_POSTGRESQL_HEAD;

	if (p->state || p->mark & GP_POSTGRESQL_OPEN || len < GP_POSTGRESQL_HEAD + 1)
		return false;
	if (bytes[0] != 'Q')
		return gp_postgresql_plain_batch(p, bytes, len);
	if (gp_postgresql_length(bytes) + 1 != len || !gp_sql_is_letter(sql[0]))
		return false;
	p->operation = gp_sql_keyword(sql, len - GP_POSTGRESQL_HEAD);
	p->mark = GP_POSTGRESQL_STARTED;
	return true;
}

/* Are the last six bytes of what was sent ReadyForQuery? Data may look like it. */
static __always_inline bool gp_postgresql_done(const __u8 *last6)
{
	return gp_low_bytes(gp_load4(last6), 4) == GP_WORD8("Z\0\0\0") && last6[4] == 5 &&
	       (last6[5] == 'I' || last6[5] == 'T' || last6[5] == 'E');
}

#endif
