/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops of the reductions: every element goes through a map into an
 * accumulator, which an end turns into the result.
 *
 * Floats are added in double, in an order that depends on the shape alone, so
 * that slices of the result change no bit. Sums of integers wrap.
 *
 * Threads: pure.
 */
#ifndef ENGINE_OPS_REDUCE_LOOPS_H
#define ENGINE_OPS_REDUCE_LOOPS_H

#include "engine/tensor.h"

enum reduce_map {
	MAP_SUM,
	MAP_ABS,
	MAP_SQUARE,
	MAP_PRODUCT,
	MAP_MAX,
	MAP_MIN,
	MAP_EXP,
};
enum reduce_end { END_NONE, END_MEAN, END_SQRT, END_LOG };

/** grad: dX from X and from Y and dY repeated to X's shape; NULL: dX = dY */
struct reduce_rule {
	const char *op;
	enum reduce_map map;
	enum reduce_end end;
	const char *grad;
};

/** Axes of x that run on and have one fate are one here; extents of 1 are left
 * out, but n_reduced is at least 1. */
struct reduce {
	const struct reduce_rule *rule;
	unsigned n_kept, n_reduced;
	int64_t kept_dim[SHAPE_MAX_RANK], kept_stride[SHAPE_MAX_RANK];
	int64_t reduced_dim[SHAPE_MAX_RANK], reduced_stride[SHAPE_MAX_RANK];
	bool is_inner_kept;
	int64_t n_out, count; /* results; elements of each */
};

/** Results number first to last - 1. */
typedef void reduce_fn(const struct reduce *r, const void *x, void *y,
		       int64_t first, int64_t last);

/** The loops of an element type, or NULL: the widest level of this CPU. */
reduce_fn *reduce_fn_of(enum dtype dtype);
/** Level i of loop_levels(). */
reduce_fn *reduce_fn_of_level(enum dtype dtype, unsigned level);

#endif
