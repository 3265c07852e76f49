// SPDX-License-Identifier: GPL-2.0-or-later
#include "stage.bpf.h"

int gp_work_park(struct gp_thread *t, struct gp_current *cur, __u64 cpu_ns, __u64 now)
{
	if (!t || !cur || !cur->id)
		return -1;
	return gp_work_park_here(t, cur, cpu_ns, now);
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
	if (gp_work_of(t, cur, bpf_ktime_get_ns()))
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
	w = gp_work_place(c->caller);
	if (!w || w->pid != t->pid || !gp_thread_spent_here(t, now, &spent)) {
		c->caller = 0; /* answered meanwhile: the call is for it all the same, but not
				  waited for */
		return 0;
	}
	own = gp_work_own_ns(w, cur, spent.cpu_ns);
	bpf_spin_lock(&w->lock);
	w->called = 1;
	if (!w->calls++)
		mark(w, now, &spent, own);
	bpf_spin_unlock(&w->lock);
	return 0;
}

int gp_work_replied(__u32 caller, __u32 endpoint, __u64 start_ns, __u64 now)
{
	__u64 own, own_since, span;
	struct gp_counters spent;
	struct gp_current *cur;
	struct gp_thread *t;
	struct gp_work *w;

	if (!caller)
		return 0;
	w = gp_work_place(caller);
	if (!w)
		return 0; /* answered without waiting for this call */
	t = gp_thread_find(w->pid);
	cur = t ? gp_current_of(t) : NULL;
	if (!cur || !gp_thread_spent_there(t, now, &spent))
		return -1;
	own = gp_work_own_ns(w, cur, spent.cpu_ns);
	bpf_spin_lock(&w->lock);
	if (w->id == caller && w->calls) {
		w->calls--;
		span = now - w->mark_ns;
		own_since = own - w->mark_own_ns;
		w->downstream_ns += span - own_since;
		w->taken.runqueue_ns += spent.runqueue_ns - w->mark.runqueue_ns;
		w->taken.cpu_ns += spent.cpu_ns - w->mark.cpu_ns - own_since;
		w->taken.io_ns += spent.io_ns - w->mark.io_ns;
		mark(w, now, &spent, own);
		if (now - start_ns > w->longest_ns) {
			w->longest_ns = now - start_ns;
			w->longest = endpoint;
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
	w = gp_work_place(c->caller);
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
	w = gp_work_place(id);
	if (id && w)
		gp_work_end(w, id);
	return 0;
}
