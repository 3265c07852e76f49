// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <string.h>

#include "log.h"
#include "option.h"
#include "own.h"
#include "place.h"
#include "settings.h"

#define SEE_HELP "'goldpan --help' lists what there is"

struct gp_given {
	struct gp_settings line, file;
};

/* The commands of the finished program: who types one is told that it is not there yet. */
static const struct command {
	const char *name;
	bool exists;
	enum gp_command command;
} commands[] = {
	{"run", true, GP_COMMAND_RUN},	     {"top", false, 0},	   {"demo", false, 0},
	{"doctor", true, GP_COMMAND_DOCTOR}, {"report", false, 0}, {"merge", false, 0},
};

void gp_config_free(struct gp_config **pointer)
{
	struct gp_config *cfg = *pointer;

	*pointer = NULL;
	if (!cfg)
		return;
	for (size_t i = 0; i < cfg->outputs; i++)
		free(cfg->output[i].path);
	for (size_t i = 0; i < cfg->services; i++)
		free(cfg->service[i]);
	for (size_t i = 0; i < cfg->excludes; i++)
		free(cfg->exclude[i]);
	free(cfg->output);
	free(cfg->service);
	free(cfg->exclude);
	free(cfg->port);
	free(cfg->events);
	free(cfg->user);
	free(cfg->config);
	if (cfg->given) {
		gp_settings_free(&cfg->given->line);
		gp_settings_free(&cfg->given->file);
	}
	free(cfg->given);
	free(cfg);
}

static void free_context(poptContext *con)
{
	*con = poptFreeContext(*con);
}

/* 0 and *command, or -EINVAL after saying that there is no such command. */
static int read_command(const char *name, enum gp_command *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		*command = commands[i].command;
		if (commands[i].exists)
			return 0;
		gp_error("this version of goldpan does not have the command '%s': it has 'run' and "
			 "'doctor'",
			 name);
		return -EINVAL;
	}
	gp_error("there is no command '%s': " SEE_HELP, name);
	return -EINVAL;
}

/* The rows of popt for our own, `val` being the place in the table plus one; free() it. */
static struct poptOption *popt_rows(void)
{
	struct poptOption *rows = calloc(gp_option_count + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < gp_option_count; i++) {
		const struct gp_option *o = &gp_options[i];

		rows[i].longName = o->name;
		rows[i].shortName = o->letter;
		rows[i].argInfo = o->argument ? POPT_ARG_STRING : POPT_ARG_NONE;
		rows[i].argDescrip = o->argument;
		rows[i].descrip = o->help;
		rows[i].val = i + 1;
	}
	return rows;
}

/* Whether `given`, "--name" or letters of which it is the last, is the option. */
static bool is_option(const struct gp_option *o, const char *given)
{
	if (!strncmp(given, "--", 2))
		return !strcmp(given + 2, o->name);
	return o->letter && given[strlen(given) - 1] == o->letter;
}

/* Says what popt could not read. -EINVAL, or -ENOMEM. */
static int report(int error, const char *given)
{
	switch (error) {
	case POPT_ERROR_BADOPT:
		gp_error("there is no option '%s': " SEE_HELP, given);
		return -EINVAL;
	case POPT_ERROR_UNWANTEDARG:
		gp_error("option '%s': it takes no argument", given);
		return -EINVAL;
	case POPT_ERROR_NOARG:
		for (size_t i = 0; i < gp_option_count; i++)
			if (is_option(&gp_options[i], given))
				gp_error("option %s has no argument: give %s", given,
					 gp_options[i].accepted);
		return -EINVAL;
	case POPT_ERROR_MALLOC:
		return -ENOMEM;
	default:
		gp_error("option '%s': %s", given, poptStrerror(error));
		return -EINVAL;
	}
}

/* What was given on the command line. 0, -EINVAL said, or -ENOMEM. */
static int read_line(struct gp_settings *line, poptContext con)
{
	int rc = 0, val;

	while (!rc && (val = poptGetNextOpt(con)) > 0) {
		gp_auto(gp_free) char *arg = poptGetOptArg(con);

		rc = gp_settings_add(line, &gp_options[val - 1], arg, 0);
	}
	if (!rc && val < -1)
		return report(val, poptBadOption(con, POPT_BADOPTION_NOALIAS));
	if (!rc && poptPeekArg(con)) {
		gp_error("'%s' is one argument too many: a command comes first, then options, "
			 "and nothing else",
			 poptPeekArg(con));
		return -EINVAL;
	}
	return rc;
}

