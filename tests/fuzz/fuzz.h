/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers share. A fuzzer is one file that names its parser's steps:
 *
 *	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *	{
 *		fuzz_steps(data, size, gp_x_request, gp_x_response);
 *		return 0;
 *	}
 *
 * An input is a head of FUZZ_HEAD bytes and the stream behind it:
 *
 *	0	'<' what a server sends; anything else, '>' in the corpus: what a client sends
 *	1, 2	the operation of the first request that is answered, the lower byte first
 *	3, 4	that of the others
 *	5	in which chunks the stream comes
 *
 * Held is what the unit tests hold: gp_parser.h's promises, and that the same stream is seen as the
 * same messages whether it comes whole or in pieces.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "steps.h"

#define FUZZ_HEAD 6
#define FUZZ_REQUESTS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is broken and ends the fuzzer, which then keeps the input. */
static inline void fuzz_expect(const char *fault)
{
	if (!fault)
		return;
	fprintf(stderr, "broken: %s\n", fault);
	abort();
}

static inline uint16_t fuzz_operation(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

/* Two ways of splitting that an input's byte 5 chooses are compared with the whole. */
static inline void fuzz_steps(const uint8_t *data, size_t size, steps_step request,
			      steps_step response)
{
	uint16_t requests[FUZZ_REQUESTS];
	struct steps s = {.requests = requests, .requests_count = FUZZ_REQUESTS};
	steps_step step = request;
	size_t len = size - FUZZ_HEAD;

	if (size <= FUZZ_HEAD)
		return;
	if (data[0] == '<')
		step = response;
	for (int i = 0; i < FUZZ_REQUESTS; i++)
		requests[i] = fuzz_operation(data + (i == 0 ? 1 : 3));
	steps_run(&s, step, data + FUZZ_HEAD, len, len, 0);
	fuzz_expect(s.fault);
	fuzz_expect(steps_again(&s, step, data + FUZZ_HEAD, len, data[5] % len, 0));
	fuzz_expect(steps_again(&s, step, data + FUZZ_HEAD, len, 0, data[5] + 1u));
}

#endif
