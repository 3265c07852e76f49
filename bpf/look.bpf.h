/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking at a connection's payload. Requests that come alone and whole, the most of them, need
 * a look at their bytes and one at the beginning of the answer; what is asked and what came of it
 * is then known, and turns say the rest (exchange.bpf.h). Where a look is not enough, the
 * connection's messages are followed (follow.bpf.h), as long as anything is under way.
 */
#ifndef GP_LOOK_BPF_H
#define GP_LOOK_BPF_H

#include "follow.bpf.h"

/* Whether there is anything to look for on the connection. */
static __always_inline bool gp_looks(const struct gp_conn *c)
{
	return gp_payload && gp_protocols && !(c->look & (GP_LOOK_OFF | GP_LOOK_STREAM));
}

/* The connection belongs to the endpoint of its protocol from now on. */
static __noinline int gp_conn_named(struct sock *sk, struct gp_conn *c)
{
	struct gp_endpoint_info *info = gp_endpoint_info(c->endpoint);
	struct gp_endpoint_key key = {};
	struct gp_current *cur;
	struct gp_thread *t;

	if (c->flags & GP_CONN_IGNORED || (info && info->key.protocol == c->protocol))
		return 0;
	gp_endpoint_key(&key, sk, c);
	gp_conn_retype(c, &key);
	if (c->role == GP_ROLE_SERVER) { /* what it is about to call is called for that endpoint */
		t = gp_thread_find(bpf_get_current_task_btf()->pid);
		cur = t ? gp_current_of(t) : NULL;
		if (cur && cur->id == c->id)
			cur->endpoint = c->endpoint;
	}
	return 0;
}

/* It is of no protocol that is known. */
static __noinline int gp_conn_unnamed(struct sock *sk, struct gp_conn *c)
{
	c->protocol = GP_PROTOCOL_UNKNOWN;
	c->look = GP_LOOK_OFF;
	c->operation = 0;
	c->status = 0;
	return gp_conn_named(sk, c);
}

/* A frame for what goes on, with what is known of the protocol's state by now. */
static __always_inline struct gp_frame *gp_frame_begin(struct gp_conn *c, __u32 in, __u32 out,
						       bool started)
{
	struct gp_frame *f = gp_frame_claim(c, in, out) ? NULL : gp_frame_of(c);

	if (!f || c->protocol != GP_PROTOCOL_POSTGRESQL || !started)
		return f;
	if (c->role == GP_ROLE_SERVER) {
		f->in.parser.mark = GP_POSTGRESQL_STARTED;
		f->out.parser.mark = GP_POSTGRESQL_SPOKE;
	} else {
		f->out.parser.mark = GP_POSTGRESQL_STARTED;
		f->in.parser.mark = GP_POSTGRESQL_SPOKE;
	}
	return f;
}

/* Follows the bytes of an event, and lets go if nothing is under way any more. */
static __always_inline void gp_follow_event(struct gp_feed *x, struct gp_flow *flow, bool requests,
					    __u32 seq)
{
	struct gp_frame *f = x->f;

	x->flow = flow;
	x->requests = requests;
	x->s->lost = x->s->stream = 0;
	if (gp_follow(x, seq)) {
		if (x->s->lost == GP_LOST_NONSENSE && (x->c->look & GP_LOOK_TENTATIVE))
			gp_conn_unnamed(x->sk, x->c);
		else if (x->s->stream && gp_tls_is(x->c))
			gp_tls_begin(x->c, x->now);
		return;
	}
	if (!f->current && gp_phase(x->c->turn) != GP_PHASE_IDLE &&
	    (gp_tls_is(x->c) || !(requests && gp_flow_carries(flow)))) {
		gp_turn_aside(x->c, x->now); /* what was read or sent was no exchange's */
		gp_follow_unread(x);
	}
	if (gp_follow_idle(x->c, f, x->sk, x->tp))
		gp_frame_release(x->c, f);
}

/* PostgreSQL's request for encryption may be all that there was of it. */
static __always_inline bool gp_look_anew(const struct gp_conn *c)
{
	return c->protocol == GP_PROTOCOL_POSTGRESQL && (c->look & GP_LOOK_TENTATIVE);
}

/*
 * The first look at a request: its first bytes are in the window, all of them if `whole`. True if
 * there is no more to do about it.
 */
static __always_inline bool gp_look_request(struct sock *sk, struct gp_conn *c,
					    struct gp_scratch *s, __u32 len, bool whole)
{
	int plain, protocol;

