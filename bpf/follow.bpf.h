/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Following messages one by one: both directions of a connection go through its protocol's parser,
 * and each request becomes an exchange that ends with its own answer, in order. The first of those
 * open is the connection's current one (gp_conn), the others wait in its frame.
 *
 *   requests   |GET a|GET b|GET c|              arrive together; a is current, b and c wait
 *   answers                |200 a      |200 b|404 c|
 *                          first a  last a: a is counted; b is current, and read from now on
 *
 * What makes no sense, or was not seen, puts the connection out of step: what is open is counted,
 * and turns decide until a request and its answer make sense again.
 */
#ifndef GP_FOLLOW_BPF_H
#define GP_FOLLOW_BPF_H

#include "exchange.bpf.h"
#include "feed.bpf.h"
#include "frame.bpf.h"
#include "step.bpf.h"
#include "tls.bpf.h"

#define GP_FEED_STEPS 8192    /* of one event: tokens, and windows */
#define GP_FEED_MESSAGES 1024 /* likewise */
#define GP_FEED_BYTES 65536
#define GP_SEEN_BUFFERS 8 /* of a send that goes on, and were used up: more are out of step */

/* One event's bytes on their way through a parser. */
struct gp_feed {
	struct sock *sk;
	const struct gp_stream *tp;
	struct gp_conn *c;
	struct gp_frame *f;
	struct gp_flow *flow;
	struct gp_scratch *s;
	struct sk_buff *skb; /* the bytes are of: NULL: a send */
	__u64 now;
	__u32 requests; /* whether these are requests, or answers */
	__u32 seq;	/* of the event's first byte that was not seen before */
};

/* Counts what is open as ended now, since its answers cannot be told apart any more. */
static long gp_follow_give_up(__u32 i, struct gp_feed *x)
{
	struct gp_frame *f = x->f;
	struct gp_exchange e = {};
	struct gp_queued *q;

	if (!gp_frame_waiting(f))
		return 1;
	q = &f->queue[f->begin & (GP_QUEUED - 1)];
	e.endpoint = x->c->endpoint;
	e.flags = x->c->flags;
	e.protocol = x->c->protocol;
	e.waited = 1;
	e.start_ns = q->start_ns;
	e.first_ns = e.last_ns = x->now;
	gp_exchange_count(&e);
	if (x->c->role == GP_ROLE_CLIENT) {
		e.caller = gp_caller(x->c);
		gp_edge_count(x->c, &e, false);
	}
	gp_exchange_tell(x->sk, x->c, &e);
	gp_frame_pop(f);
	return 0;
}

/* The connection falls out of step: turns decide from here on. */
static __noinline int gp_follow_lost(struct gp_feed *x)
{
	struct gp_conn *c = x->c;

	gp_drop(GP_DROP_BYTES_UNSEEN);
	c->look |= GP_LOOK_LOST | GP_LOOK_ANSWERED;
	bpf_loop(GP_WAITING_MAX, gp_follow_give_up, x, 0);
	if (x->f->current && x->f->started)
		gp_turn_set(c, GP_PHASE_ANSWERED);
	gp_frame_release(c, x->f);
	return 0;
}

/* The connection's current exchange ends, its last byte being of `last_ns`. */
static __always_inline void gp_follow_end(struct gp_feed *x, __u64 last_ns, __u64 state)
{
	struct gp_conn *c = x->c;
	struct gp_exchange e = {};

	c->last_ns = last_ns;
	gp_exchange_take(&e, c, last_ns);
	gp_exchange_end(x->sk, c, c->turn, state, &e, false);
}

/* Nothing is open any more; but a request may have arrived that was not read yet. */
static __always_inline void gp_follow_unread(struct gp_feed *x)
{
	struct gp_conn *c = x->c;

	if (c->role == GP_ROLE_CLIENT || !gp_flow_between(&x->f->in) ||
	    !gp_frame_unseen(x->f, x->sk, x->tp))
		return;
	c->arrive_ns = gp_frame_arrived(x->f, x->f->in.seq, x->now);
	c->copied_seq = x->tp->copied_seq;
	c->flags &= ~(GP_CONN_SNAPPED | GP_CONN_UNACCEPTED);
	gp_turn_set(c, GP_PHASE_REQUEST);
}

/* The next request that waits is the current one from now on; or there is none. */
static __noinline int gp_follow_next(struct gp_feed *x)
{
	struct gp_frame *f = x->f;
	struct gp_conn *c = x->c;
	struct gp_queued *q;

	f->started = 0;
	f->current = 0;
	if (!gp_frame_waiting(f)) {
		gp_follow_unread(x);
		return 0;
	}
	q = &f->queue[f->begin & (GP_QUEUED - 1)];
	f->current = 1;
	c->start_ns = q->start_ns;
	c->operation = q->operation;
	c->status = 0;
	f->lengths.request = q->bytes;
	gp_frame_pop(f);
	if (c->role == GP_ROLE_CLIENT) {
		gp_turn_set(c, GP_PHASE_REQUEST);
		return 0;
	}
	gp_turn_far(c, x->now);
	return 0;
}

