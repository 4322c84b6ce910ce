/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of byte products by AVX-512 with VNNI: VPDPBUSD adds four products to
 * each int32, and wraps. Sums of a tile stay in registers. */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

#define INLINE static inline __attribute__((always_inline))

/* FEW_ROWS: too few sums to keep the multipliers busy; depth is then split in
 * two */
enum { VECTORS = BYTE_PANEL / BYTE_STRIP, FEW_ROWS = 2 };
#define GROUP ((int64_t)4)
#define LINE ((ptrdiff_t)64)

/* Known when this is compiled. */
struct extent {
	ptrdiff_t rows, vectors;
	bool a_is_signed;
};

/* n <= GROUP bytes and zeros behind */
INLINE __m512i four_at(const uint8_t *a, const int64_t n)
{
	int32_t four = 0;

	memcpy(&four, a, (size_t)n);
	return _mm512_set1_epi32(four);
}

/* One group of depth. a: of the first row. */
INLINE void step(__m512i acc[BYTE_ROWS_MAX][VECTORS], const uint8_t *a,
		 const int64_t n, const struct byte_work *w, const uint8_t *b,
		 const struct extent e)
{
	__m512i columns[VECTORS];

#pragma GCC unroll 4
	for (ptrdiff_t v = 0; v < e.vectors; v++)
		columns[v] = _mm512_loadu_si512(b + v * LINE);
#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < e.rows; i++) {
		const __m512i x = four_at(a + i * w->row_step, n);

#pragma GCC unroll 4
		for (ptrdiff_t v = 0; v < e.vectors; v++)
			acc[i][v] =
			    e.a_is_signed
				? _mm512_dpbusd_epi32(acc[i][v], columns[v], x)
				: _mm512_dpbusd_epi32(acc[i][v], x, columns[v]);
	}
}

INLINE void clear(__m512i acc[BYTE_ROWS_MAX][VECTORS], const struct extent e)
{
#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < e.rows; i++)
#pragma GCC unroll 4
		for (ptrdiff_t v = 0; v < e.vectors; v++)
			acc[i][v] = _mm512_setzero_si512();
}

INLINE void store(__m512i acc[BYTE_ROWS_MAX][VECTORS],
		  __m512i more[BYTE_ROWS_MAX][VECTORS], int32_t *sum,
		  const struct extent e)
{
#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < e.rows; i++)
#pragma GCC unroll 4
		for (ptrdiff_t v = 0; v < e.vectors; v++)
			_mm512_storeu_si512(
			    sum + i * BYTE_PANEL + v * BYTE_STRIP,
			    e.rows > FEW_ROWS
				? acc[i][v]
				: _mm512_add_epi32(acc[i][v], more[i][v]));
}

INLINE void tile(const struct byte_work *w, const struct extent e)
{
	const int64_t whole = w->k / GROUP * GROUP;
	const ptrdiff_t size = e.vectors * LINE;
	__m512i acc[BYTE_ROWS_MAX][VECTORS], more[BYTE_ROWS_MAX][VECTORS];
	const uint8_t *b = w->b;

	clear(acc, e);
	if (e.rows <= FEW_ROWS)
		clear(more, e);
	for (int64_t p = 0; p < w->n_parts; p++) {
		const uint8_t *a = w->a + w->part[p];
		int64_t l = 0;

		for (; e.rows <= FEW_ROWS && l + 2 * GROUP <= whole;
		     l += 2 * GROUP, b += 2 * size) {
			step(acc, a + l, GROUP, w, b, e);
			step(more, a + l + GROUP, GROUP, w, b + size, e);
		}
		for (; l < whole; l += GROUP, b += size)
			step(acc, a + l, GROUP, w, b, e);
		if (whole == w->k)
			continue;
		step(acc, a + whole, w->k - whole, w, b, e);
		b += size;
	}
	store(acc, more, w->sum, e);
}

INLINE void tile_by_rows(const struct byte_work *w, const ptrdiff_t vectors,
			 const bool a_is_signed)
{
	switch (w->n_rows) {
	case 1:
		tile(w, (struct extent){ 1, vectors, a_is_signed });
		return;
	case 2:
		tile(w, (struct extent){ 2, vectors, a_is_signed });
		return;
	case 3:
		tile(w, (struct extent){ 3, vectors, a_is_signed });
		return;
	case 4:
		tile(w, (struct extent){ 4, vectors, a_is_signed });
		return;
	case 5:
		tile(w, (struct extent){ 5, vectors, a_is_signed });
		return;
	default:
		tile(w, (struct extent){ 6, vectors, a_is_signed });
	}
}

