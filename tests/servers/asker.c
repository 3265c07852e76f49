// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks a places server: asker -p PORT [options] LINE...
 *
 * Connections send one line after the other, each as soon as the one before is answered; which of
 * the LINEs goes by turns. At the end it prints, as JSON, the requests, their seconds from the send
 * to the arrival of the reply, and the sums of all that the replies say. Before that, with -t, a
 * line for each request that may have taken at least so many microseconds.
 */
#include <sys/epoll.h>

#include "lines.h"

#define CONNECTIONS_MAX 1024
#define NAMES_MAX 16
#define LINE_MAX_BYTES 1024

static struct {
	int port, connections;
	int requests; /* of each connection */
	int anew;     /* a connection for each request */
	int cpu;      /* runs on this one; -1: on any */
	int pause_us; /* before each request */
	int slow_us;  /* 0: no request is told of */
} cfg = {.connections = 1, .requests = 1, .cpu = -1};

struct connection {
	int fd, done;
	int64_t sent_ns, gone_ns; /* before and after the send */
};

/* The sums over all replies. */
static struct {
	char name[16];
	double sum;
} said[NAMES_MAX];

static double sum_ns, max_ns;
static int answered;

static void add(const char *name, size_t length, double value)
{
	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (!said[i].name[0] && length < sizeof(said[i].name))
			memcpy(said[i].name, name, length);
		if (strlen(said[i].name) == length && !memcmp(said[i].name, name, length)) {
			said[i].sum += value;
			return;
		}
	}
}

/* A reply is words like name=number. */
static void add_reply(char *reply)
{
	char *rest = NULL;

	for (char *word = strtok_r(reply, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *sign = strchr(word, '=');

		if (!sign) {
			fprintf(stderr, "asker: the server says: %s\n", word);
			exit(1);
		}
		add(word, sign - word, strtod(sign + 1, NULL));
	}
}

static void open_one(struct connection *c, int poll)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->fd = connect_to(cfg.port);
	if (c->fd < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event) < 0)
		die("connect");
}

static void ask(struct connection *c, const char *line)
{
	char text[LINE_MAX_BYTES + 1];

	snprintf(text, sizeof(text), "%s\n", line);
	pause_us(cfg.pause_us);
	c->sent_ns = wall_ns();
	if (!send_text(c->fd, text))
		die("send");
	c->gone_ns = cfg.slow_us ? wall_ns() : c->sent_ns;
}

/* One request: whose, when, how long it took at least and at most, and what the server says. */
static void tell(const struct connection *c, int64_t came_ns, const char *reply)
{
	struct sockaddr_in own;
	socklen_t length = sizeof(own);

	if (getsockname(c->fd, (struct sockaddr *)&own, &length) < 0)
		die("getsockname");
	printf("{\"port\": %d, \"sent_s\": %.9f, \"least_s\": %.9f, \"most_s\": %.9f, "
	       "\"reply\": \"%s\"}\n",
	       ntohs(own.sin_port), (double)c->sent_ns / 1e9, (double)(came_ns - c->gone_ns) / 1e9,
	       (double)(came_ns - c->sent_ns) / 1e9, reply);
}

static void hear(struct connection *c)
{
	char reply[LINE_MAX_BYTES];
	double took;
	int64_t stamp;

	if (!read_line(c->fd, reply, sizeof(reply), &stamp)) {
		fprintf(stderr, "asker: a connection was closed\n");
		exit(1);
	}
	took = (double)(stamp - c->sent_ns);
	if (cfg.slow_us && took >= cfg.slow_us * 1e3)
		tell(c, stamp, reply);
	sum_ns += took;
	max_ns = took > max_ns ? took : max_ns;
	answered++;
	c->done++;
	add_reply(reply);
}

static void print(void)
{
	printf("{\"requests\": %d, \"sum_s\": %.9f, \"max_s\": %.9f", answered, sum_ns / 1e9,
	       max_ns / 1e9);
	for (size_t i = 0; i < NAMES_MAX && said[i].name[0]; i++)
		printf(", \"%s\": %.9f", said[i].name, said[i].sum / 1e9);
	puts("}");
}

static const struct test_option options[] = {
	{'p', true, &cfg.port},	   {'c', true, &cfg.connections}, {'n', true, &cfg.requests},
	{'k', false, &cfg.anew},   {'u', true, &cfg.cpu},	  {'i', true, &cfg.pause_us},
	{'t', true, &cfg.slow_us},
};

int main(int argc, char **argv)
{
	static struct connection all[CONNECTIONS_MAX];
	int poll = epoll_create1(EPOLL_CLOEXEC), left, lines;

	parse_options(options, ARRAY_SIZE(options), argc, argv);
	lines = argc - optind;
	if (poll < 0 || lines < 1 || cfg.connections < 1 || cfg.connections > CONNECTIONS_MAX)
		return 2;
	pin_to(cfg.cpu);
	left = cfg.connections;
	for (int i = 0; i < cfg.connections; i++)
		open_one(&all[i], poll);
	for (int i = 0; i < cfg.connections; i++)
		ask(&all[i], argv[optind + i % lines]);
	while (left) {
		struct connection *c;
		struct epoll_event event;

		if (epoll_wait(poll, &event, 1, -1) < 1)
			continue;
		c = event.data.ptr;
		hear(c);
		if (c->done == cfg.requests || cfg.anew)
			gp_close(&c->fd);
		if (c->done == cfg.requests) {
			left--;
			continue;
		}
		if (cfg.anew)
			open_one(c, poll);
		ask(c, argv[optind + (c - all + c->done) % lines]);
	}
	print();
	return 0;
}
