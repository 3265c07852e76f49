// SPDX-License-Identifier: GPL-2.0-or-later
/* Exports: what is refused at the start, and that nothing is lost or doubled when writing fails. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "capture.h"
#include "exporter.h"
#include "json_lines.h"
#include "output.h"
#include "own.h"
#include "sample.h"
#include "scratch.h"

/* One second, in which `requests` of 3 ms ended at nginx:8080; `active` connections are open. */
static struct gp_snapshot *second(uint64_t requests, uint64_t active)
{
	struct gp_snapshot *s = sample_new();
	struct gp_endpoint *e = sample_endpoint(s, "nginx", 8080, NULL);

	s->interval_ns = SECOND;
	e->active = active;
	for (uint64_t i = 0; i < requests; i++)
		sample_exchange(e, 2 * MS, 1 * MS);
	return s;
}

static int export_second(struct gp_outputs *o, uint64_t requests, uint64_t active)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = second(requests, active);

	return gp_outputs_export(o, s);
}

/* A configuration with the outputs given, up to NULL; paths are names in the scratch directory. */
static struct gp_config *config(const char *first, const char *second)
{
	char words[2][PATH_MAX + 16];
	const char *argv[] = {"goldpan", "-o", words[0], "-o", words[1]};
	const char *given[] = {first, second};
	struct gp_config *cfg = NULL;

	for (size_t i = 0; i < 2; i++) {
		const char *colon = given[i] ? strchr(given[i], ':') : NULL;

		if (colon && colon[1] != '/')
			snprintf(words[i], sizeof(words[i]), "%.*s:%s", (int)(colon - given[i]),
				 given[i], scratch_path(colon + 1));
		else if (given[i])
			strcpy(words[i], given[i]);
	}
	assert_int_equal(gp_config_parse(&cfg, second ? 5 : 3, argv), 0);
	return cfg;
}

static struct gp_outputs *open_outputs(const struct gp_config *cfg)
{
	struct gp_outputs *o = NULL;

	assert_int_equal(gp_outputs_new(&o, cfg, NULL), 0);
	assert_int_equal(gp_outputs_begin(o, &sample_meta), 0);
	assert_true(gp_outputs_healthy(o));
	return o;
}

static void test_exports(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:good", "table:table");
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	struct lines l;

	assert_int_equal(export_second(o, 5, 1), 0);
	assert_int_equal(export_second(o, 7, 2), 0);
	l = read_lines("good");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.endpoints, 2);
	assert_int_equal(l.selves, 2);
	assert_int_equal(l.requests, 12);
	assert_int_equal(l.active, 2);
	assert_non_null(strstr(scratch_read("table"), "nginx"));
	assert_true(gp_outputs_healthy(o));
}

static const struct {
	const char *first, *second;
	int error;
	const char *told;
} refused[] = {
	{"json:link", NULL, -ELOOP, "goldpan: error: output json to /"},
	{"json:link", NULL, -ELOOP, "link: it is a symbolic link"},
	{"table:directory", NULL, -EISDIR, "output table to /"},
	{"table:directory", NULL, -EISDIR, "it is a directory"},
	{"json:directory/fine", "json:none/file", -ENOENT, "none/file: No such file"},
	{"json:file", "table:directory/../file", -EINVAL, "they are one file"},
};

