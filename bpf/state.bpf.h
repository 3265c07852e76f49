/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept with a thread and with a socket. */
#ifndef GP_STATE_BPF_H
#define GP_STATE_BPF_H

#include "gp_parser.h"
#include "gp_records.h"
#include "kernel.bpf.h"

enum gp_thread_state {
	GP_THREAD_UNKNOWN, /* first seen; nothing is known of the time before */
	GP_THREAD_RUNNING,
	GP_THREAD_WAITING, /* runnable, without a CPU */
	GP_THREAD_BLOCKED,
	GP_THREAD_IO, /* blocked in uninterruptible I/O wait */
};

/*
 * Written by the scheduler programs on the CPU where the thread is switched, where nothing else
 * can run at that time; `waking_ns` by whoever wakes it, too; `pid` by compare-and-exchange.
 */
struct gp_thread {
	__u32 pid;	/* 0: free */
	__u32 service;	/* gp_ref */
	__u32 index;	/* its own place, and that of its gp_current */
	__u8 state;	/* enum gp_thread_state */
	__u8 sequence;	/* odd while the scheduler programs change the record */
	__u8 epoch;	/* of gp_epoch, when `service` was found */
	__u8 followed;	/* it is, or came of, the process that --pid names */
	__u64 since_ns; /* when the state began */
	/* Asleep: when it was woken, 0 if it was not. Running: when the wait before that began. */
	__u64 waking_ns;
	__u64 runqueue_ns, cpu_ns, io_ns; /* of its life, as far as seen */
	__u32 tgid;
	__u32 born; /* when it was created, in 1024 ns; 0: not seen, or more than 1 s ago */
};

/*
 * What a thread works for: its current exchange (design.md, "Words"). Written by the thread itself
 * when it receives and sends; on a cache line of its own, as others read gp_thread at every
 * arrival.
 */
struct gp_current {
	__u32 id;	/* of the exchange; 0: none */
	__u32 endpoint; /* gp_ref of its endpoint */
	__u32 flags;
	__u32 reserved;
	__u64 cpu_ns; /* the thread's CPU time when this became current */
	__u64 reserved2[5];
};

#define GP_CURRENT_OPEN 1 /* it has no response yet */
#define GP_CURRENT_WORK 2 /* and something about it stands in its gp_work */

_Static_assert(sizeof(struct gp_current) == 64, "one cache line a thread");
_Static_assert(sizeof(struct gp_thread) == 64, "one cache line a thread");

/*
 * What the connections of one listener leave for those to come. Place 0 is nobody's: it stands for
 * listeners beyond GP_LISTENERS, of which nothing is handed on.
 */
struct gp_listener {
	__u32 service,
		endpoint;  /* gp_ref of whoever last received on one; endpoint 0: nobody yet */
	__u32 reader;	   /* pid of the thread that last received first on one */
	__u32 netns, port; /* whose place it is: a child may outlive its listener */
	__u32 reserved[11];
};

#define GP_LISTENERS 4096

_Static_assert(sizeof(struct gp_listener) == 64, "a cache line each");

/* Where an exchange stands: the low bits of `turn`. */
enum gp_phase {
	GP_PHASE_IDLE,
	GP_PHASE_REQUEST,  /* server: bytes arrived, none read; client: bytes sent */
	GP_PHASE_READ,	   /* server: the application read some of them */
	GP_PHASE_ANSWERED, /* the response has begun */
	GP_PHASE_STREAM, /* bytes only: no exchanges; or up to the end of one older than goldpan */
};

#define GP_TURN_PHASE 0x0f
#define GP_TURN_PREVIOUS 0x10 /* REQUEST: the exchange before is not counted yet */
#define GP_TURN_SETTLED 0x20  /* and its last send took nothing: it ended at `settled_ns` */
#define GP_TURN_ONE 0x100     /* the rest counts turns */

#define GP_CONN_LISTENER 1
#define GP_CONN_IGNORED 2 /* its service was not asked for */
#define GP_CONN_OPEN 4	  /* counted as open */
#define GP_CONN_OTHER 8	  /* its endpoint is an `other` */
#define GP_CONN_OTHER_SERVICE 16
#define GP_CONN_OWNED 32       /* somebody received or sent on it: its owner is known */
#define GP_CONN_CONNECTING 64  /* clients: connect() has neither worked nor failed yet */
#define GP_CONN_SNAPPED 64     /* servers: `handler` was known at `arrive` */
#define GP_CONN_UNACCEPTED 128 /* not accepted yet at `arrive` */

