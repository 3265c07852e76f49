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
#include "ending.bpf.h"
#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "owner.bpf.h"
#include "stage.bpf.h"
#include "thread.bpf.h"

#define GP_QUIET_NS 1000000000ULL

/* Payload bytes that arrived in order. The kernel's counter includes the FIN. */
static __always_inline __u64 gp_received(const struct sock *sk, const struct tcp_sock *tp)
{
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	return tp->bytes_received - ((sk->__sk_common.skc_flags >> done) & 1);
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

/* A request's first bytes became readable. `marks` say what is to be done about the one before. */
static __always_inline void gp_arrive(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				      __u64 turn, __u64 marks)
{
	__u64 next = gp_turn_next(turn, GP_PHASE_REQUEST), now = bpf_ktime_get_ns();

	c->arrive_ns = now;
	c->copied_seq = tp->copied_seq;
	gp_stage_arrive(c, sk->sk_socket != NULL, now);
	/* If the collector has ended the one before meanwhile, there is nothing to be done about
	 * it. */
	if (!marks || __sync_val_compare_and_swap(&c->turn, turn, next | marks) != turn)
		c->turn = next;
}

/* What was arrived becomes the exchange that is read now; `read_ns` 0: in a way that no hook saw.
 */
static __always_inline void gp_begin(struct sock *sk, struct gp_conn *c, __u64 read_ns)
{
	__u64 turn = *(volatile __u64 *)&c->turn;

	gp_exchange_end_previous(sk, c, turn, GP_PHASE_READ, read_ns != 0);
	c->start_ns = c->arrive_ns;
	c->read_ns = read_ns;
	c->turn = gp_turn_next(turn, GP_PHASE_READ);
}

static __always_inline int gp_readable_server(struct sock *sk, struct gp_conn *c,
					      const struct tcp_sock *tp)
{
	__u64 turn = c->turn, marks = 0;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
	case GP_PHASE_READ:
		return 0; /* more of the same request */
	case GP_PHASE_ANSWERED:
		marks = GP_TURN_PREVIOUS;
		if (gp_send_took(c, tp))
			break;
		if (!c->settled_ns) { /* no send took anything: still the same request */
			c->reader = 0;
			c->turn = gp_turn_next(turn, GP_PHASE_READ);
			return 0;
		}
		marks |= GP_TURN_SETTLED;
		break;
	default:
		break;
	}
	gp_arrive(sk, c, tp, turn, marks);
	return 0;
}

static __always_inline int gp_readable_client(struct gp_conn *c, const struct tcp_sock *tp)
{
	__u64 turn = c->turn, now;

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
	default:
		return 0;
	}
}

/* Data may have become readable. */
static __always_inline int gp_readable(struct sock *sk, struct gp_conn *c,
				       const struct tcp_sock *tp)
{
	__u32 received;

	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	received = gp_received(sk, tp);
	if (received == c->received)
		return 0; /* a FIN, or seen before */
	c->received = received;
	if (c->role == GP_ROLE_CLIENT)
		return gp_readable_client(c, tp);
	return gp_readable_server(sk, c, tp);
}

static __always_inline int gp_receiving_client(struct sock *sk, struct gp_conn *c,
					       const struct tcp_sock *tp)
{
	struct gp_current *cur;
	struct gp_thread *t;

	if (gp_phase(c->turn) == GP_PHASE_REQUEST && gp_received(sk, tp) != c->received) {
		gp_drop(GP_DROP_CLOCK); /* as in gp_receiving */
		gp_readable(sk, c, tp);
	}
	if ((c->flags & GP_CONN_OWNED) && !c->caller)
		return 0;
	t = gp_conn_own(sk, c);
	if (!c->caller || gp_phase(c->turn) != GP_PHASE_ANSWERED || !t)
		return 0;
	cur = gp_current_of(t);
	if (cur && cur->id != c->caller) /* else it never turned to another */
		gp_work_resume(t, c, bpf_ktime_get_ns());
	return 0;
}

/*
 * The first receive on a connection. How long it waited to be accepted is known to have ended by
 * now if its first bytes came before that.
 */
static __always_inline void gp_accepted(const struct gp_conn *c, __u64 now)
{
	struct gp_endpoint_record *r;
	__u64 waited = now - c->established_ns;

	if (!(c->flags & GP_CONN_UNACCEPTED) || now < c->established_ns)
		return;
	r = gp_endpoint_record(c->endpoint);
	if (!r)
		return;
	gp_add(&r->setup_ns, waited);
	gp_raise(&r->setup_max_ns, waited);
	gp_hist_count_one(r->setup, gp_hist_slot(waited));
}

