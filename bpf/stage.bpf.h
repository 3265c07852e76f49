/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stages: where the time of a server's exchange goes between `arrive` and `first` (design.md).
 *
 * The scheduler programs keep what each thread has spent running, waiting and in I/O. An exchange
 * takes that of its handler at `arrive`, at `read` and at `first`; the differences are its parts,
 * so they add up by construction, and what does not is `unattributed` as a whole.
 *
 * A thread that serves many connections works for one exchange at a time, its current one. When it
 * turns to another before having answered, the CPU time it has spent on the first is put down in
 * that exchange's gp_work, where calls to downstream services are noted, too. Exchanges that are
 * answered in one go, the most of them, have none.
 *
 * Example: read at 0; 1 ms CPU; a call is sent; another connection is served for 3 ms while the
 * reply arrives at 2 ms; the reply is read at 4 ms; 1 ms CPU; first at 5 ms. Parts: cpu 2,
 * downstream 1 (1 to 2 ms), backlog 2 (2 to 4 ms).
 *
 * What it is bad at: an exchange that is read by one thread and answered by another. Of that, only
 * the last stint of the one that answers is known.
 */
#ifndef GP_STAGE_BPF_H
#define GP_STAGE_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"
#include "work.bpf.h"

/* As gp_thread_spent, of the current thread, even if it was not seen to get the CPU. */
static __always_inline bool gp_thread_spent_here(struct gp_thread *t, __u64 now,
						 struct gp_counters *spent)
{
	if (t->state == GP_THREAD_RUNNING)
		return gp_thread_spent(t, now, spent);
	return !gp_thread_spent_unseen(t, now, spent);
}

/* The first bytes of a request are readable: takes what its probable handler has waited so far. */
static __always_inline void gp_stage_arrive(struct gp_conn *c, bool accepted, __u64 now)
{
	struct gp_counters spent;
	struct gp_thread *t = NULL;
	struct gp_listener *l;

	c->flags &= ~(GP_CONN_SNAPPED | GP_CONN_UNACCEPTED);
	if (!accepted)
		c->flags |= GP_CONN_UNACCEPTED;
	if (!gp_with_sched)
		return;
	if (!c->reader) {
		l = gp_listener_of(c);
		c->reader = l ? l->reader : 0;
	}
	if (c->reader)
		t = gp_thread_find(c->reader);
	if (!t || !gp_thread_spent_there(t, now, &spent))
		return;
	c->arrive_runqueue_ns = spent.runqueue_ns;
	c->flags |= GP_CONN_SNAPPED;
}

/*
 * When the present stint of a thread began that has `spent` so much until `now`, and the wait for
 * the CPU before that (0: not known), also if it was not seen to get the CPU.
 */
static __always_inline __u64 gp_stint_since(const struct gp_thread *t,
					    const struct gp_counters *spent, __u64 now,
					    __u64 *began)
{
	__u64 since = now - (spent->cpu_ns - t->cpu_ns);

	*began = t->waking_ns;
	if (t->state != GP_THREAD_RUNNING)
		*began = since - (spent->runqueue_ns - t->runqueue_ns);
	return since;
}

/*
 * Where the time before `read` went if all that is known is the present stint of the thread that
 * reads: it waited for a CPU since it was woken; before that, it is known only if the connection
 * was not accepted yet, or the thread was running all the time.
 */
static __always_inline void gp_stage_guess(struct gp_conn *c, const struct gp_thread *t,
					   const struct gp_counters *spent)
{
	__u64 began, start = c->start_ns, since = gp_stint_since(t, spent, c->read_ns, &began);

	c->waited_ns = 0;
	c->lost_ns = 0;
	if (since <= start)
		return; /* busy with something else throughout */
	if (began > since) {
		c->lost_ns = since - start;
	} else if (began > start) {
		c->waited_ns = since - began;
		if (!(c->flags & GP_CONN_UNACCEPTED))
			c->lost_ns = began - start;
	} else if (began) {
		c->waited_ns = since - start;
	} else {
		c->lost_ns = since - start;
	}
}

