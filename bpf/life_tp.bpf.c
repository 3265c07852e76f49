// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of connections: listening, connecting, established, closed; resets.
 *
 * The kernel does not run a program that interrupts itself: a state that changes in softirq while a
 * task's state change is being handled on the same CPU would be lost. So the handler is attached
 * twice; whichever comes second finds by the connection's flags that there is nothing left to do.
 */
#include "life.bpf.h"

/* A listener, or a client's connection, begins: in the context of the task that asked for it. */
static __always_inline void begin(struct sock *sk, __u8 role, __u8 flags)
{
	__u16 port = role == GP_ROLE_SERVER ? sk->__sk_common.skc_num
					    : bpf_ntohs(sk->__sk_common.skc_dport);
	struct gp_thread *t;
	struct gp_conn *c;

	if (!gp_port_wanted(port))
		return;
	c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		gp_drop(GP_DROP_CONNECTIONS);
		return;
	}
	if (c->flags & (role == GP_ROLE_CLIENT ? GP_CONN_CONNECTING : GP_CONN_LISTENER))
		return;
	gp_conn_init(c, sk, role, flags);
	c->port = port;
	c->connect_ns = bpf_ktime_get_ns();
	if (flags & GP_CONN_LISTENER)
		gp_listener_begin(c, sk);
	t = gp_conn_own(sk, c);
	if (role == GP_ROLE_CLIENT && t && !(c->flags & GP_CONN_IGNORED))
		gp_work_intend(t, c);
	c->flags &= ~GP_CONN_OWNED; /* whoever receives or sends first is the owner */
	if (role == GP_ROLE_CLIENT && (c->flags & GP_CONN_IGNORED))
		bpf_sk_storage_delete(&conns, sk);
}

/* A connection accepted by the kernel: its storage is a copy of the listener's. */
static __always_inline void born(struct sock *sk)
{
	struct gp_conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (c && (c->flags & GP_CONN_LISTENER))
		gp_conn_init_child(c);
}

static __always_inline void established(struct sock *sk, int old)
{
	struct gp_conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (c && !(c->flags & GP_CONN_OPEN))
		gp_conn_established(c, sk, old == BPF_TCP_SYN_SENT);
}

static __always_inline void closed(struct sock *sk, int old)
{
	struct gp_conn *c = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (!c)
		return;
	if (old == BPF_TCP_SYN_SENT)
		gp_conn_failed(c, sk->sk_err);
	else
		gp_conn_closed(c, sk);
}

static __noinline int state_changed(struct sock *sk, int old, int new)
{
	if (sk->sk_protocol != IPPROTO_TCP_NUMBER)
		return 0;
	if (new == BPF_TCP_LISTEN)
		begin(sk, GP_ROLE_SERVER, GP_CONN_LISTENER);
	else if (new == BPF_TCP_SYN_SENT && gp_with_client)
		begin(sk, GP_ROLE_CLIENT, GP_CONN_CONNECTING);
	else if (!sk->sk_bpf_storage)
		return 0;
	else if (new == BPF_TCP_SYN_RECV && old == BPF_TCP_LISTEN)
		born(sk);
	else if (new == BPF_TCP_ESTABLISHED)
		established(sk, old);
	else if (new == BPF_TCP_CLOSE)
		closed(sk, old);
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(state_tp, struct sock *sk, int old, int new)
{
	return state_changed(sk, old, new);
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(state_again_tp, struct sock *sk, int old, int new)
{
	return state_changed(sk, old, new);
}

/* Resets that this host sent, and that it received: on connections that are observed. */
static __always_inline void count_reset(struct sock *sk, bool sent)
{
	struct gp_endpoint_record *r;
	struct gp_conn *c;

	if (!sk || !sk->sk_bpf_storage)
		return;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c || (c->flags & GP_CONN_IGNORED))
		return;
	r = gp_endpoint_record(gp_conn_endpoint(c));
	if (r)
		gp_add(sent ? &r->resets_sent : &r->resets_received, 1);
}

/*
 * The kernel gives up a packet that was for socket `sk`. A listener's drops hold these as well as
 * connections that found no room: bare acknowledgements while TCP_DEFER_ACCEPT waits for data, and
 * what is sent again during a handshake.
 */
SEC("?tp_btf/kfree_skb")
int BPF_PROG(discard_tp, struct sk_buff *skb, void *location, int reason, struct sock *sk)
{
	struct skb_shared_info *shared;
	struct gp_conn *c;
	__u16 segments;

	if (!sk || !sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c || !(c->flags & GP_CONN_LISTENER))
		return 0;
	shared = (struct skb_shared_info *)(skb->head + skb->end);
	segments = BPF_CORE_READ(shared, gso_segs);
	gp_add(&c->discards, segments ?: 1);
	return 0;
}

SEC("?tp_btf/tcp_send_reset")
int BPF_PROG(reset_sent_tp, struct sock *sk)
{
	count_reset(sk, true);
	return 0;
}

SEC("?tp_btf/tcp_receive_reset")
int BPF_PROG(reset_seen_tp, struct sock *sk)
{
	count_reset(sk, false);
	return 0;
}
