/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings that live and die together: those of one snapshot. */
#ifndef GP_ARENA_H
#define GP_ARENA_H

struct gp_arena;

/* An empty arena. 0, or -ENOMEM. */
int gp_arena_new(struct gp_arena **out);
void gp_arena_free(struct gp_arena **a);

/* A copy of `text` that lives as long as the arena. NULL when out of memory. */
const char *gp_arena_string(struct gp_arena *a, const char *text);

#endif