static void test_refused(void **state)
{
	assert_int_equal(symlink("file", scratch_path("link")), 0);
	assert_int_equal(mkdir(scratch_path("directory"), 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		gp_auto(gp_config_free) struct gp_config *cfg =
			config(refused[i].first, refused[i].second);
		struct gp_outputs *o = NULL;
		struct capture c;
		int rc;

		capture_begin(&c, STDERR_FILENO);
		rc = gp_outputs_new(&o, cfg, NULL);
		capture_end(&c);
		assert_int_equal(rc, refused[i].error);
		assert_null(o);
		if (count_lines(c.text) != 1 || !strstr(c.text, refused[i].told))
			fail_msg("%s", c.text);
	}
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static off_t size_of(const char *name)
{
	struct stat st = {};

	assert_int_equal(stat(scratch_path(name), &st), 0);
	return st.st_size;
}

/*
 * Three exports, of which the first two fail, and one after them: one line covers the three, with
 * the gauges of the last. Failure and recovery are said once each.
 */
static void check_lasting(struct gp_outputs *o, const char *name, void (*spoil)(void),
			  void (*repair)(void))
{
	struct capture c;
	int rc[4];

	assert_int_equal(export_second(o, 1, 9), 0);
	spoil();
	capture_begin(&c, STDERR_FILENO);
	rc[0] = export_second(o, 10, 8);
	rc[1] = export_second(o, 100, 7);
	capture_end(&c);
	assert_true(rc[0] < 0 && rc[0] != -EPIPE && rc[1] == rc[0]);
	assert_false(gp_outputs_healthy(o));
	assert_int_equal(count_lines(c.text), 1);
	assert_non_null(strstr(c.text, "goldpan: error: output json to "));
	repair();
	capture_begin(&c, STDERR_FILENO);
	rc[2] = export_second(o, 1000, 6);
	rc[3] = export_second(o, 10000, 5);
	capture_end(&c);
	assert_int_equal(rc[2], 0);
	assert_int_equal(rc[3], 0);
	assert_true(gp_outputs_healthy(o));
	assert_int_equal(count_lines(c.text), 1);
	assert_non_null(strstr(c.text, "works again"));
}

static void limit_to_a_part(void)
{
	limit_file_size(size_of("limited") + 100);
}

static void unlimit(void)
{
	limit_file_size(RLIM_INFINITY);
}

static void test_file_limit(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:limited", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	struct lines l;

	check_lasting(o, "limited", limit_to_a_part, unlimit);
	l = read_lines("limited");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.endpoints, 3);
	assert_int_equal(l.selves, 3);
	assert_int_equal(l.requests, 11111);
	assert_int_equal(l.active, 5);
	assert_true(l.covered == 5);
}

/* The merged line itself: interval and gauges. */
static void test_merged_line(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:merged", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	off_t before = size_of("merged");
	struct capture c;
	struct lines l;

	capture_begin(&c, STDERR_FILENO);
	for (int i = 0; i < 5; i++) {
		limit_file_size(before + 2);
		assert_int_equal(export_second(o, 2, i), -EFBIG);
		limit_file_size(RLIM_INFINITY);
		assert_int_equal(size_of("merged"), before);
	}
	assert_int_equal(export_second(o, 3, 77), 0);
	capture_end(&c);
	assert_int_equal(count_lines(c.text), 2);
	l = read_lines("merged");
	assert_int_equal(l.endpoints, 1);
	assert_int_equal(l.requests, 13);
	assert_int_equal(l.active, 77);
	assert_true(l.interval_s == 6);
}

static void fill_disk(void)
{
	static const char block[4096];
	int fd = open(scratch_path("disk/filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void empty_disk(void)
{
	assert_int_equal(unlink(scratch_path("disk/filler")), 0);
}

static void test_disk_full(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = NULL;
	gp_auto(gp_outputs_free) struct gp_outputs *o = NULL;
	struct lines l;

	assert_int_equal(mkdir(scratch_path("disk"), 0755), 0);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", scratch_path("disk"), "tmpfs", 0, "size=64k"))
		skip(); /* needs privileges; RLIMIT_FSIZE showed the like */
	cfg = config("json:disk/file", NULL);
	o = open_outputs(cfg);
	check_lasting(o, "disk/file", fill_disk, empty_disk);
	l = read_lines("disk/file");
	gp_outputs_free(&o);
	assert_int_equal(umount(scratch_path("disk")), 0);
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.requests, 11111);
	assert_true(l.covered == 5);
}

static void remove_directory(void)
{
	assert_int_equal(unlink(scratch_path("gone/file")), 0);
	assert_int_equal(rmdir(scratch_path("gone")), 0);
}

static void make_directory(void)
{
	assert_int_equal(mkdir(scratch_path("gone"), 0755), 0);
}

static void test_directory_removed(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:gone/file", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = NULL;
	struct lines l;

	make_directory();
	o = open_outputs(cfg);
	check_lasting(o, "gone/file", remove_directory, make_directory);
	l = read_lines("gone/file");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.endpoints, 2);
	assert_int_equal(l.requests, 11110); /* the first line went with the directory */
	assert_true(l.covered == 4);
}

static void test_file_removed(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:removed", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	struct lines l;

	assert_int_equal(export_second(o, 1, 1), 0);
	assert_int_equal(unlink(scratch_path("removed")), 0);
	assert_int_equal(export_second(o, 2, 1), 0);
	l = read_lines("removed");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.requests, 2);
}

/* Log rotation: renamed, still written to until told to reopen, then a new one with its meta. */
static void test_reopen(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:log", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	gp_auto(gp_free) char *old = strdup(scratch_path("log.1"));
	struct lines l;

	assert_int_equal(export_second(o, 1, 1), 0);
	assert_int_equal(rename(scratch_path("log"), old), 0);
	assert_int_equal(export_second(o, 2, 1), 0);
	assert_int_equal(gp_outputs_reopen(o, &sample_meta), 0);
	l = read_lines("log");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.endpoints, 0);
	assert_int_equal(export_second(o, 4, 1), 0);
	l = read_lines("log.1");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.requests, 3);
	l = read_lines("log");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.requests, 4);
}

/* What cannot be opened again is opened at the first export that can. */
static void test_reopen_fails(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:again", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = open_outputs(cfg);
	struct capture c;
	struct lines l;

	assert_int_equal(unlink(scratch_path("again")), 0);
	assert_int_equal(symlink("elsewhere", scratch_path("again")), 0);
	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(gp_outputs_reopen(o, &sample_meta), -ELOOP);
	assert_int_equal(export_second(o, 1, 1), -ELOOP);
	assert_false(gp_outputs_healthy(o));
	assert_int_equal(unlink(scratch_path("again")), 0);
	assert_int_equal(export_second(o, 2, 1), 0);
	capture_end(&c);
	assert_int_equal(count_lines(c.text), 2);
	assert_true(gp_outputs_healthy(o));
	l = read_lines("again");
	assert_int_equal(l.meta, 1);
	assert_int_equal(l.endpoints, 1);
	assert_int_equal(l.requests, 3);
	assert_int_equal(access(scratch_path("elsewhere"), F_OK), -1);
}

