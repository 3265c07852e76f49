// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose a task is. Looked at only where one is seen for the first time, starts a program, or is
 * moved.
 *
 * In the system's slices a control group says so, but only down to the first one that root does not
 * own: whoever owns it calls what is inside as he likes. At the root of the hierarchy, and below
 * user.slice, it is the user. He is taken as he is when he starts a program, by his real id: a
 * set-user-ID program that he calls is his. A user namespace is its owner's, with all its ids.
 */
#include "task.bpf.h"

#define DEPTH_MAX 32 /* of control groups, of user namespaces */
#define CHILDREN_MAX 32
#define FORKS_MAX 4 /* of one program, up to the process that started it */

static __always_inline __u32 owner_of(const struct cgroup *group)
{
	const struct kernfs_iattrs *attributes = BPF_CORE_READ(group, kn, iattr);

	return attributes ? BPF_CORE_READ(attributes, ia_uid.val) : 0;
}

static __always_inline bool is_user_slice(const struct cgroup *group)
{
	const char user_slice[] = "user.slice";
	char name[sizeof(user_slice)] = {};

	if (bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(group, kn, name)) !=
	    sizeof(name))
		return false;
	for (int i = 0; i < (int)sizeof(name); i++)
		if (name[i] != user_slice[i])
			return false;
	return true;
}

static __always_inline const struct cgroup *ancestor(const struct cgroup *group, __u32 level)
{
	__u64 at = (__u64)group + bpf_core_field_offset(struct cgroup, ancestors) +
		   level * sizeof(void *);
	const struct cgroup *found = NULL;

	bpf_probe_read_kernel(&found, sizeof(found), (const void *)at);
	return found;
}

/* The user of a process: of a namespace that an unprivileged user made, him. */
static __always_inline __u32 user_of(const struct task_struct *leader)
{
	const struct cred *cred = BPF_CORE_READ(leader, real_cred);
	const struct user_namespace *ns = BPF_CORE_READ(cred, user_ns);
	__u32 owner = 0;

	for (int i = 0; i < DEPTH_MAX && BPF_CORE_READ(ns, level) > 0; i++) {
		owner = BPF_CORE_READ(ns, owner.val);
		ns = BPF_CORE_READ(ns, parent);
	}
	return owner ?: BPF_CORE_READ(cred, uid.val);
}

/* Whether one runs the program that the other does, under the same name. */
static __always_inline bool is_fork_of(const struct task_struct *child,
				       const struct task_struct *parent)
{
	const struct inode *program = BPF_CORE_READ(child, mm, exe_file, f_inode);
	__u64 names[2][GP_NAME_LEN / 8] = {};

	if (!program || program != BPF_CORE_READ(parent, mm, exe_file, f_inode))
		return false;
	bpf_probe_read_kernel(names[0], sizeof(names[0]), &child->comm);
	bpf_probe_read_kernel(names[1], sizeof(names[1]), &parent->comm);
	return names[0][0] == names[1][0] && names[0][1] == names[1][1];
}

static __always_inline __u32 level_of(const struct cgroup *group)
{
	return BPF_CORE_READ(group, level);
}

/* A walk over control groups, by bpf_loop: the verifier would follow each round of any other. */
struct descent {
	const struct cgroup *innermost;
	__u64 group;
	__u32 levels, owner;
	bool found;
};

/* From the hierarchy's first level down to what root does not own. */
static long descend(__u32 i, struct descent *d)
{
	const struct cgroup *group = ancestor(d->innermost, i + 1);

	if (i >= d->levels || d->owner)
		return 1;
	d->group = BPF_CORE_READ(group, kn, id);
	d->owner = owner_of(group);
	return 0;
}

int gp_task_place(const struct gp_task_id *id, struct gp_task_place *place)
{
	const struct css_set *groups;
	struct descent d = {};

	if (!id || !place)
		return -1;
	groups = (const struct css_set *)id->groups_at;
	d.innermost = BPF_CORE_READ(groups, dfl_cgrp);
	d.levels = level_of(d.innermost);
	place->group = place->owner = 0;
	if (!d.levels)
		return 0;
	bpf_loop(DEPTH_MAX, descend, &d, 0);
	if (is_user_slice(ancestor(d.innermost, 1)))
		place->owner = d.owner;
	else
		place->group = d.group;
	return 0;
}

/*
 * A process that was there before goldpan may be a fork of the one that started its program:
 * servers fork, and their children become another user (nginx, sshd), without being another
 * service.
 */
__u32 gp_task_user(const struct gp_task_id *id, bool older)
{
	const struct task_struct *leader;

	if (!id)
		return 0;
	leader = (const struct task_struct *)id->leader_at;
	for (int i = 0; older && i < FORKS_MAX; i++) {
		const struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);

		if (!parent || !is_fork_of(leader, parent))
			break;
		leader = parent;
	}
	return user_of(leader);
}

/* The group of the hierarchy that --cgroup is about. */
static __always_inline const struct cgroup *asked_of(const struct css_set *groups)
{
	__u64 at = (__u64)groups + bpf_core_field_offset(struct css_set, subsys) +
		   gp_only_subsys * sizeof(void *);
	const struct cgroup_subsys_state *state = NULL;

	if (gp_only_subsys < 0)
		return BPF_CORE_READ(groups, dfl_cgrp);
	bpf_probe_read_kernel(&state, sizeof(state), (const void *)at);
	return BPF_CORE_READ(state, cgroup);
}

static long find_asked(__u32 i, struct descent *d)
{
	const struct cgroup *group = ancestor(d->innermost, i);

	if (i > d->levels)
		return 1;
	d->found = BPF_CORE_READ(group, kn, id) == gp_only_cgroup;
	return d->found;
}

bool gp_task_in_group(const struct gp_task_id *id)
{
	struct descent d = {};

	if (!id)
		return false;
	d.innermost = asked_of((const struct css_set *)id->groups_at);
	d.levels = level_of(d.innermost);
	bpf_loop(DEPTH_MAX, find_asked, &d, 0);
	return d.found;
}

/* From a process up to the one that --pid is about. */
struct ascent {
	const struct task_struct *leader;
	bool found;
};

static long ascend(__u32 i, struct ascent *a)
{
	const struct task_struct *leader = a->leader;
	__u32 pid = BPF_CORE_READ(leader, pid);

	a->found = pid == gp_only_pid;
	if (a->found || pid <= 1)
		return 1;
	a->leader = BPF_CORE_READ(leader, real_parent, group_leader);
	return 0;
}

bool gp_task_came_of(const struct gp_task_id *id)
{
	struct ascent a = {};

	if (!id)
		return false;
	a.leader = (const struct task_struct *)id->leader_at;
	bpf_loop(CHILDREN_MAX, ascend, &a, 0);
	return a.found;
}
