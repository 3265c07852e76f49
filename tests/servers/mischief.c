// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an unprivileged user may do to an observer: many listening ports, many connections, many
 * programs. Each exchange is a byte and a byte.
 *
 *   mischief serve ADDRESS PORT COUNT     listens on COUNT ports from PORT on; says "ready"
 *   mischief ask ADDRESS PORT COUNT SPAN  a connection and an exchange each, on SPAN ports in turn,
 *                                         at most AT_ONCE open, unless SPAN is 1: then all stay
 *                                         open; says "answered COUNT"; ends with its input
 *   mischief names DIRECTORY COUNT ADDRESS PORT   COUNT programs with names of their own, each of
 *                                         which asks once; says "answered COUNT"
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common.h"

#define AT_ONCE 4
#define EVENTS 256

extern char **environ;

static struct sockaddr_in place(const char *address, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		die("address");
	return at;
}

static void watch(int epoll, int fd, bool listens)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)listens << 32 | fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void answer(int fd)
{
	char byte;

	if (read(fd, &byte, 1) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		return;
	close(fd);
}

static int listen_at(const char *address, int port)
{
	struct sockaddr_in at = place(address, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

static void serve(const char *address, int port, int count)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0);

	for (int i = 0; i < count; i++)
		watch(epoll, listen_at(address, port + i), true);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)events[i].data.u64;

			if (!(events[i].data.u64 >> 32)) {
				answer(fd);
				continue;
			}
			fd = accept(fd, NULL, NULL);
			if (fd >= 0)
				watch(epoll, fd, false);
		}
	}
}

/* One exchange on a new connection, which is returned. */
static int ask_once(const char *address, int port)
{
	struct sockaddr_in at = place(address, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte = '?';

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect");
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		die("exchange");
	return fd;
}

static void ask(const char *address, int port, int count, int span)
{
	char byte;

	for (int i = 0; i < count; i++) {
		int fd = ask_once(address, port + i % span);

		if (span > 1)
			close(fd);
	}
	printf("answered %d\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void start(const char *name, const char *address, const char *port)
{
	const char *argv[] = {name, "ask", address, port, "1", "2", NULL};
	pid_t pid;

	if (posix_spawn(&pid, name, NULL, NULL, (char **)argv, environ))
		die(name);
}

static void names(const char *directory, int count, const char *address, const char *port)
{
	char name[PATH_MAX], program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int status, answered = 0, quiet = open("/dev/null", O_RDWR), out = dup(STDOUT_FILENO);

	if (len < 0 || quiet < 0 || out < 0)
		die("names");
	program[len] = '\0';
	dup2(quiet, STDIN_FILENO);
	dup2(quiet, STDOUT_FILENO);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/n%d", directory, i);
		if (symlink(program, name) < 0)
			die(name);
		start(name, address, port);
		if (i >= AT_ONCE && wait(&status) > 0)
			answered += !status;
	}
	while (wait(&status) > 0)
		answered += !status;
	dprintf(out, "answered %d\n", answered);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc == 5 && !strcmp(argv[1], "serve"))
		serve(argv[2], atoi(argv[3]), atoi(argv[4]));
	else if (argc == 6 && !strcmp(argv[1], "ask"))
		ask(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
	else if (argc == 6 && !strcmp(argv[1], "names"))
		names(argv[2], atoi(argv[3]), argv[4], argv[5]);
	else
		return 2;
	return 0;
}
