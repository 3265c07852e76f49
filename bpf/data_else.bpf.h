/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same events as in data_tp.bpf.c, for kernels where its programs do not do. A part of that
 * file, as what reads payload is (see there).
 *
 * Where tracepoints are missing, these stand at the functions that have them elsewhere, and hold
 * the socket's lock likewise. A send is then seen when it begins, with all it is going to send,
 * instead of once for each skb that it fills. When it had to wait for room it goes on as soon as
 * there is some; that is seen, too.
 *
 * A program and all that it calls share 512 bytes of stack, but on kernels that give a program its
 * own: e00931c02568 ("bpf: Enable private stack for eligible subprogs"), 6.13, x86-64. For the
 * others there is less in line here: what tells turns and what follows messages are calls, side by
 * side.
 */
#ifndef GP_DATA_ELSE_BPF_H
#define GP_DATA_ELSE_BPF_H

#include "turn.bpf.h"

static __always_inline struct gp_conn *conn_of(struct sock *sk)
{
	struct gp_conn *c = NULL;

	if (sk && sk->sk_bpf_storage)
		c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	return c && !(c->flags & (GP_CONN_LISTENER | GP_CONN_IGNORED)) ? c : NULL;
}

SEC("?fentry/sock_def_readable")
int BPF_PROG(arrive_fentry, struct sock *sk)
{
	struct gp_conn *c = conn_of(sk);
	const struct tcp_sock *tp = c ? tcp_cast(sk) : NULL;

	return tp ? gp_readable(sk, c, tp) : 0;
}

static __noinline int read_server(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct sk_buff *skb)
{
	return gp_receiving_server(sk, c, tp, skb);
}

static __noinline int read_client(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct sk_buff *skb)
{
	return gp_receiving_client(sk, c, tp, skb, false);
}

static __noinline int read_follow(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct sk_buff *skb, __u32 len)
{
	gp_receiving_followed(sk, c, tp, skb, len);
	return 0;
}

/* As gp_receiving. */
static __always_inline int receiving(struct sock *sk, struct sk_buff *skb, __u32 len)
{
	struct gp_conn *c = conn_of(sk);
	const struct tcp_sock *tp = c ? tcp_cast(sk) : NULL;

	if (!tp)
		return 0;
	if (c->role == GP_ROLE_CLIENT ? read_client(sk, c, tp, skb) : read_server(sk, c, tp, skb))
		read_follow(sk, c, tp, skb, len);
	return 0;
}

SEC("?tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(read_small_tp, struct sk_buff *skb, int len)
{
	return receiving(skb->sk, skb, len);
}

/* Behind the copying of each skb, without its bytes: loaded only where GP_PAYLOAD_NONE is fixed,
 * and with it that nothing looks at an skb. */
SEC("?tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(read_adjust_tp, struct sock *sk)
{
	struct sk_buff *none = NULL;

	asm volatile("" : "+r"(none)); /* what the compiler does not know it cannot follow */
	return receiving(sk, none, 0);
}

static __noinline int send_server(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct msghdr *msg)
{
	return gp_sending_server(sk, c, tp, msg, true);
}

static __noinline int send_client(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct msghdr *msg)
{
	return gp_sending_client(sk, c, tp, msg);
}

static __noinline int send_follow(struct sock *sk, struct gp_conn *c, const struct tcp_sock *tp,
				  struct msghdr *msg)
{
	gp_sending_follow(sk, c, tp, msg);
	return 0;
}

/* As gp_sending. */
static __always_inline int sending(struct sock *sk, struct gp_conn *c, struct msghdr *msg)
{
	const struct tcp_sock *tp = c ? tcp_cast(sk) : NULL;

	if (!tp)
		return 0;
	if (c->frame ||
	    (c->role == GP_ROLE_CLIENT ? send_client(sk, c, tp, msg) : send_server(sk, c, tp, msg)))
		send_follow(sk, c, tp, msg);
	return 0;
}

SEC("?tp_btf/tcp_sendmsg_locked")
int BPF_PROG(send_small_tp, struct sock *sk, struct msghdr *msg, struct sk_buff *skb, int size_goal)
{
	struct gp_conn *c = conn_of(sk);

	return c && gp_send_has_room(sk, c, skb, size_goal) ? sending(sk, c, msg) : 0;
}

SEC("?fentry/tcp_sendmsg_locked")
int BPF_PROG(send_fentry, struct sock *sk, struct msghdr *msg, __u64 len)
{
	return len ? sending(sk, conn_of(sk), msg) : 0;
}

/* sendfile and splice, until 6.5 a way of their own: dc97391e6610 ("sock: Remove ->sendpage*()").
 */
SEC("?fentry/do_tcp_sendpages")
int BPF_PROG(sendpage_fentry, struct sock *sk, struct page *page, int offset, __u64 len)
{
	struct gp_scratch *s = gp_scratch_get(GP_SCRATCH_SEND);

	if (!len || !s)
		return 0;
	s->source.left = len;
	return sending(sk, conn_of(sk), NULL);
}

/* A send has waited for room, and goes on. */
SEC("?fexit/sk_stream_wait_memory")
int BPF_PROG(send_on_fexit, struct sock *sk)
{
	struct gp_conn *c = conn_of(sk);
	const struct tcp_sock *tp;

	if (!c || c->role != GP_ROLE_SERVER || gp_phase(c->turn) != GP_PHASE_ANSWERED)
		return 0;
	tp = tcp_cast(sk);
	if (tp && c->frame)
		c->last_ns = bpf_ktime_get_ns();
	else if (tp)
		gp_answer_goes_on(c, tp);
	return 0;
}

#endif
