/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Winograd: convolution with 3 x 3 windows and stride 1 by fewer
 * multiplications, over values in blocks of channels (engine/ops/blocked.h).
 *
 * The outputs are cut into tiles of size x size. A tile's inputs become values
 * at (size + 2)^2 points, and so do the weights, ahead of time; at each point
 * the channels are summed by a product of matrices, and the tile's outputs are
 * made of the sums. 4 x 4 outputs take 36 multiplications in place of 144, and
 * 2 x 2 take 16 in place of 36.
 *
 * Root mean square errors of 64 channels of normal numbers, as shares of the
 * outputs: 4.3e-7 for a plain sum, 7.3e-7 for tiles of 4 x 4 by the points 0,
 * 5/8, 3/2 and their negatives; the usual points 0, 1, 2 would give 1.7e-6.
 * What is infinite or no number spoils the whole tile.
 *
 * Parts of the work may be run in any order on any threads: sums do not
 * depend on how it is cut.
 *
 * Threads: pure functions; a plan is read only once it is made.
 */
#ifndef ENGINE_KERNELS_WINOGRAD_H
#define ENGINE_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/loops.h"

struct winograd_loops;

struct winograd {
	int64_t batch, c, m;
	int64_t in[2], out[2]; /**< rows and columns */
	int64_t begin[2];      /**< zeros before them */
	unsigned lanes;	       /**< 8 or 16 */
	unsigned size;	       /**< outputs each way: 2, 4; 0: the faster */

	/* By winograd_plan(): */
	const struct winograd_loops *loops;
	int64_t tiles[2]; /**< rows and columns of tiles of an image */
	int64_t chunk;	  /**< tiles whose points are kept at once */
	int64_t group;	  /**< pairs of output blocks, likewise */
	/** The work is cut into so many parts, tiles by outputs. */
	unsigned tile_parts, group_parts;
};

struct winograd_values {
	const float *x, *u;
	const float *bias; /**< of m outputs; may be NULL */
	const float *z;	   /**< added, in y's form; may be NULL */
	float *y;
	float low, high;       /**< y is clipped to these, */
	loop_run *finish;      /**< and goes through this; may be NULL */
	const double *numbers; /**< of finish */
};

/** Completes a plan for about `want` parts; false: this method cannot. */
bool winograd_plan(struct winograd *plan, unsigned want);
/** The steps are compiled for this CPU. */
bool winograd_is_fast(const struct winograd *plan);
/** Predicted us on one thread. */
double winograd_cost(const struct winograd *plan);
/** Bytes of transformed weights, which depend on c, m, lanes and size. */
size_t winograd_weights(const struct winograd *plan);
/** u of plain weights [m][c][3][3]. */
void winograd_transform(const struct winograd *plan, const float *w, float *u);
/** Bytes for one part. */
size_t winograd_scratch(const struct winograd *plan);
/** part < tile_parts * group_parts. */
void winograd_run(const struct winograd *plan,
		  const struct winograd_values *values, unsigned part,
		  void *scratch);

#endif
