/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each event of a socket means for the exchange of its connection. */
#ifndef GP_TURN_BPF_H
#define GP_TURN_BPF_H

#include "look.bpf.h"

/*
 * More bytes arrived while a request is open: of the same, or another one's. When these did is
 * kept, if the messages are or can be told apart.
 */
static __always_inline void gp_more_arrived(struct gp_conn *c, const struct gp_stream *tp,
					    __u32 arrived)
{
	struct gp_frame *f = gp_frame_of(c);
	__u32 before = tp->rcv_nxt - arrived;
	__u64 now;

	if (!f) {
		bool read = gp_phase(c->turn) == GP_PHASE_READ;

		if (!gp_looks(c) || (read && !(c->look & GP_LOOK_WHOLE)))
			return;
		f = gp_frame_begin(c, read ? before : tp->copied_seq, tp->write_seq,
				   c->look & GP_LOOK_CONFIRMED);
		if (!f)
			return;
		if (read)
			f->current = 1;
		else
			gp_frame_arrival(f, before, c->arrive_ns);
	}
	now = bpf_ktime_get_ns();
	gp_frame_arrival(f, tp->rcv_nxt, now);
}

static __always_inline int gp_readable_server(struct sock *sk, struct gp_conn *c,
					      const struct gp_stream *tp, __u32 arrived)
{
	__u64 turn = c->turn, marks = 0;
	struct gp_frame *f;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
	case GP_PHASE_READ:
		gp_more_arrived(c, tp, arrived);
		return 0;
	case GP_PHASE_ANSWERED:
		if (c->frame) {
			gp_more_arrived(c, tp, arrived);
			return 0;
		}
		marks = GP_TURN_PREVIOUS;
		if (gp_send_took(c, tp)) {
			if (tp->snd_una != tp->write_seq && gp_tls_asks_on(c)) {
				c->reader = 0;
				c->turn = gp_turn_next(turn, GP_PHASE_READ);
				return 0;
			}
			if (tp->snd_una != tp->write_seq)
				c->look |= GP_LOOK_OVERLAPS; /* asked before the answer was there */
			break;
		}
		if (!c->settled_ns) { /* no send took anything: still the same request */
			c->reader = 0;
			c->turn = gp_turn_next(turn, GP_PHASE_READ);
			return 0;
		}
		if (gp_tls_is(c) && tp->snd_una != tp->write_seq)
			c->look |= GP_LOOK_OVERLAPS;
		marks |= GP_TURN_SETTLED;
		break;
	case GP_PHASE_STREAM:
		return 0;
	default:
		f = gp_frame_of(c);
		if (!f)
			break;
		gp_more_arrived(c, tp, arrived);
		if (!gp_flow_between(&f->in))
			return 0; /* the rest of a request that was answered early */
		break;
	}
	gp_arrive(sk, c, tp, turn, marks);
	return 0;
}

static __always_inline int gp_readable_client(struct gp_conn *c, const struct gp_stream *tp)
{
	struct gp_frame *f = gp_frame_of(c);
	__u64 turn = c->turn, now;

	if (f)
		gp_frame_arrival(f, tp->rcv_nxt, bpf_ktime_get_ns());
	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
		if (!gp_send_took(c, tp)) { /* nothing was asked: the server speaks first */
			c->turn = gp_turn_next(turn, GP_PHASE_IDLE);
			return 0;
		}
		now = bpf_ktime_get_ns();
		c->first_ns = c->last_ns = now;
		c->turn = gp_turn_next(turn, GP_PHASE_ANSWERED);
		if (c->caller)
			gp_work_reply(c, now);
		return 0;
	case GP_PHASE_ANSWERED:
		c->last_ns = bpf_ktime_get_ns();
		return 0;
	case GP_PHASE_STREAM:
		if (!(c->look & GP_LOOK_STREAM)) /* as in gp_sending_server */
			gp_turn_set(c, GP_PHASE_IDLE);
		return 0;
	default:
		return 0;
	}
}

