// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server whose requests take a known time in a known place (places.h says which there are). A
 * reply says, in nanoseconds, what the server measured itself. Served by one thread for each
 * connection, or by forked processes (-f N), by one thread for all (-e), or by a thread that reads
 * and N others that work and answer (-w N). Says "ready PORT" once it listens.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "places.h"

static struct {
	int port, cpu, forks, shared, workers;
	int accept_ms, read_ms; /* how late; a read not before a connection's second */
	int http_us;		/* speaks HTTP; each request sleeps so long */
	int disk_mib;		/* makes a file of that size, in the current directory */
} cfg = {.cpu = -1};

static const char *const part_names[] = {"late",     "again", "read", "cpu",
					 "runqueue", "sleep", "io",   "call"};
_Static_assert(ARRAY_SIZE(part_names) == PARTS, "a name for each");

static struct request *new_request(int fd)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		die("memory");
	r->fd = fd;
	r->down = -1;
	return r;
}

static void end_connection(struct request *r)
{
	gp_close(&r->down);
	gp_close(&r->fd);
	free(r);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && !strcmp(text + length - strlen(end), end);
}

/* Reads the next request; false at the end of the connection. */
static bool take(struct request *r)
{
	int64_t came, cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	memset(r->parts, 0, sizeof(r->parts));
	do { /* of HTTP, an empty line ends a request that has no body */
		if (!read_line(r->fd, r->line, sizeof(r->line), &came))
			return false;
	} while (cfg.http_us && !ends_with(r->line, "\r\n\r"));
	if (cfg.http_us)
		snprintf(r->line, sizeof(r->line), "sleep %dus", cfg.http_us);
	r->parts[LATE] = wall_ns() - came;
	r->parts[READ] = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	r->rest = r->line;
	return true;
}

static void begin_stint(struct request *r)
{
	r->apart_ns = 0;
	r->since = look();
}

/* Whatever else blocked the thread than I/O is `sleep`, whether a step was to do so or not. */
static void end_stint(struct request *r)
{
	struct clocks now = look();

	r->parts[CPU] += now.cpu_ns - r->since.cpu_ns;
	r->parts[RUNQUEUE] += now.runqueue_ns - r->since.runqueue_ns;
	r->parts[SLEEP] += blocked_ns(&r->since, &now) - r->apart_ns;
	r->since = now;
	r->apart_ns = 0;
}

/* Goes on with the steps. False if a call is open now. */
static bool work(struct request *r)
{
	while (r->rest && *r->rest) {
		char *step = strsep(&r->rest, ";");

		if (!run_step(r, step))
			return false;
	}
	return true;
}

/* If the thread has to wait between the last look and the send, that is looked at again. */
static void answer(struct request *r)
{
	static const char http[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
	char text[LINE_BYTES];
	int64_t waited_ns;

	do {
		int at = 0;

		end_stint(r);
		waited_ns = r->since.runqueue_ns;
		for (int i = 0; i < PARTS; i++)
			at += snprintf(text + at, sizeof(text) - at, "%s%s=%lld", i ? " " : "",
				       part_names[i], (long long)r->parts[i]);
		snprintf(text + at, sizeof(text) - at, "\n");
	} while (runqueue_ns() != waited_ns);
	send_text(r->fd, cfg.http_us ? http : text);
}

/* All of a request that was read, by this thread. */
static void serve_request(struct request *r)
{
	begin_stint(r);
	while (!work(r))
		end_call(r);
	answer(r);
}

/* Once there is something to read or accept, leaves it there for a while. */
static void wait_and_pause(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	pause_us(ms * 1000);
}

/*
 * A connection, to its end. `waited_ns` is what the thread had waited for a CPU when it last was
 * about to answer or to accept: what it waits more until it reads, so does the request, if that
 * is there already.
 */
static void serve_connection(int fd, int64_t waited_ns)
{
	struct request *r = new_request(fd);

	runqueue_ns(); /* what it opens, it opens now */
	for (int n = 0;; n++) {
		int64_t wait;

		if (n && cfg.read_ms)
			wait_and_pause(fd, cfg.read_ms);
		if (!take(r))
			break;
		wait = runqueue_ns() - waited_ns;
		if (wait > r->parts[LATE])
			wait = r->parts[LATE];
		r->parts[LATE] -= wait;
		r->parts[RUNQUEUE] += wait;
		serve_request(r);
		waited_ns = r->since.runqueue_ns;
	}
	end_connection(r);
}

static int accept_one(int listener)
{
	int fd, on = 1;

	if (cfg.accept_ms)
		wait_and_pause(listener, cfg.accept_ms);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void *connection_thread(void *arg)
{
	serve_connection((int)(long)arg, 0);
	end_thread();
	return NULL;
}

static void serve_by_threads(int listener)
{
	for (;;)
		start_thread(connection_thread, (void *)(long)accept_one(listener));
}

static void serve_by_processes(int listener)
{
	for (int i = 0; i < cfg.forks; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int64_t waited_ns = runqueue_ns();

			serve_connection(accept_one(listener), waited_ns);
		}
	}
	for (;;)
		pause();
}

/* The connections of the thread that reads, and what happens on them: tells each whose it is. */
static void watch(int poll, int fd, void *whose)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = whose};

	if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
		die("epoll_ctl");
}

