// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "own.h"

#define BLOCK_BYTES 8192

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct gp_arena {
	struct block *first; /* the one with room */
};

int gp_arena_new(struct gp_arena **out)
{
	struct gp_arena *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*out = a;
	return 0;
}

void gp_arena_free(struct gp_arena **a)
{
	struct block *b, *next;

	if (!*a)
		return;
	for (b = (*a)->first; b; b = next) {
		next = b->next;
		free(b);
	}
	free(*a);
	*a = NULL;
}

static struct block *add_block(struct gp_arena *a, size_t need)
{
	size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;
	struct block *b = malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	b->next = a->first;
	b->used = 0;
	b->size = size;
	a->first = b;
	return b;
}

const char *gp_arena_string(struct gp_arena *a, const char *text)
{
	size_t need = strlen(text) + 1;
	struct block *b = a->first;
	char *copy;

	if (!b || b->size - b->used < need)
		b = add_block(a, need);
	if (!b)
		return NULL;
	copy = memcpy(b->bytes + b->used, text, need);
	b->used += need;
	return copy;
}