/* Data may have become readable. */
static __always_inline int gp_readable(struct sock *sk, struct gp_conn *c,
				       const struct gp_stream *tp)
{
	__u32 received, arrived;

	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	received = gp_received(sk, tp);
	arrived = received - c->received;
	if (!arrived)
		return 0; /* a FIN, or seen before */
	c->received = received;
	if (c->role == GP_ROLE_CLIENT)
		return gp_readable_client(c, tp);
	return gp_readable_server(sk, c, tp, arrived);
}

/* Follows what the application is about to receive. */
static __always_inline void gp_receiving_followed(struct sock *sk, struct gp_conn *c,
						  const struct gp_stream *tp, struct sk_buff *skb,
						  __u32 len)
{
	struct gp_feed x = {.sk = sk, .tp = tp, .c = c, .skb = skb, .now = bpf_ktime_get_ns()};
	__u32 seq, taken;

	if (!gp_payload)
		return;
	seq = gp_stream_seq(tp, skb);
	taken = tp->copied_seq - seq + len;
	x.f = gp_frame_of(c);
	x.s = gp_scratch_get(GP_SCRATCH_RECEIVE);
	if (!x.f || !x.s || !gp_source_skb(&x.s->source, skb, 0))
		return;
	if (taken < x.s->source.left) /* what lies behind may never be read */
		x.s->source.left = taken;
	gp_follow_event(&x, &x.f->in, c->role == GP_ROLE_SERVER, seq);
}

/* The beginning of an answer is about to be received. Whether it has to be followed. */
static __always_inline bool gp_receiving_answer(struct sock *sk, struct gp_conn *c,
						const struct gp_stream *tp, struct sk_buff *skb,
						bool here)
{
	__u32 offset = tp->copied_seq - gp_stream_seq(tp, skb);
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_RECEIVE);
	struct gp_frame *f;

	if (!s || offset >= skb->len)
		return false;
	if (gp_look_answer(sk, c, s->window, gp_peek_skb(skb, offset, s->window, GP_LOOK, here))) {
		if (c->look & GP_LOOK_STREAM)
			gp_look_stream(sk, c);
		return false;
	}
	gp_turn_set(c, GP_PHASE_REQUEST); /* what goes before the answer is followed */
	f = gp_frame_begin(c, tp->copied_seq, tp->write_seq, true);
	if (!f)
		return false;
	f->current = 1;
	gp_frame_arrival(f, tp->rcv_nxt, c->last_ns);
	return true;
}

/* As a client. Whether what is received has to be followed. `here`: as in gp_skb_bytes. */
static __always_inline bool gp_receiving_client(struct sock *sk, struct gp_conn *c,
						const struct gp_stream *tp, struct sk_buff *skb,
						bool here)
{
	struct gp_current *cur;
	struct gp_thread *t;

	if (gp_phase(c->turn) == GP_PHASE_REQUEST && (__u32)gp_received(sk, tp) != c->received) {
		gp_drop(GP_DROP_CLOCK); /* as in gp_receiving */
		gp_readable(sk, c, tp);
	}
	if (!(c->flags & GP_CONN_OWNED) || c->caller) {
		t = gp_conn_own(sk, c);
		cur = t ? gp_current_of(t) : NULL;
		if (c->caller && gp_phase(c->turn) == GP_PHASE_ANSWERED && cur &&
		    cur->id != c->caller) /* else it never turned to another */
			gp_work_resume(t, c, bpf_ktime_get_ns());
	}
	if (c->frame)
		return true;
	return (c->look & (GP_LOOK_WHOLE | GP_LOOK_ANSWERED)) == GP_LOOK_WHOLE && gp_looks(c) &&
	       gp_receiving_answer(sk, c, tp, skb, here);
}

