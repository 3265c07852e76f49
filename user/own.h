/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership in sight: locals that free themselves, and the only ways to give them away. */
#ifndef GP_OWN_H
#define GP_OWN_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Calls fn(&variable) at the end of the scope. */
#define gp_auto(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* A descriptor that is not open is -1. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void gp_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void gp_free(void *p)
{
	void **pointer = p;

	free(*pointer);
	*pointer = NULL;
}

static inline void gp_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
	*file = NULL;
}

#endif
