/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Digits: decimal digits eight at a time, in a 64-bit word.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_DIGITS_H
#define SERVER_DIGITS_H

#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

/** Eight digits, each in a byte less '0', the first in the lowest byte: pairs,
 * then both halves by one multiplication each (Mula's trick, as in Lemire's
 * paper). */
static ALWAYS_INLINE uint32_t digits_eight(uint64_t t)
{
	const uint64_t mask = 0x000000ff000000ff;

	t = t * 10 + (t >> 8);
	return (uint32_t)(((t & mask) * 0x000f424000000064 +
			   (t >> 16 & mask) * 0x0000271000000001) >>
			  32);
}

/** How many of the eight bytes at `at` are digits, from the first on, which
 * are appended to *w. */
static ALWAYS_INLINE unsigned digits_at(const char *at, uint64_t *w)
{
	static const uint32_t powers[] = { 1,	    10,	      100,
					   1000,    10000,    100000,
					   1000000, 10000000, 100000000 };
	uint64_t t, other;
	unsigned n;

	memcpy(&t, at, 8);
	t ^= 0x3030303030303030;
	/* the high bit of every byte that is above 9 */
	other = ((t + 0x7676767676767676) | t) & 0x8080808080808080;
	n = other ? (unsigned)__builtin_ctzll(other) >> 3 : 8;
	/* zeros come in before the digits; two shifts, as n may be 0 */
	if (n < 8)
		t = t << 1 << (63 - 8 * n);
	*w = *w * powers[n] + digits_eight(t);
	return n;
}

/** The reverse of digits_eight() for a value below 10^8: halves, quarters and
 * digits, each by a multiplication with the reciprocal. */
static ALWAYS_INLINE uint64_t digits_of_eight(uint32_t value)
{
	uint64_t t = value;
	uint64_t high = t * 3518437209u >> 45; /* / 10000 */

	t = high | (t - high * 10000) << 32;
	high = t * 10486u >> 20 & 0x0000007f0000007f; /* / 100 */
	t = high | (t - high * 100) << 16;
	high = t * 103u >> 10 & 0x000f000f000f000f; /* / 10 */
	return high | (t - high * 10) << 8;
}

#endif
