/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The largest value of each window: MaxPool with its Indices, GlobalMaxPool,
 * and the gradient, which gives dy to the place of the largest. Of equals the
 * first in row-major order counts.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/planes.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/pool.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

#define T float
#define LOWEST (-INFINITY)
#define IS_NAN(x) isnan(x)
#define NAME(x) x##_f32
#include "engine/ops/pool_typed.h"

#define T double
#define LOWEST ((double)-INFINITY)
#define IS_NAN(x) isnan(x)
#define NAME(x) x##_f64
#include "engine/ops/pool_typed.h"

#define T int32_t
#define LOWEST INT32_MIN
#define IS_NAN(x) false
#define NAME(x) x##_i32
#include "engine/ops/pool_typed.h"

/* infer() has seen it pass */
static void query_window(const struct kernel_query *query,
			 const struct shape *x, struct window *ret)
{
	const struct pool_attrs *attrs = query->attrs;
	const enum err_code rc = window_init(
	    &attrs->window, &attrs->window.kernel_shape, x, ret, NULL);

	(void)rc;
}

/* row-major place in a plane to column-major */
static int64_t turn(const struct window *win, int64_t at)
{
	int64_t stride = 1, ret = 0, step[WINDOW_DIMS];

	for (unsigned i = 0; i < WINDOW_DIMS; i++) {
		step[i] = stride;
		stride *= win->in[i];
	}
	for (unsigned i = WINDOW_DIMS; i-- > 0;) {
		ret += at % win->in[i] * step[i];
		at /= win->in[i];
	}
	return ret;
}

static void max_plane(enum dtype elem, const struct window *win, const void *x,
		      void *y, int64_t *at)
{
	if (elem == DTYPE_F32)
		max_plane_f32(win, x, y, at);
	else if (elem == DTYPE_F64)
		max_plane_f64(win, x, y, at);
	else
		max_plane_i32(win, x, y, at);
}

/* spare: a plane to write to where nobody reads the values */
static void plane(const struct kernel_call *call, const struct window *win,
		  int64_t i, void *spare, int64_t *at)
{
	const enum dtype elem = call->query->in[0].type.elem;
	const size_t size = dtype_info(elem)->size;

	max_plane(elem, win,
		  (const char *)call->in[0] + (size_t)(i * win->n_in) * size,
		  call->out[0]
		      ? (char *)call->out[0] + (size_t)(i * win->n_out) * size
		      : spare,
		  at);
}

/* places in the plane become places in the tensor; a window that lies in the
 * padding altogether has none: -1 */
static void finish_indices(const struct kernel_call *call,
			   const struct window *win, int64_t i, int64_t *at)
{
	const struct pool_attrs *attrs = call->query->attrs;

	for (int64_t o = 0; o < win->n_out; o++) {
		if (at[o] < 0)
			continue;
		if (attrs->storage_order)
			at[o] = turn(win, at[o]);
		at[o] += i * win->n_in;
	}
}

static void max_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	int64_t *indices = call->query->n_out > 1 ? call->out[1] : NULL;
	struct window win;
	int64_t first, last;

	query_window(call->query, x, &win);
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		int64_t *at = indices ? indices + i * win.n_out : NULL;

		plane(call, &win, i, scratch, at);
		if (at)
			finish_indices(call, &win, i, at);
	}
}

static void global_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	const int64_t n = shape_range(x, 2, x->rank);
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (call->query->in[0].type.elem == DTYPE_F64)
			max_row_f64((const double *)call->in[0] + i * n, n,
				    (double *)call->out[0] + i);
		else if (call->query->in[0].type.elem == DTYPE_I32)
			max_row_i32((const int32_t *)call->in[0] + i * n, n,
				    (int32_t *)call->out[0] + i);
		else
			max_row_f32((const float *)call->in[0] + i * n, n,
				    (float *)call->out[0] + i);
	}
}

/* dx[at[o]] += dy[o]; a window in the padding has no place */
#define SCATTER(T)                                                         \
	static void scatter_##T(const T *dy, const int64_t *at, int64_t n, \
				T *dx)                                     \
	{                                                                  \
		for (int64_t o = 0; o < n; o++)                            \
			if (at[o] >= 0)                                    \
				dx[at[o]] += dy[o];                        \
	}
SCATTER(float)
SCATTER(double)

