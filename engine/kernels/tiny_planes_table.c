/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; TINY_PLANES_TABLE names the table, TINY_LANES
 * its vectors, TINY_OUT how many results are summed at once. Which pixels meet
 * at which tap is found by constants: all those loops unroll, so that sums live
 * in registers and nothing is left of the tests. Contraction is on: products
 * are fused with sums.
 */
#include "engine/kernels/tiny_planes_priv.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES ((ptrdiff_t)TINY_LANES)

enum {
	MOST = TINY_OUT,
	SIDE = 3,    /* of the window */
	PIXELS = 8,  /* of results at once, at most */
	AT_ONCE = 2, /* channels out whose gradients are summed at once */
	LINE = 16,   /* floats of a line of cache */
	AHEAD = 64,  /* floats of a stream that is read in order */
	EIGHT = 8,   /* all taps but the last */
};

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

INLINE vec load(const float *from)
{
	vec v;

	memcpy(&v, from, sizeof(v));
	return v;
}

INLINE void store(float *to, vec v)
{
	memcpy(to, &v, sizeof(v));
}

INLINE vec all(float x)
{
	return x - (vec){ 0 }; /* less nothing: no operation is left */
}

/* Lanes of two vectors by turns: those of their first halves, and the rest. */
#define FIRST_4 0, 4, 1, 5
#define LAST_4 2, 6, 3, 7
#define FIRST_8 0, 8, 1, 9, 2, 10, 3, 11
#define LAST_8 4, 12, 5, 13, 6, 14, 7, 15
#define FIRST_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LAST_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LIST(part, lanes) part##lanes
#define LANES_OF(part, lanes) LIST(part, lanes)

/* The halves of n vectors by turns, element by element. Numbers of elements
 * are turned left by a bit; so n rows of n become columns by log2(n) times. */
INLINE void zip(vec *v, const int n)
{
	vec turned[LANES < EIGHT ? EIGHT : LANES];

#pragma GCC unroll 8
	for (int i = 0; i < n / 2; i++) {
		const int at = 2 * i;

		turned[at] = __builtin_shufflevector(
		    v[i], v[i + n / 2], LANES_OF(FIRST_, TINY_LANES));
		turned[at + 1] = __builtin_shufflevector(
		    v[i], v[i + n / 2], LANES_OF(LAST_, TINY_LANES));
	}
#pragma GCC unroll 16
	for (int i = 0; i < n; i++)
		/* cppcheck-suppress uninitvar; as many as are turned */
		v[i] = turned[i];
}

/* Planes of results and of their sources; back: results are the inputs of the
 * convolution, sources its outputs. Constants wherever they are inlined. */
struct planes {
	int side, from, stride;
	bool back;
};

/* Where, along an axis, result p reads at tap k; -1: nowhere. */
INLINE int source(const struct planes g, const int p, const int k)
{
	const int forward = p * g.stride + k - 1, back = p + 1 - k;

	if (!g.back)
		return forward < g.from ? forward : -1;
	if (back < 0 || back % g.stride || back / g.stride >= g.from)
		return -1;
	return back / g.stride;
}

/* Results that are summed at once: rows of them, from a first one on. */
struct tile {
	int row, column, rows, columns;
};

/* Taps that few results meet are worth more results, so fewer channels. */
INLINE bool is_sparse(const struct planes g)
{
	return g.back && g.stride > 1 && g.side > 2;
}

/* Rows and columns of tiles that fill a plane. */
INLINE struct tile tile_of(const struct planes g)
{
	const int pixels = is_sparse(g) ? PIXELS : PIXELS / 2;
	const int columns = g.side > pixels ? g.side / 2 : g.side;
	const int rows = pixels / columns;

	return (struct tile){ 0, 0, rows < g.side ? rows : g.side, columns };
}

/* Adds what row ky of the taps gives to a tile of m results. */
INLINE void add_taps(const struct planes g, const struct tile tile, const int m,
		     const int ky, const struct tiny_sums *at,
		     vec sum[MOST][PIXELS])
{
#pragma GCC unroll 18
	for (int i = 0; i < m * SIDE; i++) {
		const int o = i / SIDE, kx = i % SIDE, tap = ky * SIDE + kx;
		const vec w = all(at->w[o * at->w_step + tap]);

#pragma GCC unroll 8
		for (int p = 0; p < tile.rows * tile.columns; p++) {
			const int y =
			    source(g, tile.row + p / tile.columns, ky);
			const int x =
			    source(g, tile.column + p % tile.columns, kx);
			const int pixel = y * g.from + x;

			if (y >= 0 && x >= 0)
				sum[o][p] += w * load(at->x + pixel * LANES);
		}
	}
}

/* Asks for weights that are read soon: each result's own stream of them, or,
 * by data, those that lie behind, of the next results. */
