// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz.h"
#include "gp_postgresql.h"

/* The looks at a first window read no more than it. */
static void look_at_beginning(const uint8_t *stream, size_t len)
{
	uint8_t *at = malloc(GP_LOOK);

	fuzz_expect(at ? NULL : "no memory");
	len = len < GP_LOOK ? len : GP_LOOK;
	memset(at, 'S', GP_LOOK);
	memcpy(at, stream, len);
	gp_postgresql_begins(at, (__u32)len);
	gp_postgresql_answers(at, (__u32)len);
	if (len >= 6)
		gp_postgresql_done(at + len - 6);
	free(at);
}

/* What the cheap look takes for one request is one, which the steps name alike. */
static void look(const uint8_t *stream, size_t len)
{
	uint8_t *bytes = malloc(GP_POSTGRESQL_PLAIN); /* so that the sanitizer sees its ends */
	struct gp_parser p = {0};
	struct steps s = {0};
	bool plain;

	fuzz_expect(bytes ? NULL : "no memory");
	memset(bytes, 'S', GP_POSTGRESQL_PLAIN);
	memcpy(bytes, stream, len < GP_POSTGRESQL_PLAIN ? len : GP_POSTGRESQL_PLAIN);
	plain = gp_postgresql_plain(bytes, (__u32)len, &p);
	free(bytes);
	if (!plain)
		return;
	steps_run(&s, gp_postgresql_request, stream, len, len, 0);
	fuzz_expect(s.lost ? "takes what the steps do not" : NULL);
	fuzz_expect(s.count == 1 && s.ended == 1 ? NULL : "is not one request");
	fuzz_expect(s.messages[0].begin == 0 && s.messages[0].end == len ? NULL : "is not whole");
	fuzz_expect(s.messages[0].operation == p.operation ? NULL : "another operation");
	fuzz_expect(s.p.mark == p.mark ? NULL : "leaves the parser elsewhere");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_steps(data, size, gp_postgresql_request, gp_postgresql_response);
	if (size > FUZZ_HEAD) {
		look(data + FUZZ_HEAD, size - FUZZ_HEAD);
		look_at_beginning(data + FUZZ_HEAD, size - FUZZ_HEAD);
	}
	return 0;
}
