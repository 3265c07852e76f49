// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheduler: who has a CPU, who waits for one, who sleeps.
 *
 * A wait begins when a waker decides to wake the thread (sched_waking), when it is created, or when
 * it is switched out while still runnable; it ends when it is switched in. sched_switch runs with
 * interrupts off and the run queue locked: nothing else touches the two threads' records meanwhile,
 * but for `waking_ns`.
 */
#include "compat.bpf.h"
#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

/*
 * A waker tells of it before it has the run queue's lock: the thread may go to sleep in between. If
 * it had not yet, it was not asleep and nothing begins: the next one to wake it will say so again.
 */
#define WAKING_RACE_NS 20000

#define BORN_LATELY (1 << 20) /* of 1024 ns */

/* Makes the record of a thread, on first sight. */
static __noinline struct gp_thread *first_sight(struct task_struct *p)
{
	struct gp_task_id id;

	gp_task_id(&id, p);
	gp_thread_add(&id);
	return gp_thread_find(id.pid);
}

/*
 * Begins or ends the time of whoever has this CPU. `service` is GP_SLOT_NONE for the idle task.
 * The sequence is odd from before the first thing a switch counts until after the last, so that
 * user space can tell whether the time of the running task is already counted.
 */
static __always_inline void switch_cpu(struct gp_cpu_record *r, __u64 now, bool was_idle,
				       __u32 service)
{
	if (r->since_ns) {
		if (was_idle)
			r->idle_ns += now - r->since_ns;
		else
			r->busy_ns += now - r->since_ns;
	}
	r->since_ns = now;
	r->service = service;
	barrier();
	r->sequence++;
}

/* How many threads wait for this CPU just now, besides the one that gets it. */
static __always_inline void count_waiting(struct gp_cpu_record *r, const struct task_struct *prev,
					  bool busy)
{
	__u32 runnable = prev->se.cfs_rq->rq->nr_running, waiting;

	waiting = runnable > busy ? runnable - busy : 0;
	if (waiting > r->waiting_max)
		r->waiting_max = waiting;
}

static __always_inline void switch_out(struct task_struct *prev, struct gp_thread *t, __u64 now,
				       bool runnable, unsigned int state)
{
	struct gp_service_record *r = gp_service_record(t->service);
	__u64 ran;

	t->sequence++;
	barrier();
	if (t->state == GP_THREAD_RUNNING) {
		ran = now - t->since_ns;
		t->cpu_ns += ran;
		if (r)
			gp_add(&r->cpu_ns, ran);
	}
	if (r)
		gp_add(runnable ? &r->involuntary : &r->voluntary, 1);
	if (t->waking_ns <= t->since_ns || t->waking_ns + WAKING_RACE_NS < now)
		t->waking_ns = 0; /* an old one; not if somebody wakes it just now */
	t->since_ns = now;
	if (runnable)
		t->state = GP_THREAD_WAITING;
	else if ((state & GP_TASK_UNINTERRUPTIBLE) &&
		 BPF_CORE_READ_BITFIELD_PROBED(prev, in_iowait))
		t->state = GP_THREAD_IO;
	else
		t->state = GP_THREAD_BLOCKED;
	barrier();
	t->sequence++;
}

/*
 * When `next` began to wait, if it was not seen to be woken (by a thread that the kernel hides from
 * tracing, or in an interrupt of one): when the kernel queued it.
 */
static __always_inline __u64 queued_ns(const struct gp_thread *t, const struct task_struct *next,
				       __u64 now)
{
	__u64 queued = now - (next->se.cfs_rq->rq->clock - next->sched_info.last_queued);

	if (t->state == GP_THREAD_UNKNOWN)
		return 0;
	return queued > t->since_ns && queued < now ? queued : now;
}

/* `began`: when the wait that ends now began; 0 if that is not known. */
static __always_inline void switch_in(struct gp_thread *t, __u64 now, __u64 began,
				      struct gp_cpu_record *cpu)
{
	struct gp_service_record *r = gp_service_record(t->service);
	__u64 wait;

	t->sequence++;
	barrier();
	if (t->state == GP_THREAD_IO && began && r) {
		t->io_ns += began - t->since_ns;
		gp_add(&r->io_ns, began - t->since_ns);
	}
	if (began && r) {
		wait = now > began ? now - began : 0;
		t->runqueue_ns += wait;
		cpu->waited_ns += wait;
		gp_add(&r->runqueue_ns, wait);
		gp_raise(&r->runqueue_max_ns, wait);
		gp_hist_count_one(r->runqueue, gp_hist_slot(wait));
	}
	if (t->born && (__u32)(now >> 10) - t->born > BORN_LATELY)
		t->born = 0;
	t->state = GP_THREAD_RUNNING;
	t->since_ns = now;
	t->waking_ns = began < now ? began : now;
	barrier();
	t->sequence++;
}

/* The thread that leaves the CPU was not seen to get it. */
static __always_inline void switch_in_unseen(struct gp_thread *t, const struct task_struct *prev,
					     struct gp_cpu_record *cpu, __u64 now)
{
	__u64 got = gp_thread_got_ns(t, prev, cpu, now), began = gp_wait_began(t);

	switch_in(t, got, began ? began : got, cpu);
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(switch_tp, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	__u32 service = GP_SLOT_NONE, cpu = bpf_get_smp_processor_id();
	struct gp_cpu_record *r = bpf_map_lookup_elem(&cpus, &cpu);
	__u64 now = bpf_ktime_get_ns();
	struct gp_thread *t;
	__u64 began;

	if (!r)
		return 0;
	r->sequence++;
	barrier();
	if (prev->pid) {
		t = gp_thread_find(prev->pid);
		if (t && t->state != GP_THREAD_RUNNING && t->state != GP_THREAD_UNKNOWN)
			switch_in_unseen(t, prev, r, now);
		if (t)
			switch_out(prev, t, now, preempt || !state, state);
		if (t && (state & GP_TASK_DEAD))
			gp_thread_remove(prev->pid);
	}
	if (next->pid) {
		r->task_clock_ns = now - next->se.exec_start;
		t = gp_thread_find(next->pid);
		if (!t)
			t = first_sight(next);
		if (t && t->epoch != gp_epoch) {
			struct gp_task_id id;

			gp_task_id(&id, next);
			gp_thread_moved(&id, false);
		}
		if (t) {
			began = gp_wait_began(t);
			if (!began)
				began = queued_ns(t, next, now);
			switch_in(t, now, began, r);
			service = t->service;
		}
	}
	count_waiting(r, prev, next->pid != 0);
	switch_cpu(r, now, !prev->pid, service);
	return 0;
}

SEC("?tp_btf/sched_waking")
int BPF_PROG(waking_tp, struct task_struct *p)
{
	struct gp_thread *t = gp_thread_find(p->pid);

	if (t)
		t->waking_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("?tp_btf/sched_wakeup_new")
int BPF_PROG(created_tp, struct task_struct *p)
{
	struct gp_task_id id;
	struct gp_thread *t;

	gp_task_id(&id, p);
	id.parent = bpf_get_current_task_btf()->pid;
	if (gp_thread_add(&id))
		return 0;
	t = gp_thread_find(id.pid);
	if (t) {
		t->waking_ns = bpf_ktime_get_ns();
		t->since_ns = t->waking_ns;
		t->state = GP_THREAD_BLOCKED;
		t->born = t->waking_ns >> 10 | 1;
	}
	return 0;
}
