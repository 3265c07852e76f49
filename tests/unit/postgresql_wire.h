/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one side of a PostgreSQL connection says, put together from whole messages. */
#ifndef POSTGRESQL_WIRE_H
#define POSTGRESQL_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PARTS_MAX 32

/* What one side says, in parts: messages that the parser should see as one. */
struct wire {
	uint8_t bytes[16384];
	size_t len, count;
	struct {
		size_t begin;
		const char *seen; /* as told() says */
	} parts[PARTS_MAX];
};

static inline void part(struct wire *w, const char *seen)
{
	assert_true(w->count < PARTS_MAX);
	w->parts[w->count].begin = w->len;
	w->parts[w->count++].seen = seen;
}

static inline void put_bytes(struct wire *w, const void *bytes, size_t len)
{
	assert_true(w->len + len <= sizeof(w->bytes));
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

static inline void put_number(struct wire *w, uint32_t number)
{
	put_bytes(w, &(uint32_t){__builtin_bswap32(number)}, 4);
}

static inline void put_message(struct wire *w, char type, const void *content, size_t len)
{
	put_bytes(w, &type, 1);
	put_number(w, (uint32_t)len + 4);
	put_bytes(w, content, len);
}

/* The 0 behind a literal is a part of most messages; PUT_HEAD is for those that have no content. */
#define PUT(w, type, text) put_message(w, type, text, sizeof(text))
#define PUT_EXACT(w, type, text) put_message(w, type, text, sizeof(text) - 1)
#define PUT_HEAD(w, type) put_message(w, type, "", 0)

#define BIND "\0stmt\0\0\0\0\0\0"
#define EXECUTE "\0\0\0\0"
#define DESCRIBED "\0\1a\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0"
#define FAILED "SERROR\0VERROR\0C"

static inline void put_startup(struct wire *w, uint32_t code, const void *content, size_t len)
{
	put_number(w, (uint32_t)len + 8);
	put_number(w, code);
	put_bytes(w, content, len);
}

#endif
