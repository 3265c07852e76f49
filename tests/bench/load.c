/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The benchmark's load generator. Each line on standard input, `WARMUP_MS MEASURE_MS`, is a slice;
 * each gives one JSON line:
 *
 *   requests, ns            answered while measuring, and how long that was
 *   server_ns, client_ns    CPU time of the server's and of this process in the same time
 *   total                   answered in the whole slice, before and after measuring included
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "own.h"

static const struct load_kind *const kinds[] = {&load_http, &load_redis, &load_pipe};

struct reading {
	uint64_t requests, wall_ns, server_ns, client_ns;
};

static const char usage[] =
	"load: error: usage: load http|redis|pipe [--port PORT] [--connections N] [--depth N] "
	"[--server PID]\n";

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end = NULL;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return !errno && end != text && !*end && *out > 0 && *out <= max;
}

/* 0, or -EINVAL. */
static int parse(struct load_options *o, const struct load_kind **kind, int argc, char **argv)
{
	static const struct option longs[] = {
		{"port", required_argument, NULL, 'p'},
		{"connections", required_argument, NULL, 'c'},
		{"depth", required_argument, NULL, 'd'},
		{"server", required_argument, NULL, 's'},
		{},
	};
	unsigned long n;
	int c;

	while ((c = getopt_long(argc, argv, "p:c:d:s:", longs, NULL)) != -1) {
		if (c == '?' || !parse_number(optarg, c == 'p' ? UINT16_MAX : 1 << 22, &n))
			return -EINVAL;
		if (c == 'p')
			o->port = n;
		else if (c == 'c')
			o->connections = n;
		else if (c == 'd')
			o->depth = n;
		else
			o->server = n;
	}
	if (optind + 1 != argc)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i]->name, argv[optind]))
			*kind = kinds[i];
	return *kind ? 0 : -EINVAL;
}

static struct reading read_all(const struct load_kind *kind, const void *load, clockid_t server)
{
	return (struct reading){
		.requests = kind->requests(load),
		.wall_ns = load_clock_ns(CLOCK_MONOTONIC),
		.server_ns = load_clock_ns(server),
		.client_ns = load_clock_ns(CLOCK_PROCESS_CPUTIME_ID),
	};
}

static int slice(const struct load_kind *kind, void *load, clockid_t server, unsigned warmup_ms,
		 unsigned measure_ms)
{
	uint64_t before = kind->requests(load);
	struct reading first, last;
	int err;

	err = kind->run(load, load_clock_ns(CLOCK_MONOTONIC) + warmup_ms * NS_PER_MS);
	if (err)
		return err;
	first = read_all(kind, load, server);
	err = kind->run(load, first.wall_ns + measure_ms * NS_PER_MS);
	if (err)
		return err;
	last = read_all(kind, load, server);
	err = kind->drain(load);
	if (err)
		return err;
	printf("{\"requests\": %ju, \"ns\": %ju, \"server_ns\": %ju, \"client_ns\": %ju, "
	       "\"total\": %ju}\n",
	       (uintmax_t)(last.requests - first.requests),
	       (uintmax_t)(last.wall_ns - first.wall_ns),
	       (uintmax_t)(last.server_ns - first.server_ns),
	       (uintmax_t)(last.client_ns - first.client_ns),
	       (uintmax_t)(kind->requests(load) - before));
	return fflush(stdout) ? -errno : 0;
}

static int serve_commands(const struct load_kind *kind, void *load, clockid_t server)
{
	unsigned warmup_ms, measure_ms;
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int err;

		if (sscanf(line, "%u %u", &warmup_ms, &measure_ms) != 2 || !measure_ms) {
			fputs("load: error: a command is WARMUP_MS MEASURE_MS\n", stderr);
			return -EINVAL;
		}
		err = slice(kind, load, server, warmup_ms, measure_ms);
		if (err)
			return err;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct load_options options = {.connections = 1, .depth = 1};
	const struct load_kind *kind = NULL;
	clockid_t server;
	void *load = NULL;
	int err;

	if (parse(&options, &kind, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (kind->start(&load, &options))
		return 1;
	err = clock_getcpuclockid(options.server, &server);
	if (err)
		fprintf(stderr, "load: error: no CPU clock of the server, process %d: %s\n",
			options.server, strerror(err));
	else
		err = serve_commands(kind, load, server);
	kind->stop(load);
	return err ? 1 : 0;
}
