// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange.bpf.h"

int gp_exchange_count(struct gp_exchange *e)
{
	return e ? gp_exchange_count_here(e) : -1;
}

int gp_answer_far(struct gp_conn *c, __u64 now)
{
	if (!c)
		return -1;
	gp_answer(c, now);
	return 0;
}

int gp_turn_far(struct gp_conn *c, __u64 now)
{
	if (!c)
		return -1;
	gp_stage_turn(c, gp_thread_find(bpf_get_current_task_btf()->pid), now);
	gp_turn_set(c, GP_PHASE_READ);
	return 0;
}

int gp_exchange_abort(struct gp_exchange *e)
{
	struct gp_operation_key key = {};
	struct gp_operation_record *o;
	struct gp_endpoint_record *r;

	if (!e)
		return -1;
	r = gp_endpoint_record(e->endpoint);
	if (!r) {
		gp_drop(GP_DROP_STALE_SLOTS);
		return -1;
	}
	if (e->flags & (GP_CONN_OTHER | GP_CONN_OTHER_SERVICE))
		gp_count_other(e->flags);
	/* The operation first: user space takes them in the other order. */
	if (e->protocol && gp_has_operations(e->endpoint)) {
		key.endpoint = e->endpoint;
		key.operation = e->operation;
		key.status = GP_STATUS_NONE;
		o = gp_operation_record(&key, &e->slot);
		if (o)
			gp_add(&o->aborted, 1);
		else
			gp_drop(GP_DROP_OPERATIONS);
	}
	gp_add(&r->errors[GP_ERROR_ABORTED], 1);
	return 0;
}

int gp_conn_own_slow(struct gp_conn *c, struct gp_endpoint_key *key, __u32 pid)
{
	struct gp_service_info *owner;
	struct gp_thread *t;
	__u32 service;

	if (!c || !key)
		return -1;
	t = gp_thread_find(pid);
	if (t)
		service = t->service;
	else if (gp_only_some())
		service = GP_REF(GP_SLOT_UNASKED_SERVICE, 1);
	else
		service = GP_REF(GP_SLOT_OTHER_SERVICE, 1);
	owner = gp_service_info(service);
	if (owner && (owner->flags & GP_INFO_IGNORED)) {
		c->flags |= GP_CONN_IGNORED;
		if (!(c->flags & GP_CONN_LISTENER)) /* what is under way is not looked at either */
			c->look = GP_LOOK_OFF;
	} else if (service != c->service || c->endpoint == GP_SLOT_NONE ||
		   ((c->flags & GP_CONN_OTHER) && !(c->flags & GP_CONN_OWNED))) {
		gp_conn_assign(c, service, key); /* also if there is room again since it listened */
	}
	c->flags |= GP_CONN_OWNED;
	return 0;
}
