/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A BPF array mapped into memory, piece by piece as it is used: mapped pages count as resident
 * memory, so what was never used is never mapped. Needs no privilege once it is mapped.
 */
#ifndef GP_MAPPED_H
#define GP_MAPPED_H

#include <stddef.h>
#include <stdint.h>

struct bpf_map;
struct gp_mapped;

/* For an array with BPF_F_MMAPABLE, whose elements are `group` to a piece. 0, or -ENOMEM. */
int gp_mapped_new(struct gp_mapped **out, const struct bpf_map *map, uint32_t group);
void gp_mapped_free(struct gp_mapped **m);

/* Gives the memory back until it is used again: pointers to elements are no longer valid. */
void gp_mapped_unmap(struct gp_mapped *m);

/* Element `index`, or NULL with errno set if it cannot be mapped or is out of range. */
void *gp_mapped_at(struct gp_mapped *m, uint32_t index);

#endif
