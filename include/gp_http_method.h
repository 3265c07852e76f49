/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP's methods: `operation` of its requests. */
#ifndef GP_HTTP_METHOD_H
#define GP_HTTP_METHOD_H

#include <stdbool.h>

#include "gp_parser.h"

/* In the order of how often they are met. */
#define GP_HTTP_METHODS(do_with)                                                                   \
	do_with(GET) do_with(POST) do_with(HEAD) do_with(PUT) do_with(DELETE) do_with(OPTIONS)     \
		do_with(PATCH) do_with(CONNECT) do_with(TRACE)

#define GP_HTTP_NUMBERED(name) GP_HTTP_##name,
enum gp_http_operation { GP_HTTP_OTHER, GP_HTTP_METHODS(GP_HTTP_NUMBERED) GP_HTTP_OPERATION_COUNT };
#undef GP_HTTP_NUMBERED

#define GP_HTTP_METHOD_MAX 24

static __always_inline bool gp_is_digit(__u8 c)
{
	return (__u8)(c - '0') <= 9;
}

static __always_inline bool gp_is_upper(__u8 c)
{
	return (__u8)(c - 'A') <= 'Z' - 'A';
}

/* A method of the list and its blank: how many bytes; 0 if it is none. Reads eight. */
static __always_inline __u32 gp_http_known_method(const __u8 *at, __u16 *operation)
{
	__u64 word = gp_load8(at);

#define GP_HTTP_TRY(name)                                                                          \
	if (gp_low_bytes(word ^ GP_WORD8(#name " "), sizeof(#name)) == 0) {                        \
		*operation = GP_HTTP_##name;                                                       \
		return sizeof(#name);                                                              \
	}
	GP_HTTP_METHODS(GP_HTTP_TRY)
#undef GP_HTTP_TRY
	return 0;
}

/* Any method and its blank: how many bytes, GP_PARSE_MORE or GP_PARSE_LOST. */
static __always_inline int gp_http_method(const __u8 *at, __u32 len, __u16 *operation)
{
	__u32 taken = gp_http_known_method(at, operation);

	if (taken)
		return taken <= len ? (int)taken : GP_PARSE_MORE;
	*operation = GP_HTTP_OTHER;
	for (__u32 i = 0; i <= GP_HTTP_METHOD_MAX; i++) {
		if (i >= len)
			return GP_PARSE_MORE;
		if (at[i] == ' ' && i > 0)
			return i + 1;
		if (!gp_is_upper(at[i]))
			return GP_PARSE_LOST;
	}
	return GP_PARSE_LOST;
}

/* Methods that come without a body: RFC 9110, 9.3. (It forbids one only for TRACE.) */
static __always_inline bool gp_http_is_bodiless(__u16 operation)
{
	return (1u << GP_HTTP_GET | 1u << GP_HTTP_HEAD | 1u << GP_HTTP_DELETE |
		1u << GP_HTTP_OPTIONS | 1u << GP_HTTP_TRACE) >>
		       (operation & 15) &
	       1;
}

/* Do the `len` bytes, however few, agree with the first eight of `method`? */
static __always_inline bool gp_http_agrees(__u64 word, __u32 len, __u64 method, __u32 method_len)
{
	return gp_low_bytes(word ^ method, len < method_len ? len : method_len) == 0;
}

/* Could the first request of a connection begin so? `at` has 16 readable bytes. */
static __always_inline bool gp_http_begins(const __u8 *at, __u32 len)
{
	__u64 word = gp_load8(at);
	__u8 next;

#define GP_HTTP_TRY(name)                                                                          \
	if (gp_http_agrees(word, len, GP_WORD8(#name " "), sizeof(#name))) {                       \
		next = at[sizeof(#name)];                                                          \
		if (len <= sizeof(#name))                                                          \
			return true;                                                               \
		return next == '/' || next == '*' || gp_is_digit(next) ||                          \
		       gp_is_upper(next & ~0x20);                                                  \
	}
	GP_HTTP_METHODS(GP_HTTP_TRY)
#undef GP_HTTP_TRY
	return false;
}

#endif
