// SPDX-License-Identifier: GPL-2.0-or-later
#include "identity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cgroup_name.h"
#include "own.h"

#define SHORT_ID 12 /* of a container's 64 hex digits, as its tools print it */
#define LONG_ID 64
#define USER_SLICE "/user.slice"

static int put(char **field, const char *text, size_t len)
{
	free(*field);
	*field = strndup(text, len);
	return *field ? 0 : -ENOMEM;
}

/* The service is the container: its short id, or the name that LXC gave it. */
static int name_container(struct gp_identity *id, struct gp_part name)
{
	int err = put(&id->container, name.text, name.len);

	return err ?: put(&id->service, name.text, name.len == LONG_ID ? SHORT_ID : name.len);
}

static int name_unit(struct gp_identity *id, struct gp_part name)
{
	int err = put(&id->unit, name.text, name.len);

	return err ?: put(&id->service, name.text, name.len - strlen(".service"));
}

static int name_user(struct gp_identity *id, uint32_t user, const char *name)
{
	return asprintf(&id->service, "user@%u/%s", user, name[0] ? name : "other") < 0 ? -ENOMEM
											: 0;
}

/* One group of the path. The outermost unit and container count: what is inside was named by who
 * runs in them. */
static int name_group(struct gp_identity *id, struct gp_part name, struct gp_part parent)
{
	struct gp_part container = gp_cgroup_container(name, parent), unit = gp_cgroup_unit(name);
	char pod[64];
	int err = 0;

	if (!id->unit && !id->container && gp_cgroup_pod(name, parent, pod, sizeof(pod)))
		err = asprintf(&id->unit, "pod%s", pod) < 0 ? -ENOMEM : 0;
	if (!err && container.text && !id->container)
		return name_container(id, container);
	if (!err && unit.text && !id->container && !id->unit)
		return name_unit(id, unit);
	return err;
}

static int name_path(struct gp_identity *id, const char *path, size_t trusted)
{
	struct gp_part parent = {};

	for (const char *at = path; *at;) {
		struct gp_part name;
		int err;

		at += strspn(at, "/");
		name = (struct gp_part){at, strcspn(at, "/")};
		if (!name.len || at + name.len > path + trusted)
			break;
		err = name_group(id, name, parent);
		if (err)
			return err;
		at += name.len;
		parent = name;
	}
	return 0;
}

static bool is_below_user_slice(const char *path)
{
	size_t len = strlen(USER_SLICE);

	return !strncmp(path, USER_SLICE, len) && (!path[len] || path[len] == '/');
}

/* user@UID/NAME for everything below user.slice, whatever it calls itself. */
static int name_session(struct gp_identity *id, const struct gp_claim *claim)
{
	unsigned int user;

	if (sscanf(claim->cgroup, USER_SLICE "/user-%u.slice", &user) != 1)
		user = claim->owner ?: claim->user;
	return name_user(id, user, claim->program);
}

/*
 * A program goes by its name. Two users' programs of one name are two services: the name is the
 * one's, and the other's has his number before it. Names that mean something here are nobody's.
 */
static int name_program(struct gp_identity *id, const struct gp_claim *claim)
{
	bool reserved = !strcmp(claim->program, "kernel") || !strcmp(claim->program, "other");
	const char *last = claim->cgroup ? strrchr(claim->cgroup, '/') : NULL;

	if (claim->owner)
		return name_user(id, claim->owner, claim->program);
	if (claim->user && (claim->taken || reserved || !claim->program[0]))
		return name_user(id, claim->user, claim->program);
	id->is_program = true;
	if (claim->program[0])
		id->service = strdup(claim->program);
	else
		id->service = strdup(last && last[1] ? last + 1 : "unknown");
	return id->service ? 0 : -ENOMEM;
}

int gp_identity_new(struct gp_identity **out, const struct gp_claim *claim)
{
	gp_auto(gp_identity_free) struct gp_identity *id = calloc(1, sizeof(*id));
	int err = 0;

	if (!id)
		return -ENOMEM;
	if (claim->cgroup && is_below_user_slice(claim->cgroup))
		err = name_session(id, claim);
	else if (claim->cgroup)
		err = name_path(id, claim->cgroup, claim->trusted);
	if (!err && !id->service)
		err = name_program(id, claim);
	if (err)
		return err;
	id->exe = claim->exe ? strdup(claim->exe) : NULL;
	if (claim->exe && !id->exe)
		return -ENOMEM;
	*out = TAKE_PTR(id);
	return 0;
}

void gp_identity_free(struct gp_identity **identity)
{
	struct gp_identity *id = TAKE_PTR(*identity);

	if (!id)
		return;
	free(id->service);
	free(id->unit);
	free(id->container);
	free(id->exe);
	free(id);
}
