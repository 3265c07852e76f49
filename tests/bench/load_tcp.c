/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP and redis over many keep-alive connections in one epoll loop. All answers are alike: the
 * first one, asked for alone, says how long they are; from then on bytes are counted, and each
 * batch must begin as the first answer did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"
#include "own.h"

#define EVENTS 64
#define WAIT_MS 10000 /* no answer for so long: the server hangs */

struct connection {
	int fd;
	size_t missing; /* bytes of the batch's answers still to come; 0: nothing asked */
};

struct tcp_load {
	int epoll;
	unsigned connections, depth, open, busy;
	struct connection *connection;
	char *batch; /* `depth` requests */
	size_t batch_len, answer_len;
	const char *begins; /* what an answer begins with */
	uint64_t requests;
	char buffer[1 << 16];
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "load: error: %s: %s\n", what, strerror(err));
	return -err;
}

static void tcp_stop(void *load)
{
	struct tcp_load *l = load;

	for (unsigned i = 0; i < l->open; i++)
		gp_close(&l->connection[i].fd);
	gp_close(&l->epoll);
	free(l->connection);
	free(l->batch);
	free(l);
}

static void tcp_free(struct tcp_load **l)
{
	if (*l)
		tcp_stop(*l);
	*l = NULL;
}

/* One connection more, in blocking mode. */
static int open_connection(struct tcp_load *l, uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct connection *c = &l->connection[l->open];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail("socket", errno);
	l->open++;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		return fail("connect", errno);
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return fail("TCP_NODELAY", errno);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event))
		return fail("epoll_ctl", errno);
	return 0;
}

/* The length of the whole answer whose beginning is in the buffer; 0: cannot be told yet. */
static size_t http_answer_len(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *length = strstr(answer, "\r\nContent-Length:");

	if (!end || !length || length > end)
		return 0;
	return end + 4 - answer + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static size_t redis_answer_len(const char *answer)
{
	const char *end = strstr(answer, "\r\n");

	return end ? end + 2 - answer + strtoul(answer + 1, NULL, 10) + 2 : 0;
}

/* Asks once on the first connection and waits for the whole answer. */
static int learn_answer(struct tcp_load *l, const char *request, size_t (*answer_len)(const char *))
{
	int fd = l->connection[0].fd;
	size_t have = 0;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		return fail("send", errno);
	do {
		ssize_t n = recv(fd, l->buffer + have, sizeof(l->buffer) - 1 - have, 0);

		if (n <= 0)
			return fail("receive", n ? errno : ECONNRESET);
		have += n;
		l->buffer[have] = '\0';
		l->answer_len = answer_len(l->buffer);
	} while (!l->answer_len || have < l->answer_len);
	if (have != l->answer_len || strncmp(l->buffer, l->begins, strlen(l->begins)))
		return fail("an answer that was not expected", EPROTO);
	return 0;
}

static int tcp_start(void **out, const struct load_options *o, const char *request,
		     const char *begins, size_t (*answer_len)(const char *))
{
	gp_auto(tcp_free) struct tcp_load *l = calloc(1, sizeof(*l));
	size_t len = strlen(request);
	int err;

	if (!l)
		return fail("load", ENOMEM);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->connections = o->connections;
	l->depth = o->depth;
	l->begins = begins;
	l->batch_len = len * o->depth;
	l->connection = calloc(o->connections, sizeof(*l->connection));
	l->batch = malloc(l->batch_len);
	if (l->epoll < 0 || !l->connection || !l->batch)
		return fail("load", errno);
	for (unsigned i = 0; i < o->depth; i++)
		memcpy(l->batch + i * len, request, len);
	while (l->open < l->connections) {
		err = open_connection(l, o->port);
		if (err)
			return err;
	}
	err = learn_answer(l, request, answer_len);
	if (err)
		return err;
	for (unsigned i = 0; i < l->connections; i++)
		if (fcntl(l->connection[i].fd, F_SETFL, O_NONBLOCK))
			return fail("O_NONBLOCK", errno);
	*out = TAKE_PTR(l);
	return 0;
}

static int ask(struct tcp_load *l, struct connection *c)
{
	if (send(c->fd, l->batch, l->batch_len, MSG_NOSIGNAL) != (ssize_t)l->batch_len)
		return fail("send", errno);
	c->missing = l->answer_len * l->depth;
	l->busy++;
	return 0;
}

/* Takes what has come; asks again after the last answer of a batch, if there is to be more. */
static int take(struct tcp_load *l, struct connection *c, bool more)
{
	size_t begins_len = strlen(l->begins);
	ssize_t n = recv(c->fd, l->buffer, sizeof(l->buffer), 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return fail("receive", n ? errno : ECONNRESET);
	if ((size_t)n > c->missing)
		return fail("more bytes than the answers have", EPROTO);
	if (c->missing == l->answer_len * l->depth && (size_t)n >= begins_len &&
	    memcmp(l->buffer, l->begins, begins_len))
		return fail("an answer that was not expected", EPROTO);
	c->missing -= n;
	if (c->missing)
		return 0;
	l->requests += l->depth;
	l->busy--;
	return more ? ask(l, c) : 0;
}

/* One round of events. 0 or -errno. */
static int turn(struct tcp_load *l, bool more)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, WAIT_MS);
	int err = 0;

	if (n < 0)
		return fail("epoll_wait", errno);
	if (n == 0)
		return fail("no answer", ETIMEDOUT);
	for (int i = 0; i < n && !err; i++)
		err = take(l, events[i].data.ptr, more);
	return err;
}

static int tcp_run(void *load, uint64_t until_ns)
{
	struct tcp_load *l = load;
	int err = 0;

	for (unsigned i = 0; i < l->connections && !err; i++)
		if (!l->connection[i].missing)
			err = ask(l, &l->connection[i]);
	while (!err && load_clock_ns(CLOCK_MONOTONIC) < until_ns)
		err = turn(l, true);
	return err;
}

static int tcp_drain(void *load)
{
	struct tcp_load *l = load;
	int err = 0;

	while (!err && l->busy)
		err = turn(l, false);
	return err;
}

static uint64_t tcp_requests(const void *load)
{
	return ((const struct tcp_load *)load)->requests;
}

static int http_start(void **load, struct load_options *o)
{
	return tcp_start(load, o, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ",
			 http_answer_len);
}

/* The value is there already: the benchmark sets it. */
static int redis_start(void **load, struct load_options *o)
{
	return tcp_start(load, o, "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", "$3\r\n", redis_answer_len);
}

const struct load_kind load_http = {
	.name = "http",
	.start = http_start,
	.run = tcp_run,
	.drain = tcp_drain,
	.requests = tcp_requests,
	.stop = tcp_stop,
};

const struct load_kind load_redis = {
	.name = "redis",
	.start = redis_start,
	.run = tcp_run,
	.drain = tcp_drain,
	.requests = tcp_requests,
	.stop = tcp_stop,
};
