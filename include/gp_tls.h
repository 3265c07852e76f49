/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.0 to 1.3 (RFC 5246, RFC 8446): the heads of its records. A record of application data is a
 * message, begun and ended; all else is aside. The caller makes turns of them.
 *
 * In TLS 1.3 most of the handshake looks like application data, too. What is aside there:
 *  - The client's, up to its Finished, which ends its second flight. It is the first record whose
 *    length is that of a Finished alone: early data, and certificates of clients, come before it.
 *    A client that puts its Finished into one record with its certificate has none, so of
 *    GP_TLS_FLIGHT records the next is taken for data: at most as many requests are missed.
 *  - Records of two bytes' content, which are alerts: close_notify is no request.
 * Of the server's, what comes before the client's first message answers nothing; so does a ticket,
 * unless it is sent when a request is already there: then the answer begins a little early.
 *
 * Which version it is, is not in the head of a record; ServerHello tells it too far behind for a
 * step, and the client's request for early data likewise. But up to TLS 1.2 each side sends a
 * handshake record that is not its Hello before any data, and in TLS 1.3 neither does. That holds
 * with and without ChangeCipherSpec for middleboxes, with HelloRetryRequest and with resumption.
 * (An encrypted Finished of TLS 1.2 looks like a Hello once in 2^40 handshakes. Known weakness: a
 * Hello that is split over records, which no common library does, looks like TLS 1.2.)
 *
 * Whether what is inside is HTTP/2, the client's Hello offers (ALPN), and up to TLS 1.2 the
 * server's accepts. In TLS 1.3 that stands in its EncryptedExtensions, of which the length is
 * known, if they have a record of their own, as OpenSSL and Go send them: four bytes of head, two
 * of length, nine to accept HTTP/2 (fifteen, or six more, for HTTP/1.1), and four to acknowledge
 * the server's name. Other extensions there make other lengths, but for the rare one of five bytes
 * beside the name.
 *
 * A connection joined later (no Hello seen) has data alone.
 */
#ifndef GP_TLS_H
#define GP_TLS_H

#include <stdbool.h>

#include "gp_parser.h"

#define GP_TLS_HEAD 5
#define GP_TLS_HELLO 11		/* a Hello's record up to its version */
#define GP_TLS_LENGTH_MAX 18432 /* 2^14 + 2048, the most of any version */
#define GP_TLS_FLIGHT 8

#define GP_TLS_GOODBYE 31 /* a record of two bytes, of TLS 1.3 and of the newer ciphers of 1.2 */

enum gp_tls_type {
	GP_TLS_CIPHER = 20,
	GP_TLS_ALERT = 21,
	GP_TLS_HANDSHAKE = 22,
	GP_TLS_DATA = 23,
	GP_TLS_HEARTBEAT = 24
};

enum gp_tls_hello { GP_TLS_CLIENT_HELLO = 1, GP_TLS_SERVER_HELLO = 2 };

/* gp_parser.mark; `items` counts the records of the client's second flight. */
#define GP_TLS_GREETED 1 /* a Hello was seen */
#define GP_TLS_OLD 2	 /* it is TLS 1.2 or older */
#define GP_TLS_BEGUN 4	 /* a message was seen: the client's second flight is over */
#define GP_TLS_H2 8	 /* HTTP/2 is offered, or accepted */

/*
 * gp_parser.state: what comes next of a Hello, of which `items` bytes are left; `status` is how
 * many follow in its record.
 */
enum gp_tls_state {
	GP_TLS_RECORD,
	GP_TLS_SUITES,	    /* their length, and they */
	GP_TLS_COMPRESSION, /* likewise */
	GP_TLS_EXTENSIONS,  /* the length of all */
	GP_TLS_EXTENSION,   /* its type, its length, and it */
};

#define GP_TLS_RANDOM 44 /* a Hello's record up to the length of the session's id */
#define GP_TLS_ALPN 16
#define GP_TLS_NAMES 4 /* protocols offered that are looked at */

/* What encryption adds in TLS 1.3: the type of the content, and a tag. */
#define GP_TLS_ADDED (1 + 16)
#define GP_TLS_ADDED_SHORT (1 + 8) /* AES-128-CCM-8 */

static __always_inline __u32 gp_tls_length(const __u8 *at)
{
	return at[3] << 8 | at[4];
}

/* Is the handshake record at `at`, GP_TLS_HELLO bytes, a Hello, in one record or in several? */
static __always_inline bool gp_tls_is_hello(const __u8 *at, enum gp_tls_hello hello)
{
	__u32 length = at[6] << 16 | at[7] << 8 | at[8];

	/* Other messages may follow a ServerHello in its record. */
	return at[5] == hello && length >= 38 && length <= 1 << 17 && at[9] == 3 && at[10] <= 3;
}

