/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has each service slot, by name, and whether the user asked for it. */
#ifndef GP_DIRECTORY_H
#define GP_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "gp_records.h"
#include "identity.h"
#include "slots.h"

struct gp_directory;

struct gp_listing {
	uint32_t ref;  /* the slot's generation that this is about; 0: nobody */
	bool unasked;  /* by --pid and --cgroup */
	bool wanted;   /* else, by --service and --exclude */
	uint32_t user; /* as in gp_service_key */
	struct gp_identity *identity;
	char *cgroup; /* its path in the v2 hierarchy; NULL: not known */
};

/* 0, or -ENOMEM. `slots` and `cfg` are borrowed. */
int gp_directory_new(struct gp_directory **out, struct gp_slots *slots,
		     const struct gp_config *cfg);
void gp_directory_free(struct gp_directory **d);

/* Decides anew who is wanted: the configuration has changed. */
void gp_directory_decide(struct gp_directory *d);

/*
 * The listing of service slot `slot`, named now if it is new. A program's name belongs to the user
 * with the lowest number: if that one comes later, the listings of others lose it then. NULL when
 * out of memory.
 */
const struct gp_listing *gp_directory_get(struct gp_directory *d, uint32_t slot,
					  const struct gp_service_info *info);

#endif
