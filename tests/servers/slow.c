// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server that is slow in a known place: before it accepts, before it reads, before it answers,
 * or because its peer reads slowly. A request is a fixed number of bytes, so is an answer; each
 * connection has a thread. Says "ready PORT" on standard output once it listens.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "common.h"

#define CHUNK 65536

static struct {
	int v6, sendfile, hang; /* both families; answers by sendfile; never answers */
	int port, backlog;
	int accept_ms, read_ms, think_ms; /* how late, and where */
	int request, answer, greeting;	  /* bytes */
	int sndbuf;			  /* 0: the kernel's own choice */
	int file;			  /* what sendfile sends */
} cfg = {.backlog = 1024, .request = 64, .answer = 128, .file = -1};

/* Waits until something is readable, without reading it: the wait is not part of what is slow. */
static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

/* Reads a whole request. False at the end of the connection. */
static bool read_request(int fd)
{
	static char ignored[CHUNK]; /* shared by all threads: nobody looks at it */
	int left = cfg.request;

	while (left > 0) {
		ssize_t n = read(fd, ignored, left < CHUNK ? left : CHUNK);

		if (n <= 0)
			return false;
		left -= n;
	}
	return true;
}

static bool send_bytes(int fd, int count)
{
	static const char zeros[CHUNK];

	while (count > 0) {
		ssize_t n = send(fd, zeros, count < CHUNK ? count : CHUNK, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		count -= n;
	}
	return true;
}

static bool send_answer(int fd)
{
	off_t at = 0;

	if (!cfg.sendfile)
		return send_bytes(fd, cfg.answer);
	while (at < cfg.answer)
		if (sendfile(fd, cfg.file, &at, cfg.answer - at) <= 0)
			return false;
	return true;
}

static void *serve(void *arg)
{
	int fd = (int)(long)arg;

	send_bytes(fd, cfg.greeting);
	for (;;) {
		wait_readable(fd);
		pause_us(cfg.read_ms * 1000);
		if (!read_request(fd))
			break;
		while (cfg.hang)
			pause();
		pause_us(cfg.think_ms * 1000);
		if (!send_answer(fd))
			break;
	}
	close(fd);
	return NULL;
}

static int listen_somewhere(void)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(cfg.port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(cfg.port)};
	struct sockaddr *address = cfg.v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t length = cfg.v6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (cfg.sndbuf) /* accepted sockets inherit it */
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &cfg.sndbuf, sizeof(cfg.sndbuf));
	if (bind(fd, address, length) < 0)
		die("bind");
	if (listen(fd, cfg.backlog) < 0)
		die("listen");
	if (getsockname(fd, address, &length) < 0)
		die("getsockname");
	printf("ready %d\n", ntohs(cfg.v6 ? v6.sin6_port : v4.sin_port));
	fflush(stdout);
	return fd;
}

static const struct test_option options[] = {
	{'6', false, &cfg.v6},	   {'H', false, &cfg.hang},    {'f', false, &cfg.sendfile},
	{'p', true, &cfg.port},	   {'l', true, &cfg.backlog},  {'a', true, &cfg.accept_ms},
	{'r', true, &cfg.read_ms}, {'t', true, &cfg.think_ms}, {'n', true, &cfg.request},
	{'w', true, &cfg.answer},  {'g', true, &cfg.greeting}, {'b', true, &cfg.sndbuf},
};

static void make_file(void)
{
	cfg.file = memfd_create("answer", MFD_CLOEXEC);
	if (cfg.file < 0 || ftruncate(cfg.file, cfg.answer) < 0)
		die("memfd_create");
}

int main(int argc, char **argv)
{
	pthread_attr_t detached;
	int listener;

	parse_options(options, ARRAY_SIZE(options), argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (cfg.sendfile)
		make_file();
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, 65536);
	listener = listen_somewhere();
	for (;;) {
		pthread_t thread;
		int fd, on = 1;

		wait_readable(listener);
		pause_us(cfg.accept_ms * 1000);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, &detached, serve, (void *)(long)fd))
			close(fd);
	}
}
