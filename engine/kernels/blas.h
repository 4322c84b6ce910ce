/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Matrix products through CBLAS: the only door to it.
 *
 * Each call runs on the calling thread alone; slices are the engine's
 * business. blas_init() sets that up and must have run before any other call.
 *
 * Threads: safe from any thread after blas_init().
 * Limits:  extents below 2^31. The serial build of OpenBLAS is refused: it
 *          gives wrong products when many threads call it.
 */
#ifndef ENGINE_KERNELS_BLAS_H
#define ENGINE_KERNELS_BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** c[m,n] = alpha op(a)[m,k] op(b)[k,n] + beta c, all row-major; lda, ldb and
 * ldc are the distances of rows as stored. beta 0 does not read c. */
struct blas_product {
	int64_t m, n, k, lda, ldb, ldc;
	bool trans_a, trans_b;
	double alpha, beta;
};

/** Once, at start, by one thread. ERR_INTERNAL: a build that is not safe. */
MUST_USE enum err_code blas_init(struct err *err);
/** The core that OPENBLAS_CORETYPE should name, where OpenBLAS took kernels of
 * one that cannot be this CPU; NULL: it chose well. */
const char *blas_better_core(void);
/** Compares about 200 small products with plain loops; ERR_INTERNAL names the
 * first that differs. */
MUST_USE enum err_code blas_self_test(struct err *err);
void blas_product_f32(const struct blas_product *p, const float *a,
		      const float *b, float *c);
void blas_product_f64(const struct blas_product *p, const double *a,
		      const double *b, double *c);

#endif