static struct gp_config *config_new(void)
{
	gp_auto(gp_config_free) struct gp_config *cfg = calloc(1, sizeof(*cfg));

	if (!cfg)
		return NULL;
	cfg->given = calloc(1, sizeof(*cfg->given));
	return cfg->given ? TAKE_PTR(cfg) : NULL;
}

/* Where an option's value comes from: the command line before the file; NULL: its preset. */
static const struct gp_settings *source(const struct gp_given *given, const struct gp_option *o)
{
	if (gp_settings_have(&given->line, o))
		return &given->line;
	return gp_settings_have(&given->file, o) ? &given->file : NULL;
}

/* What was given, and the presets of what was not. What is given over must be right all the same.
 */
static int apply_all(struct gp_config *cfg, const char *path)
{
	gp_auto(gp_config_free) struct gp_config *spare = config_new();
	int rc = spare ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < gp_option_count; i++)
		if (gp_options[i].preset && !source(cfg->given, &gp_options[i]))
			rc = gp_option_apply(&gp_options[i], gp_options[i].preset, cfg);
	if (!rc)
		rc = gp_settings_apply(&cfg->given->file, &cfg->given->line, path, cfg, spare);
	return rc ?: gp_settings_apply(&cfg->given->line, NULL, NULL, cfg, NULL);
}

/* 0, or -EINVAL after saying which place two outputs would share. */
static int check_outputs(const struct gp_config *cfg)
{
	for (size_t i = 0; i < cfg->outputs; i++) {
		const char *path = cfg->output[i].path;

		for (size_t j = 0; j < i; j++) {
			const char *other = cfg->output[j].path;

			if (path && other ? strcmp(path, other) : path != other)
				continue;
			gp_error("option --output: '%s' is given twice: give each output a place "
				 "of its own",
				 path ?: "standard output");
			return -EINVAL;
		}
	}
	return 0;
}

/* 0, or -EINVAL after saying what is wrong with where exemplars go. */
static int check_events(const struct gp_config *cfg)
{
	if (cfg->slow_ns && !cfg->events) {
		gp_error("option --slow: slow exchanges are written to a file: name it with "
			 "--events PATH");
		return -EINVAL;
	}
	for (size_t i = 0; cfg->events && i < cfg->outputs; i++) {
		if (!cfg->output[i].path || strcmp(cfg->output[i].path, cfg->events))
			continue;
		gp_error("option --events: '%s' is an output's too: give each a place of its own",
			 cfg->events);
		return -EINVAL;
	}
	return 0;
}

/* 0, or -EINVAL after saying that only the doctor has such an option. */
static int check_doctor(const struct gp_config *cfg)
{
	if (!cfg->doctor_json || cfg->command != GP_COMMAND_RUN)
		return 0;
	gp_error("option --format: it is the doctor's: give 'goldpan doctor --format json', or "
		 "--output json");
	return -EINVAL;
}

/* The file that the command line names. 0, -ENOMEM, or another -errno, said. */
static int read_file(struct gp_config *cfg, const char *path)
{
	const struct gp_place place = {.path = path};
	enum gp_refusal why;
	int fd, rc = gp_place_read(&place, &fd, &why);

	if (!rc)
		return gp_settings_read(&cfg->given->file, fd, path);
	gp_error("option --config: %s: %s", path, strerror(-rc));
	return rc;
}

/* The path of the file that the command line names; NULL: it names none. */
static const char *path_of_file(const struct gp_config *cfg)
{
	const struct gp_option *o = gp_options;

	while (strcmp(o->name, "config"))
		o++;
	return gp_settings_last(&cfg->given->line, o);
}

static int check(const struct gp_config *cfg)
{
	return check_outputs(cfg) ?: check_events(cfg) ?: check_doctor(cfg);
}

/* Reads the command line and the file that it names, and then applies both. */
static int parse(struct gp_config *cfg, poptContext con)
{
	int rc = read_line(&cfg->given->line, con);
	const char *path = path_of_file(cfg);

	if (!rc && path && *path)
		rc = read_file(cfg, path);
	if (!rc)
		rc = apply_all(cfg, path);
	return rc ?: check(cfg);
}

