/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Principal components: the directions along which rows differ most.
 *
 * Rows are added one by one; then the covariance (in double) is brought to
 * tridiagonal form by reflections (Householder 1958) and to its eigenvalues by
 * implicit QL steps (Francis 1961). The sign of a component is such that its
 * largest number is positive, so that a fit has one result.
 *
 * Ownership: a fit is create/destroy; results lie in the arena.
 * Threads:   one for a fit; pure functions.
 * Limits:    PCA_MAX_SIZE numbers a row.
 */
#ifndef DATA_PCA_H
#define DATA_PCA_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { PCA_MAX_SIZE = 2048 };

struct pca_fit;

struct pca {
	int64_t size, n;   /**< numbers of a row, components */
	double *component; /**< [n, size], each of length 1, orthogonal */
	double *variance;  /**< share of the whole variance, falling */
};

MUST_USE enum err_code pca_fit_create(int64_t size, struct pca_fit **ret_fit,
				      struct err *err);
void pca_fit_destroy(struct pca_fit *fit);
void pca_fit_add(struct pca_fit *fit, const float *row);
/** The first n components of rows that were added, each place divided by
 * scale[size] (NULL: by 1). */
MUST_USE enum err_code pca_fit_end(struct pca_fit *fit, int64_t n,
				   const double *scale, struct arena *arena,
				   struct pca *ret, struct err *err);
/** Coordinates of a row whose mean is subtracted and whose scale is divided
 * by: out[n] = component row. */
void pca_project(const struct pca *pca, const double *row, float *out);

#endif
