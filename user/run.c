// SPDX-License-Identifier: GPL-2.0-or-later
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "clock.h"
#include "collector.h"
#include "directory.h"
#include "events.h"
#include "exemplars.h"
#include "keeper.h"
#include "log.h"
#include "meta.h"
#include "older.h"
#include "output.h"
#include "own.h"
#include "privileges.h"
#include "syscalls.h"

#define EXEMPLARS_MS 500

struct session {
	struct gp_config *cfg;
	size_t config;	     /* number of its file, if it has one */
	struct gp_user user; /* to become, if this is root now */
	struct gp_keeper *keeper;
	struct gp_outputs *outputs;
	struct gp_loader *loader;
	struct gp_slots *slots;
	struct gp_meta_store *meta;
	struct gp_collector *collector;
	struct gp_events *events; /* NULL: none are asked for */
	struct gp_exemplars *exemplars;
	int signals, timer;
	uint64_t end_ns; /* CLOCK_MONOTONIC; 0: no end */
	bool reader_gone;
};

static void session_free(struct session *s)
{
	gp_exemplars_free(&s->exemplars);
	gp_collector_free(&s->collector);
	gp_meta_store_free(&s->meta);
	gp_slots_free(&s->slots);
	gp_loader_free(&s->loader);
	gp_events_free(&s->events);
	gp_outputs_free(&s->outputs);
	gp_keeper_free(&s->keeper);
	gp_close(&s->signals);
	gp_close(&s->timer);
}

/* Signals come as readable bytes. A reader that goes away is an error of a write, not the end. */
static int take_signals(struct session *s)
{
	const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* likewise a file that reached the limit of its size */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* Exports every interval from now on. */
static int set_timer(struct session *s)
{
	uint64_t ns = s->cfg->interval_ns;
	struct itimerspec every = {.it_interval = {ns / GP_NS_PER_S, ns % GP_NS_PER_S}};

	every.it_value = every.it_interval;
	if (s->timer < 0)
		s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0 || timerfd_settime(s->timer, 0, &every, NULL))
		return -errno;
	return 0;
}

/* Loads, attaches, and finds what was there before. */
static int observe(struct session *s)
{
	int err = gp_loader_new(&s->loader, s->cfg);

	if (!err)
		err = gp_slots_new(&s->slots, gp_loader_bpf(s->loader), s->cfg,
				   gp_loader_shards(s->loader));
	if (!err)
		err = gp_loader_attach(s->loader);
	if (!err)
		err = gp_older_sockets(s->loader);
	if (!err)
		err = gp_meta_store_new(&s->meta, s->cfg, gp_loader_ways(s->loader));
	if (!err)
		err = gp_collector_new(&s->collector, s->loader, s->slots, s->cfg,
				       gp_meta(s->meta));
	if (err)
		return err;
	gp_events_begin(s->events, gp_meta(s->meta));
	return gp_exemplars_new(&s->exemplars, s->slots, gp_collector_directory(s->collector),
				s->cfg, s->events);
}

/* Whether there is something to give up that the outputs may need. */
static bool needs_keeper(const struct session *s)
{
	return gp_privileges_root() && !s->cfg->keep_privileges;
}

/* Opens what is written to; last, before it holds anything else, what may open it again. */
static int open_outputs(struct session *s)
{
	int err = gp_keeper_new(&s->keeper) ?: gp_outputs_new(&s->outputs, s->cfg, s->keeper);

	if (!err)
		err = gp_events_new(&s->events, s->cfg, s->keeper);
	if (!err && s->cfg->config)
		err = gp_keeper_add(s->keeper, s->cfg->config, 0, &s->config);
	if (err || !needs_keeper(s))
		return err;
	err = gp_keeper_start(s->keeper);
	if (err)
		gp_error("the process that opens files once goldpan is no longer root cannot be "
			 "started (%s)",
			 strerror(-err));
	return err;
}

/* From here on it reads, and writes what is open. */
static int drop_privileges(const struct session *s)
{
	bool becomes = gp_privileges_root() || s->cfg->user, kept = needs_keeper(s);
	int err;

	if (s->cfg->keep_privileges)
		return 0;
	err = gp_privileges_drop(becomes ? &s->user : NULL);
	if (err)
		gp_error("privileges cannot be given up for those of user %u (%s): give goldpan "
			 "CAP_SETUID, CAP_SETGID and CAP_SETPCAP, or --keep-privileges",
			 s->user.uid, strerror(-err));
	if (err)
		return err;
	err = gp_syscalls_observer(!kept);
	if (err)
		gp_warning("this kernel does not limit system calls (seccomp: %s)", strerror(-err));
	return 0;
}