INLINE void fetch(const struct planes g, const int m,
		  const struct tiny_sums *at)
{
	const float *next = at->w + m * at->w_step;
	const int n_next = g.back ? m * TINY_TAPS + LINE - 1 : 0;
	const int n_ahead = g.back ? 0 : m;

#pragma GCC unroll 8
	for (int i = 0; i < n_next; i += LINE)
		__builtin_prefetch(next + i, 0, 2);
#pragma GCC unroll 8
	for (int i = 0; i < n_ahead; i++)
		__builtin_prefetch(at->w + i * at->w_step + AHEAD, 0, 3);
}

/* A tile of m results from number `first` on. */
INLINE void sum_tile(const struct planes g, const struct tile tile, const int m,
		     const struct tiny_sums *run, int64_t first)
{
	const int n = tile.rows * tile.columns;
	struct tiny_sums at = *run;
	vec sum[MOST][PIXELS];

	at.w += first * at.w_step;
#pragma GCC unroll 8
	for (int i = 0; i < m; i++)
#pragma GCC unroll 8
		for (int p = 0; p < n; p++)
			sum[i][p] = all(run->bias ? run->bias[first + i] : 0);
	for (int64_t k = 0; k < run->n_sums; k++) {
		if (tile.row + tile.column == 0)
			fetch(g, m, &at);
#pragma GCC unroll 3
		for (int ky = 0; ky < SIDE; ky++)
			add_taps(g, tile, m, ky, &at, sum);
		at.x += (ptrdiff_t)g.from * g.from * LANES;
		at.w += at.w_sum_step;
	}
#pragma GCC unroll 24
	for (int i = 0; i < m * n; i++) {
		const int64_t y = tile.row + i % n / tile.columns,
			      x = tile.column + i % n % tile.columns;

		store(run->y +
			  (((first + i / n) * g.side + y) * g.side + x) * LANES,
		      sum[i / n][i % n]);
	}
}

INLINE void sum_block(const struct planes g, const int m,
		      const struct tiny_sums *run, int64_t first)
{
	const struct tile size = tile_of(g);
	const int across = g.side / size.columns;
	const int n = across * (g.side / size.rows);

#pragma GCC unroll 16
	for (int i = 0; i < n; i++) {
		const struct tile tile = { i / across * size.rows,
					   i % across * size.columns, size.rows,
					   size.columns };

		sum_tile(g, tile, m, run, first);
	}
}

INLINE void sum_all(const struct planes g, const struct tiny_sums *run)
{
	const int most = is_sparse(g) ? MOST / 2 : MOST;
	int64_t i = 0;

	for (; i + most <= run->n; i += most)
		sum_block(g, most, run, i);
	for (; i < run->n; i++)
		sum_block(g, 1, run, i);
}

/* Adds to the gradients of m channels out what one image gives: rows of x are
 * kept in registers, numbers of dy come and go. */
INLINE void add_image(const struct planes g, const int m, const float *x,
		      const float *dy, int64_t dy_step,
		      vec sum[AT_ONCE][TINY_TAPS])
{
#pragma GCC unroll 24
	for (int i = 0; i < g.from * SIDE; i++) {
		const int row = i / SIDE, ky = i % SIDE;
		const struct planes back = { g.from, g.side, g.stride, true };
		const int y = source(back, row, ky);
		const int n = y < 0 ? 0 : m * g.side;

#pragma GCC unroll 16
		for (int j = 0; j < n; j++) {
			const int o = j / g.side, p = j % g.side;
			const int out = y * g.side + p;
			const vec d = all(dy[o * dy_step + out]);

#pragma GCC unroll 3
			for (int kx = 0; kx < SIDE; kx++) {
				const int at = source(g, p, kx);
				const int pixel = row * g.from + at;

				if (at >= 0)
					sum[o][ky * SIDE + kx] +=
					    d * load(x + pixel * LANES);
			}
		}
	}
}

/* Vectors of taps to the taps of n channels. */
INLINE void put_taps(vec sum[TINY_TAPS], int64_t n, float *to)
{
	float eight[LANES * EIGHT], last[LANES];

	store(last, sum[EIGHT]);
#pragma GCC unroll 3
	for (int i = 1; i < EIGHT; i *= 2)
		zip(sum, EIGHT);
#pragma GCC unroll 8
	for (int i = 0; i < EIGHT; i++)
		store(eight + i * LANES, sum[i]);
	for (int64_t c = 0; c < n; c++) {
		memcpy(to + c * TINY_TAPS, eight + c * EIGHT,
		       EIGHT * sizeof(*to));
		to[c * TINY_TAPS + EIGHT] = last[c];
	}
}

/* Asks for the lines that m rows of n results are to be written to. */
INLINE void fetch_target(const float *to, const int m, int64_t n, int64_t step)
{
	for (int i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j += LINE)
			__builtin_prefetch(to + i * step + j, 1, 3);
}

