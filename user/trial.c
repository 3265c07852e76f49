// SPDX-License-Identifier: GPL-2.0-or-later
#include "trial.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"
#include "page_map.h"
#include "trial_program.h"

#define LINKS 64
#define PREEMPT_COUNT 0x7fffffff /* the rest of the word says that another task is to run */

struct gp_trial {
	struct btf *kernel; /* NULL: it does not describe its types */
	int link[LINKS];    /* descriptors of what is attached */
	size_t links;
	uint64_t page_map; /* gp_page_map_find; 0: not known */
};

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

int gp_trial_new(struct gp_trial **out)
{
	struct gp_trial *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->kernel = btf__load_vmlinux_btf();
	*out = t;
	return 0;
}

void gp_trial_free(struct gp_trial **trial)
{
	struct gp_trial *t = TAKE_PTR(*trial);

	if (!t)
		return;
	while (t->links)
		gp_close(&t->link[--t->links]);
	btf__free(t->kernel);
	free(t);
}

int gp_trial_bpf(const struct gp_trial *t)
{
	const struct bpf_insn nothing[] = {SET(BPF_REG_0, 0), EXIT};
	gp_auto(gp_close) int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "gp_trial",
						      "GPL", nothing, ARRAY_SIZE(nothing), NULL);

	return program < 0 ? program : 0;
}

int gp_trial_btf(const struct gp_trial *t)
{
	return t->kernel ? 0 : -ENOENT;
}

/* What a tracing program is attached to, in the kernel's BTF; or -ENOENT. */
static int target(const struct gp_trial *t, const char *at, enum bpf_attach_type type)
{
	const char *name = strchr(at, '/');
	int kind = type == BPF_TRACE_RAW_TP ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC, id;
	char full[128];

	if (!t->kernel || !name)
		return -ENOENT;
	snprintf(full, sizeof(full), "%s%s",
		 type == BPF_TRACE_RAW_TP ? "btf_trace_"
		 : type == BPF_TRACE_ITER ? "bpf_iter_"
					  : "",
		 name + 1);
	id = btf__find_by_name_kind(t->kernel, full, kind);
	return id > 0 ? id : -ENOENT;
}

int gp_trial_load(const struct gp_trial *t, const char *at, const struct bpf_insn *code, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	enum bpf_prog_type type;
	int id;

	if (libbpf_prog_type_by_name(at, &type, &opts.expected_attach_type))
		return -EINVAL;
	if (type == BPF_PROG_TYPE_TRACING) {
		id = target(t, at, opts.expected_attach_type);
		if (id < 0)
			return id;
		opts.attach_btf_id = id;
	}
	return bpf_prog_load(type, "gp_trial", "GPL", code, n, &opts);
}

/* Keys and values of a map with sockets must be described. A descriptor, or -errno. */
static int make_storage(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct btf *btf = btf__new_empty();
	int id, map = -ENOMEM;

	if (!btf)
		return -ENOMEM;
	id = btf__add_int(btf, "int", sizeof(int), BTF_INT_SIGNED);
	if (id > 0)
		map = btf__load_into_kernel(btf);
	if (!map) {
		opts.btf_fd = btf__fd(btf);
		opts.btf_key_type_id = opts.btf_value_type_id = id;
		map = bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "gp_trial", sizeof(int), sizeof(int),
				     0, &opts);
	}
	btf__free(btf);
	return map;
}

int gp_trial_storage(const struct gp_trial *t)
{
	gp_auto(gp_close) int map = make_storage(), program = -1;

	if (map < 0)
		return map;
	const struct bpf_insn code[] = {
		LOAD_FIRST_ARGUMENT(BPF_REG_2),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		SET(BPF_REG_3, 0),
		SET(BPF_REG_4, 0),
		CALL(0, BPF_FUNC_sk_storage_get),
		SET(BPF_REG_0, 0),
		EXIT,
	};

	program = gp_trial_load(t, "tp_btf/inet_sock_set_state", code, ARRAY_SIZE(code));
	return program < 0 ? program : 0;
}

int gp_trial_loop(const struct gp_trial *t)
{
	int has = libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_loop, NULL);

	return has < 0 ? has : has ? 0 : -EOPNOTSUPP;
}

int gp_trial_stack(const struct gp_trial *t)
{
	const struct bpf_insn code[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -480, 0),
		CALL(BPF_PSEUDO_CALL, 2), /* of what stands behind the EXIT */
		SET(BPF_REG_0, 0),
		EXIT,
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -480, 0),
		SET(BPF_REG_0, 0),
		EXIT,
	};
	gp_auto(gp_close) int program =
		gp_trial_load(t, "tp_btf/inet_sock_set_state", code, ARRAY_SIZE(code));

	return program < 0 ? program : 0;
}

int gp_trial_attach(struct gp_trial *t, int program, const char *at, int cgroup)
{
	enum bpf_attach_type attach;
	enum bpf_prog_type type;
	gp_auto(gp_close) int link = -1;
	int err = libbpf_prog_type_by_name(at, &type, &attach);

	if (err || attach == BPF_TRACE_ITER)
		return err;
	if (type == BPF_PROG_TYPE_TRACING)
		link = bpf_raw_tracepoint_open(NULL, program);
	else
		link = bpf_link_create(program, cgroup, attach, NULL);
	if (link < 0)
		return link;
	if (t->links < LINKS) {
		t->link[t->links++] = link;
		link = -1;
	}
	return 0;
}

const struct btf_member *gp_trial_member(const struct gp_trial *t, const char *of, const char *name)
{
	int id = t->kernel ? btf__find_by_name_kind(t->kernel, of, BTF_KIND_STRUCT) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(t->kernel, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(t->kernel, btf_members(type)[i].name_off), name))
			return &btf_members(type)[i];
	return NULL;
}

