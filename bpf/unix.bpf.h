/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix stream sockets. They have no sequence numbers: the positions of what one side receives are
 * counted from when its connection was first seen, by what its queue holds.
 *
 * There are two events. A socket's data_ready comes in the task that has just put an skb into the
 * queue: it is the sender's send and the receiver's arrival. The copy out of an skb comes in the
 * task of the reader, before the bytes leave the queue. So how much was read shows at the next
 * event:
 *
 *   arrived 30, copied 0, queue 30 --copy of 20 begins--> taking 20 --> queue 10: copied is 20
 *
 * None of this runs under a lock of the kernel's that both sides hold. The connection's record has
 * one, tried for a bounded time; an event that does not get it is counted in dropped.clock, and
 * what it stood for is found by the next.
 *
 * What it is bad at: nothing tells of the end of a socket. Records are not kept with it, but in a
 * table, and a collection ends those whose socket it does not meet any more. A connection that
 * never carried a byte is not seen at all. Of a send's payload only what the kernel keeps with the
 * skb itself can be read by a program at once, some 3.7 KB of each skb. Where there is more and
 * messages are followed, that is done when it is read (gp_unix_owe): what nobody reads is then not
 * known to have been answered. Who is the server shows
 * in who shares its address with others: where the listener and all its other connections have gone
 * before the first bytes, a client with a name of its own looks the same, and the connection is not
 * observed; nor is a socketpair. And as the kernel does not run a program that interrupts itself,
 * an arrival on TCP in a softirq on top of an event here is missed; that is found at the
 * connection's next event.
 */
#ifndef GP_UNIX_BPF_H
#define GP_UNIX_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "stream.bpf.h"

#define GP_UNIX_LOCK_TRIES (1 << 17) /* some ms: its holder may be interrupted */
#define GP_UNIX_CLIENT 1	     /* in a place: which side */

static __always_inline struct gp_unix_side *gp_unix_at(__u32 place)
{
	return bpf_map_lookup_elem(&unix_sides, &place);
}

struct gp_unix_wait {
	__u32 *lock;
	__u32 got;
};

static long gp_unix_try(__u32 i, struct gp_unix_wait *w)
{
	w->got = !__sync_val_compare_and_swap(w->lock, 0, 1);
	return w->got;
}

/* Tasks hold it, with preemption off, for as long as one event takes. */
static __always_inline bool gp_unix_lock(__u32 *lock)
{
	struct gp_unix_wait w = {.lock = lock};

	if (!__sync_val_compare_and_swap(lock, 0, 1))
		return true;
	bpf_loop(GP_UNIX_LOCK_TRIES, gp_unix_try, &w, 0);
	if (!w.got)
		gp_drop(GP_DROP_CLOCK);
	return w.got;
}

static __always_inline void gp_unix_unlock(__u32 *lock)
{
	__sync_lock_test_and_set(lock, 0);
}

/* Where the streams of a side stand. What an event does not need is never read. */
static __always_inline struct gp_stream gp_unix_stream(const struct gp_unix_side *s)
{
	struct gp_stream at = {
		.bytes_received = s->arrived,
		.rcv_nxt = s->arrived,
		.copied_seq = s->copied,
		.write_seq = s->sent,
		.snd_una = s->sent,
		.accepted = true,
	};

	return at;
}

/* The last receive has taken what it was about to. */
static __always_inline void gp_unix_took(struct gp_unix_side *s)
{
	s->copied += s->taking;
	s->taking = 0;
}

/* Nothing arrived since the last event, by what the queue holds, whether that took bytes or not. */
static __always_inline bool gp_unix_is_known(const struct gp_unix_side *s, __u32 queued)
{
	__u32 kept = s->copied + queued;

	return kept == s->arrived || kept + s->taking == s->arrived;
}

/* What the last receive took, by what the queue holds now; unless something arrived since. */
static __always_inline void gp_unix_settle(struct gp_unix_side *s, __u32 queued)
{
	if (s->copied + s->taking + queued == s->arrived)
		gp_unix_took(s);
}