static void export(struct session *s, bool final)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *snapshot = NULL;
	int err = gp_collect(s->collector, final, &snapshot);

	gp_exemplars_take(s->exemplars);
	if (final)
		gp_events_finish(s->events);
	if (err) {
		gp_error("collecting failed (%s): what this interval counted is in part lost",
			 strerror(-err));
		return;
	}
	snapshot->self.dropped[GP_DROP_EXEMPLARS] += gp_exemplars_take_dropped(s->exemplars);
	s->reader_gone = gp_outputs_export(s->outputs, snapshot) == -EPIPE;
}

/* Reads the file of the configuration again. If that fails, or it is wrong, nothing changes. */
static void reload(struct session *s)
{
	uint64_t interval_ns = s->cfg->interval_ns;
	enum gp_refusal why;
	int fd = -1, err;

	if (!s->cfg->config)
		return;
	err = gp_keeper_read(s->keeper, s->config, &fd, &why);
	if (err)
		gp_error("configuration %s: %s", s->cfg->config,
			 gp_refusal_text(why) ?: strerror(-err));
	if (err || gp_config_reload(s->cfg, fd))
		return;
	gp_directory_decide(gp_collector_directory(s->collector));
	gp_exemplars_slow(s->exemplars, s->cfg->slow_ns);
	if (s->cfg->interval_ns != interval_ns)
		set_timer(s);
	gp_info("configuration %s: read again", s->cfg->config);
}

/* Handles one signal. Whether it ends the run. */
static bool handle_signal(struct session *s, bool *now)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	switch (info.ssi_signo) {
	case SIGHUP:
		reload(s);
		gp_outputs_reopen(s->outputs, gp_meta(s->meta));
		gp_events_reopen(s->events);
		return false;
	case SIGUSR1:
		*now = true;
		return false;
	default:
		return true;
	}
}

/* Milliseconds to the end, rounded up; -1: none. */
static int time_left_ms(const struct session *s)
{
	uint64_t now = gp_now_ns();

	if (!s->end_ns)
		return -1;
	return now >= s->end_ns ? 0 : (s->end_ns - now + 999999) / 1000000;
}

/* As time_left_ms, but often enough to take exemplars before the ring buffer is full. */
static int pause_ms(const struct session *s)
{
	int left_ms = time_left_ms(s);

	if (s->events && (left_ms < 0 || left_ms > EXEMPLARS_MS))
		return EXEMPLARS_MS;
	return left_ms;
}

static void say_progress(const struct session *s)
{
	int left_ms = time_left_ms(s);

	if (s->cfg->verbosity < 0 || !isatty(STDERR_FILENO))
		return;
	if (left_ms < 0)
		gp_info("observing %zu services", gp_collector_services(s->collector));
	else
		gp_info("observing %zu services, %d s left", gp_collector_services(s->collector),
			(left_ms + 500) / 1000);
}

/* Exports every interval until the end of the duration or a signal. */
static void loop(struct session *s)
{
	for (;;) {
		struct pollfd ready[] = {{.fd = s->signals, .events = POLLIN},
					 {.fd = s->timer, .events = POLLIN},
					 {.fd = gp_keeper_watch(s->keeper), .events = POLLIN}};
		uint64_t expirations;
		bool now = false;

		if (poll(ready, ARRAY_SIZE(ready), pause_ms(s)) < 0 && errno != EINTR)
			break;
		if (s->end_ns && gp_now_ns() >= s->end_ns)
			break;
		if (ready[2].revents)
			gp_keeper_lost(s->keeper);
		if (ready[0].revents && handle_signal(s, &now))
			break;
		if (ready[1].revents && read(s->timer, &expirations, sizeof(expirations)) > 0)
			now = true;
		if (!now) {
			gp_exemplars_take(s->exemplars);
			continue;
		}
		export(s, false);
		if (s->reader_gone)
			return;
		say_progress(s);
	}
	/* A second signal during the last export ends at once. */
	sigset_t none;

	sigemptyset(&none);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	export(s, true);
}

enum gp_exit gp_run(struct gp_config *cfg)
{
	gp_auto(session_free) struct session s = {.cfg = cfg, .signals = -1, .timer = -1};

	if (gp_user_find(cfg->user, &s.user)) {
		gp_error("option --user: there is no user '%s'", cfg->user ?: "nobody");
		return GP_EXIT_USAGE;
	}
	if (take_signals(&s) || open_outputs(&s))
		return GP_EXIT_OUTPUT;
	if (observe(&s) || drop_privileges(&s))
		return GP_EXIT_UNABLE;
	if (gp_outputs_begin(s.outputs, gp_meta(s.meta)) == -EPIPE)
		return GP_EXIT_DONE;
	if (cfg->duration_ns)
		s.end_ns = gp_now_ns() + cfg->duration_ns;
	if (set_timer(&s))
		return GP_EXIT_UNABLE;
	gp_info("observing");
	loop(&s);
	if (!gp_events_healthy(s.events))
		return GP_EXIT_OUTPUT;
	return s.reader_gone || gp_outputs_healthy(s.outputs) ? GP_EXIT_DONE : GP_EXIT_OUTPUT;
}
