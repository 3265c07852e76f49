// SPDX-License-Identifier: GPL-2.0-or-later
#include "local.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "own.h"

#define LINE_SIZE 256

/*
 *	   |-- 10.77.0.1
 *	      /32 host LOCAL
 */
bool gp_local_in_routes(FILE *routes, const uint8_t address[4])
{
	char line[LINE_SIZE], leaf[INET_ADDRSTRLEN], name[INET_ADDRSTRLEN];
	bool here = false;

	inet_ntop(AF_INET, address, name, sizeof(name));
	while (fgets(line, sizeof(line), routes)) {
		if (sscanf(line, " |-- %15s", leaf) == 1)
			here = !strcmp(leaf, name);
		else if (here && strstr(line, "/32 host LOCAL"))
			return true;
	}
	return false;
}

/* 20010db8000000000000000000000001 02 40 00 80 eth0 */
bool gp_local_in_interfaces(FILE *interfaces, const uint8_t address[16])
{
	char line[LINE_SIZE], name[2 * 16 + 1];

	for (int i = 0; i < 16; i++)
		snprintf(name + 2 * i, 3, "%02x", address[i]);
	while (fgets(line, sizeof(line), interfaces))
		if (!strncmp(line, name, 2 * 16))
			return true;
	return false;
}

bool gp_local(const void *address, bool is_v6)
{
	const uint8_t *bytes = address;
	gp_auto(gp_fclose) FILE *file = NULL;

	if (is_v6 ? IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)address) : bytes[0] == 127)
		return true;
	file = fopen(is_v6 ? "/proc/net/if_inet6" : "/proc/net/fib_trie", "re");
	if (!file)
		return false;
	return is_v6 ? gp_local_in_interfaces(file, bytes) : gp_local_in_routes(file, bytes);
}
