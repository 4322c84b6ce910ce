/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Activations: what their rows share.
 *
 * An activation has one operand; its gradient is an operator of its own
 * (domain predictd) that reads dY and V, the operand or the result, whichever
 * is cheaper to keep.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_OPS_ACTIVATION_H
#define ENGINE_OPS_ACTIVATION_H

#include "engine/ops/elementwise.h"

extern const struct port activation_in[], activation_out[];
extern const struct port activation_grad_in[], activation_grad_out[];

/** Of the gradients: V has the shape of dY. */
MUST_USE enum err_code activation_infer_grad(struct infer *infer,
					     struct err *err);

/** Cases of a gradient row; with is "" or "<alpha=0.5>". */
#define ACTIVATION_GRAD_CASES(op, with)                         \
	(const struct op_case[])                                \
	{                                                       \
		{ .name = "matrix",                             \
		  .graph = "dx = predictd." op with             \
			   "(dy:float[5,13], v:float[5,13])" }, \
		    { .name = "nothing",                        \
		      .graph = "dx = predictd." op with         \
			       "(dy:float[0], v:float[0])" },   \
		    { .name = "shapes that differ",             \
		      .graph = "dx = predictd." op with         \
			       "(dy:float[3], v:float[1])",     \
		      .want = ERR_SHAPE },                      \
		    { 0 },                                      \
	}

/** A gradient's row. */
#define ACTIVATION_GRAD_ROW(op, of, reads, table, bytes, with)             \
	{                                                                  \
		.domain = "predictd", .name = op,                          \
		.help = "gradient of " of "; V is its " reads, .since = 1, \
		.in = activation_grad_in, .out = activation_grad_out,      \
		.attrs = table, .attrs_size = bytes,                       \
		.infer = activation_infer_grad,                            \
		.kernels = elementwise_kernels,                            \
		.cases = ACTIVATION_GRAD_CASES(op, with),                  \
	}

#endif
