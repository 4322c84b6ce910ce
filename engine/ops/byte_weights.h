/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Byte weights: products of floats by weights that are stored as bytes.
 *
 *   y[i, j] = base[j] + sum over l of x[i, l] (w[l, j] - zero[j]) scale[j]
 * Each row of x becomes whole numbers by its own range; their products by w are
 * exact sums of integers (engine/kernels/byte_product.h), which are scaled.
 * Numbers of 15 bits and a sign, as two bytes, are off by at most the row's
 * largest magnitude / 65,000. Narrow ones are those of DynamicQuantizeLinear:
 * one byte, off by at most its range / 510. A row that holds NaN or an infinity
 * gives NaN; one whose magnitudes are all below 1e-34 counts as 0.
 *
 * Ownership: plain data; the packed bytes are the caller's (engine/pack.h).
 * Threads:   pure functions.
 * Limits:    BYTE_WEIGHTS_MAX_K deep, so that no sum wraps.
 */
#ifndef ENGINE_OPS_BYTE_WEIGHTS_H
#define ENGINE_OPS_BYTE_WEIGHTS_H

#include "engine/kernel.h"
#include "engine/kernels/byte_product.h"

enum { BYTE_WEIGHTS_MAX_K = 32768, BYTE_WEIGHTS_ROWS = 24 };

struct byte_weights {
	struct byte_form form; /**< of one part; A is not signed */
	const void *packed;
	const int32_t *zero; /**< one, or form.n; NULL: 0 */
	int64_t n_zero;
	const float *scale;    /**< [form.n] */
	const int32_t *column; /**< [form.n], by byte_weights_columns() */
	const float *base;     /**< [form.n]; NULL: y itself */
	bool is_narrow;
	int64_t y_step; /**< floats from row to row of y */
};

/** The form of weights [k, n] of uint8 or int8, in these loops. */
struct byte_form byte_weights_form(const struct byte_loops *loops, int64_t k,
				   int64_t n, enum dtype elem);
/** Sums of columns less their zero points; `w` but for them. */
void byte_weights_columns(const struct byte_weights *w, int32_t *column);
/** Of one byte_weights_add(); 64-byte aligned. */
size_t byte_weights_scratch(int64_t k);
/** Rows of x are k floats, one behind the other. Columns of panels
 * [first, last), of byte_panels(n), are written or added to. */
void byte_weights_add(const struct byte_weights *w, int64_t m, const float *x,
		      float *y, const int64_t first_last[2], void *scratch);

#endif
