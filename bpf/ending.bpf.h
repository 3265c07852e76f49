/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of an exchange: what it stood for is counted, and told to user space if it was slow. */
#ifndef GP_ENDING_BPF_H
#define GP_ENDING_BPF_H

#include "counting.bpf.h"
#include "endpoint.bpf.h"
#include "lengths.bpf.h"
#include "maps.bpf.h"
#include "owner.bpf.h"
#include "stage.bpf.h"
#include "thread.bpf.h"

/*
 * Counts an exchange. 0, or -1 if the slot belongs to somebody else by now, which is counted in
 * stale_slots.
 */
int gp_exchange_count(struct gp_exchange *e);

/* Counts an exchange that ended without a response. As gp_exchange_count. */
int gp_exchange_abort(struct gp_exchange *e);

/*
 * Counts a client's exchange at the edge from whoever made the call: as an error if it `failed`, or
 * was answered by one of the server's. 0, or -1, which is counted.
 */
int gp_edge_count(struct gp_conn *c, struct gp_exchange *e, bool failed);

/* `state` is a phase and its marks. */
static __always_inline __u64 gp_turn_next(__u64 turn, __u64 state)
{
	return ((turn & ~(GP_TURN_ONE - 1ULL)) + GP_TURN_ONE) | state;
}

static __always_inline enum gp_phase gp_phase(__u64 turn)
{
	return turn & GP_TURN_PHASE;
}

/* What was asked and what came of it, if that is known. */
static __always_inline void gp_exchange_name(struct gp_exchange *e, const struct gp_conn *c)
{
	bool known = (c->look & (GP_LOOK_CONFIRMED | GP_LOOK_LOST)) == GP_LOOK_CONFIRMED;

	e->protocol = c->look & GP_LOOK_CONFIRMED ? c->protocol : GP_PROTOCOL_UNKNOWN;
	e->operation = known ? c->operation : 0;
	e->status = known ? c->status : 0;
	e->slot = c->slot;
}

/* On whose behalf the client's exchanges on `c` are. */
static __always_inline __u32 gp_caller(const struct gp_conn *c)
{
	return c->caller_endpoint ?: GP_SLOT_NONE;
}

/* The answered exchange on `c`, whose last bytes were handed over or arrived at `last_ns`. */
static __always_inline void gp_exchange_take(struct gp_exchange *e, const struct gp_conn *c,
					     __u64 last_ns)
{
	e->endpoint = c->endpoint;
	e->flags = c->flags;
	e->waited = 0;
	e->start_ns = c->start_ns;
	e->first_ns = c->first_ns;
	e->last_ns = last_ns;
	gp_exchange_name(e, c);
	if (c->role == GP_ROLE_SERVER) {
		e->parts = c->parts;
		return;
	}
	e->caller = gp_caller(c);
	__builtin_memset(&e->parts, 0, sizeof(e->parts));
}

/* Whether the endpoint may have one more exemplar in this second. Racy: a few too many at worst. */
static __always_inline bool gp_exemplar_due(__u32 endpoint, __u64 now)
{
	struct gp_endpoint_info *info = gp_endpoint_info(endpoint);
	__u64 second = (now >> 30) << 16, seen; /* of 2^30 ns */

	if (!info)
		return false;
	seen = info->exemplars;
	if ((seen & ~0xffffULL) != second)
		seen = second;
	info->exemplars = seen + 1;
	return (seen & 0xffff) < GP_EXEMPLARS_PER_S;
}

/*
 * An exemplar of an exchange that thread `reader` (0: not known) read or sent, but for its peer, to
 * be filled in and submitted. NULL if there are enough of them, which is counted.
 */
static __always_inline struct gp_exemplar *gp_exemplar_begin(const struct gp_exchange *e,
							     __u32 reader, __u32 reason)
{
	struct gp_exemplar *x = NULL;
	struct gp_thread *t;
	__u64 rest;

	if (gp_exemplar_due(e->endpoint, e->last_ns))
		x = bpf_ringbuf_reserve(&exemplars, sizeof(*x), 0);
	if (!x) {
		gp_drop(GP_DROP_EXEMPLARS);
		return NULL;
	}
	__builtin_memset(x, 0, sizeof(*x));
	x->start_ns = e->start_ns;
	x->duration_ns = e->last_ns - e->start_ns;
	x->first_byte_ns = e->first_ns - e->start_ns;
	rest = x->first_byte_ns;
	for (int i = 0; i < GP_STAGE_UNATTRIBUTED; i++) {
		x->stages_ns[i] = e->parts.ns[i];
		rest -= e->parts.ns[i];
	}
	x->stages_ns[GP_STAGE_UNATTRIBUTED] = rest;
	x->stages_ns[GP_STAGE_TRANSFER] = e->last_ns - e->first_ns;
	x->endpoint = e->endpoint;
	x->reason = reason;
	x->tid = reader;
	t = reader ? gp_thread_find(reader) : NULL;
	x->pid = t ? t->tgid : 0;
	x->operation = e->operation;
	x->status = e->status;
	x->downstream = GP_SLOT_NONE;
	return x;
}

