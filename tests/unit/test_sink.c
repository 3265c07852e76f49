// SPDX-License-Identifier: GPL-2.0-or-later
/* Where bytes go: what is opened and what is refused, and what a failing write leaves behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "own.h"
#include "scratch.h"
#include "sink.h"

static int write_text(struct gp_sink *s, const char *text, bool *taken)
{
	gp_auto(gp_free) char *copy = strdup(text);

	return gp_sink_write(s, &copy, strlen(copy), taken);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static const struct {
	const char *path;
	int error;
	const char *reason;
} refused[] = {
	{"link", -ELOOP, "symbolic link"},
	{"dangling", -ELOOP, "symbolic link"},
	{"directory", -EISDIR, "is a directory"},
	{"directory/", -EISDIR, "is a directory"},
	{"directory/..", -EISDIR, "is a directory"},
	{"socket", -ENOTSUP, "neither a regular file"},
	{"fifo", -ENXIO, "start its reader"},
	{"open/file", -EPERM, "sticky"},
	{"open/new", -EPERM, "sticky"},
	{"none/file", -ENOENT, "No such file"},
	{"file/file", -ENOTDIR, "Not a directory"},
};

static void test_refused(void **state)
{
	assert_int_equal(symlink("file", scratch_path("link")), 0);
	assert_int_equal(symlink("nowhere", scratch_path("dangling")), 0);
	assert_int_equal(mkdir(scratch_path("directory"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("open"), 0755), 0);
	assert_int_equal(chmod(scratch_path("open"), 0777), 0);
	assert_int_equal(mkfifo(scratch_path("fifo"), 0644), 0);
	make_socket(scratch_path("socket"));
	scratch_write("file", "x");
	scratch_write("open/file", "x");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		gp_auto(gp_free) char *path = strdup(scratch_path(refused[i].path));
		struct gp_sink s;

		gp_sink_init(&s, path);
		assert_int_equal(gp_sink_open(&s), refused[i].error);
		assert_int_equal(s.fd, -1);
		if (!strstr(gp_sink_reason(&s, refused[i].error), refused[i].reason))
			fail_msg("%s: %s", path, gp_sink_reason(&s, refused[i].error));
	}
	assert_int_equal(access(scratch_path("nowhere"), F_OK), -1);
	assert_int_equal(access(scratch_path("open/new"), F_OK), -1);
	assert_string_equal(scratch_read("file"), "x");
}

/* A directory that this user may not write: without privileges as with them, by another name. */
static void test_not_permitted(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("closed/file"));
	uid_t user = geteuid();
	struct gp_sink s;
	int rc;

	assert_int_equal(mkdir(scratch_path("closed"), 0555), 0);
	gp_sink_init(&s, path);
	if (!user)
		assert_int_equal(seteuid(65534), 0);
	rc = gp_sink_open(&s);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(rc, -EACCES);
	assert_string_equal(gp_sink_reason(&s, rc), "Permission denied");
}

/* Exchanges two names for ever. */
static pid_t start_exchanging(const char *a, const char *b)
{
	pid_t child = fork();

	while (!child)
		renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	return child;
}

/* Somebody puts a symbolic link in the place of the file just when it is opened. */
static void test_link_race(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("raced"));
	gp_auto(gp_free) char *other = strdup(scratch_path("other"));
	struct stat victim;
	int opened = 0;
	struct gp_sink s;
	pid_t child;

	scratch_write("victim", "");
	scratch_write("raced", "");
	assert_int_equal(stat(scratch_path("victim"), &victim), 0);
	assert_int_equal(symlink("victim", other), 0);
	gp_sink_init(&s, path);
	child = start_exchanging(path, other);
	for (int i = 0; i < 50000 && s.inode != victim.st_ino; i++)
		opened += !gp_sink_open(&s);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	gp_sink_close(&s);
	assert_true(opened > 0);
	assert_true(s.inode != victim.st_ino);
}

