/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records that the BPF programs write and the collector drains.
 *
 * Endpoint and service records are kept in shards: one copy for each group of CPUs, at most
 * GP_SHARDS_MAX, so that CPUs do not fight over cache lines. Shard s of slot n is element
 * n * shards + s of its array. Every counter is added to atomically in the kernel and taken with
 * an atomic exchange by the collector, so a record always holds just what was not collected yet.
 */
#ifndef GP_RECORDS_H
#define GP_RECORDS_H

#include "gp_hist.h"
#include "gp_types.h"

#define GP_SHARDS_MAX 4
#define GP_NAME_LEN 16	      /* a program's name: TASK_COMM_LEN */
#define GP_HIST_WORDS 260     /* GP_HIST_SLOTS, rounded up to whole 16 bytes */
#define GP_SERVICE_PORTS 64   /* server endpoints of one service before its `other` */
#define GP_SERVICE_REMOTES 32 /* client endpoints of one service before its `other` */
#define GP_PAYER_SERVICES 64  /* of one user outside the system's slices; of one group in them */
#define GP_PAYER_SHARE 4      /* and one in so many of endpoints, operations, frames */

/* Slots that are there from the start and take what does not fit. */
#define GP_SLOT_OTHER_SERVER 0
#define GP_SLOT_OTHER_CLIENT 1
#define GP_SLOT_OTHER_SERVICE 0
#define GP_SLOT_UNASKED_SERVICE 1 /* with --pid or --cgroup: of all that these leave out */
#define GP_EDGES 1024
#define GP_SLOT_NONE 0xffffffffu

enum gp_role { GP_ROLE_SERVER, GP_ROLE_CLIENT, GP_ROLE_COUNT };
enum gp_transport { GP_TRANSPORT_TCP, GP_TRANSPORT_UDP, GP_TRANSPORT_UNIX, GP_TRANSPORT_COUNT };
enum gp_protocol {
	GP_PROTOCOL_UNKNOWN,
	GP_PROTOCOL_HTTP,
	GP_PROTOCOL_REDIS,
	GP_PROTOCOL_POSTGRESQL,
	GP_PROTOCOL_DNS,
	GP_PROTOCOL_TLS,
	GP_PROTOCOL_COUNT
};

/* How programs read the bytes that a TCP socket receives. */
enum gp_payload {
	GP_PAYLOAD_NONE,
	GP_PAYLOAD_DYNPTR, /* by a function of the kernel */
	GP_PAYLOAD_PAGES,  /* from its pages, in its own map of all memory */
};
enum gp_framing { GP_FRAMING_NONE, GP_FRAMING_TURNS, GP_FRAMING_PROTOCOL, GP_FRAMING_COUNT };

/* Where the time of an exchange went: design.md, "Stages". */
enum gp_stage {
	GP_STAGE_RUNQUEUE,
	GP_STAGE_BACKLOG,
	GP_STAGE_CPU,
	GP_STAGE_DOWNSTREAM,
	GP_STAGE_IO,
	GP_STAGE_SLEEP,
	GP_STAGE_UNATTRIBUTED,
	GP_STAGE_TRANSFER,
	GP_STAGE_COUNT
};

enum gp_error { GP_ERROR_SERVER, GP_ERROR_CLIENT, GP_ERROR_ABORTED, GP_ERROR_COUNT };
enum gp_failure {
	GP_FAILURE_REFUSED,
	GP_FAILURE_TIMEOUT,
	GP_FAILURE_RESET,
	GP_FAILURE_OTHER,
	GP_FAILURE_COUNT
};

/* What was lost or lost its detail; contract.md, `self.dropped`. */
enum gp_drop {
	GP_DROP_ENDPOINTS,
	GP_DROP_SERVICES,
	GP_DROP_OPERATIONS,
	GP_DROP_CONNECTIONS,
	GP_DROP_THREADS,
	GP_DROP_EDGES,
	GP_DROP_PIPELINE,
	GP_DROP_BYTES_UNSEEN,
	GP_DROP_STALE_SLOTS,
	GP_DROP_CLOCK,
	GP_DROP_EXEMPLARS,
	GP_DROP_COUNT
};

