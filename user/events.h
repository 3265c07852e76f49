/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events file: one JSON line for each exchange that was slow or failed, a bounded number of
 * them in a second.
 *
 * Events are collected for a second and written when it is over: at most 100, shared out evenly
 * between endpoints, so that each is sure of ten while no more than ten have any; what some leave
 * over is shared by the others. Of one endpoint the first are kept. What is not written is counted.
 * Example: of 200, 30 and 1 events of three endpoints, 69, 30 and 1 are written.
 *
 * If writing fails, the lines of that second are kept and tried again at the next flushes; those
 * of seconds that end meanwhile are lost and counted.
 *
 * With no file asked for there are no events: all functions but gp_events_new take NULL, and do
 * nothing.
 */
#ifndef GP_EVENTS_H
#define GP_EVENTS_H

#include "config.h"
#include "keeper.h"
#include "snapshot.h"

#define GP_EVENTS_PER_S 100

/* A call that an exchange waited for. */
struct gp_event_call {
	const char *service; /* the service called, if it is on this host; NULL: not known */
	const char *address; /* NULL: there was no call */
	uint16_t port;	     /* 0: none */
	uint64_t ns;	     /* how long it was waited for */
};

/* One exchange, all of it resolved to names. */
struct gp_event {
	uint32_t endpoint; /* tells endpoints apart, as a gp_ref does; not written */
	enum gp_reason reason;
	struct timespec time; /* of arrival (clients: of the send), CLOCK_REALTIME */
	const char *service;
	enum gp_role role;
	enum gp_transport transport;
	enum gp_protocol protocol;
	uint16_t port;			    /* 0: none */
	const char *operation, *status;	    /* NULL: not known */
	uint64_t duration_ns;		    /* aborted: until it was given up */
	uint64_t first_byte_ns;		    /* aborted: of no meaning */
	uint64_t stages_ns[GP_STAGE_COUNT]; /* clients: of no meaning */
	struct gp_event_call downstream;    /* the one waited for longest */
	bool has_bytes; /* false: what follows was not counted for this exchange alone */
	uint64_t bytes_in, bytes_out;
	uint32_t pid, tid; /* 0: not known */
	const char *peer;  /* "192.0.2.1:4711"; NULL: not known */
};

struct gp_events;

/*
 * Opens the file of the configuration, as outputs are opened but with mode 0600. 0, and *out is
 * NULL if none is asked for; -ENOMEM; or another -errno after saying why. `keeper`, which is
 * started later, opens it again (NULL: nobody else does). Both must outlive them.
 */
int gp_events_new(struct gp_events **out, const struct gp_config *cfg, struct gp_keeper *keeper);
void gp_events_free(struct gp_events **e);

/* What each line says of this goldpan; to be called before the first gp_events_add. Borrowed. */
void gp_events_begin(struct gp_events *e, const struct gp_meta *meta);

/*
 * Ends the second that was collected, if `now_ns` (of a clock that never goes back, at every call
 * the same) lies in a later one: writes it. To be called before the events of `now` are added.
 */
void gp_events_flush(struct gp_events *e, uint64_t now_ns);

/* Milliseconds until gp_events_flush has something to write, rounded up; -1: nothing collected. */
int gp_events_due_ms(const struct gp_events *e, uint64_t now_ns);

/* Takes the event into the current second. Everything is copied. */
void gp_events_add(struct gp_events *e, const struct gp_event *event);

/* Writes what is there, for the last time: what cannot be written is counted as lost. */
void gp_events_finish(struct gp_events *e);

/* Opens the file again (log rotation). A failure is said, and tried again at the next flushes. */
void gp_events_reopen(struct gp_events *e);

/* Events that were not written since the last call: for `self.dropped.exemplars`. */
uint64_t gp_events_take_dropped(struct gp_events *e);

/* Whether the last attempt to open or write the file succeeded. */
bool gp_events_healthy(const struct gp_events *e);

#endif