static void test_appends(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("new"));
	mode_t mask = umask(022);
	struct gp_sink s;
	struct stat st;
	bool taken;

	gp_sink_init(&s, path);
	assert_true(gp_sink_is_lost(&s));
	assert_int_equal(gp_sink_open(&s), 0);
	assert_false(gp_sink_is_lost(&s));
	assert_int_equal(write_text(&s, "one\ntwo\n", &taken), 0);
	assert_true(taken);
	gp_sink_close(&s);
	assert_int_equal(gp_sink_open(&s), 0);
	assert_int_equal(write_text(&s, "three\n", &taken), 0);
	assert_int_equal(write_text(&s, "", &taken), 0);
	assert_string_equal(scratch_read("new"), "one\ntwo\nthree\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(unlink(path), 0);
	assert_true(gp_sink_is_lost(&s));
	gp_sink_close(&s);
	umask(mask);
}

/* Only a file that is made gets the mode: another one's is left as it was. */
static void test_mode(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("private"));
	mode_t mask = umask(022);
	struct gp_sink s;
	struct stat st;

	gp_sink_init(&s, path);
	s.mode = 0600;
	assert_int_equal(gp_sink_open(&s), 0);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(gp_sink_open(&s), 0);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	gp_sink_close(&s);
	umask(mask);
}

/* In a directory such as /tmp, and by a path without any. */
static void test_sticky_and_relative(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("sticky/file"));
	gp_auto(gp_close) int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct gp_sink a, b;

	assert_int_equal(mkdir(scratch_path("sticky"), 0755), 0);
	assert_int_equal(chmod(scratch_path("sticky"), 01777), 0);
	gp_sink_init(&a, path);
	assert_int_equal(gp_sink_open(&a), 0);
	assert_int_equal(chdir(scratch_path("sticky")), 0);
	gp_sink_init(&b, "file");
	assert_int_equal(gp_sink_open(&b), 0);
	assert_true(gp_sink_is_same(&a, &b));
	gp_sink_close(&b);
	assert_false(gp_sink_is_same(&a, &b));
	gp_sink_init(&b, "another");
	assert_int_equal(gp_sink_open(&b), 0);
	assert_false(gp_sink_is_same(&a, &b));
	gp_sink_close(&a);
	gp_sink_close(&b);
	assert_int_equal(fchdir(before), 0);
}

static void test_devices(void **state)
{
	struct gp_sink null, full;
	bool taken;

	gp_sink_init(&null, "/dev/null");
	gp_sink_init(&full, "/dev/full");
	assert_int_equal(gp_sink_open(&null), 0);
	assert_int_equal(gp_sink_open(&full), 0);
	assert_int_equal(write_text(&null, "x\n", &taken), 0);
	assert_int_equal(write_text(&full, "x\n", &taken), -ENOSPC);
	assert_false(taken);
	gp_sink_close(&null);
	gp_sink_close(&full);
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The second line is written in part: nothing remains, neither of it nor of the first. */
static void test_cut_off(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("short"));
	struct gp_sink s;
	bool taken;

	scratch_write("short", "before\n");
	gp_sink_init(&s, path);
	assert_int_equal(gp_sink_open(&s), 0);
	limit_file_size(15);
	assert_int_equal(write_text(&s, "1234\n6789\n", &taken), -EFBIG);
	assert_false(taken);
	assert_string_equal(scratch_read("short"), "before\n");
	assert_int_equal(gp_sink_flush(&s), 0);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(write_text(&s, "1234\n6789\n", &taken), 0);
	assert_string_equal(scratch_read("short"), "before\n1234\n6789\n");
	gp_sink_close(&s);
}

/* Runs with standard output on `fd`. */
static int divert(int fd)
{
	int saved;

	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_return_code(dup2(fd, STDOUT_FILENO), errno);
	return saved;
}

