/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The Lp norm of each window: LpPool, and GlobalLpPool of each channel.
 *
 *   y = (sum |x|^p)^(1/p)
 *   dx = |x|^(p-1) sign(x) (sum over the windows that hold x of dy y^(1-p))
 * Padding counts as zeros.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/ops/pool.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 13 };

struct lp_pool_attrs {
	struct window_attrs window;
	int64_t p;
};

static double power(double x, double p)
{
	if (p == 1)
		return fabs(x);
	return p == 2 ? x * x : pow(fabs(x), p);
}

static double root(double sum, double p)
{
	if (p == 1)
		return sum;
	return p == 2 ? sqrt(sum) : pow(sum, 1 / p);
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/lp_pool_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/lp_pool_typed.h"

static void pool_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct lp_pool_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	const double p = (double)attrs->p;
	int64_t first, last;
	struct window win;

	if (window_init(&attrs->window, &attrs->window.kernel_shape, x, &win,
			NULL))
		return; /* infer() has seen it pass */
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64)
			plane_f64(
			    &win, p, (const double *)call->in[0] + i * win.n_in,
			    (double *)call->out[0] + i * win.n_out, scratch);
		else
			plane_f32(
			    &win, p, (const float *)call->in[0] + i * win.n_in,
			    (float *)call->out[0] + i * win.n_out, scratch);
	}
}

static void global_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct lp_pool_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	const int64_t n = shape_range(x, 2, x->rank);
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_range(x, 0, 2), call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64)
			whole_f64((const double *)call->in[0] + i * n, n,
				  (double)attrs->p, (double *)call->out[0] + i);
		else
			whole_f32((const float *)call->in[0] + i * n, n,
				  (double)attrs->p, (float *)call->out[0] + i);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	const struct shape *y = &query->out[0].shape;
	const int64_t planes = shape_range(x, 0, 2);
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	(void)err;
	n = n > planes ? planes : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	ret->scratch_bytes =
	    (size_t)shape_range(y, 2, y->rank) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct lp_pool_attrs *attrs = query->attrs;
	double taps = 1;

	for (size_t i = 0; i < attrs->window.kernel_shape.n; i++)
		taps *= (double)attrs->window.kernel_shape.v[i];
	return 0.2 + ((double)shape_count(&query->out[0].shape) * taps +
		      (double)shape_count(&query->in[0].shape)) *
			 1e-3;
}

static enum err_code pool_infer(struct infer *infer, struct err *err)
{
	const struct lp_pool_attrs *attrs = infer->attrs;
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

/* s = dy y^(1-p), where y is kept from 0: x is 0 there, too */
static int32_t spread_of(struct vjp *vjp, int64_t p)
{
	const struct build_name in[] = {
		{ "y", vjp->out[0] },
		{ "dy", vjp->grad_out[0] },
		{ "e",
		  build_scalar(vjp->build,
			       build_fact(vjp->build, vjp->out[0])->type.elem,
			       (double)(1 - p)) },
	};
	struct build_name out = { "s", VALUE_NONE };

	build_text(vjp->build, "s = Mul(dy, Pow(Max(y, 1e-9), e))", in, 3, NULL,
		   &out, 1);
	return out.value;
}

/* dx = |x|^(p-1) sign(x) s */
static enum err_code finish(struct vjp *vjp, int64_t p, int32_t s,
			    struct err *err)
{
	const struct build_name in[] = {
		{ "x", vjp->in[0] },
		{ "s", s },
		{ "e",
		  build_scalar(vjp->build, build_fact(vjp->build, s)->type.elem,
			       (double)(p - 1)) },
	};
	struct build_name out = { "dx", VALUE_NONE };

	build_text(vjp->build, "dx = Mul(Mul(Pow(Abs(x), e), Sign(x)), s)", in,
		   3, NULL, &out, 1);
	vjp->grad_in[0] = out.value;
	return build_check(vjp->build, err);
}

static enum err_code pool_vjp(struct vjp *vjp, struct err *err)
{
	const struct lp_pool_attrs *attrs = vjp->attrs;
	struct build *build = vjp->build;
	const struct fact x = *build_fact(build, vjp->in[0]);
	struct pool_attrs mean = { .window = attrs->window,
				   .count_include_pad = 1 };
	double taps = 1;
	int32_t s;

	if (attrs->window.ceil_mode)
		return err_set(err, ERR_UNSUPPORTED,
			       "LpPool: with 'ceil_mode' it has no gradient");
	for (size_t i = 0; i < attrs->window.kernel_shape.n; i++)
		taps *= (double)attrs->window.kernel_shape.v[i];
	mean.shape = (struct attr_ints){ x.shape.rank, x.shape.dim };
	s = spread_of(vjp, attrs->p);
	/* every window's share is one of all its taps */
	s = build_node(build, "AveragePoolGrad", &mean, &s, 1);
	s = build_2(build, "Mul", s, build_scalar(build, x.type.elem, taps));
	return build->code ? build_check(build, err)
			   : finish(vjp, attrs->p, s, err);
}

static enum err_code global_vjp(struct vjp *vjp, struct err *err)
{
	const struct lp_pool_attrs *attrs = vjp->attrs;
	const int32_t s = spread_of(vjp, attrs->p);

