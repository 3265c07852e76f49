/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exchange state machine: where one exchange begins, is read, is answered and ends.
 *
 * A server's connection, by the turn rule (design.md, "An exchange, precisely"):
 *
 *   IDLE --bytes arrive--> REQUEST --application reads--> READ --send begins--> ANSWERED
 *     ^                       ^                                                    |
 *     |                       +------------------- bytes arrive -------------------+
 *     +--------------------------- close, or quiet for 1 s ------------------------+
 *
 * A client's is the mirror image: a send begins the request, arriving bytes are the response.
 *
 * Turns go by the connection's counters, not by which hook fired: bytes arrived if
 * `bytes_received` grew; a send took bytes if `write_seq` moved by the next event; the request was
 * read if `copied_seq` moved. What it is bad at: two requests on the way at once look like one
 * (pipelining), as no framing is followed here.
 */
#ifndef GP_EXCHANGE_BPF_H
#define GP_EXCHANGE_BPF_H

#include "compat.bpf.h"
#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

#define GP_QUIET_NS 1000000000ULL

/*
 * Counts an answered exchange at endpoint `ref`; `flags` are the connection's. 0, or -1 if the
 * slot belongs to somebody else by now, which is counted in stale_slots.
 */
int gp_exchange_count(__u32 ref, __u32 flags, __u64 start_ns, __u64 first_ns, __u64 last_ns);

/* Counts an exchange that ended without a response. As gp_exchange_count. */
int gp_exchange_abort(__u32 ref, __u32 flags);

/* The current task receives or sends on the connection: makes its service the owner. */
int gp_conn_own_slow(struct gp_conn *c, struct gp_endpoint_key *key, struct gp_task_id *id);

static __always_inline __u64 gp_turn_next(__u64 turn, enum gp_phase phase)
{
	return ((turn & ~0xffULL) + 0x100) | phase;
}

static __always_inline enum gp_phase gp_phase(__u64 turn)
{
	return turn & 0xff;
}

/* Payload bytes that arrived in order. The kernel's counter includes the FIN. */
static __always_inline __u64 gp_received(const struct sock *sk, const struct tcp_sock *tp)
{
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	return tp->bytes_received - ((sk->__sk_common.skc_flags >> done) & 1);
}

static __always_inline bool gp_is_v4(const struct sock *sk)
{
	const __u32 *a = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;

	if (sk->__sk_common.skc_family == AF_INET)
		return true;
	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

/* The key of the endpoint that connection `c` of socket `sk` belongs to, but for the service. */
static __always_inline void gp_endpoint_key(struct gp_endpoint_key *key, const struct sock *sk,
					    const struct gp_conn *c)
{
	__u32 *address = (__u32 *)key->address;

	key->netns = c->netns;
	key->port = c->port;
	key->role = c->role;
	if (c->role == GP_ROLE_SERVER)
		return;
	if (gp_is_v4(sk)) {
		address[0] = sk->__sk_common.skc_daddr;
		return;
	}
	key->flags = GP_KEY_V6;
	for (int i = 0; i < 4; i++)
		address[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
}

/* In the context of the task that receives or sends: keeps the owner right. */
static __always_inline void gp_conn_own(const struct sock *sk, struct gp_conn *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct gp_thread *t = gp_thread_find(task->pid);
	struct gp_endpoint_key key = {};
	struct gp_task_id id;

	if (t && t->service == c->service && (c->flags & GP_CONN_OWNED))
		return;
	/* A kernel worker that sends on somebody's behalf does not become the owner. */
	if ((task->flags & PF_KTHREAD) && (c->flags & GP_CONN_OWNED))
		return;
	gp_task_id(&id, task);
	gp_endpoint_key(&key, sk, c);
	gp_conn_own_slow(c, &key, &id);
}

/* Did the send that began at the last event take bytes? Else it is taken back: see gp_sending. */
static __always_inline bool gp_send_took(const struct gp_conn *c, const struct tcp_sock *tp)
{
	return tp->write_seq != c->write_seq;
}

/* When the response's last bytes were handed over; 0 if no send has taken any. */
static __always_inline __u64 gp_last_ns(const struct gp_conn *c, const struct tcp_sock *tp)
{
	if (c->role == GP_ROLE_CLIENT || gp_send_took(c, tp))
		return c->last_ns;
	return c->settled_ns;
}

/*
 * Ends the answered exchange that `turn` stood for, moving on to `phase`. Only one of those who try
 * (the socket's events, the collector's iterator) succeeds. The values were read before.
 */
static __always_inline void gp_exchange_end(struct gp_conn *c, __u64 turn, enum gp_phase phase,
					    __u64 start_ns, __u64 first_ns, __u64 last_ns)
{
	if (__sync_val_compare_and_swap(&c->turn, turn, gp_turn_next(turn, phase)) != turn)
		return;
	if (gp_exchange_count(c->endpoint, c->flags, start_ns, first_ns, last_ns))
		c->service = GP_SLOT_NONE; /* found anew at the next receive or send */
}

/* A request's first bytes became readable. */
static __always_inline void gp_arrive(struct gp_conn *c, const struct tcp_sock *tp, __u64 turn,
				      __u64 now)
{
	c->start_ns = now;
	c->copied_seq = tp->copied_seq;
	c->turn = gp_turn_next(turn, GP_PHASE_REQUEST);
}

static __always_inline int gp_readable_server(struct gp_conn *c, const struct tcp_sock *tp,
					      __u64 received)
{
	__u64 turn = c->turn, last_ns, now;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
	case GP_PHASE_READ:
		c->received = received;
		return 0; /* more of the same request */
	case GP_PHASE_ANSWERED:
		last_ns = gp_last_ns(c, tp);
		if (!last_ns) { /* no send took anything: still the same request */
			c->turn = gp_turn_next(turn, GP_PHASE_READ);
			c->received = received;
			return 0;
		}
		now = bpf_ktime_get_ns();
		gp_exchange_end(c, turn, GP_PHASE_REQUEST, c->start_ns, c->first_ns, last_ns);
		break;
	default:
		now = bpf_ktime_get_ns();
	}
	c->received = received;
	gp_arrive(c, tp, turn, now);
	return 0;
}

static __always_inline int gp_readable_client(struct gp_conn *c, const struct tcp_sock *tp,
					      __u64 received)
{
	__u64 turn = c->turn;

	c->received = received;
	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
		if (!gp_send_took(c, tp)) { /* nothing was asked: the server speaks first */
			c->turn = gp_turn_next(turn, GP_PHASE_IDLE);
			return 0;
		}
		c->first_ns = c->last_ns = bpf_ktime_get_ns();
		c->turn = gp_turn_next(turn, GP_PHASE_ANSWERED);
		return 0;
	case GP_PHASE_ANSWERED:
		c->last_ns = bpf_ktime_get_ns();
		return 0;
	default:
		return 0;
	}
}

