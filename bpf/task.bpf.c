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
	char name[16] = {};
	__u64 *halves = (__u64 *)name;

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(group, kn, name));
	return halves[0] == *(const __u64 *)"user.sli" && halves[1] == *(const __u16 *)"ce";
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
	__u64 names[2] = {};

	if (!program || program != BPF_CORE_READ(parent, mm, exe_file, f_inode))
		return false;
	for (int half = 0; half < GP_NAME_LEN; half += sizeof(names[0])) {
		bpf_probe_read_kernel(&names[0], sizeof(names[0]), &child->comm[half]);
		bpf_probe_read_kernel(&names[1], sizeof(names[1]), &parent->comm[half]);
		if (names[0] != names[1])
			return false;
	}
	return true;
}

static __always_inline const struct css_set *groups_of(const struct gp_task_id *id)
{
	const struct task_struct *leader = (const struct task_struct *)id->leader_at;

	return BPF_CORE_READ(leader, cgroups);
}

/* A walk by bpf_loop: of any other the verifier would follow each round, in each program. */
struct descent {
	const struct cgroup *innermost;
	__u64 place;
	__u32 levels, owner;
};

/* From the hierarchy's first level down to what root does not own. */
static long descend(__u32 i, struct descent *d)
{
	const struct cgroup *group;

	if (i >= d->levels || d->owner)
		return 1;
	group = ancestor(d->innermost, i + 1);
	d->place = BPF_CORE_READ(group, kn, id);
	d->owner = owner_of(group);
	return 0;
}

__u64 gp_task_place(const struct gp_task_id *id)
{
	const struct cgroup *innermost;
	const struct css_set *groups;
	struct descent d = {};

	if (!id)
		return GP_PLACE_OF_USER;
	groups = groups_of(id);
	innermost = BPF_CORE_READ(groups, dfl_cgrp);
	d.innermost = innermost;
	d.levels = BPF_CORE_READ(innermost, level);
	bpf_loop(DEPTH_MAX, descend, &d, 0);
	if (!d.levels || is_user_slice(ancestor(innermost, 1)))
		return GP_PLACE_OF_USER | d.owner;
	return d.place;
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

bool gp_task_in_group(const struct gp_task_id *id)
{
	const struct cgroup *innermost;
	__u32 levels;

	if (!id)
		return false;
	innermost = asked_of(groups_of(id));
	levels = BPF_CORE_READ(innermost, level);
	for (__u32 i = 0; i < DEPTH_MAX && i <= levels; i++) {
		const struct cgroup *group = ancestor(innermost, i);

		if (BPF_CORE_READ(group, kn, id) == gp_only_cgroup)
			return true;
	}
	return false;
}

bool gp_task_came_of(const struct gp_task_id *id)
{
	const struct task_struct *leader;

	if (!id)
		return false;
	leader = (const struct task_struct *)id->leader_at;
	for (int i = 0; i < CHILDREN_MAX; i++) {
		__u32 pid = BPF_CORE_READ(leader, pid);

		if (pid == gp_only_pid)
			return true;
		if (pid <= 1)
			break;
		leader = BPF_CORE_READ(leader, real_parent, group_leader);
	}
	return false;
}
