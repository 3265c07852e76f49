/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Redis (RESP2, RESP3 and inline commands): the parsers' steps, and the looks that need no steps.
 */
#ifndef GP_REDIS_H
#define GP_REDIS_H

#include "gp_redis_request.h"
#include "gp_redis_response.h"

#define GP_REDIS_PLAIN_BYTES 512
#define GP_REDIS_PLAIN_BULKS 4

/*
 * Could the first request of a connection begin so: an array's head with a bulk string's behind it,
 * or a line whose first word, which must be whole, is a listed command? `at` has GP_LOOK bytes.
 * Memcached's requests may look alike: gp_redis_answers tells. HTTP's do: ask for HTTP first.
 */
static __always_inline bool gp_redis_begins(const __u8 *at, __u32 len)
{
	struct gp_redis_word w = {}; /* until 6.3 the verifier does not see that all of it is set */
	__u64 number;
	int taken;

	if (at[0] != '*') {
		taken = gp_redis_line_word(&w, at, len);
		if (taken <= 0 || w.len > GP_REDIS_NAME_MAX || gp_redis_is_quote(at[taken]))
			return false;
		return gp_redis_command(&w, 0) != GP_REDIS_OTHER;
	}
	if (len < 2)
		return true;
	taken = gp_redis_head(at, len, &number);
	if (taken <= 0)
		return taken == GP_PARSE_MORE && gp_redis_is_digit(at[1]);
	if (number == 0 || number > GP_REDIS_ELEMENTS_MAX)
		return false;
	if ((__u32)taken >= len)
		return true;
	return at[taken] == '$' && ((__u32)taken + 1 == len || gp_redis_is_digit(at[taken + 1]));
}

/* Could an answer begin so? Reads two bytes. */
static __always_inline bool gp_redis_answers(const __u8 *at, __u32 len)
{
	__u8 next = gp_redis_types[at[0]].next;

	return len < 2 ? next : next & gp_redis_nexts[at[1]];
}

/*
 * The cheap look at a segment of `len` bytes, GP_REDIS_PLAIN_BYTES of which can be read, where a
 * request begins: true, and p->operation set, if it is that one request, an array of at most
 * GP_REDIS_PLAIN_BULKS bulk strings, and nothing else. False of those that steps see more in: a
 * container's, a stream's, any after CLIENT REPLY OFF or SKIP; and of some that are nearly as long
 * as what can be read.
 */
static __always_inline bool gp_redis_plain(const __u8 *bytes, __u32 len, struct gp_parser *p)
{
	__u32 bulks = (__u8)(bytes[1] - '0'), at = 4;
	__u16 operation = GP_REDIS_OTHER;

	if ((gp_load4(bytes) & 0xffff00ff) != (__u32)GP_WORD8("*\0\r\n") || bulks == 0)
		return false;
	if (bulks > GP_REDIS_PLAIN_BULKS || len > GP_REDIS_PLAIN_BYTES || p->own[0])
		return false;
	for (__u32 i = 0; i < GP_REDIS_PLAIN_BULKS && i < bulks; i++) {
		struct gp_redis_word w;
		__u64 number;
		int taken;

		if (at >= len || at > GP_REDIS_PLAIN_BYTES - GP_REDIS_HEAD_MAX - GP_REDIS_NAME_MAX)
			return false;
		taken = gp_redis_bulk_head(bytes + at, len - at, &number);
		if (taken <= 0 || number > GP_REDIS_PLAIN_BYTES)
			return false;
		at += taken;
		if (i == 0 && number <= GP_REDIS_NAME_MAX) {
			gp_redis_word(&w, bytes + at, number);
			operation = gp_redis_command(&w, 0);
			if (operation && operation < GP_REDIS_STREAMS_END)
				return false;
		}
		at += number + 2;
	}
	if (at != len)
		return false;
	p->operation = operation;
	return true;
}

#endif
