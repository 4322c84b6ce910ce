/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Windows: the geometry that convolution and pooling share.
 *
 * A window slides over 1 to 3 spatial axes, held right-aligned in three:
 * axes that are not there have extent 1. Loops go tap by tap: for one tap of
 * the window (a position inside it) the outputs whose source lies inside the
 * input are a box, and output o reads input o * stride + first. So padding
 * costs no test in an inner loop.
 *
 * Threads: pure.
 */
#ifndef ENGINE_OPS_WINDOW_H
#define ENGINE_OPS_WINDOW_H

#include "engine/op.h"

enum { WINDOW_DIMS = 3 };

struct window_attrs {
	const char *auto_pad; /**< NOTSET, SAME_UPPER, SAME_LOWER, VALID */
	struct attr_ints kernel_shape, strides, pads, dilations;
	int64_t ceil_mode;
};

struct window {
	unsigned n; /**< spatial axes that are really there */
	int64_t in[WINDOW_DIMS], out[WINDOW_DIMS], kernel[WINDOW_DIMS],
	    stride[WINDOW_DIMS], dilation[WINDOW_DIMS], begin[WINDOW_DIMS],
	    end[WINDOW_DIMS];	     /**< begin, end: padding */
	int64_t n_in, n_out, n_taps; /**< products */
};

/** Outputs lo..hi-1 of each axis have a source for this tap. */
struct window_tap {
	int64_t lo[WINDOW_DIMS], hi[WINDOW_DIMS], first[WINDOW_DIMS];
	int64_t n_rows; /**< rows of the box along the last axis */
};

/** x: [N, C, spatial...] of rank 3 to 5; kernel: one extent a spatial axis
 * (n_kernel of them). Checks everything that kernels rely on. */
MUST_USE enum err_code window_init(const struct window_attrs *attrs,
				   const struct attr_ints *kernel,
				   const struct shape *x, struct window *ret,
				   struct err *err);
/** [first, second, out...]. */
MUST_USE enum err_code window_shape(const struct window *window, int64_t first,
				    int64_t second, struct shape *ret,
				    struct err *err);
/** Tap number `tap` in row-major order. */
void window_tap(const struct window *w, int64_t tap, struct window_tap *ret);

/** Row number `row` of a tap's box: its first output and the source of that
 * output, as offsets in their planes. The row has hi[2] - lo[2] outputs, whose
 * sources lie stride[2] apart. */
static inline void window_row(const struct window *w,
			      const struct window_tap *tap, int64_t row,
			      int64_t *out, int64_t *in)
{
	const int64_t height = tap->hi[1] - tap->lo[1];
	const int64_t d = tap->lo[0] + row / height;
	const int64_t h = tap->lo[1] + row % height;

	*out = (d * w->out[1] + h) * w->out[2] + tap->lo[2];
	*in = ((d * w->stride[0] + tap->first[0]) * w->in[1] +
	       h * w->stride[1] + tap->first[1]) *
		  w->in[2] +
	      tap->lo[2] * w->stride[2] + tap->first[2];
}

#endif