/* Could a client's first bytes be these? As with steps, GP_LOOK bytes are readable. */
static __always_inline bool gp_tls_begins(const __u8 *at, __u32 len)
{
	__u32 length = gp_tls_length(at);

	if (len < 6 || at[0] != GP_TLS_HANDSHAKE || at[1] != 3 || at[2] > 4)
		return false;
	if (length < 42 || length > GP_TLS_LENGTH_MAX || at[5] != GP_TLS_CLIENT_HELLO)
		return false;
	return len < GP_TLS_HELLO || gp_tls_is_hello(at, GP_TLS_CLIENT_HELLO);
}

/* Has the content of a record of TLS 1.3 this length? */
static __always_inline bool gp_tls_holds(__u32 length, __u32 content)
{
	return length == content + GP_TLS_ADDED || length == content + GP_TLS_ADDED_SHORT;
}

/* Is this record, which looks like application data, not any? */
static __always_inline bool gp_tls_is_disguised(struct gp_parser *p, __u32 length, bool request)
{
	if (!(p->mark & GP_TLS_GREETED) || p->mark & GP_TLS_OLD)
		return false;
	if (!request || p->mark & GP_TLS_BEGUN)
		return length == 2 + GP_TLS_ADDED;
	/* Finished: four bytes of head and a hash, of 32 or 48. */
	if (gp_tls_holds(length, 4 + 32) || gp_tls_holds(length, 4 + 48))
		p->mark |= GP_TLS_BEGUN;
	else if (++p->items >= GP_TLS_FLIGHT)
		p->mark |= GP_TLS_BEGUN;
	return true;
}

/*
 * Behind the handshake: may the record at `at`, of which `len` bytes are there, be one of no data?
 * Of TLS 1.3: `is_sealed`. What is no head of a record counts as data. GP_TLS_HEAD bytes are
 * readable.
 */
static __always_inline bool gp_tls_is_aside(const __u8 *at, int len, bool is_sealed)
{
	__u32 length = gp_tls_length(at);

	if (len < 1 || at[0] < GP_TLS_CIPHER || at[0] > GP_TLS_HEARTBEAT)
		return false;
	if (len < GP_TLS_HEAD)
		return true;
	if (at[1] != 3 || at[2] > 4 || length > GP_TLS_LENGTH_MAX)
		return false;
	return at[0] != GP_TLS_DATA || (is_sealed && length == 2 + GP_TLS_ADDED);
}

/* What a handshake record, in the clear or not, tells of the version. */
static __always_inline void gp_tls_handshake(struct gp_parser *p, const __u8 *at, __u32 length,
					     enum gp_tls_hello hello)
{
	if (length + GP_TLS_HEAD >= GP_TLS_HELLO && gp_tls_is_hello(at, hello))
		p->mark |= GP_TLS_GREETED;
	else if (p->mark & GP_TLS_GREETED)
		p->mark |= GP_TLS_OLD;
}

/* How many bytes there must be of what comes next. */
static __always_inline __u32 gp_tls_needs(enum gp_tls_state state)
{
	if (state == GP_TLS_EXTENSION)
		return 4;
	return state == GP_TLS_COMPRESSION ? 1 : 2;
}

/* Takes `taken` bytes of a Hello and passes over `skip`; at its end, if `next` has no room there.
 */
static __always_inline int gp_tls_hello_pass(struct gp_parser *p, __u32 taken, __u32 skip,
					     enum gp_tls_state next)
{
	__u32 left = p->items - taken;

	if (skip + gp_tls_needs(next) <= left) {
		p->skip = skip;
		p->items = left - skip;
		p->state = next;
		return taken;
	}
	p->skip = left + p->status;
	p->items = p->status = 0;
	p->state = GP_TLS_RECORD;
	p->events |= GP_EVENT_END;
	return taken;
}

/* A record that begins with a whole Hello: takes it up to its session's id. */
static __always_inline int gp_tls_hello_begin(struct gp_parser *p, const __u8 *at, bool request)
{
	__u32 id = at[GP_TLS_RANDOM - 1], length = at[7] << 8 | at[8];

	p->events = GP_EVENT_BEGIN | GP_EVENT_ASIDE;
	p->items = GP_TLS_HEAD + 4 + length;
	p->status = gp_tls_length(at) - 4 - length;
	if (request)
		return gp_tls_hello_pass(p, GP_TLS_RANDOM, id, GP_TLS_SUITES);
	return gp_tls_hello_pass(p, GP_TLS_RANDOM, id + 3, GP_TLS_EXTENSIONS);
}

