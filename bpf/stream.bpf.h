/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the state machines (exchange.bpf.h and what is built on it) need of a connection: where its
 * two streams stand, and the bytes of a send. On TCP these are the kernel's own structures. An
 * object for unix sockets defines GP_OF_UNIX and gets structures with the same members, which
 * goldpan fills (unix.bpf.h): one source, compiled for each, so that neither pays for the other. It
 * looks at no socket: there `sk` is NULL throughout.
 */
#ifndef GP_STREAM_BPF_H
#define GP_STREAM_BPF_H

#include "compat.bpf.h"

#ifdef GP_OF_UNIX

#define GP_IS_UNIX true

/* Positions, as in struct tcp_sock. */
struct gp_stream {
	__u64 bytes_received;
	__u32 rcv_nxt, copied_seq, write_seq, snd_una;
	__u32 skb_seq; /* of the skb that is read, if one is */
	bool accepted; /* by its server */
};

/* An skb that a send has filled. */
struct gp_sent {
	__u64 bytes;  /* in the kernel */
	__u32 linear; /* how many of `len` are there; the rest lies in pages, out of reach */
	__u32 len;
	bool later; /* to be followed when it is read: see gp_unix_owe */
};

/* 1 if the end of the stream has arrived, and was read as if it were a byte. */
static __always_inline __u32 gp_stream_end(const struct sock *sk)
{
	return 0;
}

static __always_inline bool gp_stream_accepted(const struct sock *sk, const struct gp_stream *tp)
{
	return tp->accepted;
}

/* The stream position of an skb's first byte. */
static __always_inline __u32 gp_stream_seq(const struct gp_stream *tp, struct sk_buff *skb)
{
	return tp->skb_seq;
}

static __always_inline __u64 gp_sent_len(const struct gp_sent *msg)
{
	return msg->len;
}

static __always_inline bool gp_sent_later(const struct gp_sent *msg)
{
	return msg->later;
}

/* Bytes were sent that are to be followed yet, those before `seq` being followed. */
static __always_inline bool gp_stream_owes(const struct gp_stream *tp, __u32 seq)
{
	return (__s32)(tp->write_seq - seq) > 0;
}

static __always_inline __u64 gp_written(const struct gp_stream *tp)
{
	return tp->write_seq;
}

#else

#define GP_IS_UNIX false
#define gp_stream tcp_sock
#define gp_sent msghdr

static __always_inline __u32 gp_stream_end(const struct sock *sk)
{
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	return (sk->__sk_common.skc_flags >> done) & 1;
}

static __always_inline bool gp_stream_accepted(const struct sock *sk, const struct gp_stream *tp)
{
	return sk->sk_socket != NULL;
}

static __always_inline __u32 gp_stream_seq(const struct gp_stream *tp, struct sk_buff *skb)
{
	return gp_skb_seq(skb);
}

static __always_inline __u64 gp_sent_len(const struct gp_sent *msg)
{
	return msg->msg_iter.count;
}

static __always_inline bool gp_sent_later(const struct gp_sent *msg)
{
	return false;
}

static __always_inline bool gp_stream_owes(const struct gp_stream *tp, __u32 seq)
{
	return false;
}

/* What was sent, and a FIN. */
static __always_inline __u64 gp_written(const struct gp_stream *tp)
{
	return tp->bytes_acked + (__u32)(tp->write_seq - tp->snd_una);
}

#endif

/*
 * Where in what arrived, and in what was sent, the byte at `seq` is, counted from the stream's
 * beginning, give or take the same for each. `seq` is less than 2 GiB from what came last.
 */
static __always_inline __u64 gp_place_in(const struct gp_stream *tp, __u32 seq)
{
	return tp->bytes_received - (__s64)(__s32)(tp->rcv_nxt - seq);
}

static __always_inline __u64 gp_place_out(const struct gp_stream *tp, __u32 seq)
{
	return gp_written(tp) - (__s64)(__s32)(tp->write_seq - seq);
}

/* Payload bytes that arrived in order. The kernel's counter includes the FIN. */
static __always_inline __u64 gp_received(const struct sock *sk, const struct gp_stream *tp)
{
	return tp->bytes_received - gp_stream_end(sk);
}

/* Bytes that arrived and were not read. */
static __always_inline __u32 gp_unread(const struct sock *sk, const struct gp_stream *tp)
{
	__u32 unread = tp->rcv_nxt - tp->copied_seq;

	return unread && gp_stream_end(sk) ? unread - 1 : unread;
}

#endif
