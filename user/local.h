/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses are this host's own, by the kernel's text files: asking by a socket, as the C
 * library does, is nothing that goldpan may do while it observes (syscalls.c).
 */
#ifndef GP_LOCAL_H
#define GP_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether /proc/net/fib_trie says that the IPv4 address (network order) is local. */
bool gp_local_in_routes(FILE *routes, const uint8_t address[4]);

/* Whether the IPv6 address is an interface's, by /proc/net/if_inet6. */
bool gp_local_in_interfaces(FILE *interfaces, const uint8_t address[16]);

/* Whether a packet to the address stays on this host: loopback, or an address of its own. */
bool gp_local(const void *address, bool is_v6);

#endif
