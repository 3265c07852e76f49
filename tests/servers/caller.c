// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client with a clock of its own, the second source for what goldpan reports. Sends requests of
 * a fixed size, reads answers of a fixed size, and says on standard output in one line of JSON what
 * it did and how long that took by its own clock.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common.h"

#define CHUNK 65536
#define TIMED_MAX 1000 /* requests */

static struct {
	const char *address;
	int each_new;	/* a connection for each request */
	int half_close; /* closes its sending side after the request */
	int on_command; /* a count of requests for each line of standard input */
	int port, count, request, answer, greeting;
	int idle_ms;		     /* between requests of a connection */
	int leave_ms;		     /* close after this long instead of reading the answer */
	int reset;		     /* closes by a reset */
	int rcvbuf, chunk, chunk_ms; /* a slow reader: this much at once, then a pause */
	int sources, targets;	     /* spread over this many loopback addresses */
} cfg = {.address = "127.0.0.1", .count = 1, .request = 64, .answer = 128, .chunk = CHUNK};

static struct {
	long requests, connects, refused, timeout, failed;
	int64_t sum_ns, max_ns, first_ns, connect_ns, bytes_in, bytes_out;
} done;

/* The n-th loopback address: 127.1.0.1 and on, none of them ending in 0 or 255. */
static in_addr_t nth_address(int n)
{
	return htonl(0x7f010000u + (n / 254 << 8) + n % 254 + 1);
}

/* The address to connect to, and its length; the n-th loopback address if they are many. */
static socklen_t target(struct sockaddr_storage *to, int n)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (cfg.targets || inet_pton(AF_INET, cfg.address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(cfg.port);
		if (cfg.targets)
			v4->sin_addr.s_addr = nth_address(n % cfg.targets);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, cfg.address, &v6->sin6_addr) != 1)
		die("address");
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(cfg.port);
	return sizeof(*v6);
}

static void bind_source(int fd, int n)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int on = 1;

	from.sin_addr.s_addr = nth_address(n % cfg.sources);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind");
}

static void count_failure(int error)
{
	if (error == ECONNREFUSED)
		done.refused++;
	else if (error == ETIMEDOUT)
		done.timeout++;
	else
		done.failed++;
}

/* A connection, the n-th; -1 after counting why there is none. */
static int open_connection(int n)
{
	struct sockaddr_storage to;
	socklen_t length = target(&to, n);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct linger no_linger = {.l_onoff = 1};
	int64_t began;

	if (fd < 0)
		die("socket");
	if (cfg.rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &cfg.rcvbuf, sizeof(cfg.rcvbuf));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (cfg.reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
	if (cfg.sources)
		bind_source(fd, n);
	began = clock_ns(CLOCK_MONOTONIC);
	if (connect(fd, (struct sockaddr *)&to, length) < 0) {
		count_failure(errno);
		close(fd);
		return -1;
	}
	done.connect_ns += clock_ns(CLOCK_MONOTONIC) - began;
	done.connects++;
	return fd;
}

/* Reads `count` bytes, in chunks with pauses if asked to. Stores when the first were there. */
static bool read_bytes(int fd, int count, int64_t *first_ns)
{
	static char ignored[CHUNK];
	int at = 0;

	while (at < count) {
		int want = count - at < cfg.chunk ? count - at : cfg.chunk;
		ssize_t n = read(fd, ignored, want);

		if (n <= 0)
			return false;
		if (!at && first_ns)
			*first_ns = clock_ns(CLOCK_MONOTONIC);
		at += n;
		done.bytes_in += n;
		if (at < count)
			pause_us(cfg.chunk_ms * 1000);
	}
	return true;
}

static bool send_request(int fd)
{
	static const char zeros[CHUNK];
	int left = cfg.request;

	while (left > 0) {
		ssize_t n = send(fd, zeros, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		left -= n;
		done.bytes_out += n;
	}
	return true;
}

/* One exchange. False if the connection is of no more use. */
static bool exchange(int fd)
{
	int64_t began = clock_ns(CLOCK_MONOTONIC), first = began, took;

	if (!send_request(fd))
		return false;
	if (cfg.half_close)
		shutdown(fd, SHUT_WR);
	if (cfg.leave_ms) {
		pause_us(cfg.leave_ms * 1000);
		return false;
	}
	if (!read_bytes(fd, cfg.answer, &first))
		return false;
	took = clock_ns(CLOCK_MONOTONIC) - began;
	done.requests++;
	done.sum_ns += took;
	done.first_ns += first - began;
	if (took > done.max_ns)
		done.max_ns = took;
	return true;
}

/* `count` exchanges, on the connection *fd (-1: none yet), which stays open if it can. */
static void run(int *fd, int count)
{
	for (int i = 0; i < count; i++) {
		if (*fd < 0) {
			*fd = open_connection(i);
			if (*fd < 0)
				continue;
			read_bytes(*fd, cfg.greeting, NULL);
		}
		if (!exchange(*fd) || cfg.each_new || cfg.half_close) {
			close(*fd);
			*fd = -1;
		}
		if (i + 1 < count)
			pause_us(cfg.idle_ms * 1000);
	}
}

static void report(void)
{
	printf("{\"requests\": %ld, \"sum_s\": %.9f, \"max_s\": %.9f, \"first_byte_sum_s\": %.9f, "
	       "\"connects\": %ld, \"connect_sum_s\": %.9f, \"refused\": %ld, \"timeout\": %ld, "
	       "\"failed\": %ld, \"bytes_in\": %lld, \"bytes_out\": %lld}\n",
	       done.requests, (double)done.sum_ns / 1e9, (double)done.max_ns / 1e9,
	       (double)done.first_ns / 1e9, done.connects, (double)done.connect_ns / 1e9,
	       done.refused, done.timeout, done.failed, (long long)done.bytes_in,
	       (long long)done.bytes_out);
	fflush(stdout);
	memset(&done, 0, sizeof(done));
}

static const struct test_option options[] = {
	{'k', false, &cfg.each_new}, {'I', false, &cfg.on_command}, {'h', false, &cfg.half_close},
	{'p', true, &cfg.port},	     {'c', true, &cfg.count},	    {'n', true, &cfg.request},
	{'w', true, &cfg.answer},    {'g', true, &cfg.greeting},    {'i', true, &cfg.idle_ms},
	{'L', true, &cfg.leave_ms},  {'b', true, &cfg.rcvbuf},	    {'r', true, &cfg.chunk},
	{'s', true, &cfg.chunk_ms},  {'S', true, &cfg.sources},	    {'T', true, &cfg.targets},
	{'R', false, &cfg.reset},
};

/*
 * Ahead of everybody else, so that its clock measures the server and not its own waiting. Not for
 * loads, which would keep everybody else from the CPU.
 */
static void hurry(void)
{
	struct sched_param p = {.sched_priority = 1};

	sched_setscheduler(0, SCHED_FIFO, &p); /* without it the test is only less exact */
}

int main(int argc, char **argv)
{
	char line[32];
	int fd = -1;

	parse_options(options, ARRAY_SIZE(options), argc, argv);
	if (optind < argc)
		cfg.address = argv[optind];
	if (cfg.chunk < 1 || cfg.chunk > CHUNK)
		return 2;
	if (cfg.count <= TIMED_MAX)
		hurry();
	if (!cfg.on_command) {
		run(&fd, cfg.count);
		report();
		return 0;
	}
	while (fgets(line, sizeof(line), stdin)) {
		run(&fd, atoi(line));
		report();
	}
	return 0;
}
