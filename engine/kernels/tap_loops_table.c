/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; TAP_LOOPS_TABLE names the table, TAP_LANES its
 * vectors, TAP_SUMS how many of them hold sums. The sums of a tile are an array
 * of constant size, all of whose loops unroll, so that it lives in registers.
 */
#include "engine/kernels/tap_loops_priv.h"

#include <string.h>

enum { LANES = TAP_LANES, SUMS = TAP_SUMS, MOST = SUMS / 3, WIDE = 8 };

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

static inline __attribute__((always_inline)) vec load(const float *from)
{
	vec v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static inline __attribute__((always_inline)) vec all(float x)
{
	return x - (vec){ 0 }; /* less nothing: no operation is left */
}

/* One tap. The fewer of the two, numbers or vectors, are kept in registers
 * beside the sums, and the others come and go. */
static inline __attribute__((always_inline)) void tap(const float *x,
						      const float *w,
						      vec sum[MOST][WIDE],
						      const int m, const int v)
{
	vec keep[WIDE];

#pragma GCC unroll 8
	for (int k = 0; k < (m < v ? m : v); k++)
		keep[k] = m < v ? all(w[k]) : load(x + (int64_t)k * LANES);
#pragma GCC unroll 8
	for (int k = 0; k < (m < v ? v : m); k++) {
		const vec now =
		    m < v ? load(x + (int64_t)k * LANES) : all(w[k]);

#pragma GCC unroll 8
		for (int l = 0; m < v && l < m; l++)
			/* cppcheck-suppress uninitvar; as many as are used */
			sum[l][k] += keep[l] * now;
#pragma GCC unroll 8
		for (int l = 0; m >= v && l < v; l++)
			sum[k][l] += keep[l] * now;
	}
}

/* m channels out, v vectors of outputs; constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
tile(const struct tap_run *run, int64_t out, int64_t pixel, const int m,
     const int v)
{
	vec sum[MOST][WIDE];

#pragma GCC unroll 8
	for (int i = 0; i < m; i++)
#pragma GCC unroll 8
		for (int j = 0; j < v; j++)
			sum[i][j] = all(run->bias[out + i]);
	for (int64_t c = 0; c < run->n_channels; c++)
		for (int64_t r = 0; r < run->n_rows; r++) {
			const float *x = run->x + pixel +
					 c * run->channel_step +
					 r * run->row_step;
			const float *w = run->w + out +
					 c * run->w_channel_step +
					 r * run->w_row_step;

#pragma GCC unroll 1
			for (int64_t t = 0; t < run->n_taps; t++) {
				tap(x, w, sum, m, v);
				x += run->tap_step;
				w += MOST;
			}
		}
#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		float *y = run->y + run->out_at[out + i] + pixel;

#pragma GCC unroll 8
		for (int j = 0; j < v; j++)
			memcpy(y + (int64_t)j * LANES, &sum[i][j], sizeof(vec));
	}
}

/* m channels out from number `out` on, all pixels: tiles of v vectors, then
 * less; the last vector begins early enough to end with the run. */
static inline __attribute__((always_inline)) void
pixels(const struct tap_run *run, int64_t out, const int m, const int v)
{
	const int64_t n = run->n_pixels, two = 2 * (int64_t)LANES,
		      four = 2 * two;
	int64_t at = 0;

	for (; at + (int64_t)v * LANES <= n; at += (int64_t)v * LANES)
		tile(run, out, at, m, v);
	for (; v > 4 && at + four <= n; at += four)
		tile(run, out, at, m, 4);
	for (; at + two <= n; at += two)
		tile(run, out, at, m, 2);
	for (; at + LANES <= n; at += LANES)
		tile(run, out, at, m, 1);
	if (at < n)
		tile(run, out, n - LANES, m, 1);
}

static void run(const struct tap_run *run)
{
	int64_t at = 0;

	for (; at + MOST <= run->n_out; at += MOST)
		pixels(run, at, MOST, SUMS / MOST);
	for (; MOST > 6 && at + 6 <= run->n_out; at += 6)
		pixels(run, at, 6 < MOST ? 6 : MOST, 4);
	for (; MOST > 4 && at + 4 <= run->n_out; at += 4)
		pixels(run, at, 4, SUMS / 4);
	if (at + 3 == run->n_out)
		pixels(run, at, 3, SUMS / 3 < WIDE ? SUMS / 3 : WIDE);
	else if (at + 2 == run->n_out)
		pixels(run, at, 2, SUMS / 2 < WIDE ? SUMS / 2 : WIDE);
	else if (at < run->n_out)
		pixels(run, at, 1, WIDE);
}

const struct tap_loops TAP_LOOPS_TABLE = {
	.lanes = LANES,
	.n_most = MOST,
	/* loads that straddle lines cost wide vectors more */
	.best = MOST > 6 ? 6 : 1,
	.run = run,
};
