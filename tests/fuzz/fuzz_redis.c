// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz.h"
#include "gp_redis.h"

/* What the cheap look takes for one whole request is that, and of the same name. */
static void look(const uint8_t *stream, size_t len)
{
	uint8_t *bytes = malloc(GP_REDIS_PLAIN_BYTES); /* so that the sanitizer sees its ends */
	struct gp_parser p = {0};
	struct steps s = {0};
	bool plain;

	fuzz_expect(bytes ? NULL : "no memory");
	memset(bytes, '$', GP_REDIS_PLAIN_BYTES);
	memcpy(bytes, stream, len < GP_REDIS_PLAIN_BYTES ? len : GP_REDIS_PLAIN_BYTES);
	plain = gp_redis_plain(bytes, (__u32)len, &p);
	gp_redis_begins(bytes, len < GP_LOOK ? (__u32)len : GP_LOOK);
	gp_redis_answers(bytes, (__u32)len);
	free(bytes);
	if (!plain)
		return;
	steps_run(&s, gp_redis_request, stream, len, len, 0);
	fuzz_expect(s.ended == 1 && s.count == 1 ? NULL : "plain, but not one request");
	fuzz_expect(s.messages[0].end == len ? NULL : "plain, but ends elsewhere");
	fuzz_expect(s.messages[0].flags == GP_EVENT_NAMED ? NULL : "plain, but unlike others");
	fuzz_expect(s.messages[0].operation == p.operation ? NULL : "another operation");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_steps(data, size, gp_redis_request, gp_redis_response);
	if (size > FUZZ_HEAD)
		look(data + FUZZ_HEAD, size - FUZZ_HEAD);
	return 0;
}
