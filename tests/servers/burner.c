// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process with a known use of the CPU. On each line "go" of standard input its threads work: each
 * round burns CPU for a while by the thread's own clock, then sleeps. Between two lines all its
 * threads are blocked. Says "ready" at the start and, after each run, the CPU seconds burnt.
 */
#include <pthread.h>

#include "common.h"

#define THREADS_MAX 64

static struct {
	int threads, rounds, burn_us, sleep_us; /* burns, then sleeps, so many rounds */
	int cpu;				/* all threads on this one; -1: on any */
} cfg = {.threads = 1, .rounds = 100, .burn_us = 1000, .cpu = -1};

static pthread_barrier_t begin, end;
static double burnt_s[THREADS_MAX];

static void work(int thread)
{
	int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < cfg.rounds; i++) {
		int64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + cfg.burn_us * 1000LL;

		while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
			;
		pause_us(cfg.sleep_us);
	}
	burnt_s[thread] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1e9;
}

static void *run(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&begin);
		work((int)(long)arg);
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static const struct test_option options[] = {
	{'t', true, &cfg.threads},  {'n', true, &cfg.rounds}, {'b', true, &cfg.burn_us},
	{'s', true, &cfg.sleep_us}, {'c', true, &cfg.cpu},
};

int main(int argc, char **argv)
{
	char line[32];

	parse_options(options, ARRAY_SIZE(options), argc, argv);
	if (cfg.threads < 1 || cfg.threads > THREADS_MAX)
		return 2;
	pin_to(cfg.cpu);
	pthread_barrier_init(&begin, NULL, cfg.threads + 1);
	pthread_barrier_init(&end, NULL, cfg.threads + 1);
	for (long i = 0; i < cfg.threads; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, run, (void *)i);
		if (errno) {
			perror("pthread_create");
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double sum = 0;

		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		for (int i = 0; i < cfg.threads; i++)
			sum += burnt_s[i];
		printf("%.9f\n", sum);
		fflush(stdout);
	}
	return 0;
}
