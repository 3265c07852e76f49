// SPDX-License-Identifier: GPL-2.0-or-later
/* DNS is told from one datagram, which is the whole input: no head, and no steps. */
#include "fuzz.h"
#include "gp_dns.h"

/* What is read behind the datagram, whose end may be anywhere, must not matter. */
static bool look(const uint8_t *data, size_t size, uint8_t behind, struct gp_dns *d)
{
	uint8_t *bytes = malloc(GP_DNS_LOOK); /* so that the sanitizer sees its ends */
	bool is_message;

	fuzz_expect(bytes ? NULL : "no memory");
	memset(bytes, behind, GP_DNS_LOOK);
	memcpy(bytes, data, size < GP_DNS_LOOK ? size : GP_DNS_LOOK);
	is_message = gp_dns_look(bytes, (__u32)size, d);
	free(bytes);
	return is_message;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gp_dns d, again;

	if (look(data, size, 0, &d) != look(data, size, 0xff, &again))
		fuzz_expect("what is behind the datagram decides");
	if (!look(data, size, 0, &d))
		return 0;
	fuzz_expect(memcmp(&d, &again, sizeof(d)) ? "what is behind the datagram tells" : NULL);
	fuzz_expect(d.operation < GP_DNS_OPERATION_COUNT ? NULL : "no such operation");
	fuzz_expect(d.status <= GP_DNS_RCODE_COUNT ? NULL : "no such status");
	return 0;
}
