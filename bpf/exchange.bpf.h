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

#include "ending.bpf.h"
#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "owner.bpf.h"
#include "stage.bpf.h"
#include "stream.bpf.h"
#include "thread.bpf.h"

/* After so long an answer is taken to be over. Where the protocol is known it may well pause. */
#define GP_QUIET_NS 1000000000ULL
#define GP_QUIET_KNOWN_NS (10 * GP_QUIET_NS)

/* Did the send that began at the last event take bytes? Else it is taken back: see gp_sending. */
static __always_inline bool gp_send_took(const struct gp_conn *c, const struct gp_stream *tp)
{
	return tp->write_seq != c->write_seq;
}

static __always_inline void gp_turn_set(struct gp_conn *c, enum gp_phase phase)
{
	c->turn = gp_turn_next(c->turn, phase);
}

/* When the response's last bytes were handed over; 0 if no send has taken any. */
static __always_inline __u64 gp_last_ns(const struct gp_conn *c, const struct gp_stream *tp)
{
	if (c->role == GP_ROLE_CLIENT || c->frame || gp_send_took(c, tp))
		return c->last_ns;
	return c->settled_ns;
}

/* A request's first bytes became readable. `marks` say what is to be done about the one before. */
static __always_inline void gp_arrive(struct sock *sk, struct gp_conn *c,
				      const struct gp_stream *tp, __u64 turn, __u64 marks)
{
	__u64 next = gp_turn_next(turn, GP_PHASE_REQUEST), now = bpf_ktime_get_ns();

	c->arrive_ns = now;
	c->copied_seq = tp->copied_seq;
	gp_stage_arrive(c, gp_stream_accepted(sk, tp), now);
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

/* The response to what was read begins. */
static __always_inline void gp_answer(struct gp_conn *c, __u64 now)
{
	gp_stage_answer(c, gp_thread_find(bpf_get_current_task_btf()->pid), now);
	c->first_ns = c->last_ns = now;
	c->settled_ns = 0;
	gp_turn_set(c, GP_PHASE_ANSWERED);
}

/* As gp_answer, for the current thread; looked at by the verifier once. */
int gp_answer_far(struct gp_conn *c, __u64 now);

/* The exchange before is answered, and one that was read with it is the current one. */
int gp_turn_far(struct gp_conn *c, __u64 now);

/* A client's request begins to be sent. */
static __always_inline void gp_ask(struct sock *sk, struct gp_conn *c, const struct gp_stream *tp,
				   __u64 now)
{
	struct gp_current *cur;
	struct gp_thread *t;

	c->start_ns = now;
	c->write_seq = tp->write_seq;
	gp_lengths_begin(sk, c, tp);
	gp_turn_set(c, GP_PHASE_REQUEST);
	if (c->flags & GP_CONN_OWNED) { /* else it is whom the connection was made for */
		c->caller = 0;
		c->caller_endpoint = 0;
	}
	t = gp_conn_own(sk, c);
	c->reader = t ? t->pid : 0;
	cur = t ? gp_current_of(t) : NULL;
	if (cur && (c->caller || (cur->flags & GP_CURRENT_OPEN)))
		gp_work_call(t, c, now);
}

#endif