/* Marks in gp_endpoint_key.flags. */
#define GP_KEY_OTHER 1 /* the service's `other`: port and address are empty */
#define GP_KEY_V6 2    /* `address` is IPv6; else IPv4 in the first four bytes */

/* Ports asked for by --port. */
#define GP_PORT_RANGES 16

struct gp_port_range {
	__u16 first, last;
};

/* What tells endpoints apart in the kernel. No padding: it is hashed as bytes. */
struct gp_endpoint_key {
	__u32 service; /* gp_ref of the service */
	__u32 netns;   /* inode of the network namespace */
	__u16 port;    /* host order: the local one for servers, the remote one for clients */
	__u8 role;
	__u8 transport;
	__u8 protocol;
	__u8 flags;
	__u16 reserved;
	__u8 address[16]; /* clients: the remote address, network order; v4-mapped as IPv4. unix:
				key of its gp_unix_path */
};

#define GP_UNIX_PATH_LEN 108
#define GP_UNIX_PATHS 2048

/* What stands for the path of a unix socket in keys: a hash of it and of its namespace. */
struct gp_unix_name {
	__u64 hash[2];
};

/*
 * The path of a unix socket, of which keys have a hash in `address`, and who served there last.
 * Abstract ones begin with a 0, as in the kernel.
 */
struct gp_unix_path {
	char path[GP_UNIX_PATH_LEN];
	__u32 len;
	__u32 service, endpoint; /* gp_ref; endpoint 0: nobody yet */
};

struct gp_service_key {
	__u64 cgroup;		/* id in the v2 hierarchy */
	char name[GP_NAME_LEN]; /* empty: the programs of a group beyond GP_PAYER_SERVICES */
	__u32 user;		/* outside the system's slices: whose program it is; 0: root's */
	__u32 reserved;
};

/*
 * Who is charged for services and endpoints, so that nobody takes more than his share: a user, by
 * his number, or, in the system's slices, a control group. Root's programs outside of both are
 * charged to nobody. A place in a table, found by `id`, that is free while `services` is 0. Racy
 * where it is taken at the moment at which its last service is given back: then two share it.
 */
struct gp_payer {
	__u64 id; /* a user, or GP_PAYER_GROUP | the lower half of a group's id; 0: nobody yet */
	/* What is given out to it: slots; frames of connections that are followed. Atomically
	 * added. */
	__s32 services, servers, clients, operations, frames;
	__u32 reserved;
};

#define GP_PAYER_GROUP (1ULL << 32)
#define GP_PAYERS 4096 /* a power of two; place 0 is nobody's */

/*
 * A reference to a slot is its index and the generation it was given out with:
 * index | generation << 16. A slot that was given to somebody else has another generation.
 */
#define GP_REF(index, generation) ((__u32)(index) | (__u32)(generation) << 16)
#define GP_REF_INDEX(ref) ((ref)&0xffffu)
#define GP_REF_GENERATION(ref) ((ref) >> 16)

/* State of a slot. The kernel moves it from FREE to LIVE, user space on to DEAD and to FREE. */
enum gp_slot_state { GP_SLOT_FREE, GP_SLOT_LIVE, GP_SLOT_DEAD };

#define GP_INFO_IGNORED 1 /* not asked for: user space decided by name; the kernel leaves early */
#define GP_INFO_FIXED 2	  /* services: not to be given up */
#define GP_INFO_NAMED_BY_ROOT 4 /* services: all of its control group's path, when it was new */

/* One for each endpoint slot: who it is. Written when given out; `ignored` by user space. */
struct gp_endpoint_info {
	__u32 ref; /* this slot's current gp_ref: index and generation */
	__u32 state;
	__u32 flags;
	__s32 connections; /* open now, atomically added; listeners count as one */
	struct gp_endpoint_key key;
	__u64 exemplars; /* the second (of CLOCK_MONOTONIC) << 16 | exemplars in it so far; racy */
	__u32 hint; /* gp_ref of the endpoint last recognised here, if this is `unknown`; or 0 */
} __attribute__((aligned(64)));

