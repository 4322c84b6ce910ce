/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MaxPool plane by plane: of 2 x 2 windows side by side, with their places,
 * and of any windows over rows and columns, without.
 */
#include "engine/kernels/plane_loops.h"
#include "engine/kernels/planes.h"
#include "engine/ops/pool.h"

enum { MAX_SLICES = 64, SLICE_OUTPUTS = 1 << 15, ROOM_MAX = 1 << 20 };

/* Windows of 2 x 2 side by side over x. */
static bool are_of_4(const struct kernel_query *query, const struct fact *x)
{
	const struct pool_attrs *attrs = query->attrs;
	struct window w;

	if (x->type.elem != DTYPE_F32 || attrs->storage_order ||
	    window_init(&attrs->window, &attrs->window.kernel_shape, &x->shape,
			&w, NULL) ||
	    w.n != 2 || w.n_in > INT32_MAX / 2)
		return false;
	for (int i = 1; i < WINDOW_DIMS; i++)
		if (w.kernel[i] != 2 || w.stride[i] != 2 ||
		    w.dilation[i] != 1 || w.begin[i] || w.out[i] != w.in[i] / 2)
			return false;
	return true;
}

static bool fits(const struct kernel_query *query)
{
	return are_of_4(query, &query->in[0]);
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->out[0].shape) * 1.2e-3;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;
	const int64_t n = shape_count(y) / SLICE_OUTPUTS;

	(void)err;
	ret->n_slices =
	    kernel_slices(query, n < MAX_SLICES ? (double)n : MAX_SLICES);
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

static bool grad_fits(const struct kernel_query *query)
{
	return are_of_4(query, &query->in[1]);
}

static double grad_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1.2e-3;
}

static enum err_code grad_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const int64_t n = shape_count(&query->in[0].shape) / SLICE_OUTPUTS;

	(void)err;
	ret->n_slices =
	    kernel_slices(query, n < MAX_SLICES ? (double)n : MAX_SLICES);
	return ERR_NONE;
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct shape *dy = &call->query->in[0].shape;
	const struct shape *x = &call->query->in[1].shape;
	const int64_t n_in = shape_range(x, 2, 4);
	const int64_t n_out = shape_range(dy, 2, 4);
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++)
		plane_loops()->give_to_4(x->dim + 2,
					 (const float *)call->in[1] + i * n_in,
					 (const float *)call->in[0] + i * n_out,
					 (float *)call->out[0] + i * n_in);
}

const struct kernel max_pool_grad_planes = {
	.name = "max_pool_grad.planes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = grad_fits,
	.cost = grad_cost,
	.prepare = grad_prepare,
	.run = grad_run,
};

/* Any windows over planes of x; false: they have more axes. */
static bool windows_over(const struct kernel_query *query, const struct fact *x,
			 struct plane_window *ret)
{
	const struct pool_attrs *attrs = query->attrs;
	struct window w;

	if (x->type.elem != DTYPE_F32 ||
	    window_init(&attrs->window, &attrs->window.kernel_shape, &x->shape,
			&w, NULL) ||
	    w.n > 2)
		return false;
	for (int i = 0; i < 2; i++) {
		ret->in[i] = w.in[i + 1];
		ret->out[i] = w.out[i + 1];
		ret->kernel[i] = w.kernel[i + 1];
		ret->stride[i] = w.stride[i + 1];
		ret->dilation[i] = w.dilation[i + 1];
		ret->begin[i] = w.begin[i + 1];
	}
	return true;
}

/* The windows of a query that fits; false: it does not. */
static bool windows_of(const struct kernel_query *query,
		       struct plane_window *ret)
{
	return (query->n_out < 2 || query->out[1].type.elem == DTYPE_NONE) &&
	       windows_over(query, &query->in[0], ret);
}

static bool windows_fits(const struct kernel_query *query)
{
	struct plane_window w;

	return windows_of(query, &w);
}

/* Rows are read once a tap, columns a little slower. */
static double windows_cost(const struct kernel_query *query)
{
	struct plane_window w = { 0 };

	if (!windows_of(query, &w))
		return 0;
	return 0.1 + (double)shape_range(&query->out[0].shape, 0, 2) *
			 (double)w.out[0] *
			 ((double)(w.kernel[0] * w.in[1]) * 1.5e-4 +
			  (double)(w.kernel[1] * w.out[1]) * 3e-4);
}

static enum err_code windows_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	struct plane_window w = { 0 };
	enum err_code rc = prepare(query, ret, err);

	if (!rc && windows_of(query, &w))
		ret->scratch_bytes =
		    (size_t)plane_window_width(&w) * sizeof(float);
	return rc;
}

static void windows_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct shape *x = &q->in[0].shape;
	struct plane_window w;
	int64_t first, last;

	if (!windows_of(q, &w))
		return;
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++)
		plane_loops()->largest(
		    &w, (const float *)call->in[0] + i * w.in[0] * w.in[1],
		    (float *)call->out[0] + i * w.out[0] * w.out[1], scratch);
}

const struct kernel max_pool_windows = {
	.name = "max_pool.windows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = windows_fits,
	.cost = windows_cost,
	.prepare = windows_prepare,
	.run = windows_run,
};

static bool grad_windows_fits(const struct kernel_query *query)
{
	struct plane_window w;

	return windows_over(query, &query->in[1], &w) &&
	       w.in[0] * w.in[1] < INT32_MAX / 2 &&
	       plane_give_room(&w) < ROOM_MAX;
}

static double grad_windows_cost(const struct kernel_query *query)
{
	struct plane_window w = { 0 };

	if (!windows_over(query, &query->in[1], &w))
		return 0;
	return 0.1 +
	       (double)shape_range(&query->in[1].shape, 0, 2) *
		   ((double)(w.kernel[0] * w.kernel[1] * w.out[0] * w.out[1]) *
			3e-4 +
		    (double)(w.in[0] * w.in[1]) * 1e-4);
}

static enum err_code grad_windows_prepare(const struct kernel_query *query,
					  struct kernel_setup *ret,
					  struct err *err)
{
	struct plane_window w = { 0 };
	enum err_code rc = grad_prepare(query, ret, err);

	if (!rc && windows_over(query, &query->in[1], &w))
		ret->scratch_bytes =
		    (size_t)plane_give_room(&w) * sizeof(int32_t);
	return rc;
}

static void grad_windows_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	const struct kernel_query *q = call->query;
	struct plane_window w;
	int64_t first, last;

	if (!windows_over(q, &q->in[1], &w))
		return;
	kernel_slice(shape_range(&q->in[1].shape, 0, 2), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t in = i * w.in[0] * w.in[1];

		plane_loops()->give(&w, (const float *)call->in[1] + in,
				    (const float *)call->in[0] +
					i * w.out[0] * w.out[1],
				    (float *)call->out[0] + in, scratch);
	}
}

const struct kernel max_pool_grad_windows = {
	.name = "max_pool_grad.windows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = grad_windows_fits,
	.cost = grad_windows_cost,
	.prepare = grad_windows_prepare,
	.run = grad_windows_run,
};
