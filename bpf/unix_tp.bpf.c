// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the events of unix sockets mean for the exchanges of the connection's two sides. These
 * programs are not attached: TCP's of the same hook hand such events over to them.
 */
#define GP_OF_UNIX
#include "turn.bpf.h"
#include "unix_begin.bpf.h"

#define NOTICE_TRIES (1 << 16) /* some 100 us: the sender may be interrupted */

/* One event, on its way through both sides. */
struct event {
	struct gp_unix_side *receiver, *sender;
	__u32 *lock;
	const struct unix_sock *queue; /* the receiver's socket; NULL: not known any more */
	__u32 copied; /* of a receive: how far the last one came, if that is told */
	bool is_told;
};

static __always_inline bool event_of(struct event *e, __u32 receiver)
{
	e->receiver = gp_unix_at(receiver);
	e->sender = gp_unix_at(receiver ^ GP_UNIX_CLIENT);
	if (!receiver || !e->receiver || !e->sender)
		return false;
	e->lock = receiver & GP_UNIX_CLIENT ? &e->sender->lock : &e->receiver->lock;
	return true;
}

/* The sender's side has put `msg` into the other one's queue, which goes up to `arrived` now. */
__noinline int gp_unix_sending(struct gp_unix_side *s, struct gp_sent *msg, __u32 arrived)
{
	struct gp_stream at;

	if (!s || !msg)
		return -1;
	at = gp_unix_stream(s);
	if (!s->conn.frame)
		s->owed_begin = s->owed_end; /* it is not followed any more */
	msg->later = msg->linear < msg->len || gp_unix_owes(s);
	gp_sending(NULL, &s->conn, &at, msg, true);
	if (msg->later && s->conn.frame)
		gp_unix_owe(s, arrived, bpf_ktime_get_ns());
	s->sent = arrived;
	gp_unix_open(s);
	return 0;
}

__noinline int gp_unix_readable(struct gp_unix_side *s, bool accepted)
{
	struct gp_stream at;

	if (!s)
		return -1;
	at = gp_unix_stream(s);
	at.accepted = accepted;
	return gp_readable(NULL, &s->conn, &at);
}

/*
 * Follows what `s` has sent and what is read now: an skb that begins at `seq`. The sender may have
 * been interrupted before it came to say that it has sent all up to `arrived`: then that is now.
 */
__noinline int gp_unix_follow(struct gp_unix_side *s, struct sk_buff *skb GP_ARG_TRUSTED, __u32 seq,
			      __u32 arrived)
{
	struct gp_feed x = {.skb = skb};
	struct gp_stream at;

	if (!s)
		return -1;
	x.tp = &at;
	x.c = &s->conn;
	x.f = gp_frame_of(x.c);
	x.s = gp_scratch_get(GP_SCRATCH_RECEIVE); /* it is read now */
	if (!x.f || !x.s)
		return 0;
	if (s->sent != arrived) {
		x.c->write_seq = s->sent;
		s->sent = arrived;
		gp_unix_owe(s, arrived, bpf_ktime_get_ns());
	}
	at = gp_unix_stream(s);
	x.now = gp_unix_pay(s, seq);
	if (!gp_source_skb(&x.s->source, skb, 0))
		return 0;
	gp_follow_event(&x, &x.f->out, x.c->role == GP_ROLE_CLIENT, seq);
	gp_unix_pay(s, x.c->frame ? x.f->out.seq + x.f->out.carried : s->sent);
	if (x.s->lost && x.c->role == GP_ROLE_CLIENT && gp_phase(x.c->turn) == GP_PHASE_IDLE) {
		x.c->start_ns = x.now; /* as in gp_sending */
		gp_turn_set(x.c, GP_PHASE_REQUEST);
	}
	return 0;
}

/* Connections to come at the same path begin at the endpoint of this one. */
static __always_inline void tell(struct gp_unix_side *s)
{
	struct gp_conn *c = &s->conn;
	struct gp_unix_path *path;

	if (c->role != GP_ROLE_SERVER || c->endpoint == s->told || c->endpoint == GP_SLOT_NONE)
		return;
	s->told = c->endpoint;
	path = bpf_map_lookup_elem(&unix_paths, c->path);
	if (!path)
		return;
	path->service = c->service;
	path->endpoint = c->endpoint;
}

/* A receive is about to copy `len` bytes of an skb, of which `consumed` were taken before. */
__noinline int gp_unix_receive(struct gp_unix_side *s, struct sk_buff *skb GP_ARG_TRUSTED,
			       __u32 len, __u32 consumed)
{
	struct gp_stream at;

	if (!s)
		return -1;
	at = gp_unix_stream(s);
	at.skb_seq = at.copied_seq - consumed;
	gp_receiving(NULL, &s->conn, &at, skb, len);
	s->taking = len;
	gp_unix_open(s);
	tell(s);
	return 0;
}