/* One for each service slot. */
struct gp_service_info {
	__u32 ref;
	__u32 state;
	__u32 flags;
	__u32 pid;		/* of one of its processes, as seen in the root pid namespace */
	__s32 threads;		/* alive now */
	__s32 servers, clients; /* endpoints given out to it */
	__u32 payer;		/* place in `payers`; 0: nobody */
	struct gp_service_key key;
} __attribute__((aligned(64)));

/*
 * A path, backwards: its components from the last one on, a NUL behind each. As paths are found:
 * from a file or a group to the root.
 */
enum gp_path_state { GP_PATH_UNKNOWN, GP_PATH_WHOLE, GP_PATH_CUT /* components are missing */ };

#define GP_PATH_SIZE 640

struct gp_path {
	__u32 state;
	__u32 len;	 /* of all components, with their NULs; up to GP_PATH_SIZE */
	__u64 at, mount; /* addresses: where the walk is */
	char part[GP_PATH_SIZE];
};

/* One for each service slot, written before the slot is given out: where it comes from. */
struct gp_origin {
	struct gp_path group;	/* in the v2 hierarchy; not of kernel threads */
	struct gp_path program; /* of the process that was seen first, as of its exec */
};

/* In the order of cache lines: what an exchange counts is on five of them. */
struct gp_endpoint_record {
	__u32 duration[GP_HIST_WORDS];
	__u32 first_byte[GP_HIST_WORDS];
	__u32 setup[GP_HIST_WORDS]; /* servers: wait for accept; clients: connect */
	/* Clients: unattributed and transfer only. A band is a line. */
	__u64 stages_ns[GP_BANDS][GP_STAGE_COUNT] __attribute__((aligned(64)));
	__u32 ref;   /* as in gp_endpoint_info: a record that was given to somebody else differs */
	__u32 flags; /* GP_INFO_IGNORED */
	__u64 duration_max_ns, first_byte_max_ns, setup_max_ns;
	__u64 setup_ns;
	__u64 errors[GP_ERROR_COUNT];
	__u64 bytes_in, bytes_out; /* payload */
	__u64 opened, closed, handed_over, streams;
	__u64 failed[GP_FAILURE_COUNT];
	__u64 retransmits, resets_sent, resets_received;
	__u64 overflows; /* listeners: connections that found no room */
} __attribute__((aligned(64)));

struct gp_service_record {
	__u32 runqueue[GP_HIST_WORDS];
	__u64 runqueue_ns, runqueue_max_ns;
	__u64 cpu_ns, io_ns;
	__u64 voluntary, involuntary;
} __attribute__((aligned(64)));

/* One for each shard. */
struct gp_dropped {
	__u64 counts[GP_DROP_COUNT];
} __attribute__((aligned(64)));

/* One for each CPU. Written only by that CPU's scheduler program; totals since the start. */
struct gp_cpu_record {
	__u64 sequence; /* odd while being written */
	__u64 since_ns; /* when the task now running was switched in; 0: not known yet */
	__u64 busy_ns, idle_ns;
	__u32 service; /* gp_ref of the running task's service; GP_SLOT_NONE for the idle task */
	__u32 waiting_max; /* most threads seen waiting at a switch; user space sets it back to 0 */
	__u64 waited_ns;   /* of threads until they were switched in here */
	__u64 task_clock_ns; /* CLOCK_MONOTONIC less the clock by which the kernel charges tasks
				here */
	__u64 pad;
} __attribute__((aligned(64)));

