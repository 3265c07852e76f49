/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept with a thread and with a socket. */
#ifndef GP_STATE_BPF_H
#define GP_STATE_BPF_H

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
 * can run at that time; `waking_ns` by whoever wakes it; `pid` by compare-and-exchange.
 */
struct gp_thread {
	__u32 pid;     /* 0: free */
	__u32 service; /* gp_ref */
	__u64 css_set; /* its control groups when `service` was found: changes with any of them */
	__u32 current; /* reserved: the exchange this thread works for */
	__u8 state;    /* enum gp_thread_state */
	__u8 reserved[3];
	__u64 since_ns;			  /* when the state began */
	__u64 waking_ns;		  /* when it was last woken, until it runs; 0: not woken */
	__u64 runqueue_ns, cpu_ns, io_ns; /* of its life, as far as seen */
};

_Static_assert(sizeof(struct gp_thread) == 64, "one cache line a thread");

/*
 * A connection: what is kept with one socket, from the handshake on (and with a listener). With
 * the kernel's own 264 bytes it stays below 448, so at most 184 here.
 *
 * All events of a TCP socket run under its lock, so fields are written plainly. The collector's
 * iterator does not hold it: it may only end an answered exchange, by exchanging `turn`
 * (exchange.bpf.h), and add up byte counts, by exchanging `bytes_in` and `bytes_out`.
 */
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

/* Where an exchange stands: the low byte of `turn`; the rest counts turns. */
enum gp_phase {
	GP_PHASE_IDLE,
	GP_PHASE_REQUEST,  /* server: bytes arrived, none read; client: bytes sent */
	GP_PHASE_READ,	   /* server: the application read some of them */
	GP_PHASE_ANSWERED, /* the response has begun */
};

#define GP_CONN_LISTENER 1
#define GP_CONN_IGNORED 2 /* its service was not asked for */
#define GP_CONN_OPEN 4	  /* counted as open */
#define GP_CONN_OTHER 8	  /* its endpoint is an `other` */
#define GP_CONN_OTHER_SERVICE 16
#define GP_CONN_OWNED 32 /* somebody received or sent on it: its owner is known */

struct gp_conn {
	__u64 turn;
	__u32 endpoint; /* gp_ref, or GP_SLOT_NONE */
	__u32 service;	/* gp_ref of the owner, or GP_SLOT_NONE */
	__u8 role, flags;
	__u16 port; /* of the endpoint */
	__u32 netns;
	__u64 start_ns;	  /* server: arrive; client: send */
	__u64 read_ns;	  /* server: the first receive that took bytes of the request */
	__u64 first_ns;	  /* server: first; client: reply */
	__u64 last_ns;	  /* server: last; client: done */
	__u64 settled_ns; /* server: `last` as of the last send that is known to have taken bytes */
	__u64 received;	  /* payload bytes that had arrived at the last event */
	__u32 write_seq;  /* at the last send's beginning */
	__u32 copied_seq; /* at arrive */
	__u64 bytes_in, bytes_out; /* already counted at the endpoint */
	__u64 opened_ns;	   /* client: connect called; server: established */
	__u32 retransmits;	   /* already counted */
	__u32 listener;		   /* place of the listener it came from, or is; 0: none */
};

_Static_assert(sizeof(struct gp_conn) <= 184, "448 bytes a connection with the kernel's own");

#endif
