/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the protocol parsers have in common. A parser follows one direction of one connection, in
 * steps. A step is a pure function over a window of bytes: it takes one token off its beginning (a
 * status line, a length, part of a long header line) and says what that meant. The same source runs
 * in the kernel, in the unit tests and in the fuzzers.
 *
 *   int gp_PROTOCOL_request(struct gp_parser *p, const __u8 *at, __u32 len);
 *   int gp_PROTOCOL_response(struct gp_parser *p, const __u8 *at, __u32 len);
 *
 * `at` has GP_LOOK readable bytes, of which the first `len` (1 to GP_LOOK) are the stream's next,
 * the rest is undefined. `p` holds all that is known of what went before. Returned is how many
 * bytes were taken, 1 to `len`; or GP_PARSE_MORE, if the token goes on behind `len` (only where len
 * < GP_LOOK: no token is longer) and nothing was taken; or GP_PARSE_LOST, if this is not the
 * protocol, or not what the parser can follow. After a step `events` says what happened in it, and
 * `skip` how many bytes follow of which no step need see anything; they come before what follows,
 * and before the end that GP_EVENT_END tells of. A step is never called with `skip` above 0:
 * whoever calls takes that off first.
 *
 * No step loops over more than the window. Lines may be longer than it: they are taken in parts.
 */
#ifndef GP_PARSER_H
#define GP_PARSER_H

#include "gp_types.h"

#define GP_LOOK 64

#define GP_PARSE_MORE 0
#define GP_PARSE_LOST -1

/* What a step says of its token. */
/* A message begins with the token's first byte: a request, or the answer to one. */
#define GP_EVENT_BEGIN 1
#define GP_EVENT_END 2	 /* the message ends `skip` bytes behind what was taken */
#define GP_EVENT_NAMED 4 /* `operation` or `status` of the message is known from now on */
/* With BEGIN to END: no request of its own or no answer (1xx, push, notice, Terminate). */
#define GP_EVENT_ASIDE 8
#define GP_EVENT_STREAM 16	  /* no exchanges from here on: 101, SUBSCRIBE, COPY */
#define GP_EVENT_BODY_TO_CLOSE 32 /* the message ends where the connection does */

/* Where a direction of a connection stands. All 0: at the beginning of a message. */
struct gp_parser {
	__u64 skip;
	__u32 items;	  /* the protocol's own */
	__u16 operation;  /* requests: enum of the protocol, 0: `other` */
	__u16 status;	  /* responses: enum of the protocol, 0: `other` */
	__u16 request;	  /* responses: operation of what is answered next, by the caller */
	__u8 state, mark; /* the protocol's own; state 0: at the beginning of a message */
	__u8 events;	  /* GP_EVENT_*, of the last step */
	__u8 own[3];	  /* the protocol's own, too */
};

_Static_assert(sizeof(struct gp_parser) == 24, "two of them stand in every followed connection");

/* A window: a step looks at GP_LOOK bytes; the rest is what the verifier cannot see to be out of
 * its reach. */
struct gp_bytes {
	__u8 at[GP_LOOK];
	__u8 beyond[256];
};

/* A part of a step that the verifier is to look at once, and not anew wherever it is called. */
#ifdef __bpf__
#define GP_ONCE __attribute__((weak, noinline))
#else
#define GP_ONCE static inline
#endif

/* The compiler must not put a load together from single bytes, which for BPF it else does: the
 * kernels goldpan is for load from any address. */
#ifdef __bpf__
typedef __u64 __attribute__((may_alias)) gp_any8;
typedef __u32 __attribute__((may_alias)) gp_any4;
#endif

/* Eight bytes at `at`, the first in the lowest place. */
static __always_inline __u64 gp_load8(const __u8 *at)
{
#ifdef __bpf__
	return *(const gp_any8 *)at;
#else
	__u64 word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
#endif
}

static __always_inline __u32 gp_load4(const __u8 *at)
{
#ifdef __bpf__
	return *(const gp_any4 *)at;
#else
	__u32 word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
#endif
}

/* Letters in lower case; other bytes may change, too, so compare with what was treated alike. */
#define GP_LOWER4 0x20202020u
#define GP_LOWER8 0x2020202020202020ull

/* A string of at most 8 characters as gp_load8 would show it, if nothing else followed. */
#define GP_CHAR(s, i) ((i) < sizeof(s) - 1 ? (__u64)(__u8)(s)[(i) < sizeof(s) - 1 ? (i) : 0] : 0)
#define GP_WORD8(s)                                                                                \
	(GP_CHAR(s, 0) | GP_CHAR(s, 1) << 8 | GP_CHAR(s, 2) << 16 | GP_CHAR(s, 3) << 24 |          \
	 GP_CHAR(s, 4) << 32 | GP_CHAR(s, 5) << 40 | GP_CHAR(s, 6) << 48 | GP_CHAR(s, 7) << 56)

/* The lowest `n` bytes (0 to 8) of a word. */
static __always_inline __u64 gp_low_bytes(__u64 word, __u32 n)
{
	return n >= 8 ? word : word & ((1ull << (n * 8)) - 1);
}

/* Has a word a byte that is `byte`? Not 0 if so; the lowest bit set is in the first such byte.
 * (x - 1 borrows into a byte's highest bit only if the byte is 0: "Bit Twiddling Hacks",
 * determining if a word has a zero byte.) */
static __always_inline __u64 gp_has_byte(__u64 word, __u8 byte)
{
	__u64 x = word ^ (0x0101010101010101ull * byte);

	return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
}

/* Every byte that is `byte`, where gp_has_byte is sure of the first alone: its highest bit is set.
 */
static __always_inline __u64 gp_mark_bytes(__u64 word, __u8 byte)
{
	const __u64 low = 0x7f7f7f7f7f7f7f7full;
	__u64 x = word ^ (0x0101010101010101ull * byte);

	return ~(((x & low) + low) | x | low);
}

/* As gp_has_byte, for bytes below `byte`, which is at most 128. */
static __always_inline __u64 gp_has_below(__u64 word, __u8 byte)
{
	return (word - 0x0101010101010101ull * byte) & ~word & 0x8080808080808080ull;
}

/* How many bytes there are up to the first one found and with it; `found` is not 0. */
static __always_inline __u32 gp_up_to(__u64 found)
{
	__u64 below = ((found & -found) - 1) & 0x0101010101010101ull;

	return below * 0x0101010101010101ull >> 56;
}

#endif
