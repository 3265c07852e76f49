// SPDX-License-Identifier: GPL-2.0-or-later
#include "option.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "output.h"
#include "own.h"
#include "protocol.h"

static void *field(const struct gp_option *o, struct gp_config *cfg)
{
	return (char *)cfg + o->offset;
}

/* Decimal digits at *text, and *text moved behind them. -EINVAL: none, or not from low to high. */
static int read_number(const char **text, uint64_t low, uint64_t high, uint32_t *out)
{
	const char *from = *text;
	uint64_t value = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		value = value * 10 + (**text - '0');
		if (value > high) /* before it can overflow: high is far below */
			return -EINVAL;
	}
	if (*text == from || value < low)
		return -EINVAL;
	*out = value;
	return 0;
}

static int parse_time(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	uint64_t ns;

	if (gp_parse_time(arg, &ns) || ns < o->low)
		return -EINVAL;
	*(uint64_t *)field(o, cfg) = ns;
	return 0;
}

static int parse_count(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	uint32_t value;

	if (read_number(&arg, o->low, o->high, &value) || *arg)
		return -EINVAL;
	*(uint32_t *)field(o, cfg) = value;
	return 0;
}

/* As parse_count, rounded up to a power of two: the bounds are powers of two themselves. */
static int parse_power(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	uint32_t *value = field(o, cfg), power = 1;
	int rc = parse_count(o, arg, cfg);

	if (rc)
		return rc;
	while (power < *value)
		power <<= 1;
	*value = power;
	return 0;
}

static int parse_switch(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	*(bool *)field(o, cfg) = true;
	return 0;
}

static int parse_value(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	*(int *)field(o, cfg) = o->value;
	return 0;
}

_Static_assert(sizeof(enum gp_command) == sizeof(int), "parse_value stores a command too");

/* Room for one more behind the `n` in *list, zeroed; NULL when out of memory. */
static void *grow(void *list, size_t n, size_t size)
{
	void **pointer = list;
	char *grown = reallocarray(*pointer, n + 1, size);

	if (!grown)
		return NULL;
	*pointer = grown;
	return memset(grown + n * size, 0, size);
}

static int append_glob(char ***list, size_t *n, const char *arg)
{
	char **slot;

	if (!*arg)
		return -EINVAL;
	slot = grow(list, *n, sizeof(**list));
	if (!slot)
		return -ENOMEM;
	*slot = strdup(arg);
	if (!*slot)
		return -ENOMEM;
	(*n)++;
	return 0;
}

static int parse_service(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	return append_glob(&cfg->service, &cfg->services, arg);
}

static int parse_exclude(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	return append_glob(&cfg->exclude, &cfg->excludes, arg);
}

