// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange.bpf.h"

int gp_exchange_count(struct gp_exchange *e)
{
	return e ? gp_exchange_count_here(e) : -1;
}

int gp_exchange_abort(__u32 ref, __u32 flags)
{
	struct gp_endpoint_record *r = gp_endpoint_record(ref);

	if (!r) {
		gp_drop(GP_DROP_STALE_SLOTS);
		return -1;
	}
	if (flags & (GP_CONN_OTHER | GP_CONN_OTHER_SERVICE))
		gp_count_other(flags);
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
