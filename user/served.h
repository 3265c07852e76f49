/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is served on this host, as far as it decides which hooks are worth their cost. */
#ifndef GP_SERVED_H
#define GP_SERVED_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a UDP socket of this network namespace is bound to the port, by /proc/net. */
bool gp_served_udp(uint16_t port);

#endif