/* From here on bytes only: the exchange that opened the stream ends at its first byte. */
static __noinline int gp_follow_stream(struct gp_feed *x)
{
	struct gp_endpoint_record *r = gp_endpoint_record(x->c->endpoint);
	bool is_whole = x->c->protocol != GP_PROTOCOL_POSTGRESQL ||
			x->flow->parser.skip; /* LISTEN; of COPY to its ReadyForQuery */

	if (r)
		gp_add(&r->streams, 1);
	x->f->answer_end = x->f->lengths.answer_at; /* its end is not known */
	gp_follow_end(x, x->c->first_ns, is_whole ? GP_PHASE_STREAM : GP_PHASE_IDLE);
	x->f->current = x->f->started = 0;
	if (!is_whole)
		return 0;
	x->c->look |= GP_LOOK_STREAM;
	x->s->stream = 1;
	return 0;
}

/* Where the byte at `seq` is in the stream that is followed: differences are bytes. */
static __always_inline __u64 gp_follow_place(const struct gp_feed *x, __u32 seq)
{
	bool received = x->requests == (x->c->role == GP_ROLE_SERVER);

	return received ? gp_place_in(x->tp, seq) : gp_place_out(x->tp, seq);
}

/* When the byte at `seq` was sent or read: with the event, or with one before. */
static __always_inline __u64 gp_follow_when(const struct gp_feed *x, __u32 seq)
{
	return (__s32)(seq - x->seq) < 0 ? x->flow->carried_ns : x->now;
}

/* When a byte of the answer to the client's current request arrived; not before that was sent. */
static __always_inline __u64 gp_follow_arrived(const struct gp_feed *x, __u32 seq)
{
	__u64 arrived = gp_frame_arrived(x->f, seq, x->now);

	return arrived > x->c->start_ns ? arrived : x->c->start_ns;
}

/* The last request is none of an exchange, as shows at its end. */
static __always_inline void gp_follow_retract(struct gp_feed *x)
{
	struct gp_frame *f = x->f;

	if (gp_frame_waiting(f)) {
		gp_frame_unpush(f);
		return;
	}
	f->current = 0;
	gp_turn_set(x->c, GP_PHASE_IDLE);
}

static __always_inline void gp_follow_request(struct gp_feed *x, __u8 events, __u32 seq)
{
	struct gp_parser *p = &x->flow->parser;
	struct gp_frame *f = x->f;
	struct gp_conn *c = x->c;

	if (x->flow->aside)
		return;
	if (events & GP_EVENT_BEGIN) {
		__u64 start_ns = gp_follow_when(x, seq);

		f->request_seq = seq;
		if (c->role == GP_ROLE_SERVER)
			start_ns = gp_frame_arrived(f, seq, c->arrive_ns);
		if (f->current) {
			gp_frame_push(f, start_ns);
		} else {
			f->current = 1;
			f->started = 0;
			c->operation = 0;
			c->status = 0;
			c->start_ns = start_ns;
			f->lengths.request = 0;
			if (c->role == GP_ROLE_CLIENT)
				gp_turn_set(c, GP_PHASE_REQUEST);
			else if (gp_phase(c->turn) != GP_PHASE_READ)
				gp_turn_far(c,
					    x->now); /* its beginning was read with those before */
		}
	}
	if (events & GP_EVENT_NAMED) {
		if (gp_frame_waiting(f))
			gp_frame_name(f, p->operation);
		else
			c->operation = p->operation;
	}
	if (events & GP_EVENT_STREAM)
		f->opens_stream = 1;
	if ((events & (GP_EVENT_END | GP_EVENT_ASIDE)) == (GP_EVENT_END | GP_EVENT_ASIDE))
		gp_follow_retract(x); /* it will have no answer (CLIENT REPLY) */
}

static __always_inline void gp_follow_answer(struct gp_feed *x, __u8 events, __u32 seq)
{
	struct gp_parser *p = &x->flow->parser;
	struct gp_frame *f = x->f;
	struct gp_conn *c = x->c;

	if (x->flow->aside || !f->current)
		return; /* not asked for, or of a stream */
	if (events & GP_EVENT_BEGIN) {
		f->started = 1;
		f->lengths.answer_at = gp_follow_place(x, seq);
		f->answer_end = 0;
		if (c->role == GP_ROLE_SERVER) {
			gp_answer_far(c, gp_follow_when(x, seq));
			c->last_ns = x->now;
		} else {
			c->first_ns = gp_follow_arrived(x, seq);
			gp_turn_set(c, GP_PHASE_ANSWERED);
		}
		if (f->opens_stream && !gp_frame_waiting(f))
			events |= GP_EVENT_STREAM;
	}
	if (events & GP_EVENT_NAMED) {
		c->status = p->status;
		if (!c->operation)
			c->operation = p->operation;
	}
	if (events & GP_EVENT_BODY_TO_CLOSE)
		p->skip = ~0ULL;
	if (events & GP_EVENT_STREAM)
		gp_follow_stream(x);
}

