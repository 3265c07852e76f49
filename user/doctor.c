// SPDX-License-Identifier: GPL-2.0-or-later
#include "doctor.h"

#include <errno.h>
#include <string.h>

#include "loader.h"
#include "log.h"
#include "meta.h"
#include "own.h"

enum gp_exit gp_doctor(const struct gp_config *cfg)
{
	gp_auto(gp_meta_store_free) struct gp_meta_store *meta = NULL;
	gp_auto(gp_ways_free) struct gp_ways *ways = NULL;
	struct gp_fact facts[GP_FACTS];
	struct gp_findings found = {.fact = facts, .facts = gp_surroundings("", facts)};
	int err = gp_loader_try(&ways, cfg);

	if (!err)
		err = gp_meta_store_new(&meta, cfg, ways);
	if (err) {
		gp_error("out of memory");
		return GP_EXIT_UNABLE;
	}
	found.ways = ways;
	found.meta = gp_meta(meta);
	err = cfg->doctor_json ? gp_doctor_json(&found, stdout) : gp_doctor_text(&found, stdout);
	if (err) {
		gp_error("standard output: %s", strerror(-err));
		return GP_EXIT_OUTPUT;
	}
	return gp_ways_unable(ways) ? GP_EXIT_UNABLE : GP_EXIT_DONE;
}