/* The application is about to receive the first bytes of a request. Whether to follow them. */
static __always_inline bool gp_receiving_request(struct sock *sk, struct gp_conn *c,
						 const struct gp_stream *tp, struct sk_buff *skb)
{
	__u32 seq = tp->copied_seq, offset = seq - gp_stream_seq(tp, skb);
	struct gp_scratch *s;
	struct gp_frame *f;
	int n;

	c->look &= ~(GP_LOOK_WHOLE | GP_LOOK_ANSWERED);
	s = gp_scratch_get(GP_SCRATCH_RECEIVE);
	if (!s || offset >= skb->len)
		return false;
	n = gp_peek_skb(skb, offset, s->window, GP_PLAIN, true);
	if (n <= 0 || gp_look_request(sk, c, s, n, (__u32)n == skb->len - offset && !c->frame)) {
		f = gp_frame_of(c);
		if (f) /* begun when more arrived, but there is nothing to follow */
			gp_frame_release(c, f);
		return false;
	}
	if (c->frame)
		return true;
	f = gp_frame_begin(c, seq, tp->write_seq, s->window[0]);
	if (f)
		gp_frame_arrival(f, tp->rcv_nxt, c->arrive_ns);
	else if (gp_tls_is(c))
		gp_turn_aside(c, c->read_ns);
	return f;
}

/* As a server. Whether what is received has to be followed. */
static __always_inline bool gp_receiving_server(struct sock *sk, struct gp_conn *c,
						const struct gp_stream *tp, struct sk_buff *skb)
{
	enum gp_phase phase;
	__u32 received;
	__u64 now;

	phase = gp_phase(c->turn);
	if (phase == GP_PHASE_IDLE || phase == GP_PHASE_ANSWERED) {
		received = gp_received(sk, tp);
		if (received != c->received) {
			/* Bytes that came unseen: with the handshake, or during another arrival. */
			gp_drop(GP_DROP_CLOCK);
			received -= c->received;
			c->received += received;
			gp_readable_server(sk, c, tp, received);
		} else if (!c->frame) {
			return false;
		}
	}
	if (phase == GP_PHASE_READ && tp->copied_seq == c->copied_seq && !c->frame) {
		/* What was taken for the read took nothing: it was a look (MSG_PEEK). */
		c->read_ns = bpf_ktime_get_ns();
		gp_stage_read(c, gp_conn_own(sk, c), c->read_ns);
		return false;
	}
	if (gp_phase(c->turn) != GP_PHASE_REQUEST)
		return c->frame;
	now = bpf_ktime_get_ns();
	if (c->established_ns && !(c->flags & GP_CONN_OWNED))
		gp_accepted(c, now);
	gp_begin(sk, c, now);
	gp_stage_read(c, gp_conn_own(sk, c), now);
	if (gp_looks(c))
		return gp_receiving_request(sk, c, tp, skb);
	return gp_tls_is(c) && gp_tls_receiving(c, tp, skb);
}

/* The application is about to receive `len` bytes of an skb. */
static __always_inline int gp_receiving(struct sock *sk, struct gp_conn *c,
					const struct gp_stream *tp, struct sk_buff *skb, __u32 len)
{
	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (c->role == GP_ROLE_CLIENT ? gp_receiving_client(sk, c, tp, skb, true)
				      : gp_receiving_server(sk, c, tp, skb))
		gp_receiving_followed(sk, c, tp, skb, len);
	return 0;
}

/* The bytes of a send answer a request that was seen whole: false if they are not the answer yet.
 */
static __always_inline bool gp_sending_answer(struct sock *sk, struct gp_conn *c,
					      struct gp_sent *msg)
{
	struct gp_scratch *s;

	if ((c->look & (GP_LOOK_WHOLE | GP_LOOK_ANSWERED)) != GP_LOOK_WHOLE || !gp_looks(c))
		return true;
	s = gp_scratch_get(GP_SCRATCH_SEND);
	return !s || gp_look_answer(sk, c, s->window, gp_peek_msg(msg, s->window, GP_LOOK));
}

