// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange.bpf.h"

static __always_inline __u64 elapsed(__u64 from, __u64 to)
{
	if (to >= from)
		return to - from;
	gp_drop(GP_DROP_CLOCK);
	return 0;
}

/* Says of an exchange that is counted at an `other` where it belonged. */
static __always_inline void count_other(__u32 flags)
{
	if (flags & GP_CONN_OTHER)
		gp_drop(GP_DROP_ENDPOINTS);
	if (flags & GP_CONN_OTHER_SERVICE)
		gp_drop(GP_DROP_SERVICES);
}

/* Adds the parts of an exchange to its band; as a whole unattributed if they are not its time. */
static __always_inline void count_parts(struct gp_endpoint_record *r, __u32 band,
					const struct gp_exchange *e, __u64 first_byte)
{
	__u64 sum = 0;

	for (int i = 0; i < GP_STAGE_TRANSFER; i++)
		sum += e->parts.ns[i];
	if (sum != first_byte) {
		gp_add(&r->stages_ns[band][GP_STAGE_UNATTRIBUTED], first_byte);
		return;
	}
	for (int i = 0; i < GP_STAGE_TRANSFER; i++)
		if (e->parts.ns[i])
			gp_add(&r->stages_ns[band][i], e->parts.ns[i]);
}

int gp_exchange_count(struct gp_exchange *e)
{
	struct gp_endpoint_record *r;
	__u64 duration, first_byte;
	__u32 slot, band;

	if (!e)
		return -1;
	r = gp_endpoint_record(e->endpoint);
	if (!r) {
		gp_drop(GP_DROP_STALE_SLOTS);
		return -1;
	}
	if (e->flags & (GP_CONN_OTHER | GP_CONN_OTHER_SERVICE))
		count_other(e->flags);
	duration = elapsed(e->start_ns, e->last_ns);
	first_byte = elapsed(e->start_ns, e->first_ns);
	if (first_byte > duration)
		first_byte = duration;
	slot = gp_slot(duration);
	band = gp_hist_band(slot);
	asm volatile("" : "+r"(band)); /* the check below is for the verifier: keep it */
	if (band >= GP_BANDS)
		return 0;
	count_parts(r, band, e, first_byte);
	if (duration > first_byte)
		gp_add(&r->stages_ns[band][GP_STAGE_TRANSFER], duration - first_byte);
	gp_raise(&r->duration_max_ns, duration);
	gp_raise(&r->first_byte_max_ns, first_byte);
	gp_hist_count_one(r->first_byte, first_byte == duration ? slot : gp_slot(first_byte));
	gp_hist_count_one(r->duration, slot);
	return 0;
}

int gp_exchange_abort(__u32 ref, __u32 flags)
{
	struct gp_endpoint_record *r = gp_endpoint_record(ref);

	if (!r) {
		gp_drop(GP_DROP_STALE_SLOTS);
		return -1;
	}
	if (flags & (GP_CONN_OTHER | GP_CONN_OTHER_SERVICE))
		count_other(flags);
	gp_add(&r->errors[GP_ERROR_ABORTED], 1);
	return 0;
}

int gp_conn_own_slow(struct gp_conn *c, struct gp_endpoint_key *key, struct gp_task_id *id)
{
	struct gp_service_info *owner;
	struct gp_thread *t;
	__u32 service;

	if (!c || !key || !id)
		return -1;
	t = gp_thread_find(id->pid);
	if (!t) {
		gp_thread_add(id);
		t = gp_thread_find(id->pid);
	}
	service = t ? t->service : GP_REF(GP_SLOT_OTHER_SERVICE, 1);
	owner = gp_service_info(service);
	if (owner && (owner->flags & GP_INFO_IGNORED))
		c->flags |= GP_CONN_IGNORED;
	else if (service != c->service || c->endpoint == GP_SLOT_NONE ||
		 ((c->flags & GP_CONN_OTHER) && !(c->flags & GP_CONN_OWNED)))
		gp_conn_assign(c, service, key); /* also if there is room again since it listened */
	c->flags |= GP_CONN_OWNED;
	return 0;
}
