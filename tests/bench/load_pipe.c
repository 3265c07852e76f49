/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's worst case: two processes that hand one byte to and fro over two pipes. On one
 * CPU each round trip ("request") is two switches and two wake-ups and next to nothing else.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "load.h"
#include "own.h"

#define TRIPS_PER_CLOCK 16 /* reading the clock each time would be a visible part of a trip */

struct pipe_load {
	int to_peer, from_peer;
	pid_t peer;
	uint64_t trips;
};

static void echo(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
		;
}

static void pipe_stop(void *load)
{
	struct pipe_load *l = load;

	gp_close(&l->to_peer); /* the peer reads its end and goes */
	gp_close(&l->from_peer);
	if (l->peer > 0)
		waitpid(l->peer, NULL, 0);
	free(l);
}

static int pipe_start(void **load, struct load_options *options)
{
	gp_auto(gp_free) struct pipe_load *l = calloc(1, sizeof(*l));
	int there[2], back[2];

	if (!l || pipe(there) || pipe(back)) {
		perror("load: error: no memory or no pipe");
		return -ENOMEM;
	}
	l->peer = fork();
	if (l->peer < 0) {
		perror("load: error: fork");
		return -EAGAIN;
	}
	if (l->peer == 0) {
		close(there[1]);
		close(back[0]);
		echo(there[0], back[1]);
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	l->to_peer = there[1];
	l->from_peer = back[0];
	options->server = l->peer;
	*load = TAKE_PTR(l);
	return 0;
}

static int pipe_run(void *load, uint64_t until_ns)
{
	struct pipe_load *l = load;
	char byte = 0;

	while (load_clock_ns(CLOCK_MONOTONIC) < until_ns) {
		for (int i = 0; i < TRIPS_PER_CLOCK; i++) {
			if (write(l->to_peer, &byte, 1) != 1 || read(l->from_peer, &byte, 1) != 1) {
				fputs("load: error: the peer process is gone\n", stderr);
				return -EPIPE;
			}
		}
		l->trips += TRIPS_PER_CLOCK;
	}
	return 0;
}

static int pipe_drain(void *load)
{
	return 0; /* a trip that was begun is over when pipe_run returns */
}

static uint64_t pipe_requests(const void *load)
{
	return ((const struct pipe_load *)load)->trips;
}

const struct load_kind load_pipe = {
	.name = "pipe",
	.start = pipe_start,
	.run = pipe_run,
	.drain = pipe_drain,
	.requests = pipe_requests,
	.stop = pipe_stop,
};