/* Gradients of m channels out by a block of n channels in. */
INLINE void weights_block(const struct planes g, const int m,
			  const struct tiny_weights *run, int64_t first,
			  int64_t block)
{
	const int64_t in = (int64_t)g.from * g.from * LANES,
		      out = (int64_t)g.side * g.side;
	const int64_t left = run->c - block * LANES,
		      n = left < LANES ? left : LANES;
	const float *x = run->x + block * run->n_images * in;
	const float *dy = run->dy + first * run->n_images * out;
	float *to = run->dw + (first * run->c + block * LANES) * TINY_TAPS;
	vec sum[AT_ONCE][TINY_TAPS];

#pragma GCC unroll 2
	for (int i = 0; i < m; i++)
#pragma GCC unroll 9
		for (int t = 0; t < TINY_TAPS; t++)
			sum[i][t] = (vec){ 0 };
	fetch_target(to, m, n * TINY_TAPS, run->c * TINY_TAPS);
	for (int64_t k = 0; k < run->n_images; k++)
		add_image(g, m, x + k * in, dy + k * out, run->n_images * out,
			  sum);
#pragma GCC unroll 2
	for (int i = 0; i < m; i++)
		put_taps(sum[i], n, to + i * run->c * TINY_TAPS);
}

INLINE void weights_all(const struct planes g, const struct tiny_weights *run)
{
	for (int64_t b = 0; b * LANES < run->c; b++) {
		int64_t i = 0;

		for (; i + AT_ONCE <= run->n; i += AT_ONCE)
			weights_block(g, AT_ONCE, run, i, b);
		for (; i < run->n; i++)
			weights_block(g, 1, run, i, b);
	}
}

/* LANES elements of each row, the images; absent rows are zeros. */
INLINE void turn(vec v[LANES])
{
#pragma GCC unroll 4
	for (int i = 1; i < LANES; i *= 2)
		zip(v, LANES);
}

static void spread(const float *rows, int64_t row_step, int64_t n_rows,
		   int64_t n, float *to)
{
	int64_t e = 0;
	vec v[LANES];

	for (; e + LANES <= n; e += LANES) {
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			v[i] = i < n_rows ? load(rows + i * row_step + e)
					  : (vec){ 0 };
		turn(v);
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			store(to + (e + i) * LANES, v[i]);
	}
	for (; e < n; e++)
		for (int64_t i = 0; i < LANES; i++)
			to[e * LANES + i] =
			    i < n_rows ? rows[i * row_step + e] : 0;
}

static void gather(const float *from, int64_t row_step, int64_t n_rows,
		   int64_t n, float *rows)
{
	int64_t e = 0;
	vec v[LANES];

	for (; e + LANES <= n; e += LANES) {
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			v[i] = load(from + (e + i) * LANES);
		turn(v);
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			if (i < n_rows)
				store(rows + i * row_step + e, v[i]);
	}
	for (; e < n; e++)
		for (int64_t i = 0; i < n_rows; i++)
			rows[i * row_step + e] = from[e * LANES + i];
}

#define PLANE(name, in, out, stride)                                      \
	static void name##_forward(const struct tiny_sums *sums)          \
	{                                                                 \
		sum_all((struct planes){ out, in, stride, false }, sums); \
	}                                                                 \
	static void name##_data(const struct tiny_sums *sums)             \
	{                                                                 \
		sum_all((struct planes){ in, out, stride, true }, sums);  \
	}                                                                 \
	static void name##_weights(const struct tiny_weights *weights)    \
	{                                                                 \
		weights_all((struct planes){ out, in, stride, false },    \
			    weights);                                     \
	}
PLANE(one, 1, 1, 1)
PLANE(two, 2, 2, 1)
PLANE(halved_two, 2, 1, 2)
PLANE(three, 3, 3, 1)
PLANE(four, 4, 4, 1)
PLANE(halved_four, 4, 2, 2)
PLANE(halved_six, 6, 3, 2)
PLANE(halved_eight, 8, 4, 2)
#undef PLANE

#define ROW(name, side, stride)                                           \
	{                                                                 \
		side, stride, name##_forward, name##_data, name##_weights \
	}
static const struct tiny_plane list[] = {
	ROW(one, 1, 1),	       ROW(two, 2, 1),		ROW(halved_two, 2, 2),
	ROW(three, 3, 1),      ROW(four, 4, 1),		ROW(halved_four, 4, 2),
	ROW(halved_six, 6, 2), ROW(halved_eight, 8, 2), { 0 },
};

const struct tiny_planes TINY_PLANES_TABLE = {
	.lanes = LANES,
	.plane = list,
	.spread = spread,
	.gather = gather,
};
