/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tap loops: convolution of plain values. A run is some neighbouring outputs of
 * a few channels out, whose sums stay in registers: each tap of each channel in
 * is a row of inputs times a number a channel out. Compiled once for each level
 * of CPU.
 *
 * An output's sum runs over channels in, then rows of taps, then taps, wherever
 * in a run it lies. Levels with fused products round once where the base level
 * rounds twice.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_TAP_LOOPS_H
#define ENGINE_KERNELS_TAP_LOOPS_H

#include <stdint.h>

enum { TAP_MOST = 8 }; /* of any level's n_most */

/** Steps count floats. Weights lie as [channel in][tap row][tap][n_most]. */
struct tap_run {
	const float *x; /**< what the first tap of the first output reads */
	int64_t channel_step, row_step, tap_step;
	int64_t n_channels, n_rows, n_taps;
	const float *w;
	int64_t w_channel_step, w_row_step;
	const float *bias; /**< of n_most channels out */
	float *y;
	int64_t out_at[TAP_MOST]; /**< where each channel out lies from y on */
	int64_t n_out, n_pixels;  /**< n_out <= n_most, n_pixels >= lanes */
};

struct tap_loops {
	int64_t lanes;	/**< of a vector */
	int64_t n_most; /**< channels out of a run */
	int64_t best;	/**< channels out that few should come up to */
	void (*run)(const struct tap_run *run);
};

/** The best level that this CPU runs. */
const struct tap_loops *tap_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct tap_loops *tap_loops_level(unsigned level);

#endif
