/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parsers as functions that the verifier looks at once each, however often they are called:
 * inlined where they are used, they would be more than it accepts.
 */
#ifndef GP_STEP_BPF_H
#define GP_STEP_BPF_H

#include "gp_parser.h"
#include "kernel.bpf.h"

#define GP_WINDOW 1024
#define GP_WINDOW_MARGIN 32 /* readable before it */

/* Why a connection falls out of step. */
enum gp_lost { GP_LOST_NOT, GP_LOST_NONSENSE, GP_LOST_UNSEEN };

/* Where bytes come from: an skb, or the buffers of a send. */
struct gp_source {
	__u32 offset; /* in the skb */
	__u32 left;   /* bytes in all */
	__u64 base;   /* of the present buffer, and how much of it is left */
	__u64 base_left;
	__u64 vec; /* those behind it (struct iovec in the kernel), and how many */
	__u32 vecs;
	__u32 unreadable; /* pages of files */
};

/*
 * One for each CPU and hook: kernels from 7.2 on may go on with another task in the middle of a
 * program, and then run another program on the same CPU, though never the same. What changes while
 * bytes go through a parser is here, not on the stack: of values there the verifier would follow
 * each, round by round.
 */
struct gp_scratch {
	struct gp_source source;
	__u32 at, len;	/* in the window: what was not taken yet */
	__u32 lost;	/* enum gp_lost */
	__u32 messages; /* of this event, so far */
	__u32 stream;	/* no exchanges from here on */
	__u8 margin[GP_WINDOW_MARGIN];
	__u8 window[GP_WINDOW + GP_LOOK];
	__u8 beyond[512]; /* what the verifier cannot see to be out of reach */
};

enum gp_scratch_of {
	GP_SCRATCH_RECEIVE,
	GP_SCRATCH_SEND,
	GP_SCRATCH_UNIX, /* these again, of unix sockets */
	GP_SCRATCH_COUNT = 2 * GP_SCRATCH_UNIX
};

struct gp_scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GP_SCRATCH_COUNT);
	__type(key, __u32);
	__type(value, struct gp_scratch);
};

extern struct gp_scratch_map scratch SEC(".maps");

/* As much of a window as may be filled at once. */
struct gp_room {
	__u8 at[GP_WINDOW];
};

/*
 * Reads up to `n` (1 to GP_WINDOW) bytes of an skb from `offset` on. How many it were: some at
 * least, but fewer where a piece ends; or -1. For unix sockets, whose kernels all can pass such a
 * pointer (6.9: "bpf: add __arg_trusted global func arg tag").
 */
int gp_skb_read(struct sk_buff *skb GP_ARG_TRUSTED, __u32 offset, struct gp_room *to, __u32 n);

/*
 * The operation of the request that the first `len` bytes of the window are, if they are one whole
 * request and no more; else -1.
 */
int gp_plain(struct gp_scratch *s, __u32 len, __u32 protocol);

/* A step of the parser of a protocol, as gp_parser.h says. */
int gp_step_request(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol);
int gp_step_answer(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol);

/* The enum gp_protocol that a connection's first request could be of. */
int gp_recognise(struct gp_bytes *bytes, __u32 len);

#endif