/* What a program finds where it runs in a task's context: PREEMPT_COUNT, if the kernel tells where
 * that is, and how often the task was told to stay on its CPU. */
struct found {
	uint32_t preempt_count, stays, runs;
};

/* Loads a program that writes down struct found for this process. `variable`: of PREEMPT_COUNT, in
 * the kernel's BTF; below 1: none. A descriptor, or -errno. */
static int load_finder(const struct gp_trial *t, int map, int variable)
{
	const struct btf_member *stays = gp_trial_member(t, "task_struct", "migration_disabled");
	const struct bpf_insn code[] = {
		CALL(0, BPF_FUNC_get_current_pid_tgid),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32),
		SET(BPF_REG_7, 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 17, getpid()),
		CALL(0, BPF_FUNC_get_current_task_btf),
		LOAD(BPF_H, BPF_REG_6, BPF_REG_0, stays ? stays->offset / 8 : 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, variable > 0 ? BPF_PSEUDO_BTF_ID : 0, 0,
		     variable > 0 ? variable : 0),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 2, 0),
		CALL(0, BPF_FUNC_this_cpu_ptr),
		LOAD(BPF_W, BPF_REG_7, BPF_REG_0, 0),
		FIRST_VALUE(map, 3),
		STORE(BPF_W, BPF_REG_0, 0, BPF_REG_7),
		STORE(BPF_W, BPF_REG_0, 4, BPF_REG_6),
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_0, 0, 8, 1),
		SET(BPF_REG_0, 0),
		EXIT,
	};

	return stays ? gp_trial_load(t, "tp_btf/skb_copy_datagram_iovec", code, ARRAY_SIZE(code))
		     : -ENOENT;
}

/* Receives a byte, which runs what is attached there. */
static void receive_a_byte(void)
{
	char byte = 0;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	if (write(pair[0], &byte, 1) == 1 && read(pair[1], &byte, 1) != 1)
		byte = 0;
	close(pair[0]);
	close(pair[1]);
}

/*
 * Whether programs at tracepoints run to their end before another task does, also in a task's
 * context: 0, or -EINTR. 0 as well where it could not be found out.
 */
static int try_preemption(struct gp_trial *t)
{
	gp_auto(gp_close) int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gp_trial", sizeof(uint32_t),
						   sizeof(struct found), 1, NULL);
	gp_auto(gp_close) int program = -1;
	int variable = t->kernel
			       ? btf__find_by_name_kind(t->kernel, "__preempt_count", BTF_KIND_VAR)
			       : -ENOENT;
	struct found found = {};
	uint32_t zero = 0;

	if (map < 0)
		return 0;
	program = load_finder(t, map, variable);
	if (program < 0 && variable > 0) {
		variable = -1;
		program = load_finder(t, map, variable);
	}
	if (program < 0 || gp_trial_attach(t, program, "tp_btf/skb_copy_datagram_iovec", -1))
		return 0;
	receive_a_byte();
	if (bpf_map_lookup_elem(map, &zero, &found) || !found.runs || !found.stays)
		return 0; /* it stays on its CPU since it cannot leave it */
	return variable <= 0 || !(found.preempt_count & PREEMPT_COUNT) ? -EINTR : 0;
}

/* Whether a tracing program may ask for the bytes of an skb. */
static int try_skb_kfunc(const struct gp_trial *t, const char *name)
{
	int id = t->kernel ? btf__find_by_name_kind(t->kernel, name, BTF_KIND_FUNC) : -ENOENT;
	const struct bpf_insn code[] = {
		LOAD_FIRST_ARGUMENT(BPF_REG_1),
		SET(BPF_REG_2, 0),
		COPY(BPF_REG_3, BPF_REG_10),
		ADD(BPF_REG_3, -16),
		CALL(BPF_PSEUDO_KFUNC_CALL, id),
		SET(BPF_REG_0, 0),
		EXIT,
	};
	gp_auto(gp_close) int program = -1;

	if (id <= 0)
		return -ENOENT;
	program = gp_trial_load(t, "tp_btf/skb_copy_datagram_iovec", code, ARRAY_SIZE(code));
	return program < 0 ? program : 0;
}

/* Whether a structure of the kernel has a member: "unix_sock.inq_len". */
static int try_member(const struct gp_trial *t, const char *name)
{
	const char *dot = strchr(name, '.');
	gp_auto(gp_free) char *of = strndup(name, dot - name);

	return of && gp_trial_member(t, of, dot + 1) ? 0 : -ENOENT;
}

int gp_trial_hook(struct gp_trial *t, const char *at, unsigned int arguments, int cgroup)
{
	bool is_of_cgroup = begins(at, "cgroup");
	const struct bpf_insn code[] = {
		LOAD_ARGUMENT(BPF_REG_2, arguments - 1),
		SET(BPF_REG_0, is_of_cgroup),
		EXIT,
	};
	unsigned int skip = arguments ? 0 : 1;
	gp_auto(gp_close) int program = -1;

	if (begins(at, "kfunc/"))
		return try_skb_kfunc(t, strchr(at, '/') + 1);
	if (begins(at, "member/"))
		return try_member(t, strchr(at, '/') + 1);
	if (begins(at, "preemption/"))
		return try_preemption(t);
	if (begins(at, "pages/"))
		return gp_page_map_find(t, &t->page_map);
	if (is_of_cgroup && cgroup < 0)
		return -ENOTDIR;
	program = gp_trial_load(t, at, code + skip, ARRAY_SIZE(code) - skip);
	return program < 0 ? program : gp_trial_attach(t, program, at, cgroup);
}

uint64_t gp_trial_page_map(const struct gp_trial *t)
{
	return t->page_map;
}
