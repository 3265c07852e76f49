// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens on TCP sockets, by three tracepoints, all under the socket's lock. Sockets that are
 * not observed have no storage of goldpan's: they leave before anything is spent on them.
 */
#include "kernel.bpf.h"

/*
 * Since 6.2: a35b9af4ec2c ("bpf: Add a kfunc to type cast from bpf uapi ctx to kernel ctx").
 * Declared in this object alone: bpftool 7.1 cannot link two that use the same kernel function.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* Since 6.4: b5964b968ac6 ("bpf: Add skb dynptrs"); for tracing since 6.12. */
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags,
			       struct bpf_dynptr *dynptr) __ksym __weak;

#include "turn.bpf.h"

/* As gp_tcp, for plain loads without a call, and for sockets reached by way of an skb, too. */
static __always_inline const struct tcp_sock *tcp_cast(struct sock *sk)
{
	if (bpf_rdonly_cast)
		return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
	return gp_tcp(sk);
}

int gp_pages_read(__u64 shared, __u32 offset, struct gp_room *to, __u32 n)
{
	return to ? gp_pieces_read((char *)shared, offset, to->at, n, GP_PIECES) : -1;
}

int gp_skb_read(struct sk_buff *skb GP_ARG_TRUSTED, __u32 offset, struct gp_room *to, __u32 n)
{
	__u64 bytes =
		n; /* all of the register: some verifiers know no more of it than was checked */

	asm volatile("" : "+r"(bytes));
	if (!to || !bytes || bytes > GP_WINDOW)
		return -1;
	return gp_skb_bytes(skb, offset, to->at, bytes, false);
}

/*
 * Another socket's event is handed over to a program of its own (unix_tp.bpf.c), which takes this
 * one's place; it comes back if there is none.
 */
static __always_inline bool handed_over(void *ctx, const struct sock *sk, void *to)
{
	if (!gp_with_unix || sk->__sk_common.skc_family != AF_UNIX)
		return false;
	bpf_tail_call(ctx, to, 0);
	return true;
}

/* Whether a send that is followed takes any bytes now; `skb` is the last one, which it may fill. */
static __always_inline bool gp_send_has_room(const struct sock *sk, const struct gp_conn *c,
					     const struct sk_buff *skb, int size_goal)
{
	return !c->frame || sk->sk_wmem_queued < sk->sk_sndbuf ||
	       (skb && (int)skb->len < size_goal);
}

/* Data readable. In softirq: the current task is whoever was interrupted. */
SEC("?tp_btf/sk_data_ready")
int BPF_PROG(arrive_tp, struct sock *sk)
{
	struct gp_conn *c;

	if (handed_over(ctx, sk, &unix_ready_at) || !sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	return c ? gp_readable(sk, c, tcp_cast(sk)) : 0;
}

/* An application's receive is about to copy from an skb of its socket: in the reader's context. */
SEC("?tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(read_tp, struct sk_buff *skb, int len)
{
	struct sock *sk = skb->sk;
	const struct tcp_sock *tp;
	struct gp_conn *c;

	if (!sk || !sk->sk_bpf_storage || handed_over(ctx, sk, &unix_read_at))
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c)
		return 0;
	tp = tcp_cast(sk);
	return tp ? gp_receiving(sk, c, tp, skb, len) : 0;
}

/* An application's send, before each skb that it fills: in the sender's context. */
SEC("?tp_btf/tcp_sendmsg_locked")
int BPF_PROG(send_tp, struct sock *sk, struct msghdr *msg, struct sk_buff *skb, int size_goal)
{
	struct gp_conn *c;

	if (!sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!c)
		return 0;
	return gp_sending(sk, c, tcp_cast(sk), msg, gp_send_has_room(sk, c, skb, size_goal));
}

#include "data_else.bpf.h"
