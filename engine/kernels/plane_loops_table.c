/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once a level; PLANE_LOOPS_TABLE names the result. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "engine/kernels/plane_loops_priv.h"

enum { LANES = 32, BLOCK = 4096, CHUNK = 8 };

#define INLINE static inline __attribute__((always_inline))

/* Floats in lanes over a block, blocks in double. */
static void sums(int64_t n, const float *a, const float *b,
		 const float shift[2], double sum[2])
{
	const float shift_a = shift[0], shift_b = shift[1];

	for (int64_t at = 0; at < n; at += BLOCK) {
		const int64_t m = n - at < BLOCK ? n - at : BLOCK;
		float first[LANES] = { 0 }, second[LANES] = { 0 };
		int64_t i = 0;

		for (; i + LANES <= m; i += LANES) {
			for (int j = 0; j < LANES; j++) {
				const float d = a[at + i + j] - shift_a;
				const float e = b[at + i + j] - shift_b;

				first[j] += d;
				second[j] += d * e;
			}
		}
		for (int j = 0; i + j < m; j++) {
			const float d = a[at + i + j] - shift_a;

			first[j] += d;
			second[j] += d * (b[at + i + j] - shift_b);
		}
		for (int j = 0; j < LANES; j++) {
			sum[0] += (double)first[j];
			sum[1] += (double)second[j];
		}
	}
}

static void blend(int64_t n, const float *u, const float *v, float *y,
		  const struct plane_blend *by)
{
	const float at_u = by->at_u, at_v = by->at_v, mean = by->mean,
		    add = by->add;

	if (!u) {
#pragma GCC ivdep
		for (int64_t i = 0; i < n; i++)
			y[i] = at_v * (v[i] - mean) + add;
		return;
	}
#pragma GCC ivdep
	for (int64_t i = 0; i < n; i++)
		y[i] = at_u * u[i] + (at_v * (v[i] - mean) + add);
}

/* CHUNK windows of 2 x 2 side by side over the rows `top` and `low`; place is
 * that of top[0]. Of equals the first element counts, of what is no number the
 * last. */
INLINE void chunk_of_4(const float *restrict top, const float *restrict low,
		       float *restrict y)
{
	for (int j = 0; j < CHUNK; j++) {
		const float a = top[2 * j], b = top[2 * j + 1];
		const float c = low[2 * j], d = low[2 * j + 1];
		float t = b > a ? b : a, l = d > c ? d : c, best;

		t = b != b ? b : t;
		l = d != d ? d : l;
		best = l > t ? l : t;
		y[j] = l != l ? l : best;
	}
}

INLINE void chunk_of_4_at(const float *restrict top, const float *restrict low,
			  int32_t width, float *restrict y,
			  int64_t *restrict at, int64_t place)
{
	int32_t found[CHUNK];

	for (int j = 0; j < CHUNK; j++) {
		const float a = top[2 * j], b = top[2 * j + 1];
		const float c = low[2 * j], d = low[2 * j + 1];
		float t = b > a ? b : a, l = d > c ? d : c, best;
		int32_t t_at = b > a ? 1 : 0, l_at, best_at;

		l_at = d > c ? width + 1 : width;
		t = b != b ? b : t;
		t_at = b != b ? 1 : t_at;
		l = d != d ? d : l;
		l_at = d != d ? width + 1 : l_at;
		best = l > t ? l : t;
		best_at = l > t ? l_at : t_at;
		y[j] = l != l ? l : best;
		found[j] = l != l ? l_at : best_at;
	}
	for (int j = 0; j < CHUNK; j++)
		at[j] = place + 2 * j + found[j];
}

/* A row of fewer than CHUNK windows goes through buffers. */
static void short_row(int64_t n, const float *top, const float *low,
		      int32_t width, float *y, int64_t *at, int64_t place)
{
	float above[2 * CHUNK] = { 0 }, below[2 * CHUNK] = { 0 }, best[CHUNK];
	int64_t found[CHUNK];

	memcpy(above, top, 2 * (size_t)n * sizeof(float));
	memcpy(below, low, 2 * (size_t)n * sizeof(float));
	chunk_of_4_at(above, below, width, best, found, place);
	memcpy(y, best, (size_t)n * sizeof(float));
	if (at)
		memcpy(at, found, (size_t)n * sizeof(found[0]));
}

/* The last chunk goes back over some windows of the one before. */
static void long_row(int64_t n, const float *top, const float *low,
		     int32_t width, float *y, int64_t *at, int64_t place)
{
	for (int64_t i = 0; i < n; i += CHUNK) {
		const int64_t j = i + CHUNK > n ? n - CHUNK : i;

		if (at)
			chunk_of_4_at(top + 2 * j, low + 2 * j, width, y + j,
				      at + j, place + 2 * j);
		else
			chunk_of_4(top + 2 * j, low + 2 * j, y + j);
	}
}

static void largest_of_4(const int64_t extent[2], const float *x, float *y,
			 int64_t *at, int64_t base)
{
	const int64_t n = extent[1] / 2;

	for (int64_t h = 0; h < extent[0] / 2; h++) {
		const float *top = x + 2 * h * extent[1];
		const float *low = top + extent[1];

		(n < CHUNK ? short_row : long_row)(
		    n, top, low, (int32_t)extent[1], y + h * n,
		    at ? at + h * n : NULL, base + 2 * h * extent[1]);
	}
}

extern const struct plane_loops PLANE_LOOPS_TABLE;
const struct plane_loops PLANE_LOOPS_TABLE = {
	.sums = sums,
	.blend = blend,
	.largest_of_4 = largest_of_4,
};
