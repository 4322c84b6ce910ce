/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of byte products by AVX-512 with VNNI: VPDPBUSD adds four products to
 * each int32, and wraps. Sums of a tile stay in registers. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTORS = BYTE_PANEL / BYTE_STRIP, GROUP = 4, LINE = 64 };

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

INLINE void tile(const struct byte_work *w, const struct extent e)
{
	const int64_t whole = w->k / GROUP * GROUP;
	__m512i acc[BYTE_ROWS_MAX][VECTORS];
	const uint8_t *b = w->b;

#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < e.rows; i++)
#pragma GCC unroll 4
		for (ptrdiff_t v = 0; v < e.vectors; v++)
			acc[i][v] = _mm512_setzero_si512();
	for (int64_t p = 0; p < w->n_parts; p++) {
		const uint8_t *a = w->a + w->part[p];

		for (int64_t l = 0; l < whole; l += GROUP) {
			step(acc, a + l, GROUP, w, b, e);
			b += e.vectors * LINE;
		}
		if (whole == w->k)
			continue;
		step(acc, a + whole, w->k - whole, w, b, e);
		b += e.vectors * LINE;
	}
#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < e.rows; i++)
#pragma GCC unroll 4
		for (ptrdiff_t v = 0; v < e.vectors; v++)
			_mm512_storeu_si512(w->sum + i * BYTE_PANEL +
						v * BYTE_STRIP,
					    acc[i][v]);
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
