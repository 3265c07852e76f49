// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <time.h>

#include "bpf_object.h"
#include "clock.h"
#include "mapped.h"
#include "own.h"

struct stint {
	uint32_t cpu;
	uint64_t sequence;
};

struct gp_host_watch {
	bool has_sched;
	uint32_t cpus;
	struct gp_mapped *records;
	struct gp_cpu *last; /* totals at the last collection */
	struct stint *stint; /* of the service last asked for */
	uint32_t stints;
};

int gp_host_watch_new(struct gp_host_watch **out, struct goldpan_bpf *bpf, bool has_sched)
{
	gp_auto(gp_host_watch_free) struct gp_host_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->has_sched = has_sched;
	w->cpus = bpf_map__max_entries(bpf->maps.cpus);
	w->last = calloc(w->cpus, sizeof(*w->last));
	w->stint = calloc(w->cpus, sizeof(*w->stint));
	if (!w->last || !w->stint)
		return -ENOMEM;
	err = gp_mapped_new(&w->records, bpf->maps.cpus, w->cpus);
	if (err)
		return err;
	if (!gp_mapped_at(w->records, 0))
		return -errno;
	*out = TAKE_PTR(w);
	return 0;
}

void gp_host_watch_free(struct gp_host_watch **watch)
{
	struct gp_host_watch *w = TAKE_PTR(*watch);

	if (!w)
		return;
	gp_mapped_free(&w->records);
	free(w->last);
	free(w->stint);
	free(w);
}

/* A CPU's record as it was at one moment between two switches; gives up on one that never rests. */
static struct gp_cpu_record at_rest(const struct gp_host_watch *w, uint32_t cpu)
{
	const struct gp_cpu_record *r = gp_mapped_at(w->records, cpu);
	struct gp_cpu_record copy;

	for (int tries = 0; tries < 100; tries++) {
		uint64_t sequence = __atomic_load_n(&r->sequence, __ATOMIC_ACQUIRE);

		copy = *r;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(sequence & 1) && __atomic_load_n(&r->sequence, __ATOMIC_ACQUIRE) == sequence)
			break;
	}
	return copy;
}

uint64_t gp_host_running_ns(struct gp_host_watch *w, uint32_t service_ref)
{
	uint64_t sum = 0;

	w->stints = 0;
	for (uint32_t cpu = 0; w->has_sched && cpu < w->cpus; cpu++) {
		struct gp_cpu_record r = at_rest(w, cpu);
		uint64_t now = gp_now_ns();

		if (r.service != service_ref || !r.since_ns)
			continue;
		w->stint[w->stints++] = (struct stint){cpu, r.sequence};
		sum += now > r.since_ns ? now - r.since_ns : 0;
	}
	return sum;
}

bool gp_host_still_running(const struct gp_host_watch *w)
{
	for (uint32_t i = 0; i < w->stints; i++) {
		const struct gp_cpu_record *r = gp_mapped_at(w->records, w->stint[i].cpu);

		if (__atomic_load_n(&r->sequence, __ATOMIC_ACQUIRE) != w->stint[i].sequence)
			return false;
	}
	return true;
}

/* A switch that raises it just now may be lost: the next one that sees as many raises it again. */
static uint64_t take_waiting_max(const struct gp_host_watch *w, uint32_t cpu)
{
	struct gp_cpu_record *r = gp_mapped_at(w->records, cpu);

	return __atomic_exchange_n(&r->waiting_max, 0, __ATOMIC_RELAXED);
}

int gp_host_collect(struct gp_host_watch *w, struct gp_host *host)
{
	host->has_sched = w->has_sched;
	host->cpu = calloc(w->cpus, sizeof(*host->cpu));
	if (!host->cpu)
		return -ENOMEM;
	host->cpus = w->cpus;
	for (uint32_t cpu = 0; w->has_sched && cpu < w->cpus; cpu++) {
		struct gp_cpu_record r = at_rest(w, cpu);
		uint64_t now = gp_now_ns();
		uint64_t stint = r.since_ns && now > r.since_ns ? now - r.since_ns : 0;
		bool idle = r.service == GP_SLOT_NONE;
		struct gp_cpu total = {.busy_ns = r.busy_ns + (idle ? 0 : stint),
				       .idle_ns = r.idle_ns + (idle ? stint : 0),
				       .waited_ns = r.waited_ns};

		host->cpu[cpu].busy_ns = total.busy_ns - w->last[cpu].busy_ns;
		host->cpu[cpu].idle_ns = total.idle_ns - w->last[cpu].idle_ns;
		host->cpu[cpu].waited_ns = total.waited_ns - w->last[cpu].waited_ns;
		host->cpu[cpu].waiting_max = take_waiting_max(w, cpu);
		w->last[cpu] = total;
	}
	return 0;
}
