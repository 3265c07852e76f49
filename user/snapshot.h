/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot: everything that happened in one interval, and the gauges at its end. The only thing
 * exporters see. It owns all it points to, strings included, and knows neither maps nor options.
 *
 * Durations are nanoseconds, sizes bytes. What is not known on this host is marked absent by the
 * `has_…` fields, never by a made-up 0.
 */
#ifndef GP_SNAPSHOT_H
#define GP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "gp_records.h"

/* Values of one interval, by bucket (gp_hist.h). The count is the sum of the buckets. */
struct gp_hist {
	uint64_t slots[GP_HIST_SLOTS];
};

struct gp_distribution {
	struct gp_hist hist;
	uint64_t sum_ns, max_ns;
};

/* Names of a service, as an operator would say them. NULL: not known or not applicable. */
struct gp_names {
	const char *service; /* never NULL */
	const char *unit, *container, *exe;
};

/* Exchanges of one kind and outcome: protocol.h has the names. */
struct gp_operation {
	uint16_t operation, status; /* of the endpoint's protocol; 0: `other` */
	struct gp_distribution duration;
	uint64_t aborted; /* these have no duration */
};

struct gp_endpoint {
	struct gp_names names;
	enum gp_role role;
	enum gp_transport transport;
	enum gp_protocol protocol;
	enum gp_framing framing;
	bool is_other;	     /* the service's `other`: no port, address "other" */
	uint16_t port;	     /* 0: none */
	const char *address; /* clients: the remote address as text; else NULL */

	uint64_t requests_total; /* since the series began */
	struct gp_distribution duration, first_byte;
	struct gp_distribution setup; /* clients: connect time; servers: wait for accept */
	uint64_t stages_ns[GP_BANDS][GP_STAGE_COUNT];
	uint64_t errors[GP_ERROR_COUNT];
	uint64_t in_flight, oldest_ns; /* gauges */
	uint64_t bytes_in, bytes_out;
	uint64_t opened, closed, active, streams, handed_over;
	uint64_t failed[GP_FAILURE_COUNT];
	uint64_t retransmits, resets_sent, resets_received;
	uint64_t rtt_ns, rtt_count, rtt_min_ns; /* smoothed RTT of the connections open now */
	uint64_t accept_queue, accept_limit, listeners;
	uint64_t overflows; /* connections that found no room in the accept queue */
	uint64_t unread_bytes;

	/* Where messages are read (protocol.h): all requests, by kind. Else none. */
	size_t operations;
	struct gp_operation *operation; /* in no order; freed with the snapshot */
};

/* Pressure (PSI): what was stalled for want of it, and whether some or all tasks were. */
enum gp_pressure_kind {
	GP_PRESSURE_CPU_SOME,
	GP_PRESSURE_CPU_FULL,
	GP_PRESSURE_MEMORY_SOME,
	GP_PRESSURE_MEMORY_FULL,
	GP_PRESSURE_IO_SOME,
	GP_PRESSURE_IO_FULL,
	GP_PRESSURE_COUNT,
};

struct gp_pressure {
	bool has[GP_PRESSURE_COUNT];
	uint64_t ns[GP_PRESSURE_COUNT]; /* stalled, in the interval */
};

struct gp_service {
	struct gp_names names;
	uint32_t pid;
	uint64_t threads;
	bool has_sched; /* false: nothing of what follows is known (--no-sched) */
	struct gp_distribution runqueue;
	uint64_t cpu_ns, io_ns;
	uint64_t voluntary, involuntary;
	/* Of its control groups: cgroup_stats.h says which, and how several are added. */
	bool is_unlimited;  /* one of them has no CPU limit: so the service has none */
	double limit_cores; /* gauge, of the others; 0: none is known */
	bool has_throttled;
	uint64_t throttled_ns, throttled_periods;
	struct gp_pressure pressure;
};

/* Who calls whom, on whose behalf. Counts of the interval. */
struct gp_edge {
	const char *from; /* the service whose exchange it was for; NULL: on nobody's behalf */
	uint16_t from_port;
	enum gp_protocol from_protocol;
	const char *to;	     /* the service called, if it is on this host; NULL: not known */
	const char *address; /* "other" for a service's `other` */
	uint16_t port;
	enum gp_protocol protocol;
	uint64_t calls, errors, ns;
};

struct gp_cpu {
	uint64_t busy_ns, idle_ns; /* of the interval */
	uint64_t waited_ns;   /* of threads until they ran here: over the time, the average queue */
	uint64_t waiting_max; /* most threads seen waiting at once */
};

