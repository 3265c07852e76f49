/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests' servers and clients share: options that are numbers, the clock, a pause, a CPU.
 */
#ifndef GP_TEST_COMMON_H
#define GP_TEST_COMMON_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "own.h"

/* An option that takes a number, or none and is then 1. */
struct test_option {
	char letter;
	bool takes_number;
	int *to;
};

/* Stores options as the table says. Ends the program if one is wrong. */
static inline void parse_options(const struct test_option *table, size_t count, int argc,
				 char **argv)
{
	char letters[2 * 64 + 1] = "";

	for (size_t i = 0; i < count && i < 64; i++)
		sprintf(letters + strlen(letters), table[i].takes_number ? "%c:" : "%c",
			table[i].letter);
	for (int c; (c = getopt(argc, argv, letters)) >= 0;) {
		size_t i = 0;

		while (i < count && table[i].letter != c)
			i++;
		if (i == count)
			exit(2); /* getopt has said why */
		*table[i].to = table[i].takes_number ? atoi(optarg) : 1;
	}
}

static inline int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline void pause_us(int64_t us)
{
	struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	while (us && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The calling thread runs on this CPU only, and so do threads it creates later; -1: on any. */
static inline void pin_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

#endif
