/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Observing: the loop of collections and exports. */
#ifndef GP_RUN_H
#define GP_RUN_H

#include "config.h"

/* Exit statuses: contract.md. */
enum gp_exit {
	GP_EXIT_DONE = 0,
	GP_EXIT_OUTPUT = 1,
	GP_EXIT_USAGE = 2,
	GP_EXIT_UNABLE = 4,
};

/*
 * Observes as configured until the duration is over or a signal comes. The exit status. SIGHUP
 * reads the file of the configuration again.
 */
enum gp_exit gp_run(struct gp_config *cfg);

#endif
