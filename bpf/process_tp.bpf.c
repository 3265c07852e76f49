// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of processes. */
#include "thread.bpf.h"

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(exec_tp, struct task_struct *p, int old_pid)
{
	struct gp_task_id id;

	gp_task_id(&id, p);
	if ((__u32)old_pid != id.pid)
		gp_thread_remove(
			old_pid); /* a thread other than the leader took the leader's place */
	gp_thread_moved(&id, true);
	return 0;
}

/* Only without the scheduler programs, which see a thread's very last switch. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(exit_tp, struct task_struct *p)
{
	gp_thread_remove(p->pid);
	return 0;
}

/* A task was moved to another control group: each thread looks at its own when it next runs. */
SEC("?tp_btf/cgroup_attach_task")
int BPF_PROG(moved_tp)
{
	gp_epoch++;
	return 0;
}
