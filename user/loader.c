// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf_object.h"
#include "hook.h"
#include "log.h"
#include "own.h"
#include "programs.h"
#include "slots.h"
#include "unix_programs.h"

struct attached {
	const char *program;
	struct bpf_link *link;
};

struct gp_loader {
	struct goldpan_bpf *bpf;
	struct gp_programs *programs;
	unsigned int shards;
	struct gp_ways *ways;
	struct attached *attached;
	size_t attachments;
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

/* The place of a controller of v1 in the kernel's table of them, or -errno. */
static int place_of(const struct gp_loader *l, const char *controller, int *place)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int id = kernel ? btf__find_by_name_kind(kernel, "cgroup_subsys_id", BTF_KIND_ENUM) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(kernel, id) : NULL;
	bool found = false;
	char name[64];

	snprintf(name, sizeof(name), "%s_cgrp_id", controller);
	for (int i = 0; type && i < btf_vlen(type) && !found; i++) {
		const struct btf_enum *one = &btf_enum(type)[i];

		found = !strcmp(btf__name_by_offset(kernel, one->name_off), name);
		*place = one->val;
	}
	btf__free(kernel);
	if (found)
		return 0;
	return gp_ways_fail(l->ways,
			    "--cgroup: this kernel does not tell the control group of a process in "
			    "the hierarchy of '%s': give one of another hierarchy",
			    controller)
		       ?: -EOPNOTSUPP;
}

/* Who is asked for. */
static int configure_only(struct gp_loader *l, const struct gp_config *cfg)
{
	struct goldpan_bpf__rodata *settings = l->bpf->rodata;
	const struct gp_only_group *group = &cfg->only_group;
	int place = -1, err = 0;

	if (group->controller[0])
		err = place_of(l, group->controller, &place);
	settings->gp_only_pid = cfg->only_pid;
	settings->gp_only_cgroup = group->id;
	settings->gp_only_subsys = place;
	return err;
}

/* How received bytes are read. */
static void set_payload(const struct gp_loader *l)
{
	const struct gp_choosing *payload = gp_ways_find(l->ways, "payload");
	struct goldpan_bpf__rodata *settings = l->bpf->rodata;

	settings->gp_payload = GP_PAYLOAD_NONE;
	if (!payload || !payload->way)
		return;
	if (!strcmp(payload->way->name, "dynptr")) {
		settings->gp_payload = GP_PAYLOAD_DYNPTR;
		return;
	}
	settings->gp_payload = GP_PAYLOAD_PAGES;
	settings->gp_page_map = gp_ways_page_map(l->ways);
}

static int configure(struct gp_loader *l, const struct gp_config *cfg)
{
	struct goldpan_bpf__rodata *settings = l->bpf->rodata;
	int err;

	settings->gp_shards = l->shards;
	settings->gp_threads_mask = cfg->max_threads - 1;
	settings->gp_with_sched = !cfg->no_sched;
	settings->gp_with_client = !cfg->no_client;
	settings->gp_with_unix = gp_ways_unix(l->ways);
	settings->gp_protocols = gp_ways_protocols(l->ways);
	set_payload(l);
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

/* What is kept of datagrams and unix sockets only their programs need. */
static int choose_maps(struct gp_loader *l)
{
	bool datagrams = gp_ways_cgroups(l->ways), with_unix = gp_ways_unix(l->ways);
	const struct {
		struct bpf_map *map;
		bool needed;
	} maps[] = {
		{l->bpf->maps.datagrams, datagrams},	 {l->bpf->maps.queries, datagrams},
		{l->bpf->maps.unix_ids, with_unix},	 {l->bpf->maps.unix_sides, with_unix},
		{l->bpf->maps.unix_slots, with_unix},	 {l->bpf->maps.unix_paths, with_unix},
		{l->bpf->maps.unix_ready_at, with_unix}, {l->bpf->maps.unix_read_at, with_unix},
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(maps); i++)
		err = bpf_map__set_autocreate(maps[i].map, maps[i].needed);
	return err;
}

/* Switches on the programs of the ways that were chosen; no others. */
static int choose_programs(struct gp_loader *l)
{
	size_t n;
	const struct gp_choosing *row = gp_ways_chosen(l->ways, &n);
	struct bpf_program *program;

	bpf_object__for_each_program(program, l->bpf->obj)
	{
		bpf_program__set_autoload(program, false);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; row[i].way && j < GP_PARTS; j++) {
			const struct gp_hook *hook = &row[i].way->part[j];
			const char *name = hook->program;

			if (hook->small && gp_ways_small_stack(l->ways))
				name = hook->small;
			if (!name || !row[i].part[j])
				continue;
			program = bpf_object__find_program_by_name(l->bpf->obj, name);
			if (!program)
				return -ENOENT;
			bpf_program__set_autoload(program, true);
		}
	}
	return 0;
}

/* Opens, configures and loads the object. 0, or -errno. */
static int load(struct gp_loader *l, const struct gp_config *cfg)
{
	int err;

	l->bpf = goldpan_bpf__open();
	if (!l->bpf)
		return -ENOMEM;
	err = choose_programs(l);
	if (!err)
		err = choose_maps(l);
	if (!err)
		err = configure(l, cfg);
	return err ?: gp_programs_load(&l->programs, l->bpf);
}

