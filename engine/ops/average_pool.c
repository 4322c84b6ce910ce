/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The average of each window: AveragePool, GlobalAveragePool and the gradient,
 * which gives every element its share of dy. A window counts the elements of
 * the input in it, and with count_include_pad the padding too (but not what
 * ceil_mode puts beyond it).
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/pool.h"

enum { LANES = 8, MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

#define T float
#define NAME(x) x##_f32
#include "engine/ops/average_pool_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/average_pool_typed.h"

/* infer() has seen it pass */
static void query_window(const struct kernel_query *query,
			 const struct shape *x, struct window *ret)
{
	const struct pool_attrs *attrs = query->attrs;
	const enum err_code rc = window_init(
	    &attrs->window, &attrs->window.kernel_shape, x, ret, NULL);

	(void)rc;
}

/* taps of output o on one axis whose place is in lo..hi-1 of the input */
static int64_t count_axis(const struct window *win, unsigned axis, int64_t o,
			  bool with_pad)
{
	const int64_t lo = with_pad ? -win->begin[axis] : 0;
	const int64_t hi = win->in[axis] + (with_pad ? win->end[axis] : 0);
	int64_t n = 0;

	for (int64_t k = 0; k < win->kernel[axis]; k++) {
		const int64_t at = o * win->stride[axis] +
				   k * win->dilation[axis] - win->begin[axis];

		n += at >= lo && at < hi;
	}
	return n;
}

void pool_share(const struct window *win, bool with_pad, double *share)
{
	for (int64_t o = 0; o < win->n_out; o++) {
		int64_t at = o, n = 1;

		for (unsigned i = WINDOW_DIMS; i-- > 0;) {
			n *= count_axis(win, i, at % win->out[i], with_pad);
			at /= win->out[i];
		}
		share[o] = n ? 1 / (double)n : 0;
	}
}

static bool is_f64(const struct kernel_call *call)
{
	return call->query->in[0].type.elem == DTYPE_F64;
}

static void mean_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct pool_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	double *share = scratch, *sum;
	struct window win;
	int64_t first, last;

	query_window(call->query, x, &win);
	sum = share + win.n_out;
	pool_share(&win, attrs->count_include_pad != 0, share);
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64(call))
			mean_plane_f64(
			    &win, share,
			    (const double *)call->in[0] + i * win.n_in,
			    (double *)call->out[0] + i * win.n_out, sum);
		else
			mean_plane_f32(
			    &win, share,
			    (const float *)call->in[0] + i * win.n_in,
			    (float *)call->out[0] + i * win.n_out, sum);
	}
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct pool_attrs *attrs = call->query->attrs;
	const struct shape x = shape_of(attrs->shape.v, attrs->shape.n);
	double *share = scratch, *sum;
	struct window win;
	int64_t first, last;

	query_window(call->query, &x, &win);
	sum = share + win.n_out;
	pool_share(&win, attrs->count_include_pad != 0, share);
	kernel_slice(shape_range(&x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64(call))
			spread_plane_f64(
			    &win, share,
			    (const double *)call->in[0] + i * win.n_out,
			    (double *)call->out[0] + i * win.n_in, sum);
		else
			spread_plane_f32(
			    &win, share,
			    (const float *)call->in[0] + i * win.n_out,
			    (float *)call->out[0] + i * win.n_in, sum);
	}
}

/* Windows side by side: every element has the share of one window. */
static bool is_side_by_side(const struct window *win)
{
	for (unsigned i = 0; i < WINDOW_DIMS; i++) {
		if (win->kernel[i] != win->stride[i] || win->begin[i] ||
		    win->end[i] || win->dilation[i] != 1 ||
		    win->out[i] * win->kernel[i] > win->in[i])
			return false;
	}
	return true;
}

/* dx of one plane: rows of windows become kernel[1] equal rows of elements,
 * and what lies beyond the last window is 0 */
