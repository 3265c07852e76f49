/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of one control group, from its files, between one reading and the next. */
#ifndef GP_CGROUP_FIGURES_H
#define GP_CGROUP_FIGURES_H

#include "hierarchy.h"
#include "snapshot.h"

/* What is counted of a group's CPU limit; of its pressure, what enum gp_pressure_kind lists. */
enum { GP_THROTTLED_NS, GP_THROTTLED_PERIODS };

/* Begins as {}; read again and again by the same one of the two functions below. */
struct gp_cgroup_figures {
	uint64_t id;			   /* of the group that has the path; 0: none has */
	double limit_cores;		   /* 0: none */
	bool was_limited;		   /* at the last reading: can have been throttled since */
	bool has[GP_PRESSURE_COUNT];	   /* whether the difference to the last reading is known */
	uint64_t total[GP_PRESSURE_COUNT]; /* at the reading */
	uint64_t delta[GP_PRESSURE_COUNT];
};

/*
 * Reads group `path` of the hierarchy with the cpu controller: its own limit, and how it was
 * throttled. A group that is met for the first time counts from 0 if its id is larger than
 * h->newest, so that it was made since; else its differences are known from the next reading on.
 */
void gp_cgroup_read_limit(struct gp_hierarchy *h, const char *path, struct gp_cgroup_figures *f);

/* Likewise the pressure of a group of v2. Whether it is there, or the group gone: false if the
 * operator switched it off. */
bool gp_cgroup_read_pressure(struct gp_hierarchy *v2, const char *path,
			     struct gp_cgroup_figures *f);

#endif