INLINE void tile_by_width(const struct byte_work *w, const bool a_is_signed)
{
	switch (w->width / BYTE_STRIP) {
	case 1:
		tile_by_rows(w, 1, a_is_signed);
		return;
	case 2:
		tile_by_rows(w, 2, a_is_signed);
		return;
	case 3:
		tile_by_rows(w, 3, a_is_signed);
		return;
	default:
		tile_by_rows(w, 4, a_is_signed);
	}
}

void byte_tile_vnni(const struct byte_work *w)
{
	if (w->a_is_signed)
		tile_by_width(w, true);
	else
		tile_by_width(w, false);
}

/* Columns 16 i to 16 i + 15 of 64 that lie in four vectors' quarters. */
INLINE void store_strips(const __m512i four[4], int64_t width, uint8_t *to)
{
	const __m512i a = _mm512_shuffle_i32x4(four[0], four[1], 0x44);
	const __m512i b = _mm512_shuffle_i32x4(four[2], four[3], 0x44);
	const __m512i c = _mm512_shuffle_i32x4(four[0], four[1], 0xEE);
	const __m512i d = _mm512_shuffle_i32x4(four[2], four[3], 0xEE);

	_mm512_storeu_si512(to, _mm512_shuffle_i32x4(a, b, 0x88));
	if (width > BYTE_STRIP)
		_mm512_storeu_si512(to + LINE,
				    _mm512_shuffle_i32x4(a, b, 0xDD));
	if (width > (int64_t)2 * BYTE_STRIP)
		_mm512_storeu_si512(to + 2 * LINE,
				    _mm512_shuffle_i32x4(c, d, 0x88));
	if (width > (int64_t)3 * BYTE_STRIP)
		_mm512_storeu_si512(to + 3 * LINE,
				    _mm512_shuffle_i32x4(c, d, 0xDD));
}

void byte_weave_vnni(const uint8_t *const row[4], int64_t width, uint32_t flip,
		     uint8_t *to)
{
	const __mmask64 some = ~0ULL >> (BYTE_PANEL - width);
	const __m512i a = _mm512_maskz_loadu_epi8(some, row[0]);
	const __m512i b = _mm512_maskz_loadu_epi8(some, row[1]);
	const __m512i c = _mm512_maskz_loadu_epi8(some, row[2]);
	const __m512i d = _mm512_maskz_loadu_epi8(some, row[3]);
	const __m512i ab_low = _mm512_unpacklo_epi8(a, b);
	const __m512i ab_high = _mm512_unpackhi_epi8(a, b);
	const __m512i cd_low = _mm512_unpacklo_epi8(c, d);
	const __m512i cd_high = _mm512_unpackhi_epi8(c, d);
	const __m512i flips = _mm512_set1_epi32((int32_t)flip);
	const __m512i four[4] = {
		_mm512_xor_si512(_mm512_unpacklo_epi16(ab_low, cd_low), flips),
		_mm512_xor_si512(_mm512_unpackhi_epi16(ab_low, cd_low), flips),
		_mm512_xor_si512(_mm512_unpacklo_epi16(ab_high, cd_high),
				 flips),
		_mm512_xor_si512(_mm512_unpackhi_epi16(ab_high, cd_high),
				 flips),
	};

	store_strips(four, width, to);
}

/* n <= LINE bytes, and zeros behind. */
INLINE __m512i line_at(const uint8_t *x, int64_t n)
{
	return _mm512_maskz_loadu_epi8(~0ULL >> (LINE - n), x);
}

INLINE __m512i dot_line(__m512i acc, __m512i a, __m512i b,
			const bool a_is_signed)
{
	return a_is_signed ? _mm512_dpbusd_epi32(acc, b, a)
			   : _mm512_dpbusd_epi32(acc, a, b);
}

INLINE int32_t dot(const uint8_t *a, const uint8_t *b, int64_t k,
		   const bool a_is_signed)
{
	__m512i acc = _mm512_setzero_si512(), more = acc;
	int64_t l = 0;

	for (; l + 2 * LINE <= k; l += 2 * LINE) {
		acc = dot_line(acc, _mm512_loadu_si512(a + l),
			       _mm512_loadu_si512(b + l), a_is_signed);
		more = dot_line(more, _mm512_loadu_si512(a + l + LINE),
				_mm512_loadu_si512(b + l + LINE), a_is_signed);
	}
	for (; l < k; l += LINE) {
		const int64_t n = k - l < LINE ? k - l : LINE;

		acc = dot_line(acc, line_at(a + l, n), line_at(b + l, n),
			       a_is_signed);
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(acc, more));
}

int32_t byte_dot_vnni(const uint8_t *a, const uint8_t *b, int64_t k,
		      bool a_is_signed)
{
	return a_is_signed ? dot(a, b, k, true) : dot(a, b, k, false);
}
