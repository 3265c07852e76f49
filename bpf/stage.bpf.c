// SPDX-License-Identifier: GPL-2.0-or-later
#include "stage.bpf.h"

/* The place of work `id`, or NULL. */
static __always_inline struct gp_work *work_place(__u32 id)
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
static __always_inline void work_reset(struct gp_work *w, __u32 id)
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

static __always_inline void work_end(struct gp_work *w, __u32 id)
{
	bpf_spin_lock(&w->lock);
	if (w->id == id)
		work_reset(w, 0);
	bpf_spin_unlock(&w->lock);
}

/* Takes the place of a work so old that its exchange has likely been lost. */
static __always_inline bool work_evict(struct gp_work *w, __u32 id, __u64 now)
{
	bool taken = false;

	bpf_spin_lock(&w->lock);
	if (w->begun_ns + GP_WORK_OLD_NS < now) {
		work_reset(w, id);
		taken = true;
	}
	bpf_spin_unlock(&w->lock);
	return taken;
}

/* A place for work `id`: a free one, which is empty, or an old one. */
static __always_inline struct gp_work *work_claim(__u32 id, __u64 now)
{
	for (__u32 way = 0; way < GP_WORK_WAYS; way++) {
		__u32 index = (id + way) & (GP_WORKS - 1);
		struct gp_work *w = bpf_map_lookup_elem(&works, &index);
		bool mine;

		if (!w)
			return NULL;
		mine = !w->id && !__sync_val_compare_and_swap(&w->id, 0, id);
		if (mine || (way == GP_WORK_WAYS - 1 && work_evict(w, id, now))) {
			w->begun_ns = now;
			return w;
		}
	}
	return NULL;
}

/* The work of the thread's current exchange, begun if need be. */
static __always_inline struct gp_work *work_of(const struct gp_thread *t, struct gp_current *cur,
					       __u64 now)
{
	struct gp_work *w = cur->flags & GP_CURRENT_WORK ? work_place(cur->id) : NULL;

	if (!w)
		w = work_claim(cur->id, now);
	cur->flags |= GP_CURRENT_WORK;
	if (w)
		w->pid = t->pid;
	else
		gp_drop(GP_DROP_THREADS); /* its split is lost: it will be unattributed */
	return w;
}

int gp_work_park(struct gp_thread *t, struct gp_current *cur, __u64 cpu_ns, __u64 now)
{
	struct gp_work *w;

	if (!t || !cur || !cur->id)
		return -1;
	w = work_of(t, cur, now);
	if (!w)
		return -1;
	w->own_ns += cpu_ns - cur->cpu_ns;
	return 0;
}

/* CPU time spent on the work itself so far, by its handler, which has spent `cpu_ns` in all. */
static __always_inline __u64 own_ns(const struct gp_work *w, const struct gp_current *cur,
				    __u64 cpu_ns)
{
	if (cur->id == w->id && (cur->flags & GP_CURRENT_OPEN) && cpu_ns > cur->cpu_ns)
		return w->own_ns + cpu_ns - cur->cpu_ns;
	return w->own_ns;
}

int gp_work_finish(struct gp_current *cur, __u32 id, __u64 cpu_ns, struct gp_split *split)
{
	struct gp_work *w = work_place(id);

	if (!cur || !split || !w)
		return -1;
	split->own_ns = own_ns(w, cur, cpu_ns);
	if (!w->called) {
		work_reset(w, 0);
		return 0;
	}
	bpf_spin_lock(&w->lock);
	split->downstream_ns = w->downstream_ns;
	split->taken = w->taken;
	split->longest = w->longest_ns ? w->longest : GP_SLOT_NONE;
	split->longest_ns = w->longest_ns;
	work_reset(w, 0);
	bpf_spin_unlock(&w->lock);
	return 0;
}

/* From this moment on time belongs to calls. */
static __always_inline void mark(struct gp_work *w, __u64 now, const struct gp_counters *spent,
				 __u64 own)
{
	w->mark_ns = now;
	w->mark = *spent;
	w->mark_own_ns = own;
}