/* What a thread has spent until some moment. */
struct gp_counters {
	__u64 runqueue_ns, cpu_ns, io_ns;
};

/*
 * What an open exchange's thread put down about it: see stage.bpf.h. In a table by the exchange's
 * id, like threads by pid. Fields from `calls` on under the lock; `own_ns` by its handler alone.
 */
struct gp_work {
	struct bpf_spin_lock lock;
	__u32 id;     /* 0: free */
	__u32 pid;    /* its handler */
	__u32 calls;  /* open now */
	__u32 called; /* whether there were any: else the lock is not needed */
	__u64 begun_ns;
	__u64 own_ns; /* CPU time spent on it, before its handler last turned to another */
	__u64 mark_ns, mark_own_ns;
	struct gp_counters mark; /* until then, time of calls is taken */
	__u64 downstream_ns;
	struct gp_counters taken;
	__u64 longest_ns; /* of one call, and to which endpoint */
	__u32 longest;
};

#define GP_WORKS 8192
#define GP_WORK_WAYS 4
#define GP_WORK_OLD_NS 10000000000ULL /* may be taken for another from then on */

/*
 * Where a server's exchange spent its time from `arrive` to `first`. What is left of that is
 * `unattributed`.
 */
struct gp_parts {
	__u64 ns[GP_STAGE_UNATTRIBUTED];
};

/*
 * How a connection's bytes are looked at (look.bpf.h). Nothing is known of it at first, and it is
 * looked at; then its protocol is supposed from a request, and confirmed by the answer to that.
 */
#define GP_LOOK_OFF 1	    /* turns alone: no protocol of those that are looked for, or given up */
#define GP_LOOK_CONFIRMED 2 /* its endpoint is that of `protocol` */
#define GP_LOOK_WHOLE 4	    /* the open request was seen whole: what comes more is another */
#define GP_LOOK_OVERLAPS 8  /* it was pipelined before: every message is followed */
#define GP_LOOK_STREAM 16   /* bytes only, no exchanges */
#define GP_LOOK_ANSWERED 32 /* the beginning of the open exchange's answer was seen */
#define GP_LOOK_LOST 64	    /* out of step: operations are not known until it is in step again */
#define GP_LOOK_TENTATIVE                                                                          \
	128 /* its protocol is supposed from a request, not from an answer; of                     \
	       datagrams: its role is not known yet */
/* Of TLS, where the bits mean nothing else (tls.bpf.h). */
#define GP_LOOK_SEALED GP_LOOK_WHOLE   /* 1.3: alerts look like data, too */
#define GP_LOOK_FRESH GP_LOOK_ANSWERED /* tickets may come before the first answer */
#define GP_LOOK_TRIES 8 /* requests that make no sense before a connection is given up */

/*
 * How long the messages of an exchange are, for exemplars alone. Of the server's request it is
 * known when the answer begins, of a client's by where its connection then stands.
 */
struct gp_lengths {
	__u64 request;	 /* bytes; 0: not known */
	__u64 answer_at; /* where in its stream the answer begins; see gp_place_in */
};

/* A request that waits for those before it on its connection. */
struct gp_queued {
	__u64 start_ns; /* server: arrive; client: send */
	__u32 count;	/* as many as that, all alike */
	__u16 operation;
	__u16 bytes; /* 0: too many, or not known */
};

/* When the bytes before `seq` had arrived. */
struct gp_arrival {
	__u32 seq;
	__u32 exact; /* of those between this and `seq` the time is too early */
	__u64 ns;
};

#define GP_ARRIVALS 8 /* powers of two */
#define GP_QUEUED 64
#define GP_WAITING_MAX 65536 /* ended at once when their connection is gone */

