/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Products of bytes: what MatMulInteger, QLinearMatMul and
 * MatMulIntegerToFloat ask of a kernel.
 *
 *   Y = (A - zero of A) (B - zero of B)
 *   MatMulInteger         Y
 *   QLinearMatMul         saturate(round(Y a_scale b_scale / y_scale) + zero)
 *   MatMulIntegerToFloat  Y (a_scale b_scale) + bias
 * Zero points and scales are one for all, one for each row of A (and of y) or
 * one for each column of B.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_MATMUL_INTEGER_H
#define ENGINE_OPS_MATMUL_INTEGER_H

#include "engine/ops/product.h"

/** Where the operands of a row stand; 0: it has none (input 0 is A). */
struct byte_places {
	unsigned b, a_zero, b_zero, a_scale, b_scale, y_scale, y_zero, bias;
};

/** One operand: elements, zero points and scales. */
struct byte_operand {
	enum dtype elem, scale_elem;
	const void *data, *zero, *scale;
	int64_t n_zero, n_scale;
};

struct byte_matmul {
	void *out;
	const float *bias; /**< NULL: none */
	struct product p;
	struct byte_operand a, b, y;
};

const struct byte_places *byte_places_of(const struct op *op);
/** The product of A and B alone. */
void byte_matmul_product(const struct kernel_query *query, struct product *ret);
void byte_matmul_init(const struct kernel_call *call, struct byte_matmul *ret);
/** Rows of A and columns of B as zero points and scales count them: those of
 * all batches. */
int64_t byte_matmul_row(const struct byte_matmul *mm, int64_t batch,
			int64_t row);
int64_t byte_matmul_column(const struct byte_matmul *mm, int64_t batch,
			   int64_t col);
/** a_scale b_scale / y_scale at one element. */
float byte_matmul_scale(const struct byte_matmul *mm, int64_t batch,
			int64_t row, int64_t col);

/** All bytes, and no float8: what the kernels below take. */
bool byte_matmul_is_whole(const struct kernel_query *query);

/** B has one column; it is known and packed once; it is packed in the run; the
 * plain reference. */
extern const struct kernel matmul_integer_column, matmul_integer_packed,
    matmul_integer_bytes, matmul_integer_plain;

#endif
