/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small programs, written as instructions, that find something out about the running kernel. */
#ifndef GP_TRIAL_PROGRAM_H
#define GP_TRIAL_PROGRAM_H

#include <bpf/btf.h>
#include <linux/bpf.h>
#include <stddef.h>

struct gp_trial;

#define INSN(c, dst, src, o, i)                                                                    \
	((struct bpf_insn){.code = (c), .dst_reg = (dst), .src_reg = (src), .off = (o), .imm = (i)})
#define SET(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define COPY(reg, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, from, 0, 0)
#define ADD(reg, value) INSN(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, value)
#define LOAD(size, reg, from, at) INSN(BPF_LDX | BPF_MEM | (size), reg, from, at, 0)
#define STORE(size, to, at, reg) INSN(BPF_STX | BPF_MEM | (size), to, reg, at, 0)
#define LOAD_ARGUMENT(reg, n) LOAD(BPF_DW, reg, BPF_REG_1, (n)*8)
#define LOAD_FIRST_ARGUMENT(reg) LOAD_ARGUMENT(reg, 0)
/* The place of a map's first value to BPF_REG_0: seven instructions. If there is none, goes on
 * `out` instructions behind them. */
#define FIRST_VALUE(map, out)                                                                      \
	INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),                                      \
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),             \
		INSN(0, 0, 0, 0, 0), COPY(BPF_REG_2, BPF_REG_10), ADD(BPF_REG_2, -4),              \
		CALL(0, BPF_FUNC_map_lookup_elem),                                                 \
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, out, 0)
#define CALL(kind, id) INSN(BPF_JMP | BPF_CALL, 0, kind, 0, id)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Loads a program for `at` (as of gp_trial_hook) that consists of `code`. A descriptor, or -errno.
 */
int gp_trial_load(const struct gp_trial *t, const char *at, const struct bpf_insn *code, size_t n);

/*
 * Attaches it; that lasts until gp_trial_free. Programs of control groups to `cgroup`. Iterators
 * have to be loaded only: each wants something else. 0, or -errno.
 */
int gp_trial_attach(struct gp_trial *t, int program, const char *at, int cgroup);

/* A member of a structure of the kernel, or NULL. */
const struct btf_member *gp_trial_member(const struct gp_trial *t, const char *of,
					 const char *name);

#endif
