/* SPDX-License-Identifier: Apache-2.0 */
#include "server/float_lanes_priv.h"

#include "server/float_run_priv.h"

/* FEWEST: in a block; fewer are too long for lanes, or gain nothing. */
enum { LANES = 8, LANE_SHORT = 8, LANE_LONG = 16, FEWEST = 4 };

/* The elements of a block, byte i of each is element i. */
struct float_lanes {
	__m512i digits; /* the block, less '0' */
	__m256i first;	/* place of the first digit, or behind a leading zero */
	__m256i point;	/* place of the point, or of what ends the element */
	__m256i stop;	/* behind the last digit and the point */
	__mmask32 minus;
	unsigned n;
	bool is_short, is_long; /* LANE_SHORT digits at most; LANE_LONG */
};

static ALWAYS_INLINE __m256i places(uint64_t bits)
{
	const __m512i place = _mm512_set_epi64(
	    0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928,
	    0x2726252423222120, 0x1f1e1d1c1b1a1918, 0x1716151413121110,
	    0x0f0e0d0c0b0a0908, 0x0706050403020100);

	return _mm512_castsi512_si256(
	    _mm512_maskz_compress_epi8((__mmask64)bits, place));
}

/* b->end is not 0. False: an element has two points. */
static ALWAYS_INLINE bool look(const char *block, const struct number_block *b,
			       struct float_lanes *ret)
{
	const uint64_t points = b->point & UINT64_MAX >> _lzcnt_u64(b->end);
	const uint64_t marks = points | b->end;
	/* of the marks in their order: which are points */
	const uint64_t order = _pext_u64(points, marks);
	const uint64_t bare = _pdep_u64(~(order | order << 1), marks);
	const __m256i one = _mm256_set1_epi8(1);
	const __mmask32 zeros = (__mmask32)_pext_u64(b->zero, b->start);
	__m256i first = places(b->start), length;
	__mmask32 used;

	ret->n = (unsigned)_mm_popcnt_u64(b->end);
	used = _bzhi_u32(UINT32_MAX, ret->n);
	first = _mm256_mask_add_epi8(first, zeros, first, one);
	ret->first = first;
	ret->point = places(points | bare);
	ret->stop =
	    _mm256_max_epu8(places(b->end), _mm256_add_epi8(ret->point, one));
	length = _mm256_sub_epi8(ret->stop, first); /* with the point */
	ret->is_short = !_mm256_mask_cmpgt_epu8_mask(
	    used, length, _mm256_set1_epi8(LANE_SHORT + 1));
	ret->is_long = !_mm256_mask_cmpgt_epu8_mask(
	    used, length, _mm256_set1_epi8(LANE_LONG + 1));
	ret->minus = (__mmask32)_pext_u64(b->minus << 1, b->start);
	memcpy(&ret->digits, block, sizeof(ret->digits));
	ret->digits = _mm512_sub_epi8(ret->digits, _mm512_set1_epi8('0'));
	return !(order & order << 1);
}

/* Digits in lanes of `width` bytes, the last in the highest byte and zeros
 * below the first; byte i is of element of[i]. */
static ALWAYS_INLINE __m512i digits_of(const struct float_lanes *l, __m512i of,
				       int width)
{
	const __m512i first =
	    _mm512_permutexvar_epi8(of, _mm512_castsi256_si512(l->first));
	const __m512i point =
	    _mm512_permutexvar_epi8(of, _mm512_castsi256_si512(l->point));
	const __m512i stop =
	    _mm512_permutexvar_epi8(of, _mm512_castsi256_si512(l->stop));
	const __m512i back =
	    width == LANE_SHORT
		? _mm512_set1_epi64((int64_t)0xfffefdfcfbfaf9f8)
		: _mm512_set4_epi32((int)0xfffefdfc, (int)0xfbfaf9f8,
				    (int)0xf7f6f5f4, (int)0xf3f2f1f0);
	__m512i from = _mm512_add_epi8(stop, back);

	/* over the point */
	from = _mm512_mask_add_epi8(from, _mm512_cmple_epi8_mask(from, point),
				    from, _mm512_set1_epi8(-1));
	return _mm512_maskz_permutexvar_epi8(
	    _mm512_cmpge_epi8_mask(from, first), from, l->digits);
}

/* Byte i: element begin + i / 8; or, of pairs of elements, that of 16 bytes. */
static ALWAYS_INLINE __m512i lanes_of(unsigned begin, unsigned step)
{
	const __m512i lane = _mm512_set_epi64(
	    0x0707070707070707, 0x0606060606060606, 0x0505050505050505,
	    0x0404040404040404, 0x0303030303030303, 0x0202020202020202,
	    0x0101010101010101, 0);

	return _mm512_add_epi8(
	    step == 1 ? lane
		      : _mm512_and_si512(lane, _mm512_set1_epi8((char)0xfe)),
	    _mm512_set1_epi8((char)begin));
}

