// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta.h"

#include <errno.h>
#include <sys/utsname.h>
#include <time.h>

#include "own.h"

#define BOUNDS 4

struct gp_meta_store {
	struct gp_meta meta;
	struct utsname host;
	struct gp_bound bound[BOUNDS];
};

int gp_meta_store_new(struct gp_meta_store **out, const struct gp_config *cfg,
		      const struct gp_ways *ways)
{
	struct gp_meta_store *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	uname(&m->host);
	m->bound[0] = (struct gp_bound){"endpoints", cfg->max_endpoints};
	m->bound[1] = (struct gp_bound){"services", cfg->max_services};
	m->bound[2] = (struct gp_bound){"operations", cfg->max_operations};
	m->bound[3] = (struct gp_bound){"threads", cfg->max_threads};
	m->meta.version = GP_VERSION;
	m->meta.kernel = m->host.release;
	m->meta.host = m->host.nodename;
	clock_gettime(CLOCK_REALTIME, &m->meta.start);
	m->meta.choice = gp_ways_choices(ways, &m->meta.choices);
	m->meta.bound = m->bound;
	m->meta.bounds = BOUNDS;
	m->meta.protocols = gp_ways_protocols(ways);
	*out = m;
	return 0;
}

void gp_meta_store_free(struct gp_meta_store **meta)
{
	gp_free(meta);
}

const struct gp_meta *gp_meta(const struct gp_meta_store *m)
{
	return &m->meta;
}
