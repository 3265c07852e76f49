// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Iterators of unix sockets. At the start: those that were there before. At each collection: gauges
 * and byte counts, exchanges that went quiet, and connections whose socket is not there any more.
 */
#define GP_OF_UNIX
#include "gauge.bpf.h"
#include "unix_begin.bpf.h"
#include "unix_end.bpf.h"

/* All unix sockets of the reader's network namespace: those that are connected. */
SEC("?iter/unix")
int older_unix(struct bpf_iter__unix *ctx)
{
	struct unix_sock *us = ctx->unix_sk, *others;
	struct gp_unix_side *s;
	struct sock *sk, *other;
	__u32 place;

	if (!us)
		return 0;
	sk = &us->sk;
	other = us->peer;
	if (!other || sk->sk_type != SOCK_STREAM_NUMBER)
		return 0;
	others = bpf_skc_to_unix_sock(other);
	place = others ? gp_unix_begin(sk, us, other, others) : 0;
	s = place ? gp_unix_at(place) : NULL;
	if (!s || s->arrived || s->sent)
		return 0;
	s->older = 1;
	s->copied = -us->inq_len;
	return 0;
}

static long collect_one(__u32 i, void *unused)
{
	struct gp_endpoint_gauges *g;
	struct gp_endpoint_record *r;
	struct gp_unix_side *s;
	struct gp_stream at;
	__u64 now;
	__u32 index;

	s = gp_unix_at(i);
	if (!s || !s->used || !gp_unix_is_there(s, i) ||
	    (s->conn.flags & (GP_CONN_OPEN | GP_CONN_IGNORED)) != GP_CONN_OPEN)
		return 0;
	index = GP_REF_INDEX(s->conn.endpoint);
	g = bpf_map_lookup_elem(&endpoint_gauges, &index);
	r = gp_endpoint_record(s->conn.endpoint);
	if (!g || !r)
		return 0;
	if (r->flags & GP_INFO_IGNORED) {
		s->conn.flags |= GP_CONN_IGNORED;
		return 0;
	}
	now = bpf_ktime_get_ns();
	at = gp_unix_stream(s);
	at.copied_seq += s->taking;
	g->active++;
	g->unread_bytes += gp_unread(NULL, &at);
	gp_unix_count_bytes(s, r);
	gp_end_quiet(NULL, &s->conn, &at, now);
	gp_gauge_exchange(&s->conn, g, now);
	return 0;
}

SEC("?iter/bpf_sk_storage_map")
int collect_unix(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct gp_unix_id *id = ctx->value;

	if (!ctx->meta->seq_num)
		gp_unix_round++; /* a walk begins: what comes from now on is there */
	barrier();		 /* or `value` is read twice, of which the verifier knows one */
	if (id)
		gp_unix_meet(id);
	else /* it is over */
		bpf_loop(GP_UNIX_CONNECTIONS * 2, collect_one, NULL, 0);
	return 0;
}