	return vjp->build->code ? build_check(vjp->build, err)
				: finish(vjp, attrs->p, s, err);
}

static const struct kernel pool_kernel = {
	.name = "lp_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = pool_run,
};
static const struct kernel global_kernel = {
	.name = "global_lp_pool.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = global_run,
};
static const struct kernel *const pool_kernels[] = { &pool_kernel, NULL };
static const struct kernel *const global_kernels[] = { &global_kernel, NULL };

static const struct port pool_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port pool_out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct lp_pool_attrs, window.member)
#define P \
	{ .name = "p", .help = "the exponent", \
	  .offset = offsetof(struct lp_pool_attrs, p), .kind = ATTR_INT, .min = 1, .max = 1000, \
	  .def = 2 }

static const struct op_attr pool_attrs[] = {
	{ .name = "auto_pad", .help = "NOTSET, SAME_UPPER, SAME_LOWER or VALID",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "ceil_mode", .help = "1: a last window may be cut short",
	  .offset = WINDOW(ceil_mode), .kind = ATTR_INT, .max = 1 },
	{ .name = "dilations", .help = "distance of taps, by axis",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "kernel_shape", .help = "extent of the window, by axis",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .flags = ATTR_REQUIRED, .min = 1,
	  .max = INT32_MAX },
	P,
	{ .name = "pads", .help = "padding before each axis, then after each",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "steps of the window, by axis",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};
static const struct op_attr global_attrs[] = { P, { 0 } };

static const struct op_case pool_cases[] = {
	{ .name = "a window far larger than the input",
	  .graph = "y = LpPool<kernel_shape=[1000000000], "
		   "pads=[500000000,500000000]>(x:float[1,1,5])",
	  .want = ERR_SHAPE },
	{ .name = "images",
	  .graph = "y = LpPool<kernel_shape=[2,2], strides=[2,2]>(x:float[2,3,8,8])" },
	{ .name = "padding and dilation",
	  .graph = "y = LpPool<kernel_shape=[2,3], pads=[1,1,0,1], dilations=[2,1], p=3>("
		   "x:float[1,2,5,6])", .kink = 0.05 },
	{ .name = "magnitudes", .graph = "y = LpPool<kernel_shape=[3], p=1>(x:float[2,3,9])",
	  .kink = 0.05 },
	{ .name = "ceil mode",
	  .graph = "y = LpPool<kernel_shape=[3,3], strides=[2,2], "
		   "ceil_mode=1>(x:float[1,1,4,4])" },
	{ .name = "same upper",
	  .graph = "y = LpPool<kernel_shape=[2,2], auto_pad=\"SAME_UPPER\">(x:float[1,3,5,4])" },
	{ .name = "volume", .graph = "y = LpPool<kernel_shape=[2,2,2]>(x:double[1,2,3,4,3])" },
	{ .name = "no batch", .graph = "y = LpPool<kernel_shape=[2,2]>(x:float[0,2,4,4])" },
	{ .name = "window too large", .graph = "y = LpPool<kernel_shape=[5,5]>(x:float[1,2,4,4])",
	  .want = ERR_SHAPE },
	{ .name = "no exponent", .graph = "y = LpPool<kernel_shape=[2], p=0>(x:float[1,2,4])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case global_cases[] = {
	{ .name = "images", .graph = "y = GlobalLpPool(x:float[2,3,7,5])" },
	{ .name = "third power",
	  .graph = "y = GlobalLpPool<p=3>(x:double[2,3,7])", .kink = 0.05 },
	{ .name = "rows", .graph = "y = GlobalLpPool<p=1>(x:float[2,3])", .kink = 0.05 },
	{ .name = "nothing", .graph = "y = GlobalLpPool(x:float[2,3,0])" },
	{ .name = "a vector", .graph = "y = GlobalLpPool(x:float[3])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_global_lp_pool;
const struct op op_global_lp_pool = {
	.domain = "",
	.name = "GlobalLpPool",
	.help = "The Lp norm of each channel.",
	.since = 2,
	.in = pool_in,
	.out = pool_out,
	.attrs = global_attrs,
	.attrs_size = sizeof(struct lp_pool_attrs),
	.infer = global_infer,
	.kernels = global_kernels,
	.vjp = global_vjp,
	.cases = global_cases,
};

extern const struct op op_lp_pool;
const struct op op_lp_pool = {
	.domain = "",
	.name = "LpPool",
	.help = "The Lp norm of each window.",
	.since = 2,
	.in = pool_in,
	.out = pool_out,
	.attrs = pool_attrs,
	.attrs_size = sizeof(struct lp_pool_attrs),
	.infer = pool_infer,
	.kernels = pool_kernels,
	.vjp = pool_vjp,
	.cases = pool_cases,
};
