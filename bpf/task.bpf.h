/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken from a task to find its service: its program, control group and user. */
#ifndef GP_TASK_BPF_H
#define GP_TASK_BPF_H

#include "maps.bpf.h"

struct gp_task_id {
	__u32 pid, tgid;
	__u64 leader_at;	/* the address of its leader's struct task_struct */
	__u32 is_kernel;	/* a kernel thread: all of these are one service, "kernel" */
	__u32 parent;		/* pid of the task that forked it just now; 0: not known */
	char name[GP_NAME_LEN]; /* of the thread-group leader */
};

/*
 * Where a task is, by its control group. In the system's slices: the id of the innermost group that
 * root named. Outside of these: GP_PLACE_OF_USER, and the owner of the outermost group that is not
 * root's, if there is one.
 */
__u64 gp_task_place(const struct gp_task_id *id);

#define GP_PLACE_OF_USER (1ULL << 63)

/* The id of its control group: that of its process. */
static __always_inline __u64 gp_task_group(const struct gp_task_id *id)
{
	const struct task_struct *leader = (const struct task_struct *)id->leader_at;

	return BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
}

/* The user of its process; `older`: as of whoever started its program. 0: root. */
__u32 gp_task_user(const struct gp_task_id *id, bool older);

/* Whether it is in the control group of --cgroup. */
bool gp_task_in_group(const struct gp_task_id *id);

/* Whether its process, or one that it came of, as far as these still run, is that of --pid. */
bool gp_task_came_of(const struct gp_task_id *id);

static __always_inline void gp_task_id(struct gp_task_id *id, struct task_struct *task)
{
	id->pid = task->pid;
	id->tgid = task->tgid;
	id->leader_at = (__u64)BPF_CORE_READ(task, group_leader);
	id->is_kernel = !!(task->flags & PF_KTHREAD);
	id->parent = 0;
	__builtin_memset(id->name, 0,
			 sizeof(id->name)); /* it is a key: also what the name leaves */
	bpf_probe_read_kernel_str(id->name, sizeof(id->name), task->group_leader->comm);
}

#endif
