/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/blocked_loops.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/rng.h"

enum {
	BLOCKS = 2, /* in */
	ROWS = 2,
	TAPS = 3,
	PIXELS = 40, /* at most, and two steps apart */
	WIDTH = 2 * PIXELS + TAPS,
	LANES_MOST = 16,
	X_SIZE = BLOCKS * ROWS * WIDTH * LANES_MOST,
	W_SIZE = BLOCKS * ROWS * TAPS * LANES_MOST * 2 * LANES_MOST,
	Y_SIZE = 2 * PIXELS * LANES_MOST,
};

static double sum_of(const struct conv_run *run, int64_t lanes, int64_t pixel,
		     int64_t out)
{
	double sum = (double)run->bias[out];

	for (int64_t i = 0; i < BLOCKS * ROWS * TAPS; i++) {
		const float *x = run->x +
				 (i / TAPS * WIDTH + i % TAPS) * lanes +
				 pixel * run->pixel_step;
		const bool is_last = i / TAPS / ROWS == BLOCKS - 1;

		for (int64_t c = 0; c < (is_last ? run->n_last : lanes); c++)
			sum +=
			    (double)run->w[(i * lanes + c) * 2 * lanes + out] *
			    (double)x[c];
	}
	return fmax(sum, 0);
}

/* Every pixel of one or two blocks out, and nothing beside them. */
static void check(const struct blocked_loops *loops, struct conv_run *run,
		  float *y)
{
	const int64_t lanes = loops->lanes, block = PIXELS * lanes;

	for (int64_t i = 0; i < Y_SIZE; i++)
		y[i] = 123;
	loops->dense(run);
	for (int64_t i = 0; i < 2 * block; i++) {
		const int64_t pixel = i % block / lanes;
		const int64_t out = i / block * lanes + i % lanes;
		const bool is_made =
		    pixel < run->n_pixels && (i < block || run->out_step);
		const double want =
		    is_made ? sum_of(run, lanes, pixel, out) : 123;

		cr_assert_float_eq(y[i], want, 1e-4,
				   "%lld lanes, %lld pixels: %lld of %lld",
				   (long long)lanes, (long long)run->n_pixels,
				   (long long)out, (long long)pixel);
	}
}

Test(blocked_loops, every_count_of_pixels_is_right)
{
	static float x[X_SIZE], w[W_SIZE], y[Y_SIZE];
	const struct rng rng = { .seed = 6, .stream = 1 };
	float bias[2 * LANES_MOST];

	rng_fill_normal(rng, 0, X_SIZE, x);
	rng_fill_normal(rng, X_SIZE, W_SIZE, w);
	rng_fill_normal(rng, X_SIZE + W_SIZE, 2 * LANES_MOST, bias);
	for (int64_t lanes = 8; lanes <= LANES_MOST; lanes += 8) {
		struct conv_run run = {
			.x = x,
			.block_step = (int64_t)ROWS * WIDTH * lanes,
			.row_step = (int64_t)WIDTH * lanes,
			.tap_step = lanes,
			.n_blocks = BLOCKS,
			.n_rows = ROWS,
			.n_taps = TAPS,
			.n_last = lanes - 3,
			.w_block_step = ROWS * TAPS * lanes * 2 * lanes,
			.w_row_step = TAPS * lanes * 2 * lanes,
			.w = w,
			.bias = bias,
			.y = y,
			.high = INFINITY,
		};

		/* a CPU may have none so wide */
		for (int64_t i = 0; blocked_loops(lanes) && i < 4 * PIXELS;
		     i++) {
			run.n_pixels = i / 4 + 1;
			run.pixel_step = i % 2 ? lanes : 2 * lanes;
			run.out_step = i % 4 < 2 ? 0 : PIXELS * lanes;
			check(blocked_loops(lanes), &run, y);
		}
	}
}
