/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A datagram at hand, and the queries that are open on a socket: asked and not answered, told apart
 * by peer and transaction id.
 *
 * A socket's events run on any CPU, without its lock and interrupting each other. So a place of
 * gp_queries is taken and left by exchanging its key: whoever succeeds alone counts the query. What
 * stands beside the key is written before it and copied before it is taken; only a peer that asks
 * the same again between the two could tear that copy, and then spoils one duration of its own.
 *
 * Racy, too: `flags`, `look` and, where several threads send to several peers on one socket at a
 * time, its endpoint. A query may then be counted at that of another of these peers, never twice.
 */
#ifndef GP_DATAGRAM_BPF_H
#define GP_DATAGRAM_BPF_H

#include "endpoint.bpf.h"
#include "gp_dns.h"
#include "maps.bpf.h"

struct gp_datagram {
	/*
	 * Address and port of the other end, and 16 bits of room for an id. An IPv6 address is
	 * folded to 32 bits: those that fall on the same must agree on the port and the id, too, to
	 * be taken for each other.
	 */
	__u64 peer;
	__u64 now_ns;
	__u32 address[4];
	__u32 offset, len; /* of the payload, in the packet */
	__u16 port;
	bool is_v6;
};

/* The header of UDP in an IP packet, or NULL: the least that can be done for all that is TCP. */
static __always_inline const __u8 *gp_datagram_udp(const __u8 *ip, const __u8 *end, bool *is_v6)
{
	const __u8 *udp = ip + 40;

	if (ip + 20 > end)
		return NULL;
	*is_v6 = ip[0] >> 4 == 6;
	if (*is_v6) {
		if (ip + 48 > end || ip[6] != IPPROTO_UDP_NUMBER)
			return NULL;
	} else {
		if (ip[9] != IPPROTO_UDP_NUMBER)
			return NULL;
		udp = ip + ((ip[0] & 15) << 2);
	}
	return udp + 8 > end ? NULL : udp;
}

static __always_inline __u64 gp_datagram_peer(const struct gp_datagram *d)
{
	__u32 folded = d->address[0];

	if (d->is_v6)
		for (int i = 1; i < 4; i++)
			folded = (folded ^ folded >> 15) * 0x9e3779b1u + d->address[i];
	return (__u64)folded << 32 | (__u32)d->port << 16;
}

/* What the headers say of a packet that is received (`inward`) or sent; false if it is not UDP. */
static __always_inline bool gp_datagram_read(struct __sk_buff *skb, bool inward,
					     struct gp_datagram *d)
{
	const __u8 *ip = (const __u8 *)(long)skb->data, *udp;
	const __u8 *end = (const __u8 *)(long)skb->data_end;

	udp = gp_datagram_udp(ip, end, &d->is_v6);
	if (!udp)
		return false;
	d->port = gp_dns_number(udp + (inward ? 0 : 2));
	d->offset = (d->is_v6 ? 40 : (ip[0] & 15) << 2) + 8;
	d->len = skb->len > d->offset ? skb->len - d->offset : 0;
	if (d->is_v6) {
		const __u32 *address = (const __u32 *)(ip + (inward ? 8 : 24));

		if (ip + 40 > end)
			return false;
		for (int i = 0; i < 4; i++)
			d->address[i] = address[i];
	} else {
		d->address[0] = *(const __u32 *)(ip + (inward ? 12 : 16));
	}
	d->peer = gp_datagram_peer(d);
	return true;
}

struct gp_dns_bytes {
	__u8 at[GP_DNS_LOOK];
};

/* gp_dns_look; looked at by the verifier once. */
int gp_datagram_dns(struct gp_dns_bytes *bytes, __u32 len, struct gp_dns *dns);

/* The place of the open query `key`, or -1. */
int gp_query_find(struct gp_queries *q, __u64 key);

/*
 * A place for query `key`, of which the caller fills the rest and then the key. -1 if it was asked
 * before and is still open, or nothing could be taken. `pushed_key` is that of the query that had
 * to go, 0: none.
 */
int gp_query_claim(struct gp_queries *q, __u64 key, __u32 operation, struct gp_query *pushed,
		   __u64 *pushed_key);

/*
 * A query that was taken ends with `status`; GP_STATUS_NONE: without an answer. The endpoint that
 * it is counted at, or GP_SLOT_NONE.
 */
__u32 gp_query_end(struct gp_conn *c, struct gp_query *q, __u32 status, __u64 now);

/* Copies and frees the query at a place, if it is still that of `key`. Whether it was. */
static __always_inline bool gp_query_take(struct gp_queries *q, __u32 place, __u64 key,
					  __u64 becomes, struct gp_query *taken)
{
	place &= GP_QUERIES - 1;
	*taken = q->query[place];
	barrier();
	return __sync_val_compare_and_swap(&q->key[place], key, becomes) == key;
}

/* What is kept with a socket that was bound by thread `pid`: its role is not known yet. */
static __always_inline void gp_datagram_bound(struct gp_conn *fresh, __u32 netns, __u32 pid)
{
	fresh->endpoint = GP_SLOT_NONE;
	fresh->service = GP_SLOT_NONE;
	fresh->netns = netns;
	fresh->reader = pid;
	fresh->look = GP_LOOK_TENTATIVE;
}

/* What was received before it was known whose it is. */
static __always_inline void gp_datagram_early(struct gp_conn *c, struct gp_endpoint_record *r)
{
	if (c->bytes_in)
		gp_add(&r->bytes_in, __sync_lock_test_and_set(&c->bytes_in, 0));
}

/* The socket is counted at its endpoint from now on, and what was received on it before. */
static __always_inline void gp_datagram_open(struct gp_conn *c)
{
	struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);

	if (!r || __sync_val_compare_and_swap(&c->opened, 0, 1))
		return;
	c->flags |= GP_CONN_OPEN;
	gp_endpoint_connections(c->endpoint, 1);
	gp_add(&r->opened, 1);
	gp_datagram_early(c, r);
}

#endif
