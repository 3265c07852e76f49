// SPDX-License-Identifier: GPL-2.0-or-later
#include "exemplars.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bpf_object.h"
#include "called.h"
#include "clock.h"
#include "own.h"
#include "protocol.h"

#define NS_PER_S 1000000000LL

struct gp_exemplars {
	struct gp_slots *slots;
	struct gp_directory *directory;
	struct gp_events *events;
	struct ring_buffer *ring;
	uint64_t lost; /* not even handed on to the events */
};

/*
 * CLOCK_REALTIME less CLOCK_MONOTONIC, in nanoseconds. Between the readings this thread may be
 * switched out for milliseconds: of three tries the one whose readings were closest counts.
 */
static int64_t day_offset_ns(void)
{
	uint64_t closest = UINT64_MAX;
	int64_t offset = 0;

	for (int i = 0; i < 3; i++) {
		struct timespec real;
		uint64_t before = gp_now_ns(), took;

		clock_gettime(CLOCK_REALTIME, &real);
		took = gp_now_ns() - before;
		if (took >= closest)
			continue;
		closest = took;
		offset = real.tv_sec * NS_PER_S + real.tv_nsec - (int64_t)(before + took / 2);
	}
	return offset;
}

/* A moment of CLOCK_MONOTONIC, which the kernel side knows, as time of day. */
static struct timespec time_of_day(uint64_t monotonic_ns)
{
	int64_t ns = day_offset_ns() + (int64_t)monotonic_ns;

	return (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
}

/* Who was at the other end; NULL: not known, as it is of a unix socket's client. */
static const char *peer_of(struct gp_slots *slots, const struct gp_endpoint_key *key,
			   const struct gp_exemplar *x, char *text, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	if (key->transport == GP_TRANSPORT_UNIX)
		return key->role == GP_ROLE_CLIENT ? gp_called_address(slots, key, text) : NULL;
	inet_ntop(x->peer_is_v6 ? AF_INET6 : AF_INET, x->peer, address, sizeof(address));
	snprintf(text, size, x->peer_is_v6 ? "[%s]:%u" : "%s:%u", address, x->peer_port);
	return text;
}

static int take_one(void *context, void *data, size_t size)
{
	struct gp_exemplars *x = context;
	const struct gp_exemplar *from = data;
	const struct gp_endpoint_info *info = gp_called_info(x->slots, from->endpoint);
	const struct gp_endpoint_info *call = gp_called_info(x->slots, from->downstream);
	char peer[GP_ADDRESS_SIZE], address[GP_ADDRESS_SIZE], status[GP_STATUS_LEN];
	struct gp_event event = {};

	const struct gp_listing *service =
		info ? gp_called_listing(x->slots, x->directory, info) : NULL;

	if (size < sizeof(*from) || !service) {
		x->lost++; /* whoever it was about is gone */
		return 0;
	}
	if (!service->wanted)
		return 0;
	event.endpoint = from->endpoint;
	event.reason = from->reason;
	event.time = time_of_day(from->start_ns);
	event.service = service->identity->service;
	event.role = info->key.role;
	event.transport = info->key.transport;
	event.protocol = info->key.protocol;
	event.port = info->key.port;
	if (gp_protocol_is_read(info->key.protocol)) {
		event.operation = gp_operation_name(info->key.protocol, from->operation);
		event.status = gp_status_name(info->key.protocol, from->status, status);
	}
	event.duration_ns = from->duration_ns;
	event.first_byte_ns = from->first_byte_ns;
	memcpy(event.stages_ns, from->stages_ns, sizeof(event.stages_ns));
	event.has_bytes = from->bytes_in || from->bytes_out;
	event.bytes_in = from->bytes_in;
	event.bytes_out = from->bytes_out;
	event.pid = from->pid;
	event.tid = from->tid;
	event.peer = peer_of(x->slots, &info->key, from, peer, sizeof(peer));
	if (call) {
		event.downstream.service = gp_called_service(x->slots, x->directory, &call->key);
		event.downstream.address = gp_called_address(x->slots, &call->key, address);
		event.downstream.port = call->key.port;
		event.downstream.ns = from->downstream_ns;
	}
	gp_events_add(x->events, &event);
	return 0;
}

static void ring_free(struct ring_buffer **ring)
{
	ring_buffer__free(*ring);
	*ring = NULL;
}

int gp_exemplars_new(struct gp_exemplars **out, struct gp_slots *slots,
		     struct gp_directory *directory, const struct gp_config *cfg,
		     struct gp_events *events)
{
	gp_auto(gp_exemplars_free) struct gp_exemplars *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->slots = slots;
	x->directory = directory;
	x->events = events;
	x->ring = ring_buffer__new(bpf_map__fd(slots->bpf->maps.exemplars), take_one, x, NULL);
	if (!x->ring)
		return -errno;
	gp_exemplars_slow(x, cfg->slow_ns);
	slots->bpf->bss->gp_tell_failed = events != NULL;
	*out = TAKE_PTR(x);
	return 0;
}

void gp_exemplars_slow(struct gp_exemplars *x, uint64_t slow_ns)
{
	x->slots->bpf->bss->gp_slow_ns = x->events ? slow_ns : 0;
}

void gp_exemplars_free(struct gp_exemplars **exemplars)
{
	struct gp_exemplars *x = TAKE_PTR(*exemplars);

	if (!x)
		return;
	ring_free(&x->ring);
	free(x);
}

void gp_exemplars_take(struct gp_exemplars *x)
{
	if (!x->events)
		return;
	gp_events_flush(x->events, gp_now_ns());
	ring_buffer__consume(x->ring);
}

uint64_t gp_exemplars_take_dropped(struct gp_exemplars *x)
{
	uint64_t lost = x->lost;

	x->lost = 0;
	return lost + gp_events_take_dropped(x->events);
}
