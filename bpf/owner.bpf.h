/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a connection belongs to: its endpoint's key, and the task that receives or sends on it. */
#ifndef GP_OWNER_BPF_H
#define GP_OWNER_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "stream.bpf.h"
#include "thread.bpf.h"

/* Thread `pid`, if it is known, receives or sends on the connection: makes its service the owner.
 */
int gp_conn_own_slow(struct gp_conn *c, struct gp_endpoint_key *key, __u32 pid);

static __always_inline bool gp_is_v4(const struct sock *sk)
{
	const __u32 *a = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;

	if (sk->__sk_common.skc_family == AF_INET)
		return true;
	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

/* The key of the endpoint that connection `c` of socket `sk` belongs to, but for the service. */
static __always_inline void gp_endpoint_key(struct gp_endpoint_key *key, const struct sock *sk,
					    const struct gp_conn *c)
{
	__u32 *address = (__u32 *)key->address;

	key->netns = c->netns;
	key->port = c->port;
	key->role = c->role;
	key->protocol = c->look & GP_LOOK_CONFIRMED ? c->protocol : GP_PROTOCOL_UNKNOWN;
	if (GP_IS_UNIX) {
		key->transport = GP_TRANSPORT_UNIX;
		__builtin_memcpy(key->address, c->path, sizeof(c->path));
		return;
	}
	if (c->role == GP_ROLE_SERVER)
		return;
	if (gp_is_v4(sk)) {
		address[0] = sk->__sk_common.skc_daddr;
		return;
	}
	key->flags = GP_KEY_V6;
	for (int i = 0; i < 4; i++)
		address[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
}

/* As gp_conn_own, when the owner is not known to be right. */
static __noinline struct gp_thread *gp_conn_own_anew(const struct sock *sk, struct gp_conn *c,
						     struct task_struct *task)
{
	struct gp_endpoint_key key = {};

	/* A kernel worker that sends on somebody's behalf does not become the owner. */
	if ((task->flags & PF_KTHREAD) && (c->flags & GP_CONN_OWNED))
		return NULL;
	gp_endpoint_key(&key, sk, c);
	gp_conn_own_slow(c, &key, task->pid);
	return gp_thread_find(task->pid);
}

/*
 * In the context of the task that receives or sends: keeps the owner right. The task's record, or
 * NULL.
 */
static __always_inline struct gp_thread *gp_conn_own(const struct sock *sk, struct gp_conn *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct gp_thread *t = gp_thread_find(task->pid);

	if (t && t->service == c->service && (c->flags & GP_CONN_OWNED))
		return t;
	if (!t) /* from here, not from below: the stack may be short */
		gp_thread_add_current();
	return gp_conn_own_anew(sk, c, task);
}

#endif
