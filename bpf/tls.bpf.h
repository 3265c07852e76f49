/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS: its handshake is followed record by record (follow.bpf.h) and is no exchange. Behind it
 * turns count, as nobody can tell what is said: at the beginning of each there is a look at the
 * head of its first record. If that holds anything but data, it is followed again up to data.
 *
 *   client  |Hello|      |..Finished|    |data|      |data|      |alert|
 *   server         |Hello..|     |tickets|    |data|      |data|
 *                  followed               turn        turn         followed, and no turn
 *
 * Turns that overlap are those of several exchanges at once (HTTP/2): the connection is a stream
 * from then on. Only up to the first answer they may be of one, since a server may have sent
 * tickets when part of the first request is there: then it goes on.
 *
 * What it is bad at (TLS 1.3, where no one can see what a record holds): a ticket that is sent when
 * the first request was read with the client's Finished is taken for the beginning of the answer,
 * and if that request goes on when the ticket was received, for two exchanges. A new key that is
 * announced by itself begins the next request too early. And a client's request that is answered by
 * an alert alone counts as answered, as nobody looks at what arrives; a server's does not.
 */
#ifndef GP_TLS_BPF_H
#define GP_TLS_BPF_H

#include "exchange.bpf.h"
#include "feed.bpf.h"
#include "frame.bpf.h"
#include "gp_tls.h"

/* A connection of TLS that is looked at. Its GP_LOOK_OFF says that nothing else looks at it. */
static __always_inline bool gp_tls_is(const struct gp_conn *c)
{
	return gp_recognises(GP_PROTOCOL_TLS) && gp_payload && c->protocol == GP_PROTOCOL_TLS &&
	       !(c->look & (GP_LOOK_STREAM | GP_LOOK_LOST));
}

static __always_inline struct gp_flow *gp_tls_requests(const struct gp_conn *c, struct gp_frame *f)
{
	return c->role == GP_ROLE_SERVER ? &f->in : &f->out;
}

/* What was read or sent last is of no exchange. */
static __always_inline void gp_turn_aside(struct gp_conn *c, __u64 now)
{
	if (c->role == GP_ROLE_SERVER) {
		if (c->reader)
			gp_work_forget(c->id, c->reader);
		c->parts.ns[GP_STAGE_RUNQUEUE] = 0; /* in case a request was read with it */
	} else if (c->caller && gp_phase(c->turn) == GP_PHASE_REQUEST) {
		gp_work_reply(c, now);
	}
	gp_turn_set(c, GP_PHASE_IDLE);
}

/* No exchanges from here on. */
static __noinline int gp_tls_stream(struct gp_conn *c)
{
	struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);

	if (r)
		gp_add(&r->streams, 1);
	c->look |= GP_LOOK_STREAM;
	gp_turn_aside(c, bpf_ktime_get_ns());
	gp_turn_set(c, GP_PHASE_STREAM);
	return 0;
}

/* What the frame knows is kept with the connection, if it was the handshake that it followed. */
static __always_inline void gp_tls_keep(struct gp_conn *c, struct gp_frame *f)
{
	if (!(c->look & GP_LOOK_TENTATIVE))
		return;
	c->look &= ~(GP_LOOK_SEALED | GP_LOOK_FRESH);
	if (f->in.parser.mark & f->out.parser.mark & GP_TLS_H2)
		c->look |= GP_LOOK_OVERLAPS;
	if (!(gp_tls_requests(c, f)->parser.mark & GP_TLS_OLD))
		c->look |= GP_LOOK_SEALED | GP_LOOK_FRESH;
}

/* The client's part of the handshake is over. */
static __always_inline void gp_tls_over(struct gp_conn *c)
{
	if (!(c->look & GP_LOOK_TENTATIVE))
		return;
	gp_conn_recognised(c);
	c->look &= ~GP_LOOK_TENTATIVE;
}

/* Nothing but the handshake's end, or another record that is no data, was seen and is to be seen:
 * the connection need not be followed any more. */
static __always_inline bool gp_tls_idle(struct gp_conn *c, struct gp_frame *f,
					const struct sock *sk, const struct gp_stream *tp)
{
	const struct gp_flow *requests = gp_tls_requests(c, f);

	if (!(requests->parser.mark & (GP_TLS_OLD | GP_TLS_BEGUN)) || !gp_flow_between(requests))
		return false;
	if (c->role == GP_ROLE_SERVER ? gp_frame_unseen(f, sk, tp) : gp_stream_owes(tp, f->out.seq))
		return false;
	if (c->role == GP_ROLE_CLIENT)
		c->copied_seq = f->out.seq;
	gp_tls_keep(c, f);
	gp_tls_over(c);
	return true;
}

/* A request was found that turns will count, and is followed no more. */
static __noinline int gp_tls_begin(struct gp_conn *c, __u64 now)
{
	struct gp_thread *t;

	gp_tls_over(c);
	if (c->look & GP_LOOK_OVERLAPS)
		return gp_tls_stream(c);
	if (c->role == GP_ROLE_SERVER || !c->caller)
		return 0;
	t = gp_thread_find(bpf_get_current_task_btf()->pid);
	if (t) /* what was asked before on its caller's behalf was aside */
		gp_work_call(t, c, now);
	return 0;
}

