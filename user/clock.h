/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_CLOCK_H
#define GP_CLOCK_H

#include <stdint.h>
#include <time.h>

#define GP_NS_PER_S 1000000000ULL

/* CLOCK_MONOTONIC, which the kernel side counts in. */
static inline uint64_t gp_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * GP_NS_PER_S + t.tv_nsec;
}

#endif
