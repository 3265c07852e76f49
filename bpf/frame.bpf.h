/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames: what is kept with a connection whose messages are followed (struct gp_frame). */
#ifndef GP_FRAME_BPF_H
#define GP_FRAME_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "stream.bpf.h"

static __always_inline struct gp_frame *gp_frame_of(const struct gp_conn *c)
{
	__u32 index = (__u32)c->frame - 1;

	return c->frame ? bpf_map_lookup_elem(&frames, &index) : NULL;
}

/*
 * Gives the connection a frame, from the stream positions `in` and `out` on. 0, or -1 if there is
 * none, which is counted: its messages then count by turns.
 */
int gp_frame_claim(struct gp_conn *c, __u32 in, __u32 out);

static __always_inline void gp_frame_charge(__u32 place, int by)
{
	struct gp_payer *p = place ? bpf_map_lookup_elem(&payers, &place) : NULL;

	if (p)
		__sync_fetch_and_add(&p->frames, by);
}

/*
 * All bytes before `seq` have arrived by now. If there is no room, the oldest arrival takes in the
 * one behind it. Bytes within a long body need none of their own: the last will do. 0.
 */
int gp_frame_arrival(struct gp_frame *f, __u32 seq, __u64 now);

static __always_inline void gp_frame_release(struct gp_conn *c, struct gp_frame *f)
{
	c->frame = 0;
	gp_frame_charge(f->payer, -1);
	barrier();
	f->taken = 0;
}

/* Is the flow between messages? */
static __always_inline bool gp_flow_between(const struct gp_flow *flow)
{
	return !flow->parser.state && !flow->parser.skip && !flow->carried && !flow->aside &&
	       !flow->ending;
}

/* Is all that is known of the next message a few bytes, too few to tell what it is? */
static __always_inline bool gp_flow_carries(const struct gp_flow *flow)
{
	return flow->carried && !flow->parser.state && !flow->parser.skip && !flow->aside;
}

/* Requests wait behind the current exchange. */
static __always_inline bool gp_frame_waiting(const struct gp_frame *f)
{
	return f->begin != f->end;
}

/* An exchange is open. */
static __always_inline bool gp_frame_busy(const struct gp_frame *f)
{
	return f->current;
}

/* When the byte at `seq` arrived, at which a message begins or ends; `otherwise` if that was not
 * seen. */
static __always_inline __u64 gp_frame_arrived(const struct gp_frame *f, __u32 seq, __u64 otherwise)
{
	__u8 at = f->arrivals_begin;

	for (int i = 0; i < GP_ARRIVALS && at != f->arrivals_end; i++, at++) {
		const struct gp_arrival *a = &f->arrivals[at & (GP_ARRIVALS - 1)];

		if ((__s32)(a->seq - seq) <= 0)
			continue;
		if ((__s32)(a->exact - seq) <= 0)
			gp_drop(GP_DROP_PIPELINE); /* it is that of bytes before it */
		return a->ns;
	}
	return otherwise;
}

/* Bytes that arrived and that the parser has not seen: what the application has not read yet. */
static __always_inline __u32 gp_frame_unseen(const struct gp_frame *f, const struct sock *sk,
					     const struct gp_stream *tp)
{
	__u32 unseen = tp->rcv_nxt - f->in.seq - f->in.carried;

	return unseen - (unseen && gp_stream_end(sk));
}

/* One more request waits. If there is no room, it is taken for one like the last. */
static __always_inline void gp_frame_push(struct gp_frame *f, __u64 start_ns)
{
	struct gp_queued *q;

	f->waiting++;
	f->crowded = (__u8)(f->end - f->begin) == GP_QUEUED;
	if (f->crowded) {
		q = &f->queue[(__u8)(f->end - 1) & (GP_QUEUED - 1)];
		q->count++;
		q->operation = 0;
		gp_drop(GP_DROP_PIPELINE);
		return;
	}
	q = &f->queue[f->end++ & (GP_QUEUED - 1)];
	q->start_ns = start_ns;
	q->count = 1;
	q->operation = 0;
	q->bytes = 0;
}

/* The first of those that wait does not any more. */
static __always_inline void gp_frame_pop(struct gp_frame *f)
{
	struct gp_queued *q = &f->queue[f->begin & (GP_QUEUED - 1)];

	f->waiting--;
	if (q->count > 1)
		q->count--;
	else
		f->begin++;
}

/* Likewise the last. */
static __always_inline void gp_frame_unpush(struct gp_frame *f)
{
	struct gp_queued *q = &f->queue[(__u8)(f->end - 1) & (GP_QUEUED - 1)];

	f->waiting--;
	if (q->count > 1)
		q->count--;
	else
		f->end--;
}

/* What the last request is, is known now. */
static __always_inline void gp_frame_name(struct gp_frame *f, __u16 operation)
{
	if (!f->crowded) /* else it has no place of its own */
		f->queue[(__u8)(f->end - 1) & (GP_QUEUED - 1)].operation = operation;
}

/*
 * The last request is whole, of so many bytes: alike ones that came together are one entry. How
 * long each is, is given up for that only once half of the room is taken.
 */
static __always_inline void gp_frame_merge(struct gp_frame *f, __u32 bytes)
{
	struct gp_queued *q = &f->queue[(__u8)(f->end - 1) & (GP_QUEUED - 1)];
	struct gp_queued *before = &f->queue[(__u8)(f->end - 2) & (GP_QUEUED - 1)];
	__u8 used = f->end - f->begin;

	q->bytes = bytes >> 16 || q->count > 1 ? 0 : bytes;
	if (f->crowded || used < 2 || before->operation != q->operation ||
	    before->start_ns != q->start_ns)
		return;
	if (before->bytes != q->bytes) {
		if (used < GP_QUEUED / 2)
			return;
		before->bytes = 0;
	}
	before->count += q->count;
	f->end--;
}

#endif
