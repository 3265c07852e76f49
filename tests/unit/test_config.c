// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: what is accepted, what is refused and in which words, help and defaults. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "capture.h"
#include "exporter.h"
#include "gp_records.h"
#include "names.h"
#include "option.h"
#include "own.h"

#define MS 1000000ULL
#define S (1000 * MS)
#define ALL_PROTOCOLS ((1u << GP_PROTOCOL_COUNT) - 1 - (1u << GP_PROTOCOL_UNKNOWN))

/* Splits `line` at spaces; '_' stands for an empty argument. Result and output of the parser. */
static int parse(struct gp_config **cfg, const char *line, struct capture *c)
{
	gp_auto(gp_free) char *copy = strdup(line);
	const char *argv[48] = {"goldpan"};
	int argc = 1, rc;
	char *save;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(word, "_") ? word : "";
	*cfg = NULL;
	capture_begin(c, STDERR_FILENO);
	rc = gp_config_parse(cfg, argc, argv);
	capture_end(c);
	return rc;
}

static struct gp_config *parse_good(const char *line)
{
	struct gp_config *cfg;
	struct capture c;

	assert_int_equal(parse(&cfg, line, &c), 0);
	assert_string_equal(c.text, "");
	assert_non_null(cfg);
	return cfg;
}

static void test_defaults(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = parse_good("");

	assert_int_equal(cfg->command, GP_COMMAND_RUN);
	assert_int_equal(cfg->interval_ns, 10 * S);
	assert_int_equal(cfg->duration_ns, 0);
	assert_int_equal(cfg->outputs, 1);
	assert_int_equal(cfg->output[0].format, GP_FORMAT_TABLE);
	assert_null(cfg->output[0].path);
	assert_int_equal(cfg->services + cfg->excludes + cfg->ports, 0);
	assert_false(cfg->no_sched || cfg->no_client);
	assert_int_equal(cfg->slow_ns, 0);
	assert_null(cfg->events);
	assert_int_equal(cfg->verbosity, 0);
	assert_int_equal(cfg->protocols, ALL_PROTOCOLS);
	assert_int_equal(cfg->max_endpoints, 1024);
	assert_int_equal(cfg->max_services, 512);
	assert_int_equal(cfg->max_operations, 4096);
	assert_int_equal(cfg->max_threads, 65536);
}

/* Every option, in each of its spellings. */
static void test_everything(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = parse_good(
		"run -i 250ms --duration=1.5m -o json:/var/log/a:b.json --output table -s nginx* "
		"--service redis -x ssh? -p 80 --port 8000-8999 -p 1-65535 --no-sched --no-client "
		"-v --max-endpoints 8 --max-services=4096 --max-operations 64 --max-threads 1025 "
		"--slow 250ms --events /not/this --events=/var/log/e:1");

	assert_int_equal(cfg->command, GP_COMMAND_RUN);
	assert_int_equal(cfg->interval_ns, 250 * MS);
	assert_int_equal(cfg->duration_ns, 90 * S);
	assert_int_equal(cfg->outputs, 2);
	assert_int_equal(cfg->output[0].format, GP_FORMAT_JSON);
	assert_string_equal(cfg->output[0].path, "/var/log/a:b.json");
	assert_int_equal(cfg->output[1].format, GP_FORMAT_TABLE);
	assert_null(cfg->output[1].path);
	assert_int_equal(cfg->services, 2);
	assert_string_equal(cfg->service[0], "nginx*");
	assert_string_equal(cfg->service[1], "redis");
	assert_int_equal(cfg->excludes, 1);
	assert_string_equal(cfg->exclude[0], "ssh?");
	assert_int_equal(cfg->ports, 3);
	assert_int_equal(cfg->port[0].first, 80);
	assert_int_equal(cfg->port[0].last, 80);
	assert_int_equal(cfg->port[1].first, 8000);
	assert_int_equal(cfg->port[1].last, 8999);
	assert_int_equal(cfg->port[2].first, 1);
	assert_int_equal(cfg->port[2].last, 65535);
	assert_true(cfg->no_sched && cfg->no_client);
	assert_int_equal(cfg->verbosity, 1);
	assert_int_equal(cfg->slow_ns, 250 * MS);
	assert_string_equal(cfg->events, "/var/log/e:1");
	assert_int_equal(cfg->max_endpoints, 8);
	assert_int_equal(cfg->max_services, 4096);
	assert_int_equal(cfg->max_operations, 64);
	assert_int_equal(cfg->max_threads, 2048);
}

