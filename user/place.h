/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file named by the user, and how it is reached: by the rules of contract.md, "Files". No
 * directory on the way and not the file itself may be a symbolic link or lie where everybody can
 * exchange it, so what is opened is what was named, whoever owns the directories around it.
 */
#ifndef GP_PLACE_H
#define GP_PLACE_H

#include <sys/types.h>

struct gp_place {
	const char *path; /* not owned */
	mode_t mode;	  /* of a file that is made */
};

/* Why a place was refused, where errno cannot say. */
enum gp_refusal {
	GP_REFUSAL_NONE,
	GP_REFUSAL_LINK,
	GP_REFUSAL_LINK_ON_THE_WAY,
	GP_REFUSAL_DIRECTORY,
	GP_REFUSAL_KIND,
	GP_REFUSAL_WRITABLE,
	GP_REFUSAL_NAMES,
	GP_REFUSAL_NO_READER,
	GP_REFUSAL_KEEPER,
	GP_REFUSAL_COUNT,
};

/* For people; NULL for GP_REFUSAL_NONE: errno says it. */
const char *gp_refusal_text(enum gp_refusal why);

/*
 * All of these: 0, or -errno and *why. An opened descriptor belongs to the caller.
 *
 * gp_place_append makes the file if there is none. gp_place_begin makes an empty one beside it (in
 * place of what an earlier one left), which gp_place_replace puts in its place in one step.
 * gp_place_remove removes the file, and is content if there is none.
 */
int gp_place_append(const struct gp_place *p, int *fd, enum gp_refusal *why);
int gp_place_begin(const struct gp_place *p, int *fd, enum gp_refusal *why);
int gp_place_replace(const struct gp_place *p, enum gp_refusal *why);
int gp_place_remove(const struct gp_place *p, enum gp_refusal *why);

/* Opens a file that is there, for reading. Through symbolic links, as its reader would. */
int gp_place_read(const struct gp_place *p, int *fd, enum gp_refusal *why);

#endif
