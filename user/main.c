// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "config.h"
#include "log.h"
#include "meta.h"
#include "own.h"
#include "run.h"

/* A descriptor 0, 1 or 2 that is closed must not become that of a file or a map. */
static int hold_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -errno : close(fd);
}

int main(int argc, const char **argv)
{
	gp_auto(gp_config_free) struct gp_config *cfg = NULL;
	int err;

	if (hold_standard_descriptors())
		return GP_EXIT_OUTPUT;
	err = gp_config_parse(&cfg, argc, argv);
	if (err) {
		if (err != -EINVAL)
			gp_error("out of memory");
		return GP_EXIT_USAGE;
	}
	gp_log_verbosity(cfg->verbosity);
	switch (cfg->command) {
	case GP_COMMAND_HELP:
		gp_config_help();
		return GP_EXIT_DONE;
	case GP_COMMAND_VERSION:
		printf("goldpan %s\n", GP_VERSION);
		return GP_EXIT_DONE;
	default:
		return gp_run(cfg);
	}
}