/* A request and its answer made sense. */
static __always_inline void gp_conn_confirm(struct gp_conn *c)
{
	if (c->look & GP_LOOK_TENTATIVE)
		gp_conn_recognised(c);
	c->look &= ~(GP_LOOK_TENTATIVE | GP_LOOK_LOST);
}

/* The message that ended before `seq` is whole: how long it is. Apart, for want of stack. */
static __noinline int gp_follow_whole(struct gp_feed *x, __u32 seq)
{
	struct gp_frame *f = x->f;
	__u32 bytes = gp_tell_failed ? seq - f->request_seq : 0; /* else all are alike */

	if (!x->requests && f->current && f->started)
		f->answer_end = gp_follow_place(x, seq);
	else if (x->requests && gp_frame_waiting(f))
		gp_frame_merge(f, bytes);
	else if (x->requests)
		f->lengths.request = bytes;
	return 0;
}

/* A message has ended before the position `seq`. Not 0: turns count from here on. */
static __noinline int gp_follow_message(struct gp_feed *x, __u32 seq)
{
	struct gp_conn *c = x->c;
	bool aside = x->flow->aside;
	__u64 last_ns = x->now;

	x->flow->ending = 0;
	x->flow->aside = 0;
	if (!aside)
		gp_follow_whole(x, seq);
	if (!aside && x->requests && c->protocol == GP_PROTOCOL_TLS) {
		gp_tls_keep(c, x->f);
		x->s->stream = 1;
		return 1;
	}
	if (aside || x->requests || !x->f->current || !x->f->started)
		return 0;
	if (c->role == GP_ROLE_CLIENT)
		last_ns = gp_follow_arrived(x, seq - 1);
	gp_conn_confirm(c);
	gp_follow_end(x, last_ns, GP_PHASE_IDLE);
	gp_follow_next(x);
	return 0;
}

/* Moves what is left to the beginning of the window and reads more behind it. Whether it could. */
static __always_inline bool gp_feed_fill(struct gp_feed *x)
{
	__u32 at = x->s->at & (GP_WINDOW - 1), rest = x->s->len - x->s->at;
	__u8 *window = x->s->window;
	__u64 kept[GP_LOOK / 8];
	int n;

	if (!gp_source_next(&x->s->source, x->skb))
		return false;
	for (int i = 0; i < GP_LOOK / 8; i++)
		kept[i] = gp_load8(window + at + i * 8);
	for (int i = 0; i < GP_LOOK / 8; i++)
		((__u64 *)window)[i] = kept[i];
	asm volatile("" : "+r"(rest));
	if (rest >= GP_LOOK)
		return false;
	n = gp_source_read(&x->s->source, x->skb, window + rest, GP_WINDOW - GP_LOOK);
	if (n <= 0)
		return false;
	x->s->at = 0;
	x->s->len = rest + n;
	return true;
}

/* Passes over bytes that no step need see: first those in the window. Whether there may be more. */
static __always_inline bool gp_feed_skip(struct gp_feed *x)
{
	struct gp_parser *p = &x->flow->parser;
	__u32 n = x->s->len - x->s->at;

	if (n) {
		if (n > p->skip)
			n = p->skip;
		x->s->at += n;
	} else {
		if (!x->s->source.left || !gp_source_next(&x->s->source, x->skb))
			return false;
		n = gp_source_skip(&x->s->source, x->skb, p->skip);
	}
	p->skip -= n;
	x->flow->seq += n;
	return true;
}

