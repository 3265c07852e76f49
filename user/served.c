// SPDX-License-Identifier: GPL-2.0-or-later
#include "served.h"

#include <stdio.h>

#include "own.h"

static bool is_bound(const char *path, unsigned int port)
{
	gp_auto(gp_fclose) FILE *file = fopen(path, "re");
	unsigned int local;
	char line[512];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u: %*32[0-9A-F]:%4x", &local) == 1 && local == port)
			return true;
	return false;
}

bool gp_served_udp(uint16_t port)
{
	return is_bound("/proc/net/udp", port) || is_bound("/proc/net/udp6", port);
}
