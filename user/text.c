// SPDX-License-Identifier: GPL-2.0-or-later
#include "text.h"

#include <string.h>

#include "own.h"

#define REPLACEMENT 0xfffdu

/*
 * Leading bytes of sequences, by RFC 3629, section 4. `low` and `high` bound the second byte:
 * that is where overlong forms, surrogates and what lies beyond U+10FFFF are told.
 */
static const struct lead {
	unsigned char first, last, more, low, high;
} leads[] = {
	{0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
	{0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
	{0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct lead *find_lead(unsigned char byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(leads); i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

/* The bytes behind the leading one, which *at points behind. */
static uint32_t next_long(const struct lead *lead, unsigned char first, const char **at)
{
	uint32_t code = first & (0x3fu >> lead->more);
	unsigned char low = lead->low, high = lead->high;

	for (int i = 0; i < lead->more; i++) {
		unsigned char byte = **at;

		if (byte < low || byte > high) /* the end, 0, is below too */
			return REPLACEMENT;
		code = code << 6 | (byte & 0x3f);
		low = 0x80;
		high = 0xbf;
		(*at)++;
	}
	return code < 0xa0 ? REPLACEMENT : code; /* C1 */
}

uint32_t gp_text_next(const char **text)
{
	unsigned char first = **text;
	const struct lead *lead;

	if (!first)
		return 0;
	(*text)++;
	if (first < 0x80)
		return first < 0x20 || first == 0x7f ? REPLACEMENT : first;
	lead = find_lead(first);
	return lead ? next_long(lead, first, text) : REPLACEMENT;
}

size_t gp_text_clean(char *out, size_t size, const char *text)
{
	size_t len = 0;

	for (;;) {
		const char *from = text;
		uint32_t code = gp_text_next(&text);
		size_t n = text - from;

		if (!code)
			break;
		if (code == REPLACEMENT) { /* its own three bytes stand for what was skipped */
			from = "\xef\xbf\xbd";
			n = 3;
		}
		if (n >= size - len)
			break;
		memcpy(out + len, from, n);
		len += n;
	}
	out[len] = 0;
	return len;
}
