/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvNarrow: convolutions and products of narrow values (bytes, bfloat16),
 * with what follows them:
 *
 *   real = S[m] (conv(X - x_zero, W) + B[m]) + z_scale Z
 *   Y    = epilogue(real), where Y is float
 *   Y    = saturate(round(epilogue(real) / y_scale) + y_zero), where it is of
 *          bytes
 *
 * X is uint8, int8 or bfloat16, W int8 or bfloat16. Padding is what X - x_zero
 * has 0 for; zero points are 0 of what is not bytes. S (one number: 1) holds
 * the scales of X and W together, B counts in units of the sums.
 *
 * Values are plain [N, C, spatial...] or, where x_last or y_last (Y's and Z's)
 * is 1, channels last: [N, spatial..., C], the form in which libraries want
 * bytes. W is Conv's [M, C / group, taps...], or [M, C] of a product over X's
 * last axis, whatever stands before that; x_last and y_last are 1 then.
 *
 * Z stands first, as Y may take its bytes.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_CONV_NARROW_H
#define ENGINE_OPS_CONV_NARROW_H

#include "engine/kernel.h"
#include "engine/ops/conv.h"
#include "engine/ops/epilogue.h"

enum conv_narrow_in {
	CONV_NARROW_Z,
	CONV_NARROW_X,
	CONV_NARROW_W,
	CONV_NARROW_S,
	CONV_NARROW_B,
	CONV_NARROW_N_IN
};

struct conv_narrow_attrs {
	struct conv_attrs conv;
	int64_t x_last, y_last;
	int64_t to; /**< Y's element type */
	int64_t x_zero, y_zero;
	double y_scale, z_scale;
	const char *activation; /**< the name of an epilogue */
	double alpha, beta;	/**< of the epilogue */
};

struct conv_narrow {
	/** A product is a convolution of one tap over one axis, its rows. */
	struct conv conv;
	bool x_last, y_last, has_bias, has_sum, is_product;
	enum dtype x_elem, y_elem, z_elem;
	double y_scale, z_scale; /**< 1 where it has none */
	int32_t x_zero, y_zero;
	struct epilogue epilogue;
};

/** The shape as if channels stood on axis 1, and back. */
struct shape channels_first(const struct shape *last);
struct shape channels_last(const struct shape *first);
/** The geometry of a query that infer() let pass. */
void conv_narrow_query(const struct kernel_query *query,
		       struct conv_narrow *ret);

#endif
