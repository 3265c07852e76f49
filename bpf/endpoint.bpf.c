// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.bpf.h"

#include "origin.bpf.h"
#include "payer.bpf.h"

#define OTHER_SERVICE GP_REF(GP_SLOT_OTHER_SERVICE, 1)

/*
 * Takes a free slot for `key`, which `payer` was charged for. `group` as in gp_service_get.
 * GP_SLOT_NONE if there is none.
 */
static __always_inline __u32 service_new(struct gp_service_key *key, __u64 group, __u32 payer,
					 const struct gp_task_id *id)
{
	__u32 slot = 0, ref, *known;
	struct gp_service_info *info;

	if (bpf_map_pop_elem(&service_slots, &slot))
		return GP_SLOT_NONE;
	info = bpf_map_lookup_elem(&service_infos, &slot);
	if (!info)
		return GP_SLOT_NONE;
	ref = info->ref;
	info->key = *key;
	info->pid = id->tgid;
	gp_origin_take(slot, id->is_kernel ? 0 : id->leader_at);
	info->payer = payer;
	info->flags = group && group == key->cgroup ? GP_INFO_NAMED_BY_ROOT : 0;
	if (bpf_map_update_elem(&service_keys, key, &ref, BPF_NOEXIST)) {
		bpf_map_push_elem(&service_slots, &slot, 0);
		gp_payer_leave(payer);
		known = bpf_map_lookup_elem(&service_keys, key); /* another CPU was first */
		return known ? *known : GP_SLOT_NONE;
	}
	info->state = GP_SLOT_LIVE;
	return ref;
}

__u32 gp_service_get(struct gp_service_key *asked, __u64 group, struct gp_task_id *id)
{
	struct gp_service_key own, *key = &own;
	__u32 payer = 0, ref, *known;
	bool may = true;

	if (!asked || !id)
		return OTHER_SERVICE;
	own = *asked; /* until 6.3 the verifier takes no key from a caller's memory */
	known = bpf_map_lookup_elem(&service_keys, key);
	if (known)
		return *known;
	if (group || key->user) {
		payer = gp_payer_join(group ? GP_PAYER_GROUP | (__u32)group : key->user);
		may = payer;
	}
	if (may) {
		ref = service_new(key, group, payer, id);
		return ref == GP_SLOT_NONE ? OTHER_SERVICE : ref;
	}
	if (!group)
		return OTHER_SERVICE;
	__builtin_memset(&own, 0, sizeof(own));
	own.cgroup = group;
	known = bpf_map_lookup_elem(&service_keys, key);
	if (known)
		return *known;
	ref = service_new(key, group, 0, id);
	return ref == GP_SLOT_NONE ? OTHER_SERVICE : ref;
}

/* From now on the records of the slot take events that come with `ref`, and no others. */
static __always_inline void open_records(__u32 slot, __u32 ref)
{
	for (__u32 shard = 0; shard < GP_SHARDS_MAX && shard < gp_shards; shard++) {
		__u32 index = slot * gp_shards + shard;
		struct gp_endpoint_record *r = bpf_map_lookup_elem(&endpoints, &index);

		if (r)
			r->ref = ref;
	}
}

/* Where the endpoints of this role are counted that the service's payer has; NULL: nowhere. */
static __always_inline __s32 *charged_to(const struct gp_service_info *service, __u8 role)
{
	__u32 place = service->payer;
	struct gp_payer *p = place ? bpf_map_lookup_elem(&payers, &place) : NULL;

	if (!p)
		return NULL;
	return role == GP_ROLE_SERVER ? &p->servers : &p->clients;
}

/* Counts a new endpoint at its service, of which a place is one with all its protocols, and at
 * whoever is charged. */
static __always_inline void charge(struct gp_service_info *service,
				   const struct gp_endpoint_key *key)
{
	bool server = key->role == GP_ROLE_SERVER;
	__s32 *charged = charged_to(service, key->role);

	if (charged)
		__sync_fetch_and_add(charged, 1);
	if (!key->protocol && !(key->flags & GP_KEY_OTHER))
		__sync_fetch_and_add(server ? &service->servers : &service->clients, 1);
}

/* Whether the place of `key` has an endpoint: places are bounded, each with all protocols. */
static __always_inline bool has_place(struct gp_endpoint_key *key)
{
	__u8 protocol = key->protocol;
	bool has;

	key->protocol = GP_PROTOCOL_UNKNOWN; /* in place: the stack is short where this is called */
	has = bpf_map_lookup_elem(&endpoint_keys, key);
	key->protocol = protocol;
	return has;
}

/* Whether the service has as many places of this role as it may have. */
static __always_inline bool is_full(const struct gp_service_info *service, __u8 role)
{
	if (role == GP_ROLE_SERVER)
		return *(volatile __s32 *)&service->servers >= GP_SERVICE_PORTS;
	return *(volatile __s32 *)&service->clients >= GP_SERVICE_REMOTES;
}

/* Whether the service, and whoever is charged for it, may have one more. */
static __always_inline bool may_grow(const struct gp_service_info *service,
				     struct gp_endpoint_key *key)
{
	bool server = key->role == GP_ROLE_SERVER;
	__s32 *charged, most = gp_payer_endpoints[server ? GP_ROLE_SERVER : GP_ROLE_CLIENT];

	if (key->flags & GP_KEY_OTHER) /* for these there is as much room again */
		most *= 2;
	else if (is_full(service, key->role) && (!key->protocol || !has_place(key)))
		return false;
	charged = charged_to(service, key->role);
	return !charged || *(volatile __s32 *)charged < most;
}