static long gp_feed_step(__u32 i, struct gp_feed *x)
{
	struct gp_flow *flow = x->flow;
	__u32 len = x->s->len - x->s->at, seq = flow->seq;
	struct gp_bytes *bytes;
	__u8 events;
	int n;

	if (flow->parser.skip)
		return !gp_feed_skip(x);
	if (flow->ending)
		return gp_follow_message(x, seq);
	if (len < GP_LOOK && x->s->source.left) {
		if (gp_feed_fill(x))
			return 0;
		x->s->lost = GP_LOST_UNSEEN;
		return 1;
	}
	if (!len)
		return 1;
	if (len > GP_LOOK)
		len = GP_LOOK;
	if (!x->requests)
		flow->parser.request = x->c->operation;
	bytes = (struct gp_bytes *)(x->s->window + (x->s->at & (GP_WINDOW - 1)));
	n = x->requests ? gp_step_request(&flow->parser, bytes, len, x->c->protocol)
			: gp_step_answer(&flow->parser, bytes, len, x->c->protocol);
	if (n == GP_PARSE_MORE)
		return 1;
	if (n < 0) {
		x->s->lost = GP_LOST_NONSENSE;
		return 1;
	}
	x->s->at += n;
	flow->seq += n;
	events = flow->parser.events;
	if (events & GP_EVENT_BEGIN) {
		flow->aside = !!(events & GP_EVENT_ASIDE);
		if (!flow->aside && x->s->messages++ >= GP_FEED_MESSAGES) {
			x->s->lost = GP_LOST_UNSEEN;
			return 1;
		}
	}
	if (events & GP_EVENT_END)
		flow->ending = 1;
	if (x->requests)
		gp_follow_request(x, events, seq);
	else
		gp_follow_answer(x, events, seq);
	return x->s->stream ? 1 : 0;
}

/* What is left of the window is the beginning of a token: kept for the next event. */
static __always_inline void gp_feed_keep(struct gp_feed *x)
{
	__u32 at = x->s->at & (GP_WINDOW - 1), rest = x->s->len - x->s->at;
	struct gp_flow *flow = x->flow;

	flow->carried = rest < GP_LOOK ? rest : 0;
	if (!flow->carried)
		return;
	if ((__s32)(flow->seq - x->seq) >= 0)
		flow->carried_ns = x->now;
	for (int i = 0; i < GP_LOOK / 8; i++)
		((__u64 *)flow->carry)[i] = gp_load8(x->s->window + at + i * 8);
}

/* Nothing is open, unread or half seen: it need not be followed any more. */
static __always_inline bool gp_follow_idle(struct gp_conn *c, struct gp_frame *f,
					   const struct sock *sk, const struct gp_stream *tp)
{
	const struct gp_flow *requests = c->role == GP_ROLE_SERVER ? &f->in : &f->out;
	const struct gp_flow *answers = c->role == GP_ROLE_SERVER ? &f->out : &f->in;

	if (gp_tls_is(c))
		return gp_tls_idle(c, f, sk, tp);
	if (c->protocol == GP_PROTOCOL_REDIS && requests->parser.own[0])
		return false; /* answers are switched off */
	if (c->protocol == GP_PROTOCOL_POSTGRESQL &&
	    ((requests->parser.mark & GP_POSTGRESQL_OPEN) ||
	     (answers->parser.mark & GP_POSTGRESQL_ANSWERS)))
		return false; /* several messages are one */
	return !f->current && gp_flow_between(&f->in) && gp_flow_between(&f->out) &&
	       !gp_frame_unseen(f, sk, tp) && !gp_stream_owes(tp, f->out.seq);
}

/*
 * Follows the bytes of one event from the stream position `seq` on; what was seen before is passed
 * over. 0, or -1 if the connection is not followed any more.
 */
static __noinline int gp_follow(struct gp_feed *x, __u32 seq)
{
	struct gp_flow *flow = x->flow;
	__u32 seen = flow->seq + flow->carried - seq;

	if ((__s32)seen > 0) { /* it was seen: a send that took less, a read in parts, a peek */
		if (seen >= x->s->source.left)
			return 0;
		for (int i = 0; i < GP_SEEN_BUFFERS && seen; i++) {
			if (!gp_source_next(&x->s->source, x->skb))
				break;
			seen -= gp_source_skip(&x->s->source, x->skb, seen);
		}
	} else if (seen && flow->parser.skip >= -seen && !flow->carried) {
		seen = -seen; /* it was not: received by splice, sent by more at once */
		flow->parser.skip -= seen;
		flow->seq += seen;
		seen = 0;
	}
	if (seen) {
		x->s->lost = GP_LOST_UNSEEN;
		gp_follow_lost(x);
		return -1;
	}
	x->seq = flow->seq + flow->carried;
	if (x->s->source.left > GP_FEED_BYTES)
		x->s->source.left = GP_FEED_BYTES;
	x->s->messages = 0;
	x->s->at = 0;
	x->s->len = flow->carried;
	for (int i = 0; i < GP_LOOK / 8; i++)
		((__u64 *)x->s->window)[i] = ((__u64 *)flow->carry)[i];
	bpf_loop(GP_FEED_STEPS, gp_feed_step, x, 0);
	if (!x->s->lost && !x->s->stream && !flow->parser.skip &&
	    (x->s->source.left || x->s->len - x->s->at >= GP_LOOK))
		x->s->lost = GP_LOST_UNSEEN; /* too much for one event */
	if (x->s->stream) {
		gp_frame_release(x->c, x->f);
		return -1;
	}
	if (x->s->lost) {
		gp_follow_lost(x);
		return -1;
	}
	gp_feed_keep(x);
	return 0;
}

#endif
