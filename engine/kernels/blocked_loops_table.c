/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; BLOCKED_LOOPS_TABLE names the table,
 * BLOCKED_LANES its vectors. The sums of a tile are an array of constant size,
 * all of whose loops unroll, so that it lives in registers. */
#include "engine/kernels/blocked_loops_priv.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { LANES = BLOCKED_LANES, TILE = BLOCKED_TILE };

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

/* One tap: LANES channels in for n pixels. */
static inline __attribute__((always_inline)) void
tap(const float *x, const float *w, int64_t step, vec sum[TILE][2], const int n,
    const int blocks)
{
	const float *at[TILE];

	/* a register each, so that one index serves all */
#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		at[p] = x + p * step;
#pragma GCC unroll 1
	for (int64_t c = 0; c < LANES; c++) {
		const vec w0 = load(w + 2 * c * LANES);
		const vec w1 = load(w + (2 * c + 1) * LANES);

#pragma GCC unroll 16
		for (int p = 0; p < n; p++) {
			const vec v = all(at[p][c]);

			sum[p][0] += v * w0;
			if (blocks == 2)
				sum[p][1] += v * w1;
		}
	}
}

/* n pixels from number `first` on; n and blocks are constants wherever this
 * is inlined. */
static inline __attribute__((always_inline)) void
tile(const struct conv_run *run, int64_t first, const int n, const int blocks)
{
	const int64_t step = run->pixel_step;
	const float *x = run->x + first * step;
	vec sum[TILE][2];

#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		for (int k = 0; k < blocks; k++)
			sum[p][k] = load(run->bias + (int64_t)k * LANES);
	for (int64_t b = 0; b < run->n_blocks; b++)
		for (int64_t r = 0; r < run->n_rows; r++) {
			const float *at =
			    x + b * run->block_step + r * run->row_step;
			const float *w = run->w + b * run->w_block_step +
					 r * run->w_row_step;

			for (int64_t t = 0; t < run->n_taps; t++) {
				tap(at, w, step, sum, n, blocks);
				at += run->tap_step;
				w += (int64_t)2 * LANES * LANES;
			}
		}
#pragma GCC unroll 16
	for (int p = 0; p < n; p++)
		for (int k = 0; k < blocks; k++)
			finish(run, (first + p) * LANES + k * run->out_step,
			       sum[p][k]);
}

/* What is left of a row of tiles. */
static void rest(const struct conv_run *run, int64_t first, int blocks)
{
	int64_t n = run->n_pixels - first;

	while (n > 0) {
		const int take = n >= 4 ? 4 : n >= 2 ? 2 : 1;

		if (take == 4 && blocks == 2)
			tile(run, first, 4, 2);
		else if (take == 4)
			tile(run, first, 4, 1);
		else if (take == 2 && blocks == 2)
			tile(run, first, 2, 2);
		else if (take == 2)
			tile(run, first, 2, 1);
		else if (blocks == 2)
			tile(run, first, 1, 2);
		else
			tile(run, first, 1, 1);
		first += take;
		n -= take;
	}
}

static void dense(const struct conv_run *run)
{
	const int blocks = run->out_step ? 2 : 1;
	int64_t first = 0;

	if (blocks == 2)
		for (; first + TILE <= run->n_pixels; first += TILE)
			tile(run, first, TILE, 2);
	else
		for (; first + TILE <= run->n_pixels; first += TILE)
			tile(run, first, TILE, 1);
	rest(run, first, blocks);
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
