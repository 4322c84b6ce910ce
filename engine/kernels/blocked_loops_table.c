/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; BLOCKED_LOOPS_TABLE names the table,
 * BLOCKED_LANES its vectors. The sums of a tile are an array of constant size,
 * all of whose loops unroll, so that it lives in registers. */
#include "engine/kernels/blocked_loops_priv.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Pixels of a tile with two blocks out, and with one; of either where each has
 * an address of its own. */
enum {
	LANES = BLOCKED_LANES,
	TILE = BLOCKED_TILE,
	MOST = BLOCKED_MOST,
	FAR = TILE < 12 ? TILE : 12
};

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(float))));

static inline __attribute__((always_inline)) vec load(const float *from)
{
	vec v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static inline __attribute__((always_inline)) void store(float *to, vec v)
{
	memcpy(to, &v, sizeof(v));
}

/* a where the mask is set, else b. */
static inline __attribute__((always_inline)) vec pick(mask m, vec a, vec b)
{
	const union {
		vec v;
		mask m;
	} x = { .v = a }, y = { .v = b };
	const union {
		mask m;
		vec v;
	} z = { .m = (x.m & m) | (y.m & ~m) };

	return z.v;
}

static inline __attribute__((always_inline)) vec all(float x)
{
	return x - (vec){ 0 }; /* less nothing: no operation is left */
}

static inline __attribute__((always_inline)) void
finish(const struct conv_run *run, int64_t at, vec sum)
{
	if (run->z)
		sum += load(run->z + at);
	sum = pick(sum < all(run->low), all(run->low), sum);
	sum = pick(sum > all(run->high), all(run->high), sum);
	store(run->y + at, sum);
}

/* What one tap reads for pixels that lie `step` floats apart. */
struct source {
	const float *x, *w;
	int64_t n_lanes, step;
};

/* One tap: n_lanes channels in for n pixels. */
static inline __attribute__((always_inline)) void
tap(const struct source s, vec sum[MOST][2], const int n, const int blocks)
{
	const float *at[MOST];

	/* a register each, so that one index serves all; neighbours have one
	 * register */
#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		at[p] = s.step == LANES ? s.x : s.x + p * s.step;
#pragma GCC unroll 1
	for (int64_t c = 0; c < s.n_lanes; c++) {
		const vec w0 = load(s.w + 2 * c * LANES);
		const vec w1 = load(s.w + (2 * c + 1) * LANES);

#pragma GCC unroll 16
		for (int p = 0; p < n; p++) {
			const int64_t near = s.step == LANES ? p * LANES : 0;
			const vec v = all(at[p][c + near]);

			sum[p][0] += v * w0;
			if (blocks == 2)
				sum[p][1] += v * w1;
		}
	}
}

/* `size` pixels, MOST at most, from number `first` on, `step` floats apart;
 * size and blocks are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
tile(const struct conv_run *run, int64_t first, int64_t step, const int size,
     const int blocks)
{
	const int n = size < MOST ? size : MOST;
	const float *x = run->x + first * step;
	vec sum[MOST][2];

#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		for (int k = 0; k < blocks; k++)
			sum[p][k] = load(run->bias + (int64_t)k * LANES);
	for (int64_t b = 0; b < run->n_blocks; b++)
		for (int64_t r = 0; r < run->n_rows; r++) {
			const bool is_last = b + 1 == run->n_blocks;
			const float *at =
			    x + b * run->block_step + r * run->row_step;
			const float *w = run->w + b * run->w_block_step +
					 r * run->w_row_step;

			for (int64_t t = 0; t < run->n_taps; t++) {
				const struct source tap_source = {
					.x = at + t * run->tap_step,
					.w = w + t * 2 * LANES * LANES,
					.n_lanes =
					    is_last ? run->n_last : LANES,
					.step = step,
				};

				tap(tap_source, sum, n, blocks);
			}
		}
#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		for (int k = 0; k < blocks; k++)
			finish(run, (first + p) * LANES + k * run->out_step,
			       sum[p][k]);
}

#define SIZES(X) \
	X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

/* A tile of `size` pixels that lie beside one another. */
static inline __attribute__((always_inline)) void
near(const struct conv_run *run, int64_t first, int64_t size, const int blocks)
{
	switch (size) {
#define SIZE(n)                                     \
	case n:                                     \
		tile(run, first, LANES, n, blocks); \
		break;
		SIZES(SIZE)
#undef SIZE
	default:
		tile(run, first, LANES, 1, blocks);
	}
}

/* A row in tiles of about one size, so that none has few sums: those would
 * wait for one another. */
static inline __attribute__((always_inline)) void
near_row(const struct conv_run *run, const int blocks)
{
	const int64_t most = blocks == 2 ? TILE : MOST;
	int64_t n_tiles = (run->n_pixels + most - 1) / most, first = 0;

	for (; n_tiles > 0; n_tiles--) {
		const int64_t left = run->n_pixels - first;
		const int64_t size = (left + n_tiles - 1) / n_tiles;

		near(run, first, size, blocks);
		first += size;
	}
}

/* Pixels that lie further apart. */
static inline __attribute__((always_inline)) void
far_row(const struct conv_run *run, const int blocks)
{
	const int64_t step = run->pixel_step, n = run->n_pixels;
	int64_t at = 0;

	for (; at + FAR <= n; at += FAR)
		tile(run, at, step, FAR, blocks);
	for (; at + 4 <= n; at += 4)
		tile(run, at, step, 4, blocks);
	for (; at + 2 <= n; at += 2)
		tile(run, at, step, 2, blocks);
	if (at < n)
		tile(run, at, step, 1, blocks);
}

static void dense(const struct conv_run *run)
{
	const bool is_near = run->pixel_step == LANES;

	if (run->out_step && is_near)
		near_row(run, 2);
	else if (run->out_step)
		far_row(run, 2);
	else if (is_near)
		near_row(run, 1);
	else
		far_row(run, 1);
}

static void deep(const struct conv_run *run)
{
	for (int64_t p = 0; p < run->n_pixels; p++) {
		const float *x = run->x + p * run->pixel_step;
		vec sum = load(run->bias);

		for (int64_t r = 0; r < run->n_rows; r++)
			for (int64_t t = 0; t < run->n_taps; t++)
				sum += load(x + r * run->row_step +
					    t * run->tap_step) *
				       load(run->w + r * run->w_row_step +
					    t * LANES);
		finish(run, p * LANES, sum);
	}
}

/* A value that is no number stays one. */
static void pool_max(const struct pool_run *run)
{
	for (int64_t p = 0; p < run->n_pixels; p++) {
		const float *x = run->x + p * run->pixel_step;
		vec most = all(-INFINITY);

		for (int64_t r = 0; r < run->n_rows; r++)
			for (int64_t t = 0; t < run->n_taps; t++) {
				const vec v = load(x + r * run->row_step +
						   t * run->tap_step);

				/* NOLINTNEXTLINE(misc-redundant-expression) */
				most = pick((v > most) | (v != v), v, most);
			}
		store(run->y + p * LANES, most);
	}
}

static void pool_mean(const struct pool_run *run, float share)
{
	for (int64_t p = 0; p < run->n_pixels; p++) {
		const float *x = run->x + p * run->pixel_step;
		vec sum = { 0 };

		for (int64_t r = 0; r < run->n_rows; r++)
			for (int64_t t = 0; t < run->n_taps; t++)
				sum += load(x + r * run->row_step +
					    t * run->tap_step);
		store(run->y + p * LANES, sum * all(share));
	}
}

const struct blocked_loops BLOCKED_LOOPS_TABLE = {
	.lanes = LANES,
	.dense = dense,
	.deep = deep,
	.max = pool_max,
	.mean = pool_mean,
};
