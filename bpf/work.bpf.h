/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Works: what stands of an open exchange while its thread is at another, and its calls (struct
 * gp_work). In a table by the exchange's id.
 */
#ifndef GP_WORK_BPF_H
#define GP_WORK_BPF_H

#include "maps.bpf.h"
#include "thread.bpf.h"

/* What a gp_work has to say at the end: own CPU time, and what calls took from the other parts. */
struct gp_split {
	__u64 own_ns, downstream_ns;
	struct gp_counters taken; /* of the handler's time during calls; cpu_ns: for others */
	__u32 longest; /* gp_ref of the endpoint of the call that took longest; GP_SLOT_NONE: none
			*/
	__u64 longest_ns;
};

/* The thread turns away from its open current exchange: puts down what it spent on that. */
int gp_work_park(struct gp_thread *t, struct gp_current *cur, __u64 cpu_ns, __u64 now);

/*
 * The exchange `id`, read by thread `pid`, is over in a way that the thread does not know of:
 * another one answered it, or its connection is gone.
 */
int gp_work_forget(__u32 id, __u32 pid);

/* A connection is made on behalf of the thread's current exchange, if that is open. */
int gp_work_intend(struct gp_thread *t, struct gp_conn *c);

/*
 * A client's exchange begins on connection `c`, on behalf of the current exchange of `t`; or, if
 * `caller` is set, of that, for which the connection was made. Clears `caller` if there is none.
 */
int gp_work_call(struct gp_thread *t, struct gp_conn *c, __u64 now);

/*
 * The reply begins, or never will, to what was sent to client endpoint `endpoint` at `start_ns` on
 * behalf of exchange `caller`.
 */
int gp_work_replied(__u32 caller, __u32 endpoint, __u64 start_ns, __u64 now);

/* The same of the exchange on connection `c`. */
static __always_inline int gp_work_reply(const struct gp_conn *c, __u64 now)
{
	return gp_work_replied(c->caller, c->endpoint, c->start_ns, now);
}

/* The thread receives the reply: it works for the exchange the call was made for again. */
int gp_work_resume(struct gp_thread *t, struct gp_conn *c, __u64 now);

/* What a thread works for. */
static __always_inline struct gp_current *gp_current_of(const struct gp_thread *t)
{
	__u32 index = t->index;

	return bpf_map_lookup_elem(&currents, &index);
}

/* The place of work `id`, or NULL. */
static __always_inline struct gp_work *gp_work_place(__u32 id)
{
	for (__u32 way = 0; way < GP_WORK_WAYS; way++) {
		__u32 index = (id + way) & (GP_WORKS - 1);
		struct gp_work *w = bpf_map_lookup_elem(&works, &index);

		if (!w)
			return NULL;
		if (w->id == id)
			return w;
	}
	return NULL;
}

/* Empties a work and gives its place to `id`; 0: to nobody. Locked, unless there were no calls. */
static __always_inline void gp_work_reset(struct gp_work *w, __u32 id)
{
	w->own_ns = 0;
	if (w->called) {
		w->called = 0;
		w->calls = 0;
		w->downstream_ns = 0;
		w->taken.runqueue_ns = 0;
		w->taken.cpu_ns = 0;
		w->taken.io_ns = 0;
		w->longest_ns = 0;
	}
	barrier();
	w->id = id;
}

static __always_inline void gp_work_end(struct gp_work *w, __u32 id)
{
	bpf_spin_lock(&w->lock);
	if (w->id == id)
		gp_work_reset(w, 0);
	bpf_spin_unlock(&w->lock);
}

/* Takes the place of a work so old that its exchange has likely been lost. */
static __always_inline bool gp_work_evict(struct gp_work *w, __u32 id, __u64 now)
{
	bool taken = false;

	bpf_spin_lock(&w->lock);
	if (w->begun_ns + GP_WORK_OLD_NS < now) {
		gp_work_reset(w, id);
		taken = true;
	}
	bpf_spin_unlock(&w->lock);
	return taken;
}

/* A place for work `id`: a free one, which is empty, or an old one. */
static __always_inline struct gp_work *gp_work_claim(__u32 id, __u64 now)
{
	for (__u32 way = 0; way < GP_WORK_WAYS; way++) {
		__u32 index = (id + way) & (GP_WORKS - 1);
		struct gp_work *w = bpf_map_lookup_elem(&works, &index);
		bool mine;

		if (!w)
			return NULL;
		mine = !w->id && !__sync_val_compare_and_swap(&w->id, 0, id);
		if (mine || (way == GP_WORK_WAYS - 1 && gp_work_evict(w, id, now))) {
			w->begun_ns = now;
			return w;
		}
	}
	return NULL;
}

/* The work of the thread's current exchange, begun if need be. */
static __always_inline struct gp_work *gp_work_of(const struct gp_thread *t, struct gp_current *cur,
						  __u64 now)
{
	struct gp_work *w = cur->flags & GP_CURRENT_WORK ? gp_work_place(cur->id) : NULL;

	if (!w)
		w = gp_work_claim(cur->id, now);
	cur->flags |= GP_CURRENT_WORK;
	if (w)
		w->pid = t->pid;
	else
		gp_drop(GP_DROP_THREADS); /* its split is lost: it will be unattributed */
	return w;
}

/* As gp_work_park, without a call: a return is dear on CPUs that must guard it (retbleed). */
static __always_inline int gp_work_park_here(struct gp_thread *t, struct gp_current *cur,
					     __u64 cpu_ns, __u64 now)
{
	struct gp_work *w;

	w = gp_work_of(t, cur, now);
	if (!w)
		return -1;
	w->own_ns += cpu_ns - cur->cpu_ns;
	return 0;
}

/* CPU time spent on the work itself so far, by its handler, which has spent `cpu_ns` in all. */
static __always_inline __u64 gp_work_own_ns(const struct gp_work *w, const struct gp_current *cur,
					    __u64 cpu_ns)
{
	if (cur->id == w->id && (cur->flags & GP_CURRENT_OPEN) && cpu_ns > cur->cpu_ns)
		return w->own_ns + cpu_ns - cur->cpu_ns;
	return w->own_ns;
}

/*
 * Ends the work of the connection's exchange, at its answer by thread `t`, which has spent `cpu_ns`
 * until now. 0, or -1 if nothing is known of it any more.
 */
static __always_inline int gp_work_finish(struct gp_current *cur, __u32 id, __u64 cpu_ns,
					  struct gp_split *split)
{
	struct gp_work *w = gp_work_place(id);

	if (!w)
		return -1;
	split->own_ns = gp_work_own_ns(w, cur, cpu_ns);
	if (!w->called) {
		gp_work_reset(w, 0);
		return 0;
	}
	bpf_spin_lock(&w->lock);
	split->downstream_ns = w->downstream_ns;
	split->taken = w->taken;
	split->longest = w->longest_ns ? w->longest : GP_SLOT_NONE;
	split->longest_ns = w->longest_ns;
	gp_work_reset(w, 0);
	bpf_spin_unlock(&w->lock);
	return 0;
}

#endif
