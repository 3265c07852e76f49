/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slots of endpoints and services: their maps as user space sees them, the free ones, and
 * giving out again those that nobody needs any more.
 */
#ifndef GP_SLOTS_H
#define GP_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "gp_records.h"
#include "mapped.h"

struct goldpan_bpf;

struct gp_slots {
	struct goldpan_bpf *bpf; /* not owned */
	unsigned int shards;
	uint32_t max_endpoints, max_services;
	uint32_t first_client; /* endpoint slots from here on are for clients */
	struct gp_mapped *endpoint_infos, *endpoints, *endpoint_gauges;
	struct gp_mapped *service_infos, *services, *payers, *origins;
};

/* The first endpoint slot that is for clients: they have a quarter. */
static inline uint32_t gp_slots_first_client(const struct gp_config *cfg)
{
	return cfg->max_endpoints - cfg->max_endpoints / 4;
}

/* Maps the arrays and fills the lists of free slots. 0, or -errno. */
int gp_slots_new(struct gp_slots **out, struct goldpan_bpf *bpf, const struct gp_config *cfg,
		 unsigned int shards);
void gp_slots_free(struct gp_slots **s);

struct gp_endpoint_info *gp_slots_endpoint(struct gp_slots *s, uint32_t slot);
struct gp_service_info *gp_slots_service(struct gp_slots *s, uint32_t slot);
const struct gp_origin *gp_slots_origin(struct gp_slots *s, uint32_t slot);
struct gp_endpoint_gauges *gp_slots_gauges(struct gp_slots *s, uint32_t slot);
struct gp_endpoint_record *gp_slots_endpoint_record(struct gp_slots *s, uint32_t slot,
						    unsigned int shard);
struct gp_service_record *gp_slots_service_record(struct gp_slots *s, uint32_t slot,
						  unsigned int shard);

/* Who is charged at a place, that of a service's `payer`; NULL: nobody. */
struct gp_payer *gp_slots_payer_at(struct gp_slots *s, uint32_t place);

/*
 * Takes a slot from whoever has it: its key is forgotten and events that still come for it are
 * rejected by its generation. What was counted until then stays to be collected once more.
 */
void gp_slots_retire_endpoint(struct gp_slots *s, uint32_t slot);
void gp_slots_retire_service(struct gp_slots *s, uint32_t slot);

/* Whether this is the endpoint that has its slot, or the one it was last taken from, and that is
 * not released yet. */
bool gp_slots_was_endpoint(struct gp_slots *s, uint32_t ref);

/* Gives a retired slot, collected since, back to the free ones, empty. */
void gp_slots_release_endpoint(struct gp_slots *s, uint32_t slot);
void gp_slots_release_service(struct gp_slots *s, uint32_t slot);

/* Whether the kernel may leave this endpoint's events early: nobody asked for it. */
void gp_slots_ignore_endpoint(struct gp_slots *s, uint32_t slot, bool ignore);

#endif