static int parse_ports(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	uint32_t first, last;
	struct gp_ports *slot;

	if (read_number(&arg, o->low, o->high, &first))
		return -EINVAL;
	last = first;
	if (*arg == '-') {
		arg++;
		if (read_number(&arg, first, o->high, &last))
			return -EINVAL;
	}
	if (*arg)
		return -EINVAL;
	slot = grow(&cfg->port, cfg->ports, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	*slot = (struct gp_ports){first, last};
	cfg->ports++;
	return 0;
}

static int parse_pid(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	if (read_number(&arg, o->low, o->high, &cfg->only_pid) || *arg ||
	    !gp_only_is_process(cfg->only_pid))
		return -EINVAL;
	return 0;
}

static int parse_group(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	return gp_only_find_group(arg, &cfg->only_group) ? -EINVAL : 0;
}

/* A text that is not empty. */
static int parse_text(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	char **text = field(o, cfg), *copy;

	if (!*arg)
		return -EINVAL;
	copy = strdup(arg);
	if (!copy)
		return -ENOMEM;
	free(*text); /* of the same option, given before */
	*text = copy;
	return 0;
}

/* Names with commas between them, as a mask. -EINVAL if one of them is not known. */
static int read_protocols(const char *list, uint32_t *mask)
{
	const char *end;

	*mask = 0;
	do {
		enum gp_protocol protocol;

		end = strchrnul(list, ',');
		if (!gp_protocol_find(list, end - list, &protocol))
			return -EINVAL;
		*mask |= 1u << protocol;
		list = end + 1;
	} while (*end);
	return 0;
}

static int parse_protocols(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	uint32_t mask = 0;

	cfg->protocols_auto = !strcmp(arg, "auto");
	if (cfg->protocols_auto || !strcmp(arg, "all"))
		mask = ((1u << GP_PROTOCOL_COUNT) - 1) & ~(1u << GP_PROTOCOL_UNKNOWN);
	else if (strcmp(arg, "none") && read_protocols(arg, &mask))
		return -EINVAL;
	cfg->protocols = mask;
	return 0;
}

static int parse_output(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	const char *colon = strchrnul(arg, ':');
	struct gp_output_spec *slot;
	enum gp_format format;

	if (gp_format_find(arg, colon - arg, &format) || (*colon && !colon[1]))
		return -EINVAL;
	slot = grow(&cfg->output, cfg->outputs, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	slot->format = format;
	slot->path = *colon ? strdup(colon + 1) : NULL;
	if (*colon && !slot->path)
		return -ENOMEM;
	cfg->outputs++;
	return 0;
}

static int parse_doctor_format(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	cfg->doctor_json = !strcmp(arg, "json");
	return cfg->doctor_json || !strcmp(arg, "text") ? 0 : -EINVAL;
}

#define FIELD(name) .offset = offsetof(struct gp_config, name)
#define RANGE(from, to)                                                                            \
	.low = (from), .high = (to), .accepted = "a whole number from " #from " to " #to

const struct gp_option gp_options[] = {
	{'i', "interval", "TIME", "10s", "time between exports",
	 "a time of at least 100ms, such as 250ms, 10s or 5m; a bare number is seconds",
	 .parse = parse_time, FIELD(interval_ns), .low = 100000000, .is_live = true},
	{'d', "duration", "TIME", NULL, "stop after this long, not only at SIGINT or SIGTERM",
	 "a time above 0, such as 250ms, 10s or 5m; a bare number is seconds", .parse = parse_time,
	 FIELD(duration_ns), .low = 1},
	{'o', "output", "FORMAT[:PATH]", "table",
	 "a format and the file it goes to, else to standard output; may be given several times",
	 "table or json, and for a file a colon and its path, as in json:/var/log/goldpan.json",
	 .parse = parse_output},
	{'s', "service", "GLOB", NULL,
	 "only services whose name matches; may be given several times",
	 "a pattern that is not empty, such as 'nginx*'", .parse = parse_service, .is_live = true},
	{'x', "exclude", "GLOB", NULL, "no services whose name matches; may be given several times",
	 "a pattern that is not empty, such as 'nginx*'", .parse = parse_exclude, .is_live = true},
	{'p', "port", "PORT[-PORT]", NULL,
	 "only endpoints on these ports; may be given several times",
	 "a port from 1 to 65535, or two with the lower one first, as in 8000-8999",
	 .parse = parse_ports, .low = 1, .high = 65535},
	{0, "pid", "PID", NULL, "only this process and its children, then and later",
	 "the id of a process that runs", .parse = parse_pid, .low = 1, .high = 4194304},
	{0, "cgroup", "PATH", NULL, "only this control group and those under it",
	 "the path of one that is there: its directory, or as in /proc/PID/cgroup",
	 .parse = parse_group},
	{0, "protocols", "LIST", "auto",
	 "which protocols to recognise; auto: all, but dns only where its port is served",
	 "names with commas between them, of http, redis, postgresql, dns, tls; or auto, all, none",
	 .parse = parse_protocols},
	{0, "no-sched", NULL, NULL, "leave out what needs the scheduler", .parse = parse_switch,
	 FIELD(no_sched)},
	{0, "no-client", NULL, NULL, "leave out the client side", .parse = parse_switch,
	 FIELD(no_client)},
	{0, "slow", "TIME", NULL, "exchanges that take longer are written to --events",
	 "a time above 0, such as 250ms, 10s or 5m; a bare number is seconds", .parse = parse_time,
	 FIELD(slow_ns), .low = 1, .is_live = true},
	{0, "events", "PATH", NULL,
	 "write exchanges that fail, or are slower than --slow, to this file, a bounded number",
	 "a path that is not empty, as in /var/log/goldpan.events", .parse = parse_text,
	 FIELD(events)},
	{0, "user", "NAME", NULL,
	 "who to become once everything is loaded: goldpan if there is such a user, else nobody",
	 "the name of a user", .parse = parse_text, FIELD(user)},
	{0, "keep-privileges", NULL, NULL, "stay root", .parse = parse_switch,
	 FIELD(keep_privileges)},
	{'q', "quiet", NULL, NULL, "say less on standard error", .parse = parse_value,
	 FIELD(verbosity), .value = -1},
	{'v', "verbose", NULL, NULL, "say more on standard error", .parse = parse_value,
	 FIELD(verbosity), .value = 1},
	{0, "max-endpoints", "N", "1024", "endpoints kept apart", RANGE(8, 16384),
	 .parse = parse_count, FIELD(max_endpoints)},
	{0, "max-services", "N", "512", "services kept apart", RANGE(8, 4096), .parse = parse_count,
	 FIELD(max_services)},
	{0, "max-operations", "N", "4096", "operations kept apart, of all endpoints together",
	 RANGE(64, 65535), .parse = parse_count, FIELD(max_operations)},
	{0, "max-threads", "N", "65536", "threads followed, rounded up to a power of two",
	 RANGE(1024, 1048576), .parse = parse_power, FIELD(max_threads)},
	{0, "config", "FILE", NULL,
	 "options from a file, one a line; those given here go before it", "the path of a file",
	 .parse = parse_text, FIELD(config), .is_asked = true},
	{0, "print-config", NULL, NULL, "print the options that are in force and end",
	 .parse = parse_value, FIELD(command), .value = GP_COMMAND_PRINT, .is_asked = true},
	{0, "format", "FORMAT", NULL, "of the doctor, what it says: for people, or for machines",
	 "text or json", .parse = parse_doctor_format, .is_asked = true},
	{0, "version", NULL, NULL, "print the version and end", .parse = parse_value,
	 FIELD(command), .value = GP_COMMAND_VERSION, .is_asked = true},
	{'h', "help", NULL, NULL, "print this and end", .parse = parse_value, FIELD(command),
	 .value = GP_COMMAND_HELP, .is_asked = true},
};
const size_t gp_option_count = ARRAY_SIZE(gp_options);

int gp_option_apply(const struct gp_option *o, const char *arg, struct gp_config *cfg)
{
	int rc = o->parse(o, arg, cfg);

	if (rc == -EINVAL)
		gp_error("option --%s: '%s' is not accepted: give %s", o->name, arg, o->accepted);
	return rc;
}