/* Finds the places again: cheaper than to keep them. */
static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct shape *x = &call->query->in[1].shape;
	const enum dtype elem = call->query->in[1].type.elem;
	const size_t size = dtype_info(elem)->size;
	int64_t *at = scratch;
	struct window win;
	int64_t first, last;

	query_window(call->query, x, &win);
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		const size_t in = (size_t)(i * win.n_in) * size;
		const char *dy =
		    (const char *)call->in[0] + (size_t)(i * win.n_out) * size;
		char *dx = (char *)call->out[0] + in;

		max_plane(elem, &win, (const char *)call->in[1] + in,
			  at + win.n_out, at);
		memset(dx, 0, (size_t)win.n_in * size);
		if (elem == DTYPE_F64)
			scatter_double((const double *)(const void *)dy, at,
				       win.n_out, (double *)(void *)dx);
		else
			scatter_float((const float *)(const void *)dy, at,
				      win.n_out, (float *)(void *)dx);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	(void)err;
	n = n > shape_range(x, 0, 2) ? shape_range(x, 0, 2) : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static enum err_code max_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;

	ret->scratch_bytes =
	    (size_t)shape_range(y, 2, y->rank) * sizeof(double);
	return prepare(query, ret, err);
}

/* Scratch: places, and values that nobody reads. */
static enum err_code grad_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct shape *dy = &query->in[0].shape;

	ret->scratch_bytes = (size_t)shape_range(dy, 2, dy->rank) *
			     (sizeof(int64_t) + sizeof(double));
	return prepare(query, ret, err);
}

/* windows: an element each */
static double windows_cost(const struct kernel_query *query,
			   const struct shape *windows)
{
	const struct pool_attrs *attrs = query->attrs;
	double taps = 1;

	for (size_t i = 0; i < attrs->window.kernel_shape.n; i++)
		taps *= (double)attrs->window.kernel_shape.v[i];
	return 0.2 + (double)shape_count(windows) * taps * 5e-4;
}

static double cost(const struct kernel_query *query)
{
	return windows_cost(query, &query->out[0].shape);
}

static double grad_cost(const struct kernel_query *query)
{
	return windows_cost(query, &query->in[0].shape) +
	       (double)shape_count(&query->in[1].shape) * 1e-3;
}

static double global_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

static enum err_code max_infer(struct infer *infer, struct err *err)
{
	const struct pool_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct window win;
	enum err_code rc = window_init(
	    &attrs->window, &attrs->window.kernel_shape, x, &win, err);

	if (!rc)
		rc = window_shape(&win, x->dim[0], x->dim[1],
				  &infer->out[0].shape, err);
	if (rc)
		return rc;
	infer->out[0].has_shape = true;
	if (infer->n_out > 1) {
		infer->out[1].shape = infer->out[0].shape;
		infer->out[1].has_shape = true;
	}
	return ERR_NONE;
}

static enum err_code global_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;

	*y = infer->in[0].shape;
	if (y->rank < 2)
		return infer_fail(err,
				  "input 'X': expected [batch, channels, ...], "
				  "got rank %u",
				  y->rank);
	for (unsigned i = 2; i < y->rank; i++)
		y->dim[i] = 1;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	const struct pool_attrs *attrs = infer->attrs;
	const struct shape *dy = &infer->in[0].shape, *x = &infer->in[1].shape;
	struct shape y;
	struct window win;
	char text[2][64];
	enum err_code rc = window_init(
	    &attrs->window, &attrs->window.kernel_shape, x, &win, err);

	if (!rc)
		rc = window_shape(&win, x->dim[0], x->dim[1], &y, err);
	if (rc)
		return rc;
	if (!shape_equal(dy, &y))
		return infer_fail(err, "input 'dy': expected %s, got %s",
				  shape_text(&y, text[0], sizeof(text[0])),
				  shape_text(dy, text[1], sizeof(text[1])));
	infer->out[0].shape = *x;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code build_grad(struct vjp *vjp, const struct pool_attrs *attrs,
				struct err *err)
{
	const int32_t in[] = { vjp->grad_out[0], vjp->in[0] };

	vjp->grad_in[0] = build_node(vjp->build, "MaxPoolGrad", attrs, in, 2);
	return build_check(vjp->build, err);
}

static enum err_code max_vjp(struct vjp *vjp, struct err *err)
{
	return build_grad(vjp, vjp->attrs, err);
}

static enum err_code global_vjp(struct vjp *vjp, struct err *err)
{
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	struct pool_attrs attrs = {
		.window = { .kernel_shape = { x.rank - 2, x.dim + 2 } },
	};

	if (x.rank == 2) {
		vjp->grad_in[0] = vjp->grad_out[0];
		return ERR_NONE;
	}
	return build_grad(vjp, &attrs, err);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64 || elem == DTYPE_I32;
}

static const struct kernel max_kernel = {
	.name = "max_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = max_prepare,
	.run = max_run,
};
/* Rows of floats, which is what planes are to this operator. */
static void global_rows_run(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	const int64_t n = shape_range(x, 2, x->rank);
	const float *from = call->in[0];
	float *to = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++)
		to[i] = row_loops()->largest_or_nan(from + i * n, n);
}

static double global_rows_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-4;
}

