/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end of a call: for edges and exemplars. */
#ifndef GP_CALLED_H
#define GP_CALLED_H

#include <netinet/in.h>

#include "directory.h"
#include "slots.h"

/* Whoever had the endpoint slot when the reference was made; NULL if it was given to somebody else.
 */
const struct gp_endpoint_info *gp_called_info(struct gp_slots *slots, uint32_t ref);

/* The service that an endpoint belongs to. NULL: no memory. */
const struct gp_listing *gp_called_listing(struct gp_slots *slots, struct gp_directory *directory,
					   const struct gp_endpoint_info *info);

/* The name of the service that an endpoint belongs to. Lives as long as the listing. NULL: no
 * memory. */
const char *gp_called_service_of(struct gp_slots *slots, struct gp_directory *directory,
				 const struct gp_endpoint_info *info);

/* The service on this host that serves what client endpoint `to` calls, or NULL. */
const char *gp_called_service(struct gp_slots *slots, struct gp_directory *directory,
			      const struct gp_endpoint_key *to);

#define GP_ADDRESS_SIZE 112 /* of the longest, with its end: a unix socket's path */

_Static_assert(GP_ADDRESS_SIZE > GP_UNIX_PATH_LEN && GP_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "room");

/*
 * The address of an endpoint as text, written into `text`: a client's remote one, or a unix
 * socket's path, "@" for abstract; "other" for an `other`. NULL: not known any more.
 */
const char *gp_called_address(struct gp_slots *slots, const struct gp_endpoint_key *key,
			      char text[GP_ADDRESS_SIZE]);

#endif
