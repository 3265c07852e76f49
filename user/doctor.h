/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `goldpan doctor`: what this kernel offers, which ways goldpan takes, what will be missing and how
 * to get it. Programs are loaded to find out, and let go of again; nothing is left or changed.
 */
#ifndef GP_DOCTOR_H
#define GP_DOCTOR_H

#include <stdio.h>

#include "config.h"
#include "run.h"
#include "surroundings.h"
#include "ways.h"

/* What was found. */
struct gp_findings {
	const struct gp_meta *meta; /* what a run of the same options would have */
	const struct gp_ways *ways;
	const struct gp_fact *fact;
	size_t facts;
};

/* Looks, and prints what was found. GP_EXIT_DONE if goldpan can observe, else GP_EXIT_UNABLE. */
enum gp_exit gp_doctor(const struct gp_config *cfg);

/* Prints findings, for people and for machines. 0, or -errno. */
int gp_doctor_text(const struct gp_findings *found, FILE *out);
int gp_doctor_json(const struct gp_findings *found, FILE *out);

#endif
