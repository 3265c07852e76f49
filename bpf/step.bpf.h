/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parsers as functions that the verifier looks at once each, however often they are called:
 * inlined where they are used, they would be more than it accepts.
 */
#ifndef GP_STEP_BPF_H
#define GP_STEP_BPF_H

#include "gp_parser.h"
#include "kernel.bpf.h"

/* Bytes of a connection. A step looks at GP_LOOK of them; the rest is what the verifier cannot see
 * to be out of its reach. */
struct gp_bytes {
	__u8 at[GP_LOOK];
	__u8 beyond[256];
};

/* A step of the parser of a protocol, as gp_parser.h says. */
int gp_step_request(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol);
int gp_step_answer(struct gp_parser *p, struct gp_bytes *bytes, __u32 len, __u32 protocol);

/* The enum gp_protocol that a connection's first request could be of. */
int gp_recognise(struct gp_bytes *bytes, __u32 len);

#endif