static void restore(int saved)
{
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

/* `goldpan > file`: no append mode, and what was there is not ours. */
static void test_redirected(void **state)
{
	gp_auto(gp_close) int fd = -1;
	int saved, failed, again;
	struct gp_sink s;
	bool taken;

	scratch_write("redirected", "");
	fd = open(scratch_path("redirected"), O_WRONLY | O_CLOEXEC);
	saved = divert(fd);
	gp_sink_init(&s, NULL);
	assert_int_equal(gp_sink_open(&s), 0);
	assert_int_equal(write_text(&s, "header\n", &taken), 0);
	limit_file_size(10);
	failed = write_text(&s, "12345\n", &taken);
	limit_file_size(RLIM_INFINITY);
	again = write_text(&s, "67\n", &taken);
	gp_sink_close(&s);
	restore(saved);
	assert_int_equal(failed, -EFBIG);
	assert_int_equal(again, 0);
	assert_string_equal(scratch_read("redirected"), "header\n67\n");
}

/* What cannot be cut off, here because the file goes on behind it, is finished later instead. */
static void test_finished_later(void **state)
{
	gp_auto(gp_close) int fd = -1;
	int saved, first, blocked, flushed;
	struct gp_sink s;
	bool taken;

	scratch_write("overwritten", "----------------\n");
	fd = open(scratch_path("overwritten"), O_WRONLY | O_CLOEXEC);
	saved = divert(fd);
	gp_sink_init(&s, NULL);
	assert_int_equal(gp_sink_open(&s), 0);
	limit_file_size(5);
	first = write_text(&s, "123\n567\n", &taken);
	blocked = gp_sink_flush(&s);
	limit_file_size(RLIM_INFINITY);
	flushed = gp_sink_flush(&s);
	gp_sink_close(&s);
	restore(saved);
	assert_int_equal(first, -EFBIG);
	assert_true(taken);
	assert_int_equal(blocked, -EFBIG);
	assert_int_equal(flushed, 0);
	assert_string_equal(scratch_read("overwritten"), "123\n567\n--------\n");
}

/* Each line is one write: a socket that keeps messages apart shows it. */
static void test_one_write_a_line(void **state)
{
	int pair[2], saved, rc;
	struct gp_sink s;
	char buffer[64];
	bool taken;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	saved = divert(pair[1]);
	gp_sink_init(&s, NULL);
	rc = gp_sink_open(&s) ?: write_text(&s, "one\nsecond\n3\n", &taken);
	restore(saved);
	assert_int_equal(rc, 0);
	assert_int_equal(read(pair[0], buffer, sizeof(buffer)), 4);
	assert_int_equal(read(pair[0], buffer, sizeof(buffer)), 7);
	assert_int_equal(read(pair[0], buffer, sizeof(buffer)), 2);
	close(pair[0]);
	close(pair[1]);
}

static void test_standard_output_shut(void **state)
{
	gp_auto(gp_close) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct gp_sink s;
	int saved, reading, closed;

	gp_sink_init(&s, NULL);
	saved = divert(null);
	reading = gp_sink_open(&s);
	close(STDOUT_FILENO);
	closed = gp_sink_open(&s);
	restore(saved);
	assert_int_equal(reading, -EBADF);
	assert_int_equal(closed, -EBADF);
}

/* Reads what is in the FIFO, which must go on as the text of test_fifo does. */
static size_t read_fifo(int reader, size_t at)
{
	char byte;

	for (; read(reader, &byte, 1) == 1; at++)
		assert_int_equal(byte, at % 10000 == 9999 ? '\n' : 'a' + at % 26);
	return at;
}

/* A FIFO that is not read does not stop us for ever; read again, it yields every byte once. */
static void test_fifo(void **state)
{
	gp_auto(gp_free) char *path = strdup(scratch_path("stream")), *text = malloc(300001);
	gp_auto(gp_close) int reader = -1;
	struct gp_sink s;
	size_t got;
	bool taken;

	for (size_t i = 0; i < 300000; i++)
		text[i] = i % 10000 == 9999 ? '\n' : 'a' + i % 26;
	assert_int_equal(mkfifo(path, 0644), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	gp_sink_init(&s, path);
	assert_int_equal(gp_sink_open(&s), 0);
	assert_int_equal(gp_sink_write(&s, &text, 300000, &taken), -EAGAIN);
	assert_true(taken);
	assert_null(text);
	assert_int_equal(gp_sink_flush(&s), -EAGAIN);
	assert_int_equal(gp_sink_open(&s), 0); /* the same FIFO: the rest stays due */
	got = read_fifo(reader, 0);
	assert_true(fcntl(reader, F_SETPIPE_SZ, 1 << 19) > 0); /* room for all: no more waiting */
	assert_int_equal(gp_sink_flush(&s), 0);
	assert_int_equal(read_fifo(reader, got), 300000);
	gp_close(&reader);
	assert_int_equal(write_text(&s, "x\n", &taken), -EPIPE);
	assert_false(taken);
	gp_sink_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_link_race),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_sticky_and_relative),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_redirected),
		cmocka_unit_test(test_finished_later),
		cmocka_unit_test(test_one_write_a_line),
		cmocka_unit_test(test_standard_output_shut),
		cmocka_unit_test(test_fifo),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