/*
 * An skb of `len` bytes was put into the queue; `len` 0: it is not there any more. If its reader
 * was faster, and found it, it is known: by the lengths alone that looks like one more that came
 * when as much was taken.
 */
static __always_inline void gp_unix_arrived(struct gp_unix_side *s, __u32 len, __u32 queued)
{
	__u32 kept = s->copied + queued, took = kept + s->taking, next = s->arrived + len;
	__u32 found = s->found;

	s->found = 0;
	if (found && (s->arrived == took || s->arrived == kept)) {
		if (len && len < found)
			s->found = found - len;
		return;
	}
	if (len && next == took) {
		gp_unix_took(s);
	} else if (len && next == kept) {
		/* nothing was taken yet */
	} else if (s->arrived == took || s->arrived == kept) {
		return;
	} else if ((__s32)(took - s->arrived) > 0) { /* several tasks send at once */
		gp_unix_took(s);
		next = took;
	} else { /* bytes were taken unseen (splice) */
		s->copied = next - queued;
		s->taking = 0;
	}
	s->arrived = next;
}

/*
 * How far the last receive came, by the skb that the next one copies from: the rest of the same, or
 * another, which the whole of the first went before. False if that does not tell (it is the same
 * again from its beginning, or one that lies at its place): then the queue does.
 */
static __always_inline bool gp_unix_came_to(const struct gp_unix_side *s, const struct sk_buff *skb,
					    __u32 consumed, __u32 *copied)
{
	bool same = s->skb == (__u64)skb;

	*copied = s->skb_begin + (same ? consumed : s->skb_len);
	return s->skb && same == !!consumed;
}

/* A receive is about to copy, with `queued` bytes in the queue. */
static __always_inline void gp_unix_receiving(struct gp_unix_side *s, __u32 queued)
{
	__u32 kept = s->copied + queued, took = kept + s->taking;

	if (s->arrived == took) {
		gp_unix_took(s);
	} else if (s->arrived == kept) {
		s->taking = 0;			     /* it was a look (MSG_PEEK) */
	} else if ((__s32)(took - s->arrived) > 0) { /* the sender did not come to say so yet */
		gp_unix_took(s);
		s->found += took - s->arrived;
		s->arrived = took;
	} else {
		s->copied = s->arrived - queued;
		s->taking = 0;
	}
}

static __always_inline bool gp_unix_owes(const struct gp_unix_side *s)
{
	return s->owed_begin != s->owed_end;
}

/*
 * What was sent up to `end` is followed when it is read, with the time that it has now. If there is
 * no room, it has that of the one before.
 */
static __always_inline void gp_unix_owe(struct gp_unix_side *s, __u32 end, __u64 now)
{
	struct gp_arrival *a;

	if ((__u8)(s->owed_end - s->owed_begin) == GP_ARRIVALS) {
		s->owed[(__u8)(s->owed_end - 1) & (GP_ARRIVALS - 1)].seq = end;
		return;
	}
	a = &s->owed[s->owed_end++ & (GP_ARRIVALS - 1)];
	a->seq = end;
	a->ns = now;
}

/* All before `seq` was followed. When the byte there was sent, if it is to be followed yet. */
static __always_inline __u64 gp_unix_pay(struct gp_unix_side *s, __u32 seq)
{
	for (int i = 0; i < GP_ARRIVALS && gp_unix_owes(s); i++) {
		const struct gp_arrival *a = &s->owed[s->owed_begin & (GP_ARRIVALS - 1)];

		if ((__s32)(a->seq - seq) > 0)
			return a->ns;
		s->owed_begin++;
	}
	return bpf_ktime_get_ns();
}

/* Counts the connection as open once its endpoint is known. */
static __always_inline void gp_unix_open(struct gp_unix_side *s)
{
	struct gp_conn *c = &s->conn;
	struct gp_endpoint_record *r;

	if (c->flags & (GP_CONN_OPEN | GP_CONN_IGNORED) || c->endpoint == GP_SLOT_NONE)
		return;
	c->flags |= GP_CONN_OPEN;
	gp_endpoint_connections(c->endpoint, 1);
	r = gp_endpoint_record(c->endpoint);
	if (r && !s->older)
		gp_add(&r->opened, 1);
}

#endif
