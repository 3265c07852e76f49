// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "kernel_text.h"
#include "log.h"
#include "own.h"

#define TEXT_SIZE 32768 /* /proc/net/netstat has 5 KB */

enum { LISTEN_DROPS, LISTEN_OVERFLOWS, RETRANSMITS, COUNTERS };

/* Rows of one file stand together: it is read once. */
static const struct {
	const char *file, *group, *name;
} counters[] = {
	{"/proc/net/netstat", "TcpExt:", "ListenDrops"},
	{"/proc/net/netstat", "TcpExt:", "ListenOverflows"},
	{"/proc/net/snmp", "Tcp:", "RetransSegs"},
};
_Static_assert(ARRAY_SIZE(counters) == COUNTERS, "a row for each");

/* Everything at one time. */
struct totals {
	struct gp_pressure pressure;
	bool has[COUNTERS];
	uint64_t count[COUNTERS];
};

struct gp_host_stats {
	char *root;
	struct totals last;
};

static void read_counters(const char *root, struct totals *now)
{
	char path[PATH_MAX], text[TEXT_SIZE];

	for (size_t i = 0; i < COUNTERS; i++) {
		if (i == 0 || strcmp(counters[i].file, counters[i - 1].file)) {
			snprintf(path, sizeof(path), "%s%s", root, counters[i].file);
			if (gp_kernel_text_read(AT_FDCWD, path, text, sizeof(text)) < 0)
				text[0] = '\0';
		}
		now->has[i] = gp_kernel_text_column(text, counters[i].group, counters[i].name,
						    &now->count[i]);
	}
}

static void read_totals(const struct gp_host_stats *s, struct totals *now)
{
	char before[PATH_MAX];

	snprintf(before, sizeof(before), "%s/proc/pressure/", s->root);
	gp_kernel_text_pressure(AT_FDCWD, before, "", &now->pressure);
	/*
	 * That all tasks want a CPU and none has one is not defined for a whole host: the kernel
	 * writes a 0 there for old readers (Documentation/accounting/psi.rst).
	 */
	now->pressure.has[GP_PRESSURE_CPU_FULL] = false;
	read_counters(s->root, now);
}

static void say_what_is_missing(const struct totals *now)
{
	if (!now->pressure.has[GP_PRESSURE_CPU_SOME])
		gp_info("this kernel does not report pressure (PSI): pressure_s will be null, "
			"unless it is booted with psi=1 and was built for it");
	if (!now->has[LISTEN_DROPS] || !now->has[RETRANSMITS])
		gp_info("/proc/net does not tell listen drops or retransmits: they will be null");
}

int gp_host_stats_new(struct gp_host_stats **out, const char *root)
{
	gp_auto(gp_host_stats_free) struct gp_host_stats *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = strdup(root);
	if (!s->root)
		return -ENOMEM;
	read_totals(s, &s->last);
	say_what_is_missing(&s->last);
	*out = TAKE_PTR(s);
	return 0;
}

void gp_host_stats_free(struct gp_host_stats **stats)
{
	struct gp_host_stats *s = TAKE_PTR(*stats);

	if (!s)
		return;
	free(s->root);
	free(s);
}

static uint64_t since(uint64_t now, uint64_t last)
{
	return now > last ? now - last : 0;
}

void gp_host_stats_collect(struct gp_host_stats *s, struct gp_host *host)
{
	struct totals now = {}, *last = &s->last;
	uint64_t delta[COUNTERS];
	bool has[COUNTERS];

	read_totals(s, &now);
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++) {
		host->pressure.has[i] = now.pressure.has[i] && last->pressure.has[i];
		host->pressure.ns[i] = since(now.pressure.ns[i], last->pressure.ns[i]);
	}
	for (size_t i = 0; i < COUNTERS; i++) {
		has[i] = now.has[i] && last->has[i];
		delta[i] = since(now.count[i], last->count[i]);
	}
	host->has_listen = has[LISTEN_DROPS] && has[LISTEN_OVERFLOWS];
	host->listen_drops = delta[LISTEN_DROPS];
	host->listen_overflows = delta[LISTEN_OVERFLOWS];
	host->has_retransmits = has[RETRANSMITS];
	host->retransmits = delta[RETRANSMITS];
	*last = now;
}
