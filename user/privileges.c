// SPDX-License-Identifier: GPL-2.0-or-later
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "own.h"

#define NOBODY 65534 /* where no file names the users, as in a container with nothing in it */

static int find(const char *name, struct gp_user *out)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry) /* the C library says that there is none with any of several numbers */
		return errno == ENOMEM || errno == EIO || errno == EMFILE ? -errno : -ENOENT;
	*out = (struct gp_user){entry->pw_uid, entry->pw_gid};
	return 0;
}

int gp_user_find(const char *name, struct gp_user *out)
{
	int err = find(name ?: "goldpan", out);

	if (!name && err == -ENOENT)
		err = find("nobody", out);
	if (!name && err == -ENOENT) {
		*out = (struct gp_user){NOBODY, NOBODY};
		err = 0;
	}
	return err;
}

bool gp_privileges_root(void)
{
	return geteuid() == 0;
}

/*
 * No way back by exec, and no core dump: what was read of others does not end in a file. That also
 * keeps others of the same user, who may be many if it is `nobody`, from tracing this process.
 */
static int seal(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

/* What libcap-ng returns when it fails is its own; errno is of the call that failed, if one did. */
static int failed(void)
{
	return errno ? -errno : -EPERM;
}

/* Becomes what was chosen with capng_update. Only root may be able to empty the bounding set. */
static int apply(void)
{
	errno = 0;
	if (gp_privileges_root() && !capng_apply(CAPNG_SELECT_ALL))
		return 0;
	return capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) ? failed() : 0;
}

/* Whether nothing is left, whatever the calls before have said. */
static bool is_bare(void)
{
	return !capng_get_caps_process() && capng_have_permitted_capabilities() == CAPNG_NONE &&
	       capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE;
}

int gp_privileges_drop(const struct gp_user *user)
{
	int err = 0;

	capng_clear(CAPNG_SELECT_ALL);
	if (user) {
		errno = 0;
		if (capng_change_id(user->uid, user->gid,
				    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING |
					    CAPNG_CLEAR_AMBIENT))
			err = failed();
	} else {
		err = apply();
	}
	if (!err)
		err = seal();
	if (!err && !is_bare())
		err = -EPERM;
	return err;
}

int gp_privileges_keep_files(void)
{
	capng_type_t held = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	bool has_it; /* in a container root may have less */
	int err;

	if (capng_get_caps_process())
		return -EPERM;
	has_it = capng_have_capability(CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
	capng_clear(CAPNG_SELECT_ALL);
	if (has_it && capng_update(CAPNG_ADD, held, CAP_DAC_OVERRIDE))
		return -EPERM;
	err = apply();
	return err ?: seal();
}
