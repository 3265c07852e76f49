/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a service comes from, written down when its slot is given out: the path of its program and
 * of its control group. Later only a privileged reader could ask, and the process may be gone.
 */
#ifndef GP_ORIGIN_BPF_H
#define GP_ORIGIN_BPF_H

#include "maps.bpf.h"

/*
 * Takes down the origin of service slot `slot`, which nobody else has yet. `leader_at` is
 * the address of its process' struct task_struct; 0: it has neither.
 */
int gp_origin_take(__u32 slot, __u64 leader_at);

#endif