/* Follows what the application is about to send. Whether it fell out of step there. */
static __always_inline bool gp_sending_followed(struct sock *sk, struct gp_conn *c,
						const struct gp_stream *tp, struct gp_sent *msg)
{
	struct gp_feed x = {.sk = sk, .tp = tp, .c = c, .now = bpf_ktime_get_ns()};

	x.f = gp_frame_of(c);
	x.s = gp_scratch_get(GP_SCRATCH_SEND);
	if (!x.f || !x.s)
		return false;
	c->write_seq = tp->write_seq;
	if (x.f->started && c->role == GP_ROLE_SERVER)
		c->last_ns = x.now;
	if (gp_sent_later(msg) || !gp_source_msg(&x.s->source, msg))
		return false;
	gp_follow_event(&x, &x.f->out, c->role == GP_ROLE_CLIENT, tp->write_seq);
	return x.s->lost;
}

/* More of the answer is handed over. */
static __always_inline void gp_answer_goes_on(struct gp_conn *c, const struct gp_stream *tp)
{
	__u64 now = bpf_ktime_get_ns();

	if (gp_send_took(c, tp)) {
		c->settled_ns = c->last_ns;
		c->write_seq = tp->write_seq;
	} else if (!c->settled_ns) { /* nothing was taken yet: the response begins now */
		c->first_ns = now;
	}
	c->last_ns = now;
}

/* As a server. Whether what is sent has to be followed. `far`: by a call, for want of stack. */
static __always_inline bool gp_sending_server(struct sock *sk, struct gp_conn *c,
					      const struct gp_stream *tp, struct gp_sent *msg,
					      bool far)
{
	__u64 turn = c->turn;
	struct gp_frame *f;

	switch (gp_phase(turn)) {
	case GP_PHASE_READ:
		if (!gp_sending_answer(sk, c, msg)) { /* what goes before it is followed */
			f = gp_frame_begin(c, tp->rcv_nxt, tp->write_seq, true);
			if (f)
				f->current = 1;
			return f;
		}
		if (gp_tls_is(c) && !gp_tls_answers(c, msg))
			return false;
		c->write_seq = tp->write_seq;
		gp_lengths_begin(sk, c, tp);
		if (far)
			gp_answer_far(c, bpf_ktime_get_ns());
		else
			gp_answer(c, bpf_ktime_get_ns());
		if (c->look & GP_LOOK_STREAM)
			gp_look_stream(sk, c);
		return false;
	case GP_PHASE_ANSWERED:
		gp_answer_goes_on(c, tp);
		return false;
	case GP_PHASE_REQUEST:
		/* Read in a way no hook sees (splice, MSG_TRUNC), or still unread: then this send
		 * belongs to what went before. */
		if (tp->copied_seq != c->copied_seq) {
			gp_begin(sk, c, 0);
			gp_look_missed(c);
			gp_conn_own(sk, c);
			c->write_seq = tp->write_seq;
			gp_lengths_begin(sk, c, tp);
			gp_answer_far(c, bpf_ktime_get_ns());
		}
		return false;
	case GP_PHASE_STREAM:
		if (!(c->look & GP_LOOK_STREAM)) /* the answer to what is older than goldpan */
			gp_turn_set(c, GP_PHASE_IDLE);
		return false;
	default: /* the server speaks first */
		if (!(c->flags & GP_CONN_OWNED))
			gp_conn_own(sk, c);
		return false;
	}
}