struct gp_host {
	bool has_sched;
	size_t cpus;
	struct gp_cpu *cpu; /* `cpus` of them */
	struct gp_distribution runqueue;
	struct gp_pressure pressure;
	bool has_listen, has_retransmits;
	uint64_t listen_drops; /* connections that a listener had to drop, for whatever reason */
	uint64_t listen_overflows; /* those of them for which its accept queue was full */
	uint64_t retransmits;	   /* TCP segments */
};

struct gp_program {
	char name[16];
	uint64_t runs, ns; /* of the interval */
};

struct gp_map_use {
	char name[16];
	uint64_t used, max;
};

/* What goldpan itself costs and lost. */
struct gp_self {
	bool has_programs; /* the kernel's statistics are on */
	size_t programs, maps;
	struct gp_program *program;
	struct gp_map_use *map;
	uint64_t cpu_ns, rss_bytes;
	uint64_t dropped[GP_DROP_COUNT];
};

/* A hook in use, or what is missing for want of one: for `meta`. */
struct gp_choice {
	const char *event;   /* "data readable" */
	const char *hook;    /* "tp_btf/sk_data_ready"; NULL: none */
	const char *missing; /* NULL, or a sentence: what will be null or wrong without it */
};

struct gp_bound {
	const char *name; /* "endpoints" */
	uint64_t value;
};

/* What does not change while goldpan runs. Outlives every snapshot. */
struct gp_meta {
	const char *version, *kernel, *host;
	struct timespec start; /* CLOCK_REALTIME */
	size_t choices, bounds;
	const struct gp_choice *choice;
	const struct gp_bound *bound;
	uint32_t protocols; /* those that are recognised: bit 1 << enum gp_protocol */
};

struct gp_snapshot {
	const struct gp_meta *meta; /* not owned */
	struct timespec time;	    /* end of the interval, CLOCK_REALTIME */
	uint64_t interval_ns;
	size_t endpoints, services, edges;
	struct gp_edge *edge;
	struct gp_endpoint *endpoint; /* only those on which something happened or is open */
	struct gp_service *service;
	struct gp_host host;
	struct gp_self self;
	struct gp_arena *strings; /* owns what the names point to */
};

/* An empty snapshot. 0, or -ENOMEM. */
int gp_snapshot_new(struct gp_snapshot **out, const struct gp_meta *meta);
void gp_snapshot_free(struct gp_snapshot **s);

/* A copy of `text` that lives as long as the snapshot; NULL for NULL. *failed is set when out of
 * memory. */
const char *gp_snapshot_string(struct gp_snapshot *s, const char *text, bool *failed);

/*
 * Room for one more, zeroed. NULL when out of memory. The pointer holds until the next call. The
 * three arrays grow in no other way; those of `host` and `self` are allocated by who fills them.
 */
struct gp_endpoint *gp_snapshot_add_endpoint(struct gp_snapshot *s);
struct gp_service *gp_snapshot_add_service(struct gp_snapshot *s);
struct gp_edge *gp_snapshot_add_edge(struct gp_snapshot *s);

/* The service of this name, or NULL. */
const struct gp_service *gp_snapshot_find_service(const struct gp_snapshot *s, const char *name);

/*
 * Adds `older` to `s`, which directly follows it: counts add, `max` takes the larger, gauges stay
 * those of `s`, the interval becomes that of both. Records that only `older` has are copied; the
 * gauges of such an endpoint become 0, as nothing was open any more. 0, or -ENOMEM with `s` as it
 * was.
 */
int gp_snapshot_prepend(struct gp_snapshot *s, const struct gp_snapshot *older);

/* A copy that shares nothing with `s` but the meta. 0, or -ENOMEM. */
int gp_snapshot_copy(struct gp_snapshot **out, const struct gp_snapshot *s);

/* Whether anything happened on the endpoint, or anything is open. Others are left out of outputs.
 */
bool gp_endpoint_is_quiet(const struct gp_endpoint *e);

/* Exchanges that ended: those with a duration and the aborted. */
uint64_t gp_endpoint_requests(const struct gp_endpoint *e);
uint64_t gp_operation_requests(const struct gp_operation *o);

/*
 * The endpoint's operation of this kind and outcome, empty if there was none. NULL when out of
 * memory. The pointer holds until the next call. The array grows in no other way.
 */
struct gp_operation *gp_endpoint_operation(struct gp_endpoint *e, uint16_t operation,
					   uint16_t status);

/* Adds what was counted; kind and outcome are not looked at. */
void gp_operation_add(struct gp_operation *to, const struct gp_operation *from);

/* Adds the operations of `from`, for which gp_endpoint_reserve_operations made room. */
void gp_endpoint_add_operations(struct gp_endpoint *to, const struct gp_endpoint *from);

/* Room for `more` operations. 0, or -ENOMEM. */
int gp_endpoint_reserve_operations(struct gp_endpoint *e, size_t more);

#endif
