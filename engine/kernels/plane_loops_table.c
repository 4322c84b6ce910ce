/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once a level; PLANE_LOOPS_TABLE names the result. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "engine/kernels/loops_priv.h"
#include "engine/kernels/plane_loops_priv.h"

enum {
	LANES = 32,
	BLOCK = 4096,
	CHUNK = 8,
	PAIR = 2 * CHUNK, /* what windows side by side read of a row */
	NOWHERE = INT32_MIN / 2
};

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

/* n floats of a row, through memory of most; a copy of a size that is known
 * here needs no call. What lies behind a row that is not the last one may be
 * read, and written where its turn is still to come. */
INLINE void copy_row(const float *from, int64_t n, int64_t most, bool is_last,
		     float *to)
{
	if (is_last)
		memcpy(to, from, (size_t)n * sizeof(float));
	else
		memcpy(to, from, (size_t)most * sizeof(float));
}

/* A row of fewer than CHUNK windows goes through buffers. */
static void short_row(const struct windows *w, int64_t n, bool is_last,
		      float *y, int64_t *at)
{
	float top[PAIR] = { 0 }, low[PAIR] = { 0 }, best[CHUNK];
	const struct windows buffered = { top, low, w->width, w->place };
	int64_t found[CHUNK];

	copy_row(w->top, 2 * n, PAIR, is_last, top);
	copy_row(w->low, 2 * n, PAIR, is_last, low);
	if (at) {
		chunk_of_4_at(&buffered, 0, best, found);
		memcpy(at, found, (size_t)n * sizeof(found[0]));
	} else {
		chunk_of_4(top, low, best);
	}
	copy_row(best, n, CHUNK, is_last, y);
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

/* Row h of windows over a plane: whether CHUNK of them would leave it. */
static bool is_near_end(const int64_t extent[2], int64_t h)
{
	const int64_t rows = extent[0] / 2, n = extent[1] / 2;

	return (2 * h + 1) * extent[1] + PAIR > extent[0] * extent[1] ||
	       h * n + CHUNK > rows * n;
}

static void largest_of_4(const int64_t extent[2], const float *x, float *y,
			 int64_t *at, int64_t base)
{
	const int64_t n = extent[1] / 2;

	for (int64_t h = 0; h < extent[0] / 2; h++) {
		const int64_t row = 2 * h * extent[1];
		const struct windows w = { x + row, x + row + extent[1],
					   (int32_t)extent[1], base + row };
		int64_t *place = at ? at + h * n : NULL;

		if (n < CHUNK)
			short_row(&w, n, is_near_end(extent, h), y + h * n,
				  place);
		else
			long_row(&w, n, y + h * n, place);
	}
}

/* What two rows of windows give back to the rows that they read. */
INLINE void give_chunk(const float *restrict top, const float *restrict low,
		       const float *restrict dy, float *restrict to_top,
		       float *restrict to_low)
{
	for (int64_t j = 0; j < CHUNK; j++) {
		const float a = top[2 * j], b = top[2 * j + 1];
		const float c = low[2 * j], d = low[2 * j + 1];
		const int32_t right = place_of(b, a, 1, 0);
		const int32_t low_right = place_of(d, c, 1, 0);
		const int32_t below =
		    place_of(larger(d, c), larger(b, a), 1, 0);
		const float up = below ? 0 : dy[j], down = below ? dy[j] : 0;

		to_top[2 * j] = right ? 0 : up;
		to_top[2 * j + 1] = right ? up : 0;
		to_low[2 * j] = low_right ? 0 : down;
		to_low[2 * j + 1] = low_right ? down : 0;
	}
}

/* A row of fewer than CHUNK windows goes through buffers. */
static void give_short(const float *const x[2], const float *dy, int64_t n,
		       bool is_last, float *const dx[2])
{
	float top[PAIR] = { 0 }, low[PAIR] = { 0 };
	float to_top[PAIR], to_low[PAIR], given[CHUNK] = { 0 };

	copy_row(x[0], 2 * n, PAIR, is_last, top);
	copy_row(x[1], 2 * n, PAIR, is_last, low);
	copy_row(dy, n, CHUNK, is_last, given);
	give_chunk(top, low, given, to_top, to_low);
	copy_row(to_top, 2 * n, PAIR, is_last, dx[0]);
	copy_row(to_low, 2 * n, PAIR, is_last, dx[1]);
}

/* The last chunk goes back over some windows of the one before. */
static void give_long(const float *const x[2], const float *dy, int64_t n,
		      float *const dx[2])
{
	for (int64_t i = 0; i < n; i += CHUNK) {
		const int64_t j = i + CHUNK > n ? n - CHUNK : i;

		give_chunk(x[0] + 2 * j, x[1] + 2 * j, dy + j, dx[0] + 2 * j,
			   dx[1] + 2 * j);
	}
}

static void give_to_4(const int64_t extent[2], const float *x, const float *dy,
		      float *dx)
{
	const int64_t width = extent[1], n = width / 2;

	for (int64_t h = 0; h < extent[0] / 2; h++, dy += n) {
		const int64_t row = 2 * h * width;
		const float *const from[] = { x + row, x + row + width };
		float *const to[] = { dx + row, dx + row + width };

		if (n < CHUNK)
			give_short(from, dy, n, is_near_end(extent, h), to);
		else
			give_long(from, dy, n, to);
		for (int64_t i = 2 * n; i < width; i++)
			to[0][i] = to[1][i] = 0;
	}
	if (extent[0] % 2)
		memset(dx + (extent[0] - 1) * width, 0,
		       (size_t)width * sizeof(float));
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

/* Where windows look for their largest. rows: each row of the plane with its
 * padding, `width` of them: first the elements that the windows' first columns
 * are at, then those beside them, and so on, so that each tap finds its own
 * side by side; phase: how many each lot has. column: in the same order, of the
 * plane's columns and, far below 0, of the padding. */
struct search {
	int64_t phase, width;
	float *rows;
	int32_t *column;
};

/* Windows that look together. */
typedef float some_floats __attribute__((vector_size(PAIR * sizeof(float))));
typedef int32_t some_places __attribute__((vector_size(PAIR * sizeof(float))));

/* Most steps are 1 or 2, and a division takes as long as a row. */
static int64_t place_in(const struct plane_window *w, const struct search *s,
			int64_t i)
{
	if (w->stride[1] == 1)
		return i;
	if (w->stride[1] == 2)
		return (i & 1) * s->phase + (i >> 1);
	return i % w->stride[1] * s->phase + i / w->stride[1];
}

static void lay_columns(const struct plane_window *w, const struct search *s)
{
	for (int64_t i = 0; i < s->width; i++) {
		const int64_t at = i - w->begin[1];

		s->column[place_in(w, s, i)] =
		    at >= 0 && at < w->in[1] ? (int32_t)at : NOWHERE;
	}
}

/* The padding is lower than all, and no place. */
static void lay_row(const struct plane_window *w, const struct search *s,
		    const float *restrict x, float *restrict row)
{
	const int64_t n = w->in[1], begin = w->begin[1];
	float *restrict even, *restrict odd;

	for (int64_t i = 0; i < s->width; i++)
		row[i] = -INFINITY;
	if (w->stride[1] == 1) {
		memcpy(row + begin, x, (size_t)n * sizeof(float));
		return;
	}
	if (w->stride[1] != 2) {
		for (int64_t i = 0; i < n; i++)
			row[place_in(w, s, begin + i)] = x[i];
		return;
	}
	even = row + begin % 2 * s->phase + begin / 2;
	odd = row + (begin + 1) % 2 * s->phase + (begin + 1) / 2;
	for (int64_t i = 0; i < n / 2; i++) {
		even[i] = x[2 * i];
		odd[i] = x[2 * i + 1];
	}
	if (n % 2)
		even[n / 2] = x[n - 1];
}

/* The places of PAIR windows' largest, from window j of row h on; below 0: it
 * lies in the padding. */
INLINE void search(const struct plane_window *w, const struct search *s,
		   int64_t h, int64_t j, int32_t places[PAIR])
{
	some_places at = (some_places){ 0 } - 1;
	const some_floats most = (some_floats){ 0 } + INFINITY;
	some_floats best = { 0 };

	for (int64_t t = 0; t < w->kernel[0]; t++) {
		const int64_t from =
		    h * w->stride[0] - w->begin[0] + t * w->dilation[0];

		for (int64_t u = 0;
		     from >= 0 && from < w->in[0] && u < w->kernel[1]; u++) {
			const int64_t tap =
			    place_in(w, s, u * w->dilation[1]) + j;
			some_places here, wins;
			some_floats v;

			memcpy(&v, s->rows + from * s->width + tap, sizeof(v));
			memcpy(&here, s->column + tap, sizeof(here));
			here += (int32_t)(from * w->in[1]);
			wins = (at < 0) | (v > best) | ~(v <= most);
			best = (some_floats)((wins & (some_places)v) |
					     (~wins & (some_places)best));
			at = (wins & here) | (~wins & at);
		}
	}
	memcpy(places, &at, sizeof(at));
}

static void give(const struct plane_window *w, const float *x, const float *dy,
		 float *dx, int32_t *room)
{
	const int64_t n = w->out[1];
	const int64_t phase =
	    (plane_window_width(w) + w->stride[1] - 1) / w->stride[1];
	const int64_t width = phase * w->stride[1];
	struct search s = { .phase = phase, .width = width };

	s.column = room;
	s.rows = (float *)(void *)(room + width + PAIR);
	lay_columns(w, &s);
	for (int64_t i = 0; i < w->in[0]; i++)
		lay_row(w, &s, x + i * w->in[1], s.rows + i * width);
	memset(dx, 0, (size_t)(w->in[0] * w->in[1]) * sizeof(float));
	for (int64_t h = 0; h < w->out[0]; h++, dy += n) {
		for (int64_t j = 0; j < n; j += PAIR) {
			const int64_t m = n - j < PAIR ? n - j : PAIR;
			int32_t at[PAIR];

			search(w, &s, h, j, at);
			for (int64_t i = 0; i < m; i++)
				if (at[i] >= 0)
					dx[at[i]] += dy[j + i];
		}
	}
}

extern const struct plane_loops PLANE_LOOPS_TABLE;
const struct plane_loops PLANE_LOOPS_TABLE = {
	.sums = sums,
	.blend = blend,
	.largest_of_4 = largest_of_4,
	.give_to_4 = give_to_4,
	.largest = largest,
	.give = give,
};
