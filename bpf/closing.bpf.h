/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first and the last of a connection's record: empty, and what was open when it closed. */
#ifndef GP_CLOSING_BPF_H
#define GP_CLOSING_BPF_H

#include "exchange.bpf.h"
#include "frame.bpf.h"
#include "gp_tls.h"

static __always_inline void gp_conn_init(struct gp_conn *c, const struct sock *sk, __u8 role,
					 __u8 flags)
{
	__builtin_memset(c, 0, sizeof(*c));
	c->endpoint = GP_SLOT_NONE;
	c->service = GP_SLOT_NONE;
	c->role = role;
	c->flags = flags;
	c->netns = sk->__sk_common.skc_net.net->ns.inum;
	c->id = bpf_get_prandom_u32();
}

/*
 * Bytes that nobody read count as an exchange; but on a connection of TLS a few of them are the
 * client's close_notify, which a server that has closed by then does not wait for.
 */
static __always_inline bool gp_conn_unread_is_none(const struct gp_conn *c, const struct sock *sk,
						   const struct gp_stream *tp)
{
	return gp_recognises(GP_PROTOCOL_TLS) && c->protocol == GP_PROTOCOL_TLS &&
	       gp_unread(sk, tp) <= GP_TLS_GOODBYE;
}

/* Ends whatever exchange is open: answered, it counts; else it was aborted. */
static __always_inline void gp_conn_end_exchange(struct gp_conn *c, struct sock *sk,
						 const struct gp_stream *tp)
{
	__u64 turn = c->turn, last_ns = gp_last_ns(c, tp);
	bool unseen = c->role == GP_ROLE_SERVER && (__u32)gp_received(sk, tp) != c->received;
	__u64 start_ns = c->start_ns;
	struct gp_exchange e;

	switch (gp_phase(turn)) {
	case GP_PHASE_IDLE:
		if (unseen && !gp_conn_unread_is_none(
				      c, sk, tp)) /* bytes that nobody was told of, nor read */
			gp_exchange_lost(sk, c, bpf_ktime_get_ns());
		return;
	case GP_PHASE_STREAM:
		return;
	case GP_PHASE_ANSWERED:
		if (c->flags & GP_CONN_IGNORED)
			return;
		if (last_ns) {
			gp_exchange_take(&e, c, last_ns);
			gp_exchange_end(sk, c, turn, GP_PHASE_IDLE, &e, false);
			return;
		}
		break;
	case GP_PHASE_REQUEST:
		gp_exchange_end_previous(sk, c, turn, GP_PHASE_REQUEST, false);
		if (c->role == GP_ROLE_SERVER) {
			if (gp_conn_unread_is_none(c, sk, tp)) {
				gp_turn_set(c, GP_PHASE_IDLE);
				return;
			}
			start_ns = c->arrive_ns;
			c->operation = 0; /* nobody looked at it */
		}
		/* A client whose send took nothing has asked nothing. */
		if (c->role == GP_ROLE_CLIENT && !gp_send_took(c, tp))
			return;
		break;
	default:
		break;
	}
	gp_exchange_lost(sk, c, start_ns);
}

struct gp_waiting {
	struct sock *sk;
	struct gp_conn *c;
	struct gp_frame *f;
	__u64 now;
};

/* The last request that waits will have no answer. */
static long gp_waiting_lost(__u32 i, struct gp_waiting *w)
{
	struct gp_frame *f = w->f;
	struct gp_exchange e = {
		.endpoint = w->c->endpoint,
		.flags = w->c->flags,
		.protocol = w->c->protocol,
		.slot = w->c->slot,
		.status = GP_STATUS_NONE,
		.first_ns = w->now,
		.last_ns = w->now,
	};
	const struct gp_queued *q;

	if (!gp_frame_waiting(f))
		return 1;
	q = &f->queue[(__u8)(f->end - 1) & (GP_QUEUED - 1)];
	e.operation = q->operation;
	e.start_ns = q->start_ns;
	gp_frame_unpush(f);
	if (w->c->flags & GP_CONN_IGNORED)
		return 0;
	gp_exchange_abort(&e);
	if (w->c->role == GP_ROLE_CLIENT) {
		e.caller = gp_caller(w->c);
		gp_edge_count(w->c, &e, true);
	}
	if (gp_tell_failed)
		gp_exemplar(w->sk, w->c, &e, GP_REASON_ABORTED);
	return 0;
}

/* Whatever waited behind the exchange that was open on a followed connection, when that closes. */
static __always_inline void gp_conn_end_waiting(struct gp_conn *c, struct sock *sk,
						const struct gp_stream *tp)
{
	struct gp_waiting w = {.sk = sk, .c = c, .f = gp_frame_of(c), .now = bpf_ktime_get_ns()};

	if (!w.f)
		return;
	/* Bytes that nobody read are one exchange, if they are not the rest of one. */
	if (c->role == GP_ROLE_SERVER && gp_frame_busy(w.f) && gp_flow_between(&w.f->in) &&
	    gp_frame_unseen(w.f, sk, tp))
		gp_frame_push(w.f, gp_frame_arrived(w.f, w.f->in.seq, w.now));
	bpf_loop(GP_WAITING_MAX, gp_waiting_lost, &w, 0);
	gp_frame_release(c, w.f);
}

#endif
