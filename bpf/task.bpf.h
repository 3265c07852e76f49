/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken from a task to find its service: its program, control group and user. */
#ifndef GP_TASK_BPF_H
#define GP_TASK_BPF_H

#include "maps.bpf.h"

struct gp_task_id {
	__u32 pid, tgid;
	__u64 cgroup;
	__u64 groups_at, leader_at; /* the addresses of its struct css_set, and of its leader */
	__u32 is_kernel;	    /* a kernel thread: all of these are one service, "kernel" */
	__u32 parent;		    /* pid of the task that forked it just now; 0: not known */
	char name[GP_NAME_LEN];	    /* of the thread-group leader */
};

struct gp_task_place {
	__u64 group; /* in the system's slices: the innermost group that root named; else 0 */
	__u32 owner; /* outside of these: of the outermost group that is not root's; else 0 */
	__u32 reserved;
};

/* Where a task is, by its control group. */
int gp_task_place(const struct gp_task_id *id, struct gp_task_place *place);

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
	id->cgroup = task->cgroups->dfl_cgrp->kn->id;
	id->groups_at = (__u64)BPF_CORE_READ(task, cgroups);
	id->leader_at = (__u64)BPF_CORE_READ(task, group_leader);
	id->is_kernel = !!(task->flags & PF_KTHREAD);
	id->parent = 0;
	__builtin_memset(id->name, 0,
			 sizeof(id->name)); /* it is a key: also what the name leaves */
	bpf_probe_read_kernel_str(id->name, sizeof(id->name), task->group_leader->comm);
}

#endif
