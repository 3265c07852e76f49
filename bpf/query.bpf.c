// SPDX-License-Identifier: GPL-2.0-or-later
/* Queries of DNS: told by their own form, kept while they are open, counted when they end. */
#include "datagram.bpf.h"
#include "ending.bpf.h"

int gp_datagram_dns(struct gp_dns_bytes *bytes, __u32 len, struct gp_dns *dns)
{
	return bytes && dns && gp_dns_look(bytes->at, len, dns);
}

/* Where a query's place is looked for first. */
static __always_inline __u32 begin_of(__u64 key)
{
	return key ^ key >> 16 ^ key >> 32;
}

int gp_query_find(struct gp_queries *q, __u64 key)
{
	__u32 begin = begin_of(key);

	for (__u32 i = 0; q && i < GP_QUERIES; i++) {
		__u32 place = (begin + i) & (GP_QUERIES - 1);

		if (q->key[place] == key)
			return place;
	}
	return -1;
}

/*
 * The place of the query that is open longest, of those that are not being filled. Counted from
 * `begin`, which a verifier does not know: it need not tell the places apart.
 */
__noinline __u32 gp_query_oldest(struct gp_queries *q, __u32 begin)
{
	__u32 oldest = begin & (GP_QUERIES - 1);
	__u64 oldest_ns;

	if (!q)
		return 0;
	oldest_ns = q->query[oldest].start_ns;
	for (__u32 i = 1; i < GP_QUERIES; i++) {
		__u32 place = (begin + i) & (GP_QUERIES - 1);
		__u64 start_ns = q->query[place].start_ns;

		if (start_ns < oldest_ns && q->key[place] != GP_QUERY_TAKEN) {
			oldest_ns = start_ns;
			oldest = place;
		}
	}
	return oldest;
}

int gp_query_claim(struct gp_queries *q, __u64 key, __u32 operation, struct gp_query *pushed,
		   __u64 *pushed_key)
{
	__u32 begin = begin_of(key), place;
	int known;

	if (!q || !pushed || !pushed_key)
		return -1;
	*pushed_key = 0;
	known = gp_query_find(q, key);
	if (known >= 0) {
		place = known & (GP_QUERIES - 1);
		if (q->query[place].operation == operation)
			return -1;
	} else {
		for (__u32 i = 0; i < GP_QUERIES; i++) {
			place = (begin + i) & (GP_QUERIES - 1);
			if (!q->key[place] &&
			    !__sync_val_compare_and_swap(&q->key[place], 0, GP_QUERY_TAKEN))
				return place;
		}
		place = gp_query_oldest(q, begin) & (GP_QUERIES - 1);
		key = q->key[place];
	}
	if (key <= GP_QUERY_TAKEN || !gp_query_take(q, place, key, GP_QUERY_TAKEN, pushed))
		return -1;
	*pushed_key = key;
	return place;
}

/* The endpoint of DNS at the place of `ref`. Those to come at the same place begin there. */
static __noinline __u32 named(struct gp_conn *c, __u32 ref)
{
	struct gp_endpoint_info *info = gp_endpoint_info(ref), *to_info;
	struct gp_endpoint_key key;
	__u32 to;

	if (!info || info->key.protocol || (info->key.flags & GP_KEY_OTHER) ||
	    GP_REF_INDEX(ref) <= GP_SLOT_OTHER_CLIENT)
		return ref;
	key = info->key;
	key.protocol = GP_PROTOCOL_DNS;
	to = gp_endpoint_get(&key);
	to_info = gp_endpoint_info(to);
	if (to_info && to_info->key.protocol)
		info->hint = to;
	if (c->endpoint == ref) {
		if (c->flags & GP_CONN_OPEN) {
			gp_endpoint_connections(ref, -1);
			gp_endpoint_connections(to, 1);
		}
		gp_conn_place(c, c->service, to);
	}
	return to;
}

static __always_inline __u32 other_flags(const struct gp_conn *c, __u32 ref)
{
	struct gp_endpoint_info *info = gp_endpoint_info(ref);
	__u32 flags = c->flags & GP_CONN_OTHER_SERVICE;

	if (info && (GP_REF_INDEX(ref) <= GP_SLOT_OTHER_CLIENT || (info->key.flags & GP_KEY_OTHER)))
		flags |= GP_CONN_OTHER;
	return flags;
}

static __noinline int tell(const struct gp_exchange *e, const struct gp_query *q, __u32 reason)
{
	struct gp_exemplar *x = gp_exemplar_begin(e, q->reader, reason);

	if (!x)
		return 0;
	x->peer_port = q->port;
	x->peer_is_v6 = q->is_v6;
	__builtin_memcpy(x->peer, q->address, sizeof(x->peer));
	bpf_ringbuf_submit(x, 0);
	return 0;
}

__u32 gp_query_end(struct gp_conn *c, struct gp_query *q, __u32 status, __u64 now)
{
	struct gp_exchange e = {
		.protocol = GP_PROTOCOL_DNS,
		.status = status,
		.first_ns = now,
		.last_ns = now,
	};
	bool failed = status == GP_STATUS_NONE, client;

	if (!c || !q)
		return GP_SLOT_NONE;
	client = c->role == GP_ROLE_CLIENT;
	e.caller = q->caller_endpoint ?: GP_SLOT_NONE;
	e.slot = c->slot;
	e.operation = q->operation;
	e.start_ns = q->start_ns;
	if (client && q->caller)
		gp_work_replied(q->caller, q->endpoint, q->start_ns, now);
	e.endpoint = named(c, client ? q->endpoint : c->endpoint);
	if (e.endpoint == GP_SLOT_NONE || (c->flags & GP_CONN_IGNORED))
		return GP_SLOT_NONE; /* nobody's: who bound the socket was not seen, and nobody has
					sent on it */
	e.flags = other_flags(c, e.endpoint);
	if (failed ? gp_exchange_abort(&e) : gp_exchange_count(&e))
		c->service = GP_SLOT_NONE; /* found anew at the next send */
	c->slot = e.slot;
	c->look |= GP_LOOK_CONFIRMED;
	if (client)
		gp_edge_count(c, &e, failed);
	if (gp_tell_failed && failed)
		tell(&e, q, GP_REASON_ABORTED);
	else if (!failed && gp_slow_ns && now - q->start_ns >= gp_slow_ns)
		tell(&e, q, GP_REASON_SLOW);
	else if (gp_tell_failed && gp_dns_error(status) < GP_ERROR_COUNT)
		tell(&e, q, GP_REASON_ERROR);
	return e.endpoint;
}
