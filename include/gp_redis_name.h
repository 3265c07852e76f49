/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis' closed lists: the commands (`operation`) and the first words of errors (`status`), and how
 * a word is looked up in them: its bytes as three numbers, these into a table in which every listed
 * name has a place of its own, one comparison. So a command costs the same wherever it stands in
 * the list. Weakness: the table is mostly empty, 32 KiB of which a service touches a few lines.
 */
#ifndef GP_REDIS_NAME_H
#define GP_REDIS_NAME_H

#include <stdbool.h>

#include "gp_parser.h"
#include "gp_records.h"
#include "gp_redis_commands.h"

#define GP_REDIS_NAME_MAX 24

#define GP_REDIS_NUMBER(id, name) GP_REDIS_##id,
#define GP_REDIS_SUBNUMBER(container, id, first, second) GP_REDIS_##container##_##id,
enum gp_redis_operation {
	GP_REDIS_OTHER,
	GP_REDIS_CONTAINERS(GP_REDIS_NUMBER) GP_REDIS_CONTAINERS_END,
	GP_REDIS_BEFORE_STREAMS = GP_REDIS_CONTAINERS_END - 1,
	GP_REDIS_STREAMS(GP_REDIS_NUMBER) GP_REDIS_STREAMS_END,
	GP_REDIS_BEFORE_PLAIN = GP_REDIS_STREAMS_END - 1,
	GP_REDIS_PLAIN(GP_REDIS_NUMBER) GP_REDIS_SUBCOMMANDS(GP_REDIS_SUBNUMBER)
		GP_REDIS_OPERATION_COUNT
};
#undef GP_REDIS_NUMBER
#undef GP_REDIS_SUBNUMBER

/* The words that redis-server and Sentinel begin an error with. */
#define GP_REDIS_ERRORS(X)                                                                         \
	X(ERR)                                                                                     \
	X(WRONGTYPE)                                                                               \
	X(MOVED)                                                                                   \
	X(ASK)                                                                                     \
	X(OOM)                                                                                     \
	X(LOADING)                                                                                 \
	X(BUSY)                                                                                    \
	X(MISCONF)                                                                                 \
	X(CLUSTERDOWN)                                                                             \
	X(MASTERDOWN)                                                                              \
	X(NOAUTH)                                                                                  \
	X(WRONGPASS)                                                                               \
	X(NOPERM)                                                                                  \
	X(NOSCRIPT)                                                                                \
	X(EXECABORT)                                                                               \
	X(READONLY)                                                                                \
	X(NOREPLICAS)                                                                              \
	X(BUSYGROUP)                                                                               \
	X(NOGROUP)                                                                                 \
	X(BUSYKEY)                                                                                 \
	X(TRYAGAIN)                                                                                \
	X(CROSSSLOT)                                                                               \
	X(UNKILLABLE)                                                                              \
	X(NOPROTO)                                                                                 \
	X(NOTBUSY)                                                                                 \
	X(UNBLOCKED)                                                                               \
	X(INPROG)                                                                                  \
	X(NOGOODSLAVE)                                                                             \
	X(NOMASTERLINK)                                                                            \
	X(IOERR)                                                                                   \
	X(DENIED)                                                                                  \
	X(NOQUORUM)                                                                                \
	X(INVALIDOBJ)                                                                              \
	X(DUPLICATE)

#define GP_REDIS_NUMBER(word) GP_REDIS_STATUS_##word,
enum gp_redis_status {
	GP_REDIS_STATUS_OTHER,
	GP_REDIS_STATUS_OK,
	GP_REDIS_ERRORS(GP_REDIS_NUMBER) GP_REDIS_STATUS_COUNT
};
#undef GP_REDIS_NUMBER

/* A word as numbers: as gp_load8 shows it, with 0 behind its end. */
struct gp_redis_word {
	__u64 words[GP_REDIS_NAME_MAX / 8];
	__u32 len;
};

struct gp_redis_name {
	union {
		char text[GP_REDIS_NAME_MAX]; /* no 0 behind the longest */
		__u64 words[GP_REDIS_NAME_MAX / 8];
	};
	__u16 len;
	__u16 container; /* of subcommands; else 0 */
	__u32 reserved;
};

#define GP_REDIS_SLOT_BITS 14
#define GP_REDIS_STATUS_SLOT_BITS 8
/* The first makes the commands' slots differ, the second the errors'; others only mix. */
#define GP_REDIS_SPREAD 0x5aa2478615ec4a65ull
#define GP_REDIS_STATUS_SPREAD 0x2fef107a27529ad1ull
#define GP_REDIS_MIX1 0x9e3779b97f4a7c15ull
#define GP_REDIS_MIX2 0xc2b2ae3d27d4eb4full
#define GP_REDIS_MIX3 (GP_REDIS_MIX1 * GP_REDIS_MIX2)

