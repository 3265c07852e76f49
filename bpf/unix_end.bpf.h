/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix connections at a collection: which are there, and the end of those that are not any more. */
#ifndef GP_UNIX_END_BPF_H
#define GP_UNIX_END_BPF_H

#include "closing.bpf.h"
#include "unix.bpf.h"

/* The walk meets a socket with this storage. */
static __always_inline void gp_unix_meet(const struct gp_unix_id *id)
{
	struct gp_unix_side *s = gp_unix_at(id->place);

	if (s && id->place)
		s->seen = gp_unix_round;
}

static __always_inline void gp_unix_count_bytes(struct gp_unix_side *s,
						struct gp_endpoint_record *r)
{
	__u32 arrived = *(volatile __u32 *)&s->arrived, sent = *(volatile __u32 *)&s->sent;

	gp_add(&r->bytes_in, arrived - s->counted_in);
	gp_add(&r->bytes_out, sent - s->counted_out);
	s->counted_in = arrived;
	s->counted_out = sent;
}

/* The socket is gone: nothing happens on this side any more. */
static __noinline int gp_unix_closed(struct gp_unix_side *s)
{
	struct gp_conn *c = &s->conn;
	struct gp_endpoint_record *r;
	struct gp_stream at;

	gp_unix_took(s);
	at = gp_unix_stream(s);
	if (!(c->flags & GP_CONN_IGNORED)) {
		gp_conn_end_waiting(c, NULL, &at);
		gp_conn_end_exchange(c, NULL, &at);
	}
	if (c->flags & GP_CONN_OPEN) {
		c->flags &= ~GP_CONN_OPEN;
		r = gp_endpoint_record(c->endpoint);
		if (r) {
			gp_unix_count_bytes(s, r);
			gp_add(&r->closed, 1);
		}
		gp_endpoint_connections(c->endpoint, -1);
	}
	s->used = 0;
	return 0;
}

/* Ends the side at `place` if its socket was not met. Whether it was. */
static __always_inline bool gp_unix_is_there(struct gp_unix_side *s, __u32 place)
{
	struct gp_unix_side *other;

	if (s->seen == gp_unix_round)
		return true;
	gp_unix_closed(s);
	other = gp_unix_at(place ^ GP_UNIX_CLIENT);
	place /= 2;
	if (other && !other->used)
		bpf_map_push_elem(&unix_slots, &place, 0);
	return false;
}

#endif
