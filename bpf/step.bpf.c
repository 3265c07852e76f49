// SPDX-License-Identifier: GPL-2.0-or-later
#include "step.bpf.h"

#include "gp_http.h"
#include "gp_postgresql.h"
#include "gp_redis.h"
#include "gp_tls.h"
#include "maps.bpf.h"

static __always_inline bool wanted(enum gp_protocol which)
{
	return gp_protocols & 1u << which;
}

static __always_inline bool recognises(__u32 protocol, enum gp_protocol which)
{
	return protocol == which && wanted(which);
}

__noinline int gp_redis_request_step(struct gp_parser *p, struct gp_bytes *bytes, __u32 len)
{
	return p && bytes && wanted(GP_PROTOCOL_REDIS) ? gp_redis_request(p, bytes->at, len)
						       : GP_PARSE_LOST;
}

__noinline int gp_redis_answer_step(struct gp_parser *p, struct gp_bytes *bytes, __u32 len)
{
	return p && bytes && wanted(GP_PROTOCOL_REDIS) ? gp_redis_response(p, bytes->at, len)
						       : GP_PARSE_LOST;
}

__noinline int gp_postgresql_request_step(struct gp_parser *p, struct gp_bytes *bytes, __u32 len)
{
	return p && bytes && wanted(GP_PROTOCOL_POSTGRESQL)
		       ? gp_postgresql_request(p, bytes->at, len)
		       : GP_PARSE_LOST;
}

__noinline int gp_postgresql_answer_step(struct gp_parser *p, struct gp_bytes *bytes, __u32 len)
{
	return p && bytes && wanted(GP_PROTOCOL_POSTGRESQL)
		       ? gp_postgresql_response(p, bytes->at, len)
		       : GP_PARSE_LOST;
}

int gp_plain(struct gp_scratch *s, __u32 len, __u32 protocol)
{
	struct gp_parser p = {};
	bool plain = false;

	if (!s)
		return -1;
	if (recognises(protocol, GP_PROTOCOL_HTTP))
		plain = gp_http_plain(s->window, len, &p);
	else if (recognises(protocol, GP_PROTOCOL_REDIS))
		plain = gp_redis_plain(s->window, len, &p);
	return plain ? p.operation : -1;
}

int gp_step_request(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol)
{
	if (!p || !bytes)
		return GP_PARSE_LOST;
	if (recognises(protocol, GP_PROTOCOL_HTTP))
		return gp_http_request(p, bytes->at, len);
	if (recognises(protocol, GP_PROTOCOL_REDIS))
		return gp_redis_request_step(p, bytes, len);
	if (recognises(protocol, GP_PROTOCOL_POSTGRESQL))
		return gp_postgresql_request_step(p, bytes, len);
	if (recognises(protocol, GP_PROTOCOL_TLS))
		return gp_tls_request(p, bytes->at, len);
	return GP_PARSE_LOST;
}

int gp_step_answer(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol)
{
	int n;

	if (!p || !bytes)
		return GP_PARSE_LOST;
	if (recognises(protocol, GP_PROTOCOL_HTTP))
		return gp_http_response(p, bytes->at, len);
	if (recognises(protocol, GP_PROTOCOL_REDIS))
		return gp_redis_answer_step(p, bytes, len);
	if (recognises(protocol, GP_PROTOCOL_POSTGRESQL))
		return gp_postgresql_answer_step(p, bytes, len);
	if (recognises(protocol, GP_PROTOCOL_TLS)) {
		n = gp_tls_response(p, bytes->at, len);
		p->events |= GP_EVENT_ASIDE; /* up to the first request; then turns count */
		return n;
	}
	return GP_PARSE_LOST;
}

int gp_recognise(struct gp_bytes *bytes, __u32 len)
{
	bool http, redis;

	if (!bytes || !len || !gp_protocols)
		return GP_PROTOCOL_UNKNOWN;
	http = gp_http_begins(bytes->at, len);
	redis = gp_redis_begins(bytes->at, len);
	if (http && redis && bytes->at[4] != '/') /* GET of one or the other */
		http = false;
	if (http && (gp_protocols & 1u << GP_PROTOCOL_HTTP))
		return GP_PROTOCOL_HTTP;
	if (redis && (gp_protocols & 1u << GP_PROTOCOL_REDIS))
		return GP_PROTOCOL_REDIS;
	if ((gp_protocols & 1u << GP_PROTOCOL_POSTGRESQL) && gp_postgresql_begins(bytes->at, len))
		return GP_PROTOCOL_POSTGRESQL;
	if ((gp_protocols & 1u << GP_PROTOCOL_TLS) && gp_tls_begins(bytes->at, len))
		return GP_PROTOCOL_TLS;
	return GP_PROTOCOL_UNKNOWN;
}