/*
 * An older verifier may not follow the parsers to their end. Without them it has less to look at:
 * so that is tried before giving up.
 */
static int load_what_is_possible(struct gp_loader *l, const struct gp_config *cfg)
{
	const struct gp_choosing *payload = gp_ways_find(l->ways, "payload");
	int err = load(l, cfg);

	if (!err || err == -EPERM || err == -ENOMEM || gp_ways_unable(l->ways) || !payload ||
	    !payload->way)
		return err;
	gp_debug("the kernel refused the parsers of protocols (%s)", strerror(-err));
	goldpan_bpf__destroy(TAKE_PTR(l->bpf));
	gp_ways_refuse(l->ways, "payload", "the kernel's verifier refused the parsers");
	return load(l, cfg);
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
		return bpf_program__attach_cgroup(program,
						  gp_cgroups_root(gp_ways_cgroups(l->ways)));
	return bpf_program__attach(program);
}

int gp_loader_attach(struct gp_loader *l)
{
	int err = gp_ways_unix(l->ways) ? gp_unix_programs_connect(l->bpf, l->programs) : 0;

	if (err) {
		gp_error("the kernel refused to hand unix sockets over to their programs (%s)",
			 strerror(-err));
		return err;
	}
	for (size_t i = 0; i < gp_programs_count(l->programs); i++) {
		const char *name = gp_programs_name(l->programs, i);
		struct bpf_program *program = gp_programs_find(l->programs, name);
		struct attached *a = &l->attached[l->attachments];

		if (gp_unix_programs_has(name))
			continue;
		a->program = name;
		a->link = attach(l, program);
		l->attachments++;
		if (a->link)
			continue;
		err = -errno;
		gp_error("the kernel refused to attach %s (%s); `goldpan doctor` says what it "
			 "has",
			 bpf_program__section_name(program), strerror(-err));
		return err;
	}
	gp_ways_let_go(l->ways);
	gp_programs_settle(l->programs);
	return 0;
}

/* Chooses the ways and loads what they need. What that comes to is in l->ways. 0, or -ENOMEM. */
static int make(struct gp_loader **out, const struct gp_config *cfg)
{
	gp_auto(gp_loader_free) struct gp_loader *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	libbpf_set_print(libbpf_says);
	l->shards = choose_shards();
	l->attached = calloc(gp_kinds_count * GP_PARTS, sizeof(*l->attached));
	if (!l->attached)
		return -ENOMEM;
	err = gp_ways_new(&l->ways, cfg);
	if (err)
		return err;
	err = gp_ways_unable(l->ways) ? 0 : load_what_is_possible(l, cfg);
	if (err == -EPERM)
		err = gp_ways_fail(l->ways, "loading BPF programs is not permitted: run goldpan as "
					    "root, or with the capabilities CAP_BPF and "
					    "CAP_PERFMON");
	else if (err && err != -ENOMEM)
		err = gp_ways_fail(l->ways,
				   "the kernel refused goldpan's BPF programs (%s); -v shows why",
				   strerror(-err));
	if (err)
		return err;
	*out = TAKE_PTR(l);
	return 0;
}

int gp_loader_new(struct gp_loader **out, const struct gp_config *cfg)
{
	gp_auto(gp_loader_free) struct gp_loader *l = NULL;
	gp_auto(gp_free) char *missing = NULL;
	int err;

	if (cfg->ports > GP_PORT_RANGES) {
		gp_error("--port may be given %d times at most, not %zu", GP_PORT_RANGES,
			 cfg->ports);
		return -E2BIG;
	}
	err = make(&l, cfg);
	if (err)
		return err;
	if (gp_ways_unable(l->ways)) {
		gp_error("%s", gp_ways_unable(l->ways));
		return -EOPNOTSUPP;
	}
	missing = gp_ways_missing(l->ways);
	if (missing)
		gp_warning("on this kernel %s (goldpan doctor says why)", missing);
	*out = TAKE_PTR(l);
	return 0;
}

int gp_loader_try(struct gp_ways **out, const struct gp_config *cfg)
{
	gp_auto(gp_loader_free) struct gp_loader *l = NULL;
	int err = make(&l, cfg);

	if (!err)
		*out = TAKE_PTR(l->ways);
	return err;
}

void gp_loader_free(struct gp_loader **loader)
{
	struct gp_loader *l = TAKE_PTR(*loader);

	if (!l)
		return;
	for (size_t i = 0; i < l->attachments; i++)
		bpf_link__destroy(l->attached[i].link);
	gp_programs_free(&l->programs);
	goldpan_bpf__destroy(l->bpf);
	gp_ways_free(&l->ways);
	free(l->attached);
	free(l);
}

struct goldpan_bpf *gp_loader_bpf(const struct gp_loader *l)
{
	return l->bpf;
}

const struct bpf_link *gp_loader_link(const struct gp_loader *l, const char *program)
{
	for (size_t i = 0; i < l->attachments; i++)
		if (!strcmp(l->attached[i].program, program))
			return l->attached[i].link;
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

const struct gp_ways *gp_loader_ways(const struct gp_loader *l)
{
	return l->ways;
}
