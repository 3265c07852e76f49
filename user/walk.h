/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks of iterator programs: each looks at all of something in the kernel. */
#ifndef GP_WALK_H
#define GP_WALK_H

struct bpf_link;

/* Runs one walk, to its end; none if `link` is NULL. 0, or -errno. */
int gp_walk(const struct bpf_link *link);

#endif