#define GP_REDIS_SLOT(word0, word1, word2, container)                                              \
	(((word0) + (word1)*GP_REDIS_MIX1 + (word2)*GP_REDIS_MIX2 +                                \
	  (__u64)(container)*GP_REDIS_MIX3) *                                                      \
		 GP_REDIS_SPREAD >>                                                                \
	 (64 - GP_REDIS_SLOT_BITS))
#define GP_REDIS_STATUS_SLOT(word0, word1)                                                         \
	(((word0) + (word1)*GP_REDIS_MIX1) * GP_REDIS_STATUS_SPREAD >>                             \
	 (64 - GP_REDIS_STATUS_SLOT_BITS))

/* Eight characters of a constant from the `at`-th on, as a number the compiler knows. */
#define GP_REDIS_WORD(name, at)                                                                    \
	(GP_CHAR(name, at) | GP_CHAR(name, at + 1) << 8 | GP_CHAR(name, at + 2) << 16 |            \
	 GP_CHAR(name, at + 3) << 24 | GP_CHAR(name, at + 4) << 32 | GP_CHAR(name, at + 5) << 40 | \
	 GP_CHAR(name, at + 6) << 48 | GP_CHAR(name, at + 7) << 56)

#define GP_REDIS_PLACE(name, container)                                                            \
	GP_REDIS_SLOT(GP_REDIS_WORD(name, 0), GP_REDIS_WORD(name, 8), GP_REDIS_WORD(name, 16),     \
		      container)