static char *as_text(const struct gp_exporter *exporter, const struct gp_snapshot *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(exporter->write(s, out, 0), 0);
	fclose(out);
	return text;
}

/* What is kept says the same as what could not be written, and owns what it says. */
static void test_copy(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *copy = NULL, *s = second(3, 2);
	struct gp_endpoint *e = sample_endpoint(s, "redis", 6379, "192.0.2.1");
	struct gp_map_use map = {"conns", 3, 8};
	struct gp_program program = {"arrive_tp", 5, 600};

	e->in_flight = e->oldest_ns = e->unread_bytes = e->rtt_ns = e->rtt_count = 5;
	sample_service(s, "redis", 7)->pid = 4711;
	sample_edge(s, "nginx", "redis", "192.0.2.1", 5)->errors = 2;
	s->self = (struct gp_self){
		.has_programs = true, .programs = 1, .maps = 1, .cpu_ns = 8, .rss_bytes = 9};
	s->self.map = malloc(sizeof(map));
	s->self.program = malloc(sizeof(program));
	*s->self.map = map;
	*s->self.program = program;
	assert_int_equal(gp_snapshot_copy(&copy, s), 0);
	for (size_t i = 0; i < 2; i++) {
		const struct gp_exporter *exporter = i ? &gp_exporter_table : &gp_exporter_json;
		gp_auto(gp_free) char *one = as_text(exporter, s), *two = NULL;

		gp_snapshot_free(&s);
		two = as_text(exporter, copy);
		assert_string_equal(one, two);
		assert_int_equal(gp_snapshot_copy(&s, copy), 0);
	}
}

/* /dev/full opens, but its first line says what it is; the other output does not suffer. */
static void test_dev_full(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:/dev/full", "json:beside");
	gp_auto(gp_outputs_free) struct gp_outputs *o = NULL;
	struct capture c;

	assert_int_equal(gp_outputs_new(&o, cfg, NULL), 0);
	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(gp_outputs_begin(o, &sample_meta), -ENOSPC);
	assert_int_equal(export_second(o, 1, 1), -ENOSPC);
	assert_int_equal(export_second(o, 2, 1), -ENOSPC);
	capture_end(&c);
	assert_string_equal(c.text, "goldpan: error: output json to /dev/full: "
				    "No space left on device\n");
	assert_false(gp_outputs_healthy(o));
	assert_int_equal(read_lines("beside").requests, 3);
}

/* `goldpan | head`: the end, and no failure; the other output has all. */
static void test_reader_of_stdout_gone(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("table", "json:too");
	gp_auto(gp_outputs_free) struct gp_outputs *o = NULL;
	int ends[2], saved, rc[2];
	struct capture c;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	capture_begin(&c, STDERR_FILENO);
	o = open_outputs(cfg);
	close(ends[0]);
	rc[0] = export_second(o, 1, 1);
	rc[1] = export_second(o, 2, 1);
	capture_end(&c);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(rc[0], -EPIPE);
	assert_int_equal(rc[1], -EPIPE);
	assert_string_equal(c.text, "");
	assert_true(gp_outputs_healthy(o));
	assert_int_equal(read_lines("too").requests, 3);
}

/* A FIFO's reader may come and go: what was exported meanwhile comes with the next export. */
static void test_reader_of_fifo_gone(void **state)
{
	gp_auto(gp_config_free) struct gp_config *cfg = config("json:fifo", NULL);
	gp_auto(gp_outputs_free) struct gp_outputs *o = NULL;
	struct lines l = {};
	struct capture c;
	char text[65536];
	int reader;
	ssize_t n;

	assert_int_equal(mkfifo(scratch_path("fifo"), 0644), 0);
	reader = open(scratch_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	o = open_outputs(cfg);
	assert_true(read(reader, text, sizeof(text)) > 0);
	close(reader);
	capture_begin(&c, STDERR_FILENO);
	assert_int_equal(export_second(o, 1, 1), -EIO);
	assert_int_equal(export_second(o, 2, 1), -EIO);
	reader = open(scratch_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(export_second(o, 4, 1), 0);
	capture_end(&c);
	n = read(reader, text, sizeof(text));
	close(reader);
	assert_true(n > 0);
	for (char *at = text, *end; at < text + n; at = end + 1) {
		end = memchr(at, '\n', text + n - at);
		assert_non_null(end);
		add_line(&l, at, end - at);
	}
	assert_int_equal(l.endpoints, 1);
	assert_int_equal(l.requests, 7);
	assert_non_null(strstr(c.text, "its reader went away"));
	assert_int_equal(count_lines(c.text), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file_limit),
		cmocka_unit_test(test_merged_line),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_directory_removed),
		cmocka_unit_test(test_file_removed),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_reopen_fails),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_dev_full),
		cmocka_unit_test(test_reader_of_stdout_gone),
		cmocka_unit_test(test_reader_of_fifo_gone),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
