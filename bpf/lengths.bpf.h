/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the messages of an exchange were, for exemplars alone: without these nothing is kept. On
 * a connection that is followed its messages say so, else the positions of its streams.
 */
#ifndef GP_LENGTHS_BPF_H
#define GP_LENGTHS_BPF_H

#include "frame.bpf.h"
#include "maps.bpf.h"
#include "state.bpf.h"
#include "stream.bpf.h"

#ifdef GP_OF_UNIX

static __always_inline struct gp_lengths *gp_lengths_of(struct sock *sk, const struct gp_conn *c,
							__u64 flags)
{
	return &((struct gp_unix_side *)c)->lengths;
}

/* Where what it has sent ends; and the stream of the answers. */
static __always_inline __u32 gp_lengths_sent(struct sock *sk, const struct gp_conn *c)
{
	return ((const struct gp_unix_side *)c)->sent;
}

static __always_inline __u64 gp_lengths_answered(struct sock *sk, const struct gp_conn *c)
{
	const struct gp_unix_side *s = (const struct gp_unix_side *)c;

	return c->role == GP_ROLE_SERVER ? s->sent : s->arrived;
}

#else

static __always_inline struct gp_lengths *gp_lengths_of(struct sock *sk, const struct gp_conn *c,
							__u64 flags)
{
	return bpf_sk_storage_get(&lengths, sk, NULL, flags);
}

/* 1 if a FIN is the last that was sent. */
static __always_inline __u32 gp_fin_sent(const struct sock *sk)
{
	const __u32 after = 1 << BPF_TCP_FIN_WAIT1 | 1 << BPF_TCP_FIN_WAIT2 | 1 << BPF_TCP_CLOSING |
			    1 << BPF_TCP_LAST_ACK | 1 << BPF_TCP_TIME_WAIT;

	return (after >> (sk->__sk_common.skc_state & 31)) & 1;
}

/* Of an skb's socket no verifier says that it is TCP's: read as what may fail. */
static __always_inline __u32 gp_lengths_sent(struct sock *sk, const struct gp_conn *c)
{
	return BPF_CORE_READ((const struct tcp_sock *)sk, write_seq) - gp_fin_sent(sk);
}

static __always_inline __u64 gp_lengths_answered(struct sock *sk, const struct gp_conn *c)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;

	if (c->role == GP_ROLE_CLIENT)
		return BPF_CORE_READ(tp, bytes_received) - gp_stream_end(sk);
	return BPF_CORE_READ(tp, bytes_acked) +
	       (__s32)(gp_lengths_sent(sk, c) - BPF_CORE_READ(tp, snd_una)); /* -1: the FIN, too */
}

#endif

/* A server's answer begins, or a client's request, with the next byte that is sent. */
static __always_inline void gp_lengths_begin(struct sock *sk, struct gp_conn *c,
					     const struct gp_stream *tp)
{
	struct gp_lengths *l;

	if (!gp_tell_failed || c->frame) /* false: no exemplars are written */
		return;
	l = gp_lengths_of(sk, c, BPF_SK_STORAGE_GET_F_CREATE);
	if (!l)
		return;
	if (c->role == GP_ROLE_CLIENT) {
		l->answer_at = gp_received(sk, tp);
		return;
	}
	l->request = tp->copied_seq - c->copied_seq;
	if (tp->copied_seq == tp->rcv_nxt)
		l->request -= gp_stream_end(sk);
	l->answer_at = gp_place_out(tp, tp->write_seq);
}

/*
 * Of the exchange that `c` now ends: by its messages if it was followed, else by what came last on
 * its connection. In place: there is no stack left where this is called.
 */
static __always_inline void gp_lengths_take(struct gp_exemplar *x, struct sock *sk,
					    const struct gp_conn *c)
{
	const struct gp_frame *f = gp_frame_of(c);
	const struct gp_lengths *l;

	if (c->look & GP_LOOK_LOST)
		return;
	if (f && f->answer_end) {
		x->bytes_in = f->lengths.request;
		x->bytes_out = f->answer_end - f->lengths.answer_at;
	} else {
		l = gp_lengths_of(sk, c, 0);
		if (!l)
			return;
		x->bytes_in = l->request;
		if (c->role == GP_ROLE_CLIENT)
			x->bytes_in = (__u32)(gp_lengths_sent(sk, c) - c->write_seq);
		x->bytes_out = gp_lengths_answered(sk, c) - l->answer_at;
	}
	if (!x->bytes_in || !x->bytes_out) {
		x->bytes_in = x->bytes_out = 0;
	} else if (c->role == GP_ROLE_CLIENT) {
		__u64 request = x->bytes_in;

		x->bytes_in = x->bytes_out;
		x->bytes_out = request;
	}
}

#endif
