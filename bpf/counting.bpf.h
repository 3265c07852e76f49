/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting an exchange that ended: the record of its endpoint, and `dropped`. */
#ifndef GP_COUNTING_BPF_H
#define GP_COUNTING_BPF_H

#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "operation.bpf.h"

/* An answered exchange, as it is counted. */
struct gp_exchange {
	__u32 endpoint; /* gp_ref */
	__u32 flags;	/* of the connection */
	__u32 caller;  /* clients: gp_ref of the endpoint it was made for; GP_SLOT_NONE: nobody's */
	__u8 protocol; /* of the endpoint; GP_PROTOCOL_UNKNOWN: there are no operations */
	__u8 waited;   /* it ended behind others, and never was the connection's current one */
	__u16 slot;    /* in `operations`, where the one before was counted; then, where this was */
	__u16 operation, status;
	__u32 reserved2;
	__u64 start_ns, first_ns, last_ns;
	struct gp_parts parts; /* of start to first; clients: none */
};

static __always_inline __u64 gp_elapsed(__u64 from, __u64 to)
{
	if (to >= from)
		return to - from;
	gp_drop(GP_DROP_CLOCK);
	return 0;
}

/* Says of an exchange that is counted at an `other` where it belonged. */
static __always_inline void gp_count_other(__u32 flags)
{
	if (flags & GP_CONN_OTHER)
		gp_drop(GP_DROP_ENDPOINTS);
	if (flags & GP_CONN_OTHER_SERVICE)
		gp_drop(GP_DROP_SERVICES);
}

/*
 * Adds the parts of an exchange to its band, and what they leave of its time as unattributed; as a
 * whole unattributed if they are not its time: if they are more, or one is (and so any below 0).
 */
static __always_inline void gp_count_parts(struct gp_endpoint_record *r, __u32 band,
					   const struct gp_exchange *e, __u64 first_byte)
{
	__u64 sum = 0;
	bool sane = true;

	for (int i = 0; i < GP_STAGE_UNATTRIBUTED; i++) {
		sum += e->parts.ns[i];
		sane &= e->parts.ns[i] <= first_byte;
	}
	if (sum > first_byte || !sane) {
		gp_add(&r->stages_ns[band][GP_STAGE_UNATTRIBUTED], first_byte);
		return;
	}
	for (int i = 0; i < GP_STAGE_UNATTRIBUTED; i++)
		if (e->parts.ns[i])
			gp_add(&r->stages_ns[band][i], e->parts.ns[i]);
	if (sum < first_byte)
		gp_add(&r->stages_ns[band][GP_STAGE_UNATTRIBUTED], first_byte - sum);
}

/* The endpoints of nobody in particular have none: there all protocols are together. */
static __always_inline bool gp_has_operations(__u32 endpoint)
{
	return GP_REF_INDEX(endpoint) > GP_SLOT_OTHER_CLIENT;
}

/*
 * The duration of an exchange: at its operation, or at the endpoint itself if it has none, or there
 * is no room for one.
 */
static __always_inline void gp_count_duration(struct gp_endpoint_record *r, struct gp_exchange *e,
					      __u64 duration, __u32 slot)
{
	struct gp_operation_key key = {e->endpoint, e->operation, e->status};
	struct gp_operation_record *o = NULL;
	enum gp_error error;

	if (e->protocol && (e->operation | e->status)) {
		error = gp_status_error(e->protocol, e->status);
		if (error < GP_ERROR_COUNT)
			gp_add(&r->errors[error], 1);
		if (gp_has_operations(e->endpoint)) {
			o = gp_operation_record(&key, &e->slot);
			if (!o)
				gp_drop(GP_DROP_OPERATIONS);
		}
	}
	if (!o) {
		gp_raise(&r->duration_max_ns, duration);
		gp_hist_count_one(r->duration, slot);
		return;
	}
	gp_add(&o->duration_ns, duration);
	gp_raise(&o->duration_max_ns, duration);
	gp_hist_count_one(o->duration, slot);
}

/* As gp_exchange_count, without a call: a return is dear on CPUs that must guard it (retbleed). */
static __always_inline int gp_exchange_count_here(struct gp_exchange *e)
{
	struct gp_endpoint_record *r;
	__u64 duration, first_byte;
	__u32 slot, band;

	r = gp_endpoint_record(e->endpoint);
	if (!r) {
		gp_drop(GP_DROP_STALE_SLOTS);
		return -1;
	}
	if (e->flags & (GP_CONN_OTHER | GP_CONN_OTHER_SERVICE))
		gp_count_other(e->flags);
	duration = gp_elapsed(e->start_ns, e->last_ns);
	first_byte = gp_elapsed(e->start_ns, e->first_ns);
	if (first_byte > duration)
		first_byte = duration;
	slot = gp_hist_slot(duration);
	band = gp_hist_band(slot);
	asm volatile("" : "+r"(band)); /* the check below is for the verifier: keep it */
	if (band >= GP_BANDS)
		return 0;
	gp_count_parts(r, band, e, first_byte);
	if (duration > first_byte)
		gp_add(&r->stages_ns[band][GP_STAGE_TRANSFER], duration - first_byte);
	gp_raise(&r->first_byte_max_ns, first_byte);
	gp_hist_count_one(r->first_byte, first_byte == duration ? slot : gp_hist_slot(first_byte));
	gp_count_duration(r, e, duration, slot);
	return 0;
}

#endif
