// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two threads, on the two CPUs given or wherever the scheduler puts them, that wake each other over
 * pipes. For each line of standard input, that many rounds; then "done". Says "ready" at the start.
 */
#include <pthread.h>

#include "common.h"

static int there[2], back[2], cpus[2] = {-1, -1};

static void *echo(void *arg)
{
	char byte;

	pin_to(cpus[1]);
	while (read(there[0], &byte, 1) == 1)
		if (write(back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void rounds(int count)
{
	char byte = 0;

	while (count-- > 0)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(1);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char line[32];

	if (argc == 3) {
		cpus[0] = atoi(argv[1]);
		cpus[1] = atoi(argv[2]);
	}
	if (pipe(there) < 0 || pipe(back) < 0)
		return 1;
	errno = pthread_create(&thread, NULL, echo, NULL);
	if (errno)
		return 1;
	pin_to(cpus[0]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		rounds(atoi(line));
		puts("done");
		fflush(stdout);
	}
	return 0;
}
