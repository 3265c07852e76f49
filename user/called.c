// SPDX-License-Identifier: GPL-2.0-or-later
#include "called.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "bpf_object.h"
#include "local.h"

const struct gp_listing *gp_called_listing(struct gp_slots *slots, struct gp_directory *directory,
					   const struct gp_endpoint_info *info)
{
	uint32_t slot = GP_REF_INDEX(info->key.service);

	return gp_directory_get(directory, slot, gp_slots_service(slots, slot));
}

const char *gp_called_service_of(struct gp_slots *slots, struct gp_directory *directory,
				 const struct gp_endpoint_info *info)
{
	const struct gp_listing *l = gp_called_listing(slots, directory, info);

	return l ? l->identity->service : NULL;
}

const char *gp_called_service(struct gp_slots *slots, struct gp_directory *directory,
			      const struct gp_endpoint_key *to)
{
	bool is_unix = to->transport == GP_TRANSPORT_UNIX;

	if ((to->flags & GP_KEY_OTHER) ||
	    (!is_unix && !gp_local(to->address, to->flags & GP_KEY_V6)))
		return NULL;
	for (uint32_t slot = GP_SLOT_OTHER_CLIENT + 1; slot < slots->first_client; slot++) {
		const struct gp_endpoint_info *info = gp_slots_endpoint(slots, slot);

		if (info->state == GP_SLOT_LIVE && info->key.role == GP_ROLE_SERVER &&
		    info->key.transport == to->transport && info->key.port == to->port &&
		    info->key.netns == to->netns &&
		    (!is_unix || !memcmp(info->key.address, to->address, sizeof(to->address))))
			return gp_called_service_of(slots, directory, info);
	}
	return NULL;
}

const struct gp_endpoint_info *gp_called_info(struct gp_slots *slots, uint32_t ref)
{
	const struct gp_endpoint_info *info;

	if (ref == GP_SLOT_NONE || GP_REF_INDEX(ref) >= slots->max_endpoints)
		return NULL;
	info = gp_slots_endpoint(slots, GP_REF_INDEX(ref));
	return info->ref == ref ? info : NULL;
}

/* An abstract name may hold zeros anywhere. NULL if the path was given up for newer ones. */
static const char *path_of(struct gp_slots *slots, const struct gp_endpoint_key *key,
			   char text[GP_ADDRESS_SIZE])
{
	struct gp_unix_path path;
	bool is_abstract;

	if (bpf_map_lookup_elem(bpf_map__fd(slots->bpf->maps.unix_paths), key->address, &path) ||
	    path.len > sizeof(path.path))
		return NULL;
	is_abstract = path.len && !path.path[0];
	memcpy(text, path.path, path.len);
	text[path.len] = '\0';
	for (uint32_t i = 0; is_abstract && i < path.len; i++)
		if (!text[i])
			text[i] = '@';
	return text;
}

const char *gp_called_address(struct gp_slots *slots, const struct gp_endpoint_key *key,
			      char text[GP_ADDRESS_SIZE])
{
	if (key->flags & GP_KEY_OTHER)
		return "other";
	if (key->transport == GP_TRANSPORT_UNIX)
		return path_of(slots, key, text);
	return inet_ntop(key->flags & GP_KEY_V6 ? AF_INET6 : AF_INET, key->address, text,
			 GP_ADDRESS_SIZE);
}
