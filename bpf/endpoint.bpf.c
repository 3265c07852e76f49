// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.bpf.h"

#define OTHER_SERVICE GP_REF(GP_SLOT_OTHER_SERVICE, 1)

static __always_inline struct gp_service_info *service_info(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref);
	struct gp_service_info *info = bpf_map_lookup_elem(&service_infos, &index);

	return info && info->ref == ref ? info : NULL;
}

static __always_inline struct gp_endpoint_info *endpoint_info(__u32 ref)
{
	__u32 index = GP_REF_INDEX(ref);
	struct gp_endpoint_info *info = bpf_map_lookup_elem(&endpoint_infos, &index);

	return info && info->ref == ref ? info : NULL;
}

__u32 gp_service_get(struct gp_service_key *key, __u32 pid)
{
	__u32 slot = 0, ref, *known;
	struct gp_service_info *info;

	if (!key)
		return OTHER_SERVICE;
	known = bpf_map_lookup_elem(&service_keys, key);
	if (known)
		return *known;
	if (bpf_map_pop_elem(&service_slots, &slot))
		return OTHER_SERVICE;
	info = bpf_map_lookup_elem(&service_infos, &slot);
	if (!info)
		return OTHER_SERVICE;
	ref = info->ref;
	info->key = *key;
	info->pid = pid;
	if (bpf_map_update_elem(&service_keys, key, &ref, BPF_NOEXIST)) {
		bpf_map_push_elem(&service_slots, &slot, 0);
		known = bpf_map_lookup_elem(&service_keys, key); /* another CPU was first */
		return known ? *known : OTHER_SERVICE;
	}
	info->state = GP_SLOT_LIVE;
	return ref;
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

/* Takes a free slot for `key`. GP_SLOT_NONE if there is none. */
static __always_inline __u32 endpoint_new(struct gp_endpoint_key *key)
{
	bool server = key->role == GP_ROLE_SERVER;
	struct gp_endpoint_info *info;
	__u32 slot = 0, ref, *known;

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
	return ref;
}

/* May the service have one more endpoint of this role? Counts it if so. */
static __always_inline bool may_grow(struct gp_service_info *service, __u8 role)
{
	__s32 *count = role == GP_ROLE_SERVER ? &service->servers : &service->clients;
	__s32 most = role == GP_ROLE_SERVER ? GP_SERVICE_PORTS : GP_SERVICE_REMOTES;

	if (*(volatile __s32 *)count >= most)
		return false;
	__sync_fetch_and_add(count, 1);
	return true;
}

/* The endpoint of `key`; the service's `other`, or the one of all, if it cannot have one. */
__noinline __u32 gp_endpoint_get(struct gp_endpoint_key *key)
{
	struct gp_endpoint_key other = {};
	struct gp_service_info *service;
	__u32 ref, *known;

	if (!key)
		return GP_SLOT_NONE;
	known = bpf_map_lookup_elem(&endpoint_keys, key);
	if (known)
		return *known;
	service = service_info(key->service);
	if (service && may_grow(service, key->role)) {
		ref = endpoint_new(key);
		if (ref != GP_SLOT_NONE)
			return ref;
		__sync_fetch_and_add(
			key->role == GP_ROLE_SERVER ? &service->servers : &service->clients, -1);
	}
	other.service = key->service;
	other.role = key->role;
	other.transport = key->transport;
	other.flags = GP_KEY_OTHER;
	known = bpf_map_lookup_elem(&endpoint_keys, &other);
	if (known)
		return *known;
	ref = endpoint_new(&other);
	if (ref != GP_SLOT_NONE)
		return ref;
	return key->role == GP_ROLE_SERVER ? GP_REF(GP_SLOT_OTHER_SERVER, 1)
					   : GP_REF(GP_SLOT_OTHER_CLIENT, 1);
}

/* Whether what is counted at this endpoint lost its name. */
static __always_inline bool is_other(struct gp_endpoint_info *info)
{
	return GP_REF_INDEX(info->ref) <= GP_SLOT_OTHER_CLIENT || (info->key.flags & GP_KEY_OTHER);
}

int gp_conn_assign(struct gp_conn *c, __u32 service, struct gp_endpoint_key *key)
{
	struct gp_endpoint_info *from, *to;
	__u32 ref;

	if (!c || !key)
		return -1;
	key->service = service;
	ref = gp_endpoint_get(key);
	from = endpoint_info(c->endpoint);
	to = endpoint_info(ref);
	c->service = service;
	if (from != to && (c->flags & (GP_CONN_OPEN | GP_CONN_LISTENER))) {
		if (from)
			__sync_fetch_and_add(&from->connections, -1);
		if (to)
			__sync_fetch_and_add(&to->connections, 1);
	}
	if (from && from != to && (c->flags & GP_CONN_OWNED)) {
		struct gp_endpoint_record *r = gp_endpoint_record(c->endpoint);

		if (r)
			gp_add(&r->handed_over, 1);
	}
	c->endpoint = ref;
	c->flags &= ~(GP_CONN_OTHER | GP_CONN_OTHER_SERVICE);
	if (to && is_other(to))
		c->flags |= GP_CONN_OTHER;
	if (!GP_REF_INDEX(service))
		c->flags |= GP_CONN_OTHER_SERVICE;
	return 0;
}