int gp_work_intend(struct gp_thread *t, struct gp_conn *c)
{
	struct gp_current *cur = t ? gp_current_of(t) : NULL;

	if (!cur || !c || !cur->id || !(cur->flags & GP_CURRENT_OPEN))
		return 0;
	c->caller_endpoint = cur->endpoint;
	if (work_of(t, cur, bpf_ktime_get_ns()))
		c->caller = cur->id;
	return 0;
}

int gp_work_call(struct gp_thread *t, struct gp_conn *c, __u64 now)
{
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	struct gp_counters spent;
	struct gp_work *w;
	__u64 own;

	if (!cur || !c)
		return -1;
	if (!c->caller) {
		if (!(cur->flags & GP_CURRENT_OPEN))
			return 0;
		gp_work_intend(t, c);
	}
	w = work_place(c->caller);
	if (!w || w->pid != t->pid || !gp_thread_spent_here(t, now, &spent)) {
		c->caller = 0; /* answered meanwhile: the call is for it all the same, but not
				  waited for */
		return 0;
	}
	own = own_ns(w, cur, spent.cpu_ns);
	bpf_spin_lock(&w->lock);
	w->called = 1;
	if (!w->calls++)
		mark(w, now, &spent, own);
	bpf_spin_unlock(&w->lock);
	return 0;
}

int gp_work_reply(struct gp_conn *c, __u64 now)
{
	__u64 own, own_since, span;
	struct gp_counters spent;
	struct gp_current *cur;
	struct gp_thread *t;
	struct gp_work *w;

	if (!c || !c->caller)
		return 0;
	w = work_place(c->caller);
	if (!w)
		return 0; /* answered without waiting for this call */
	t = gp_thread_find(w->pid);
	cur = t ? gp_current_of(t) : NULL;
	if (!cur || !gp_thread_spent_there(t, now, &spent))
		return -1;
	own = own_ns(w, cur, spent.cpu_ns);
	bpf_spin_lock(&w->lock);
	if (w->id == c->caller && w->calls) {
		w->calls--;
		span = now - w->mark_ns;
		own_since = own - w->mark_own_ns;
		w->downstream_ns += span - own_since;
		w->taken.runqueue_ns += spent.runqueue_ns - w->mark.runqueue_ns;
		w->taken.cpu_ns += spent.cpu_ns - w->mark.cpu_ns - own_since;
		w->taken.io_ns += spent.io_ns - w->mark.io_ns;
		mark(w, now, &spent, own);
		if (now - c->start_ns > w->longest_ns) {
			w->longest_ns = now - c->start_ns;
			w->longest = c->endpoint;
		}
	}
	bpf_spin_unlock(&w->lock);
	return 0;
}

int gp_work_resume(struct gp_thread *t, struct gp_conn *c, __u64 now)
{
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	struct gp_counters spent;
	struct gp_work *w;

	if (!cur || !c || !c->caller || cur->id == c->caller)
		return 0;
	w = work_place(c->caller);
	if (!w || w->pid != t->pid || !gp_thread_spent_here(t, now, &spent))
		return 0;
	if (cur->flags & GP_CURRENT_OPEN)
		gp_work_park(t, cur, spent.cpu_ns, now);
	cur->id = c->caller;
	cur->endpoint = c->caller_endpoint;
	cur->cpu_ns = spent.cpu_ns;
	cur->flags = GP_CURRENT_OPEN | GP_CURRENT_WORK;
	return 0;
}

int gp_work_forget(__u32 id, __u32 pid)
{
	struct gp_thread *t = pid ? gp_thread_find(pid) : NULL;
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	struct gp_work *w;

	/* The thread itself may turn to another exchange just now: then it is not there any more.
	 */
	if (cur)
		__sync_val_compare_and_swap(&cur->id, id, 0);
	w = work_place(id);
	if (id && w)
		work_end(w, id);
	return 0;
}
