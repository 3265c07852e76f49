/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user asked for. Read only once parsed, but for gp_config_reload. */
#ifndef GP_CONFIG_H
#define GP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "only.h"

enum gp_command {
	GP_COMMAND_RUN,
	GP_COMMAND_HELP,
	GP_COMMAND_VERSION,
	GP_COMMAND_PRINT,
	GP_COMMAND_DOCTOR
};
enum gp_format { GP_FORMAT_TABLE, GP_FORMAT_JSON, GP_FORMAT_COUNT };

struct gp_output_spec {
	enum gp_format format;
	char *path; /* NULL: standard output */
};

struct gp_ports {
	uint16_t first, last; /* inclusive */
};

struct gp_given;

struct gp_config {
	enum gp_command command;
	uint64_t interval_ns;
	uint64_t duration_ns; /* 0: until a signal */
	size_t outputs, services, excludes, ports;
	struct gp_output_spec *output;
	char **service, **exclude; /* globs */
	struct gp_ports *port;
	uint32_t only_pid;		 /* this process and what comes of it; 0: all */
	struct gp_only_group only_group; /* and this control group */
	bool no_sched, no_client;
	uint32_t protocols;	/* those to be recognised: bit 1 << enum gp_protocol */
	bool protocols_auto;	/* DNS only if somebody serves it: watching it costs every packet */
	uint64_t slow_ns;	/* exchanges that took longer are exemplars; 0: none for that */
	char *events;		/* where exemplars go; NULL: nowhere, there are none */
	char *config;		/* a file with more options; NULL: none */
	struct gp_given *given; /* all of them as they were given */
	char *user; /* who to become once everything is loaded; NULL: see privileges.h */
	bool keep_privileges;
	bool doctor_json; /* what the doctor says is for machines */
	int verbosity;	  /* -1 quiet, 0, 1 verbose */
	uint32_t max_endpoints, max_services, max_operations, max_threads;
};

/*
 * Reads the command line (popt), defaults included. 0 and *out, to be freed by gp_config_free;
 * -EINVAL after saying on standard error which option, what was given and what is accepted;
 * -ENOMEM. Help and version are commands: the caller prints them and ends with 0.
 */
int gp_config_parse(struct gp_config **out, int argc, const char **argv);
void gp_config_free(struct gp_config **cfg);

/*
 * Reads the file of `--config` again, which is open at `fd` (taken). What may change while goldpan
 * runs is then as the file says; of the rest it is said that it needs a restart. 0; -ENOMEM, or
 * -EINVAL or another -errno after saying why: then nothing has changed.
 */
int gp_config_reload(struct gp_config *cfg, int fd);

/* Prints the options in force to standard output, as `--config` reads them. */
void gp_config_print(const struct gp_config *cfg);

/* Prints the help to standard output. */
void gp_config_help(void);

/*
 * A time as users write it: "250ms", "10s", "5m", "1h", "1.5s"; a bare number is seconds. 0 and
 * *ns; -EINVAL if it is not one, is negative, or does not fit.
 */
int gp_parse_time(const char *text, uint64_t *ns);

#endif
