// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz.h"
#include "gp_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t at[GP_LOOK] = "";

	fuzz_steps(data, size, gp_tls_request, gp_tls_response);
	if (size <= FUZZ_HEAD)
		return 0;
	size -= FUZZ_HEAD;
	size = size < GP_LOOK ? size : GP_LOOK;
	memcpy(at, data + FUZZ_HEAD, size);
	gp_tls_begins(at, (__u32)size);
	return 0;
}