/* Takes a free slot for `key`. GP_SLOT_NONE if there is none for it. */
static __always_inline __u32 endpoint_new(struct gp_endpoint_key *key,
					  struct gp_service_info *service)
{
	bool server = key->role == GP_ROLE_SERVER;
	struct gp_endpoint_info *info;
	__u32 slot = 0, ref, *known;

	if (!may_grow(service, key))
		return GP_SLOT_NONE;
	if (server ? bpf_map_pop_elem(&server_slots, &slot)
		   : bpf_map_pop_elem(&client_slots, &slot))
		return GP_SLOT_NONE;
	info = bpf_map_lookup_elem(&endpoint_infos, &slot);
	if (!info)
		return GP_SLOT_NONE;
	ref = info->ref;
	info->key = *key;
	open_records(slot, ref);
	if (bpf_map_update_elem(&endpoint_keys, key, &ref, BPF_NOEXIST)) {
		if (server)
			bpf_map_push_elem(&server_slots, &slot, 0);
		else
			bpf_map_push_elem(&client_slots, &slot, 0);
		known = bpf_map_lookup_elem(&endpoint_keys, key); /* another CPU was first */
		return known ? *known : GP_SLOT_NONE;
	}
	info->state = GP_SLOT_LIVE;
	charge(service, key);
	return ref;
}

static __always_inline __u32 other_of_all(__u8 role)
{
	return role == GP_ROLE_SERVER ? GP_REF(GP_SLOT_OTHER_SERVER, 1)
				      : GP_REF(GP_SLOT_OTHER_CLIENT, 1);
}

__noinline __u32 gp_endpoint_get(struct gp_endpoint_key *asked)
{
	struct gp_endpoint_key own, *key = &own;
	struct gp_service_info *service;
	__u32 ref, *known;

	if (!asked)
		return GP_SLOT_NONE;
	own = *asked; /* as in gp_service_get */
	known = bpf_map_lookup_elem(&endpoint_keys, key);
	if (known)
		return *known;
	service = gp_service_info(key->service);
	if (!service) /* it was just given up: its name is no longer known */
		return other_of_all(key->role);
	ref = endpoint_new(key, service);
	if (ref != GP_SLOT_NONE)
		return ref;
	own.netns = own.port = own.reserved = 0;
	own.flags = GP_KEY_OTHER;
	__builtin_memset(own.address, 0, sizeof(own.address));
	known = bpf_map_lookup_elem(&endpoint_keys, key);
	if (known)
		return *known;
	ref = endpoint_new(key, service);
	return ref != GP_SLOT_NONE ? ref : other_of_all(key->role);
}

/* Moves the connection's part in the count of open ones. */
static __always_inline void move(struct gp_conn *c, __u32 to)
{
	if (c->flags & (GP_CONN_OPEN | GP_CONN_LISTENER)) {
		gp_endpoint_connections(c->endpoint, -1);
		gp_endpoint_connections(to, 1);
	}
}

static __always_inline void count_handing_over(struct gp_conn *c)
{
	struct gp_endpoint_record *r;

	if (!(c->flags & GP_CONN_OWNED))
		return;
	r = gp_endpoint_record(c->endpoint);
	if (r)
		gp_add(&r->handed_over, 1);
}

/* A connection that was accepted is served by somebody else than who listens: say so there. */
static __always_inline void move_listener(struct gp_conn *c, __u32 service, __u32 endpoint)
{
	struct gp_listener *l = gp_listener_of(c);

	if (!l || (c->flags & GP_CONN_LISTENER))
		return;
	l->service = service;
	l->endpoint = endpoint;
}

int gp_conn_assign(struct gp_conn *c, __u32 service, struct gp_endpoint_key *key)
{
	__u32 ref;

	if (!c || !key)
		return -1;
	key->service = service;
	ref = gp_endpoint_get(key);
	if (!key->protocol && !(c->look & GP_LOOK_OFF))
		ref = gp_endpoint_recognised(ref);
	if (ref != c->endpoint) {
		count_handing_over(c);
		move(c, ref);
		move_listener(c, service, ref);
	}
	gp_conn_place(c, service, ref);
	return 0;
}

int gp_conn_retype(struct gp_conn *c, struct gp_endpoint_key *key)
{
	__u32 ref;

	if (!c || !key)
		return -1;
	key->service = c->service;
	ref = gp_endpoint_get(key);
	if (ref != c->endpoint)
		move(c, ref);
	gp_conn_place(c, c->service, ref);
	return 0;
}

/* Whether the endpoint is one place's, and nobody's `other`. */
static __always_inline bool is_of_a_place(const struct gp_endpoint_info *info)
{
	return info && !(info->key.flags & GP_KEY_OTHER) &&
	       GP_REF_INDEX(info->ref) > GP_SLOT_OTHER_CLIENT;
}

int gp_conn_recognised(struct gp_conn *c)
{
	struct gp_endpoint_info *info = c ? gp_endpoint_info(c->endpoint) : NULL;
	struct gp_endpoint_key key;

	if (!c || !is_of_a_place(info) || !info->key.protocol)
		return -1;
	move_listener(c, c->service, c->endpoint);
	key = info->key;
	key.protocol = GP_PROTOCOL_UNKNOWN;
	info = gp_endpoint_info(gp_endpoint_get(&key));
	if (is_of_a_place(info))
		info->hint = c->endpoint;
	return 0;
}

int gp_conn_settle(struct gp_conn *c)
{
	__u32 ref;

	if (!c)
		return -1;
	ref = gp_conn_endpoint(c);
	if (ref == c->endpoint)
		return 0;
	move(c, ref);
	gp_conn_place(c, c->service, ref);
	return 0;
}