static bool global_rows_fits(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       shape_count(&query->in[0].shape) > 0;
}

static const struct kernel global_rows = {
	.name = "global_max_pool.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = global_rows_fits,
	.cost = global_rows_cost,
	.prepare = prepare,
	.run = global_rows_run,
};
static const struct kernel global_kernel = {
	.name = "global_max_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = global_cost,
	.prepare = prepare,
	.run = global_run,
};
static const struct kernel grad_kernel = {
	.name = "max_pool_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = grad_cost,
	.prepare = grad_prepare,
	.run = grad_run,
};
static const struct kernel *const max_kernels[] = {
	&max_pool_planes, &max_pool_windows, &max_pool_onednn, &max_kernel, NULL
};
static const struct kernel *const global_kernels[] = { &global_rows,
						       &global_kernel, NULL };
static const struct kernel *const grad_kernels[] = { &max_pool_grad_planes,
						     &max_pool_grad_windows,
						     &grad_kernel, NULL };

static const struct port max_in[] = {
	{ "X", "T:float16,float,double,bfloat16,int8,uint8,int32", 0 },
	{ 0 },
};
static const struct port max_out[] = {
	{ "Y", "T", 0 },
	{ "Indices", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port global_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port grad_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "X", "T", 0 },
	{ 0 },
};
static const struct port grad_out[] = { { "dx", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct pool_attrs, window.member)
#define WINDOW_ATTRS \
	{ .name = "auto_pad", .help = "NOTSET, SAME_UPPER, SAME_LOWER or VALID", \
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" }, \
	{ .name = "ceil_mode", .help = "1: a last window may be cut short", \
	  .offset = WINDOW(ceil_mode), .kind = ATTR_INT, .max = 1 }, \
	{ .name = "dilations", .help = "distance of taps, by axis", \
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX }, \
	{ .name = "kernel_shape", .help = "extent of the window, by axis", \
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .flags = ATTR_REQUIRED, .min = 1, \
	  .max = INT32_MAX }, \
	{ .name = "pads", .help = "padding before each axis, then after each", \
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX }, \
	{ .name = "strides", .help = "steps of the window, by axis", \
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX }

static const struct op_attr max_attrs[] = {
	WINDOW_ATTRS,
	{ .name = "storage_order", .help = "1: Indices count columns first",
	  .offset = offsetof(struct pool_attrs, storage_order), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
static const struct op_attr grad_attrs[] = { WINDOW_ATTRS, { 0 } };

static const struct op_case max_cases[] = {
	{ .name = "a window far larger than the input",
	  .graph = "y = MaxPool<kernel_shape=[1000000000], "
		   "pads=[500000000,500000000]>(x:float[1,1,5])",
	  .want = ERR_SHAPE },
	{ .name = "images",
	  .graph = "y = MaxPool<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(x:float[2,3,9,9])" },
	{ .name = "indices",
	  .graph = "y, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x:float[2,3,6,8])" },
	{ .name = "indices by column",
	  .graph = "y, i = MaxPool<kernel_shape=[2,3], storage_order=1>(x:float[2,2,5,6])" },
	{ .name = "stride 1", .graph = "y, i = MaxPool<kernel_shape=[3,2]>(x:float[1,2,5,6])" },
	{ .name = "dilation",
	  .graph = "y, i = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x:float[1,2,5,6])" },
	{ .name = "ceil mode",
	  .graph = "y, i = MaxPool<kernel_shape=[3,3], strides=[2,2], "
		   "ceil_mode=1>(x:float[1,2,6,6])" },
	{ .name = "ceil mode, no window in the padding",
	  .graph = "y = MaxPool<kernel_shape=[1,1], strides=[2,2], "
		   "ceil_mode=1>(x:float[1,1,2,2])" },
	{ .name = "ceil mode, wider than the input",
	  .graph = "y, i = MaxPool<kernel_shape=[4,2], strides=[2,1], "
		   "ceil_mode=1>(x:float[1,2,3,3])" },
	{ .name = "same upper",
	  .graph = "y = MaxPool<kernel_shape=[2,2], "
		   "auto_pad=\"SAME_UPPER\">(x:float[1,3,5,4])" },
	{ .name = "same lower",
	  .graph = "y = MaxPool<kernel_shape=[3,3], strides=[2,2], "
		   "auto_pad=\"SAME_LOWER\">(x:float[1,3,5,4])" },
	{ .name = "sequence",
	  .graph = "y, i = MaxPool<kernel_shape=[3], strides=[2]>(x:float[2,3,9])" },
	{ .name = "volume",
	  .graph = "y, i = MaxPool<kernel_shape=[2,2,2], "
		   "storage_order=1>(x:float[1,2,3,4,3])" },
	{ .name = "values alone",
	  .graph = "y = MaxPool<kernel_shape=[3,2]>(x:float[2,3,7,40])" },
	{ .name = "values alone, wide steps",
	  .graph = "y = MaxPool<kernel_shape=[3,2], strides=[2,3], dilations=[2,3], "
		   "pads=[1,2,2,1]>(x:float[2,2,11,23])" },
	{ .name = "values alone of a sequence",
	  .graph = "y = MaxPool<kernel_shape=[3], strides=[2], pads=[1,1]>(x:float[2,3,37])" },
	{ .name = "double", .graph = "y, i = MaxPool<kernel_shape=[2,2]>(x:double[1,2,4,4])" },
	{ .name = "bytes", .graph = "y, i = MaxPool<kernel_shape=[2,2]>(x:uint8[1,2,4,4])" },
	{ .name = "no batch", .graph = "y, i = MaxPool<kernel_shape=[2,2]>(x:float[0,2,4,4])" },
	{ .name = "window too large",
	  .graph = "y = MaxPool<kernel_shape=[5,5]>(x:float[1,2,4,4])", .want = ERR_SHAPE },
	{ .name = "one extent short",
	  .graph = "y = MaxPool<kernel_shape=[2]>(x:float[1,2,4,4])", .want = ERR_SHAPE },
	{ .name = "no spatial axis", .graph = "y = MaxPool<kernel_shape=[2]>(x:float[1,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case global_cases[] = {
	{ .name = "images", .graph = "y = GlobalMaxPool(x:float[2,3,7,5])" },
	{ .name = "sequence", .graph = "y = GlobalMaxPool(x:double[2,3,7])" },
	{ .name = "rows", .graph = "y = GlobalMaxPool(x:float[2,3])" },
	{ .name = "no batch", .graph = "y = GlobalMaxPool(x:float[0,3,7,5])" },
	{ .name = "a vector", .graph = "y = GlobalMaxPool(x:float[3])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "windows side by side",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2,2], strides=[2,2]>"
		   "(dy:float[2,3,4,9], x:float[2,3,8,18])" },
	{ .name = "windows side by side, few and odd",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2,2], strides=[2,2]>"
		   "(dy:float[2,3,3,2], x:float[2,3,7,5])" },
	{ .name = "equals and what is no number",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2,2], strides=[2,2]>"
		   "(dy:float[1,1,2,2], x:float[1,1,4,4]="
		   "{1,1,2,3,1,1,3,3,nan,5,-1,-2,7,nan,-2,-1})" },
	{ .name = "images",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[2,3,5,5], x:float[2,3,9,9])" },
	{ .name = "far apart",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[3,2], strides=[2,3], dilations=[2,3], "
		   "pads=[1,2,2,1]>(dy:float[2,2,5,8], x:float[2,2,11,23])" },
	{ .name = "a sequence",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[3]>"
		   "(dy:float[2,3,35], x:float[2,3,37])" },
	{ .name = "infinities",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[3], pads=[1,1]>(dy:float[1,1,4], "
		   "x:float[1,1,4]={-inf,-inf,nan,1})" },
	{ .name = "two in one place",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2]>"
		   "(dy:double[1,1,2], x:double[1,1,3]={0,5,1})" },
	{ .name = "a window in the padding",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2], strides=[2], pads=[2,0]>"
		   "(dy:float[1,1,3], x:float[1,1,4])" },
	{ .name = "no batch",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2,2], strides=[2,2]>"
		   "(dy:float[0,3,4,9], x:float[0,3,8,18])" },
	{ .name = "another dy",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[2]>"
		   "(dy:float[1,1,3], x:float[1,1,3])", .want = ERR_SHAPE },
	{ .name = "no window",
	  .graph = "dx = predictd.MaxPoolGrad<kernel_shape=[]>"
		   "(dy:float[1,1,2], x:float[1,1,3])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_global_max_pool;
const struct op op_global_max_pool = {
	.domain = "",
	.name = "GlobalMaxPool",
	.help = "The largest value of each channel.",
	.since = 1,
	.in = max_in,
	.out = global_out,
	.infer = global_infer,
	.kernels = global_kernels,
	.vjp = global_vjp,
	.cases = global_cases,
};

extern const struct op op_max_pool;
const struct op op_max_pool = {
	.domain = "",
	.name = "MaxPool",
	.help = "The largest value of each window, and its place.",
	.since = 10,
	.in = max_in,
	.out = max_out,
	.attrs = max_attrs,
	.attrs_size = sizeof(struct pool_attrs),
	.infer = max_infer,
	.kernels = max_kernels,
	.vjp = max_vjp,
	.cases = max_cases,
};

extern const struct op op_max_pool_grad;
const struct op op_max_pool_grad = {
	.domain = "predictd",
	.name = "MaxPoolGrad",
	.help = "Gradient of MaxPool.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct pool_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};
