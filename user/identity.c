// SPDX-License-Identifier: GPL-2.0-or-later
#include "identity.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "own.h"

#define SHORT_ID 12 /* of a container's 64 hex digits, as its tools print it */

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !strncmp(text + len - n, end, n);
}

/* Where 64 hex digits end `text`, before an optional ".scope"; NULL if they do not. */
static const char *container_id(const char *text, size_t len)
{
	const char *id;

	if (ends_with(text, len, ".scope"))
		len -= strlen(".scope");
	if (len < 64)
		return NULL;
	id = text + len - 64;
	for (int i = 0; i < 64; i++)
		if (!isxdigit((unsigned char)id[i]))
			return NULL;
	return id;
}

/* The service is the container: its short id, or the name that LXC gave it. */
static int name_container(struct gp_identity *id, const char *text, size_t len)
{
	free(id->container);
	free(id->service);
	id->container = strndup(text, len);
	id->service = strndup(text, len < SHORT_ID || len != 64 ? len : SHORT_ID);
	return id->container && id->service ? 0 : -ENOMEM;
}

static int name_unit(struct gp_identity *id, const char *text, size_t len)
{
	size_t suffix = strlen(".service");

	free(id->unit);
	free(id->service);
	id->unit = strndup(text, len);
	id->service = strndup(text, len > suffix ? len - suffix : len);
	return id->unit && id->service ? 0 : -ENOMEM;
}

/* user@UID/NAME for everything below user.slice, whatever it calls itself. */
static int name_user(struct gp_identity *id, const char *path, const char *name)
{
	unsigned int uid;

	if (sscanf(path, "/user.slice/user-%u.slice", &uid) != 1)
		return asprintf(&id->service, "user@?/%s", name) < 0 ? -ENOMEM : 0;
	return asprintf(&id->service, "user@%u/%s", uid, name) < 0 ? -ENOMEM : 0;
}

/*
 * The container of the path, or its outermost unit: whoever a unit's control group was delegated to
 * may call groups below it what he likes.
 */
static int name_path(struct gp_identity *id, const char *path)
{
	for (const char *at = path; *at;) {
		size_t len;
		const char *hex;
		int err = 0;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		hex = container_id(at, len);
		if (hex)
			err = name_container(id, hex, 64);
		else if (len > 12 && !strncmp(at, "lxc.payload.", 12))
			err = name_container(id, at + 12, len - 12);
		else if (ends_with(at, len, ".service") && !id->container && !id->unit)
			err = name_unit(id, at, len);
		if (err)
			return err;
		at += len;
	}
	return 0;
}

static char *executable(uint32_t pid)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	if (!pid)
		return NULL;
	snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	len = readlink(link, path, sizeof(path) - 1);
	return len > 0 ? strndup(path, len) : NULL;
}

int gp_identity_new(struct gp_identity **out, const char *name, const char *cgroup, uint32_t pid)
{
	gp_auto(gp_identity_free) struct gp_identity *id = calloc(1, sizeof(*id));
	int err = 0;

	if (!id)
		return -ENOMEM;
	if (cgroup && !strncmp(cgroup, "/user.slice/", 12))
		err = name_user(id, cgroup, name);
	else if (cgroup)
		err = name_path(id, cgroup);
	if (err)
		return err;
	if (!id->service)
		id->service = strdup(name[0] ? name : "unknown");
	if (!id->service)
		return -ENOMEM;
	id->exe = executable(pid);
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
