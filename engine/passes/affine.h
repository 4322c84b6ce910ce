/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Affine: a node that scales and shifts channels, y = scale x + shift, and the
 * product before it that can take both into its own constants.
 *
 * Channels are axis 1 of what Conv, ConvTranspose and BatchNormalization give
 * and the last axis of what Gemm and MatMul give. Sums are made in double.
 *
 * Ownership: numbers live in the edit's arena.
 * Threads:   one.
 */
#ifndef ENGINE_PASSES_AFFINE_H
#define ENGINE_PASSES_AFFINE_H

#include "engine/passes/edit.h"

struct affine {
	int32_t x; /**< what is scaled */
	int64_t n; /**< channels */
	double *scale, *shift;
	bool has_shift; /**< some shift is not 0 */
};

/** Conv, ConvTranspose, Gemm or MatMul with constant weights, whose result
 * nobody else reads. */
struct product_node {
	const struct graph_node *node;
	const struct tensor_view *weight, *bias; /**< bias NULL: none */
	int64_t n;				 /**< channels of the result */
	bool is_last; /**< they are the last axis, else axis 1 */
	int rank;     /**< of the result, or the least it can be */
};

/** False when value comes from no such node. */
bool product_of(const struct edit *edit, int32_t value,
		struct product_node *ret);

/** BatchNormalization by running statistics, all constant. False when it is
 * something else, or out of memory. */
bool affine_of_batch_norm(struct edit *edit, const struct graph_node *node,
			  struct affine *ret);
/** Add, Sub, Mul or Div of a product and a constant that is one number or has
 * one a channel. */
bool affine_of_arithmetic(struct edit *edit, const struct graph_node *node,
			  struct affine *ret, struct product_node *product);

/** What Add, Sub, Mul or Div by c (on the left?) does to the other operand. */
void affine_arithmetic(const struct graph_node *node, bool is_left, double c,
		       double *scale, double *shift);
/** A constant of those numbers, float or double; VALUE_NONE: the build
 * has failed. */
int32_t affine_constant(struct edit *edit, enum dtype dtype,
			const struct shape *shape, const double *number);

/** The product with other constants, in place of the scaled result; false
 * when its form has no place for a shift. */
bool affine_fold(struct edit *edit, const struct product_node *product,
		 const struct affine *affine, int32_t *ret_value);

#endif