/* Of one endpoint slot at one collection, added up by the iterator over all connections. */
struct gp_endpoint_gauges {
	__u64 in_flight;
	__u64 oldest_ns; /* age of the oldest exchange in flight */
	__u64 unread_bytes;
	__u64 active; /* established connections */
	__u64 accept_queue, accept_limit, listeners;
	__u64 rtt_ns, rtt_count, rtt_min_ns;
	__u64 reserved[6];
} __attribute__((aligned(64)));

enum gp_reason { GP_REASON_SLOW, GP_REASON_ERROR, GP_REASON_ABORTED, GP_REASON_COUNT };

/* One exchange that was slow or failed: the only thing that crosses to user space by itself. */
struct gp_exemplar {
	__u64 start_ns;			  /* CLOCK_MONOTONIC: arrive, or send */
	__u64 duration_ns, first_byte_ns; /* aborted: both until it was given up */
	__u64 stages_ns[GP_STAGE_COUNT];
	__u32 endpoint; /* gp_ref */
	__u32 reason;
	__u32 pid, tid; /* of who read, or sent, it; 0: not known */
	__u8 peer[16];	/* network order; v4-mapped as IPv4 in the first four bytes */
	__u16 peer_port;
	__u8 peer_is_v6, reserved;
	__u32 downstream; /* gp_ref of the client endpoint it waited longest for, or GP_SLOT_NONE */
	__u64 downstream_ns;	 /* how long */
	__u16 operation, status; /* of the endpoint's protocol */
	__u32 reserved2;
	__u64 bytes_in, bytes_out; /* of its messages; both 0: not known */
};

/* Exemplars of one endpoint that reach user space in a second; it writes fewer. */
#define GP_EXEMPLARS_PER_S 100

/* What tells edges apart: who calls whom. */
struct gp_edge_key {
	__u32 from; /* gp_ref of the server endpoint on whose behalf; GP_SLOT_NONE: nobody's */
	__u32 to;   /* gp_ref of the client endpoint */
};

struct gp_edge_record {
	struct gp_edge_key key;
	__u32 state; /* enum gp_slot_state */
	__u32 reserved;
	__u64 calls, errors, ns; /* atomically added; ns: of durations */
	__u64 reserved2[3];
} __attribute__((aligned(64)));

/* What tells operations apart: the kind of request, and what came of it. */
struct gp_operation_key {
	__u32 endpoint;		 /* gp_ref; GP_SLOT_NONE: the record is nobody's */
	__u16 operation, status; /* of the endpoint's protocol; 0: `other` */
};

#define GP_STATUS_NONE 0xffff /* aborted: there was no answer */

/*
 * One operation of an endpoint, of the pool `operations`, in shards like endpoints. Exchanges that
 * are counted here are not in the endpoint's own `duration`: the endpoint's is the sum of both, and
 * what is in its own alone is its operation `other`, status `other`.
 */
struct gp_operation_record {
	__u32 duration[GP_HIST_WORDS];
	struct gp_operation_key key;
	__u64 duration_ns, duration_max_ns;
	__u64 aborted; /* these are in the endpoint's errors[GP_ERROR_ABORTED], too */
	__u32 payer;   /* place in `payers` of whom it is charged to; 0: nobody */
	__u32 reserved[3];
} __attribute__((aligned(64)));

#ifndef __cplusplus
_Static_assert(sizeof(struct gp_operation_key) == 8, "hashed as bytes: no padding");
_Static_assert(sizeof(struct gp_operation_record) == 1088, "4096 of them in each shard");
_Static_assert(sizeof(struct gp_endpoint_key) == 32, "hashed as bytes: no padding");
_Static_assert(sizeof(struct gp_service_key) == 32, "hashed as bytes: no padding");
_Static_assert(sizeof(struct gp_payer) == 32, "two on a cache line");
_Static_assert(GP_STAGE_COUNT * 8 == 64, "a band is a cache line");
_Static_assert(sizeof(struct gp_endpoint_record) % 64 == 0, "shards begin on a cache line");
_Static_assert(sizeof(struct gp_service_record) % 64 == 0, "shards begin on a cache line");
#endif

#endif
