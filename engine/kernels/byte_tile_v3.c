/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of byte products by AVX2: groups of two bytes, widened to 16 bits,
 * whose products VPMADDWD adds up exactly. */
#include <immintrin.h>
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

#define INLINE static inline __attribute__((always_inline))

/* DEPTH: of what is widened at once */
enum { DEPTH = 256, VECTORS = 2 };

struct wide {
	int16_t a[BYTE_ROWS_MAX][DEPTH];
	int64_t n; /* even */
};

static void widen_row(const uint8_t *restrict a, int64_t n, bool is_signed,
		      int16_t *restrict to)
{
	if (is_signed)
		for (int64_t l = 0; l < n; l++)
			to[l] = (int16_t)(a[l] - 2 * (a[l] & 128));
	else
		for (int64_t l = 0; l < n; l++)
			to[l] = a[l];
	if (n & 1)
		to[n] = 0;
}

INLINE __m256i widen(const uint8_t *b, const bool is_signed)
{
	const __m128i bytes = _mm_loadu_si128((const void *)b);

	return is_signed ? _mm256_cvtepi8_epi16(bytes)
			 : _mm256_cvtepu8_epi16(bytes);
}

INLINE __m256i pair_at(const int16_t *a)
{
	int32_t pair;

	memcpy(&pair, a, sizeof(pair));
	return _mm256_set1_epi32(pair);
}

/* BYTE_STRIP columns of `rows` rows; step: bytes from group to group. */
INLINE void strip(const struct wide *wide, const uint8_t *b, int64_t step,
		  const ptrdiff_t rows, const bool b_is_signed, int32_t *sum)
{
	__m256i acc[BYTE_ROWS_MAX][VECTORS];

#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (ptrdiff_t v = 0; v < VECTORS; v++)
			acc[i][v] = _mm256_loadu_si256(
			    (const void *)(sum + i * BYTE_PANEL + 8 * v));
	for (int64_t l = 0; l < wide->n; l += 2) {
		const __m256i b0 = widen(b, b_is_signed);
		const __m256i b1 = widen(b + 16, b_is_signed);

#pragma GCC unroll 6
		for (ptrdiff_t i = 0; i < rows; i++) {
			const __m256i a = pair_at(&wide->a[i][l]);

			acc[i][0] = _mm256_add_epi32(acc[i][0],
						     _mm256_madd_epi16(a, b0));
			acc[i][1] = _mm256_add_epi32(acc[i][1],
						     _mm256_madd_epi16(a, b1));
		}
		b += step;
	}
#pragma GCC unroll 6
	for (ptrdiff_t i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (ptrdiff_t v = 0; v < VECTORS; v++)
			_mm256_storeu_si256(
			    (void *)(sum + i * BYTE_PANEL + 8 * v), acc[i][v]);
}

INLINE void strip_by_rows(const struct wide *wide, const struct byte_work *w,
			  const uint8_t *b, const bool b_is_signed,
			  int32_t *sum)
{
	const int64_t step = 2 * w->width;

	switch (w->n_rows) {
	case 1:
		strip(wide, b, step, 1, b_is_signed, sum);
		return;
	case 2:
		strip(wide, b, step, 2, b_is_signed, sum);
		return;
	case 3:
		strip(wide, b, step, 3, b_is_signed, sum);
		return;
	case 4:
		strip(wide, b, step, 4, b_is_signed, sum);
		return;
	case 5:
		strip(wide, b, step, 5, b_is_signed, sum);
		return;
	default:
		strip(wide, b, step, 6, b_is_signed, sum);
	}
}

static void block(const struct byte_work *w, const uint8_t *a, int64_t n,
		  const uint8_t *b)
{
	struct wide wide = { .n = (n + 1) / 2 * 2 };

	for (int64_t i = 0; i < w->n_rows; i++)
		widen_row(a + i * w->row_step, n, w->a_is_signed, wide.a[i]);
	for (int64_t j = 0; j < w->width; j += BYTE_STRIP)
		if (w->a_is_signed)
			strip_by_rows(&wide, w, b + 2 * j, false, w->sum + j);
		else
			strip_by_rows(&wide, w, b + 2 * j, true, w->sum + j);
}

void byte_tile_v3(const struct byte_work *w)
{
	const uint8_t *b = w->b;

	for (int64_t i = 0; i < w->n_rows; i++)
		memset(w->sum + i * BYTE_PANEL, 0,
		       (size_t)w->width * sizeof(*w->sum));
	for (int64_t p = 0; p < w->n_parts; p++) {
		for (int64_t l = 0; l < w->k; l += DEPTH) {
			const int64_t n = w->k - l < DEPTH ? w->k - l : DEPTH;

			block(w, w->a + w->part[p] + l, n, b);
			b += (n + 1) / 2 * 2 * w->width;
		}
	}
}

/* Two rows, BYTE_STRIP columns. */
INLINE void weave_strip(const uint8_t *a, const uint8_t *b, const __m128i flip,
			uint8_t *to)
{
	const __m128i x = _mm_loadu_si128((const void *)a);
	const __m128i y = _mm_loadu_si128((const void *)b);

	_mm_storeu_si128((void *)to,
			 _mm_xor_si128(_mm_unpacklo_epi8(x, y), flip));
	_mm_storeu_si128((void *)(to + BYTE_STRIP),
			 _mm_xor_si128(_mm_unpackhi_epi8(x, y), flip));
}

void byte_weave_v3(const uint8_t *const row[4], int64_t width, uint32_t flip,
		   uint8_t *to)
{
	for (unsigned i = 0; i < 4; i += 2, flip >>= 16) {
		const __m128i flips = _mm_set1_epi16((int16_t)flip);

		for (int64_t j = 0; j < width; j += BYTE_STRIP)
			weave_strip(row[i] + j, row[i + 1] + j, flips,
				    to + i * width + 2 * j);
	}
}

int32_t byte_dot_v3(const uint8_t *a, const uint8_t *b, int64_t k,
		    bool a_is_signed)
{
	return byte_dot_of(a, b, k, a_is_signed);
}
