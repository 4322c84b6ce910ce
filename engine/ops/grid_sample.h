/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * GridSample, as its gradient uses it: which elements a place reads along an
 * axis, and how their weights follow the place.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_GRID_SAMPLE_H
#define ENGINE_OPS_GRID_SAMPLE_H

#include "engine/kernel.h"

enum { GRID_DIMS = 3, GRID_AXIS_TAPS = 4 };
enum grid_mode { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC };
enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };

struct grid_attrs {
	int64_t align_corners;
	const char *mode, *padding_mode;
};

struct grid {
	enum grid_mode mode;
	enum grid_padding padding;
	bool align, narrow; /**< narrow: places are float */
	unsigned rank;
	int64_t dim[GRID_DIMS], n_in, n_out, n_batch;
};

/** Taps on one axis; at -1: nothing is there. */
struct grid_axis {
	unsigned n;
	int64_t at[GRID_AXIS_TAPS];
	double weight[GRID_AXIS_TAPS];
};

extern const struct op_attr grid_sample_attrs[];

/** in 0: X, in 1: the grid. */
MUST_USE enum err_code grid_read(const struct infer *infer, struct grid *ret,
				 struct err *err);
/** v: a number of the grid. */
void grid_axis_taps(const struct grid *g, int64_t len, double v,
		    struct grid_axis *ret);
/** slope[t]: of weight t by v. */
void grid_axis_slopes(const struct grid *g, int64_t len, double v,
		      const struct grid_axis *axis,
		      double slope[GRID_AXIS_TAPS]);

#endif
