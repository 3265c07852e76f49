/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: the least that programs on goldpan's hooks can cost. Each leaves early what is not
 * its own (a socket without storage), then gets the storage, reads the clock and counts. What
 * goldpan costs beyond that is what it does with an event; the benchmark holds it to a multiple.
 *
 * Only the server's sockets get storage: the listener of one port and what it accepts, those
 * that were there before the programs included. So the load generator's end is left as early as
 * goldpan leaves a service that it was told to ignore.
 */
#include "kernel.bpf.h"

#include "../tests/bench/floor.h"

#define TCP_SYN_RECV 3
#define TCP_LISTEN 10
#define THREADS 65536 /* a power of two; threads that share a cell cost what others cost */

char LICENSE[] SEC("license") = "GPL";

const volatile __u16 floor_port = 1;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREADS);
	__type(key, __u32);
	__type(value, __u64);
} threads SEC(".maps");

/* Per CPU: a counter that CPUs share would cost more than all the rest (a line that moves). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOOR_HOOKS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 hook)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &hook);

	if (n)
		(*n)++;
}

static __always_inline int touch_socket(struct sock *sk, enum floor_hook hook)
{
	__u64 *last_ns;

	if (!sk || !sk->sk_bpf_storage)
		return 0;
	last_ns = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!last_ns)
		return 0;
	*last_ns = bpf_ktime_get_ns();
	count(hook);
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(floor_ready, struct sock *sk)
{
	return touch_socket(sk, FLOOR_READY);
}

SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(floor_copy, const struct sk_buff *skb, int len)
{
	return touch_socket(skb->sk, FLOOR_COPY);
}

SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(floor_send, struct sock *sk)
{
	return touch_socket(sk, FLOOR_SEND);
}

static __always_inline void touch_thread(const struct task_struct *task, __u64 now_ns)
{
	__u32 slot = task->pid & (THREADS - 1);
	__u64 *last_ns = bpf_map_lookup_elem(&threads, &slot);

	if (last_ns)
		*last_ns = now_ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(floor_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now_ns = bpf_ktime_get_ns();

	touch_thread(prev, now_ns);
	touch_thread(next, now_ns);
	count(FLOOR_SWITCH);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(floor_waking, struct task_struct *task)
{
	touch_thread(task, bpf_ktime_get_ns());
	count(FLOOR_WAKING);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(floor_state, struct sock *sk, int old_state, int new_state)
{
	bool born = old_state == TCP_LISTEN && new_state == TCP_SYN_RECV;

	if (sk->sk_protocol != IPPROTO_TCP_NUMBER || sk->__sk_common.skc_num != floor_port)
		return 0;
	if (born || new_state == TCP_LISTEN)
		bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

/* Sockets that are there already. */
SEC("iter/tcp")
int floor_iter(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tcp;

	if (!common || common->skc_num != floor_port)
		return 0;
	tcp = bpf_skc_to_tcp_sock(common); /* NULL for TIME_WAIT and half-open ones */
	if (tcp)
		bpf_sk_storage_get(&sockets, tcp, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}
