// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP: bytes, and the queries of DNS from end to end. Seen as packets at the sockets' control
 * groups: an arriving one just before it is queued on its socket, in softirq; a leaving one in the
 * context of the task that sends it, before anybody can answer it. The kernel runs these programs
 * also where they interrupt themselves, so none is lost.
 *
 * A query begins when it arrives (server) or is sent (client) and ends with the answer of the same
 * peer and id. When the application reads it is not seen, so the stages of a server are
 * `unattributed`. What a query is told by is its own form; that is so particular that one alone
 * will do, but its socket is only then said to speak DNS when it is answered or given up.
 */
#include "datagram.bpf.h"
#include "ending.bpf.h"
#include "life.bpf.h"

/* Looks at the payload: false if it is no sane message of DNS. */
static __noinline bool look_at(struct __sk_buff *skb, __u32 offset, __u32 len, struct gp_dns *dns)
{
	struct gp_dns_bytes bytes = {};
	__u32 n = len < GP_DNS_LOOK ? len : GP_DNS_LOOK;

	if (n < GP_DNS_HEAD || bpf_skb_load_bytes(skb, offset, &bytes, n))
		return false;
	return gp_datagram_dns(&bytes, len, dns);
}

static __always_inline void count_bytes(struct gp_conn *c, __u32 endpoint, __u32 len, bool inward)
{
	struct gp_endpoint_record *r = gp_endpoint_record(endpoint);

	if (r)
		gp_add(inward ? &r->bytes_in : &r->bytes_out, len);
	else if (inward) /* whose they are is known once something is sent */
		gp_add(&c->bytes_in, len);
}

/* As gp_conn_own, for a datagram that the current task sends: a client may turn to another peer. */
static __noinline struct gp_thread *own(struct gp_conn *c, const struct gp_datagram *d)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool client = c->role == GP_ROLE_CLIENT, moved = client && c->peer != d->peer;
	struct gp_thread *t = gp_thread_find(task->pid);
	struct gp_endpoint_key key = {
		.netns = c->netns,
		.port = client ? d->port : c->port,
		.role = c->role,
		.transport = GP_TRANSPORT_UDP,
	};

	if ((t && t->service == c->service && (c->flags & GP_CONN_OWNED) && !moved) ||
	    ((task->flags & PF_KTHREAD) && (c->flags & GP_CONN_OWNED)))
		return t;
	if (client) {
		key.flags = d->is_v6 ? GP_KEY_V6 : 0;
		__builtin_memcpy(key.address, d->address, sizeof(key.address));
		c->port = d->port;
		c->peer = d->peer;
	}
	if (moved) { /* not handed over, but to be assigned anew */
		c->flags &= ~GP_CONN_OWNED;
		c->service = GP_SLOT_NONE;
	}
	if (!t)
		gp_thread_add_current();
	gp_conn_own_slow(c, &key, task->pid);
	if (!(c->flags & (GP_CONN_OPEN | GP_CONN_IGNORED)))
		gp_datagram_open(c);
	return t ?: gp_thread_find(task->pid);
}

