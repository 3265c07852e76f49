/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a collection does about the exchange of a connection that it meets. */
#ifndef GP_GAUGE_BPF_H
#define GP_GAUGE_BPF_H

#include "exchange.bpf.h"
#include "frame.bpf.h"

/* What is in flight on a connection, and since when. */
static __always_inline void gp_gauge_exchange(struct gp_conn *c, struct gp_endpoint_gauges *g,
					      __u64 now)
{
	enum gp_phase phase = gp_phase(c->turn);
	struct gp_frame *f = gp_frame_of(c);
	__u64 start_ns = c->start_ns;

	if (f)
		g->in_flight += f->waiting;
	if (f && f->waiting && phase == GP_PHASE_ANSWERED) {
		start_ns = f->queue[f->begin & (GP_QUEUED - 1)].start_ns;
		if (now > start_ns && now - start_ns > g->oldest_ns)
			g->oldest_ns = now - start_ns;
	}
	if (phase != GP_PHASE_REQUEST && phase != GP_PHASE_READ)
		return;
	if (phase == GP_PHASE_REQUEST && c->role == GP_ROLE_SERVER)
		start_ns = c->arrive_ns;
	g->in_flight++;
	if (now > start_ns && now - start_ns > g->oldest_ns)
		g->oldest_ns = now - start_ns;
}

/* Ends an answered exchange that went quiet, or at the last collection any. */
static __always_inline void gp_end_quiet(struct sock *sk, struct gp_conn *c,
					 const struct gp_stream *tp, __u64 now)
{
	__u64 turn = *(volatile __u64 *)&c->turn;
	__u64 last_ns = gp_last_ns(c, tp), quiet_ns;
	struct gp_exchange e;

	if (gp_phase(turn) == GP_PHASE_REQUEST)
		gp_exchange_end_previous(sk, c, turn, GP_PHASE_REQUEST, false);
	if (gp_phase(turn) != GP_PHASE_ANSWERED || !last_ns || (c->frame && !gp_final))
		return; /* of what is followed, its protocol says where it ends */
	quiet_ns = (c->look & (GP_LOOK_CONFIRMED | GP_LOOK_OFF)) == GP_LOOK_CONFIRMED
			   ? GP_QUIET_KNOWN_NS
			   : GP_QUIET_NS;
	if (!gp_final && (now < last_ns + quiet_ns || tp->snd_una != tp->write_seq))
		return;
	barrier();
	gp_exchange_take(&e, c, last_ns);
	barrier();
	gp_exchange_end(sk, c, turn, GP_PHASE_IDLE, &e, false);
}

#endif
