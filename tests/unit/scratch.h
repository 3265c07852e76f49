/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory for the files of one test program, made at its start and removed at its end. */
#ifndef GP_TEST_SCRATCH_H
#define GP_TEST_SCRATCH_H

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char scratch_directory[] = "/tmp/goldpan-unit-XXXXXX";

/* Set-up and tear-down of a group of tests. */
static inline int scratch_make(void **state)
{
	return mkdtemp(scratch_directory) && !chmod(scratch_directory, 0755) ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind,
				     struct FTW *where)
{
	return remove(path);
}

static inline int scratch_remove(void **state)
{
	return nftw(scratch_directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file in it; holds until the next call. */
static inline const char *scratch_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", scratch_directory, name);
	return path;
}

static inline void scratch_write(const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(name), "we");

	fputs(text, file);
	fclose(file);
}

/* What the file holds, as a string (at most 1 MiB); holds until the next call. */
static inline const char *scratch_read(const char *name)
{
	static char text[1 << 20];
	FILE *file = fopen(scratch_path(name), "re");

	text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = 0;
	if (file)
		fclose(file);
	return text;
}

#endif
