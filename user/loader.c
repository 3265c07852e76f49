// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf_object.h"
#include "cgroup.h"
#include "hook.h"
#include "log.h"
#include "own.h"
#include "programs.h"
#include "unix_programs.h"
#include "slots.h"

struct gp_loader {
	struct goldpan_bpf *bpf;
	struct gp_programs *programs;
	struct btf *kernel; /* until all is loaded */
	unsigned int shards;
	struct gp_choice *choice;
	size_t choices;
	struct bpf_link **link;	    /* one for each hook; NULL where not attached */
	struct gp_cgroups *cgroups; /* NULL: datagrams are not seen */
	bool with_unix;
};

/* What libbpf says is of use to whoever looks for the reason a program was refused. */
static int libbpf_says(enum libbpf_print_level level, const char *format, va_list args)
{
	gp_auto(gp_free) char *text = NULL;
	char *rest = NULL;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		gp_debug("%s", line);
	return 0;
}

/* One copy of each record for each CPU, but at most GP_SHARDS_MAX; a power of two. */
static unsigned int choose_shards(void)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus <= 1)
		return 1;
	return cpus < GP_SHARDS_MAX ? 2 : GP_SHARDS_MAX;
}

static int resize(struct gp_loader *l, const struct gp_config *cfg)
{
	struct goldpan_bpf *b = l->bpf;
	const struct {
		struct bpf_map *map;
		uint32_t entries;
	} sizes[] = {
		{b->maps.threads, cfg->max_threads},
		{b->maps.currents, cfg->max_threads},
		{b->maps.server_slots, cfg->max_endpoints},
		{b->maps.client_slots, cfg->max_endpoints},
		{b->maps.service_slots, cfg->max_services},
		{b->maps.endpoint_keys, cfg->max_endpoints},
		{b->maps.endpoint_infos, cfg->max_endpoints},
		{b->maps.endpoint_gauges, cfg->max_endpoints},
		{b->maps.endpoints, cfg->max_endpoints * l->shards},
		{b->maps.operation_slots, cfg->max_operations},
		{b->maps.operation_keys, cfg->max_operations},
		{b->maps.operations, cfg->max_operations * l->shards},
		{b->maps.service_keys, cfg->max_services},
		{b->maps.service_infos, cfg->max_services},
		{b->maps.origins, cfg->max_services},
		{b->maps.services, cfg->max_services * l->shards},
		{b->maps.cpus, (uint32_t)libbpf_num_possible_cpus()},
		{b->maps.dropped, GP_SHARDS_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int err = bpf_map__set_max_entries(sizes[i].map, sizes[i].entries);

		if (err)
			return err;
	}
	return 0;
}

/* The place of a controller of v1 in the kernel's table of them, or -EOPNOTSUPP, said. */
static int place_of(const struct gp_loader *l, const char *controller, int *place)
{
	const struct btf *kernel = l->kernel;
	int id = btf__find_by_name_kind(kernel, "cgroup_subsys_id", BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(kernel, id) : NULL;
	char name[64];

	snprintf(name, sizeof(name), "%s_cgrp_id", controller);
	for (int i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_enum *one = &btf_enum(type)[i];

		if (strcmp(btf__name_by_offset(kernel, one->name_off), name))
			continue;
		*place = one->val;
		return 0;
	}
	gp_error("--cgroup: this kernel does not tell the control group of a process in the "
		 "hierarchy of '%s': give one of another hierarchy",
		 controller);
	return -EOPNOTSUPP;
}

/* Who is asked for. */
static int configure_only(struct gp_loader *l, const struct gp_config *cfg)
{
	struct goldpan_bpf__rodata *settings = l->bpf->rodata;
	const struct gp_only_group *group = &cfg->only_group;

	settings->gp_only_pid = cfg->only_pid;
	settings->gp_only_cgroup = group->id;
	settings->gp_only_subsys = -1;
	if (!group->controller[0])
		return 0;
	return place_of(l, group->controller, &settings->gp_only_subsys);
}

static int configure(struct gp_loader *l, const struct gp_config *cfg)
{
	struct goldpan_bpf__rodata *settings = l->bpf->rodata;
	int err;

	if (cfg->ports > GP_PORT_RANGES) {
		gp_error("--port may be given %d times at most, not %zu", GP_PORT_RANGES,
			 cfg->ports);
		return -E2BIG;
	}
	settings->gp_shards = l->shards;
	settings->gp_threads_mask = cfg->max_threads - 1;
	settings->gp_with_sched = !cfg->no_sched;
	settings->gp_with_client = !cfg->no_client;
	settings->gp_with_unix = l->with_unix;
	settings->gp_protocols = cfg->protocols;
	settings->gp_payer_endpoints[GP_ROLE_SERVER] = gp_slots_first_client(cfg) / GP_PAYER_SHARE;
	settings->gp_payer_endpoints[GP_ROLE_CLIENT] =
		(cfg->max_endpoints - gp_slots_first_client(cfg)) / GP_PAYER_SHARE;
	settings->gp_payer_operations = cfg->max_operations / GP_PAYER_SHARE;
	settings->gp_port_ranges = cfg->ports;
	for (size_t i = 0; i < cfg->ports; i++) {
		settings->gp_ports[i].first = cfg->port[i].first;
		settings->gp_ports[i].last = cfg->port[i].last;
	}
	err = configure_only(l, cfg);
	return err ?: resize(l, cfg);
}

static bool is_of_cgroup(const struct bpf_program *program)
{
	enum bpf_prog_type type = bpf_program__type(program);

	return type == BPF_PROG_TYPE_CGROUP_SKB || type == BPF_PROG_TYPE_CGROUP_SOCK;
}

/* Whether programs can be attached to control groups: 0, or -errno of a try with an empty one. */
static int try_cgroup(const struct gp_cgroups *cgroups)
{
	const struct bpf_insn passes[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET_SOCK_RELEASE);
	gp_auto(gp_close) int program = -1, link = -1;

	program = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK, NULL, "GPL", passes, ARRAY_SIZE(passes),
				&opts);
	if (program < 0)
		return program;
	link = bpf_link_create(program, gp_cgroups_root(cgroups), BPF_CGROUP_INET_SOCK_RELEASE,
			       NULL);
	return link < 0 ? link : 0;
}

/* Datagrams are seen at the root of the control groups; where they cannot be, TCP is all. */
static int choose_datagrams(struct gp_loader *l, const struct gp_config *cfg)
{
	int err;

	if (!(cfg->protocols & 1u << GP_PROTOCOL_DNS))
		return 0;
	err = gp_cgroups_new(&l->cgroups);
	if (!err)
		err = try_cgroup(l->cgroups);
	if (!err || err == -ENOMEM)
		return err;
	gp_cgroups_free(&l->cgroups);
	if (err == -ENOENT)
		gp_warning("there are no v2 control groups: UDP and DNS are not observed");
	else
		gp_warning("programs cannot be attached to control groups (%s; needs "
			   "CAP_NET_ADMIN): UDP and DNS are not observed",
			   strerror(-err));
	return 0;
}

/* Switches on what is wanted and there; says what is not there. */
static int choose_hooks(struct gp_loader *l, const struct gp_config *cfg)
{
	const struct btf *kernel = l->kernel = btf__load_vmlinux_btf();
	const char *said = "";

	if (!kernel) {
		gp_error("this kernel does not describe its types (no /sys/kernel/btf/vmlinux, "
			 "CONFIG_DEBUG_INFO_BTF); goldpan needs that");
		return -ENOENT;
	}
	for (size_t i = 0; i < gp_hooks_count; i++) {
		const struct gp_hook *hook = &gp_hooks[i];
		struct bpf_program *program =
			bpf_object__find_program_by_name(l->bpf->obj, hook->program);
		bool wanted = !hook->wanted || hook->wanted(cfg);
		bool present = gp_hook_present(hook, kernel);

		if (!program)
			return -ENOENT;
		if (gp_hook_of_datagrams(hook))
			present = l->cgroups;
		bpf_program__set_autoload(program, wanted && present);
		if (!wanted)
			continue;
		l->choice[l->choices++] = (struct gp_choice){
			.event = hook->event,
			.hook = present ? hook->hook : NULL,
			.missing = present ? NULL : hook->missing,
		};
		if (gp_hook_of_unix(hook))
			l->with_unix = present;
		if (present || gp_hook_of_datagrams(hook) || !strcmp(said, hook->missing))
			continue; /* what is missing was said */
		said = hook->missing;
		if (hook->required) {
			gp_error("this kernel has no %s: %s", hook->hook, hook->missing);
			return -EOPNOTSUPP;
		}
		gp_warning("this kernel has no %s: %s", hook->hook, hook->missing);
	}
	return 0;
}

/* What is kept of datagrams and unix sockets only their programs need. */
static int choose_maps(struct gp_loader *l)
{
	const struct {
		struct bpf_map *map;
		bool needed;
	} maps[] = {
		{l->bpf->maps.datagrams, l->cgroups},
		{l->bpf->maps.queries, l->cgroups},
		{l->bpf->maps.unix_ids, l->with_unix},
		{l->bpf->maps.unix_sides, l->with_unix},
		{l->bpf->maps.unix_slots, l->with_unix},
		{l->bpf->maps.unix_paths, l->with_unix},
		{l->bpf->maps.unix_ready_at, l->with_unix},
		{l->bpf->maps.unix_read_at, l->with_unix},
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(maps); i++)
		err = bpf_map__set_autocreate(maps[i].map, maps[i].needed);
	return err;
}

static int load(struct gp_loader *l)
{
	int err = gp_programs_load(&l->programs, l->bpf);

	if (err == -EPERM)
		gp_error("loading BPF programs is not permitted: run goldpan as root, or with the "
			 "capabilities CAP_BPF and CAP_PERFMON");
	else if (err)
		gp_error("the kernel refused goldpan's BPF programs (%s); -v shows why",
			 strerror(-err));
	return err;
}

/* A collection's iterator walks over storage of goldpan's own. */
static struct bpf_link *attach_walk(struct bpf_program *program, const struct bpf_map *map)
{
	union bpf_iter_link_info info = {.map.map_fd = bpf_map__fd(map)};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	return bpf_program__attach_iter(program, &opts);
}

static struct bpf_link *attach(const struct gp_loader *l, struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (!strcmp(name, "collect"))
		return attach_walk(program, l->bpf->maps.conns);
	if (!strcmp(name, "collect_udp"))
		return attach_walk(program, l->bpf->maps.datagrams);
	if (!strcmp(name, "collect_unix"))
		return attach_walk(program, l->bpf->maps.unix_ids);
	if (is_of_cgroup(program))
		return bpf_program__attach_cgroup(program, gp_cgroups_root(l->cgroups));
	return bpf_program__attach(program);
}

int gp_loader_attach(struct gp_loader *l)
{
	int err = l->with_unix ? gp_unix_programs_connect(l->bpf, l->programs) : 0;

	if (err) {
		gp_error("the kernel refused to hand unix sockets over to their programs (%s)",
			 strerror(-err));
		return err;
	}
	for (size_t i = 0; i < gp_hooks_count; i++) {
		struct bpf_program *program = gp_programs_find(l->programs, gp_hooks[i].program);

		if (!program || gp_unix_programs_has(gp_hooks[i].program))
			continue;
		l->link[i] = attach(l, program);
		if (l->link[i])
			continue;
		err = -errno;
		gp_error("the kernel refused to attach %s (%s): %s", gp_hooks[i].hook,
			 strerror(-err), gp_hooks[i].missing);
		return err;
	}
	gp_programs_settle(l->programs);
	return 0;
}

int gp_loader_new(struct gp_loader **out, const struct gp_config *cfg)
{
	gp_auto(gp_loader_free) struct gp_loader *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	libbpf_set_print(libbpf_says);
	l->shards = choose_shards();
	l->choice = calloc(gp_hooks_count, sizeof(*l->choice));
	l->link = calloc(gp_hooks_count, sizeof(*l->link));
	l->bpf = goldpan_bpf__open();
	if (!l->choice || !l->link || !l->bpf)
		return -ENOMEM;
	err = choose_datagrams(l, cfg);
	if (!err)
		err = choose_hooks(l, cfg);
	if (!err)
		err = choose_maps(l);
	if (!err)
		err = configure(l, cfg);
	if (!err)
		err = load(l);
	btf__free(l->kernel);
	l->kernel = NULL;
	if (err)
		return err;
	*out = TAKE_PTR(l);
	return 0;
}

void gp_loader_free(struct gp_loader **loader)
{
	struct gp_loader *l = TAKE_PTR(*loader);

	if (!l)
		return;
	for (size_t i = 0; l->link && i < gp_hooks_count; i++)
		bpf_link__destroy(l->link[i]);
	gp_programs_free(&l->programs);
	goldpan_bpf__destroy(l->bpf);
	gp_cgroups_free(&l->cgroups);
	free(l->link);
	free(l->choice);
	free(l);
}

struct goldpan_bpf *gp_loader_bpf(const struct gp_loader *l)
{
	return l->bpf;
}

const struct bpf_link *gp_loader_link(const struct gp_loader *l, const char *program)
{
	for (size_t i = 0; i < gp_hooks_count; i++)
		if (!strcmp(gp_hooks[i].program, program))
			return l->link[i];
	return NULL;
}

const struct gp_programs *gp_loader_programs(const struct gp_loader *l)
{
	return l->programs;
}

unsigned int gp_loader_shards(const struct gp_loader *l)
{
	return l->shards;
}

const struct gp_choice *gp_loader_choices(const struct gp_loader *l, size_t *n)
{
	*n = l->choices;
	return l->choice;
}
