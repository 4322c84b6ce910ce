/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Number block: 64 bytes of a JSON array of numbers as words of bits, one bit a
 * byte. JSON's grammar is checked on these words, and they give each element's
 * start and end; no branch depends on how long elements are.
 *
 * A block begins where an element may: behind a comma or a bracket. In nested
 * arrays it may go over "],[", which leaves the depth as it is; where more
 * brackets meet, the caller's walk goes on.
 *
 * For x86-64-v3 and up. Threads: pure functions.
 */
#ifndef SERVER_NUMBER_BLOCK_PRIV_H
#define SERVER_NUMBER_BLOCK_PRIV_H

#include <immintrin.h>
#include <stdbool.h>

#include "server/digits.h"

enum { BLOCK = 64, BLOCK_ELEMENTS = BLOCK / 2 };

struct number_block {
	uint64_t comma, point, minus, space, zero, digit;
	uint64_t
	    start;     /* of elements: the first digit, behind space and sign */
	uint64_t end;  /* the byte behind each: a comma, or a bracket */
	uint64_t open; /* brackets that this block goes over */
};

#ifdef __AVX512BW__
static ALWAYS_INLINE uint64_t block_equal(const char *at, char c)
{
	__m512i v;

	memcpy(&v, at, sizeof(v));
	return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c));
}

static ALWAYS_INLINE uint64_t block_digits(const char *at)
{
	__m512i v;

	memcpy(&v, at, sizeof(v));
	v = _mm512_sub_epi8(v, _mm512_set1_epi8('0'));
	return _mm512_cmple_epu8_mask(v, _mm512_set1_epi8(9));
}
#else
static ALWAYS_INLINE uint64_t block_bits(__m256i low, __m256i high)
{
	return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static ALWAYS_INLINE uint64_t block_equal(const char *at, char c)
{
	const __m256i wanted = _mm256_set1_epi8(c);
	__m256i v[2];

	memcpy(v, at, sizeof(v));
	return block_bits(_mm256_cmpeq_epi8(v[0], wanted),
			  _mm256_cmpeq_epi8(v[1], wanted));
}

static ALWAYS_INLINE __m256i digits_in(__m256i v)
{
	const __m256i value = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));

	return _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)),
				 value);
}

static ALWAYS_INLINE uint64_t block_digits(const char *at)
{
	__m256i v[2];

	memcpy(v, at, sizeof(v));
	return block_bits(digits_in(v[0]), digits_in(v[1]));
}
#endif

/* Ends and starts around "],[" and "], ["; returns the bytes of these that are
 * neither. A second bracket stands where a digit must, and is seen there. */
static ALWAYS_INLINE uint64_t block_joints(struct number_block *b,
					   const char *at, uint64_t *ret_joints)
{
	const uint64_t open = block_equal(at, '[');
	const uint64_t close = block_equal(at, ']') << 1;
	const uint64_t spaced = b->space >> 1 & open >> 2;
	const uint64_t joint = b->comma & close & (open >> 1 | spaced);

	*ret_joints = joint;
	b->open = open & (joint << 1 | joint << 2);
	b->end ^= joint | joint >> 1;
	return joint >> 1 | b->open | (joint << 1 & b->space);
}

/** The bits, with the ends before which all is as JSON wants it, but for a
 * second point. */
static ALWAYS_INLINE struct number_block block_look(const char *at,
						    bool is_nested)
{
	struct number_block b = {
		.comma = block_equal(at, ','),
		.point = block_equal(at, '.'),
		.minus = block_equal(at, '-'),
		.space = block_equal(at, ' '),
		.zero = block_equal(at, '0'),
		.digit = block_digits(at),
	};
	uint64_t wrong = ~(b.comma | b.point | b.minus | b.space | b.digit);
	uint64_t space = b.space, minus, joint = 0, start;

	b.end = b.comma;
	if (wrong && is_nested) {
		const uint64_t between = block_joints(&b, at, &joint);

		wrong &= ~between;
		space &= ~between;
	}
	start = (b.comma ^ joint) << 1 | b.open << 1 | 1;
	wrong |= space & ~start;
	start = (start & ~space) | (start & space) << 1;
	minus = start & b.minus;
	wrong |= b.minus ^ minus;
	start = (start ^ minus) | minus << 1;
	wrong |= start & ~b.digit;
	wrong |= b.point << 1 & ~b.digit;
	wrong |= (start & b.zero) << 1 & b.digit;
	/* a branch, so that the loop over ends need not wait for all this */
	if (__builtin_expect(((wrong & -wrong) - 1) < b.end, 0))
		b.end &= (wrong & -wrong) - 1;
	b.start = start;
	return b;
}

/** Where the next block begins when the last element taken ended at bit i; 0:
 * none was taken. */
static ALWAYS_INLINE const char *
block_after(const char *block, const struct number_block *b, unsigned i)
{
	if (!i)
		return block;
	if (!(b->comma >> i & 1))
		i += (unsigned)__builtin_ctzll(b->open >> i);
	return block + i + 1;
}

#endif
