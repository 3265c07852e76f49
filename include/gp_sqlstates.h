/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLSTATEs that PostgreSQL documents (appendix "PostgreSQL Error Codes", up to version 18), in
 * ascending order. An error whose SQLSTATE is not among them keeps its class alone: extensions and
 * functions may raise what they like.
 */
#ifndef GP_SQLSTATES_H
#define GP_SQLSTATES_H

#include <stdbool.h>

#include "gp_parser.h"

/* clang-format off */
#define GP_SQLSTATES(X) \
	X(00000) X(01000) X(01003) X(01004) X(01006) X(01007) X(01008) X(0100C) X(01P01) \
	X(02000) X(02001) X(03000) X(08000) X(08001) X(08003) X(08004) X(08006) X(08007) \
	X(08P01) X(09000) X(0A000) X(0B000) X(0F000) X(0F001) X(0L000) X(0LP01) X(0P000) \
	X(0Z000) X(0Z002) X(20000) X(21000) X(22000) X(22001) X(22002) X(22003) X(22004) \
	X(22005) X(22007) X(22008) X(22009) X(2200B) X(2200C) X(2200D) X(2200F) X(2200G) \
	X(2200H) X(2200L) X(2200M) X(2200N) X(2200S) X(2200T) X(22010) X(22011) X(22012) \
	X(22013) X(22014) X(22015) X(22016) X(22018) X(22019) X(2201B) X(2201E) X(2201F) \
	X(2201G) X(2201W) X(2201X) X(22021) X(22022) X(22023) X(22024) X(22025) X(22026) \
	X(22027) X(2202E) X(2202G) X(2202H) X(22030) X(22031) X(22032) X(22033) X(22034) \
	X(22035) X(22036) X(22037) X(22038) X(22039) X(2203A) X(2203B) X(2203C) X(2203D) \
	X(2203E) X(2203F) X(2203G) X(22P01) X(22P02) X(22P03) X(22P04) X(22P05) X(22P06) \
	X(23000) X(23001) X(23502) X(23503) X(23505) X(23514) X(23P01) X(24000) X(25000) \
	X(25001) X(25002) X(25003) X(25004) X(25005) X(25006) X(25007) X(25008) X(25P01) \
	X(25P02) X(25P03) X(25P04) X(26000) X(27000) X(28000) X(28P01) X(2B000) X(2BP01) \
	X(2D000) X(2F000) X(2F002) X(2F003) X(2F004) X(2F005) X(34000) X(38000) X(38001) \
	X(38002) X(38003) X(38004) X(39000) X(39001) X(39004) X(39P01) X(39P02) X(39P03) \
	X(3B000) X(3B001) X(3D000) X(3F000) X(40000) X(40001) X(40002) X(40003) X(40P01) \
	X(42000) X(42501) X(42601) X(42602) X(42611) X(42622) X(42701) X(42702) X(42703) \
	X(42704) X(42710) X(42712) X(42723) X(42725) X(42803) X(42804) X(42809) X(42830) \
	X(42846) X(42883) X(428C9) X(42939) X(42P01) X(42P02) X(42P03) X(42P04) X(42P05) \
	X(42P06) X(42P07) X(42P08) X(42P09) X(42P10) X(42P11) X(42P12) X(42P13) X(42P14) \
	X(42P15) X(42P16) X(42P17) X(42P18) X(42P19) X(42P20) X(42P21) X(42P22) X(44000) \
	X(53000) X(53100) X(53200) X(53300) X(53400) X(54000) X(54001) X(54011) X(54023) \
	X(55000) X(55006) X(55P02) X(55P03) X(55P04) X(57000) X(57014) X(57P01) X(57P02) \
	X(57P03) X(57P04) X(57P05) X(58000) X(58030) X(58P01) X(58P02) X(58P03) X(72000) \
	X(F0000) X(F0001) X(HV000) X(HV001) X(HV002) X(HV004) X(HV005) X(HV006) X(HV007) \
	X(HV008) X(HV009) X(HV00A) X(HV00B) X(HV00C) X(HV00D) X(HV00J) X(HV00K) X(HV00L) \
	X(HV00M) X(HV00N) X(HV00P) X(HV00Q) X(HV00R) X(HV010) X(HV014) X(HV021) X(HV024) \
	X(HV090) X(HV091) X(P0000) X(P0001) X(P0002) X(P0003) X(P0004) X(XX000) X(XX001) \
	X(XX002)
/* clang-format on */

#define GP_SQLSTATE_ENUM(code) GP_SQLSTATE_##code,
#define GP_SQLSTATE_MATCH(code)                                                                    \
	if (key == GP_WORD8(#code))                                                                \
		return GP_SQLSTATE_##code;

enum gp_sqlstate {
	GP_SQLSTATES(GP_SQLSTATE_ENUM) GP_SQLSTATE_COUNT,
	GP_SQLSTATE_SERVER = GP_SQLSTATE_COUNT, /* not listed, of a class that blames the server */
	GP_SQLSTATE_CLIENT			/* not listed, of any other class */
};

/* Do its classes say that the server failed: no resources, operator, system, internal? */
static __always_inline bool gp_sqlstate_blames_server(__u64 key)
{
	__u64 class = gp_low_bytes(key, 2);

	return class == GP_WORD8("53") || class == GP_WORD8("57") || class == GP_WORD8("58") ||
	       class == GP_WORD8("XX");
}

/* The enum gp_sqlstate of the five characters of `key`, nothing above them. The comparisons become
 * a search by halves. */
GP_ONCE int gp_sqlstate_find(__u64 key)
{
	GP_SQLSTATES(GP_SQLSTATE_MATCH)
	return gp_sqlstate_blames_server(key) ? GP_SQLSTATE_SERVER : GP_SQLSTATE_CLIENT;
}

#endif
