// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paths, from their end to the root. They are walked with reads that may fail, since nothing holds
 * what they pass: a name that changes meanwhile is read as it was or as it is then.
 */
#include "origin.bpf.h"

#include "compat.bpf.h"

#define NAME_SIZE 256 /* of a file, with its NUL */
#define STEPS 48      /* components and mount points of one path */

/* Appends a component. Whether there was room, and it could be read. */
static __always_inline bool append(struct gp_path *path, const void *name)
{
	__u32 at = path->len;
	long n;

	if (at > GP_PATH_SIZE - NAME_SIZE)
		return false;
	n = bpf_probe_read_kernel_str(path->part + at, NAME_SIZE, name);
	if (n <= 0)
		return false;
	path->len = at + n;
	return true;
}

/*
 * The walks are steps for bpf_loop, so that the verifier looks at one and not at all of them. Where
 * a walk is stands in the path's record: callers are deep down the stack already.
 */
static long group_step(__u32 step, struct gp_path **p)
{
	struct gp_path *path = *p;
	const struct kernfs_node *node = (const void *)path->at, *parent = gp_kernfs_parent(node);

	path->at = (__u64)parent;
	if (!parent) { /* the root, which has no name */
		path->state = GP_PATH_WHOLE;
		return 1;
	}
	return !append(path, BPF_CORE_READ(node, name));
}

static __always_inline __u64 mount_of(const struct vfsmount *mnt)
{
	return (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* At the root of a mount: goes on where it is mounted, if it is. */
static __always_inline bool leave_mount(struct gp_path *path)
{
	const struct mount *mount = (const void *)path->mount;
	const struct mount *below = BPF_CORE_READ(mount, mnt_parent);

	if (below == mount)
		return false;
	path->at = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	path->mount = (__u64)below;
	return true;
}

static long program_step(__u32 step, struct gp_path **p)
{
	struct gp_path *path = *p;
	const struct dentry *dentry = (const void *)path->at;
	const struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	const struct mount *mount = (const void *)path->mount;
	bool is_root = dentry == BPF_CORE_READ(mount, mnt.mnt_root);

	if (is_root && leave_mount(path))
		return 0;
	if (!is_root && !append(path, BPF_CORE_READ(dentry, d_name.name)))
		return 1;
	path->at = (__u64)parent;
	if (!is_root && dentry != parent)
		return 0;
	/* The root of all, or a program that is in no directory, but in memory alone. */
	path->state = GP_PATH_WHOLE;
	return 1;
}

int gp_origin_take(__u32 slot, __u64 leader_at)
{
	const struct task_struct *leader = (const void *)leader_at;
	struct gp_origin *origin = bpf_map_lookup_elem(&origins, &slot);
	const struct file *file;
	struct gp_path *path;

	if (!origin)
		return -1;
	path = &origin->group;
	path->len = 0;
	path->at = (__u64)BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn);
	path->state = leader ? GP_PATH_CUT : GP_PATH_UNKNOWN; /* until it is whole */
	if (leader)
		bpf_loop(STEPS, group_step, &path, 0);
	file = BPF_CORE_READ(leader, mm, exe_file);
	path = &origin->program;
	path->len = 0;
	path->at = (__u64)BPF_CORE_READ(file, f_path.dentry);
	path->mount = mount_of(BPF_CORE_READ(file, f_path.mnt));
	path->state = file ? GP_PATH_CUT : GP_PATH_UNKNOWN;
	if (file)
		bpf_loop(STEPS, program_step, &path, 0);
	return 0;
}