static void spread_side_by_side(const struct window *win, const float *dy,
				float *dx, float *row)
{
	const int64_t n = win->out[2], width = win->in[2];
	const int64_t used = n * win->kernel[2];
	const float share = 1 / (float)win->n_taps;

	memset(dx, 0, (size_t)win->n_in * sizeof(*dx));
	memset(row, 0, (size_t)width * sizeof(*row));
	for (int64_t i = 0; i < win->out[0] * win->out[1]; i++) {
		const int64_t d = i / win->out[1], h = i % win->out[1];

		row_loops()->repeat(dy + i * n, win->kernel[2], n, row);
		row_loops()->scale(row, share, 0, used, row);
		for (int64_t k = 0; k < win->kernel[0] * win->kernel[1]; k++) {
			const int64_t in_d =
			    d * win->kernel[0] + k / win->kernel[1];
			const int64_t in_h =
			    h * win->kernel[1] + k % win->kernel[1];

			memcpy(dx + (in_d * win->in[1] + in_h) * width, row,
			       (size_t)width * sizeof(*row));
		}
	}
}

/* dx += dy share, tap by tap */
static void spread_taps(const struct window *win, const double *share,
			const float *dy, float *dx, float *shared)
{
	struct window_tap box;
	int64_t o, i;

	memset(dx, 0, (size_t)win->n_in * sizeof(*dx));
	for (o = 0; o < win->n_out; o++)
		shared[o] = (float)share[o] * dy[o];
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(win, &box, row, &o, &i);
			row_loops()->scatter(shared + o, win->stride[2],
					     box.hi[2] - box.lo[2], dx + i);
		}
	}
}

static void grad_rows_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct pool_attrs *attrs = call->query->attrs;
	const struct shape x = shape_of(attrs->shape.v, attrs->shape.n);
	double *share = scratch;
	struct window win;
	int64_t first, last;
	float *room;
	bool side_by_side;

	query_window(call->query, &x, &win);
	room = (float *)(void *)(share + win.n_out);
	side_by_side = is_side_by_side(&win);
	if (!side_by_side)
		pool_share(&win, attrs->count_include_pad != 0, share);
	kernel_slice(shape_range(&x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		const float *dy = (const float *)call->in[0] + i * win.n_out;
		float *dx = (float *)call->out[0] + i * win.n_in;

		if (side_by_side)
			spread_side_by_side(&win, dy, dx, room);
		else
			spread_taps(&win, share, dy, dx, room);
	}
}

static bool rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32;
}

static double rows_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->out[0].shape) * 5e-4;
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
		if (is_f64(call))
			mean_row_f64((const double *)call->in[0] + i * n, n,
				     (double *)call->out[0] + i);
		else
			mean_row_f32((const float *)call->in[0] + i * n, n,
				     (float *)call->out[0] + i);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	const struct shape *y = &query->out[0].shape;
	const int64_t planes = shape_range(x, 0, 2);
	int64_t n = shape_count(x) / SLICE_ELEMENTS;
	int64_t in = shape_range(x, 2, x->rank);
	int64_t out = shape_range(y, 2, y->rank);

	(void)err;
	n = n > planes ? planes : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	ret->scratch_bytes =
	    (size_t)(in + out + (in > out ? in : out)) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct pool_attrs *attrs = query->attrs;
	double taps = 1;

	for (size_t i = 0; i < attrs->window.kernel_shape.n; i++)
		taps *= (double)attrs->window.kernel_shape.v[i];
	return 0.2 + (double)shape_count(&query->out[0].shape) * taps * 1e-3;
}

static double global_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 5e-4;
}

static enum err_code mean_infer(struct infer *infer, struct err *err)
{
	const struct pool_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct window win;
	enum err_code rc = window_init(
	    &attrs->window, &attrs->window.kernel_shape, x, &win, err);

	infer->out[0].has_shape = true;
	return rc ? rc
		  : window_shape(&win, x->dim[0], x->dim[1],
				 &infer->out[0].shape, err);
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
	const struct shape *dy = &infer->in[0].shape;
	struct shape x, y;
	struct window win;
	char text[2][64];
	enum err_code rc;

