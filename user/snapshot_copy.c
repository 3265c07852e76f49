// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>

#include "own.h"
#include "snapshot.h"

/* The gauges, which adding leaves out: everything but what the copy owns is taken over. */
static void copy_endpoint(struct gp_endpoint *to, const struct gp_endpoint *from)
{
	struct gp_endpoint owned = *to;

	*to = *from;
	to->names = owned.names;
	to->address = owned.address;
	to->operations = owned.operations;
	to->operation = owned.operation;
}

int gp_snapshot_copy(struct gp_snapshot **out, const struct gp_snapshot *s)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *copy = NULL;

	if (gp_snapshot_new(&copy, s->meta) || gp_snapshot_prepend(copy, s))
		return -ENOMEM;
	assert(copy->endpoints == s->endpoints); /* nothing was there: all were added, in order */
	for (size_t i = 0; i < s->endpoints; i++)
		copy_endpoint(&copy->endpoint[i], &s->endpoint[i]);
	copy->self.map = calloc(s->self.maps + 1, sizeof(*copy->self.map));
	if (!copy->self.map)
		return -ENOMEM;
	for (size_t i = 0; i < s->self.maps; i++)
		copy->self.map[i] = s->self.map[i];
	copy->self.maps = s->self.maps;
	copy->self.rss_bytes = s->self.rss_bytes;
	copy->time = s->time;
	*out = TAKE_PTR(copy);
	return 0;
}
