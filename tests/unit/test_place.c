// SPDX-License-Identifier: GPL-2.0-or-later
/* How a file is reached: what test_sink.c leaves to say of the way there, and files replaced. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "own.h"
#include "place.h"
#include "scratch.h"

/* Opens a file of the scratch directory for appending, and closes it. */
static int append(const char *name, enum gp_refusal *why)
{
	struct gp_place p = {scratch_path(name), 0644};
	gp_auto(gp_close) int fd = -1;
	int err = gp_place_append(&p, &fd, why);

	assert_true(!err == (fd >= 0));
	return err;
}

static const struct {
	const char *path;
	int error;
	enum gp_refusal why;
} ways[] = {
	{"link/file", -ELOOP, GP_REFUSAL_LINK_ON_THE_WAY},
	{"a/up/file", -ELOOP, GP_REFUSAL_LINK_ON_THE_WAY},
	{"a/../link/file", -ELOOP, GP_REFUSAL_LINK_ON_THE_WAY},
	{"dangling/file", -ELOOP, GP_REFUSAL_LINK_ON_THE_WAY},
	{"open/deeper/file", -EPERM, GP_REFUSAL_WRITABLE},
	{"a/several", -EMLINK, GP_REFUSAL_NAMES},
	{"a/plain/file", -ENOTDIR, GP_REFUSAL_NONE},
	{"a//plain", 0, GP_REFUSAL_NONE},
	{"a/./plain", 0, GP_REFUSAL_NONE},
	{"a/../a/plain", 0, GP_REFUSAL_NONE},
	{"sticky/file", 0, GP_REFUSAL_NONE},
};

static void make_tree(void)
{
	assert_int_equal(mkdir(scratch_path("a"), 0755), 0);
	assert_int_equal(symlink("a", scratch_path("link")), 0);
	assert_int_equal(symlink("nowhere", scratch_path("dangling")), 0);
	assert_int_equal(symlink("..", scratch_path("a/up")), 0);
	assert_int_equal(mkdir(scratch_path("open"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("open/deeper"), 0755), 0);
	assert_int_equal(chmod(scratch_path("open"), 0777), 0);
	assert_int_equal(mkdir(scratch_path("sticky"), 0755), 0);
	assert_int_equal(chmod(scratch_path("sticky"), 01777), 0);
	scratch_write("a/plain", "x");
	scratch_write("a/several", "x");
}

static void test_ways(void **state)
{
	gp_auto(gp_free) char *several = NULL;

	make_tree();
	several = strdup(scratch_path("a/several"));
	assert_int_equal(link(several, scratch_path("a/second")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		enum gp_refusal why;

		if (append(ways[i].path, &why) != ways[i].error || why != ways[i].why)
			fail_msg("%s: refusal %d", ways[i].path, why);
		assert_true(!why == !gp_refusal_text(why));
	}
	assert_string_equal(scratch_read("a/several"), "x");
}

static void test_long_names(void **state)
{
	char name[NAME_MAX + 8];
	enum gp_refusal why;

	memset(name, 'n', sizeof(name));
	strcpy(name + NAME_MAX + 1, "/file");
	assert_int_equal(append(name, &why), -ENAMETOOLONG);
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(append(name, &why), -ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	assert_int_equal(append(name, &why), 0);
}

/* A reader sees what was there before, or all that is new; never a part, and never nothing. */
static void test_replaced(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("whole"));
	struct gp_place p = {path, 0640};
	gp_auto(gp_close) int fd = -1;
	mode_t mask = umask(0);
	enum gp_refusal why;
	struct stat st;

	scratch_write("whole", "before");
	scratch_write(".whole.goldpan", "left over");
	assert_int_equal(gp_place_begin(&p, &fd, &why), 0);
	umask(mask);
	assert_int_equal(write(fd, "new", 3), 3);
	assert_string_equal(scratch_read("whole"), "before");
	assert_int_equal(gp_place_replace(&p, &why), 0);
	assert_string_equal(scratch_read("whole"), "new");
	assert_int_equal(access(scratch_path(".whole.goldpan"), F_OK), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(gp_place_remove(&p, &why), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(gp_place_remove(&p, &why), 0); /* there is none: fine */
	assert_int_equal(gp_place_replace(&p, &why), -ENOENT);
}

/* What is not a regular file is neither replaced nor removed. */
static void test_not_replaced(void **state)
{
	gp_auto(gp_free) char *target = strdup(scratch_path("target"));
	const char *const names[] = {"to-target", "pipe"};

	scratch_write("target", "as it was");
	assert_int_equal(symlink(target, scratch_path("to-target")), 0);
	assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		gp_auto(gp_free) char *path = strdup(scratch_path(names[i]));
		struct gp_place p = {path, 0644};
		enum gp_refusal why;
		int fd = -1;

		assert_true(gp_place_begin(&p, &fd, &why) < 0);
		assert_true(why != GP_REFUSAL_NONE);
		assert_true(gp_place_replace(&p, &why) < 0);
		assert_true(gp_place_remove(&p, &why) < 0);
		assert_int_equal(access(path, F_OK), 0);
	}
	assert_string_equal(scratch_read("target"), "as it was");
}

static void test_read(void **state)
{
	struct gp_place p = {"/none/such", 0};
	enum gp_refusal why;
	char text[8] = "";
	int fd = -1;

	assert_int_equal(gp_place_read(&p, &fd, &why), -ENOENT);
	scratch_write("config", "quiet");
	p.path = scratch_path("config");
	assert_int_equal(gp_place_read(&p, &fd, &why), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_string_equal(text, "quiet");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),	 cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_replaced), cmocka_unit_test(test_not_replaced),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
