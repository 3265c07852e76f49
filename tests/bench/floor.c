/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads the floor programs for one port, prints `counting`, and leaves them attached until SIGTERM
 * or SIGINT; then prints what each counted, `hook count` a line.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "floor.skel.h"
#include "own.h"

#include "../tests/bench/floor.h"

static const char *const hook_names[] = {
	[FLOOR_READY] = "sk_data_ready",     [FLOOR_COPY] = "skb_copy_datagram_iovec",
	[FLOOR_SEND] = "tcp_sendmsg_locked", [FLOOR_SWITCH] = "sched_switch",
	[FLOOR_WAKING] = "sched_waking",
};
_Static_assert(ARRAY_SIZE(hook_names) == FLOOR_HOOKS, "a name for each hook");

struct options {
	uint16_t port;
	bool sched;
};

/* 0, or -EINVAL: usage has been printed. */
static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"port", required_argument, NULL, 'p'},
		{"sched", no_argument, NULL, 's'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:s", longs, NULL)) != -1) {
		char *end = NULL;
		unsigned long port;

		if (c == 's') {
			o->sched = true;
			continue;
		}
		if (c != 'p')
			break;
		port = strtoul(optarg, &end, 10);
		if (end == optarg || *end || port == 0 || port > UINT16_MAX)
			break;
		o->port = port;
	}
	if (c == -1 && optind == argc && o->port)
		return 0;
	fputs("floor: error: usage: floor --port PORT [--sched]; PORT is the server's, 1 to "
	      "65535\n",
	      stderr);
	return -EINVAL;
}

static void free_skeleton(struct floor_bpf **skel)
{
	floor_bpf__destroy(*skel);
	*skel = NULL;
}

/* Lets the iterator walk over all sockets once. */
static int visit_sockets(const struct floor_bpf *skel)
{
	gp_auto(gp_close) int fd = bpf_iter_create(bpf_link__fd(skel->links.floor_iter));
	char sink[256];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, sink, sizeof(sink))) > 0)
		;
	return n < 0 ? -errno : 0;
}

static int attach(struct floor_bpf **out, const struct options *o)
{
	gp_auto(free_skeleton) struct floor_bpf *skel = floor_bpf__open();
	int err;

	if (!skel)
		return -errno;
	skel->rodata->floor_port = o->port;
	bpf_program__set_autoload(skel->progs.floor_switch, o->sched);
	bpf_program__set_autoload(skel->progs.floor_waking, o->sched);
	err = floor_bpf__load(skel);
	if (!err)
		err = floor_bpf__attach(skel);
	if (!err)
		err = visit_sockets(skel);
	if (!err)
		*out = TAKE_PTR(skel);
	return err;
}

static int print_counts(const struct floor_bpf *skel)
{
	int cpus = libbpf_num_possible_cpus();
	gp_auto(gp_free) uint64_t *counts = NULL;

	if (cpus < 0)
		return cpus;
	counts = calloc(cpus, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	for (uint32_t hook = 0; hook < FLOOR_HOOKS; hook++) {
		uint64_t sum = 0;

		if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.counts), &hook, counts))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += counts[cpu];
		printf("%s %ju\n", hook_names[hook], (uintmax_t)sum);
	}
	return fflush(stdout) ? -errno : 0;
}

int main(int argc, char **argv)
{
	gp_auto(free_skeleton) struct floor_bpf *skel = NULL;
	struct options options = {};
	sigset_t end;
	int err, signal;

	if (parse(&options, argc, argv))
		return 2;
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	err = attach(&skel, &options);
	if (err) {
		fprintf(stderr,
			"floor: error: the programs do not load or attach (%s): run it as "
			"root, on a kernel that has the hooks\n",
			strerror(-err));
		return 4;
	}
	puts("counting");
	fflush(stdout);
	sigwait(&end, &signal);
	err = print_counts(skel);
	if (err)
		fprintf(stderr, "floor: error: counts not read or not printed: %s\n",
			strerror(-err));
	return err ? 1 : 0;
}
