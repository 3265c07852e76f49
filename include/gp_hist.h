/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bucket function: one piece of code for the BPF programs and for user space.
 *
 * Buckets are base-2 exponential of scale 3 (OpenTelemetry, "Metrics Data Model", exponential
 * histogram): bucket i holds values in (2^(i/8), 2^((i+1)/8)] seconds. goldpan keeps
 * i = -160 .. 95, that is 2^-20 s to 2^12 s, in slots 1 .. 256; slot 0 is the underflow,
 * slot 257 the overflow.
 */
#ifndef GP_HIST_H
#define GP_HIST_H

#define GP_HIST_SCALE 3
#define GP_HIST_BUCKETS 256
#define GP_HIST_INDEX_MIN (-160) /* index i of slot 1 */
#define GP_HIST_UNDERFLOW 0
#define GP_HIST_OVERFLOW (GP_HIST_BUCKETS + 1)
#define GP_HIST_SLOTS (GP_HIST_BUCKETS + 2)
#define GP_HIST_OCTAVES 32
#define GP_HIST_OCTAVE_MIN (-20) /* the first octave begins at 2^-20 s */

/* One band per power of two of the duration, and one each for underflow and overflow. */
#define GP_BANDS (GP_HIST_OCTAVES + 2)

/*
 * floor(2^(j/8) * 1e9 * 2^32): the upper bound of eighth j of octave 0 in nanoseconds, as a
 * fixed-point number with 32 fractional bits. The bound in octave k is this >> (32 - k), rounded
 * down; as durations are whole nanoseconds, comparing with the rounded bound is exact.
 */
#define GP_HIST_BOUND(j)                                                                           \
	((j) == 0   ? 4294967296000000000ULL                                                       \
	 : (j) == 1 ? 4683695047832392561ULL                                                       \
	 : (j) == 2 ? 5107605667107197932ULL                                                       \
	 : (j) == 3 ? 5569883475385291208ULL                                                       \
	 : (j) == 4 ? 6074000999952099384ULL                                                       \
	 : (j) == 5 ? 6623745058664271696ULL                                                       \
	 : (j) == 6 ? 7223245205676679009ULL                                                       \
	 : (j) == 7 ? 7877004751727667949ULL                                                       \
		    : 8589934592000000000ULL)

/* 1 if a > b, without a branch; both below 2^63. */
static inline __attribute__((always_inline)) unsigned long long gp_hist_above(unsigned long long a,
									      unsigned long long b)
{
	unsigned long long difference = b - a;

	__asm__("" : "+r"(difference)); /* else the compiler sees through it, and branches */
	return difference >> 63;
}

/*
 * The slot, 0 .. GP_HIST_SLOTS - 1, of a duration in nanoseconds: the octave from the position of
 * the highest bit, then the eighth. Without branches but for the two ends: durations are random,
 * and a branch that is guessed wrong costs more than all of this.
 */
static inline __attribute__((always_inline)) unsigned int gp_hist_slot(unsigned long long ns)
{
	unsigned long long high = ns, step, bits, shift, eighth;

	if (ns <= GP_HIST_BOUND(0) >> 52)
		return GP_HIST_UNDERFLOW;
	if (ns > GP_HIST_BOUND(0) >> 20)
		return GP_HIST_OVERFLOW;
	step = gp_hist_above(high, 0xffffffff) << 5;
	bits = step;
	high >>= step;
	step = gp_hist_above(high, 0xffff) << 4;
	bits += step;
	high >>= step;
	step = gp_hist_above(high, 0xff) << 3;
	bits += step;
	high >>= step;
	step = gp_hist_above(high, 0xf) << 2;
	bits += step;
	high >>= step;
	step = gp_hist_above(high, 3) << 1;
	bits += step;
	high >>= step;
	bits += high >> 1;
	/*
	 * 10^9 lies between 2^29 and 2^30: a value with highest bit `bits` is in octave bits - 30
	 * or bits - 29. `shift` is 32 minus the octave.
	 */
	shift = 62 - bits;
	shift -= gp_hist_above(ns, GP_HIST_BOUND(8) >> shift);
	eighth = gp_hist_above(ns, GP_HIST_BOUND(1) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(2) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(3) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(4) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(5) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(6) >> shift) +
		 gp_hist_above(ns, GP_HIST_BOUND(7) >> shift);
	return (52 - shift) * 8 + 1 + eighth;
}

/* The band, 0 .. GP_BANDS - 1, a slot belongs to: band b > 0 ends at 2^(b - 20) s. */
static inline __attribute__((always_inline)) unsigned int gp_hist_band(unsigned int slot)
{
	return (slot + 7) >> 3;
}

#endif