/* The datagram asks: it is open until it is answered, as long as there is room. */
static __noinline int asked(struct bpf_sock *sk, struct gp_conn *c, const struct gp_datagram *d,
			    const struct gp_dns *dns, struct gp_thread *t)
{
	struct gp_queries *qs = bpf_sk_storage_get(&queries, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	__u64 pushed_key = 0;
	struct gp_query pushed, *q;
	int place;

	if (!qs) {
		gp_drop(GP_DROP_CONNECTIONS);
		return 0;
	}
	place = gp_query_claim(qs, d->peer | dns->id, dns->operation, &pushed, &pushed_key);
	if (place < 0)
		return 0;
	place &= GP_QUERIES - 1;
	q = &qs->query[place];
	q->start_ns = d->now_ns;
	q->operation = dns->operation;
	q->port = d->port;
	q->is_v6 = d->is_v6;
	__builtin_memcpy(q->address, d->address, sizeof(q->address));
	q->endpoint = c->endpoint;
	q->reader = t ? t->pid : 0;
	c->caller = c->caller_endpoint = 0;
	if (t)
		gp_work_call(t, c, d->now_ns);
	q->caller = c->caller;
	q->caller_endpoint = c->caller_endpoint;
	barrier();
	qs->key[place] = d->peer | dns->id;
	if (pushed_key)
		gp_query_end(c, &pushed, GP_STATUS_NONE, d->now_ns);
	return 0;
}

/* The datagram answers, if it was asked for. The endpoint that it is counted at, or `ref`. */
static __noinline __u32 answered(struct bpf_sock *sk, struct gp_conn *c,
				 const struct gp_datagram *d, const struct gp_dns *dns, __u32 ref)
{
	struct gp_queries *qs = bpf_sk_storage_get(&queries, sk, NULL, 0);
	__u64 key = d->peer | dns->id;
	struct gp_query taken;
	__u32 endpoint;
	int place;

	if (!qs)
		return ref;
	place = gp_query_find(qs, key);
	if (place < 0 || !gp_query_take(qs, place, key, 0, &taken))
		return ref;
	endpoint = gp_query_end(c, &taken, dns->status, d->now_ns);
	return endpoint == GP_SLOT_NONE ? ref : endpoint;
}

/* Whoever bound the socket serves on it, until somebody sends. */
static __noinline int adopt(struct gp_conn *c)
{
	struct gp_endpoint_key key = {
		.netns = c->netns,
		.port = c->port,
		.role = GP_ROLE_SERVER,
		.transport = GP_TRANSPORT_UDP,
	};
	__u32 pid = c->reader;

	c->reader = 0;
	if (!gp_thread_find(pid))
		return 0;
	gp_conn_own_slow(c, &key, pid);
	c->flags &= ~GP_CONN_OWNED;
	if (!(c->flags & (GP_CONN_OPEN | GP_CONN_IGNORED)))
		gp_datagram_open(c);
	return 0;
}

/* The first datagram gives the socket its role. What is kept with it; NULL if nothing can be. */
static __noinline struct gp_conn *begin(struct __sk_buff *skb, struct bpf_sock *sk,
					const struct gp_datagram *d, __u32 role)
{
	struct gp_conn fresh = {}, *c;

	gp_datagram_bound(
		&fresh, BPF_CORE_READ((struct sk_buff *)skb, sk, __sk_common.skc_net.net, ns.inum),
		0);
	c = bpf_sk_storage_get(&datagrams, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		gp_drop(GP_DROP_CONNECTIONS);
		return NULL;
	}
	c->role = role;
	c->port = role == GP_ROLE_CLIENT ? d->port : sk->src_port;
	if (!gp_port_wanted(c->port) || (role == GP_ROLE_CLIENT && !gp_with_client))
		c->flags |= GP_CONN_IGNORED;
	c->look &= ~GP_LOOK_TENTATIVE;
	return c;
}

/* Something that is no message of DNS: after so many of them there is nothing to look for. */
static __always_inline void doubt(struct gp_conn *c)
{
	if (!(c->look & GP_LOOK_CONFIRMED) && ++c->operation >= GP_LOOK_TRIES)
		c->look = GP_LOOK_OFF;
}

static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	/* A raw socket may send UDP, and gets a copy of what others receive. */
	return sk && sk->type == SOCK_DGRAM_NUMBER && sk->protocol == IPPROTO_UDP_NUMBER ? sk
											 : NULL;
}

static __always_inline void moving(struct __sk_buff *skb, bool inward)
{
	struct gp_datagram d = {};
	struct gp_dns dns = {};
	struct gp_thread *t = NULL;
	bool sane = false, begins;
	struct bpf_sock *sk;
	struct gp_conn *c;
	__u32 endpoint;

	if (!gp_datagram_read(skb, inward, &d))
		return;
	sk = socket_of(skb);
	if (!sk)
		return;
	c = bpf_sk_storage_get(&datagrams, sk, NULL, 0);
	if (c && (c->flags & GP_CONN_IGNORED))
		return;
	d.now_ns = bpf_ktime_get_ns();
	if (!c || !(c->look & GP_LOOK_OFF))
		sane = d.port && look_at(skb, d.offset, d.len, &dns);
	/* Who receives first serves, but for an answer to what was asked before goldpan came. */
	begins = !c || (c->look & GP_LOOK_TENTATIVE);
	if (begins)
		c = begin(skb, sk, &d,
			  inward == (sane && dns.is_response) ? GP_ROLE_CLIENT : GP_ROLE_SERVER);
	if (!c || (c->flags & GP_CONN_IGNORED))
		return;
	if (begins && c->role == GP_ROLE_SERVER && c->reader)
		adopt(c); /* not from within, where the stack is deep */
	if (!inward)
		t = own(c, &d);
	endpoint = c->endpoint;
	if (!sane)
		doubt(c);
	else if (inward == (c->role == GP_ROLE_CLIENT) && dns.is_response)
		endpoint = answered(sk, c, &d, &dns, endpoint);
	else if (inward == (c->role == GP_ROLE_SERVER) && !dns.is_response)
		asked(sk, c, &d, &dns, t);
	count_bytes(c, endpoint, d.len, inward);
}

SEC("?cgroup_skb/ingress")
int datagram_in(struct __sk_buff *skb)
{
	moving(skb, true);
	return 1; /* it may pass */
}

SEC("?cgroup_skb/egress")
int datagram_out(struct __sk_buff *skb)
{
	moving(skb, false);
	return 1;
}
