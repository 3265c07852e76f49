/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a places server does for a request, and where the time of it went by the clocks of the
 * thread that did it: thread CPU time, the run-queue wait of its schedstat, CLOCK_MONOTONIC, and
 * the kernel's stamps of received packets.
 *
 * A request is a line of steps, `cpu 20ms; sleep 500us`. The words are in steps[] at the end.
 */
#ifndef GP_TEST_PLACES_H
#define GP_TEST_PLACES_H

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

#include "lines.h"

#define LINE_BYTES 1024
#define NAPS 4096 /* a power of two */
#define FAN_MAX 16
#define DISK_MAX (8 << 20)

/*
 * Where time goes. `late`: from the request's arrival until it is read, `again`: likewise of a
 * call's reply. `read`: CPU time of the system call that reads it, in the middle of which the bytes
 * are taken; it is part of `late`, and not in `cpu`.
 */
enum part { LATE, AGAIN, READ, CPU, RUNQUEUE, SLEEP, IO, CALL, PARTS };

struct clocks {
	int64_t mono_ns, cpu_ns, runqueue_ns;
};

struct request {
	int fd;
	int down, down_port; /* connection for its calls, kept; -1: none yet */
	int64_t sent_ns;     /* a call is open since; 0: none */
	char line[LINE_BYTES];
	char *rest; /* steps still to be done */
	int64_t parts[PARTS];
	struct clocks since; /* of the present stint of work on it */
	int64_t apart_ns;    /* of it: was blocked, but not in `sleep` */
};

static int disk_fd = -1;
static char disk_bytes[DISK_MAX] __attribute__((aligned(4096))); /* nobody looks at them */
static __thread int schedstat_fd = -1;

/* When this thread was blocked in a step, newest last: what others waited for meanwhile. */
static __thread struct {
	int64_t begin_ns, end_ns;
	enum part part;
} naps[NAPS];
static __thread unsigned int nap_count;

/* The thread's wait for CPUs so far. In a process that was forked, the thread opens its own. */
static inline int64_t runqueue_ns(void)
{
	char text[80] = "";
	long long wait = 0;

	if (schedstat_fd < 0)
		schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (schedstat_fd < 0 || pread(schedstat_fd, text, sizeof(text) - 1, 0) < 0)
		die("schedstat");
	sscanf(text, "%*d %lld", &wait);
	return wait;
}

/* All at one moment: again if the thread had to wait in between. */
static inline struct clocks look(void)
{
	struct clocks c = {.runqueue_ns = runqueue_ns()};
	int64_t before;

	do {
		before = c.runqueue_ns;
		c.mono_ns = clock_ns(CLOCK_MONOTONIC);
		c.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		c.runqueue_ns = runqueue_ns();
	} while (c.runqueue_ns != before);
	return c;
}

static inline void start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t detached;
	pthread_t thread;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	errno = pthread_create(&thread, &detached, run, arg);
	if (errno)
		die("pthread_create");
}

/* A time like 20ms or 500us, in nanoseconds. */
static inline int64_t time_ns(const char *text)
{
	char *unit;
	double value = strtod(text, &unit);

	if (!strcmp(unit, "ms"))
		return (int64_t)(value * 1e6);
	if (!strcmp(unit, "us"))
		return (int64_t)(value * 1e3);
	fprintf(stderr, "places: %s is not a time\n", text);
	exit(1);
}

/* Since `was`: blocked, neither on a CPU nor waiting for one. */
static inline int64_t blocked_ns(const struct clocks *was, const struct clocks *is)
{
	return is->mono_ns - was->mono_ns - (is->cpu_ns - was->cpu_ns) -
	       (is->runqueue_ns - was->runqueue_ns);
}

/* The step was blocked from `begin_ns` on, but for what it waited for the CPU then. */
static inline int64_t nap(int64_t begin_ns, const struct clocks *was, enum part part)
{
	struct clocks is = look();
	unsigned int i = nap_count++ & (NAPS - 1);
	int64_t ns = blocked_ns(was, &is);

	naps[i].begin_ns = begin_ns;
	naps[i].end_ns = begin_ns + ns;
	naps[i].part = part;
	return ns;
}

static inline bool step_cpu(struct request *r, const char *args)
{
	int64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + time_ns(args);

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
	return true;
}

static inline bool step_sleep(struct request *r, const char *args)
{
	int64_t begin_ns = wall_ns();
	struct clocks was = look();

	pause_us(time_ns(args) / 1000);
	nap(begin_ns, &was, SLEEP);
	return true;
}

/*
 * A thread that holds two mutexes. Told to, it lets go of one after a time, which its master
 * waits for; the other time of the other one, while it takes the first again. It ends when it is
 * told a time below 0.
 */
struct holder {
	pthread_mutex_t mutex[2];
	sem_t ready, go;
	int64_t us;
};

static __thread struct holder *holder;
static __thread unsigned int lock_count;

static inline void *hold(void *arg)
{
	struct holder *h = arg;

	pthread_mutex_lock(&h->mutex[0]);
	pthread_mutex_lock(&h->mutex[1]);
	sem_post(&h->ready);
	for (unsigned int n = 0;; n++) {
		while (sem_wait(&h->go) < 0)
			;
		if (h->us < 0)
			break;
		if (n)
			pthread_mutex_lock(&h->mutex[(n - 1) % 2]);
		pause_us(h->us);
		pthread_mutex_unlock(&h->mutex[n % 2]);
	}
	free(h);
	return NULL;
}