/* Is HTTP/2 among the protocols of an extension of `len` bytes? */
static __always_inline bool gp_tls_names_h2(const __u8 *at, __u32 len)
{
	__u32 name = 6;

	for (int i = 0; i < GP_TLS_NAMES && name + 2 < len && name + 2 < GP_LOOK; i++) {
		if (at[name] == 2 && at[name + 1] == 'h' && at[name + 2] == '2')
			return true;
		name += 1 + at[name];
	}
	return false;
}

static __always_inline int gp_tls_extension(struct gp_parser *p, const __u8 *at, __u32 len)
{
	__u32 length = at[2] << 8 | at[3], all = 4 + length;

	if (all > p->items)
		all = p->items;
	if (all > GP_LOOK)
		all = GP_LOOK;
	if ((at[0] << 8 | at[1]) == GP_TLS_ALPN) {
		if (len < all)
			return GP_PARSE_MORE;
		if (gp_tls_names_h2(at, all))
			p->mark |= GP_TLS_H2;
	}
	return gp_tls_hello_pass(p, 4, length, GP_TLS_EXTENSION);
}

/* The next part of a Hello. */
static __always_inline int gp_tls_hello_part(struct gp_parser *p, const __u8 *at, __u32 len)
{
	p->events = 0;
	if (len < gp_tls_needs(p->state))
		return GP_PARSE_MORE;
	switch (p->state) {
	case GP_TLS_SUITES:
		return gp_tls_hello_pass(p, 2, at[0] << 8 | at[1], GP_TLS_COMPRESSION);
	case GP_TLS_COMPRESSION:
		return gp_tls_hello_pass(p, 1, at[0], GP_TLS_EXTENSIONS);
	case GP_TLS_EXTENSIONS:
		return gp_tls_hello_pass(p, 2, 0, GP_TLS_EXTENSION);
	default:
		return gp_tls_extension(p, at, len);
	}
}

/* Does the handshake record at `at` hold all of a Hello? */
static __always_inline bool gp_tls_holds_hello(const __u8 *at, enum gp_tls_hello hello)
{
	return gp_tls_is_hello(at, hello) && !at[6] &&
	       4 + (__u32)(at[7] << 8 | at[8]) <= gp_tls_length(at);
}

/* The first record behind ServerHello that looks like data: does it accept HTTP/2? */
static __always_inline bool gp_tls_accepts_h2(const struct gp_parser *p, __u32 length)
{
	return (p->mark & (GP_TLS_GREETED | GP_TLS_OLD | GP_TLS_BEGUN)) == GP_TLS_GREETED &&
	       (gp_tls_holds(length, 4 + 2 + 9) || gp_tls_holds(length, 4 + 2 + 9 + 4));
}

static __always_inline int gp_tls_record(struct gp_parser *p, const __u8 *at, __u32 len,
					 bool request)
{
	enum gp_tls_hello hello = request ? GP_TLS_CLIENT_HELLO : GP_TLS_SERVER_HELLO;
	__u32 length, head = GP_TLS_HEAD, taken;

	if (p->state)
		return gp_tls_hello_part(p, at, len);
	p->events = 0;
	if (len < GP_TLS_HEAD)
		return GP_PARSE_MORE;
	length = gp_tls_length(at);
	if (at[0] < GP_TLS_CIPHER || at[0] > GP_TLS_HEARTBEAT || at[1] != 3 || at[2] > 4 ||
	    length > GP_TLS_LENGTH_MAX)
		return GP_PARSE_LOST;
	if (at[0] == GP_TLS_HANDSHAKE) {
		head = length + GP_TLS_HEAD < GP_TLS_HELLO ? length + GP_TLS_HEAD : GP_TLS_HELLO;
		if (len < head)
			return GP_PARSE_MORE;
		if (head == GP_TLS_HELLO && gp_tls_holds_hello(at, hello)) {
			if (len < GP_TLS_RANDOM)
				return GP_PARSE_MORE;
			gp_tls_handshake(p, at, length, hello);
			return gp_tls_hello_begin(p, at, request);
		}
		gp_tls_handshake(p, at, length, hello);
	}
	p->events = GP_EVENT_BEGIN | GP_EVENT_END;
	if (at[0] != GP_TLS_DATA || gp_tls_is_disguised(p, length, request))
		p->events |= GP_EVENT_ASIDE;
	else
		p->mark |= gp_tls_accepts_h2(p, length) ? GP_TLS_BEGUN | GP_TLS_H2 : GP_TLS_BEGUN;
	taken = length + GP_TLS_HEAD < len ? length + GP_TLS_HEAD : len;
	p->skip = length + GP_TLS_HEAD - taken;
	return taken;
}

static __always_inline int gp_tls_request(struct gp_parser *p, const __u8 *at, __u32 len)
{
	return gp_tls_record(p, at, len, true);
}

static __always_inline int gp_tls_response(struct gp_parser *p, const __u8 *at, __u32 len)
{
	return gp_tls_record(p, at, len, false);
}

#endif