/* One direction of a connection that is followed. */
struct gp_flow {
	struct gp_parser parser;
	__u32 seq;    /* of the first byte that was not seen yet */
	__u8 carried; /* bytes in `carry`: the beginning of a token whose rest is to come */
	__u8 ending;  /* the message ends where the parser's `skip` does */
	__u8 aside;   /* the message is none of an exchange */
	__u8 reserved;
	__u64 carried_ns; /* when the first of these was sent or read */
	__u8 carry[GP_LOOK];
};

/*
 * What is kept with a connection while its messages are followed one by one: because several are
 * under way at once, or one is more than what a look can see. In a table by `gp_conn.frame`.
 * Written by the socket's events, under its lock.
 */
struct gp_frame {
	__u32 taken;			   /* 0: free; by compare-and-exchange */
	__u32 payer;			   /* as in gp_service_info */
	__u8 arrivals_begin, arrivals_end; /* counters; the place is modulo GP_ARRIVALS */
	__u8 begin, end;		   /* of `queue`, likewise */
	__u8 current;			   /* an exchange is open: that of gp_conn */
	__u8 started;			   /* and its answer has begun */
	__u8 opens_stream;		   /* the last request makes a stream of the connection */
	__u8 crowded;			   /* the last request has no place in `queue` of its own */
	__u32 waiting;			   /* requests in `queue` */
	__u32 request_seq;		   /* where the last request begins */
	struct gp_lengths lengths;	   /* of the current exchange */
	__u64 answer_end;		   /* as `answer_at` */
	struct gp_flow in, out;
	struct gp_arrival arrivals[GP_ARRIVALS];
	struct gp_queued queue[GP_QUEUED];
} __attribute__((aligned(64)));

#define GP_FRAMES 1024
#define GP_FRAME_WAYS 8

/*
 * A connection: what is kept with one socket, from the handshake on (and with a listener). With
 * the kernel's own 264 bytes it stays below 448, so at most 184 here.
 *
 * All events of a TCP socket run under its lock, so fields are written plainly. The collector's
 * iterator does not hold it. It ends an answered exchange by exchanging `turn` (exchange.bpf.h),
 * and adds up counts by exchanging `bytes_in`, `bytes_out` and `retransmits`. Racy, as it writes
 * plainly what events write, too: GP_CONN_IGNORED in `flags`, a listener's `endpoint` and
 * `service`, and, of an exchange it ended, `service` and `edge`.
 *
 * The first 56 bytes share a cache line (the kernel's element has 8 of its own before them): all
 * that an arrival, in softirq on any CPU, reads and writes of a server's connection. The rest
 * belongs to the application's CPU.
 */
struct gp_conn {
	__u64 turn;
	__u64 arrive_ns;	  /* server: when the request now unread became readable */
	__u64 arrive_runqueue_ns; /* what `reader` had waited for a CPU until then */
	__u32 endpoint;		  /* gp_ref, or GP_SLOT_NONE */
	__u32 reader;		  /* pid of who last read (client: sent) a request; 0: none */
	__u8 role, flags;
	__u16 port;	  /* of the endpoint */
	__u32 received;	  /* payload bytes that had arrived at the last event; may wrap */
	__u32 write_seq;  /* at the last send's beginning */
	__u32 copied_seq; /* server: at arrive; client: where a request ends that was seen whole, or
			     what was followed of TLS */
	__u16 listener;	  /* place of the listener it came from, or is; 0: none */
	__u16 frame;	  /* place of its gp_frame + 1; 0: none */
	__u32 id;	  /* of the exchange: tells those that are open apart; 0: none */

