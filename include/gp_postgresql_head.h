/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both directions of PostgreSQL's protocol 3 share: heads of messages, and how parts of them
 * are passed over. */
#ifndef GP_POSTGRESQL_HEAD_H
#define GP_POSTGRESQL_HEAD_H

#include <stdbool.h>

#include "gp_sql.h"
#include "gp_sqlstates.h"

#define GP_POSTGRESQL_HEAD 5 /* a message's type and length; the length does not count the type */
#define GP_POSTGRESQL_LENGTH_MAX 0x3fffffff

/* Statuses: 0 is `other`, then this, then the SQLSTATEs. */
#define GP_POSTGRESQL_OK 1
#define GP_POSTGRESQL_SQLSTATE(state) ((state) + 2)

static __always_inline __u32 gp_postgresql_number(const __u8 *at)
{
	return __builtin_bswap32(gp_load4(at));
}

/* The length that the head at `at` tells; 0 if it makes no sense. */
static __always_inline __u32 gp_postgresql_length(const __u8 *at)
{
	__u32 length = gp_postgresql_number(at + 1);

	return length >= 4 && length <= GP_POSTGRESQL_LENGTH_MAX ? length : 0;
}

/* A message, or the rest of one, has `total` bytes of which no step need see more. */
static __always_inline int gp_postgresql_pass(struct gp_parser *p, __u32 len, __u32 total)
{
	__u32 taken = total < len ? total : len;

	p->skip = total - taken;
	p->state = 0;
	return taken;
}

/* How many bytes there are up to the first that is `byte` and with it; 0 if none of `len` is. */
static __always_inline __u32 gp_postgresql_find(const __u8 *at, __u32 len, __u8 byte)
{
	for (__u32 i = 0; i < GP_LOOK; i += 8) {
		__u64 found = gp_has_byte(gp_load8(at + i), byte);

		if (found) {
			__u32 taken = i + gp_up_to(found);

			return taken <= len ? taken : 0;
		}
	}
	return 0;
}

#endif
