// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of datagram sockets: bound, closed, there before goldpan; and what is in flight on them
 * at a collection.
 */
#include "datagram.bpf.h"
#include "thread.bpf.h"

static __always_inline int binding(struct bpf_sock *sk)
{
	struct gp_conn fresh = {};

	if (sk->protocol != IPPROTO_UDP_NUMBER)
		return 1;
	gp_datagram_bound(&fresh,
			  BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum),
			  bpf_get_current_task_btf()->pid);
	if (!bpf_sk_storage_get(&datagrams, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE))
		gp_drop(GP_DROP_CONNECTIONS);
	return 1;
}

SEC("?cgroup/post_bind4")
int datagram_bind4(struct bpf_sock *sk)
{
	return binding(sk);
}

SEC("?cgroup/post_bind6")
int datagram_bind6(struct bpf_sock *sk)
{
	return binding(sk);
}

/* At the start: who holds the sockets that were there before. The lowest pid comes first. */
SEC("?iter/task_file")
int older_udp(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct gp_conn fresh = {};
	struct gp_task_id id;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	if (!sk || sk->sk_protocol != IPPROTO_UDP_NUMBER ||
	    (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
		return 0;
	gp_task_id(&id, task);
	if (!gp_thread_find(id.pid))
		gp_thread_add(&id);
	gp_datagram_bound(&fresh, sk->__sk_common.skc_net.net->ns.inum, id.pid);
	if (!bpf_sk_storage_get(&datagrams, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE))
		gp_drop(GP_DROP_CONNECTIONS);
	return 0;
}

/* What is done with all open queries of a socket. */
struct sweep {
	struct gp_conn *c;
	struct gp_queries *qs;
	__u64 now_ns, old_ns; /* what began before is given up */
};

static long sweep_one(__u32 i, struct sweep *s)
{
	__u32 place = i & (GP_QUERIES - 1), ref, index;
	__u64 key = s->qs->key[place], start_ns = s->qs->query[place].start_ns;
	struct gp_endpoint_gauges *g;
	struct gp_query taken;

	if (key <= GP_QUERY_TAKEN)
		return 0;
	if (start_ns <= s->old_ns) {
		if (gp_query_take(s->qs, place, key, 0, &taken))
			gp_query_end(s->c, &taken, GP_STATUS_NONE, s->now_ns);
		return 0;
	}
	ref = s->c->role == GP_ROLE_CLIENT ? s->qs->query[place].endpoint : s->c->endpoint;
	index = GP_REF_INDEX(ref);
	g = bpf_map_lookup_elem(&endpoint_gauges, &index);
	if (!g || !gp_endpoint_info(ref))
		return 0;
	g->in_flight++;
	if (s->now_ns > start_ns && s->now_ns - start_ns > g->oldest_ns)
		g->oldest_ns = s->now_ns - start_ns;
	return 0;
}

/* A socket is closed by its last user: nobody will hear what is answered now. */
SEC("?cgroup/sock_release")
int datagram_end(struct bpf_sock *sk)
{
	struct sweep s = {.now_ns = bpf_ktime_get_ns(), .old_ns = ~0ULL};
	struct gp_endpoint_record *r;

	if (sk->protocol != IPPROTO_UDP_NUMBER)
		return 1;
	s.c = bpf_sk_storage_get(&datagrams, sk, NULL, 0);
	if (!s.c || (s.c->flags & GP_CONN_IGNORED))
		return 1;
	s.qs = bpf_sk_storage_get(&queries, sk, NULL, 0);
	if (s.qs)
		bpf_loop(GP_QUERIES, sweep_one, &s, 0);
	r = gp_endpoint_record(s.c->endpoint);
	if (!r || !__sync_lock_test_and_set(&s.c->opened, 0))
		return 1;
	s.c->flags &= ~GP_CONN_OPEN;
	gp_datagram_early(s.c, r);
	gp_add(&r->closed, 1);
	gp_endpoint_connections(s.c->endpoint, -1);
	return 1;
}

/* At each collection: what is in flight, and what has been for too long. */
SEC("?iter/bpf_sk_storage_map")
int collect_udp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sweep s = {.now_ns = bpf_ktime_get_ns()};
	struct gp_endpoint_record *r;
	struct gp_endpoint_gauges *g;
	struct sock *sk = ctx->sk;
	__u32 index;

	if (!sk || !ctx->value)
		return 0;
	s.c = bpf_sk_storage_get(&datagrams, sk, NULL, 0);
	if (!s.c || (s.c->flags & GP_CONN_IGNORED))
		return 0;
	r = gp_endpoint_record(s.c->endpoint);
	if (r && (r->flags & GP_INFO_IGNORED)) {
		s.c->flags |= GP_CONN_IGNORED;
		return 0;
	}
	index = GP_REF_INDEX(s.c->endpoint);
	g = bpf_map_lookup_elem(&endpoint_gauges, &index);
	if (r && g && (s.c->flags & GP_CONN_OPEN)) {
		g->active++;
		gp_datagram_early(s.c, r);
	}
	s.qs = bpf_sk_storage_get(&queries, sk, NULL, 0);
	s.old_ns = s.now_ns - GP_QUERY_OLD_NS;
	if (s.qs)
		bpf_loop(GP_QUERIES, sweep_one, &s, 0);
	return 0;
}
