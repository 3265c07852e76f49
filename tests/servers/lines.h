/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines over TCP, with the time at which the kernel got them: what tests' servers and clients say
 * of a wait begins when the bytes came, not when they noticed. Both ends on loopback.
 */
#ifndef GP_TEST_LINES_H
#define GP_TEST_LINES_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common.h"

/* What the kernel's stamps count by. */
static inline int64_t wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* Set on a listener, the sockets accepted from it have it from birth. */
static inline void want_stamps(int fd)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
		die("SO_TIMESTAMPNS");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* As recv; *stamp_ns is when its last bytes came, and unchanged where there were none. */
static inline ssize_t receive(int fd, char *to, size_t size, int64_t *stamp_ns)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec vector = {.iov_base = to, .iov_len = size};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, 0);

	if (n <= 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct timespec t;

		if (c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		*stamp_ns = t.tv_sec * 1000000000LL + t.tv_nsec;
	}
	return n;
}

/* One line, its end cut off; false at the end of the connection, or if it is too long. */
static inline bool read_line(int fd, char *to, size_t size, int64_t *stamp_ns)
{
	size_t length = 0;

	*stamp_ns = 0;
	while (length < size - 1) {
		ssize_t n = receive(fd, to + length, size - 1 - length, stamp_ns);

		if (n <= 0)
			return false;
		length += n;
		if (to[length - 1] == '\n') {
			to[length - 1] = '\0';
			return true;
		}
	}
	return false;
}

static inline bool send_text(int fd, const char *text)
{
	size_t length = strlen(text);

	return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* A connection to a port of this host, or -1. */
static inline int connect_to(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		gp_close(&fd);
		return -1;
	}
	want_stamps(fd);
	return fd;
}

/* A listener on a port of this host (0: any that is free), which *port then is. */
static inline int listen_on(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(*port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	want_stamps(fd);
	if (bind(fd, (struct sockaddr *)&at, length) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &length) < 0)
		die("listen");
	*port = ntohs(at.sin_port);
	return fd;
}

#endif
