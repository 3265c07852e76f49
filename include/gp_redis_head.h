/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head that RESP's lengths come in, of requests and answers alike: a type, a number, CR LF. */
#ifndef GP_REDIS_HEAD_H
#define GP_REDIS_HEAD_H

#include <stdbool.h>

#include "gp_parser.h"

#define GP_REDIS_HEAD_MAX 13 /* a type, ten digits, CR LF */

/* What redis-server takes: elements of an array, bytes of a bulk string. */
#define GP_REDIS_ELEMENTS_MAX 0x7fffffffull
#define GP_REDIS_BULK_MAX (512ull << 20)

#define GP_REDIS_NONE (~0ull) /* the number of `$-1` and `*-1` */
#define GP_REDIS_BAD (~1ull)

/*
 * An offset into the window, of which from here on the verifier knows no more than that it is one.
 * Else it would walk what follows once for each way that led here: loops of four elements then had
 * more than its million instructions. It forgets what goes through a map's value, and `skip` is 0
 * as long as a step lasts.
 */
static __always_inline __u32 gp_redis_forget(struct gp_parser *p, __u32 offset)
{
	p->skip = offset;
	asm volatile("" ::: "memory");
	offset = p->skip & (GP_LOOK - 1);
	p->skip = 0;
	return offset;
}

static __always_inline bool gp_redis_is_digit(__u8 c)
{
	return (__u8)(c - '0') <= 9;
}

/*
 * The number that the first `digits` (0 to 8) bytes of a word say; GP_REDIS_BAD if others than
 * digits are among them. Put last, what is before them counts as zeros; then two digits become one
 * number, two such one of four, two such one of eight.
 */
static __always_inline __u64 gp_redis_digits(__u64 word, __u32 digits)
{
	const __u64 high = 0xf0f0f0f0f0f0f0f0ull;
	__u64 x;

	if (digits == 0 || digits > 8)
		return GP_REDIS_BAD;
	x = (word ^ 0x3030303030303030ull) << (64 - digits * 8);
	if ((x | (x + 0x0606060606060606ull)) & high)
		return GP_REDIS_BAD;
	x = x * 10 + (x >> 8);
	x = ((x & 0x000000ff000000ffull) * 0x000f424000000064ull +
	     (x >> 16 & 0x000000ff000000ffull) * 0x0000271000000001ull) >>
	    32;
	return x & 0xffffffff;
}

/* As gp_redis_head, where no CR is among the first eight bytes of the number. */
static __always_inline int gp_redis_long_head(const __u8 *at, __u64 *number)
{
	__u64 first = gp_redis_digits(gp_load8(at + 1), 8);

	*number = first;
	if (at[9] == '\r' || first == GP_REDIS_BAD)
		return at[9] == '\r' ? 11 : GP_REDIS_HEAD_MAX;
	*number = first * 10 + (__u8)(at[9] - '0');
	if (gp_redis_is_digit(at[9]) && at[10] == '\r')
		return 12;
	*number = *number * 10 + (__u8)(at[10] - '0');
	if (!gp_redis_is_digit(at[9]) || !gp_redis_is_digit(at[10]) || at[11] != '\r')
		*number = GP_REDIS_BAD;
	return GP_REDIS_HEAD_MAX;
}

/*
 * The number of at most ten digits behind the type at `at`, where GP_REDIS_HEAD_MAX bytes can be
 * read and `len` are real: how many bytes with CR LF, GP_PARSE_MORE or GP_PARSE_LOST.
 */
static __always_inline int gp_redis_head(const __u8 *at, __u32 len, __u64 *number)
{
	__u64 word = gp_load8(at + 1), end = gp_has_byte(word, '\r');
	__u32 taken;

	if (end) {
		taken = gp_up_to(end) + 2;
		*number = gp_redis_digits(word, taken - 3);
		if ((word & 0xffffff) == GP_WORD8("-1\r"))
			*number = GP_REDIS_NONE;
	} else {
		taken = gp_redis_long_head(at, number);
	}
	asm volatile("" : "+r"(taken)); /* the check below is for the verifier: keep it */
	if (taken > GP_REDIS_HEAD_MAX)
		return GP_PARSE_LOST;
	if (taken > len)
		return GP_PARSE_MORE;
	return *number != GP_REDIS_BAD && at[taken - 1] == '\n' ? (int)taken : GP_PARSE_LOST;
}

#endif
