/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Det: the determinant of each matrix, by elimination with row pivots in
 * double; that of no rows is 1.
 */
#include <math.h>
#include <string.h>

#include "engine/kernel.h"

static enum err_code det_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	char text[64];

	if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
		return infer_fail(err,
				  "input 'X': expected square matrices, got "
				  "shape %s",
				  shape_text(x, text, sizeof(text)));
	infer->out[0].shape = *x;
	infer->out[0].shape.rank = x->rank - 2;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static int64_t find_pivot(const double *a, int64_t n, int64_t k)
{
	int64_t best = k;

	for (int64_t i = k + 1; i < n; i++)
		if (fabs(a[i * n + k]) > fabs(a[best * n + k]))
			best = i;
	return best;
}

static void swap_rows(double *a, int64_t n, int64_t i, int64_t k)
{
	for (int64_t j = 0; j < n; j++) {
		const double keep = a[i * n + j];

		a[i * n + j] = a[k * n + j];
		a[k * n + j] = keep;
	}
}

static double det(double *a, int64_t n)
{
	double product = 1;

	for (int64_t k = 0; k < n; k++) {
		const int64_t pivot = find_pivot(a, n, k);
		const double *top = a + k * n;

		if (a[pivot * n + k] == 0)
			return 0;
		if (pivot != k) {
			swap_rows(a, n, pivot, k);
			product = -product;
		}
		product *= top[k];
		for (int64_t i = k + 1; i < n; i++) {
			const double factor = a[i * n + k] / top[k];

			for (int64_t j = k; j < n; j++)
				a[i * n + j] -= factor * top[j];
		}
	}
	return product;
}

static enum err_code det_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;

	(void)err;
	ret->scratch_bytes =
	    (size_t)shape_range(x, x->rank - 2, x->rank) * sizeof(double);
	return ERR_NONE;
}

static void det_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	const enum dtype elem = call->query->in[0].type.elem;
	const int64_t n = x->dim[x->rank - 1];
	const size_t bytes = (size_t)(n * n) * dtype_info(elem)->size;
	int64_t first, last;

	kernel_slice(shape_count(&call->query->out[0].shape), call->n_slices,
		     slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		double result;

		dtype_convert(elem,
			      (const char *)call->in[0] + (size_t)i * bytes,
			      DTYPE_F64, scratch, (size_t)(n * n), false);
		result = det(scratch, n);
		if (elem == DTYPE_F64)
			((double *)call->out[0])[i] = result;
		else
			((float *)call->out[0])[i] = (float)result;
	}
}

static bool det_fits(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

static const struct kernel det_kernel = {
	.name = "det.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = det_fits,
	.prepare = det_prepare,
	.run = det_run,
};
static const struct kernel *const det_kernels[] = { &det_kernel, NULL };

static const struct port det_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ 0 },
};
static const struct port det_out[] = { { "Y", "T", 0 }, { 0 } };

static const struct op_case det_cases[] = {
	{ .name = "one", .graph = "y = Det(x:float[4,4])" },
	{ .name = "many", .graph = "y = Det(x:double[2,3,5,5])" },
	{ .name = "single", .graph = "y = Det(x:float[3,1,1])" },
	{ .name = "zero pivot", .graph = "y = Det(x:float[2,2]={0,1,1,0})" },
	{ .name = "singular", .graph = "y = Det(x:float[2,2]={1,2,2,4})" },
	{ .name = "no rows", .graph = "y = Det(x:float[2,0,0])" },
	{ .name = "no matrix", .graph = "y = Det(x:float[0,3,3])" },
	{ .name = "not square",
	  .graph = "y = Det(x:float[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "vector", .graph = "y = Det(x:float[3])", .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_det;
const struct op op_det = {
	.domain = "",
	.name = "Det",
	.help = "Determinants of square matrices.",
	.since = 11,
	.in = det_in,
	.out = det_out,
	.infer = det_infer,
	.kernels = det_kernels,
	.cases = det_cases,
};