	if (attrs->shape.n < 3 || attrs->shape.n > 2 + WINDOW_DIMS)
		return err_set(err, ERR_INVALID,
			       "attribute 'shape': expected 3 to %d extents, "
			       "got %zu",
			       2 + WINDOW_DIMS, attrs->shape.n);
	x = shape_of(attrs->shape.v, attrs->shape.n);
	rc = shape_check(&x, "attribute 'shape'", err);
	if (!rc)
		rc = window_init(&attrs->window, &attrs->window.kernel_shape,
				 &x, &win, err);
	if (!rc)
		rc = window_shape(&win, x.dim[0], x.dim[1], &y, err);
	if (rc)
		return rc;
	if (!shape_equal(dy, &y))
		return infer_fail(err, "input 'dy': expected %s, got %s",
				  shape_text(&y, text[0], sizeof(text[0])),
				  shape_text(dy, text[1], sizeof(text[1])));
	infer->out[0].shape = x;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code mean_vjp(struct vjp *vjp, struct err *err)
{
	struct pool_attrs attrs = *(const struct pool_attrs *)vjp->attrs;
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;

	attrs.shape = (struct attr_ints){ x.rank, x.dim };
	vjp->grad_in[0] =
	    build_node(vjp->build, "AveragePoolGrad", &attrs, vjp->grad_out, 1);
	return build_check(vjp->build, err);
}

static enum err_code global_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct fact x = *build_fact(build, vjp->in[0]);
	const double n = (double)shape_range(&x.shape, 2, x.shape.rank);
	const int32_t share = build_scalar(build, x.type.elem, 1 / n);