/*
 * What is known besides if the thread was born lately, and has `spent` so much since. If the
 * request is older, that is all. Else the request waited at least for what the thread's other
 * doings leave of its time, and was backlog at least for what its waits leave.
 */
static __always_inline void gp_stage_guess_young(struct gp_conn *c, const struct gp_thread *t,
						 const struct gp_counters *spent)
{
	__u64 before = c->read_ns - c->start_ns, waits = spent->runqueue_ns, other, least, most;
	__u64 life = (__u64)((__u32)(c->read_ns >> 10) - t->born) << 10;

	most = waits < before ? waits : before;
	if (life <= before) {
		c->waited_ns = most;
		c->lost_ns = 0;
		return;
	}
	if (!c->lost_ns)
		return;
	other = life > waits ? life - waits : 0;
	least = before > other ? before - other : 0;
	if (c->waited_ns < least)
		c->waited_ns = least;
	most = most > c->waited_ns ? most - c->waited_ns : 0;
	if (c->lost_ns > most)
		c->lost_ns = most;
}

/* The exchange becomes the thread's current one. Its id is a new one, at the same place of `works`.
 */
static __always_inline void gp_stage_current(struct gp_conn *c, struct gp_current *cur,
					     __u64 cpu_ns)
{
	c->id += GP_WORKS;
	cur->id = c->id;
	cur->endpoint = c->endpoint;
	cur->cpu_ns = cpu_ns;
	cur->flags = GP_CURRENT_OPEN;
}

/* The application reads the request, as thread `t`. */
static __always_inline void gp_stage_read(struct gp_conn *c, struct gp_thread *t, __u64 now)
{
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	struct gp_counters spent;
	struct gp_listener *l;
	__s64 waited;

	if (!gp_with_sched || !cur || !gp_thread_spent_here(t, now, &spent)) {
		/* How long it takes in which place is not known, but calls are for it all the same.
		 */
		c->reader = 0;
		if (cur)
			gp_stage_current(c, cur, cur->cpu_ns);
		return;
	}
	if ((c->flags & GP_CONN_SNAPPED) && c->reader == t->pid) {
		/* Below 0, or too long, if another CPU was about to switch it at `arrive`. */
		waited = spent.runqueue_ns - c->arrive_runqueue_ns;
		if (waited > (__s64)(now - c->start_ns))
			waited = now - c->start_ns;
		c->waited_ns = waited > 0 ? waited : 0;
		c->lost_ns = 0;
	} else {
		gp_stage_guess(c, t, &spent);
		if (t->born)
			gp_stage_guess_young(c, t, &spent);
	}
	if (c->reader != t->pid) {
		c->reader = t->pid;
		l = gp_listener_of(c);
		if (l)
			l->reader = t->pid;
	}
	if ((cur->flags & GP_CURRENT_OPEN) && cur->id != c->id)
		gp_work_park_here(t, cur, spent.cpu_ns, now);
	c->handler = spent;
	gp_stage_current(c, cur, spent.cpu_ns);
}

/* Another thread answers than read: known is how long it has been at it, and waited before that. */
static __always_inline void gp_stage_handed_off(const struct gp_conn *c, const struct gp_thread *t,
						const struct gp_current *cur, __u64 now,
						const struct gp_counters *spent,
						struct gp_parts *parts)
{
	__u64 began, since = gp_stint_since(t, spent, now, &began), cpu, waited = 0;
	__u64 before = cur->cpu_ns > t->cpu_ns ? cur->cpu_ns - t->cpu_ns : 0;

	if (since <= c->read_ns)
		return; /* it was busy with something else at the time */
	cpu = now - since > before ? now - since - before : 0;
	if (began > c->read_ns && since > began)
		waited = since - began;
	parts->ns[GP_STAGE_CPU] = cpu;
	parts->ns[GP_STAGE_RUNQUEUE] = waited;
}