static const struct {
	const char *line;
	size_t offset;
	uint64_t value;
	size_t size;
} good[] = {
#define ROW(line, field, value)                                                                    \
	{                                                                                          \
		line, offsetof(struct gp_config, field), value,                                    \
			sizeof(((struct gp_config *)0)->field)                                     \
	}
	ROW("-i 100ms", interval_ns, 100 * MS),
	ROW("-i5", interval_ns, 5 * S),
	ROW("-i 5 -i 6", interval_ns, 6 * S),
	ROW("--interval=1h", interval_ns, 3600 * S),
	ROW("-d 1ms", duration_ns, MS),
	ROW("-q", verbosity, (uint32_t)-1),
	ROW("-v -q", verbosity, (uint32_t)-1),
	ROW("-q --verbose", verbosity, 1),
	ROW("--help", command, GP_COMMAND_HELP),
	ROW("run --help", command, GP_COMMAND_HELP),
	ROW("--version", command, GP_COMMAND_VERSION),
	ROW("--max-endpoints 16384", max_endpoints, 16384),
	ROW("--max-services 8", max_services, 8),
	ROW("--max-operations 65535", max_operations, 65535),
	ROW("--max-threads 1024", max_threads, 1024),
	ROW("--max-threads 524289", max_threads, 1048576),
	ROW("--max-threads 1048576", max_threads, 1048576),
	ROW("--protocols none", protocols, 0),
	ROW("--protocols dns", protocols, 1u << GP_PROTOCOL_DNS),
	ROW("--protocols redis,http", protocols, 1u << GP_PROTOCOL_REDIS | 1u << GP_PROTOCOL_HTTP),
	ROW("--protocols http --protocols tls,tls", protocols, 1u << GP_PROTOCOL_TLS),
	ROW("--protocols none --protocols all", protocols, ALL_PROTOCOLS),
	ROW("--events /a", slow_ns, 0),
	ROW("--events a -o json:b", slow_ns, 0),
	ROW("--events a --slow 1", slow_ns, S),
	ROW("-x -o", excludes, 1), /* a pattern may begin as an option does */
#undef ROW
};

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		gp_auto(gp_config_free) struct gp_config *cfg = parse_good(good[i].line);
		uint64_t value = 0;

		memcpy(&value, (char *)cfg + good[i].offset, good[i].size);
		assert_int_equal(value, good[i].value);
	}
}