/* Runs `readable` for each connection with something to read on it or on that of its calls. */
static void serve_by_events(int listener, void (*readable)(int poll, struct request *r))
{
	int poll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (poll < 0)
		die("epoll_create1");
	watch(poll, listener, NULL);
	for (;;) {
		if (epoll_wait(poll, &event, 1, -1) < 1)
			continue;
		if (event.data.ptr) {
			readable(poll, event.data.ptr);
		} else {
			struct request *r = new_request(accept_one(listener));

			watch(poll, r->fd, r);
		}
	}
}

/* One thread for all: goes on with a request until it is answered or has a call open. */
static void serve_shared(int poll, struct request *r)
{
	if (r->sent_ns) {
		begin_stint(r);
		end_call(r);
	} else if (take(r)) {
		begin_stint(r);
	} else {
		end_connection(r);
		return;
	}
	if (work(r)) {
		answer(r);
	} else {
		watch(poll, r->down, r);
		end_stint(r);
	}
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct request *requests[1024];
	size_t begin, end;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static void hand_over(int poll, struct request *r)
{
	if (!take(r)) {
		end_connection(r);
		return;
	}
	pthread_mutex_lock(&queue.lock);
	queue.requests[queue.end++ % ARRAY_SIZE(queue.requests)] = r;
	pthread_cond_signal(&queue.some);
	pthread_mutex_unlock(&queue.lock);
}

static void *worker(void *arg)
{
	for (;;) {
		struct request *r;

		pthread_mutex_lock(&queue.lock);
		while (queue.begin == queue.end)
			pthread_cond_wait(&queue.some, &queue.lock);
		r = queue.requests[queue.begin++ % ARRAY_SIZE(queue.requests)];
		pthread_mutex_unlock(&queue.lock);
		serve_request(r);
	}
	return NULL;
}

/* A file that is gone when the server is, for what goes past the page cache. */
static void make_file(void)
{
	size_t size = 1 << 20;
	int *block;

	disk_fd = open(".", O_RDWR | O_TMPFILE | O_DIRECT | O_CLOEXEC, 0600);
	if (disk_fd < 0)
		die("O_DIRECT");
	if (posix_memalign((void **)&block, 4096, size))
		die("memory");
	for (int i = 0; i < cfg.disk_mib; i++) {
		for (size_t at = 0; at < size / sizeof(*block); at++)
			block[at] = rand();
		if (write(disk_fd, block, size) < (ssize_t)size)
			die("write");
	}
	free(block);
	fsync(disk_fd);
	memset(disk_bytes, 1, sizeof(disk_bytes)); /* its pages are there before the first read */
}

static const struct test_option options[] = {
	{'p', true, &cfg.port},	   {'u', true, &cfg.cpu},      {'f', true, &cfg.forks},
	{'e', false, &cfg.shared}, {'w', true, &cfg.workers},  {'a', true, &cfg.accept_ms},
	{'r', true, &cfg.read_ms}, {'d', true, &cfg.disk_mib}, {'s', true, &cfg.http_us},
};

int main(int argc, char **argv)
{
	int listener;

	parse_options(options, ARRAY_SIZE(options), argc, argv);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	pin_to(cfg.cpu);
	if (cfg.disk_mib)
		make_file();
	listener = listen_on(&cfg.port);
	printf("ready %d\n", cfg.port);
	fflush(stdout);
	if (cfg.forks)
		serve_by_processes(listener);
	for (int i = 0; i < cfg.workers; i++)
		start_thread(worker, NULL);
	if (cfg.workers || cfg.shared)
		serve_by_events(listener, cfg.workers ? hand_over : serve_shared);
	serve_by_threads(listener);
}
