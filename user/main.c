// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "config.h"
#include "doctor.h"
#include "hook.h"
#include "log.h"
#include "meta.h"
#include "own.h"
#include "run.h"
#include "served.h"

#define DNS_PORT 53

/* A descriptor 0, 1 or 2 that is closed must not become that of a file or a map. */
static int hold_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -errno : close(fd);
}

/*
 * Datagrams are seen by programs that every packet passes. Unless asked for, they are attached only
 * where a DNS server is at work.
 */
static void settle_protocols(struct gp_config *cfg)
{
	if (!cfg->protocols_auto || gp_served_udp(DNS_PORT))
		return;
	cfg->protocols &= ~(1u << GP_PROTOCOL_DNS);
	gp_info("DNS is not observed: nothing here serves UDP port %d; --protocols all observes it",
		DNS_PORT);
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
	case GP_COMMAND_PRINT:
		gp_config_print(cfg);
		return GP_EXIT_DONE;
	default:
		if (gp_hook_check(getenv(GP_HOOKS_VARIABLE)))
			return GP_EXIT_USAGE;
		settle_protocols(cfg);
		return cfg->command == GP_COMMAND_DOCTOR ? gp_doctor(cfg) : gp_run(cfg);
	}
}