/* Data may have become readable. */
static __always_inline int gp_readable(const struct sock *sk, struct gp_conn *c,
				       const struct tcp_sock *tp)
{
	__u64 received;

	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	received = gp_received(sk, tp);
	if (received == c->received)
		return 0; /* a FIN, or seen before */
	if (c->role == GP_ROLE_CLIENT)
		return gp_readable_client(c, tp, received);
	return gp_readable_server(c, tp, received);
}

/* The application is about to receive bytes. */
static __always_inline int gp_receiving(const struct sock *sk, struct gp_conn *c,
					const struct tcp_sock *tp)
{
	__u64 turn = c->turn, received, now;

	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (c->role == GP_ROLE_CLIENT) {
		if (!(c->flags & GP_CONN_OWNED))
			gp_conn_own(sk, c);
		return 0;
	}
	if (gp_phase(turn) != GP_PHASE_REQUEST && gp_phase(turn) != GP_PHASE_IDLE)
		return 0;
	now = bpf_ktime_get_ns();
	if (gp_phase(turn) == GP_PHASE_IDLE) {
		received = gp_received(sk, tp);
		if (received == c->received)
			return 0;
		c->received = received; /* bytes that came unseen */
		gp_arrive(c, tp, turn, now);
	}
	c->read_ns = now;
	c->turn = gp_turn_next(turn, GP_PHASE_READ);
	gp_conn_own(sk, c);
	return 0;
}

static __always_inline void gp_answer(struct gp_conn *c, const struct tcp_sock *tp, __u64 turn)
{
	__u64 now = bpf_ktime_get_ns();

	c->first_ns = c->last_ns = now;
	c->settled_ns = 0;
	c->write_seq = tp->write_seq;
	c->turn = gp_turn_next(turn, GP_PHASE_ANSWERED);
}

static __always_inline int gp_sending_server(const struct sock *sk, struct gp_conn *c,
					     const struct tcp_sock *tp)
{
	__u64 turn = c->turn;

	switch (gp_phase(turn)) {
	case GP_PHASE_READ:
		gp_answer(c, tp, turn);
		return 0;
	case GP_PHASE_ANSWERED:
		if (gp_send_took(c, tp)) {
			c->settled_ns = c->last_ns;
			c->write_seq = tp->write_seq;
		} else if (!c->settled_ns) { /* nothing was taken yet: the response begins now */
			gp_answer(c, tp, turn);
			return 0;
		}
		c->last_ns = bpf_ktime_get_ns();
		return 0;
	case GP_PHASE_REQUEST:
		/* Read in a way no hook sees (splice, MSG_TRUNC), or still unread: then this send
		 * belongs to what went before. */
		if (tp->copied_seq != c->copied_seq) {
			c->read_ns = 0;
			gp_conn_own(sk, c);
			gp_answer(c, tp, turn);
		}
		return 0;
	default: /* the server speaks first */
		if (!(c->flags & GP_CONN_OWNED))
			gp_conn_own(sk, c);
		return 0;
	}
}

static __always_inline int gp_sending_client(const struct sock *sk, struct gp_conn *c,
					     const struct tcp_sock *tp)
{
	__u64 turn = c->turn, now;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
		if (gp_send_took(c, tp))
			return 0; /* more of the same request */
		c->start_ns = bpf_ktime_get_ns();
		return 0;
	case GP_PHASE_ANSWERED:
		now = bpf_ktime_get_ns();
		gp_exchange_end(c, turn, GP_PHASE_REQUEST, c->start_ns, c->first_ns, c->last_ns);
		break;
	default:
		now = bpf_ktime_get_ns();
	}
	c->start_ns = now;
	c->write_seq = tp->write_seq;
	c->turn = gp_turn_next(turn, GP_PHASE_REQUEST);
	gp_conn_own(sk, c);
	return 0;
}

/* A send begins, or goes on with a further skb. */
static __always_inline int gp_sending(const struct sock *sk, struct gp_conn *c,
				      const struct tcp_sock *tp)
{
	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (c->role == GP_ROLE_CLIENT)
		return gp_sending_client(sk, c, tp);
	return gp_sending_server(sk, c, tp);
}

#endif
