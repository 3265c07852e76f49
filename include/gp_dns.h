/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS over datagrams (RFC 1035 and the registry of its parameters): what one message says. */
#ifndef GP_DNS_H
#define GP_DNS_H

#include <stdbool.h>

#include "gp_parser.h"
#include "gp_records.h"

#define GP_DNS_LOOK 272 /* readable bytes that gp_dns_look needs: its head and one question */
#define GP_DNS_HEAD 12
#define GP_DNS_NAME_MAX 255 /* with its lengths and its end */
#define GP_DNS_LABELS 128
#define GP_DNS_LABEL_MAX 63

/* Record types that are operations, with their numbers. */
/* clang-format off */
#define GP_DNS_TYPES(X) \
	X(A, 1) X(AAAA, 28) X(PTR, 12) X(HTTPS, 65) X(SRV, 33) X(TXT, 16) X(MX, 15) X(NS, 2) \
	X(CNAME, 5) X(SOA, 6) X(SVCB, 64) X(CAA, 257) X(DS, 43) X(DNSKEY, 48) X(RRSIG, 46) \
	X(NSEC, 47) X(NSEC3, 50) X(NSEC3PARAM, 51) X(CDS, 59) X(CDNSKEY, 60) X(TLSA, 52) \
	X(SSHFP, 44) X(SMIMEA, 53) X(OPENPGPKEY, 61) X(CERT, 37) X(NAPTR, 35) X(DNAME, 39) \
	X(LOC, 29) X(HINFO, 13) X(RP, 17) X(SPF, 99) X(URI, 256) X(CSYNC, 62) X(ZONEMD, 63) \
	X(TKEY, 249) X(TSIG, 250) X(IXFR, 251) X(AXFR, 252) X(ANY, 255)

/* What a response says came of it, in the order of the numbers. */
#define GP_DNS_RCODES(X) \
	X(NOERROR) X(FORMERR) X(SERVFAIL) X(NXDOMAIN) X(NOTIMP) X(REFUSED) X(YXDOMAIN) \
	X(YXRRSET) X(NXRRSET) X(NOTAUTH) X(NOTZONE) X(DSOTYPENI)
/* clang-format on */

#define GP_DNS_TYPE_ENUM(name, number) GP_DNS_##name,
#define GP_DNS_TYPE_CASE(name, number)                                                             \
	case number:                                                                               \
		return GP_DNS_##name;
#define GP_DNS_RCODE_ENUM(name) GP_DNS_RCODE_##name,

enum gp_dns_operation { GP_DNS_OTHER, GP_DNS_TYPES(GP_DNS_TYPE_ENUM) GP_DNS_OPERATION_COUNT };
enum gp_dns_rcode { GP_DNS_RCODES(GP_DNS_RCODE_ENUM) GP_DNS_RCODE_COUNT };

#define GP_DNS_STATUS(rcode) ((rcode) + 1) /* 0 is `other` */

enum gp_dns_opcode { GP_DNS_QUERY = 0, GP_DNS_NOTIFY = 4, GP_DNS_UPDATE = 5 };

struct gp_dns {
	__u16 id;
	__u16 type;	 /* of the first question; 0: there is none */
	__u16 operation; /* the same, as enum gp_dns_operation */
	__u16 status;	 /* responses: GP_DNS_STATUS; 0: not in the list */
	__u8 opcode, rcode;
	bool is_response, truncated;
};

static __always_inline enum gp_dns_operation gp_dns_operation(__u16 type)
{
	switch (type) {
		GP_DNS_TYPES(GP_DNS_TYPE_CASE)
	default:
		return GP_DNS_OTHER;
	}
}

/* Whose error a status is; GP_ERROR_COUNT: nobody's. */
static __always_inline enum gp_error gp_dns_error(__u16 status)
{
	switch (status) {
	case 0:
	case GP_DNS_STATUS(GP_DNS_RCODE_NOERROR):
	case GP_DNS_STATUS(GP_DNS_RCODE_NXDOMAIN):
		return GP_ERROR_COUNT;
	case GP_DNS_STATUS(GP_DNS_RCODE_SERVFAIL):
		return GP_ERROR_SERVER;
	default:
		return GP_ERROR_CLIENT;
	}
}

static __always_inline __u16 gp_dns_number(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

/*
 * How many bytes the name at `at`, of which GP_DNS_NAME_MAX + 1 are readable, takes; 0 if it is
 * none. The first name of a message has nothing before it that it could point to.
 */
static __always_inline __u32 gp_dns_name(const __u8 *at)
{
	__u32 end = 0;

	for (int i = 0; i < GP_DNS_LABELS; i++) {
		__u8 label = at[end];

		end++;
		if (!label)
			break;
		if (label > GP_DNS_LABEL_MAX)
			return 0;
		end += label;
		if (end >= GP_DNS_NAME_MAX)
			return 0;
	}
	/* One range for all ways out of the loop, so that a verifier goes on from here once. */
	__asm__ volatile("" : "+r"(end));
	return end & GP_DNS_NAME_MAX;
}

/* The question behind the head, and that nothing is missing or, behind a query, too much. */
static __always_inline bool gp_dns_question(const __u8 *bytes, __u32 len, struct gp_dns *d)
{
	__u32 name = gp_dns_name(bytes + GP_DNS_HEAD), end = GP_DNS_HEAD + name + 4;
	__u16 class;

	if (!name || end > len)
		return false;
	d->type = gp_dns_number(bytes + GP_DNS_HEAD + name);
	d->operation = gp_dns_operation(d->type);
	class = gp_dns_number(bytes + GP_DNS_HEAD + name + 2);
	if (!d->type || !class || (class > 4 && class != 254 && class != 255))
		return false;
	/* Counts of the sections behind the questions, all three. */
	return d->is_response || end == len || gp_load4(bytes + 6) || gp_dns_number(bytes + 10);
}

/*
 * What a datagram of `len` bytes says, of which GP_DNS_LOOK can be read and are its own as far as
 * it goes. False if it is not a sane message: then `d` means nothing.
 */
static __always_inline bool gp_dns_look(const __u8 *bytes, __u32 len, struct gp_dns *d)
{
	__u16 questions = gp_dns_number(bytes + 4);

	if (len < GP_DNS_HEAD)
		return false;
	*d = (struct gp_dns){
		.id = gp_dns_number(bytes),
		.opcode = bytes[2] >> 3 & 15,
		.rcode = bytes[3] & 15,
		.is_response = bytes[2] >> 7,
		.truncated = bytes[2] >> 1 & 1,
	};
	if (d->opcode != GP_DNS_QUERY && d->opcode != GP_DNS_NOTIFY && d->opcode != GP_DNS_UPDATE)
		return false;
	if (bytes[3] & 0x40) /* reserved */
		return false;
	if (!d->is_response) {
		bool plain = d->opcode == GP_DNS_QUERY;

		if (d->rcode || d->truncated || (plain && gp_dns_number(bytes + 6)))
			return false;
	} else if (d->rcode < GP_DNS_RCODE_COUNT) {
		d->status = GP_DNS_STATUS(d->rcode);
	}
	if (d->is_response && !questions)
		return true;
	return questions == 1 && gp_dns_question(bytes, len, d);
}

#endif