static inline struct holder *new_holder(void)
{
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		die("memory");
	pthread_mutex_init(&h->mutex[0], NULL);
	pthread_mutex_init(&h->mutex[1], NULL);
	sem_init(&h->ready, 0, 0);
	sem_init(&h->go, 0, 0);
	start_thread(hold, h);
	while (sem_wait(&h->ready) < 0)
		;
	return h;
}

static inline bool step_lock(struct request *r, const char *args)
{
	int64_t begin_ns = wall_ns();
	struct clocks was = look();

	if (!holder)
		holder = new_holder();
	holder->us = time_ns(args) / 1000;
	sem_post(&holder->go);
	pthread_mutex_lock(&holder->mutex[lock_count % 2]);
	pthread_mutex_unlock(&holder->mutex[lock_count++ % 2]);
	nap(begin_ns, &was, SLEEP);
	return true;
}

/* What the thread has of its own goes with it. */
static inline void end_thread(void)
{
	gp_close(&schedstat_fd);
	if (!holder)
		return;
	holder->us = -1;
	sem_post(&holder->go);
	holder = NULL;
}

/* So many MiB of the file, past the page cache, in one read. */
static inline bool step_disk(struct request *r, const char *args)
{
	ssize_t bytes = (ssize_t)atoi(args) << 20;
	int64_t begin_ns = wall_ns(), ns;
	struct clocks was = look();

	if (bytes > DISK_MAX || pread(disk_fd, disk_bytes, bytes, 0) < bytes)
		die("pread");
	ns = nap(begin_ns, &was, IO);
	r->parts[IO] += ns;
	r->apart_ns += ns;
	return true;
}

/* Asks another server. Not finished while others can be served until the reply is there. */
static inline bool step_call(struct request *r, const char *args)
{
	char text[64], time[16];
	int port;

	if (sscanf(args, "%d %15s", &port, time) != 2)
		die("call PORT TIME");
	if (r->down >= 0 && r->down_port != port)
		gp_close(&r->down);
	if (r->down < 0)
		r->down = connect_to(port);
	if (r->down < 0)
		die("connect for a call");
	r->down_port = port;
	snprintf(text, sizeof(text), "sleep %s\n", time);
	r->sent_ns = wall_ns();
	if (!send_text(r->down, text))
		die("call");
	return false;
}

/*
 * The reply to the call: known is when it came, and what this thread did before it read it. What
 * it waited for a CPU in the meantime is part of that.
 */
static inline void end_call(struct request *r)
{
	char reply[LINE_BYTES];
	int64_t came, now, again;
	struct clocks was = look(), is;

	if (!read_line(r->down, reply, sizeof(reply), &came))
		die("reply to a call");
	now = wall_ns();
	is = look();
	r->apart_ns += blocked_ns(&was, &is);
	r->parts[RUNQUEUE] -= is.runqueue_ns - was.runqueue_ns;
	r->parts[CALL] += came - r->sent_ns;
	r->sent_ns = 0;
	again = now - came;
	for (unsigned int i = nap_count; i-- && nap_count - i <= NAPS;) {
		unsigned int n = i & (NAPS - 1);
		int64_t begin = naps[n].begin_ns > came ? naps[n].begin_ns : came;

		if (naps[n].end_ns <= came)
			break;
		r->parts[naps[n].part] += naps[n].end_ns - begin;
		again -= naps[n].end_ns - begin;
	}
	r->parts[AGAIN] += again;
}

/* So many calls at once: `fan PORT N TIME`, the first of which takes TIME, the others less. */
static inline bool step_fan(struct request *r, const char *args)
{
	char text[64], time[16];
	int port, n, fds[FAN_MAX];
	int64_t came = 0, sent;
	struct clocks was, is;

	if (sscanf(args, "%d %d %15s", &port, &n, time) != 3 || n < 1 || n > FAN_MAX)
		die("fan PORT N TIME");
	for (int i = 0; i < n; i++)
		fds[i] = connect_to(port);
	sent = wall_ns();
	was = look();
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "sleep %ldus\n",
			 (long)(time_ns(time) / 1000 * (n - i) / n));
		if (!send_text(fds[i], text))
			die("fan");
	}
	for (int i = 0; i < n; i++) {
		char reply[LINE_BYTES];
		int64_t stamp;

		if (!read_line(fds[i], reply, sizeof(reply), &stamp))
			die("reply to a fan");
		came = stamp > came ? stamp : came;
		gp_close(&fds[i]);
	}
	is = look();
	r->parts[CALL] += came - sent;
	r->apart_ns += blocked_ns(&was, &is);
	return true;
}

/* A step is finished when it returns true; else its call is open. */
static const struct step {
	const char *word;
	bool (*run)(struct request *r, const char *args);
} steps[] = {
	{"cpu", step_cpu},   {"sleep", step_sleep}, {"lock", step_lock},
	{"disk", step_disk}, {"call", step_call},   {"fan", step_fan},
};

static inline bool run_step(struct request *r, char *text)
{
	char *args, *word;

	word = strtok_r(text, " ", &args);
	for (size_t i = 0; word && i < ARRAY_SIZE(steps); i++)
		if (!strcmp(steps[i].word, word))
			return steps[i].run(r, args);
	fprintf(stderr, "places: no step %s\n", word ? word : "at all");
	exit(1);
}

#endif