/* The other side's address; none on unix sockets. */
static __always_inline void gp_exemplar_peer(struct gp_exemplar *x, const struct sock *sk)
{
	__u32 *peer = (__u32 *)x->peer;

	if (GP_IS_UNIX)
		return;
	x->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	x->peer_is_v6 = !gp_is_v4(sk);
	if (x->peer_is_v6)
		for (int i = 0; i < 4; i++)
			peer[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
	else
		peer[0] = sk->__sk_common.skc_daddr;
}

/* Sends an exchange to user space, within bounds; what is beyond is counted. */
static __noinline int gp_exemplar(struct sock *sk, const struct gp_conn *c,
				  const struct gp_exchange *e, __u32 reason)
{
	struct gp_exemplar *x = gp_exemplar_begin(e, c->reader, reason);

	if (!x)
		return 0;
	gp_exemplar_peer(x, sk);
	if (reason != GP_REASON_ABORTED && !e->waited)
		gp_lengths_take(x, sk, c);
	if (c->role == GP_ROLE_SERVER && reason != GP_REASON_ABORTED && !e->waited) {
		x->downstream = c->longest;
		x->downstream_ns = c->longest_ns;
	}
	bpf_ringbuf_submit(x, 0);
	return 0;
}

/* Tells of an answered exchange if it was slow, or its answer an error. */
static __always_inline void gp_exchange_tell(struct sock *sk, const struct gp_conn *c,
					     const struct gp_exchange *e)
{
	if (gp_slow_ns && e->last_ns - e->start_ns >= gp_slow_ns)
		gp_exemplar(sk, c, e, GP_REASON_SLOW);
	else if (gp_tell_failed && e->status &&
		 gp_status_error(e->protocol, e->status) < GP_ERROR_COUNT)
		gp_exemplar(sk, c, e, GP_REASON_ERROR);
}

/*
 * Ends the answered exchange that `turn` stood for, moving on to `state`. Only one of those who try
 * (the socket's events, the collector's iterator) succeeds. `e` was taken before. `here`: count
 * without a call.
 */
static __always_inline void gp_exchange_end(struct sock *sk, struct gp_conn *c, __u64 turn,
					    __u64 state, struct gp_exchange *e, bool here)
{
	if (__sync_val_compare_and_swap(&c->turn, turn, gp_turn_next(turn, state)) != turn)
		return;
	if (here ? gp_exchange_count_here(e) : gp_exchange_count(e))
		c->service = GP_SLOT_NONE; /* found anew at the next receive or send */
	c->slot = e->slot;
	if (c->role == GP_ROLE_CLIENT)
		gp_edge_count(c, e, false);
	gp_exchange_tell(sk, c, e);
}

/* Ends an exchange that began at `start_ns` and will have no response. */
static __always_inline void gp_exchange_lost(struct sock *sk, struct gp_conn *c, __u64 start_ns)
{
	__u64 now = bpf_ktime_get_ns();
	struct gp_exchange e = {
		.endpoint = c->endpoint,
		.flags = c->flags,
		.start_ns = start_ns,
		.first_ns = now,
		.last_ns = now,
	};

	gp_exchange_name(&e, c);
	e.status = GP_STATUS_NONE;
	if (c->role == GP_ROLE_SERVER && gp_phase(c->turn) == GP_PHASE_REQUEST)
		e.operation = 0; /* nobody has read it */
	/* Nobody's, such as a probe of a listener that was not asked for: it is not observed. */
	if (c->endpoint == GP_SLOT_NONE && !(c->flags & GP_CONN_OWNED))
		return;
	if (c->role == GP_ROLE_CLIENT) {
		e.caller = gp_caller(c);
		if (c->caller)
			gp_work_reply(c, now);
	} else if (c->reader) {
		gp_work_forget(c->id, c->reader);
	}
	c->turn = gp_turn_next(c->turn, GP_PHASE_IDLE);
	if (c->flags & GP_CONN_IGNORED)
		return; /* that it was not asked for showed when it was open */
	if (c->role == GP_ROLE_CLIENT)
		gp_edge_count(c, &e, true);
	gp_exchange_abort(&e);
	if (gp_tell_failed)
		gp_exemplar(sk, c, &e, GP_REASON_ABORTED);
}

/*
 * Counts the exchange before the one that arrived, if that is still to be done. It is put off until
 * the application reads: on its own CPU, where what it counts is at hand.
 */
static __always_inline void gp_exchange_end_previous(struct sock *sk, struct gp_conn *c, __u64 turn,
						     __u64 state, bool here)
{
	struct gp_exchange e;

	if (!(turn & GP_TURN_PREVIOUS))
		return;
	gp_exchange_take(&e, c, turn & GP_TURN_SETTLED ? c->settled_ns : c->last_ns);
	gp_exchange_end(sk, c, turn, state, &e, here);
}

#endif
