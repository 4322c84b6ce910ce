/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Integer products: exact sums of products of differences of bytes.
 *
 *   sum[i, j] = sum over l < k of (a[i, l] - zero of a) (b[l, j] - zero of b)
 * A difference of bytes is at most 255, so 256 products add up exactly in
 * float: the sums go through BLAS in parts of that depth and are gathered in
 * int32, which wraps. The operator loads tiles as floats and stores sums.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_INT_PRODUCT_H
#define ENGINE_OPS_INT_PRODUCT_H

#include "engine/kernel.h"

/** A block of rows and columns of the result, and a part of the depth. */
struct int_tile {
	int64_t batch, row, n_rows, col, n_cols, k, n_k;
};

struct int_job {
	int64_t n_batch, m, n, k;
	const void *ctx; /**< the operator's own */
	/** to[n_rows][n_k] and to[n_k][n_cols], zero points taken off. */
	void (*load_a)(const void *ctx, const struct int_tile *tile, float *to);
	void (*load_b)(const void *ctx, const struct int_tile *tile, float *to);
	/** sum[n_rows][n_cols] */
	void (*store)(const void *ctx, const struct int_tile *tile,
		      const int32_t *sum);
};

/** Scratch and slices; like the cost, by the extents alone. */
void int_job_setup(const struct int_job *job, unsigned want_slices,
		   struct kernel_setup *ret);
/** prepare() of a reference kernel: scratch, one slice. */
MUST_USE enum err_code int_job_plain_prepare(const struct kernel_query *query,
					     struct kernel_setup *ret,
					     struct err *err);
double int_job_cost(const struct int_job *job);
/** The slice's tiles. plain: without BLAS, one product after the other. */
void int_job_run(const struct int_job *job, unsigned n_slices, unsigned slice,
		 void *scratch, bool plain);

/** Bytes to floats, `zero` taken off. elem is uint8 or int8. */
void int_load(enum dtype elem, const void *from, int64_t at, int64_t n,
	      int32_t zero, float *to);
/** The same with a zero point for each. */
void int_load_by(enum dtype elem, const void *from, int64_t at, int64_t n,
		 const int32_t *zero, float *to);

#endif