	if (!c->protocol || gp_look_anew(c)) {
		protocol =
			gp_recognise((struct gp_bytes *)s->window, len < GP_LOOK ? len : GP_LOOK);
		if (!c->protocol && !protocol) {
			if (++c->operation >= GP_LOOK_TRIES)
				gp_conn_unnamed(sk, c);
			return true;
		}
		if (protocol)
			c->protocol = protocol;
		c->look |= GP_LOOK_CONFIRMED | GP_LOOK_TENTATIVE;
		if (c->protocol == GP_PROTOCOL_TLS)
			c->look |= GP_LOOK_OFF; /* tls.bpf.h looks at it */
		gp_conn_named(sk, c);
	}
	c->operation = c->status = 0;
	if (!whole || (c->look & GP_LOOK_OVERLAPS))
		return false;
	plain = gp_plain(s, len, c->protocol);
	if (plain < 0)
		return false;
	c->operation = plain;
	c->look |= GP_LOOK_WHOLE;
	return true;
}

#define GP_STATUS_ASIDE -1 /* it is no answer yet: 1xx, a push, or less than tells */
#define GP_STATUS_LOST -2  /* it makes no sense */

static __always_inline int gp_look_http(const __u8 *at, __u32 len)
{
	int status = gp_http_plain_status(at, len);

	if (!status && len < 12 &&
	    !gp_low_bytes(gp_load8(at) ^ GP_WORD8("HTTP/1."), len < 7 ? len : 7))
		return GP_STATUS_ASIDE;
	if (!status)
		return GP_STATUS_LOST;
	return status < 200 && status != 101 ? GP_STATUS_ASIDE : status;
}

static __always_inline int gp_look_redis(__u8 *at, __u32 len)
{
	struct gp_parser p = {};
	int n;

	if (at[0] != '-' && at[0] != '!' && at[0] != '>' && at[0] != '|' &&
	    gp_redis_answers(at, len))
		return GP_REDIS_STATUS_OK;
	n = gp_step_answer(&p, (struct gp_bytes *)at, len, GP_PROTOCOL_REDIS);
	if (n < 0)
		return GP_STATUS_LOST;
	return n == GP_PARSE_MORE || p.events & GP_EVENT_ASIDE ? GP_STATUS_ASIDE : p.status;
}

/* What the beginning of an answer tells: its status, 0: `other`; or GP_STATUS_ASIDE or _LOST. */
static __always_inline int gp_look_status(const struct gp_conn *c, __u8 *at, __u32 len)
{
	if (gp_recognises(GP_PROTOCOL_HTTP) && c->protocol == GP_PROTOCOL_HTTP)
		return gp_look_http(at, len);
	if (gp_recognises(GP_PROTOCOL_REDIS) && c->protocol == GP_PROTOCOL_REDIS)
		return gp_look_redis(at, len);
	return GP_STATUS_LOST;
}

/*
 * A look at the beginning of the answer, the `n` bytes at `at`, to a request that was seen whole.
 * False if it is not the answer yet.
 */
static __always_inline bool gp_look_answer(struct sock *sk, struct gp_conn *c, __u8 *at, int n)
{
	int status = GP_STATUS_LOST;

	if (n > 0)
		status = gp_look_status(c, at, n);
	if (status == GP_STATUS_ASIDE)
		return false;
	c->look |= GP_LOOK_ANSWERED;
	if (status == GP_STATUS_LOST) {
		if (c->look & GP_LOOK_TENTATIVE) {
			gp_conn_unnamed(sk, c);
			return true;
		}
		c->look |= GP_LOOK_LOST;
		gp_drop(GP_DROP_BYTES_UNSEEN);
		return true;
	}
	c->status = status;
	gp_conn_confirm(c);
	if (c->protocol == GP_PROTOCOL_HTTP && status == 101)
		c->look |= GP_LOOK_STREAM;
	return true;
}

/* A request was read unseen: what it asked for and what came of it is not known. */
static __always_inline void gp_look_missed(struct gp_conn *c)
{
	if (!gp_looks(c) || !c->protocol)
		return;
	c->operation = c->status = 0;
	c->look &= ~GP_LOOK_WHOLE;
	gp_drop(GP_DROP_BYTES_UNSEEN);
}

/* The answer that has begun makes a stream of the connection: what asked for it ends there. */
static __noinline int gp_look_stream(struct sock *sk, struct gp_conn *c)
{
	struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);
	struct gp_exchange e = {};

	if (r)
		gp_add(&r->streams, 1);
	gp_exchange_take(&e, c, c->first_ns);
	gp_exchange_end(sk, c, c->turn, GP_PHASE_STREAM, &e, false);
	return 0;
}

#endif
