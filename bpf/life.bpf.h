/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to a connection's record over its life; shared by tracepoints and iterators. */
#ifndef GP_LIFE_BPF_H
#define GP_LIFE_BPF_H

#include "closing.bpf.h"

/* Whether --port asks for this one. */
static __always_inline bool gp_port_wanted(__u16 port)
{
	if (!gp_port_ranges)
		return true;
	for (__u32 i = 0; i < GP_PORT_RANGES && i < gp_port_ranges; i++) {
		if (port >= gp_ports[i].first && port <= gp_ports[i].last)
			return true;
	}
	return false;
}

/*
 * Makes room for what the connections of this listener hand on, as long as there is any. A quarter
 * is for those that root has made: an unprivileged user may well listen on all ports there are.
 */
static __always_inline void gp_listener_begin(struct gp_conn *c, const struct sock *sk)
{
	struct gp_listener *l;
	__u32 place = 0;

	if (sk->sk_uid.val && gp_listeners_used >= GP_LISTENERS / 4 * 3)
		return;
	if (bpf_map_pop_elem(&listener_slots, &place))
		return;
	l = bpf_map_lookup_elem(&listeners, &place);
	if (!l)
		return;
	__sync_fetch_and_add(&gp_listeners_used, 1);
	__builtin_memset(l, 0, sizeof(*l));
	l->netns = c->netns;
	l->port = c->port;
	c->listener = place;
}

static __always_inline void gp_listener_end(struct gp_conn *c)
{
	struct gp_listener *l = gp_listener_of(c);

	c->flags &= ~GP_CONN_LISTENER;
	gp_endpoint_connections(c->endpoint, -1);
	if (!l)
		return;
	l->port = 0;
	__sync_fetch_and_add(&gp_listeners_used, -1);
	bpf_map_push_elem(&listener_slots, &c->listener, 0);
}

/*
 * Whoever last received on a connection of this listener, if that was not the task that called
 * listen (socket activation): the listener is theirs.
 */
static __always_inline void gp_listener_follow(struct gp_conn *c)
{
	struct gp_listener *l = gp_listener_of(c);

	if (!l || !l->endpoint || l->endpoint == c->endpoint || !gp_endpoint_info(l->endpoint))
		return;
	if (c->flags & GP_CONN_LISTENER) {
		gp_endpoint_connections(c->endpoint, -1);
		gp_endpoint_connections(l->endpoint, 1);
	}
	gp_conn_place(c, l->service, l->endpoint);
}

/*
 * A child of a listener keeps its endpoint and owner until somebody receives or sends on it. Who
 * that is may have been asked for although the listener's owner was not.
 */
static __always_inline void gp_conn_init_child(struct gp_conn *c)
{
	c->flags &= ~(GP_CONN_LISTENER | GP_CONN_OPEN | GP_CONN_OWNED | GP_CONN_IGNORED);
	c->turn = 0;
	c->received = 0;
	c->bytes_in = 0;
	c->bytes_out = 0;
	c->retransmits = 0;
	c->reader = 0;
	c->id = bpf_get_prandom_u32();
	gp_listener_follow(c);
}

/* A socket that was there before: observed from its first whole exchange on. */
static __always_inline void gp_conn_adopt(struct gp_conn *c, const struct sock *sk, bool server)
{
	const struct tcp_sock *tp = gp_tcp((struct sock *)sk);
	__u8 state = sk->__sk_common.skc_state;
	__s32 heard;

	gp_conn_init(c, sk, server ? GP_ROLE_SERVER : GP_ROLE_CLIENT, 0);
	c->port = server ? sk->__sk_common.skc_num : bpf_ntohs(sk->__sk_common.skc_dport);
	if (state == BPF_TCP_LISTEN) {
		c->flags = GP_CONN_LISTENER;
		c->retransmits = sk->sk_drops.counter;
		gp_listener_begin(c, sk);
		return;
	}
	c->flags = state == BPF_TCP_SYN_SENT ? GP_CONN_CONNECTING : GP_CONN_OPEN;
	if (!tp)
		return;
	/* Who spoke last tells whether it is in the midst of an exchange, which is not counted. */
	heard = !tp->bytes_sent - !gp_received(sk, tp);
	if (tp->bytes_sent && gp_received(sk, tp)) /* before, the times are those of its birth */
		heard = tp->inet_conn.icsk_ack.lrcvtime - tp->lsndtime;
	if (server ? heard > 0 : heard < 0)
		c->turn = GP_PHASE_STREAM;
	c->received = gp_received(sk, tp);
	c->bytes_in = gp_received(sk, tp);
	c->bytes_out = tp->bytes_sent - tp->bytes_retrans;
	c->retransmits = tp->total_retrans;
}

/*
 * Adds what a counter of the socket has grown by since it was last taken. Two may try at the same
 * time, the collector and whoever closes the connection: only one of them takes a difference. (The
 * collector may see a FIN in `bytes_received` before the flag that tells of it: a byte too many.)
 */