/* How many digits stand behind the points of 8 elements. */
static ALWAYS_INLINE __m512i n_behind(const struct float_lanes *l,
				      unsigned begin)
{
	const __m512i behind = _mm512_castsi256_si512(_mm256_sub_epi8(
	    l->stop, _mm256_add_epi8(l->point, _mm256_set1_epi8(1))));

	return _mm512_maskz_permutexvar_epi8(0x0101010101010101,
					     lanes_of(begin, 1), behind);
}

static ALWAYS_INLINE void store(const struct float_lanes *l, unsigned begin,
				__m512d value, uint32_t *out)
{
	const __m256i bits = _mm256_castps_si256(_mm512_cvtpd_ps(value));
	const unsigned left = l->n - begin;

	_mm256_mask_storeu_epi32(
	    out + begin, (__mmask8)_bzhi_u32(0xff, left),
	    _mm256_mask_or_epi32(bits, (__mmask8)(l->minus >> begin), bits,
				 _mm256_set1_epi32(INT32_MIN)));
}

/* Elements of LANE_SHORT digits at most. Digits and power of ten are exact, so
 * that the division rounds once; the float is right too, for a quotient of
 * 10^8 is the middle of two floats or further from it than 2^-50.6 of itself.
 */
static ALWAYS_INLINE void take_short(const struct float_lanes *l, uint32_t *out)
{
	const __m512d low =
	    _mm512_setr_pd(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7);
	const __m512i ten = _mm512_set1_epi16(10 | 1 << 8);
	const __m512i hundred = _mm512_set1_epi32(100 | 1 << 16);
	const __m512i halves = _mm512_set1_epi64(10000 | (int64_t)1 << 32);

	for (unsigned i = 0; i < l->n; i += LANES) {
		const __m512i behind = n_behind(l, i);
		__m512i x = digits_of(l, lanes_of(i, 1), LANE_SHORT);

		x = _mm512_maddubs_epi16(x, ten);
		x = _mm512_madd_epi16(x, hundred);
		x = _mm512_madd_epi16(x, halves);
		x = _mm512_add_epi64(x, _mm512_srli_epi64(x, 32));
		store(
		    l, i,
		    _mm512_div_pd(_mm512_cvtepi32_pd(_mm512_cvtepi64_epi32(x)),
				  _mm512_permutex2var_pd(low, behind,
							 _mm512_set1_pd(1e8))),
		    out);
	}
}

/* 10^-n, n up to 16 */
static ALWAYS_INLINE __m512d power(__m512i n)
{
	const __m512d power = _mm512_permutex2var_pd(
	    _mm512_loadu_pd(run_powers), n, _mm512_loadu_pd(run_powers + 8));

	return _mm512_mask_mov_pd(
	    power, _mm512_test_epi64_mask(n, _mm512_set1_epi64(LANE_LONG)),
	    _mm512_set1_pd(1e-16));
}

/* Elements of LANE_LONG digits at most. False where a double does not decide
 * a float (see run_scale()). */
static ALWAYS_INLINE bool take_long(const struct float_lanes *l, uint32_t *out)
{
	const __m512i ten = _mm512_set1_epi16(10 | 1 << 8);
	const __m512i hundred = _mm512_set1_epi32(100 | 1 << 16);
	const __m512i ten_thousand = _mm512_set1_epi32(10000 | 1 << 16);

	for (unsigned i = 0; i < l->n; i += LANES) {
		__m512i even = digits_of(l, lanes_of(i, 2), LANE_LONG);
		__m512i odd = digits_of(l, lanes_of(i + 1, 2), LANE_LONG);
		__m512i x, middle;
		__m512d value;

		even =
		    _mm512_madd_epi16(_mm512_maddubs_epi16(even, ten), hundred);
		odd =
		    _mm512_madd_epi16(_mm512_maddubs_epi16(odd, ten), hundred);
		x = _mm512_madd_epi16(_mm512_packus_epi32(even, odd),
				      ten_thousand);
		x = _mm512_add_epi64(
		    _mm512_mul_epu32(x, _mm512_set1_epi64(100000000)),
		    _mm512_srli_epi64(x, 32));
		value =
		    _mm512_mul_pd(_mm512_cvtepi64_pd(x), power(n_behind(l, i)));
		middle = _mm512_and_si512(
		    _mm512_sub_epi64(_mm512_castpd_si512(value),
				     _mm512_set1_epi64(0x0ffffffc)),
		    _mm512_set1_epi64(0x1fffffff));
		if (_mm512_mask_cmple_epu64_mask(
			(__mmask8)_bzhi_u32(0xff, l->n - i), middle,
			_mm512_set1_epi64(8)))
			return false;
		store(l, i, value, out);
	}
	return true;
}

const char *float_lanes_take(const char *block, const struct number_block *b,
			     uint32_t *out, size_t *n)
{
	struct float_lanes lanes;

	if (_mm_popcnt_u64(b->end) < FEWEST)
		return NULL;
	if (!look(block, b, &lanes) || !lanes.is_long)
		return NULL;
	if (lanes.is_short)
		take_short(&lanes, out + *n);
	else if (!take_long(&lanes, out + *n))
		return NULL;
	*n += lanes.n;
	return block_after(block, b, 63 - (unsigned)_lzcnt_u64(b->end));
}