/* A client's request begins to be sent: a look at it. Whether it has to be followed. */
static __always_inline bool gp_sending_request(struct sock *sk, struct gp_conn *c,
					       const struct gp_stream *tp, struct gp_sent *msg)
{
	struct gp_scratch *s;
	struct gp_frame *f;
	int n;

	c->look &= ~(GP_LOOK_WHOLE | GP_LOOK_ANSWERED);
	s = gp_scratch_get(GP_SCRATCH_SEND);
	if (!s)
		return false;
	n = gp_peek_msg(msg, s->window, GP_PLAIN);
	if (n >= 0 && n < GP_LOOK && (__u64)n < gp_sent_len(msg))
		n = gp_gather_msg(s, msg);
	c->copied_seq = tp->write_seq + n;
	if (n <= 0 || gp_look_request(sk, c, s, n, (__u64)n == gp_sent_len(msg)))
		return false;
	f = gp_frame_begin(c, tp->rcv_nxt, tp->write_seq, s->window[0]);
	if (!f && gp_tls_is(c))
		gp_turn_aside(c, c->start_ns);
	return f;
}

/* As a client. Whether what is sent has to be followed. */
static __always_inline bool gp_sending_client(struct sock *sk, struct gp_conn *c,
					      const struct gp_stream *tp, struct gp_sent *msg)
{
	__u64 turn = c->turn, now;
	struct gp_exchange e;
	struct gp_frame *f;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
		if (!gp_send_took(c, tp)) {
			c->start_ns = bpf_ktime_get_ns();
			return false;
		}
		if (!(c->look & GP_LOOK_WHOLE) || !gp_looks(c) ||
		    (__s32)(c->copied_seq - tp->write_seq) > 0)
			return false; /* more of the same request */
		f = gp_frame_begin(c, tp->rcv_nxt, tp->write_seq, true);
		if (f)
			f->current = 1;
		return f;
	case GP_PHASE_ANSWERED:
		if ((c->look & (GP_LOOK_WHOLE | GP_LOOK_ANSWERED)) == GP_LOOK_WHOLE &&
		    gp_looks(c) && tp->rcv_nxt != tp->copied_seq) { /* its answer lies unread */
			f = gp_frame_begin(c, tp->copied_seq, tp->write_seq, true);
			if (f) {
				f->current = 1;
				gp_frame_arrival(f, tp->rcv_nxt, c->last_ns);
				return true;
			}
		}
		if (gp_tls_is(c)) {
			if (tp->rcv_nxt != tp->copied_seq && gp_tls_goes_on(c, tp, msg))
				return false;
			c->look &= ~GP_LOOK_FRESH;
		}
		now = bpf_ktime_get_ns();
		gp_exchange_take(&e, c, c->last_ns);
		gp_exchange_end(sk, c, turn, GP_PHASE_REQUEST, &e, false);
		break;
	case GP_PHASE_STREAM:
		return false;
	default:
		if (gp_tls_is(c) && gp_tls_was_seen(c, tp))
			return false;
		now = bpf_ktime_get_ns();
	}
	gp_ask(sk, c, tp, now);
	if (gp_looks(c))
		return gp_sending_request(sk, c, tp, msg);
	return gp_tls_is(c) && gp_tls_sending(c, tp, msg);
}

/* The messages of what is sent are followed one by one. */
static __always_inline void gp_sending_follow(struct sock *sk, struct gp_conn *c,
					      const struct gp_stream *tp, struct gp_sent *msg)
{
	if (gp_sending_followed(sk, c, tp, msg) && c->role == GP_ROLE_CLIENT &&
	    gp_phase(c->turn) == GP_PHASE_IDLE) { /* by turns it is a request */
		c->start_ns = bpf_ktime_get_ns();
		gp_turn_set(c, GP_PHASE_REQUEST);
	}
}

/* A send begins, or goes on with a further skb. */
static __always_inline int gp_sending(struct sock *sk, struct gp_conn *c,
				      const struct gp_stream *tp, struct gp_sent *msg,
				      bool has_room)
{
	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (!has_room)
		return 0; /* it is followed, and not going to take any now */
	if (c->frame || (c->role == GP_ROLE_CLIENT ? gp_sending_client(sk, c, tp, msg)
						   : gp_sending_server(sk, c, tp, msg, false)))
		gp_sending_follow(sk, c, tp, msg);
	return 0;
}

#endif
