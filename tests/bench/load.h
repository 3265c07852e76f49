/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closed-loop loads for the benchmark: a new request goes out when an answer has come, never
 * before. A load stands still between slices, so that programs can be attached and detached while
 * its connections stay open.
 */
#ifndef GP_BENCH_LOAD_H
#define GP_BENCH_LOAD_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

struct load_options {
	uint16_t port;	      /* of the server, on 127.0.0.1 */
	unsigned connections; /* at least 1 */
	unsigned depth;	      /* requests sent at once on a connection, at least 1 */
	pid_t server;	      /* whose CPU time is measured */
};

struct load_kind {
	const char *name;
	/*
	 * Connects. 0 and *load, to be freed by `stop`; or -errno after saying what failed. May set
	 * options->server.
	 */
	int (*start)(void **load, struct load_options *options);
	/*
	 * Runs until the clock passes `until_ns`; answers may be outstanding then. 0, or -errno
	 * after saying what failed; then only `stop` may follow.
	 */
	int (*run)(void *load, uint64_t until_ns);
	/* Takes the answers that are outstanding and asks for nothing more. As `run`. */
	int (*drain)(void *load);
	/* Requests answered since the start. */
	uint64_t (*requests)(const void *load);
	void (*stop)(void *load);
};

extern const struct load_kind load_http, load_redis, load_pipe;

static inline uint64_t load_clock_ns(clockid_t clock)
{
	struct timespec t = {};

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

#endif
