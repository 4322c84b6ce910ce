/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Whole block: the digits of a number block joined to whole numbers.
 *
 * For x86-64-v3 and up. Threads: pure functions.
 */
#ifndef SERVER_WHOLE_BLOCK_PRIV_H
#define SERVER_WHOLE_BLOCK_PRIV_H

#include "server/number_block_priv.h"

enum { BLOCK_WIDTH = 16, WHOLE_SHORT = 4 };

static ALWAYS_INLINE __m128i block_load(const void *at)
{
	__m128i v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/** The values of the last n of the 16 bytes before `end`; the others are 0. */
static ALWAYS_INLINE __m128i block_digits_before(const char *end, size_t n)
{
	static const uint8_t last[2 * BLOCK_WIDTH] = {
		[16] = 255, 255, 255, 255, 255, 255, 255, 255,
		255,	    255, 255, 255, 255, 255, 255, 255,
	};
	const __m128i x =
	    _mm_sub_epi8(block_load(end - BLOCK_WIDTH), _mm_set1_epi8('0'));

	return _mm_and_si128(x, block_load(last + n));
}

/** Sixteen digits, the first in the lowest byte: pairs, fours, eights. */
static ALWAYS_INLINE uint64_t block_join(__m128i x)
{
	const __m128i ten = _mm_set1_epi16(10 | 1 << 8);
	const __m128i hundred = _mm_set1_epi32(100 | 1 << 16);
	const __m128i ten_thousand = _mm_set1_epi32(10000 | 1 << 16);
	uint64_t halves;

	x = _mm_maddubs_epi16(x, ten);
	x = _mm_madd_epi16(x, hundred);
	x = _mm_packus_epi32(x, x);
	x = _mm_madd_epi16(x, ten_thousand);
	halves = (uint64_t)_mm_cvtsi128_si64(x);
	return (halves & UINT32_MAX) * 100000000 + (halves >> 32);
}

/** Whether no number has a point or more than WHOLE_SHORT digits. */
static ALWAYS_INLINE bool whole_block_is_short(const struct number_block *b)
{
	const uint64_t two = b->digit & b->digit << 1;
	const uint64_t four = two & two << 2;

	return !(b->point | (four & b->digit << WHOLE_SHORT));
}

/** All numbers of a short block at once: whole[i] is the one whose last digit
 * is byte i. A byte adds its digit if all between it and i are digits too. */
static ALWAYS_INLINE void whole_block_join(const char *at, uint16_t *whole)
{
	const uint8_t *bytes = (const uint8_t *)at;

	for (size_t i = 0; i < BLOCK; i++) {
		const uint8_t one = bytes[i] - '0';
		uint8_t ten = *(bytes + i - 1) - '0';
		uint8_t hundred = *(bytes + i - 2) - '0';
		uint8_t thousand = *(bytes + i - 3) - '0';
		uint8_t is = ten <= 9 ? 0xff : 0;

		ten &= is;
		is &= hundred <= 9 ? 0xff : 0;
		hundred &= is;
		is &= thousand <= 9 ? 0xff : 0;
		thousand &= is;
		ten = (uint8_t)(ten * 10 + one);
		hundred = (uint8_t)(thousand * 10 + hundred);
		whole[i] = (uint16_t)(hundred * 100 + ten);
	}
}

#endif
