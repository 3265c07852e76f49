// SPDX-License-Identifier: GPL-2.0-or-later
#include "unix_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf_object.h"
#include "programs.h"

#define READY "unix_ready"
#define READ "unix_read"

bool gp_unix_programs_has(const char *name)
{
	return !strcmp(name, READY) || !strcmp(name, READ);
}

static int put(const struct bpf_map *at, const struct gp_programs *programs, const char *name)
{
	const struct bpf_program *program = gp_programs_find(programs, name);
	uint32_t zero = 0;
	int fd;

	if (!program)
		return -ENOENT;
	fd = bpf_program__fd(program);
	return bpf_map_update_elem(bpf_map__fd(at), &zero, &fd, BPF_ANY) ? -errno : 0;
}

int gp_unix_programs_connect(const struct goldpan_bpf *maps, const struct gp_programs *programs)
{
	int err = put(maps->maps.unix_ready_at, programs, READY);

	return err ?: put(maps->maps.unix_read_at, programs, READ);
}
