// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroup_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_DIGITS 64
#define POD_MIN 32 /* digits of a uid: of a static pod they are not grouped */
#define POD_MAX 36

static bool begins_with(struct gp_part name, const char *begin)
{
	size_t n = strlen(begin);

	return name.len > n && !strncmp(name.text, begin, n);
}

static bool ends_with(struct gp_part name, const char *end)
{
	size_t n = strlen(end);

	return name.len > n && !strncmp(name.text + name.len - n, end, n);
}

static bool is(struct gp_part name, const char *text)
{
	return name.text && name.len == strlen(text) && !strncmp(name.text, text, name.len);
}

/* The part from `from` to before `to`. */
static struct gp_part between(const char *from, const char *to)
{
	return (struct gp_part){from, to - from};
}

struct gp_part gp_cgroup_unit(struct gp_part name)
{
	return ends_with(name, ".service") ? name : (struct gp_part){};
}

/* docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID, or ID alone. */
static struct gp_part container_id(struct gp_part name)
{
	const char *end = name.text + name.len, *id;

	if (ends_with(name, ".scope"))
		end -= strlen(".scope");
	if (end - name.text < ID_DIGITS)
		return (struct gp_part){};
	id = end - ID_DIGITS;
	for (int i = 0; i < ID_DIGITS; i++)
		if (!isxdigit((unsigned char)id[i]))
			return (struct gp_part){};
	if (id > name.text && isalnum((unsigned char)id[-1]))
		return (struct gp_part){};
	if (ends_with(between(name.text, id), "conmon-")) /* libpod-conmon-, crio-conmon- */
		return (struct gp_part){};
	return between(id, end);
}

struct gp_part gp_cgroup_container(struct gp_part name, struct gp_part parent)
{
	const char *end = name.text + name.len;

	if (begins_with(name, "lxc.payload."))
		return between(name.text + strlen("lxc.payload."), end);
	if (is(parent, "lxc") || is(parent, "lxc.payload")) /* before LXC 4, and as it may be set */
		return name;
	return container_id(name);
}

/*
 * Without systemd kubepods/burstable/podUID; with it kubepods-burstable-podUID.slice, "_" for "-",
 * which may be followed by ":cri-containerd:ID".
 */
bool gp_cgroup_pod(struct gp_part name, struct gp_part parent, char *uid, size_t size)
{
	const char *end = name.text + name.len, *from = NULL;
	size_t len;

	if (begins_with(name, "kubepods")) {
		const char *slice = memmem(name.text, name.len, ".slice", strlen(".slice"));

		end = slice ?: end;
		from = memmem(name.text, end - name.text, "-pod", strlen("-pod"));
		from = from ? from + strlen("-pod") : NULL;
	} else if (begins_with(name, "pod") && (is(parent, "kubepods") || is(parent, "burstable") ||
						is(parent, "besteffort"))) {
		from = name.text + strlen("pod");
	}
	len = from ? (size_t)(end - from) : 0;
	if (len < POD_MIN || len > POD_MAX || len >= size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)from[i]) && from[i] != '-' && from[i] != '_')
			return false;
		uid[i] = from[i] == '_' ? '-' : from[i];
	}
	uid[len] = '\0';
	return true;
}
