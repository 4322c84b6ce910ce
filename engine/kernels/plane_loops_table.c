/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once a level; PLANE_LOOPS_TABLE names the result. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "engine/kernels/loops_priv.h"
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
		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = at_v * (v[i] - mean) + add;
		return;
	}
	LOOPS_INDEPENDENT
	for (int64_t i = 0; i < n; i++)
		y[i] = at_u * u[i] + (at_v * (v[i] - mean) + add);
}

/* The larger of b and a, which comes first and counts among equals; of what is
 * no number the last counts. */
INLINE float larger(float b, float a)
{
	const float best = b > a ? b : a;

	return b != b ? b : best;
}

/* The place of that one. */
INLINE int32_t place_of(float b, float a, int32_t at_b, int32_t at_a)
{
	const int32_t best = b > a ? at_b : at_a;

	return b != b ? at_b : best;
}

/* Windows of 2 x 2 side by side over the rows `top` and `low`, which lie width
 * apart; place is that of top[0]. */
struct windows {
	const float *top, *low;
	int32_t width;
	int64_t place;
};

INLINE void chunk_of_4(const float *restrict top, const float *restrict low,
		       float *restrict y)
{
	for (int64_t j = 0; j < CHUNK; j++)
		y[j] = larger(larger(low[2 * j + 1], low[2 * j]),
			      larger(top[2 * j + 1], top[2 * j]));
}

INLINE void chunk_of_4_at(const struct windows *w, int64_t first,
			  float *restrict y, int64_t *restrict at)
{
	const float *restrict top = w->top + 2 * first;
	const float *restrict low = w->low + 2 * first;
	const int32_t width = w->width;
	const int64_t place = w->place + 2 * first;
	int32_t found[CHUNK];

	for (int64_t j = 0; j < CHUNK; j++) {
		const float a = top[2 * j], b = top[2 * j + 1];
		const float c = low[2 * j], d = low[2 * j + 1];
		const float t = larger(b, a), l = larger(d, c);
		const int32_t t_at = place_of(b, a, 1, 0);
		const int32_t l_at = place_of(d, c, width + 1, width);

		y[j] = larger(l, t);
		found[j] = place_of(l, t, l_at, t_at);
	}
	for (int64_t j = 0; j < CHUNK; j++)
		at[j] = place + 2 * j + found[j];
}

/* A row of fewer than CHUNK windows goes through buffers. */
static void short_row(const struct windows *w, int64_t n, float *y, int64_t *at)
{
	float top[2 * CHUNK] = { 0 }, low[2 * CHUNK] = { 0 }, best[CHUNK];
	const struct windows buffered = { top, low, w->width, w->place };
	int64_t found[CHUNK];

	memcpy(top, w->top, 2 * (size_t)n * sizeof(float));
	memcpy(low, w->low, 2 * (size_t)n * sizeof(float));
	chunk_of_4_at(&buffered, 0, best, found);
	memcpy(y, best, (size_t)n * sizeof(float));
	if (at)
		memcpy(at, found, (size_t)n * sizeof(found[0]));
}

/* The last chunk goes back over some windows of the one before. */
static void long_row(const struct windows *w, int64_t n, float *y, int64_t *at)
{
	for (int64_t i = 0; i < n; i += CHUNK) {
		const int64_t j = i + CHUNK > n ? n - CHUNK : i;

		if (at)
			chunk_of_4_at(w, j, y + j, at + j);
		else
			chunk_of_4(w->top + 2 * j, w->low + 2 * j, y + j);
	}
}

static void largest_of_4(const int64_t extent[2], const float *x, float *y,
			 int64_t *at, int64_t base)
{
	const int64_t n = extent[1] / 2;

	for (int64_t h = 0; h < extent[0] / 2; h++) {
		const int64_t row = 2 * h * extent[1];
		const struct windows w = { x + row, x + row + extent[1],
					   (int32_t)extent[1], base + row };

		(n < CHUNK ? short_row : long_row)(&w, n, y + h * n,
						   at ? at + h * n : NULL);
	}
}

/* row = the larger of row and from */
static void raise(const float *restrict from, int64_t n, float *restrict row)
{
	for (int64_t i = 0; i < n; i++)
		row[i] = larger(from[i], row[i]);
}

/* Columns: taps lie `dilation` apart, windows `stride`, which is a constant in
 * most calls. */
INLINE void columns(const struct plane_window *w, int64_t stride,
		    const float *restrict row, float *restrict y)
{
	const int64_t n = w->out[1];

	for (int64_t j = 0; j < n; j++)
		y[j] = row[j * stride];
	for (int64_t t = 1; t < w->kernel[1]; t++) {
		const float *restrict tap = row + t * w->dilation[1];

		for (int64_t j = 0; j < n; j++)
			y[j] = larger(tap[j * stride], y[j]);
	}
}

static void largest(const struct plane_window *w, const float *x, float *y,
		    float *row)
{
	const int64_t width = plane_window_width(w);

	for (int64_t h = 0; h < w->out[0]; h++, y += w->out[1]) {
		for (int64_t i = 0; i < width; i++)
			row[i] = -INFINITY;
		for (int64_t t = 0; t < w->kernel[0]; t++) {
			const int64_t from =
			    h * w->stride[0] - w->begin[0] + t * w->dilation[0];

			if (from >= 0 && from < w->in[0])
				raise(x + from * w->in[1], w->in[1],
				      row + w->begin[1]);
		}
		if (w->stride[1] == 1)
			columns(w, 1, row, y);
		else if (w->stride[1] == 2)
			columns(w, 2, row, y);
		else
			columns(w, w->stride[1], row, y);
	}
}

extern const struct plane_loops PLANE_LOOPS_TABLE;
const struct plane_loops PLANE_LOOPS_TABLE = {
	.sums = sums,
	.blend = blend,
	.largest_of_4 = largest_of_4,
	.largest = largest,
};
