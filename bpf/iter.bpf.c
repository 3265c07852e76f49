// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Iterators. At the start: sockets that were there before, and who holds them. At each collection:
 * a walk over goldpan's own storage for gauges, byte counts, and exchanges that went quiet.
 */
#include "gauge.bpf.h"
#include "life.bpf.h"

/* All sockets of the reader's network namespace; listeners come first. */
SEC("?iter/tcp")
int older_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	volatile __u64 *ports;
	struct gp_conn *c;
	struct sock *sk;
	bool server;
	__u64 bit;

	if (!common)
		return 0;
	sk = (struct sock *)bpf_skc_to_tcp_sock(common);
	if (!sk)
		return 0; /* a request or TIME_WAIT socket: nothing happens on it */
	ports = &gp_listening[(common->skc_num >> 6) & (sizeof(gp_listening) / 8 - 1)];
	bit = 1ULL << (common->skc_num & 63);
	if (common->skc_state == BPF_TCP_LISTEN)
		*ports |= bit;
	server = *ports & bit;
	if (!gp_port_wanted(server ? common->skc_num : bpf_ntohs(common->skc_dport)) ||
	    (!server && !gp_with_client))
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (c)
		return 0; /* younger than the hooks */
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (c)
		gp_conn_adopt(c, sk, server);
	else
		gp_drop(GP_DROP_CONNECTIONS);
	return 0;
}

/* Who holds a socket: the lowest pid comes first. Until somebody receives or sends on it. */
SEC("?iter/task_file")
int older_holder(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct gp_endpoint_key key = {};
	struct file *file = ctx->file;
	struct gp_task_id id;
	struct socket *socket;
	struct gp_conn *c;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c || c->service != GP_SLOT_NONE)
		return 0;
	gp_task_id(&id, task);
	gp_endpoint_key(&key, sk, c);
	if (!gp_thread_find(id.pid))
		gp_thread_add(&id);
	gp_conn_own_slow(c, &key, id.pid);
	c->flags &= ~GP_CONN_OWNED;
	return 0;
}

static __always_inline void gauge_listener(const struct sock *sk, struct gp_conn *c,
					   struct gp_endpoint_record *r,
					   struct gp_endpoint_gauges *g)
{
	gp_listener_count_overflows(c, sk, r);
	g->accept_queue += sk->sk_ack_backlog;
	g->accept_limit += sk->sk_max_ack_backlog;
	g->listeners++;
}

static __always_inline void gauge_rtt(const struct tcp_sock *tp, struct gp_endpoint_gauges *g)
{
	__u64 rtt_ns = (tp->srtt_us >> 3) * 1000ULL;

	if (!rtt_ns)
		return;
	g->rtt_ns += rtt_ns;
	g->rtt_count++;
	if (!g->rtt_min_ns || rtt_ns < g->rtt_min_ns)
		g->rtt_min_ns = rtt_ns;
}

SEC("?iter/bpf_sk_storage_map")
int collect(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct gp_endpoint_record *r;
	struct gp_endpoint_gauges *g;
	const struct tcp_sock *tp;
	struct gp_conn *c;
	__u32 ref, index;
	__u64 now;

	if (!sk || !ctx->value)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c || (c->flags & GP_CONN_IGNORED))
		return 0;
	if (c->flags & GP_CONN_LISTENER)
		gp_listener_follow(c);
	ref = gp_conn_endpoint(c);
	index = GP_REF_INDEX(ref);
	g = bpf_map_lookup_elem(&endpoint_gauges, &index);
	r = gp_endpoint_record(ref);
	if (!g || !r)
		return 0;
	if (r->flags & GP_INFO_IGNORED) {
		c->flags |= GP_CONN_IGNORED;
		return 0;
	}
	if (c->flags & GP_CONN_LISTENER) {
		gauge_listener(sk, c, r, g);
		return 0;
	}
	if (!(c->flags & GP_CONN_OPEN))
		return 0;
	tp = gp_tcp(sk);
	if (!tp)
		return 0;
	now = bpf_ktime_get_ns();
	g->active++;
	g->unread_bytes += gp_unread(sk, tp);
	gauge_rtt(tp, g);
	gp_conn_count_bytes(c, sk, tp, r);
	gp_end_quiet(sk, c, tp, now);
	gp_gauge_exchange(c, g, now);
	return 0;
}
