/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of the BPF programs: open, configure, load, attach. Everything in the kernel belongs to
 * descriptors of this process, so nothing is left when it ends, however it ends.
 */
#ifndef GP_LOADER_H
#define GP_LOADER_H

#include "config.h"
#include "ways.h"

struct bpf_link;
struct goldpan_bpf;
struct gp_loader;
struct gp_programs;

/*
 * Loads the programs that the configuration asks for, with maps sized by it. Nothing is attached
 * yet. 0; -ENOMEM; or another -errno after saying in a sentence what this kernel or these
 * privileges lack.
 */
int gp_loader_new(struct gp_loader **out, const struct gp_config *cfg);
void gp_loader_free(struct gp_loader **l);

/*
 * The ways that gp_loader_new would take, found by loading everything and letting go of it again;
 * says nothing. 0, or -ENOMEM. To be freed.
 */
int gp_loader_try(struct gp_ways **out, const struct gp_config *cfg);

/* Attaches every program that was loaded. 0, or -errno likewise. */
int gp_loader_attach(struct gp_loader *l);

/* The skeleton, for its maps; and the programs. Owned by the loader. */
struct goldpan_bpf *gp_loader_bpf(const struct gp_loader *l);
const struct gp_programs *gp_loader_programs(const struct gp_loader *l);

/* The link of a program by its name, or NULL if it is not attached. */
const struct bpf_link *gp_loader_link(const struct gp_loader *l, const char *program);

/* Copies of each record: 1, 2 or 4. */
unsigned int gp_loader_shards(const struct gp_loader *l);

/* The ways in use. Owned by the loader. */
const struct gp_ways *gp_loader_ways(const struct gp_loader *l);

#endif
