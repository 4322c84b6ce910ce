/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Byte mask: where a byte stands in a block of 64.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_BYTE_MASK_H
#define SERVER_BYTE_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

/** Bit i is set where at[i] is c, for the 64 bytes at `at`. */
static inline uint64_t byte_mask(const char *at, char c)
{
	const __m128i wanted = _mm_set1_epi8(c);
	uint64_t mask = 0;

	for (size_t i = 0; i < 4; i++) {
		__m128i block, equal;

		memcpy(&block, at + 16 * i, 16);
		equal = _mm_cmpeq_epi8(block, wanted);
		mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal)
			<< (16 * i);
	}
	return mask;
}
#else
/** Bit i is set where at[i] is c, for the 64 bytes at `at`. */
static inline uint64_t byte_mask(const char *at, char c)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	const uint64_t wanted = (unsigned char)c * 0x0101010101010101u;
	uint64_t mask = 0;

	for (size_t i = 0; i < 8; i++) {
		uint64_t word;

		memcpy(&word, at + 8 * i, 8);
		word ^= wanted;
		/* 1 in the top bit of every byte that became 0 */
		word = ~(((word & low) + low) | word | low);
		/* those bits side by side */
		mask |= ((word >> 7) * 0x0102040810204080u >> 56) << (8 * i);
	}
	return mask;
}
#endif

#endif