	__u32 service; /* gp_ref of the owner, or GP_SLOT_NONE */
	__u32 netns;
	__u64 start_ns; /* server: arrive; client: send */
	union {
		__u64 read_ns;	  /* server: the first receive that took bytes of the request */
		__u64 connect_ns; /* client: connect called; 0: before goldpan */
		__u64 longest_ns; /* server, ANSWERED: of the call it waited longest for */
	};
	__u64 first_ns;		  /* server: first; client: reply */
	__u64 last_ns;		  /* server: last; client: done */
	union {			  /* server */
		__u64 peer;	  /* of datagrams, clients: whom `endpoint` is, as in gp_datagram */
		__u64 settled_ns; /* `last` as of the last send that is known to have taken bytes */
		__u64 established_ns; /* until the first receive */
	};
	union {
		struct gp_parts parts;		    /* ANSWERED */
		struct {			    /* READ */
			struct gp_counters handler; /* at `read` */
			__u64 waited_ns;	    /* of `arrive` to `read`: on the run queue */
			__u64 lost_ns;		    /* of the same: not known where */
		};
		struct {		       /* clients */
			__u32 caller;	       /* id of the exchange it is made for; 0: none */
			__u32 caller_endpoint; /* gp_ref of that exchange's endpoint; 0 likewise */
			__u32 edge;	       /* place of the edge last counted at; 0: none */
		};
	};
	union {
		struct {
			union {
				__u64 bytes_in; /* already counted at the endpoint */
				__u64 discards; /* listeners: packets that were no connection's */
			};
			__u64 bytes_out; /* already counted at the endpoint */
		};
		__u8 path[16]; /* unix sockets: see gp_unix_path */
	};
	union {
		__u32 retransmits; /* already counted; listeners: overflows */
		__u32 opened;	   /* datagrams: counted as open; by compare-and-exchange */
	};
	__u32 longest;	 /* gp_ref of the client endpoint that was waited for longest */
	__u8 protocol;	 /* enum gp_protocol */
	__u8 look;	 /* GP_LOOK_* */
	__u16 operation; /* of the open exchange; while no protocol is known: tries so far */
	__u16 status;	 /* of its answer */
	__u16 slot;	 /* in `operations`, of the last exchange counted; 0: none */
};

/* What is kept with a unix socket. */
struct gp_unix_id {
	__u32 place;   /* of its side in `unix_sides`; 0: none */
	__u32 refused; /* there was no room for it: it is not observed */
};

/*
 * One side of a unix connection, in the table `unix_sides`: the server's is at an even place, the
 * client's behind it. Written under `lock` of the server's side, but by a collection, as of TCP.
 */
struct gp_unix_side {
	struct gp_conn conn;
	__u64 skb; /* that was read last; 0: none */
	__u32 skb_begin, skb_len;
	__u32 lock;
	__u32 used;    /* its socket was there at the last collection, or came since */
	__u32 seen;    /* gp_unix_round when it was last met, or began */
	__u32 older;   /* than goldpan */
	__u32 arrived; /* position behind what was put into its queue */
	__u32 copied;  /* and of what was taken from there, before the last receive */
	__u32 taking;  /* how much that was about to take */
	__u32 found;   /* of `arrived`: what its sender did not come to say yet */
	__u32 sent;    /* as the other side's `arrived`, by the events of this one */
	__u32 counted_in, counted_out; /* positions until which bytes are counted */
	__u32 told;		       /* server: the endpoint last left for those to come */
	struct gp_lengths lengths;
	__u8 owed_begin, owed_end; /* counters; the place is modulo GP_ARRIVALS */
	__u16 reserved;
	struct gp_arrival owed[GP_ARRIVALS]; /* what was sent and is not followed yet, and when */
};

#define GP_UNIX_CONNECTIONS 2048

_Static_assert(sizeof(struct gp_conn) <= 184, "448 bytes a connection with the kernel's own");

/* Queries of DNS that are open on a datagram socket: see datagram.bpf.h. */
#define GP_QUERIES 32 /* open on a socket: one more pushes out the oldest */
#define GP_QUERY_OLD_NS 30000000000ULL
#define GP_QUERY_TAKEN 1 /* the key of a place that is being filled: port 0 asks nothing */

struct gp_query {
	__u64 start_ns;
	__u32 endpoint;		       /* clients: gp_ref of whom it was sent to */
	__u32 caller, caller_endpoint; /* clients: as in gp_conn */
	__u32 reader;		       /* pid of who sent it; servers: 0 */
	__u32 address[4];	       /* of the peer, network order */
	__u16 port;
	__u8 is_v6, reserved;
	__u16 operation;
	__u16 reserved2;
};

/* With the kernel's own 72 bytes, below the next size that it has. */
struct gp_queries {
	__u64 key[GP_QUERIES]; /* gp_datagram.peer | the id; 0: free */
	struct gp_query query[GP_QUERIES];
};

_Static_assert(sizeof(struct gp_queries) <= 2048 - 72, "2 KiB a socket with the kernel's own");

#endif