/* What is refused; the line that says so names the option, what was given and what would do. */
static const struct {
	const char *line, *option, *given, *accepted;
} bad[] = {
	{"-i 99ms", "--interval", "'99ms'", "at least 100ms"},
	{"-i 0", "--interval", "'0'", "at least 100ms"},
	{"-i -5", "--interval", "'-5'", "10s"},
	{"-i 10q", "--interval", "'10q'", "10s"},
	{"-i _", "--interval", "''", "10s"},
	{"--interval=", "--interval", "''", "10s"},
	{"-i", "-i", "no argument", "10s"},
	{"-qi", "-qi", "no argument", "10s"},
	{"--interval", "--interval", "no argument", "10s"},
	{"-d 0", "--duration", "'0'", "above 0"},
	{"-d forever", "--duration", "'forever'", "10s"},
	{"-d 99999999999999999999", "--duration", "'99999999999999999999'", "10s"},
	{"-o xml", "--output", "'xml'", "table or json"},
	{"-o _", "--output", "''", "table or json"},
	{"-o tablet", "--output", "'tablet'", "table or json"},
	{"-o jso", "--output", "'jso'", "table or json"},
	{"-o JSON", "--output", "'JSON'", "table or json"},
	{"-o json:", "--output", "'json:'", "a colon and its path"},
	{"-o :/tmp/x", "--output", "':/tmp/x'", "table or json"},
	{"-o prometheus", "--output", "'prometheus'", "table or json"},
	{"-o", "-o", "no argument", "table or json"},
	{"-o json:/a -o table:/a", "--output", "'/a'", "a place of its own"},
	{"-o json -o table", "--output", "'standard output'", "a place of its own"},
	{"-s _", "--service", "''", "a pattern"},
	{"-x _", "--exclude", "''", "a pattern"},
	{"-p 0", "--port", "'0'", "from 1 to 65535"},
	{"-p 65536", "--port", "'65536'", "from 1 to 65535"},
	{"-p 99999999999999999999", "--port", "'99999999999999999999'", "from 1 to 65535"},
	{"-p 8999-8000", "--port", "'8999-8000'", "the lower one first"},
	{"-p 80-", "--port", "'80-'", "8000-8999"},
	{"-p -80", "--port", "'-80'", "8000-8999"},
	{"-p 80-90-95", "--port", "'80-90-95'", "8000-8999"},
	{"-p 80,81", "--port", "'80,81'", "8000-8999"},
	{"-p +80", "--port", "'+80'", "8000-8999"},
	{"-p http", "--port", "'http'", "8000-8999"},
	{"--max-endpoints 7", "--max-endpoints", "'7'", "from 8 to 16384"},
	{"--max-endpoints 16385", "--max-endpoints", "'16385'", "from 8 to 16384"},
	{"--max-services 7", "--max-services", "'7'", "from 8 to 4096"},
	{"--max-services 4097", "--max-services", "'4097'", "from 8 to 4096"},
	{"--max-operations 63", "--max-operations", "'63'", "from 64 to 65535"},
	{"--max-operations 65536", "--max-operations", "'65536'", "from 64 to 65535"},
	{"--max-threads 1023", "--max-threads", "'1023'", "from 1024 to 1048576"},
	{"--max-threads 1048577", "--max-threads", "'1048577'", "from 1024 to 1048576"},
	{"--max-threads 0x1000", "--max-threads", "'0x1000'", "from 1024 to 1048576"},
	{"--max-threads 2048k", "--max-threads", "'2048k'", "from 1024 to 1048576"},
	{"--max-threads", "--max-threads", "no argument", "from 1024 to 1048576"},
	{"--slow 0 --events a", "--slow", "'0'", "above 0"},
	{"--slow soon --events a", "--slow", "'soon'", "250ms"},
	{"--slow", "--slow", "no argument", "250ms"},
	{"--slow 5ms", "--slow", "a file", "--events PATH"},
	{"--events _", "--events", "''", "a path"},
	{"--events", "--events", "no argument", "a path"},
	{"--events /a -o json:/a", "--events", "'/a'", "a place of its own"},
	{"--intervall 5", "--intervall", "no option", "goldpan --help"},
	{"-Z", "-Z", "no option", "goldpan --help"},
	{"--no-sched=1", "--no-sched=1", "no argument", ""},
	{"run run", "'run'", "too many", "a command comes first"},
	{"-q run", "'run'", "too many", "a command comes first"},
	{"-- x", "'x'", "too many", "a command comes first"},
	{"run -i 5 6", "'6'", "too many", "a command comes first"},
	{"top", "'top'", "does not have", "'run'"},
	{"top --help", "'top'", "does not have", "'run'"},
	{"demo", "'demo'", "does not have", "'run'"},
	{"doctor --format xml", "--format", "'xml'", "text or json"},
	{"run --format json", "--format", "doctor", "--output json"},
	{"report a -o b", "'report'", "does not have", "'run'"},
	{"merge a", "'merge'", "does not have", "'run'"},
	{"tops", "'tops'", "no command", "goldpan --help"},
	{"_", "''", "no command", "goldpan --help"},
	{"--help -i 5q", "--interval", "'5q'", "10s"},
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct gp_config *cfg;
		struct capture c;

		assert_int_equal(parse(&cfg, bad[i].line, &c), -EINVAL);
		assert_null(cfg);
		if (strncmp(c.text, "goldpan: error: ", 16) || count_lines(c.text) != 1 ||
		    !strstr(c.text, bad[i].option) || !strstr(c.text, bad[i].given) ||
		    !strstr(c.text, bad[i].accepted))
			fail_msg("'%s' was answered with: %s", bad[i].line, c.text);
	}
}

/* No arguments at all, not even a name: execve allows it. */
static void test_no_name(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = NULL;
	const char *argv[] = {NULL};

	assert_int_equal(gp_config_parse(&cfg, 0, argv), 0);
	assert_int_equal(cfg->command, GP_COMMAND_RUN);
}

static void test_free_twice(void **state)
{
	struct gp_config *cfg = parse_good("-o json:/a -s b -x c -p 1 --events e");

	gp_config_free(&cfg);
	assert_null(cfg);
	gp_config_free(&cfg);
}

/* The help without its line breaks. */
static void read_help(struct capture *c, char *flat)
{
	char *to = flat;

	capture_begin(c, STDOUT_FILENO);
	gp_config_help();
	for (const char *from = capture_end(c); *from; from++)
		if ((*from != ' ' && *from != '\n') || (to > flat && to[-1] != ' '))
			*to++ = *from == '\n' ? ' ' : *from;
	*to = 0;
}

static void test_help_lists_all(void **state)
{
	struct capture c;
	char flat[sizeof(c.text)];

	read_help(&c, flat);
	assert_non_null(strstr(flat, "goldpan [run | doctor] [options]"));
	for (size_t i = 0; i < gp_option_count; i++) {
		const struct gp_option *o = &gp_options[i];
		char name[64];

		if (o->letter)
			snprintf(name, sizeof(name), "-%c, --%s%s%s", o->letter, o->name,
				 o->argument ? "=" : "", o->argument ?: "");
		else
			snprintf(name, sizeof(name), " --%s%s%s", o->name, o->argument ? "=" : "",
				 o->argument ?: "");
		if (!strstr(flat, name) || !strstr(flat, o->help) ||
		    (o->accepted && !strstr(flat, o->accepted)))
			fail_msg("--%s is not told in: %s", o->name, flat);
		assert_int_equal(!o->argument, !o->accepted);
	}
	for (const char *line = c.text; *line; line = strchr(line, '\n') + 1)
		assert_true(strchr(line, '\n') - line < 80);
}

