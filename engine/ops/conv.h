/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolutions: attributes and geometry, for all kernels of the family.
 *
 *   y[n,m,o] = bias[m] + sum over c, taps k of x[n,c,o * stride + k] w[m,c,k]
 * within each of `group` groups of channels. The gradients are rows of their
 * own over the same geometry:
 *   dx = ConvGradData<shape = x's>(dy, w)
 *   dw = ConvGradWeights<kernel_shape>(dy, x)
 * and the bias gradient is the sum of dy over all axes but the channels.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_CONV_H
#define ENGINE_OPS_CONV_H

#include "engine/kernel.h"
#include "engine/ops/window.h"

/** Of Conv, ConvGradData and ConvGradWeights. */
struct conv_attrs {
	struct window_attrs window; /**< ceil_mode is not theirs */
	int64_t group;
	struct attr_ints shape; /**< ConvGradData: the shape of x */
};

/** All of them but `shape`: Conv's and ConvInteger's. */
extern const struct op_attr conv_attr_rows[];

/** Of ConvTranspose, which is ConvGradData by another name: X is dy, and Y has
 * the shape of x. */
struct conv_transpose_attrs {
	struct window_attrs window;
	int64_t group;
	struct attr_ints output_padding, output_shape;
};

/** A ConvTranspose as the Conv whose gradient it is: its attributes with all
 * padding written out, and the shape of Y. */
struct conv_transpose {
	struct conv_attrs attrs;
	struct shape y;
	int64_t pads[2 * WINDOW_DIMS]; /**< attrs points here */
};

struct conv {
	struct window window;
	int64_t batch, group;
	int64_t c, m; /**< channels of x and y in one group */
};

/** What the gradient rows do not have is NULL: x [N, C, ...], w [M, C / group,
 * taps...], dy [N, M, ...]. ERR_SHAPE or ERR_INVALID name what does not fit. */
MUST_USE enum err_code conv_init(const struct conv_attrs *attrs,
				 const struct shape *x, const struct shape *w,
				 const struct shape *dy, struct conv *ret,
				 struct err *err);
MUST_USE enum err_code
conv_transpose_init(const struct conv_transpose_attrs *attrs,
		    const struct shape *x, const struct shape *w,
		    struct conv_transpose *ret, struct err *err);
/** The geometry of a query that infer() let pass, of any row of the family. */
void conv_query(const struct kernel_query *query, struct conv *ret);
/** Turns a plane of one column into one of one row, whose elements lie alike:
 * rows are what kernels take at once. For queries, not for shapes. */
void conv_lay_down(struct window *w);
/** Multiplications and additions. */
double conv_flops(const struct conv *conv);
/** Whether conv_taps beats all others on this CPU. */
bool conv_taps_suits(const struct conv *conv);

extern const struct kernel conv_blas, conv_taps, conv_tiny,
    conv_grad_data_plain, conv_grad_data_blas, conv_grad_data_tiny,
    conv_grad_weights_blas, conv_grad_weights_tiny;

#endif
