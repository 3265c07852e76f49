// SPDX-License-Identifier: GPL-2.0-or-later
/* The events file: how many lines of whom, and that none is lost without a count. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "capture.h"
#include "events.h"
#include "json_read.h"
#include "scratch.h"

/* An event of endpoint `endpoint`, to be told from others by its tid. */
static struct gp_event event_of(uint32_t endpoint, uint32_t tid)
{
	return (struct gp_event){
		.endpoint = endpoint,
		.time = {.tv_sec = 1700000003, .tv_nsec = 250000000},
		.service = "nginx",
		.port = endpoint,
		.duration_ns = 7 * MS,
		.first_byte_ns = 5 * MS,
		.pid = 4711,
		.tid = tid,
	};
}

static void add(struct gp_events *e, uint32_t endpoint, uint32_t first_tid, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct gp_event event = event_of(endpoint, first_tid + i);

		gp_events_add(e, &event);
	}
}

/* The configuration with the events file of this name in the scratch directory. */
static struct gp_config *config(const char *name)
{
	const char *argv[] = {"goldpan", "--events", scratch_path(name)};
	struct gp_config *cfg = NULL;

	assert_int_equal(gp_config_parse(&cfg, ARRAY_SIZE(argv), argv), 0);
	return cfg;
}

static struct gp_events *open_events(const struct gp_config *cfg)
{
	struct gp_events *e = NULL;

	assert_int_equal(gp_events_new(&e, cfg, NULL), 0);
	assert_non_null(e);
	gp_events_begin(e, &sample_meta);
	gp_events_flush(e, 1 * SECOND);
	return e;
}

/* What the file holds, as an array of objects. */
static json_t *lines_of(const char *name)
{
	gp_auto(gp_free) char *text = strdup(scratch_read(name));

	return parse_lines(text);
}

/* How many lines of the endpoint there are; all of them must be its first ones, in their order. */
static size_t lines_from(json_t *lines, uint32_t endpoint)
{
	size_t i, count = 0;
	json_t *line;

	json_array_foreach(lines, i, line)
	{
		if (count_at(line, "port") != endpoint)
			continue;
		count++;
		assert_int_equal(count_at(line, "tid"), count);
	}
	return count;
}

/* Without --events nothing is there, and everything may be called. */
static void test_none(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = NULL;
	struct gp_events *e = (struct gp_events *)&cfg;
	const char *argv[] = {"goldpan"};

	assert_int_equal(gp_config_parse(&cfg, 1, argv), 0);
	assert_int_equal(gp_events_new(&e, cfg, NULL), 0);
	assert_null(e);
	gp_events_begin(e, &sample_meta);
	add(e, 80, 1, 1);
	gp_events_flush(e, 9 * SECOND);
	assert_int_equal(gp_events_due_ms(e, 9 * SECOND), -1);
	gp_events_finish(e);
	gp_events_reopen(e);
	assert_int_equal(gp_events_take_dropped(e), 0);
	assert_true(gp_events_healthy(e));
	gp_events_free(&e);
}

