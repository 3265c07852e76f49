// SPDX-License-Identifier: GPL-2.0-or-later
#include "directory.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "origin.h"
#include "own.h"

struct gp_directory {
	const struct gp_config *cfg;
	struct gp_slots *slots;
	struct gp_cgroups *cgroups; /* NULL: there are none */
	struct gp_listing *listing; /* one for each service slot */
};

int gp_directory_new(struct gp_directory **out, struct gp_slots *slots, const struct gp_config *cfg)
{
	gp_auto(gp_directory_free) struct gp_directory *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->slots = slots;
	d->cfg = cfg;
	d->listing = calloc(cfg->max_services, sizeof(*d->listing));
	if (!d->listing)
		return -ENOMEM;
	err = gp_cgroups_new(&d->cgroups);
	if (err && err != -ENOENT)
		return err;
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
	free(d->listing);
	gp_cgroups_free(&d->cgroups);
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

/* Whether this is a program of that name, which has it unless a user before it in order has. */
static bool goes_by(const struct gp_listing *l, const char *name)
{
	return l->identity && l->identity->is_program && !strcmp(l->identity->service, name);
}

/* A program's name belongs to the user with the lowest number who runs one. Whether that is another
 * one than `user`. */
static bool is_taken(const struct gp_directory *d, const char *name, uint32_t user)
{
	for (uint32_t i = 0; i < d->cfg->max_services; i++)
		if (d->listing[i].user < user && goes_by(&d->listing[i], name))
			return true;
	return false;
}

/* Takes the name from programs of other users that had it until `owner` came. */
static int take_name(struct gp_directory *d, const struct gp_listing *owner)
{
	const char *name = owner->identity->service;

	for (uint32_t i = 0; i < d->cfg->max_services; i++) {
		struct gp_listing *l = &d->listing[i];
		char *theirs;

		if (l->user <= owner->user || !goes_by(l, name))
			continue;
		if (asprintf(&theirs, "user@%u/%s", l->user, name) < 0)
			return -ENOMEM;
		free(l->identity->service);
		l->identity->service = theirs;
		l->identity->is_program = false;
		l->wanted = !l->unasked && is_wanted(d->cfg, theirs);
	}
	return 0;
}

void gp_directory_decide(struct gp_directory *d)
{
	for (uint32_t i = 0; i < d->cfg->max_services; i++) {
		struct gp_listing *l = &d->listing[i];

		if (l->identity)
			l->wanted = !l->unasked && is_wanted(d->cfg, l->identity->service);
	}
}

/* Whether the path of the control group is known. */
static bool take_cgroup(const struct gp_origin *origin, char *path, size_t size)
{
	int err = gp_origin_path(&origin->group, path, size);

	/* So deep that its upper end is missing, only somebody unprivileged would make one: his. */
	if (err == -ENAMETOOLONG)
		snprintf(path, size, "/user.slice/");
	return !err || err == -ENAMETOOLONG;
}

const struct gp_listing *gp_directory_get(struct gp_directory *d, uint32_t slot,
					  const struct gp_service_info *info)
{
	struct gp_listing *l = &d->listing[slot];
	char path[GP_PATH_SIZE + 1], exe[GP_PATH_SIZE + 1], name[GP_NAME_LEN + 1];
	struct gp_claim claim = {
		.program = name,
		.user = info->key.user,
	};
	const struct gp_origin *origin;
	struct gp_identity *identity;

	/* A retired slot keeps the name it had: its origin may be another's by now. */
	if (l->identity && (l->ref == info->ref || info->state == GP_SLOT_DEAD))
		return l;
	origin = gp_slots_origin(d->slots, slot);
	if (!origin)
		return NULL;
	memcpy(name, info->key.name, GP_NAME_LEN);
	name[GP_NAME_LEN] = '\0';
	if (!gp_origin_path(&origin->program, exe, sizeof(exe)))
		claim.exe = exe;
	if (d->cgroups && info->key.cgroup && take_cgroup(origin, path, sizeof(path))) {
		claim.cgroup = path;
		if (info->flags & GP_INFO_NAMED_BY_ROOT) /* as of then: it may be gone */
			claim.trusted = strlen(path);
		else
			claim.trusted = gp_cgroup_trusted(d->cgroups, path, &claim.owner);
	}
	claim.taken = is_taken(d, name, claim.user);
	if (gp_identity_new(&identity, &claim))
		return NULL;
	gp_identity_free(&l->identity);
	l->identity = identity;
	free(l->cgroup);
	l->cgroup = claim.cgroup ? strdup(path) : NULL; /* out of memory: not known */
	l->ref = info->ref;
	l->user = claim.user;
	l->unasked = info->flags & GP_INFO_IGNORED;
	l->wanted = !l->unasked && is_wanted(d->cfg, identity->service);
	return identity->is_program && take_name(d, l) ? NULL : l;
}
