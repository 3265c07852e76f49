// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "hist.h"
#include "room.h"
#include "snapshot.h"

static struct gp_operation *find(struct gp_endpoint *e, uint16_t operation, uint16_t status)
{
	for (size_t i = 0; i < e->operations; i++)
		if (e->operation[i].operation == operation && e->operation[i].status == status)
			return &e->operation[i];
	return NULL;
}

/* Where there is room. */
static struct gp_operation *append(struct gp_endpoint *e, uint16_t operation, uint16_t status)
{
	struct gp_operation *o = &e->operation[e->operations++];

	memset(o, 0, sizeof(*o));
	o->operation = operation;
	o->status = status;
	return o;
}

struct gp_operation *gp_endpoint_operation(struct gp_endpoint *e, uint16_t operation,
					   uint16_t status)
{
	struct gp_operation *o = find(e, operation, status);

	if (o)
		return o;
	return gp_endpoint_reserve_operations(e, 1) ? NULL : append(e, operation, status);
}

int gp_endpoint_reserve_operations(struct gp_endpoint *e, size_t more)
{
	return gp_room_reserve(&e->operation, e->operations, more, sizeof(*e->operation));
}

void gp_operation_add(struct gp_operation *to, const struct gp_operation *from)
{
	gp_distribution_add(&to->duration, &from->duration);
	to->aborted += from->aborted;
}

void gp_endpoint_add_operations(struct gp_endpoint *to, const struct gp_endpoint *from)
{
	for (size_t i = 0; i < from->operations; i++) {
		const struct gp_operation *o = &from->operation[i];
		struct gp_operation *same = find(to, o->operation, o->status);

		gp_operation_add(same ?: append(to, o->operation, o->status), o);
	}
}

uint64_t gp_operation_requests(const struct gp_operation *o)
{
	return gp_hist_count(&o->duration.hist) + o->aborted;
}
