// SPDX-License-Identifier: GPL-2.0-or-later
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "bpf_object.h"
#include "own.h"

/* What takes the verifier as long as all the others together. */
static const char *const beside[] = {"read_tp", "read_small_tp", "unix_read"};

struct part {
	struct bpf_object *object;
	int err;
};

struct loaded {
	char *name;
	int fd;
};

struct gp_programs {
	struct part beside, others;
	struct loaded *loaded;
	size_t n;
};

static bool is_beside(const struct bpf_program *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		if (!strcmp(bpf_program__name(program), beside[i]))
			return true;
	return false;
}

static int share_maps(struct bpf_object *part, const struct bpf_object *whole)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, part)
	{
		const struct bpf_map *shared =
			bpf_object__find_map_by_name(whole, bpf_map__name(map));
		int err;

		if (!shared)
			return -ENOENT;
		if (bpf_map__fd(shared) < 0)
			err = bpf_map__set_autocreate(map, false);
		else
			err = bpf_map__reuse_fd(map, bpf_map__fd(shared));
		if (err)
			return err;
	}
	return 0;
}

/* Opens the object once more, for those of the programs in `wanted` that are loaded beside the
 * others, or for the others. */
static int open_part(struct part *part, const struct goldpan_bpf *bpf, const bool *wanted,
		     bool of_beside)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = bpf_object__name(bpf->obj));
	struct bpf_program *program;
	size_t size, i = 0;
	const void *elf = goldpan_bpf__elf_bytes(&size);

	part->object = bpf_object__open_mem(elf, size, &opts);
	if (!part->object)
		return -errno;
	bpf_object__for_each_program(program, part->object)
	{
		bpf_program__set_autoload(program, wanted[i++] && is_beside(program) == of_beside);
	}
	return share_maps(part->object, bpf->obj);
}

static void *load(void *arg)
{
	struct part *part = arg;

	part->err = bpf_object__load(part->object);
	return NULL;
}

static int load_parts(struct gp_programs *p)
{
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, load, &p->beside);

	if (err)
		return err;
	load(&p->others);
	pthread_join(thread, NULL);
	return p->others.err ?: p->beside.err;
}

static int list_loaded(struct gp_programs *p, const struct bpf_object *part)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, part)
	{
		struct loaded *l = &p->loaded[p->n];

		if (bpf_program__fd(program) < 0)
			continue;
		l->fd = fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0);
		if (l->fd < 0)
			return -errno;
		p->n++;
		l->name = strdup(bpf_program__name(program));
		if (!l->name)
			return -ENOMEM;
	}
	return 0;
}

/* Takes the maps alone into the kernel; `wanted` then says which programs are to follow. */
static int load_maps(struct goldpan_bpf *bpf, bool *wanted)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, bpf->obj)
	{
		wanted[i++] = bpf_program__autoload(program);
		bpf_program__set_autoload(program, false);
	}
	return goldpan_bpf__load(bpf);
}

static size_t count_programs(const struct bpf_object *object)
{
	struct bpf_program *program;
	size_t n = 0;

	bpf_object__for_each_program(program, object) n++;
	return n;
}

int gp_programs_load(struct gp_programs **out, struct goldpan_bpf *bpf)
{
	gp_auto(gp_programs_free) struct gp_programs *p = calloc(1, sizeof(*p));
	size_t programs = count_programs(bpf->obj);
	gp_auto(gp_free) bool *wanted = calloc(programs, sizeof(*wanted));
	int err;

	if (!p || !wanted)
		return -ENOMEM;
	p->loaded = calloc(programs, sizeof(*p->loaded));
	if (!p->loaded)
		return -ENOMEM;
	err = load_maps(bpf, wanted);
	if (!err)
		err = open_part(&p->beside, bpf, wanted, true);
	if (!err)
		err = open_part(&p->others, bpf, wanted, false);
	if (!err)
		err = load_parts(p);
	if (!err)
		err = list_loaded(p, p->beside.object);
	if (!err)
		err = list_loaded(p, p->others.object);
	if (err)
		return err;
	*out = TAKE_PTR(p);
	return 0;
}

void gp_programs_settle(struct gp_programs *p)
{
	bpf_object__close(p->beside.object);
	bpf_object__close(p->others.object);
	p->beside.object = p->others.object = NULL;
	malloc_trim(0);
}

void gp_programs_free(struct gp_programs **programs)
{
	struct gp_programs *p = TAKE_PTR(*programs);

	if (!p)
		return;
	gp_programs_settle(p);
	for (size_t i = 0; i < p->n; i++) {
		gp_close(&p->loaded[i].fd);
		free(p->loaded[i].name);
	}
	free(p->loaded);
	free(p);
}

struct bpf_program *gp_programs_find(const struct gp_programs *p, const char *name)
{
	const struct part *parts[] = {&p->beside, &p->others};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct bpf_program *program = NULL;

		if (parts[i]->object)
			program = bpf_object__find_program_by_name(parts[i]->object, name);
		if (program && bpf_program__fd(program) >= 0)
			return program;
	}
	return NULL;
}

size_t gp_programs_count(const struct gp_programs *p)
{
	return p->n;
}

const char *gp_programs_name(const struct gp_programs *p, size_t i)
{
	return p->loaded[i].name;
}

int gp_programs_fd(const struct gp_programs *p, size_t i)
{
	return p->loaded[i].fd;
}
