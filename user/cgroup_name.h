/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the names of control groups say, one at a time: how service managers and container engines
 * call theirs, with systemd's help or without (`cgroupfs`).
 */
#ifndef GP_CGROUP_NAME_H
#define GP_CGROUP_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a name; `text` NULL: it is not there. */
struct gp_part {
	const char *text;
	size_t len;
};

/* "nginx.service": a unit, whole. */
struct gp_part gp_cgroup_unit(struct gp_part name);

/*
 * The container: its 64 digits (Docker, podman, containerd, cri-o), or what LXC was told to call
 * it. `parent` is the name of the group that it is in, with `text` NULL at the root. What watches
 * over a container (conmon) is none.
 */
struct gp_part gp_cgroup_container(struct gp_part name, struct gp_part parent);

/*
 * The uid of the Kubernetes pod, into `uid`, with "-" between its groups of digits. False if the
 * name is not that of a pod.
 */
bool gp_cgroup_pod(struct gp_part name, struct gp_part parent, char *uid, size_t size);

#endif
