// SPDX-License-Identifier: GPL-2.0-or-later
#include "self.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bpf_object.h"
#include "drain.h"
#include "own.h"
#include "programs.h"

struct gp_self_watch {
	struct goldpan_bpf *bpf;
	struct gp_mapped *dropped;
	const struct gp_programs *programs;
	struct gp_program *last; /* totals at the last collection */
	uint64_t *missed;	 /* likewise: runs that the kernel left out */
	uint64_t cpu_ns;
};

int gp_self_watch_new(struct gp_self_watch **out, const struct gp_loader *loader)
{
	gp_auto(gp_self_watch_free) struct gp_self_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->bpf = gp_loader_bpf(loader);
	w->programs = gp_loader_programs(loader);
	w->last = calloc(gp_programs_count(w->programs) + 1, sizeof(*w->last));
	w->missed = calloc(gp_programs_count(w->programs) + 1, sizeof(*w->missed));
	if (!w->last || !w->missed)
		return -ENOMEM;
	err = gp_mapped_new(&w->dropped, w->bpf->maps.dropped, GP_SHARDS_MAX);
	if (err)
		return err;
	if (!gp_mapped_at(w->dropped, 0))
		return -errno;
	*out = TAKE_PTR(w);
	return 0;
}

void gp_self_watch_free(struct gp_self_watch **watch)
{
	struct gp_self_watch *w = TAKE_PTR(*watch);

	if (!w)
		return;
	gp_mapped_free(&w->dropped);
	free(w->last);
	free(w->missed);
	free(w);
}

/*
 * The kernel does not run a program that interrupts itself, and counts that. An arrival is found at
 * the next receive, and counted there; a connection's state is seen by the handler's twin. What is
 * left: a thread's wait is not known, or an exchange not seen.
 */
static void count_missed(struct gp_self *self, const char *name, uint64_t missed)
{
	if (!strcmp(name, "waking_tp") || !strcmp(name, "switch_tp"))
		self->dropped[GP_DROP_THREADS] += missed;
	else if (!strncmp(name, "read_", 5) || !strncmp(name, "send", 4))
		self->dropped[GP_DROP_CONNECTIONS] += missed;
}

/* The kernel's own statistics of the programs: all 0 unless it keeps them. */
static int collect_programs(struct gp_self_watch *w, struct gp_self *self)
{
	size_t programs = gp_programs_count(w->programs), n;

	self->program = calloc(programs + 1, sizeof(*self->program));
	if (!self->program)
		return -ENOMEM;
	for (n = 0; n < programs; n++) {
		const char *name = gp_programs_name(w->programs, n);
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(gp_programs_fd(w->programs, n), &info, &len))
			return -errno;
		snprintf(self->program[n].name, sizeof(self->program[n].name), "%s", name);
		self->program[n].runs = info.run_cnt - w->last[n].runs;
		self->program[n].ns = info.run_time_ns - w->last[n].ns;
		w->last[n].runs = info.run_cnt;
		w->last[n].ns = info.run_time_ns;
		count_missed(self, name, info.recursion_misses - w->missed[n]);
		w->missed[n] = info.recursion_misses;
		self->has_programs |= self->program[n].runs > 0;
	}
	self->programs = n;
	return 0;
}

static uint64_t resident_bytes(void)
{
	gp_auto(gp_fclose) FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * sysconf(_SC_PAGESIZE);
}

/* How full the bounded maps are. */
static int collect_maps(struct gp_slots *slots, const struct gp_operations *operations,
			struct gp_self *self)
{
	struct gp_map_use uses[] = {{.name = "endpoints", .max = slots->max_endpoints},
				    {.name = "services", .max = slots->max_services},
				    {.name = "threads"},
				    {.name = "operations"}};

	uses[2].max = bpf_map__max_entries(slots->bpf->maps.threads);
	uses[3].max = bpf_map__max_entries(slots->bpf->maps.operation_keys);
	uses[3].used = gp_operations_used(operations);
	for (uint32_t i = 0; i < slots->max_endpoints; i++)
		uses[0].used += gp_slots_endpoint(slots, i)->state != GP_SLOT_FREE;
	for (uint32_t i = 0; i < slots->max_services; i++) {
		const struct gp_service_info *info = gp_slots_service(slots, i);

		uses[1].used += info->state != GP_SLOT_FREE;
		uses[2].used += info->threads > 0 ? info->threads : 0;
	}
	self->map = malloc(sizeof(uses));
	if (!self->map)
		return -ENOMEM;
	memcpy(self->map, uses, sizeof(uses));
	self->maps = ARRAY_SIZE(uses);
	return 0;
}

int gp_self_collect(struct gp_self_watch *w, struct gp_slots *slots,
		    const struct gp_operations *operations, struct gp_self *self)
{
	struct timespec cpu;
	uint64_t total_ns;
	int err = collect_programs(w, self);

	if (!err)
		err = collect_maps(slots, operations, self);
	if (err)
		return err;
	for (uint32_t shard = 0; shard < GP_SHARDS_MAX; shard++)
		gp_drain_dropped(gp_mapped_at(w->dropped, shard), self->dropped);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	total_ns = (uint64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
	self->cpu_ns = total_ns - w->cpu_ns;
	w->cpu_ns = total_ns;
	self->rss_bytes = resident_bytes();
	return 0;
}
