// SPDX-License-Identifier: GPL-2.0-or-later
#include "mapped.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>

#include "own.h"

struct piece {
	void *page; /* NULL: not mapped yet */
	size_t len_bytes;
	char *first; /* the first element */
};

struct gp_mapped {
	int fd; /* the map's own */
	size_t value_size;
	uint32_t entries, group, pieces;
	struct piece *piece;
};

int gp_mapped_new(struct gp_mapped **out, const struct bpf_map *map, uint32_t group)
{
	gp_auto(gp_mapped_free) struct gp_mapped *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->fd = bpf_map__fd(map);
	m->value_size = (bpf_map__value_size(map) + 7) / 8 * 8;
	m->entries = bpf_map__max_entries(map);
	m->group = group;
	m->pieces = (m->entries + group - 1) / group;
	m->piece = calloc(m->pieces, sizeof(*m->piece));
	if (!m->piece)
		return -ENOMEM;
	*out = TAKE_PTR(m);
	return 0;
}

void gp_mapped_free(struct gp_mapped **mapped)
{
	struct gp_mapped *m = TAKE_PTR(*mapped);

	if (!m)
		return;
	if (m->piece)
		gp_mapped_unmap(m);
	free(m->piece);
	free(m);
}

void gp_mapped_unmap(struct gp_mapped *m)
{
	for (uint32_t i = 0; i < m->pieces; i++) {
		if (m->piece[i].page)
			munmap(m->piece[i].page, m->piece[i].len_bytes);
		m->piece[i] = (struct piece){};
	}
}

/* Maps the pages that hold the elements of piece `i`. */
static int map_piece(struct gp_mapped *m, uint32_t i)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t last = (size_t)(i + 1) * m->group;
	size_t begin = (size_t)i * m->group * m->value_size, end, offset = begin / page * page;
	struct piece *p = &m->piece[i];
	void *memory;

	end = (last < m->entries ? last : m->entries) * m->value_size;
	p->len_bytes = (end - offset + page - 1) / page * page;
	memory = mmap(NULL, p->len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, offset);
	if (memory == MAP_FAILED)
		return -errno;
	p->page = memory;
	p->first = (char *)memory + (begin - offset);
	return 0;
}

void *gp_mapped_at(struct gp_mapped *m, uint32_t index)
{
	uint32_t i = index / m->group;

	if (index >= m->entries) {
		errno = EINVAL;
		return NULL;
	}
	if (!m->piece[i].page && map_piece(m, i))
		return NULL;
	return m->piece[i].first + (size_t)(index % m->group) * m->value_size;
}
