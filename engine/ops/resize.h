/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Resize: where each place of the result lies in the input, and by which
 * weights it is made, axis by axis.
 *
 * A place x of an axis lies between two elements; it is a sum over `n` taps
 * from `first` on. Elements beyond the border are the border's.
 *
 * Ownership: plain data.
 * Threads:   pure.
 */
#ifndef ENGINE_OPS_RESIZE_H
#define ENGINE_OPS_RESIZE_H

#include "engine/kernel.h"

enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };

struct resize_attrs {
	int64_t antialias, exclude_outside;
	struct attr_ints axes;
	const char *coordinate, *policy, *mode, *nearest;
	double cubic_a, extrapolation;
};

struct resize_axis {
	int64_t in, out;
	double scale, start, end; /* start, end: of the region, 0 to 1 */
	bool by_size;		  /* scale is out / in */
	bool same;		  /* nothing happens on it */
};

/* Axes without change are joined. A scalar is one axis of one element. */
struct resize {
	enum resize_mode mode;
	unsigned coordinate, nearest;
	bool antialias, exclude_outside;
	double cubic_a, extrapolation;
	unsigned rank;
	struct resize_axis axis[SHAPE_MAX_RANK];
};

/** Taps of one place. */
struct resize_place {
	int64_t first, n; /**< first may lie before the axis */
	double ratio;	  /**< 0 < ratio <= 1: from the tap that is 0 */
	double stretch, sum;
	bool outside; /**< it has the extrapolation value */
};

/** Reads the inputs roi, scales and sizes (first, first + 1, first + 2) for
 * data of shape x, and checks them. */
MUST_USE enum err_code resize_read(const struct infer *infer,
				   const struct shape *x, unsigned first,
				   struct resize *ret, struct shape *ret_y,
				   struct err *err);
/** Place j of the result on axis i. */
void resize_locate(const struct resize *r, unsigned i, int64_t j,
		   struct resize_place *ret);
/** Weight of tap t, and the element that it reads. */
double resize_weight(const struct resize *r, unsigned i,
		     const struct resize_place *place, int64_t t,
		     int64_t *ret_at);

/** For the row of Resize: the fast form, and both of its gradient. */
extern const struct kernel resize_rows_kernel, resize_grad_kernel;

#endif
