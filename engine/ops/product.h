/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Products: what MatMul, MatMulT and Gemm ask of a kernel.
 *
 * y = alpha op(a) op(b) + beta c for each batch, where op() may swap the last
 * two axes. Batches of `a` over one shared `b` are folded into rows, so that
 * they are one product.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_PRODUCT_H
#define ENGINE_OPS_PRODUCT_H

#include "engine/kernel.h"

struct product {
	int64_t m, n, k;
	bool trans_a, trans_b;
	int64_t n_batch;
	struct shape batch; /**< axes of n_batch */
	/** elements from one batch to the next, by axis; 0: shared */
	int64_t step_a[SHAPE_MAX_RANK], step_b[SHAPE_MAX_RANK];
	double alpha, beta;
	bool has_c;
	int64_t row_c, col_c; /**< elements to the next row, column of c */
};

struct matmul_attrs {
	int64_t trans_a, trans_b;
};
struct gemm_attrs {
	double alpha, beta;
	int64_t transA, transB;
};

/** Of MatMul: inputs 0 and 1 by numpy's rules. */
MUST_USE enum err_code matmul_infer(struct infer *infer, struct err *err);
/** The product of a MatMul, MatMulT or Gemm that infer() let pass. */
void product_query(const struct kernel_query *query, struct product *ret);
/** First elements of a and b in batch i. */
void product_batch(const struct product *p, int64_t i, int64_t *ret_a,
		   int64_t *ret_b);
/** Multiplications and additions of all batches. */
double product_flops(const struct product *p);

extern const struct kernel product_panels, product_tiles, product_plain,
    product_row, product_blas;

#endif
