// SPDX-License-Identifier: GPL-2.0-or-later
#include "walk.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "own.h"

int gp_walk(const struct bpf_link *link)
{
	gp_auto(gp_close) int fd = -1;
	char nothing[64];
	ssize_t n;

	if (!link)
		return 0;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, nothing, sizeof(nothing))) > 0 || (n < 0 && errno == EAGAIN))
		;
	return n < 0 ? -errno : 0;
}