	vjp->grad_in[0] = build_2(
	    build, "Expand", build_2(build, "Mul", vjp->grad_out[0], share),
	    build_ints(build, x.shape.dim, x.shape.rank));
	return build_check(build, err);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

static const struct kernel mean_kernel = {
	.name = "average_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = mean_run,
};
static const struct kernel global_kernel = {
	.name = "global_average_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = global_cost,
	.prepare = prepare,
	.run = global_run,
};
static const struct kernel grad_rows = {
	.name = "average_pool_grad.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = rows_fit,
	.cost = rows_cost,
	.prepare = prepare,
	.run = grad_rows_run,
};
static const struct kernel grad_kernel = {
	.name = "average_pool_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = grad_run,
};
static const struct kernel *const mean_kernels[] = { &average_pool_onednn,
						     &mean_kernel, NULL };
static const struct kernel *const global_kernels[] = { &global_kernel, NULL };
static const struct kernel *const grad_kernels[] = { &grad_rows, &grad_kernel,
						     NULL };

static const struct port mean_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port mean_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port grad_in[] = { { "dy", "T:float,double", 0 }, { 0 } };
static const struct port grad_out[] = { { "dx", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct pool_attrs, window.member)
#define MEAN_ATTRS \
	{ .name = "auto_pad", .help = "NOTSET, SAME_UPPER, SAME_LOWER or VALID", \
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" }, \
	{ .name = "ceil_mode", .help = "1: a last window may be cut short", \
	  .offset = WINDOW(ceil_mode), .kind = ATTR_INT, .max = 1 }, \
	{ .name = "count_include_pad", .help = "1: padding counts as zeros", \
	  .offset = offsetof(struct pool_attrs, count_include_pad), .kind = ATTR_INT, .max = 1 }, \
	{ .name = "dilations", .help = "distance of taps, by axis", \
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX }, \
	{ .name = "kernel_shape", .help = "extent of the window, by axis", \
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .flags = ATTR_REQUIRED, .min = 1, \
	  .max = INT32_MAX }, \
	{ .name = "pads", .help = "padding before each axis, then after each", \
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX }, \
	{ .name = "strides", .help = "steps of the window, by axis", \
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX }

static const struct op_attr mean_attrs[] = { MEAN_ATTRS, { 0 } };
static const struct op_attr grad_attrs[] = {
	MEAN_ATTRS,
	{ .name = "shape", .help = "the shape of x",
	  .offset = offsetof(struct pool_attrs, shape), .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case mean_cases[] = {
	{ .name = "a window far larger than the input",
	  .graph = "y = AveragePool<kernel_shape=[1000000000], "
		   "pads=[500000000,500000000]>(x:float[1,1,5])",
	  .want = ERR_SHAPE },
	{ .name = "images",
	  .graph = "y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x:float[2,3,8,8])" },
	{ .name = "padding",
	  .graph = "y = AveragePool<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(x:float[2,3,9,8])" },
	{ .name = "padding counts",
	  .graph = "y = AveragePool<kernel_shape=[3,3], pads=[2,2,2,2], "
		   "count_include_pad=1>(x:float[1,2,5,6])" },
	{ .name = "ceil mode",
	  .graph = "y = AveragePool<kernel_shape=[3,3], strides=[2,2], "
		   "ceil_mode=1>(x:float[1,1,4,4])" },
	{ .name = "ceil mode, padding counts",
	  .graph = "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], "
		   "ceil_mode=1, count_include_pad=1>(x:float[1,1,4,4])" },
	{ .name = "dilation",
	  .graph = "y = AveragePool<kernel_shape=[2,2], dilations=[2,2]>(x:float[1,1,5,5])" },
	{ .name = "same upper",
	  .graph = "y = AveragePool<kernel_shape=[2,2], "
		   "auto_pad=\"SAME_UPPER\">(x:float[1,3,5,4])" },
	{ .name = "same lower",
	  .graph = "y = AveragePool<kernel_shape=[2,2], "
		   "auto_pad=\"SAME_LOWER\">(x:float[1,3,5,4])" },
	{ .name = "sequence", .graph = "y = AveragePool<kernel_shape=[3]>(x:float[2,3,9])" },
	{ .name = "volume", .graph = "y = AveragePool<kernel_shape=[2,2,2]>(x:float[1,2,3,4,3])" },
	{ .name = "double", .graph = "y = AveragePool<kernel_shape=[2,2]>(x:double[1,2,4,4])" },
	{ .name = "no batch", .graph = "y = AveragePool<kernel_shape=[2,2]>(x:float[0,2,4,4])" },
	{ .name = "window too large",
	  .graph = "y = AveragePool<kernel_shape=[5,5]>(x:float[1,2,4,4])", .want = ERR_SHAPE },
	{ .name = "no spatial axis", .graph = "y = AveragePool<kernel_shape=[2]>(x:float[1,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case global_cases[] = {
	{ .name = "images", .graph = "y = GlobalAveragePool(x:float[2,3,7,5])" },
	{ .name = "sequence", .graph = "y = GlobalAveragePool(x:double[2,3,7])" },
	{ .name = "rows", .graph = "y = GlobalAveragePool(x:float[2,3])" },
	{ .name = "no batch", .graph = "y = GlobalAveragePool(x:float[0,3,7,5])" },
	{ .name = "a vector", .graph = "y = GlobalAveragePool(x:float[3])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "images",
	  .graph = "dx = predictd.AveragePoolGrad<kernel_shape=[2,2], strides=[2,2], "
		   "shape=[2,3,8,8]>(dy:float[2,3,4,4])" },
	{ .name = "overlap",
	  .graph = "dx = predictd.AveragePoolGrad<kernel_shape=[3,3], pads=[1,1,1,1], "
		   "shape=[1,1,4,5]>(dy:double[1,1,4,5])" },
	{ .name = "another dy",
	  .graph = "dx = predictd.AveragePoolGrad<kernel_shape=[2], "
		   "shape=[1,1,3]>(dy:float[1,1,3])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_average_pool;
const struct op op_average_pool = {
	.domain = "",
	.name = "AveragePool",
	.help = "The average of each window.",
	.since = 19,
	.in = mean_in,
	.out = mean_out,
	.attrs = mean_attrs,
	.attrs_size = sizeof(struct pool_attrs),
	.infer = mean_infer,
	.kernels = mean_kernels,
	.vjp = mean_vjp,
	.cases = mean_cases,
};

extern const struct op op_global_average_pool;
const struct op op_global_average_pool = {
	.domain = "",
	.name = "GlobalAveragePool",
	.help = "The average of each channel.",
	.since = 1,
	.in = mean_in,
	.out = mean_out,
	.infer = global_infer,
	.kernels = global_kernels,
	.vjp = global_vjp,
	.cases = global_cases,
};

extern const struct op op_average_pool_grad;
const struct op op_average_pool_grad = {
	.domain = "predictd",
	.name = "AveragePoolGrad",
	.help = "Gradient of AveragePool.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct pool_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};
