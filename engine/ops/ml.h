/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the operators of ai.onnx.ml share: numbers of any of their types, the
 * rows of a matrix, and kernels cut by rows.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_OPS_ML_H
#define ENGINE_OPS_ML_H

#include "engine/kernel.h"

/** X of any number type; Y of floats. */
extern const struct port ml_number_in[], ml_float_out[];

/** A matrix of rows; a vector is one row. */
struct ml_rows {
	int64_t n, width;
	enum dtype elem;
	const char *data; /**< NULL where there is no run */
};

/** Element i of float, double, int64 or int32. */
static inline double ml_number(enum dtype elem, const void *data, int64_t i)
{
	switch (elem) {
	case DTYPE_F32:
		return (double)((const float *)data)[i];
	case DTYPE_F64:
		return ((const double *)data)[i];
	case DTYPE_I64:
		return (double)((const int64_t *)data)[i];
	case DTYPE_I32:
		return (double)((const int32_t *)data)[i];
	default:
		return 0;
	}
}

/** Input 0 of rank 1 or 2; ERR_SHAPE for others. */
MUST_USE enum err_code ml_rows_infer(const struct infer *infer,
				     struct ml_rows *ret, struct err *err);
/** The same where infer() has checked it. */
struct ml_rows ml_rows_of(const struct kernel_query *query, const void *data);
/** Row i as doubles, into room for `width`. */
void ml_row_read(const struct ml_rows *rows, int64_t i, double *ret);

/** Slices for the rows of input 0. */
unsigned ml_slices(const struct kernel_query *query);
/** kernel.prepare of stateless kernels over those rows. */
MUST_USE enum err_code ml_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err);
/** 2 ns an element of input 0 and of output 0. */
double ml_cost(const struct kernel_query *query);

/** "input 'X': expected ..." for a list of 1 or `width` numbers. */
MUST_USE enum err_code ml_check_list(const char *name, size_t n, int64_t width,
				     struct err *err);

#endif
