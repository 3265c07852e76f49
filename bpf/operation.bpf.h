/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: what was asked of an endpoint and what came of it, from one bounded pool. */
#ifndef GP_OPERATION_BPF_H
#define GP_OPERATION_BPF_H

#include "gp_dns.h"
#include "gp_http.h"
#include "gp_postgresql.h"
#include "gp_redis.h"
#include "maps.bpf.h"

/* The slot of an operation, given out if need be; 0 if there is none left. */
__u32 gp_operation_get(struct gp_operation_key *key);

/* What a status of a protocol is: GP_ERROR_SERVER, GP_ERROR_CLIENT, or GP_ERROR_COUNT: no error. */
static __always_inline enum gp_error gp_status_error(__u8 protocol, __u16 status)
{
	switch (protocol) {
	case GP_PROTOCOL_HTTP:
		return gp_http_error(status);
	case GP_PROTOCOL_REDIS:
		return gp_redis_error(status);
	case GP_PROTOCOL_POSTGRESQL:
		return gp_postgresql_error(status);
	case GP_PROTOCOL_DNS:
		return gp_dns_error(status);
	default:
		return GP_ERROR_COUNT;
	}
}

/* This CPU's record of an operation, in `slot` if it is still there; else it is looked for. */
static __always_inline struct gp_operation_record *gp_operation_record(struct gp_operation_key *key,
								       __u16 *slot)
{
	struct gp_operation_record *o;
	__u32 index;

	for (int i = 0; i < 2; i++) {
		index = *slot * gp_shards + gp_shard();
		o = bpf_map_lookup_elem(&operations, &index);
		if (o && *slot && *(__u64 *)&o->key == *(__u64 *)key)
			return o;
		if (!i)
			*slot = gp_operation_get(key);
	}
	return NULL;
}

#endif
