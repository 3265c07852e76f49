/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads: one 64-byte record each, in an array that the scheduler programs keep. A thread's place
 * is found by its pid: the first of GP_THREAD_WAYS places from pid & mask on that has it.
 */
#ifndef GP_THREAD_BPF_H
#define GP_THREAD_BPF_H

#include "maps.bpf.h"
#include "task.bpf.h"

#define GP_THREAD_WAYS 4
#define GP_SPENT_TRIES 16

/*
 * Makes (or finds) the record of a thread and its service. Its program's name is the one its
 * leader's or its parent's service has, so that later renames do not count; else the name now.
 * 0, or -1 if the table is full there, which is counted.
 */
int gp_thread_add(struct gp_task_id *id);

/* As gp_thread_add, of the current thread. */
int gp_thread_add_current(void);

/* The thread now runs another program (`id->name`), or is in other control groups. */
int gp_thread_moved(struct gp_task_id *id, bool renamed);

/* What the current thread has spent until `now`, if it was not seen to get the CPU. 0, or -1. */
int gp_thread_spent_unseen(struct gp_thread *t, __u64 now, struct gp_counters *spent);

/* As gp_thread_spent, as often as it takes, but GP_SPENT_TRIES times at most. 0, or -1. */
int gp_thread_spent_again(struct gp_thread *t, __u64 now, struct gp_counters *spent);

/* The thread is gone. */
int gp_thread_remove(__u32 pid);

/* When the wait for a CPU began that ends now; 0 if that was not seen. */
static __always_inline __u64 gp_wait_began(const struct gp_thread *t)
{
	__u64 waking = t->waking_ns;

	if (t->state == GP_THREAD_WAITING)
		return t->since_ns;
	if (!waking)
		return 0;
	return waking > t->since_ns ? waking : t->since_ns;
}

/*
 * When the thread that has CPU record `r` got it, though no switch to it was seen: a kernel may
 * hide threads from tracing, and with one the switch from it to the next. It is when the kernel
 * began to charge `task`, by what it has charged it since; not before it can have been.
 */
static __always_inline __u64 gp_thread_got_ns(const struct gp_thread *t,
					      const struct task_struct *task,
					      const struct gp_cpu_record *r, __u64 now)
{
	__u64 charged = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	__u64 got = task->se.exec_start + r->task_clock_ns - charged, from = gp_wait_began(t);

	if (from < t->since_ns)
		from = t->since_ns;
	if (from < r->since_ns)
		from = r->since_ns;
	if (got > now) /* a switch takes a while */
		return now;
	return got > from ? got : from;
}

/* What thread `t` has spent until `now`, also while another CPU is switching it: then false. */
static __always_inline bool gp_thread_spent(const struct gp_thread *t, __u64 now,
					    struct gp_counters *spent)
{
	__u8 sequence = *(volatile __u8 *)&t->sequence;
	__u64 since, waking, began;

	barrier();
	since = t->since_ns;
	waking = t->waking_ns;
	spent->runqueue_ns = t->runqueue_ns;
	spent->cpu_ns = t->cpu_ns;
	spent->io_ns = t->io_ns;
	began = waking > since ? waking : since;
	if (t->state == GP_THREAD_RUNNING && now > since)
		spent->cpu_ns += now - since;
	else if (t->state == GP_THREAD_WAITING && now > since)
		spent->runqueue_ns += now - since;
	else if (waking && now > began)
		spent->runqueue_ns += now - began;
	barrier();
	return !(sequence & 1) && *(volatile __u8 *)&t->sequence == sequence;
}

/* As gp_thread_spent, of a thread that another CPU may be switching: that soon ends. */
static __always_inline bool gp_thread_spent_there(const struct gp_thread *t, __u64 now,
						  struct gp_counters *spent)
{
	return gp_thread_spent(t, now, spent) ||
	       !gp_thread_spent_again((struct gp_thread *)t, now, spent);
}

/* The record of a thread that is known, or NULL. */
static __always_inline struct gp_thread *gp_thread_find(__u32 pid)
{
	for (__u32 way = 0; way < GP_THREAD_WAYS; way++) {
		__u32 index = (pid + way) & gp_threads_mask;
		struct gp_thread *t = bpf_map_lookup_elem(&threads, &index);

		if (!t)
			return NULL;
		if (t->pid == pid)
			return t;
	}
	return NULL;
}

#endif
