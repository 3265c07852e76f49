// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files are opened and closed again: kept open, 512 services would need more descriptors than a
 * process may have. A group costs three calls, and three more for each of its files.
 */
#include "cgroup_figures.h"

#include <stdio.h>
#include <string.h>

#include "kernel_text.h"
#include "own.h"

/* The new total of one count. `is_met`: what was before it is not known. */
static void count(struct gp_cgroup_figures *f, size_t i, uint64_t total, bool is_met)
{
	f->has[i] = !is_met;
	f->delta[i] = is_met || total < f->total[i] ? 0 : total - f->total[i];
	f->total[i] = total;
}

/* The group's directory, or -1 if it is gone; *is_met if it is an old one, read for the first time.
 */
static int begin(struct gp_hierarchy *h, const char *path, struct gp_cgroup_figures *f,
		 bool *is_met)
{
	uint64_t id = 0;
	int dir = gp_hierarchy_open(h, path, &id);
	bool is_another = id != f->id; /* than the one that had this path, if any */

	if (is_another)
		*f = (struct gp_cgroup_figures){};
	*is_met = is_another && id <= h->newest;
	f->id = id;
	f->limit_cores = 0;
	memset(f->has, 0, sizeof(f->has));
	return dir < 0 ? -1 : dir;
}

static double limit_v2(int dir)
{
	unsigned long long quota_us, period_us;
	char text[64];

	if (gp_kernel_text_read(dir, "cpu.max", text, sizeof(text)) < 0 ||
	    sscanf(text, "%llu %llu", &quota_us, &period_us) != 2 || !period_us)
		return 0; /* "max" */
	return (double)quota_us / (double)period_us;
}

static double limit_v1(int dir)
{
	long long quota_us, period_us;
	char text[32];

	if (gp_kernel_text_read(dir, "cpu.cfs_quota_us", text, sizeof(text)) < 0 ||
	    sscanf(text, "%lld", &quota_us) != 1 || quota_us <= 0)
		return 0; /* -1 */
	if (gp_kernel_text_read(dir, "cpu.cfs_period_us", text, sizeof(text)) < 0 ||
	    sscanf(text, "%lld", &period_us) != 1 || period_us <= 0)
		return 0;
	return (double)quota_us / (double)period_us;
}

void gp_cgroup_read_limit(struct gp_hierarchy *h, const char *path, struct gp_cgroup_figures *f)
{
	bool is_met;
	gp_auto(gp_close) int dir = begin(h, path, f, &is_met);
	uint64_t throttled_ns = f->total[GP_THROTTLED_NS], us;
	uint64_t periods = f->total[GP_THROTTLED_PERIODS];
	char text[4096];

	if (dir < 0)
		return;
	f->limit_cores = h->is_v2 ? limit_v2(dir) : limit_v1(dir);
	/* A group without a limit is not throttled: its counts stay as they are. */
	if ((is_met || f->limit_cores > 0 || f->was_limited) &&
	    gp_kernel_text_read(dir, "cpu.stat", text, sizeof(text)) > 0) {
		gp_kernel_text_field(text, "nr_throttled", &periods);
		if (gp_kernel_text_field(text, "throttled_usec", &us))
			throttled_ns = us * 1000;
		else
			gp_kernel_text_field(text, "throttled_time", &throttled_ns); /* v1 */
	}
	count(f, GP_THROTTLED_NS, throttled_ns, is_met);
	count(f, GP_THROTTLED_PERIODS, periods, is_met);
	f->was_limited = f->limit_cores > 0;
}

bool gp_cgroup_read_pressure(struct gp_hierarchy *v2, const char *path, struct gp_cgroup_figures *f)
{
	struct gp_pressure p = {};
	bool is_met;
	gp_auto(gp_close) int dir = begin(v2, path, f, &is_met);
	char text[16];

	if (dir < 0)
		return true;
	if (!gp_kernel_text_pressure(dir, "", ".pressure", &p))
		return gp_kernel_text_read(dir, "cgroup.pressure", text, sizeof(text)) <= 0;
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++)
		if (p.has[i])
			count(f, i, p.ns[i], is_met);
	return true;
}
