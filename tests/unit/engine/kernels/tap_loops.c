/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/tap_loops.h"

#include <criterion/criterion.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum {
	CHANNELS = 3,
	ROWS = 2,
	TAPS = 3,
	STEP = 2, /* of taps */
	PIXELS = 160,
	WIDTH = PIXELS + (TAPS - 1) * STEP,
	X_SIZE = CHANNELS * ROWS * WIDTH,
	W_SIZE = CHANNELS * ROWS * TAPS * TAP_MOST,
	GAP = 5, /* between channels out */
	Y_SIZE = TAP_MOST * (PIXELS + GAP),
};

static double sum_of(const struct tap_run *run, const struct tap_loops *loops,
		     int64_t out, int64_t pixel)
{
	double sum = (double)run->bias[out];

	for (int64_t i = 0; i < CHANNELS * ROWS * TAPS; i++)
		sum +=
		    (double)run->w[i * loops->n_most + out] *
		    (double)run->x[i / TAPS * WIDTH + i % TAPS * STEP + pixel];
	return sum;
}

/* Every channel out and pixel, and nothing beside them. */
static void check(const struct tap_loops *loops, struct tap_run *run, float *y)
{
	for (int64_t i = 0; i < Y_SIZE; i++)
		y[i] = 123;
	loops->run(run);
	for (int64_t i = 0; i < Y_SIZE; i++) {
		const int64_t out = i / (PIXELS + GAP),
			      pixel = i % (PIXELS + GAP);
		const bool is_made = out < run->n_out && pixel < run->n_pixels;
		const double want =
		    is_made ? sum_of(run, loops, out, pixel) : 123;

		cr_assert_float_eq(
		    y[i], want, 1e-5, "%lld channels, %lld pixels: %lld, %lld",
		    (long long)run->n_out, (long long)run->n_pixels,
		    (long long)out, (long long)pixel);
	}
}

Test(tap_loops, every_count_of_channels_and_pixels_is_right_at_every_level)
{
	float x[X_SIZE], w[W_SIZE], bias[TAP_MOST], y[Y_SIZE];
	const struct rng rng = { .seed = 5, .stream = 1 };

	rng_fill_normal(rng, 0, X_SIZE, x);
	rng_fill_normal(rng, X_SIZE, W_SIZE, w);
	rng_fill_normal(rng, X_SIZE + W_SIZE, TAP_MOST, bias);
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct tap_loops *loops = tap_loops_level(level);
		struct tap_run run = {
			.x = x,
			.channel_step = (int64_t)ROWS * WIDTH,
			.row_step = WIDTH,
			.tap_step = STEP,
			.n_channels = CHANNELS,
			.n_rows = ROWS,
			.n_taps = TAPS,
			.w = w,
			.w_channel_step = ROWS * TAPS * loops->n_most,
			.w_row_step = TAPS * loops->n_most,
			.bias = bias,
			.y = y,
		};

		cr_assert(loops->n_most <= TAP_MOST);
		for (int64_t i = 0; i < TAP_MOST; i++)
			run.out_at[i] = i * (PIXELS + GAP);
		for (run.n_out = 1; run.n_out <= loops->n_most; run.n_out++)
			for (run.n_pixels = loops->lanes;
			     run.n_pixels <= PIXELS; run.n_pixels++)
				check(loops, &run, y);
	}
}
