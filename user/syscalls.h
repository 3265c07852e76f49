/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that are left to goldpan once it observes, and to its keeper.
 *
 * Of what nothing here needs, the ways to other programs, processes and networks end the process:
 * who calls them is not goldpan any more. All else fails with ENOSYS, so that a newer C library
 * falls back on the older call, and an observer does not die of an update.
 */
#ifndef GP_SYSCALLS_H
#define GP_SYSCALLS_H

#include <stdbool.h>

/* For good. `opens_outputs`: there is no keeper to do it. 0, or -errno. */
int gp_syscalls_observer(bool opens_outputs);
int gp_syscalls_keeper(void);

#endif
