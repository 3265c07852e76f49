// SPDX-License-Identifier: GPL-2.0-or-later
#include "surroundings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "own.h"

#define MEMLOCK_NEEDED (64UL << 20) /* where maps count against it: before 5.11 */
#define FILES_NEEDED 256

static void say(struct gp_fact *fact, const char *value)
{
	snprintf(fact->value, sizeof(fact->value), "%s", value);
}

static FILE *open_in(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return fopen(full, "re");
}

/* The first line of a file, without its end. False: there is none. */
static bool first_line(const char *root, const char *path, char *line, size_t size)
{
	gp_auto(gp_fclose) FILE *file = open_in(root, path);

	if (!file || !fgets(line, size, file))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static void capabilities(const char *root, struct gp_fact *fact)
{
	static const struct {
		const char *name, *advice;
		int bit, instead; /* which has the same in it */
	} needed[] = {
		{"CAP_BPF", "goldpan cannot load its programs: run it as root", CAP_BPF,
		 CAP_SYS_ADMIN},
		{"CAP_PERFMON", "goldpan cannot trace the kernel: run it as root", CAP_PERFMON,
		 CAP_SYS_ADMIN},
		{"CAP_NET_ADMIN", "UDP and DNS are not observed: run goldpan as root",
		 CAP_NET_ADMIN, CAP_NET_ADMIN},
		{"CAP_DAC_READ_SEARCH", "units and containers have no names: run goldpan as root",
		 CAP_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH},
		{"CAP_SYS_ADMIN",
		 "older sockets of other network namespaces are not observed: run goldpan as root",
		 CAP_SYS_ADMIN, CAP_SYS_ADMIN},
	};
	gp_auto(gp_fclose) FILE *file = open_in(root, "/proc/self/status");
	uint64_t held = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &held) == 1)
			break;
	say(fact, "all that are needed");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (held & (1ULL << needed[i].bit | 1ULL << needed[i].instead))
			continue;
		snprintf(fact->value, sizeof(fact->value), "no %s", needed[i].name);
		fact->advice = needed[i].advice;
		return;
	}
}

/* A namespace's users are those of the host if all of them are mapped to themselves. */
static void user_namespace(const char *root, struct gp_fact *fact)
{
	unsigned long inside = 0, outside = 0, n = 0;
	char line[128];

	if (!first_line(root, "/proc/self/uid_map", line, sizeof(line)) ||
	    (sscanf(line, "%lu %lu %lu", &inside, &outside, &n) == 3 && !inside && !outside &&
	     n == UINT32_MAX)) {
		say(fact, "the host's");
		return;
	}
	say(fact, "one of its own");
	fact->advice = "goldpan cannot load its programs: run it as root of the host";
}

static void lockdown(const char *root, struct gp_fact *fact)
{
	char line[128];

	say(fact, "none");
	if (!first_line(root, "/sys/kernel/security/lockdown", line, sizeof(line)))
		return;
	if (strstr(line, "[integrity]"))
		say(fact, "integrity");
	if (!strstr(line, "[confidentiality]"))
		return;
	say(fact, "confidentiality");
	fact->advice = "programs may not read the kernel: boot without lockdown=confidentiality";
}

static void limit(struct gp_fact *fact, int resource, rlim_t needed, const char *advice)
{
	struct rlimit r;

	if (getrlimit(resource, &r)) {
		say(fact, "unknown");
		return;
	}
	if (r.rlim_cur == RLIM_INFINITY)
		say(fact, "none");
	else
		snprintf(fact->value, sizeof(fact->value), "%llu", (unsigned long long)r.rlim_cur);
	if (r.rlim_cur < needed)
		fact->advice = advice;
}

static void locked_memory(const char *root, struct gp_fact *fact)
{
	limit(fact, RLIMIT_MEMLOCK, MEMLOCK_NEEDED, NULL); /* counts on no kernel that will do */
}

static void open_files(const char *root, struct gp_fact *fact)
{
	limit(fact, RLIMIT_NOFILE, FILES_NEEDED,
	      "too few for programs, maps and outputs: ulimit -n 1024");
}

static void pressure(const char *root, struct gp_fact *fact)
{
	char line[128];

	if (first_line(root, "/proc/pressure/cpu", line, sizeof(line))) {
		say(fact, "on");
		return;
	}
	say(fact, "off");
	fact->advice = "pressure_s is null: boot with psi=1";
}

static void control_groups(const char *root, struct gp_fact *fact)
{
	gp_auto(gp_fclose) FILE *mounts = open_in(root, "/proc/self/mounts");
	bool v1 = false, v2 = false;
	struct mntent *m;

	while (mounts && (m = getmntent(mounts))) {
		v1 |= !strcmp(m->mnt_type, "cgroup");
		v2 |= !strcmp(m->mnt_type, "cgroup2");
	}
	say(fact, v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none");
	if (!v2)
		fact->advice = "services are told apart by program only, and UDP is not observed: "
			       "mount -t cgroup2 none /sys/fs/cgroup/unified";
}

static void jit(const char *root, struct gp_fact *fact)
{
	char line[16];

	if (!first_line(root, "/proc/sys/net/core/bpf_jit_enable", line, sizeof(line))) {
		say(fact, "unknown");
		return;
	}
	say(fact, strcmp(line, "0") ? "on" : "off");
	if (!strcmp(line, "0"))
		fact->advice = "goldpan costs several times as much: "
			       "sysctl net.core.bpf_jit_enable=1";
}

static void statistics(const char *root, struct gp_fact *fact)
{
	char line[16];

	if (first_line(root, "/proc/sys/kernel/bpf_stats_enabled", line, sizeof(line)) &&
	    strcmp(line, "0")) {
		say(fact, "on");
		return;
	}
	say(fact, "off");
	fact->advice = "what goldpan's programs cost is not counted, bpf of the self records is "
		       "null: sysctl kernel.bpf_stats_enabled=1 (itself some 20 ns a run)";
}

size_t gp_surroundings(const char *root, struct gp_fact facts[GP_FACTS])
{
	static const struct {
		const char *name;
		void (*look)(const char *root, struct gp_fact *fact);
	} all[] = {
		{"capabilities", capabilities},
		{"user namespace", user_namespace},
		{"lockdown", lockdown},
		{"limit of locked memory", locked_memory},
		{"limit of open files", open_files},
		{"pressure (PSI)", pressure},
		{"control groups", control_groups},
		{"BPF jit", jit},
		{"BPF statistics", statistics},
	};
	_Static_assert(ARRAY_SIZE(all) == GP_FACTS, "a fact each");

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		facts[i] = (struct gp_fact){.name = all[i].name};
		all[i].look(root, &facts[i]);
	}
	return ARRAY_SIZE(all);
}
