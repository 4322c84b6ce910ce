/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MaxPool of 2 x 2 windows side by side, with their places.
 */
#include "engine/kernels/plane_loops.h"
#include "engine/kernels/planes.h"
#include "engine/ops/pool.h"

enum { MAX_SLICES = 64, SLICE_OUTPUTS = 1 << 15 };

static bool fits(const struct kernel_query *query)
{
	const struct pool_attrs *attrs = query->attrs;
	struct window w;

	if (query->in[0].type.elem != DTYPE_F32 || attrs->storage_order ||
	    window_init(&attrs->window, &attrs->window.kernel_shape,
			&query->in[0].shape, &w, NULL) ||
	    w.n != 2 || w.n_in > INT32_MAX / 2)
		return false;
	for (int i = 1; i < WINDOW_DIMS; i++)
		if (w.kernel[i] != 2 || w.stride[i] != 2 ||
		    w.dilation[i] != 1 || w.begin[i] || w.out[i] != w.in[i] / 2)
			return false;
	return true;
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->out[0].shape) * 1.2e-3;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;
	int64_t n = shape_count(y) / SLICE_OUTPUTS;

	(void)err;
	if (n > query->want_slices)
		n = query->want_slices;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	/* values that nobody reads */
	ret->scratch_bytes = (size_t)shape_range(y, 2, y->rank) * sizeof(float);
	return ERR_NONE;
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct shape *x = &q->in[0].shape, *y = &q->out[0].shape;
	const int64_t n_in = shape_range(x, 2, 4), n_out = shape_range(y, 2, 4);
	const float *from = call->in[0];
	float *to = call->out[0];
	int64_t *at = q->n_out > 1 ? call->out[1] : NULL;
	int64_t first, last;

	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++)
		plane_loops()->largest_of_4(
		    x->dim + 2, from + i * n_in, to ? to + i * n_out : scratch,
		    at ? at + i * n_out : NULL, i * n_in);
}

const struct kernel max_pool_planes = {
	.name = "max_pool.planes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