/* Follows a turn that does not begin with data. NULL: there is no frame, so it is none. */
static __noinline struct gp_frame *gp_tls_follow(struct gp_conn *c, __u32 in, __u32 out)
{
	struct gp_frame *f = gp_frame_claim(c, in, out) ? NULL : gp_frame_of(c);
	struct gp_flow *requests, *answers;

	if (!f) {
		gp_turn_aside(c, bpf_ktime_get_ns());
		return NULL;
	}
	requests = gp_tls_requests(c, f);
	answers = c->role == GP_ROLE_SERVER ? &f->out : &f->in;
	requests->parser.mark = GP_TLS_GREETED | GP_TLS_BEGUN;
	if (!(c->look & GP_LOOK_SEALED))
		requests->parser.mark |= GP_TLS_OLD;
	answers->parser.skip = ~0ULL; /* where a record begins is not known, nor of interest */
	return f;
}

/*
 * A turn begins, with the `n` bytes at `at`. Whether it has to be followed, as it is not one of
 * data, from the positions `in` and `out` on.
 */
static __always_inline struct gp_frame *gp_tls_turn(struct gp_conn *c, const __u8 *at, int n,
						    __u32 in, __u32 out)
{
	if (n <= 0)
		gp_drop(GP_DROP_BYTES_UNSEEN);
	else if (gp_tls_is_aside(at, n, c->look & GP_LOOK_SEALED))
		return gp_tls_follow(c, in, out);
	if (c->look & GP_LOOK_OVERLAPS)
		gp_tls_stream(c);
	return NULL;
}

/* The application is about to receive a turn's first bytes. Whether to follow them. */
static __noinline bool gp_tls_receiving(struct gp_conn *c, const struct gp_stream *tp,
					struct sk_buff *skb)
{
	__u32 offset = tp->copied_seq - gp_stream_seq(tp, skb);
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_RECEIVE);
	struct gp_frame *f;
	int n;

	if (c->frame)
		return true;
	c->look &= ~GP_LOOK_FRESH; /* tickets would have been sent by now */
	if (!s || offset >= skb->len)
		return false;
	n = gp_peek_skb(skb, offset, s->window, GP_TLS_HEAD, false);
	f = gp_tls_turn(c, s->window, n, tp->copied_seq, tp->write_seq);
	if (f)
		gp_frame_arrival(f, tp->rcv_nxt, c->arrive_ns);
	return f;
}

/* A client's send goes on, with a further skb, of which all was followed when it began. */
static __always_inline bool gp_tls_was_seen(const struct gp_conn *c, const struct gp_stream *tp)
{
	return c->copied_seq - tp->write_seq - 1 < GP_TLS_LENGTH_MAX;
}

/* A client begins to send a turn. Whether to follow it. */
static __noinline bool gp_tls_sending(struct gp_conn *c, const struct gp_stream *tp,
				      struct gp_sent *msg)
{
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_SEND);
	int n;

	if (!s)
		return false;
	n = gp_peek_msg(msg, s->window, GP_TLS_HEAD);
	return gp_tls_turn(c, s->window, n, tp->rcv_nxt, tp->write_seq);
}

/* A server that has read a request begins to send. Whether that is an answer, and no alert. */
static __noinline bool gp_tls_answers(const struct gp_conn *c, struct gp_sent *msg)
{
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_SEND);
	int n = s ? gp_peek_msg(msg, s->window, GP_TLS_HEAD) : -1;

	return n < GP_TLS_HEAD || !gp_tls_is_aside(s->window, n, c->look & GP_LOOK_SEALED);
}

/*
 * A client sends more while an answer lies unread. Whether it is the same request, and what lies
 * there tickets.
 */
static __noinline bool gp_tls_goes_on(struct gp_conn *c, const struct gp_stream *tp,
				      struct gp_sent *msg)
{
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_SEND);
	struct gp_thread *t;
	int n = s ? gp_peek_msg(msg, s->window, GP_TLS_HEAD) : -1;

	if (n >= GP_TLS_HEAD && gp_tls_is_aside(s->window, n, c->look & GP_LOOK_SEALED))
		return false;
	if (!(c->look & GP_LOOK_FRESH)) {
		c->look |= GP_LOOK_OVERLAPS;
		return false;
	}
	gp_turn_set(c, GP_PHASE_REQUEST);
	t = c->caller ? gp_thread_find(bpf_get_current_task_btf()->pid) : NULL;
	if (t)
		gp_work_call(t, c, bpf_ktime_get_ns());
	return true;
}

/* More arrives at a server whose last bytes the client has not seen. Whether it is the same
 * request, and what was sent tickets. */
static __always_inline bool gp_tls_asks_on(struct gp_conn *c)
{
	return gp_tls_is(c) && (c->look & GP_LOOK_FRESH);
}

#endif