/* What endpoints 1, 2, ... have in a second, and what of it is written. */
static const struct {
	uint32_t come[16], written[16];
} shares[] = {
	{{100}, {100}},
	{{101}, {100}},
	{{60, 40}, {60, 40}},
	{{5000, 1}, {99, 1}},
	{{5000, 12}, {88, 12}},
	{{1, 5000}, {1, 99}},
	{{5000, 5000}, {50, 50}},
	{{200, 30, 1}, {69, 30, 1}},
	{{500, 10, 10, 10, 10, 10, 10, 10, 10, 10}, {10, 10, 10, 10, 10, 10, 10, 10, 10, 10}},
	{{500, 500, 500, 500, 500, 500, 500, 500, 500, 500},
	 {10, 10, 10, 10, 10, 10, 10, 10, 10, 10}},
	{{99, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, {45, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}},
};

/* The events of a row, in several orders, a second each. */
static void add_row(struct gp_events *e, const uint32_t *come, int order)
{
	uint32_t done[16] = {};

	switch (order) {
	case 0: /* one endpoint after the other */
		for (uint32_t i = 0; i < 16; i++)
			add(e, i + 1, 1, come[i]);
		break;
	case 1: /* the same, from the last to the first */
		for (uint32_t i = 16; i-- > 0;)
			add(e, i + 1, 1, come[i]);
		break;
	default: /* in turns */
		for (bool any = true; any;) {
			any = false;
			for (uint32_t i = 0; i < 16; i++) {
				if (done[i] == come[i])
					continue;
				add(e, i + 1, ++done[i], 1);
				any = true;
			}
		}
	}
}

static void test_fair(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("fair");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	uint64_t second = 1;

	for (size_t row = 0; row < ARRAY_SIZE(shares); row++) {
		for (int order = 0; order < 3; order++) {
			uint64_t come = 0, written = 0;
			json_t *lines;

			add_row(e, shares[row].come, order);
			gp_events_flush(e, ++second * SECOND);
			lines = lines_of("fair");
			for (uint32_t i = 0; i < 16; i++) {
				if (lines_from(lines, i + 1) != shares[row].written[i])
					fail_msg("row %zu, order %d, endpoint %u: %zu lines", row,
						 order, i, lines_from(lines, i + 1));
				come += shares[row].come[i];
				written += shares[row].written[i];
			}
			assert_int_equal(json_array_size(lines), written);
			assert_int_equal(gp_events_take_dropped(e), come - written);
			assert_int_equal(truncate(scratch_path("fair"), 0), 0);
			json_decref(lines);
		}
	}
}

/* More endpoints than lines: the first hundred have one each, whoever had more before. */
static void test_many_endpoints(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("many");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	json_t *lines;

	add(e, 1, 1, 150);
	for (uint32_t endpoint = 2; endpoint <= 300; endpoint++)
		add(e, endpoint, 1, 2);
	gp_events_finish(e);
	lines = lines_of("many");
	assert_int_equal(json_array_size(lines), 100);
	for (uint32_t endpoint = 1; endpoint <= 300; endpoint++)
		assert_int_equal(lines_from(lines, endpoint), endpoint <= 100);
	assert_int_equal(gp_events_take_dropped(e), 150 + 299 * 2 - 100);
	assert_int_equal(gp_events_take_dropped(e), 0);
	json_decref(lines);
}

/* A second is written when a later one begins, and each has a bound of its own. */
static void test_seconds(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("seconds");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);

	assert_int_equal(gp_events_due_ms(e, 1 * SECOND), -1);
	add(e, 1, 1, 80);
	assert_int_equal(gp_events_due_ms(e, 1 * SECOND), 1000);
	assert_int_equal(gp_events_due_ms(e, 2 * SECOND - 250 * MS), 250);
	assert_int_equal(gp_events_due_ms(e, 2 * SECOND - 1), 1);
	assert_int_equal(gp_events_due_ms(e, 2 * SECOND), 0);
	gp_events_flush(e, 2 * SECOND - 1);
	assert_string_equal(scratch_read("seconds"), "");
	add(e, 1, 81, 40);
	gp_events_flush(e, 2 * SECOND);
	assert_int_equal(count_lines(scratch_read("seconds")), 100);
	assert_int_equal(gp_events_due_ms(e, 2 * SECOND), -1);
	add(e, 1, 1, 101);
	gp_events_flush(e, 7 * SECOND + 5);
	assert_int_equal(count_lines(scratch_read("seconds")), 200);
	add(e, 1, 1, 3);
	gp_events_finish(e);
	assert_int_equal(count_lines(scratch_read("seconds")), 203);
	assert_int_equal(gp_events_take_dropped(e), 21);
	assert_true(gp_events_healthy(e));
}

/* What was handed in may change or go. */
static void test_everything_is_copied(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("copied");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	struct gp_event event = event_of(80, 1);
	char name[] = "redis";

	event.service = name;
	gp_events_add(e, &event);
	memset(name, 'x', sizeof(name) - 1);
	memset(&event, 0, sizeof(event));
	gp_events_finish(e);
	assert_non_null(strstr(scratch_read("copied"), "\"redis\""));
}

static const struct {
	const char *path;
	int error;
	const char *told;
} refused[] = {
	{"link", -ELOOP, "it is a symbolic link"},    {"directory", -EISDIR, "it is a directory"},
	{"directory/", -EISDIR, "it is a directory"}, {"open/file", -EPERM, "sticky"},
	{"none/file", -ENOENT, "No such file"},	      {"fifo", -ENXIO, "start its reader"},
};

