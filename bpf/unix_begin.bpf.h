/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The beginning of a unix connection, as far as goldpan sees it: its first bytes. */
#ifndef GP_UNIX_BEGIN_BPF_H
#define GP_UNIX_BEGIN_BPF_H

#include "closing.bpf.h"
#include "unix.bpf.h"

#define GP_UNIX_HASH_1 0x9e3779b97f4a7c15ULL
#define GP_UNIX_HASH_2 0xc2b2ae3d27d4eb4fULL

/* Who shares the address; 0: there is none (reading by way of NULL gives 0). */
static __always_inline int gp_unix_sharers(const struct unix_address *a)
{
	return a->refcnt.refs.counter;
}

/*
 * Which of the two was accepted, by their addresses: 1, 2, or 0: none is known to be. It shares its
 * address with the listener; a client has none, or was bound to its own. A socketpair has none.
 */
static __always_inline int gp_unix_server(const struct unix_address *a,
					  const struct unix_address *b)
{
	int first = gp_unix_sharers(a), second = gp_unix_sharers(b);

	if (first == second)
		return 0;
	return first > second ? 1 : 2;
}

/* What is known of a path, put down if it is new. NULL: it cannot be read, or kept. */
static __noinline struct gp_unix_path *gp_unix_path(const struct unix_address *a, __u32 netns,
						    struct gp_unix_name *name)
{
	const void *from = (const void *)a + bpf_core_field_offset(struct unix_address, name);
	__u32 len = a->len - sizeof(__u16);
	struct gp_unix_path path = {};

	if (len > GP_UNIX_PATH_LEN)
		len = GP_UNIX_PATH_LEN;
	asm volatile("" : "+r"(len));
	if (!len || len > GP_UNIX_PATH_LEN ||
	    bpf_probe_read_kernel(path.path, len, from + sizeof(__u16)))
		return NULL;
	path.len = len;
	name->hash[0] = name->hash[1] = netns;
	for (__u32 i = 0; i < GP_UNIX_PATH_LEN / 4; i++) {
		__u32 word = ((__u32 *)path.path)[i];

		name->hash[0] = (name->hash[0] ^ word) * GP_UNIX_HASH_1;
		name->hash[0] ^= name->hash[0] >> 29;
		name->hash[1] = (name->hash[1] + word) * GP_UNIX_HASH_2;
		name->hash[1] ^= name->hash[1] >> 31;
	}
	if (!bpf_map_lookup_elem(&unix_paths, name))
		bpf_map_update_elem(&unix_paths, name, &path, BPF_NOEXIST);
	return bpf_map_lookup_elem(&unix_paths, name);
}

static __always_inline void gp_unix_init(struct gp_unix_side *s, const struct sock *sk, __u8 role,
					 const struct gp_unix_name *name)
{
	gp_conn_init(&s->conn, sk, role, 0);
	__builtin_memcpy(s->conn.path, name, sizeof(s->conn.path));
	s->arrived = s->copied = s->taking = s->found = s->sent = 0;
	s->counted_in = s->counted_out = 0;
	s->lock = 0;
	s->older = 0;
	s->told = 0;
	s->skb = 0;
	s->owed_begin = s->owed_end = 0;
	s->seen = gp_unix_round;
}

/* A place for a connection, both sides empty; 0: there is none. */
static __always_inline __u32 gp_unix_claim(const struct sock *accepted,
					   const struct gp_unix_name *name,
					   const struct gp_unix_path *path)
{
	struct gp_unix_side *server, *client;
	__u32 place = 0;

	if (bpf_map_pop_elem(&unix_slots, &place))
		return 0;
	place *= 2;
	server = gp_unix_at(place);
	client = gp_unix_at(place + GP_UNIX_CLIENT);
	if (!server || !client)
		return 0;
	gp_unix_init(server, accepted, GP_ROLE_SERVER, name);
	gp_unix_init(client, accepted, GP_ROLE_CLIENT, name);
	if (!gp_with_client)
		client->conn.flags = GP_CONN_IGNORED;
	if (path->endpoint && gp_endpoint_info(path->endpoint)) /* as the one before */
		gp_conn_place(&server->conn, path->service, path->endpoint);
	return place;
}

/* Frees what was not needed. */
static __always_inline void gp_unix_unclaim(__u32 place)
{
	place /= 2;
	bpf_map_push_elem(&unix_slots, &place, 0);
}

/*
 * The first bytes are seen, put into the queue of `sk` by `other`. Both get the places of their
 * sides; what `sk` got, or 0 if the connection is not observed.
 */
static __noinline __u32 gp_unix_begin(struct sock *sk, struct unix_sock *us, struct sock *other,
				      const struct unix_sock *others)
{
	struct gp_unix_side *server, *client;
	struct gp_unix_id *mine, *theirs;
	const struct sock *accepted;
	struct gp_unix_name name = {};
	struct gp_unix_path *path;
	__u32 place, known, side;
	int which;

	which = gp_unix_server(us->addr, others->addr);
	if (!which)
		return 0;
	accepted = which == 1 ? sk : other;
	path = gp_unix_path(which == 1 ? us->addr : others->addr,
			    accepted->__sk_common.skc_net.net->ns.inum, &name);
	mine = bpf_sk_storage_get(&unix_ids, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	theirs = bpf_sk_storage_get(&unix_ids, other, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!mine || !theirs) {
		gp_drop(GP_DROP_CONNECTIONS);
		return 0;
	}
	if (mine->place || mine->refused)
		return mine->place;
	place = path ? gp_unix_claim(accepted, &name, path) : 0;
	server = gp_unix_at(place);
	client = gp_unix_at(place + GP_UNIX_CLIENT);
	if (!place || !server || !client) { /* counted once */
		mine->refused = theirs->refused = 1;
		gp_drop(GP_DROP_CONNECTIONS);
		return 0;
	}
	side = which == 1 ? 0 : GP_UNIX_CLIENT; /* of `sk` */
	known = __sync_val_compare_and_swap(which == 1 ? &mine->place : &theirs->place, 0, place);
	if (known) { /* the other side was first */
		gp_unix_unclaim(place);
		place = known;
	} else {
		server->used = client->used = 1;
	}
	if (side)
		mine->place = place + GP_UNIX_CLIENT;
	else
		theirs->place = place + GP_UNIX_CLIENT;
	return place + side;
}

#endif
