// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz.h"
#include "gp_http.h"

/* What the cheap look takes for one request must not be two, and must end where it says. */
static void look(const uint8_t *stream, size_t len)
{
	uint8_t *bytes = malloc(sizeof(struct gp_http_bytes)); /* the sanitizer sees its ends */
	struct gp_parser p = {0};
	struct steps s = {0};
	bool plain;

	fuzz_expect(bytes ? NULL : "no memory");
	memset(bytes, '\n', sizeof(struct gp_http_bytes));
	memcpy(bytes, stream, len < GP_HTTP_PLAIN ? len : GP_HTTP_PLAIN);
	plain = gp_http_plain(bytes, (__u32)len, &p);
	gp_http_begins(bytes, (__u32)len);
	gp_http_plain_status(bytes, (__u32)len);
	free(bytes);
	if (!plain)
		return;
	steps_run(&s, gp_http_request, stream, len, len, 0);
	if (s.lost)
		return;
	fuzz_expect(s.count == 1 && s.messages[0].begin == 0 ? NULL : "hides a second request");
	fuzz_expect(s.messages[0].operation == p.operation ? NULL : "another operation");
	fuzz_expect(s.taken >= len ? NULL : "bytes are left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_steps(data, size, gp_http_request, gp_http_response);
	if (size > FUZZ_HEAD)
		look(data + FUZZ_HEAD, size - FUZZ_HEAD);
	return 0;
}