/* The place of the socket's side; 0: it has none. */
static __always_inline __u32 place_of(struct sock *sk)
{
	struct gp_unix_id *id = NULL;

	if (sk->sk_bpf_storage)
		id = bpf_sk_storage_get(&unix_ids, sk, NULL, 0);
	return id ? id->place : 0;
}

/* An skb was put into the socket's queue, in the task that sends it. */
SEC("?tp_btf/sk_data_ready")
int BPF_PROG(unix_ready, struct sock *sk)
{
	struct unix_sock *us = bpf_skc_to_unix_sock(sk), *others;
	struct gp_sent sent = {};
	struct event e = {};
	struct sk_buff *tail;
	struct sock *other;
	__u32 place, queued, fresh;

	if (!us || sk->sk_type != SOCK_STREAM_NUMBER)
		return 0;
	other = us->peer;
	if (!other)
		return 0; /* a listener */
	others = bpf_skc_to_unix_sock(other);
	place = place_of(sk);
	if (!others || (!place && !(place = gp_unix_begin(sk, us, other, others))))
		return 0;
	if (!event_of(&e, place) || !gp_unix_lock(e.lock))
		return 0;
	queued = us->inq_len;
	tail = sk->sk_receive_queue.prev;
	if (queued && (void *)tail != (void *)&sk->sk_receive_queue)
		sent.len = tail->len;
	if (!e.receiver->sent && !e.receiver->arrived && !e.sender->sent) {
		e.receiver->copied = sent.len - queued; /* positions count from here */
		e.sender->copied = -others->inq_len;
	}
	gp_unix_arrived(e.receiver, sent.len, queued);
	gp_unix_settle(e.sender, others->inq_len);
	barrier(); /* from the table anew: the verifier need not tell how it came to that apart */
	fresh = e.receiver->arrived - e.sender->sent;
	if (fresh) {
		if (sent.len == fresh) { /* else it is not all there any more, or is several */
			sent.linear = fresh - tail->data_len;
			sent.bytes = (__u64)tail->data;
		}
		sent.len = fresh;
		gp_unix_sending(e.sender, &sent, e.receiver->arrived);
	}
	gp_unix_readable(e.receiver, sk->sk_socket != NULL);
	gp_unix_unlock(e.lock);
	return 0;
}

static __always_inline __u32 queued_at(const struct unix_sock *queue)
{
	return BPF_CORE_READ(queue, inq_len);
}

static long noticed(__u32 i, struct event *e)
{
	__u32 queued = queued_at(e->queue);

	if (e->is_told)
		return e->copied + queued == *(volatile __u32 *)&e->receiver->arrived;
	return gp_unix_is_known(e->receiver, queued);
}

/*
 * A receive is about to copy `len` bytes of an skb that `sk` has sent. The sender may not have come
 * to say that it did, as it is about to: then it is waited for.
 */
SEC("?tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(unix_read, struct sk_buff *skb, int len)
{
	__u32 consumed = ((struct unix_skb_parms *)skb->cb)->consumed, queued;
	const struct unix_sock *queue;
	struct sock *sk = skb->sk;
	struct event e = {};
	struct gp_unix_id *id;

	if (!sk)
		return 0;
	id = bpf_sk_storage_get(&unix_ids, sk, NULL, 0);
	if (!id || !id->place || !event_of(&e, id->place ^ GP_UNIX_CLIENT))
		return 0;
	/* Without one the sender has closed, and has said all. */
	queue = (struct unix_sock *)BPF_CORE_READ((struct unix_sock *)sk, peer);
	if (queue && BPF_CORE_READ(queue, sk.sk_receive_queue.next) != skb)
		return 0; /* a look beyond the first */
	e.queue = queue;
	e.is_told = gp_unix_came_to(e.receiver, skb, consumed, &e.copied);
	if (queue && !noticed(0, &e))
		bpf_loop(NOTICE_TRIES, noticed, &e, 0);
	if (!gp_unix_lock(e.lock))
		return 0;
	if (e.is_told) {
		e.receiver->copied = e.copied;
		e.receiver->taking = 0;
	}
	queued = e.receiver->arrived - e.receiver->copied - e.receiver->taking;
	if (queue)
		queued = queued_at(queue);
	gp_unix_receiving(e.receiver, queued);
	e.receiver->skb = (__u64)skb;
	e.receiver->skb_begin = e.receiver->copied - consumed;
	e.receiver->skb_len = skb->len;
	barrier();
	if (gp_unix_owes(e.sender) || e.sender->sent != e.receiver->arrived)
		gp_unix_follow(e.sender, skb, e.receiver->copied - consumed, e.receiver->arrived);
	gp_unix_receive(e.receiver, skb, len, consumed);
	gp_unix_unlock(e.lock);
	return 0;
}