/* The application is about to receive bytes. */
static __always_inline int gp_receiving(struct sock *sk, struct gp_conn *c,
					const struct tcp_sock *tp)
{
	enum gp_phase phase;
	__u32 received;
	__u64 now;

	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (c->role == GP_ROLE_CLIENT)
		return gp_receiving_client(sk, c, tp);
	phase = gp_phase(c->turn);
	if (phase == GP_PHASE_IDLE || phase == GP_PHASE_ANSWERED) {
		received = gp_received(sk, tp);
		if (received == c->received)
			return 0;
		/* Bytes that came unseen: with the handshake, or during another arrival. */
		gp_drop(GP_DROP_CLOCK);
		c->received = received;
		gp_readable_server(sk, c, tp);
	}
	if (phase == GP_PHASE_READ && tp->copied_seq == c->copied_seq) {
		/* What was taken for the read took nothing: it was a look (MSG_PEEK). */
		c->read_ns = bpf_ktime_get_ns();
		gp_stage_read(c, gp_conn_own(sk, c), c->read_ns);
		return 0;
	}
	if (gp_phase(c->turn) != GP_PHASE_REQUEST)
		return 0;
	now = bpf_ktime_get_ns();
	if (c->established_ns && !(c->flags & GP_CONN_OWNED))
		gp_accepted(c, now);
	gp_begin(sk, c, now);
	gp_stage_read(c, gp_conn_own(sk, c), now);
	return 0;
}

static __always_inline void gp_answer(struct gp_conn *c, const struct tcp_sock *tp, __u64 turn)
{
	__u64 now = bpf_ktime_get_ns();

	gp_stage_answer(c, gp_thread_find(bpf_get_current_task_btf()->pid), now);
	c->first_ns = c->last_ns = now;
	c->settled_ns = 0;
	c->write_seq = tp->write_seq;
	c->turn = gp_turn_next(turn, GP_PHASE_ANSWERED);
}

static __always_inline int gp_sending_server(struct sock *sk, struct gp_conn *c,
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
			c->first_ns = c->last_ns = bpf_ktime_get_ns();
			return 0;
		}
		c->last_ns = bpf_ktime_get_ns();
		return 0;
	case GP_PHASE_REQUEST:
		/* Read in a way no hook sees (splice, MSG_TRUNC), or still unread: then this send
		 * belongs to what went before. */
		if (tp->copied_seq != c->copied_seq) {
			gp_begin(sk, c, 0);
			gp_conn_own(sk, c);
			gp_answer(c, tp, c->turn);
		}
		return 0;
	default: /* the server speaks first */
		if (!(c->flags & GP_CONN_OWNED))
			gp_conn_own(sk, c);
		return 0;
	}
}

static __always_inline int gp_sending_client(struct sock *sk, struct gp_conn *c,
					     const struct tcp_sock *tp)
{
	__u64 turn = c->turn, now;
	struct gp_current *cur;
	struct gp_exchange e;
	struct gp_thread *t;

	switch (gp_phase(turn)) {
	case GP_PHASE_REQUEST:
		if (gp_send_took(c, tp))
			return 0; /* more of the same request */
		c->start_ns = bpf_ktime_get_ns();
		return 0;
	case GP_PHASE_ANSWERED:
		now = bpf_ktime_get_ns();
		gp_exchange_take(&e, c, c->last_ns);
		gp_exchange_end(sk, c, turn, GP_PHASE_REQUEST, &e, false);
		break;
	default:
		now = bpf_ktime_get_ns();
	}
	c->start_ns = now;
	c->write_seq = tp->write_seq;
	c->turn = gp_turn_next(turn, GP_PHASE_REQUEST);
	if (c->flags & GP_CONN_OWNED) { /* else it is whom the connection was made for */
		c->caller = 0;
		c->caller_endpoint = 0;
	}
	t = gp_conn_own(sk, c);
	c->reader = t ? t->pid : 0;
	cur = t ? gp_current_of(t) : NULL;
	if (cur && (c->caller || (cur->flags & GP_CURRENT_OPEN)))
		gp_work_call(t, c, now);
	return 0;
}

/* A send begins, or goes on with a further skb. */
static __always_inline int gp_sending(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp)
{
	if (c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED))
		return 0;
	if (c->role == GP_ROLE_CLIENT)
		return gp_sending_client(sk, c, tp);
	return gp_sending_server(sk, c, tp);
}

#endif