static __always_inline void gp_take_growth(__u64 *taken, __u64 now, __u64 *to)
{
	for (int i = 0; i < 2; i++) {
		__u64 old = *(volatile __u64 *)taken;

		if (now <= old)
			return;
		if (__sync_val_compare_and_swap(taken, old, now) == old) {
			gp_add(to, now - old);
			return;
		}
	}
}

static __always_inline void gp_conn_count_bytes(struct gp_conn *c, const struct sock *sk,
						const struct tcp_sock *tp,
						struct gp_endpoint_record *r)
{
	__u32 retransmits = tp->total_retrans;

	gp_take_growth(&c->bytes_in, gp_received(sk, tp), &r->bytes_in);
	gp_take_growth(&c->bytes_out, tp->bytes_sent - tp->bytes_retrans, &r->bytes_out);
	if (retransmits != c->retransmits)
		gp_add(&r->retransmits,
		       (__u32)(retransmits -
			       __sync_lock_test_and_set(&c->retransmits, retransmits)));
}

static __always_inline void gp_conn_established(struct gp_conn *c, struct sock *sk, bool active)
{
	struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);
	const struct tcp_sock *tp = gp_tcp((struct sock *)sk);
	__u64 now = bpf_ktime_get_ns(), took = now - c->connect_ns;
	__u32 received;

	if (active)
		c->flags &= ~GP_CONN_CONNECTING;
	c->flags |= GP_CONN_OPEN;
	gp_endpoint_connections(c->endpoint, 1);
	if (r) {
		gp_add(&r->opened, 1);
		if (active && c->connect_ns) { /* else connect() was called before goldpan */
			gp_add(&r->setup_ns, took);
			gp_raise(&r->setup_max_ns, took);
			gp_hist_count_one(r->setup, gp_hist_slot(took));
		}
	}
	if (!tp)
		return;
	if (active && tp->bytes_sent) { /* with the SYN, which no hook saw */
		c->start_ns = c->connect_ns;
		c->write_seq = tp->write_seq - 1;
		gp_turn_set(c, GP_PHASE_REQUEST);
		if (gp_protocols)
			gp_drop(GP_DROP_BYTES_UNSEEN);
	}
	if (active)
		return;
	c->established_ns = now;
	received = gp_received(sk, tp);
	if (received && gp_phase(c->turn) == GP_PHASE_IDLE) { /* data came with the SYN */
		c->received = received;
		gp_arrive(sk, c, tp, c->turn, 0);
	}
}

static __always_inline enum gp_failure gp_failure_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return GP_FAILURE_REFUSED;
	case ETIMEDOUT:
		return GP_FAILURE_TIMEOUT;
	case ECONNRESET:
		return GP_FAILURE_RESET;
	default:
		return GP_FAILURE_OTHER;
	}
}

/* connect() did not succeed. */
static __always_inline void gp_conn_failed(struct gp_conn *c, int error)
{
	struct gp_endpoint_record *r;

	if (!(c->flags & GP_CONN_CONNECTING))
		return;
	c->flags &= ~GP_CONN_CONNECTING;
	r = gp_endpoint_record(gp_conn_endpoint(c));
	if (r)
		gp_add(&r->failed[gp_failure_of(error)], 1);
}

/*
 * Connections that found no room since the last time: what the listener dropped but for packets
 * that it would have dropped in any case. These are counted a moment after the kernel has added
 * them to its drops, so what was found may be less the next time: then it was counted already. May
 * run at the same time as itself.
 */
static __always_inline void gp_listener_count_overflows(struct gp_conn *c, const struct sock *sk,
							struct gp_endpoint_record *r)
{
	__u32 drops = sk->sk_drops.counter - (__u32)c->discards;

	if ((__s32)(drops - c->retransmits) > 0)
		gp_add(&r->overflows,
		       (__u32)(drops - __sync_lock_test_and_set(&c->retransmits, drops)));
}

static __always_inline void gp_listener_closed(struct gp_conn *c, const struct sock *sk)
{
	struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);

	if (r)
		gp_listener_count_overflows(c, sk, r);
	gp_listener_end(c);
}

static __always_inline void gp_conn_closed(struct gp_conn *c, struct sock *sk)
{
	const struct tcp_sock *tp = gp_tcp((struct sock *)sk);
	struct gp_endpoint_record *r;

	if (c->flags & GP_CONN_LISTENER) {
		gp_listener_closed(c, sk);
		return;
	}
	if (!tp || !(c->flags & GP_CONN_OPEN))
		return;
	gp_conn_settle(c);
	c->flags &= ~GP_CONN_OPEN;
	gp_conn_end_waiting(c, sk, tp);
	if (!(c->flags & GP_CONN_IGNORED))
		gp_conn_end_exchange(c, sk, tp);
	r = gp_endpoint_record(c->endpoint);
	if (r) {
		gp_conn_count_bytes(c, sk, tp, r);
		gp_add(&r->closed, 1);
	}
	gp_endpoint_connections(c->endpoint, -1);
}

#endif
