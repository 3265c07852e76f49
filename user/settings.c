// SPDX-License-Identifier: GPL-2.0-or-later
#include "settings.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "own.h"

#define SPACES " \t\r\n"

int gp_settings_add(struct gp_settings *s, const struct gp_option *option, const char *argument,
		    unsigned int line)
{
	gp_auto(gp_free) char *copy = argument ? strdup(argument) : NULL;
	struct gp_setting *grown;

	if (argument && !copy)
		return -ENOMEM;
	grown = reallocarray(s->setting, s->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->setting = grown;
	s->setting[s->count++] = (struct gp_setting){option, TAKE_PTR(copy), line};
	return 0;
}

void gp_settings_free(struct gp_settings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->setting[i].argument);
	free(s->setting);
	*s = (struct gp_settings){};
}

static const struct gp_option *find_option(const char *name)
{
	for (size_t i = 0; i < gp_option_count; i++)
		if (!strcmp(gp_options[i].name, name))
			return &gp_options[i];
	return NULL;
}

/* Cuts spaces off both ends of `text`, in place. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, SPACES);
	len = strlen(text);
	while (len && strchr(SPACES, text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* Parts "name = argument" or "name argument". The argument; NULL: there is none. */
static char *split(char *line)
{
	size_t len = strcspn(line, "=" SPACES);
	char *argument = line + len;

	argument += strspn(argument, SPACES);
	argument += *argument == '=';
	argument = trim(argument);
	line[len] = '\0';
	return *argument ? argument : NULL;
}

static int wrong(const char *path, unsigned int number, const char *name, const char *what)
{
	gp_error("%s, line %u: '%s' %s", path, number, name, what);
	return -EINVAL;
}

static int read_line(struct gp_settings *s, char *line, const char *path, unsigned int number)
{
	const struct gp_option *option;
	char *argument;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	argument = split(line);
	option = find_option(line);
	if (!option)
		return wrong(path, number, line, "is no option: 'goldpan --help' lists them");
	if (option->is_asked)
		return wrong(path, number, line, "is for the command line alone");
	if (option->argument && !argument)
		return wrong(path, number, line, "has no argument");
	if (!option->argument && argument)
		return wrong(path, number, line, "takes no argument");
	return gp_settings_add(s, option, argument, number);
}

int gp_settings_read(struct gp_settings *s, int fd, const char *path)
{
	gp_auto(gp_fclose) FILE *file = fdopen(fd, "r");
	gp_auto(gp_free) char *line = NULL;
	unsigned int number = 0;
	size_t size = 0;
	int rc = 0;

	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!rc && getline(&line, &size, file) >= 0)
		rc = read_line(s, line, path, ++number);
	if (!rc && !feof(file)) {
		rc = -errno ?: -EIO;
		gp_error("%s: %s", path, strerror(-rc));
	}
	return rc;
}

bool gp_settings_have(const struct gp_settings *s, const struct gp_option *option)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->setting[i].option == option)
			return true;
	return false;
}

const char *gp_settings_last(const struct gp_settings *s, const struct gp_option *option)
{
	const char *last = NULL;

	for (size_t i = 0; i < s->count; i++)
		if (s->setting[i].option == option)
			last = s->setting[i].argument;
	return last;
}

int gp_settings_apply(const struct gp_settings *s, const struct gp_settings *over, const char *path,
		      struct gp_config *cfg, struct gp_config *spare)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct gp_setting *one = &s->setting[i];
		bool is_over = over && gp_settings_have(over, one->option);
		int rc = gp_option_apply(one->option, one->argument, is_over ? spare : cfg);

		if (rc == -EINVAL && one->line)
			gp_error("%s, line %u: that is where it stands", path, one->line);
		if (rc)
			return rc;
	}
	return 0;
}

/* The next one of the option from *at on, which moves behind it; NULL: there is none. */
static const struct gp_setting *next(const struct gp_settings *s, const struct gp_option *option,
				     size_t *at)
{
	while (*at < s->count)
		if (s->setting[(*at)++].option == option)
			return &s->setting[*at - 1];
	return NULL;
}

bool gp_settings_agree(const struct gp_settings *a, const struct gp_settings *b,
		       const struct gp_option *option)
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct gp_setting *one = next(a, option, &i), *other = next(b, option, &j);

		if (!one || !other)
			return !one && !other;
		if (option->argument && strcmp(one->argument, other->argument))
			return false;
	}
}

void gp_settings_print(const struct gp_settings *s, const struct gp_option *option, FILE *out)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->setting[i].option == option && option->argument)
			fprintf(out, "%s %s\n", option->name, s->setting[i].argument);
		else if (s->setting[i].option == option)
			fprintf(out, "%s\n", option->name);
}
