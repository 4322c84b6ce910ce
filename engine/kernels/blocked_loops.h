/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops over blocked values (engine/ops/blocked.h): convolution and pooling of
 * a run of output pixels of one row that read the same taps. Convolution takes
 * two blocks of channels out at a time, whose sums stay in registers. Compiled
 * once for each level of CPU.
 *
 * All levels of one width add in the same order; those with fused products
 * round once where the others round twice.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_BLOCKED_LOOPS_H
#define ENGINE_KERNELS_BLOCKED_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/** Steps count floats. The weights of two blocks out lie as
 * [block in][tap row][tap][lane in][2 lanes out]. */
struct conv_run {
	const float *x; /**< what the first tap of the first pixel reads */
	int64_t block_step, row_step, tap_step, pixel_step;
	int64_t n_blocks, n_rows,
	    n_taps;	/**< rows: taps but of the last axis */
	int64_t n_last; /**< lanes of the last block that hold channels */
	int64_t w_block_step, w_row_step;
	const float *w;
	const float *bias; /**< of both blocks out */
	float *y;	   /**< of the first block */
	const float *z;	   /**< residual at y's places, or NULL */
	int64_t out_step;  /**< from the first block out to the second; 0: there
			      is no second */
	int64_t n_pixels;
	float low, high; /**< bounds of what is written */
};

/** Pooling of one block. */
struct pool_run {
	const float *x; /**< what the first tap of the first pixel reads */
	int64_t row_step, tap_step, pixel_step, n_rows, n_taps;
	float *y;
	int64_t n_pixels;
};

/** deep: a channel a group: w [tap row][tap][lanes], one block. Taps that fall
 * outside are left out by the caller's choice of rows and taps. */
struct blocked_loops {
	int64_t lanes;
	void (*dense)(const struct conv_run *run);
	void (*deep)(const struct conv_run *run);
	void (*max)(const struct pool_run *run);
	void (*mean)(const struct pool_run *run, float share);
};

/** The widest level that this CPU runs; NULL: none for this many lanes. */
const struct blocked_loops *blocked_loops(int64_t lanes);

#endif
