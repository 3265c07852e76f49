/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQL's first keywords: the closed list of operations (contract.md), and how one is recognised. */
#ifndef GP_SQL_H
#define GP_SQL_H

#include <stdbool.h>

#include "gp_parser.h"

/* The most frequent first. None is longer than ten letters. */
/* clang-format off */
#define GP_SQL_KEYWORDS(X) \
	X(SELECT) X(INSERT) X(UPDATE) X(DELETE) X(BEGIN) X(COMMIT) X(ROLLBACK) X(WITH) X(SET) \
	X(EXECUTE) X(END) X(START) X(ABORT) X(SAVEPOINT) X(RELEASE) X(PREPARE) X(DEALLOCATE) \
	X(MERGE) X(VALUES) X(TABLE) X(DECLARE) X(FETCH) X(MOVE) X(CLOSE) X(COPY) X(LISTEN) \
	X(UNLISTEN) X(NOTIFY) X(RESET) X(SHOW) X(EXPLAIN) X(ANALYZE) X(VACUUM) X(CREATE) X(ALTER) \
	X(DROP) X(TRUNCATE) X(LOCK) X(GRANT) X(REVOKE) X(CALL) X(DO) X(CHECKPOINT) X(CLUSTER) \
	X(REINDEX) X(REFRESH) X(DISCARD) X(COMMENT) X(SECURITY) X(LOAD) X(IMPORT) X(REASSIGN)
/* clang-format on */

#define GP_SQL_ENUM(name) GP_SQL_##name,

enum gp_sql {
	GP_SQL_OTHER,
	GP_SQL_KEYWORDS(GP_SQL_ENUM) GP_SQL_PARSE, /* a statement that is only prepared */
	GP_SQL_COUNT
};

#define GP_SQL_WORD 16 /* readable bytes that gp_sql_keyword needs */

/* What makes one key of a name of up to 16 bytes: those of eight and less are their own. */
#define GP_SQL_KEY(head, tail) ((head) ^ (tail)*0x9e3779b97f4a7c15ull)
#define GP_SQL_MATCH(name)                                                                         \
	if (key == GP_SQL_KEY(GP_WORD8(#name), GP_CHAR(#name, 8) | GP_CHAR(#name, 9) << 8))        \
		return GP_SQL_##name;

/*
 * The identifier that `word` begins with, in upper case, 0 behind it. In each byte, lowest first,
 * the highest bit is made to say whether it is a letter, a digit, '_' or not ASCII: sums of numbers
 * below 128 do not reach the next byte.
 */
static __always_inline __u64 gp_sql_identifier(__u64 word)
{
	const __u64 each = 0x0101010101010101ull;
	__u64 lower = word | GP_LOWER8, low = lower & (0x7f * each);
	__u64 letters = (low + (0x80 - 'a') * each) & ~(low + (0x7f - 'z') * each);
	__u64 digits = (low + (0x80 - '0') * each) & ~(low + (0x7f - '9') * each);
	__u64 underscores = low + each; /* '_' is 0x7f in lower case */
	__u64 end = ~(letters | digits | underscores | lower) & (0x80 * each);

	return lower & ~GP_LOWER8 & (((end & -end) >> 7) - 1);
}

/* The keyword that `key` stands for; GP_SQL_OTHER if it is none. */
GP_ONCE int gp_sql_find(__u64 key)
{
	GP_SQL_KEYWORDS(GP_SQL_MATCH)
	return GP_SQL_OTHER;
}

/* The keyword at `at`, of which `len` bytes are the statement's; GP_SQL_OTHER if it is none. */
static __always_inline enum gp_sql gp_sql_keyword(const __u8 *at, __u32 len)
{
	__u64 head = gp_sql_identifier(gp_low_bytes(gp_load8(at), len)), tail = 0;

	if (head >> 56 && len > 8)
		tail = gp_sql_identifier(gp_low_bytes(gp_load8(at + 8), len - 8));
	return gp_sql_find(GP_SQL_KEY(head, tail));
}

static __always_inline bool gp_sql_is_letter(__u8 c)
{
	return (__u8)((c | 0x20) - 'a') < 26;
}

/* What may stand before a statement's first keyword and is one character. */
static __always_inline bool gp_sql_is_blank(__u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '(' || c == ';';
}

#endif