static void test_refused(void **state)
{
	assert_int_equal(symlink("elsewhere", scratch_path("link")), 0);
	assert_int_equal(mkdir(scratch_path("directory"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("open"), 0755), 0);
	assert_int_equal(chmod(scratch_path("open"), 0777), 0);
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		gp_auto(gp_config_free) struct gp_config *cfg = config(refused[i].path);
		struct gp_events *e = NULL;
		struct capture c;
		int rc;

		capture_begin(&c, STDERR_FILENO);
		rc = gp_events_new(&e, cfg, NULL);
		capture_end(&c);
		assert_int_equal(rc, refused[i].error);
		assert_null(e);
		if (count_lines(c.text) != 1 || !strstr(c.text, refused[i].told) ||
		    !strstr(c.text, "goldpan: error: output events to /"))
			fail_msg("%s: %s", refused[i].path, c.text);
	}
	assert_int_equal(access(scratch_path("elsewhere"), F_OK), -1);
}

/* Appended to, and made for its owner alone. */
static void test_mode(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("mode");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	struct stat st;

	assert_int_equal(stat(scratch_path("mode"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	add(e, 1, 1, 1);
	gp_events_finish(e);
	gp_events_free(&e);
	e = open_events(cfg);
	add(e, 1, 2, 1);
	gp_events_finish(e);
	assert_int_equal(count_lines(scratch_read("mode")), 2);
}

/* Log rotation: renamed, written to until told to reopen, and what is collected goes to the new. */
static void test_reopen(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("log");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	gp_auto(gp_free) char *old = strdup(scratch_path("log.1"));

	assert_int_equal(rename(scratch_path("log"), old), 0);
	add(e, 1, 1, 2);
	gp_events_flush(e, 2 * SECOND);
	add(e, 1, 3, 3);
	gp_events_reopen(e);
	gp_events_flush(e, 3 * SECOND);
	assert_int_equal(count_lines(scratch_read("log.1")), 2);
	assert_int_equal(count_lines(scratch_read("log")), 3);
	assert_true(gp_events_healthy(e));
}

/* A reopening that fails is said once, and made up for. */
static void test_reopen_fails(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("again");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	struct capture c;

	assert_int_equal(unlink(scratch_path("again")), 0);
	assert_int_equal(mkdir(scratch_path("again"), 0755), 0);
	capture_begin(&c, STDERR_FILENO);
	gp_events_reopen(e);
	add(e, 1, 1, 2);
	gp_events_flush(e, 2 * SECOND);
	assert_false(gp_events_healthy(e));
	assert_int_equal(rmdir(scratch_path("again")), 0);
	gp_events_flush(e, 3 * SECOND);
	capture_end(&c);
	assert_int_equal(count_lines(c.text), 2);
	assert_non_null(strstr(c.text, "works again"));
	assert_int_equal(count_lines(scratch_read("again")), 2);
	assert_true(gp_events_healthy(e));
	assert_int_equal(gp_events_take_dropped(e), 0);
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* One second is kept while nothing can be written; what comes then is counted; no half of a line.
 */
static void test_full(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("full");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	struct capture c;
	json_t *lines;

	add(e, 1, 1, 1);
	gp_events_flush(e, 2 * SECOND);
	capture_begin(&c, STDERR_FILENO);
	limit_file_size(strlen(scratch_read("full")) + 300); /* a line has more */
	for (uint64_t second = 2; second < 6; second++) {
		add(e, 1, second, 10);
		gp_events_flush(e, (second + 1) * SECOND);
	}
	assert_int_equal(count_lines(scratch_read("full")), 1);
	assert_false(gp_events_healthy(e));
	assert_int_equal(gp_events_take_dropped(e), 30);
	limit_file_size(RLIM_INFINITY);
	add(e, 1, 12, 5);
	gp_events_flush(e, 7 * SECOND);
	capture_end(&c);
	assert_true(gp_events_healthy(e));
	assert_int_equal(gp_events_take_dropped(e), 0);
	assert_int_equal(count_lines(c.text), 2);
	lines = lines_of("full");
	assert_int_equal(json_array_size(lines), 16);
	assert_int_equal(lines_from(lines, 1), 16);
	json_decref(lines);
}

/* At the end nothing more can be tried: what is left is counted. */
static void test_full_at_the_end(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("end");
	gp_auto(gp_events_free) struct gp_events *e = open_events(cfg);
	struct capture c;

	capture_begin(&c, STDERR_FILENO);
	limit_file_size(0);
	add(e, 1, 1, 7);
	gp_events_finish(e);
	limit_file_size(RLIM_INFINITY);
	capture_end(&c);
	assert_int_equal(gp_events_take_dropped(e), 7);
	assert_false(gp_events_healthy(e));
	assert_string_equal(scratch_read("end"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_many_endpoints),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_everything_is_copied),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_reopen_fails),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_at_the_end),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