#define GP_REDIS_ROW(id, name) [GP_REDIS_##id] = {{name}, sizeof(name) - 1, 0, 0},
#define GP_REDIS_SUBROW(in, id, first, second)                                                     \
	[GP_REDIS_##in##_##id] = {{second}, sizeof(second) - 1, GP_REDIS_##in, 0},
#define GP_REDIS_COMMANDS_ROOM 1024 /* a power of two: what is masked so is in it */
static const struct gp_redis_name gp_redis_commands[GP_REDIS_COMMANDS_ROOM] = {
	GP_REDIS_CONTAINERS(GP_REDIS_ROW) GP_REDIS_STREAMS(GP_REDIS_ROW)
		GP_REDIS_PLAIN(GP_REDIS_ROW) GP_REDIS_SUBCOMMANDS(GP_REDIS_SUBROW)};
#undef GP_REDIS_ROW
#undef GP_REDIS_SUBROW
_Static_assert(GP_REDIS_OPERATION_COUNT <= GP_REDIS_COMMANDS_ROOM, "each has a place");

#define GP_REDIS_ROW(id, name) [GP_REDIS_PLACE(name, 0)] = GP_REDIS_##id,
#define GP_REDIS_SUBROW(in, id, first, second)                                                     \
	[GP_REDIS_PLACE(second, GP_REDIS_##in)] = GP_REDIS_##in##_##id,
static const __u16 gp_redis_slots[1 << GP_REDIS_SLOT_BITS] = {
	GP_REDIS_CONTAINERS(GP_REDIS_ROW) GP_REDIS_STREAMS(GP_REDIS_ROW)
		GP_REDIS_PLAIN(GP_REDIS_ROW) GP_REDIS_SUBCOMMANDS(GP_REDIS_SUBROW)};
#undef GP_REDIS_ROW
#undef GP_REDIS_SUBROW

#define GP_REDIS_ROW(word) [GP_REDIS_STATUS_##word] = {{#word}, sizeof(#word) - 1, 0, 0},
#define GP_REDIS_ERRORS_ROOM 64 /* likewise */
static const struct gp_redis_name gp_redis_errors[GP_REDIS_ERRORS_ROOM] = {
	GP_REDIS_ERRORS(GP_REDIS_ROW)};
#undef GP_REDIS_ROW

#define GP_REDIS_ROW(word)                                                                         \
	[GP_REDIS_STATUS_SLOT(GP_REDIS_WORD(#word, 0), GP_REDIS_WORD(#word, 8))] =                 \
		GP_REDIS_STATUS_##word,
static const __u8 gp_redis_error_slots[1 << GP_REDIS_STATUS_SLOT_BITS] = {
	GP_REDIS_ERRORS(GP_REDIS_ROW)};
#undef GP_REDIS_ROW
_Static_assert(GP_REDIS_STATUS_COUNT <= GP_REDIS_ERRORS_ROOM, "each has a place");

/* Letters, and nothing else, in upper case. */
static __always_inline __u64 gp_redis_upper(__u64 word)
{
	__u64 low = word & 0x7f7f7f7f7f7f7f7full;
	__u64 from_a = low + 0x0101010101010101ull * (0x80 - 'a');
	__u64 past_z = low + 0x0101010101010101ull * (0x80 - 'z' - 1);

	return word ^ ((from_a & ~past_z & ~word & 0x8080808080808080ull) >> 2);
}

/* Of a word's eight bytes those below its end: at 8 + len for the first eight, at len for the next
 * and at len - 8 for the last. A table, as the verifier walks each branch. */
#define GP_REDIS_BYTES(n) ((1ull << (n)*8) - 1)
static const __u64 gp_redis_masks[GP_REDIS_NAME_MAX + 8 + 1] = {
	[9] = GP_REDIS_BYTES(1),  [10] = GP_REDIS_BYTES(2),
	[11] = GP_REDIS_BYTES(3), [12] = GP_REDIS_BYTES(4),
	[13] = GP_REDIS_BYTES(5), [14] = GP_REDIS_BYTES(6),
	[15] = GP_REDIS_BYTES(7), [16 ... GP_REDIS_NAME_MAX + 8] = ~0ull,
};

/* The `len` bytes at `at`, at most GP_REDIS_NAME_MAX, which can be read. */
static __always_inline void gp_redis_word(struct gp_redis_word *w, const __u8 *at, __u32 len)
{
	__u32 rest = len - 8;

	w->len = len;
	w->words[0] = gp_load8(at) & gp_redis_masks[len + 8];
	w->words[1] = w->words[2] = 0;
	if (len <= 8)
		return;
	w->words[1] = gp_load8(at + 8) & gp_redis_masks[len];
	asm volatile("" : "+r"(rest)); /* the mask is for the verifier: keep it */
	w->words[2] = gp_load8(at + 16) & gp_redis_masks[rest & 31];
}

static __always_inline bool gp_redis_is(const struct gp_redis_word *w,
					const struct gp_redis_name *name)
{
	return w->len == name->len && w->words[0] == name->words[0] &&
	       w->words[1] == name->words[1] && w->words[2] == name->words[2];
}

/* The command of this name, or `container`'s subcommand, in any case; GP_REDIS_OTHER if none is. */
static __always_inline __u16 gp_redis_command(struct gp_redis_word *w, __u16 container)
{
	__u16 operation;

	w->words[0] = gp_redis_upper(w->words[0]);
	if (w->len > 8) {
		w->words[1] = gp_redis_upper(w->words[1]);
		w->words[2] = gp_redis_upper(w->words[2]);
	}
	operation =
		gp_redis_slots[GP_REDIS_SLOT(w->words[0], w->words[1], w->words[2], container)] &
		(GP_REDIS_COMMANDS_ROOM - 1);
	if (!gp_redis_is(w, &gp_redis_commands[operation]) ||
	    gp_redis_commands[operation].container != container)
		return GP_REDIS_OTHER;
	return operation;
}

/* The status that an error's first word tells, upper case as servers write it. */
static __always_inline __u16 gp_redis_error_word(const struct gp_redis_word *w)
{
	__u8 status = gp_redis_error_slots[GP_REDIS_STATUS_SLOT(w->words[0], w->words[1])] &
		      (GP_REDIS_ERRORS_ROOM - 1);

	return gp_redis_is(w, &gp_redis_errors[status]) ? status : GP_REDIS_STATUS_OTHER;
}

static __always_inline bool gp_redis_is_container(__u16 operation)
{
	return operation > GP_REDIS_OTHER && operation < GP_REDIS_CONTAINERS_END;
}

static __always_inline bool gp_redis_is_stream(__u16 operation)
{
	return operation >= GP_REDIS_CONTAINERS_END && operation < GP_REDIS_STREAMS_END;
}

/* What an answer of this status is counted as (contract.md); GP_ERROR_COUNT: as no error. */
static __always_inline enum gp_error gp_redis_error(__u16 status)
{
	switch (status) {
	case GP_REDIS_STATUS_OK:
	case GP_REDIS_STATUS_MOVED:
	case GP_REDIS_STATUS_ASK:
		return GP_ERROR_COUNT;
	case GP_REDIS_STATUS_OOM:
	case GP_REDIS_STATUS_LOADING:
	case GP_REDIS_STATUS_BUSY:
	case GP_REDIS_STATUS_MISCONF:
	case GP_REDIS_STATUS_CLUSTERDOWN:
	case GP_REDIS_STATUS_MASTERDOWN:
		return GP_ERROR_SERVER;
	default:
		return GP_ERROR_CLIENT;
	}
}

#endif
