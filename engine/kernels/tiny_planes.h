/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tiny planes: convolutions by 3 x 3 taps, one pixel of padding all round,
 * over square planes of a few pixels. There most taps of most outputs would
 * read padding: only the pairs of an output and an input that meet are
 * computed, and which they are is known when this is compiled. Lanes of
 * vectors are images (channels in, for the gradient by weights), so that a
 * plane of any size fills them. Weights are read as they lie, once, in order.
 * Compiled once for each level of CPU.
 *
 * A sum runs over channels, then taps, wherever in a run it lies. Levels with
 * fused products round once where the base level rounds twice.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_TINY_PLANES_H
#define ENGINE_KERNELS_TINY_PLANES_H

#include <stdint.h>

enum { TINY_TAPS = 9 };

/** Results of one group of images from sources: of channels out from channels
 * in, or, for the gradient by data, the other way round. Steps count floats. */
struct tiny_sums {
	const float *x; /**< sources [n_sums][pixels][lanes] */
	const float *w; /**< of the first result; 9 taps lie together */
	int64_t w_sum_step, w_step; /**< from source to source, to the next
				     * result */
	const float *bias;	    /**< of each result; NULL: none */
	float *y;		    /**< results [n][pixels][lanes] */
	int64_t n_sums, n;
};

/** Gradients by weights of n channels out over all images. */
struct tiny_weights {
	const float *x;	 /**< [blocks of channels in][image][pixels][lanes] */
	const float *dy; /**< [n][image][pixels] */
	float *dw;	 /**< [n][c][9] */
	int64_t n_images, c, n;
};

/** Of planes of side x side inputs and steps of `stride`. */
struct tiny_plane {
	int64_t side, stride;
	void (*forward)(const struct tiny_sums *sums);
	void (*data)(const struct tiny_sums *sums);
	void (*weights)(const struct tiny_weights *weights);
};

struct tiny_planes {
	int64_t lanes;
	const struct tiny_plane *plane; /**< ends with side 0 */
	/** rows [n_rows][row_step] of n elements to [n][lanes] and back: rows
	 * beyond n_rows are zeros; n_rows <= lanes */
	void (*spread)(const float *rows, int64_t row_step, int64_t n_rows,
		       int64_t n, float *to);
	void (*gather)(const float *from, int64_t row_step, int64_t n_rows,
		       int64_t n, float *rows);
};

/** The best level that this CPU runs. */
const struct tiny_planes *tiny_planes(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct tiny_planes *tiny_planes_level(unsigned level);
/** NULL: there are none of this size. */
const struct tiny_plane *tiny_plane_find(const struct tiny_planes *planes,
					 int64_t side, int64_t stride);

#endif
