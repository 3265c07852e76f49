// SPDX-License-Identifier: GPL-2.0-or-later
#include "recycle.h"

#include <errno.h>

#include "own.h"

#define GONE_NS (60ULL * 1000000000) /* a service without threads, while there is room */
#define ROOM_PERCENT 25		     /* less free than this, and the gone go at once */

struct gp_recycler {
	struct gp_slots *slots;
	uint64_t *active_ns; /* of each endpoint slot: when something was last counted */
	uint64_t *gone_ns;   /* of each service slot: since when it has no threads; 0: it has */
};

int gp_recycler_new(struct gp_recycler **out, struct gp_slots *slots)
{
	gp_auto(gp_recycler_free) struct gp_recycler *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->slots = slots;
	r->active_ns = calloc(slots->max_endpoints, sizeof(*r->active_ns));
	r->gone_ns = calloc(slots->max_services, sizeof(*r->gone_ns));
	if (!r->active_ns || !r->gone_ns)
		return -ENOMEM;
	*out = TAKE_PTR(r);
	return 0;
}

void gp_recycler_free(struct gp_recycler **recycler)
{
	struct gp_recycler *r = TAKE_PTR(*recycler);

	if (!r)
		return;
	free(r->active_ns);
	free(r->gone_ns);
	free(r);
}

void gp_recycler_active(struct gp_recycler *r, uint32_t slot, uint64_t now_ns)
{
	r->active_ns[slot] = now_ns;
}

static bool is_short(uint32_t used, uint32_t max)
{
	return (max - used) * 100ULL < (uint64_t)max * ROOM_PERCENT;
}

/* Whether any kind of slot is running out. */
static bool room_is_short(struct gp_slots *s)
{
	uint32_t servers = 0, clients = 0, services = 0;

	for (uint32_t i = 0; i < s->max_endpoints; i++) {
		if (gp_slots_endpoint(s, i)->state == GP_SLOT_FREE)
			continue;
		if (i < s->first_client)
			servers++;
		else
			clients++;
	}
	for (uint32_t i = 0; i < s->max_services; i++)
		services += gp_slots_service(s, i)->state != GP_SLOT_FREE;
	return is_short(servers, s->first_client) ||
	       is_short(clients, s->max_endpoints - s->first_client) ||
	       is_short(services, s->max_services);
}

static void watch_services(struct gp_recycler *r, uint64_t now_ns)
{
	for (uint32_t i = 0; i < r->slots->max_services; i++) {
		const struct gp_service_info *info = gp_slots_service(r->slots, i);

		if (info->state != GP_SLOT_LIVE || info->threads > 0)
			r->gone_ns[i] = 0;
		else if (!r->gone_ns[i])
			r->gone_ns[i] = now_ns;
	}
}

/* Counts one endpoint less of its service, of which a place is one with all its protocols, and of
 * whom is charged for it. */
static void leave_service(struct gp_slots *s, const struct gp_endpoint_info *info)
{
	struct gp_service_info *service = gp_slots_service(s, GP_REF_INDEX(info->key.service));
	bool server = info->key.role == GP_ROLE_SERVER;
	struct gp_payer *payer;

	if (service->ref != info->key.service)
		return;
	if (!info->key.protocol && !(info->key.flags & GP_KEY_OTHER))
		__atomic_fetch_sub(server ? &service->servers : &service->clients, 1,
				   __ATOMIC_RELAXED);
	payer = gp_slots_payer_at(s, service->payer);
	if (payer)
		__atomic_fetch_sub(server ? &payer->servers : &payer->clients, 1, __ATOMIC_RELAXED);
}

/* Whether whom the service is charged to has few left to have: those that are gone go at once. */
static bool payer_is_short(struct gp_slots *s, uint32_t service)
{
	const struct gp_payer *payer = gp_slots_payer_at(s, gp_slots_service(s, service)->payer);

	return payer && is_short(payer->services, GP_PAYER_SERVICES);
}

static bool is_gone(const struct gp_recycler *r, uint32_t service, uint64_t now_ns, uint64_t grace)
{
	uint64_t since = r->gone_ns[service];

	return since && service != GP_SLOT_OTHER_SERVICE &&
	       (now_ns - since >= grace || payer_is_short(r->slots, service));
}

static void recycle_endpoints(struct gp_recycler *r, uint64_t now_ns, uint64_t grace)
{
	for (uint32_t i = GP_SLOT_OTHER_CLIENT + 1; i < r->slots->max_endpoints; i++) {
		const struct gp_endpoint_info *info = gp_slots_endpoint(r->slots, i);
		bool gone;

		if (info->state == GP_SLOT_DEAD)
			gp_slots_release_endpoint(r->slots, i);
		if (info->state != GP_SLOT_LIVE)
			continue;
		if (!r->active_ns[i] || info->connections > 0)
			r->active_ns[i] = now_ns;
		gone = is_gone(r, GP_REF_INDEX(info->key.service), now_ns, grace);
		if (info->connections > 0 || (!gone && now_ns - r->active_ns[i] < GP_SILENT_NS))
			continue;
		leave_service(r->slots, info);
		gp_slots_retire_endpoint(r->slots, i);
		r->active_ns[i] = 0;
	}
}

static bool has_endpoints(struct gp_slots *s, uint32_t ref)
{
	for (uint32_t i = 0; i < s->max_endpoints; i++) {
		const struct gp_endpoint_info *info = gp_slots_endpoint(s, i);

		if (info->state != GP_SLOT_FREE && info->key.service == ref)
			return true;
	}
	return false;
}

static void recycle_services(struct gp_recycler *r, uint64_t now_ns, uint64_t grace)
{
	for (uint32_t i = GP_SLOT_OTHER_SERVICE + 1; i < r->slots->max_services; i++) {
		const struct gp_service_info *info = gp_slots_service(r->slots, i);

		if (info->state == GP_SLOT_DEAD)
			gp_slots_release_service(r->slots, i);
		else if (info->state == GP_SLOT_LIVE && !(info->flags & GP_INFO_FIXED) &&
			 is_gone(r, i, now_ns, grace) && !has_endpoints(r->slots, info->ref))
			gp_slots_retire_service(r->slots, i);
	}
}

void gp_recycle(struct gp_recycler *r, uint64_t now_ns)
{
	uint64_t grace = room_is_short(r->slots) ? 0 : GONE_NS;

	recycle_endpoints(r, now_ns, grace);
	recycle_services(r, now_ns, grace);
	/* Last: a service that is seen without threads now may be starting; it is gone if it still
	 * has none the next time. */
	watch_services(r, now_ns);
}
