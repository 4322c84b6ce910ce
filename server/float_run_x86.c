/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The float run with vectors, compiled for each level of x86-64 (FLOAT_RUN is
 * its name there).
 *
 * 64 bytes at a time: a bit for each byte that is a comma, a point, a digit
 * and so on; JSON's grammar is checked on these words, and they give each
 * element's start, point and end. Then an element is the 16 bytes up to its
 * end, with what stands before it masked and the point shuffled out: its
 * digits, which four multiplications join. No branch depends on where a point
 * is, or on how many digits there are.
 */
#include "server/float_run_priv.h"

#include <immintrin.h>

enum { WIDTH = 16, NO_POINT = 16, LONGEST = 19 };

float_run_fn FLOAT_RUN;

/* The last n of 16 bytes: those from mask_bytes + n on. */
static const uint8_t mask_bytes[2 * WIDTH] = {
	[16] = 255, 255, 255, 255, 255, 255, 255, 255,
	255,	    255, 255, 255, 255, 255, 255, 255,
};

/* Bytes from others, without the one at p: those from
 * without_bytes[p] on. */
#define Z 0x80
static const uint8_t without_bytes[NO_POINT + 1][WIDTH] = {
	{ Z, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
};
#undef Z

static ALWAYS_INLINE __m128i load(const void *at)
{
	__m128i v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* A bit for each of 64 bytes. */
struct block {
	uint64_t comma, point, minus, space, zero, digit;
};

#ifdef __AVX512BW__
static ALWAYS_INLINE struct block look(const char *at)
{
	__m512i v, value;

	memcpy(&v, at, sizeof(v));
	value = _mm512_sub_epi8(v, _mm512_set1_epi8('0'));
	return (struct block){
		.comma = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(',')),
		.point = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('.')),
		.minus = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('-')),
		.space = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(' ')),
		.zero = _mm512_testn_epi8_mask(value, value),
		.digit = _mm512_cmple_epu8_mask(value, _mm512_set1_epi8(9)),
	};
}
#else
static ALWAYS_INLINE uint64_t bits(__m256i low, __m256i high)
{
	return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static ALWAYS_INLINE uint64_t equal(const __m256i v[2], char c)
{
	const __m256i wanted = _mm256_set1_epi8(c);

	return bits(_mm256_cmpeq_epi8(v[0], wanted),
		    _mm256_cmpeq_epi8(v[1], wanted));
}

static ALWAYS_INLINE __m256i digits_in(__m256i v)
{
	const __m256i value = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));

	return _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)),
				 value);
}

static ALWAYS_INLINE struct block look(const char *at)
{
	__m256i v[2];

	memcpy(v, at, sizeof(v));
	return (struct block){
		.comma = equal(v, ','),
		.point = equal(v, '.'),
		.minus = equal(v, '-'),
		.space = equal(v, ' '),
		.zero = equal(v, '0'),
		.digit = bits(digits_in(v[0]), digits_in(v[1])),
	};
}
#endif

/* Finds where elements start, behind space and sign, and keeps the commas
 * before which all is as JSON wants it, but for a second point. */
static ALWAYS_INLINE uint64_t check(struct block *b)
{
	uint64_t start = b->comma << 1 | 1, wrong, space, minus;

	wrong = ~(b->comma | b->point | b->minus | b->space | b->digit);
	space = start & b->space;
	wrong |= b->space ^ space;
	start = (start ^ space) | space << 1;
	minus = start & b->minus;
	wrong |= b->minus ^ minus;
	start = (start ^ minus) | minus << 1;
	wrong |= start & ~b->digit;
	wrong |= b->point << 1 & ~b->digit;
	wrong |= (start & b->zero) << 1 & b->digit;
	/* a branch, so that the loop over commas need not wait for all this */
	if (__builtin_expect(((wrong & -wrong) - 1) < b->comma, 0))
		b->comma &= (wrong & -wrong) - 1;
	return start;
}

/* Sixteen digits, the first in the lowest byte: pairs, fours, eights. */
static ALWAYS_INLINE uint64_t join(__m128i x)
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

/* The digits of an element of at most 16 bytes, n of them behind the point;
 * n -1: no point. */
static ALWAYS_INLINE uint64_t join_short(const char *end, size_t len, int n)
{
	__m128i x = _mm_sub_epi8(load(end - WIDTH), _mm_set1_epi8('0'));

	x = _mm_and_si128(x, load(mask_bytes + len));
	return join(_mm_shuffle_epi8(x, load(without_bytes[15 - n])));
}

/* One digit, the point, and 15 to 17 digits: by length what of the 16 bytes is
 * digits, and what the first digit, and the third byte, are worth. */
static ALWAYS_INLINE uint64_t join_long(const char *end, size_t len)
{
	static const uint64_t worth[][2] = {
		{ 1000000000000000, 0 },
		{ 10000000000000000, 0 },
		{ 100000000000000000, 10000000000000000 },
	};
	const uint64_t *by = worth[len - WIDTH - 1];
	const char *first = end - len;
	const size_t n = len == WIDTH + 1 ? WIDTH - 1 : WIDTH;
	__m128i x = _mm_sub_epi8(load(end - WIDTH), _mm_set1_epi8('0'));

	x = _mm_and_si128(x, load(mask_bytes + n));
	return join(x) + (uint64_t)(first[0] - '0') * by[0] +
	       (uint64_t)(first[2] - '0') * by[1];
}

/* The elements of a block; returns where it stopped. */
static ALWAYS_INLINE const char *take_block(const char *block, struct block b,
					    uint64_t start, uint32_t *out,
					    size_t *n)
{
	const uint64_t signs = b.minus << 1;
	unsigned point = (unsigned)_tzcnt_u64(b.point); /* 64: none */
	const char *at = block;

	for (; b.comma; b.comma &= b.comma - 1, start &= start - 1) {
		const unsigned first = (unsigned)__builtin_ctzll(start);
		const unsigned stop = (unsigned)__builtin_ctzll(b.comma);
		const bool has_point = point < stop;
		const unsigned len = stop - first;
		const int n_behind = has_point ? (int)(stop - point) - 1 : -1;
		const char *end = block + stop;
		uint64_t w;

		if (len <= WIDTH)
			w = join_short(end, len, n_behind);
		else if (len <= LONGEST && point - first == 1)
			w = join_long(end, len);
		else
			break;
		b.point = has_point ? b.point & (b.point - 1) : b.point;
		point = (unsigned)_tzcnt_u64(b.point);
		/* a second point is not JSON's */
		if (!run_scale(w, (unsigned)(n_behind + !has_point),
			       signs >> first & 1, &out[*n]) |
		    (point < stop))
			break;
		++*n;
		at = end + 1;
	}
	return at;
}

const char *FLOAT_RUN(const char *at, const char *end,
		      const struct float_run *run)
{
	size_t n = *run->n;

	if (at - run->begin < RUN_BEFORE)
		return at;
	while (end - at >= RUN_SLACK && run->count - n >= 64) {
		struct block b = look(at);
		const uint64_t start = check(&b);
		const char *next = take_block(at, b, start, run->out, &n);

		if (next == at)
			break;
		at = next;
	}
	*run->n = n;
	return at;
}
