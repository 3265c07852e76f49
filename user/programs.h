/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs, once the kernel has taken them. The verifier's work is most of goldpan's start,
 * so they are given to it by two threads, as two objects that share their maps.
 */
#ifndef GP_PROGRAMS_H
#define GP_PROGRAMS_H

#include <stddef.h>

struct bpf_program;
struct goldpan_bpf;
struct gp_programs;

/*
 * Loads the maps of an object that was opened and set up, and the programs of it that are to be
 * loaded (bpf_program__autoload). Its maps can then be used; its own programs cannot, those here
 * stand for them. 0, or -errno, the kernel's reason.
 */
int gp_programs_load(struct gp_programs **out, struct goldpan_bpf *bpf);
void gp_programs_free(struct gp_programs **p);

/* The program of this name, to be attached; NULL if it was not loaded. */
struct bpf_program *gp_programs_find(const struct gp_programs *p, const char *name);

/* All are attached: gives back what that took, some 7 MiB. None is found any more. */
void gp_programs_settle(struct gp_programs *p);

/* Those that were loaded, by their place: 0 to count - 1, in no order. */
size_t gp_programs_count(const struct gp_programs *p);
const char *gp_programs_name(const struct gp_programs *p, size_t i);
int gp_programs_fd(const struct gp_programs *p, size_t i);

#endif
