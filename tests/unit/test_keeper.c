// SPDX-License-Identifier: GPL-2.0-or-later
/* What the keeper does when asked, and what it does not; without a process and, as root, with. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture.h"
#include "keeper.h"
#include "own.h"
#include "scratch.h"

/* A keeper of the files "one" and "two" of a new directory. */
static struct gp_keeper *keeper(bool with_process)
{
	static char paths[2][PATH_MAX];
	const char *const names[] = {"one", "two"};
	struct gp_keeper *k = NULL;
	size_t number;

	if (with_process && geteuid())
		skip();
	assert_int_equal(gp_keeper_new(&k), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		unlink(scratch_path(names[i]));
		strcpy(paths[i], scratch_path(names[i]));
		assert_int_equal(gp_keeper_add(k, paths[i], 0600 + i * 044, &number), 0);
		assert_int_equal(number, i);
	}
	if (with_process)
		assert_int_equal(gp_keeper_start(k), 0);
	return k;
}

static void check_files(struct gp_keeper *k)
{
	enum gp_refusal why;
	struct stat st;
	char text[4] = "";
	int fd = -1;

	umask(022);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gp_keeper_append(k, 0, &fd, &why), 0);
		assert_int_equal(write(fd, "ab", 2), 2);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
	}
	assert_string_equal(scratch_read("one"), "abab");
	assert_int_equal(stat(scratch_path("one"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(gp_keeper_begin(k, 1, &fd, &why), 0);
	assert_int_equal(write(fd, "cd", 2), 2);
	close(fd);
	assert_int_equal(gp_keeper_replace(k, 1, &why), 0);
	assert_int_equal(gp_keeper_read(k, 1, &fd, &why), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	assert_string_equal(text, "cd");
	close(fd);
	assert_int_equal(gp_keeper_remove(k, 1, &why), 0);
	assert_int_equal(access(scratch_path("two"), F_OK), -1);
	assert_int_equal(gp_keeper_read(k, 1, &fd, &why), -ENOENT);
	assert_int_equal(symlink("one", scratch_path("two")), 0);
	assert_int_equal(gp_keeper_append(k, 1, &fd, &why), -ELOOP);
	assert_int_equal(why, GP_REFUSAL_LINK);
}

static void test_without(void **state)
{
	gp_auto(gp_keeper_free) struct gp_keeper *k = keeper(false);

	assert_int_equal(gp_keeper_watch(k), -1);
	check_files(k);
}

static void test_with(void **state)
{
	gp_auto(gp_keeper_free) struct gp_keeper *k = keeper(true);

	assert_true(gp_keeper_watch(k) >= 0);
	check_files(k);
}

/* It gives no answer to what goldpan never asks: it ends. Then that is said, once. */
static void check_end(struct gp_keeper *k, const void *request, size_t len)
{
	struct capture c;
	const char *said;
	enum gp_refusal why;
	char byte;
	int fd = -1;

	assert_int_equal(send(gp_keeper_watch(k), request, len, 0), len);
	assert_int_equal(recv(gp_keeper_watch(k), &byte, 1, 0), 0);
	capture_begin(&c, STDERR_FILENO);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gp_keeper_append(k, 0, &fd, &why), -ESRCH);
		assert_int_equal(why, GP_REFUSAL_KEEPER);
	}
	said = capture_end(&c);
	assert_int_equal(fd, -1);
	assert_int_equal(gp_keeper_watch(k), -1);
	assert_non_null(strstr(said, "is gone"));
	assert_int_equal(count_lines(said), 1);
}

static void test_never_asked(void **state)
{
	const uint32_t requests[][3] = {{5, 0}, {~0u, 0}, {0, 2}, {0, ~0u}, {0, 0, 0}, {0}};
	const size_t sizes[] = {8, 8, 8, 8, 12, 4};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		gp_auto(gp_keeper_free) struct gp_keeper *k = keeper(true);

		check_end(k, requests[i], sizes[i]);
	}
	assert_int_equal(access(scratch_path("one"), F_OK), -1);
}

/* With no file to keep there is nothing to fork for. */
static void test_no_files(void **state)
{
	gp_auto(gp_keeper_free) struct gp_keeper *k = NULL;

	assert_int_equal(gp_keeper_new(&k), 0);
	assert_int_equal(gp_keeper_start(k), 0);
	assert_int_equal(gp_keeper_watch(k), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_with),
		cmocka_unit_test(test_never_asked),
		cmocka_unit_test(test_no_files),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