int gp_config_parse(struct gp_config **out, int argc, const char **argv)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config_new();
	gp_auto(gp_free) struct poptOption *rows = popt_rows();
	gp_auto(free_context) poptContext con = NULL;
	const char *nothing[] = {"goldpan", NULL};
	bool has_command = argc > 1 && argv[1][0] != '-';
	int rc;

	if (!cfg || !rows)
		return -ENOMEM;
	rc = has_command ? read_command(argv[1], &cfg->command) : 0;
	if (rc)
		return rc;
	if (argc < 1) { /* which popt does not survive */
		argc = 1;
		argv = nothing;
	}
	con = poptGetContext(NULL, argc - has_command, argv + has_command, rows, 0);
	if (!con)
		return -ENOMEM;
	rc = parse(cfg, con);
	if (rc)
		return rc == -ENOMEM ? rc : -EINVAL;
	*out = TAKE_PTR(cfg);
	return 0;
}

/* The same command line, with another file. 0, -ENOMEM, or another -errno, said. */
static int parse_again(struct gp_config *fresh, const struct gp_config *cfg, int fd)
{
	const struct gp_settings *line = &cfg->given->line;
	int rc = gp_settings_read(&fresh->given->file, fd, cfg->config);

	for (size_t i = 0; !rc && i < line->count; i++)
		rc = gp_settings_add(&fresh->given->line, line->setting[i].option,
				     line->setting[i].argument, 0);
	if (!rc)
		rc = apply_all(fresh, cfg->config);
	return rc ?: check(fresh);
}

static void say_what_stays(const struct gp_given *before, const struct gp_given *now)
{
	for (size_t i = 0; i < gp_option_count; i++) {
		const struct gp_option *o = &gp_options[i];

		if (o->is_live || gp_settings_have(&now->line, o) ||
		    gp_settings_agree(&before->file, &now->file, o))
			continue;
		gp_warning("option --%s has changed in the configuration: that takes a restart",
			   o->name);
	}
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swapped_ = (a);                                                      \
		(a) = (b);                                                                         \
		(b) = swapped_;                                                                    \
	} while (0)

int gp_config_reload(struct gp_config *cfg, int fd)
{
	gp_auto(gp_config_free) struct gp_config *fresh = config_new();
	int rc;

	if (!fresh) {
		close(fd);
		return -ENOMEM;
	}
	rc = parse_again(fresh, cfg, fd);
	if (rc)
		return rc;
	say_what_stays(cfg->given, fresh->given);
	cfg->interval_ns = fresh->interval_ns;
	cfg->slow_ns = fresh->slow_ns;
	SWAP(cfg->service, fresh->service);
	SWAP(cfg->services, fresh->services);
	SWAP(cfg->exclude, fresh->exclude);
	SWAP(cfg->excludes, fresh->excludes);
	SWAP(cfg->given, fresh->given);
	return 0;
}

void gp_config_print(const struct gp_config *cfg)
{
	for (size_t i = 0; i < gp_option_count; i++) {
		const struct gp_option *o = &gp_options[i];
		const struct gp_settings *from = source(cfg->given, o);

		if (o->is_asked)
			continue;
		if (from)
			gp_settings_print(from, o, stdout);
		else if (o->preset)
			printf("%s %s\n", o->name, o->preset);
	}
}

/* What the help says of an option: what it does, what it accepts, what holds without it. */
static char *describe(const struct gp_option *o)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s%s%s", o->help, o->accepted ? ": " : "", o->accepted ?: "",
		     o->preset ? " (default: " : "", o->preset ?: "", o->preset ? ")" : "") < 0)
		return NULL;
	return text;
}

void gp_config_help(void)
{
	gp_auto(gp_free) struct poptOption *rows = popt_rows();
	gp_auto(free_context) poptContext con = NULL;
	const char *argv[] = {"goldpan", NULL};

	for (size_t i = 0; rows && i < gp_option_count; i++)
		rows[i].descrip = describe(&gp_options[i]); /* NULL: without the text */
	con = rows ? poptGetContext(NULL, 1, argv, rows, 0) : NULL;
	if (con) {
		poptSetOtherOptionHelp(con, "[run | doctor] [options]");
		poptPrintHelp(con, stdout, 0);
		puts("\n'goldpan doctor' says what this kernel offers for that, and what not.");
		puts("\nObserves the services of this host and exports their golden signals.\n"
		     "As root, or with the capabilities to load BPF programs.");
	}
	for (size_t i = 0; rows && i < gp_option_count; i++)
		free((char *)rows[i].descrip);
}
