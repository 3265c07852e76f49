// SPDX-License-Identifier: GPL-2.0-or-later
#include "directory.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>

#include "cgroup.h"
#include "log.h"
#include "own.h"

struct gp_directory {
	const struct gp_config *cfg;
	struct gp_cgroups *cgroups; /* NULL: this host has no v2 hierarchy */
	struct gp_listing *listing; /* one for each service slot */
};

int gp_directory_new(struct gp_directory **out, const struct gp_config *cfg)
{
	gp_auto(gp_directory_free) struct gp_directory *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->cfg = cfg;
	d->listing = calloc(cfg->max_services, sizeof(*d->listing));
	if (!d->listing)
		return -ENOMEM;
	err = gp_cgroups_new(&d->cgroups);
	if (err == -ENOMEM)
		return err;
	if (err)
		gp_warning("no cgroup v2 hierarchy is mounted (%s): services are named by program",
			   strerror(-err));
	*out = TAKE_PTR(d);
	return 0;
}

void gp_directory_free(struct gp_directory **directory)
{
	struct gp_directory *d = TAKE_PTR(*directory);

	if (!d)
		return;
	for (uint32_t i = 0; d->listing && i < d->cfg->max_services; i++) {
		gp_identity_free(&d->listing[i].identity);
		free(d->listing[i].cgroup);
	}
	gp_cgroups_free(&d->cgroups);
	free(d->listing);
	free(d);
}

static bool matches(const char *name, char **globs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(globs[i], name, 0))
			return true;
	return false;
}

static bool is_wanted(const struct gp_config *cfg, const char *name)
{
	if (cfg->services && !matches(name, cfg->service, cfg->services))
		return false;
	return !matches(name, cfg->exclude, cfg->excludes);
}

const struct gp_listing *gp_directory_get(struct gp_directory *d, uint32_t slot,
					  const struct gp_service_info *info)
{
	struct gp_listing *l = &d->listing[slot];
	char path[PATH_MAX], name[GP_NAME_LEN + 1];
	struct gp_identity *identity;
	bool has_path;

	/* A retired slot keeps the name it had: its control group may be gone. */
	if (l->identity && (l->ref == info->ref || info->state == GP_SLOT_DEAD))
		return l;
	memcpy(name, info->key.name, GP_NAME_LEN);
	name[GP_NAME_LEN] = '\0';
	has_path = d->cgroups && info->key.cgroup &&
		   !gp_cgroup_path(d->cgroups, info->key.cgroup, path, sizeof(path));
	if (gp_identity_new(&identity, name, has_path ? path : NULL, info->pid))
		return NULL;
	gp_identity_free(&l->identity);
	l->identity = identity;
	free(l->cgroup);
	l->cgroup = has_path ? strdup(path) : NULL; /* out of memory: not known */
	l->ref = info->ref;
	l->wanted = is_wanted(d->cfg, identity->service);
	return l;
}