/* The defaults that the help prints, given as options, change nothing. */
static void test_help_defaults(void **state)
{
	struct gp_given *own;
	gp_auto(gp_config_free) struct gp_config *preset = parse_good(""), *given = NULL;
	char flat[sizeof(((struct capture *)0)->text)], line[1024] = "";
	struct capture c;

	read_help(&c, flat);
	for (size_t i = 0; i < gp_option_count; i++) {
		char *at, name[64], value[64];

		snprintf(name, sizeof(name), " --%s=", gp_options[i].name);
		if (!gp_options[i].preset)
			continue;
		at = strstr(strstr(flat, name), "(default: ");
		assert_int_equal(sscanf(at, "(default: %63[^)])", value), 1);
		sprintf(line + strlen(line), "%s%s", name, value);
	}
	given = parse_good(line);
	assert_int_equal(given->outputs, preset->outputs);
	assert_int_equal(given->output[0].format, preset->output[0].format);
	given->output[0].path = NULL;
	free(TAKE_PTR(preset->output));
	preset->output = given->output; /* pointers apart, they are the same bytes */
	preset->outputs = 0;
	given->outputs = 0;
	own = given->given;
	given->given = preset->given; /* likewise, and one was given what the other was not */
	assert_memory_equal(given, preset, sizeof(*given));
	given->given = own;
	preset->output = NULL;
}

/* The texts about formats know all there are. */
static void test_formats_are_told(void **state)
{
	static const struct gp_exporter *const exporters[] = {&gp_exporter_table,
							      &gp_exporter_json};
	struct gp_config *cfg;
	struct capture c;

	assert_int_equal(ARRAY_SIZE(exporters), GP_FORMAT_COUNT);
	assert_int_equal(parse(&cfg, "-o xml", &c), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(exporters); i++)
		assert_non_null(strstr(c.text, exporters[i]->name));
}

/* So does the one about protocols. */
static void test_protocols_are_told(void **state)
{
	static const char *const lines[] = {"--protocols gopher", "--protocols http,",
					    "--protocols _", "--protocols http,none",
					    "--protocols unknown"};
	struct gp_config *cfg;
	struct capture c;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(parse(&cfg, lines[i], &c), -EINVAL);
		for (size_t p = GP_PROTOCOL_UNKNOWN + 1; p < GP_PROTOCOL_COUNT; p++)
			assert_non_null(strstr(c.text, gp_protocol_names[p]));
	}
}

static const struct {
	const char *text;
	uint64_t ns;
} times[] = {
	{"0", 0},
	{"10", 10 * S},
	{"250ms", 250 * MS},
	{"10s", 10 * S},
	{"5m", 300 * S},
	{"1h", 3600 * S},
	{"1.5s", 1500 * MS},
	{"0.25", 250 * MS},
	{"1.000000001", S + 1},
	{"0.000001ms", 1},
	{"2.5m", 150 * S},
	{"010s", 10 * S},
	{"9223372036", 9223372036 * S},
	{"9223372036.854775807s", INT64_MAX},
};

static const char *const no_times[] = {
	"",
	" 5",
	"5 ",
	"5 s",
	"-5",
	"+5",
	"s",
	".5",
	"5.",
	"5.s",
	"1e3",
	"0x10",
	"5S",
	"5min",
	"5sec",
	"5us",
	"1,5",
	"1..5",
	"1.5.5",
	"inf",
	"nan",
	"5ms\n",
	"5h1m",
	"1/2",
	"\xff"
	"5",
	"1.0123456789",
	"9223372036.854775808",
	"9223372037",
	"18446744073709551616",
	"99999999999999999999999999h",
	"9999999999999h",
};

static void test_time(void **state)
{
	uint64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		ns = 7;
		assert_int_equal(gp_parse_time(times[i].text, &ns), 0);
		assert_int_equal(ns, times[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no_times); i++) {
		ns = 7;
		assert_int_equal(gp_parse_time(no_times[i], &ns), -EINVAL);
		assert_int_equal(ns, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_free_twice),
		cmocka_unit_test(test_help_lists_all),
		cmocka_unit_test(test_help_defaults),
		cmocka_unit_test(test_formats_are_told),
		cmocka_unit_test(test_protocols_are_told),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
