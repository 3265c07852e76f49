/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of contract.md for the enumerations of gp_records.h and snapshot.h, by their value. */
#ifndef GP_NAMES_H
#define GP_NAMES_H

extern const char *const gp_role_names[];      /* GP_ROLE_COUNT */
extern const char *const gp_transport_names[]; /* GP_TRANSPORT_COUNT */
extern const char *const gp_protocol_names[];  /* GP_PROTOCOL_COUNT */
extern const char *const gp_framing_names[];   /* GP_FRAMING_COUNT */
extern const char *const gp_stage_names[];     /* GP_STAGE_COUNT */
extern const char *const gp_error_names[];     /* GP_ERROR_COUNT */
extern const char *const gp_failure_names[];   /* GP_FAILURE_COUNT */
extern const char *const gp_pressure_names[];  /* GP_PRESSURE_COUNT */
extern const char *const gp_reason_names[];    /* GP_REASON_COUNT */
extern const char *const gp_drop_names[];      /* GP_DROP_COUNT */

#endif