/* The thread that read answers: its counters since then, split between this exchange and others. */
static __always_inline void gp_stage_split(struct gp_conn *c, struct gp_current *cur, __u64 now,
					   const struct gp_counters *spent, struct gp_parts *parts)
{
	__u64 runqueue = spent->runqueue_ns - c->handler.runqueue_ns;
	__u64 cpu = spent->cpu_ns - c->handler.cpu_ns, io = spent->io_ns - c->handler.io_ns;
	struct gp_split split = {.own_ns = cpu, .longest = GP_SLOT_NONE};
	__u64 sleep = now - c->read_ns - runqueue - cpu - io;

	if (cur->id != c->id || cur->cpu_ns != c->handler.cpu_ns ||
	    (cur->flags & GP_CURRENT_WORK)) {
		if (gp_work_finish(cur, c->id, spent->cpu_ns, &split))
			return;
		c->longest = split.longest;
	}
	parts->ns[GP_STAGE_CPU] = split.own_ns;
	parts->ns[GP_STAGE_DOWNSTREAM] = split.downstream_ns;
	parts->ns[GP_STAGE_RUNQUEUE] = runqueue - split.taken.runqueue_ns;
	parts->ns[GP_STAGE_BACKLOG] = cpu - split.own_ns - split.taken.cpu_ns;
	parts->ns[GP_STAGE_IO] = io - split.taken.io_ns;
	parts->ns[GP_STAGE_SLEEP] = sleep + split.taken.runqueue_ns + split.taken.cpu_ns +
				    split.taken.io_ns - split.downstream_ns;
	c->longest_ns = split.longest_ns; /* in the place of read_ns, which has served */
}

/* The response begins, sent by thread `t`: the parts of the exchange are known now. */
static __always_inline void gp_stage_answer(struct gp_conn *c, struct gp_thread *t, __u64 now)
{
	__u64 before = c->read_ns - c->start_ns;
	__u64 waited = c->waited_ns, lost = c->lost_ns;
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	struct gp_parts parts = {};
	struct gp_counters spent;

	c->longest = GP_SLOT_NONE;
	if (!gp_with_sched || !cur || !c->reader || !c->read_ns ||
	    !gp_thread_spent_here(t, now, &spent)) {
		c->parts = parts;
		return;
	}
	if (t->pid == c->reader) {
		gp_stage_split(c, cur, now, &spent, &parts);
	} else {
		gp_stage_handed_off(c, t, cur, now, &spent, &parts);
		gp_work_forget(c->id, c->reader);
	}
	parts.ns[GP_STAGE_RUNQUEUE] += waited;
	parts.ns[GP_STAGE_BACKLOG] += before - waited - lost;
	if ((cur->flags & GP_CURRENT_OPEN) && cur->id != c->id)
		gp_work_park(t, cur, spent.cpu_ns, now); /* it had read another since */
	cur->id = c->id;
	cur->endpoint = c->endpoint;
	cur->cpu_ns = spent.cpu_ns;
	cur->flags = 0;
	c->parts = parts;
}

/*
 * An exchange is answered, and the one behind it on the connection, which was read with it, becomes
 * the thread's current one: it has waited behind that, but for the wait for a CPU.
 */
static __always_inline void gp_stage_turn(struct gp_conn *c, struct gp_thread *t, __u64 now)
{
	struct gp_current *cur = t ? gp_current_of(t) : NULL;
	__u64 waited = c->parts.ns[GP_STAGE_RUNQUEUE], all = now - c->start_ns;
	struct gp_counters spent;

	c->read_ns = now;
	if (!gp_with_sched || !cur || t->pid != c->reader ||
	    !gp_thread_spent_here(t, now, &spent)) {
		c->read_ns = 0; /* where its time goes will not be known */
		return;
	}
	if ((cur->flags & GP_CURRENT_OPEN) && cur->id != c->id)
		gp_work_park(t, cur, spent.cpu_ns, now);
	c->handler = spent;
	c->waited_ns = waited < all ? waited : all;
	c->lost_ns = 0;
	gp_stage_current(c, cur, spent.cpu_ns);
}

#endif
