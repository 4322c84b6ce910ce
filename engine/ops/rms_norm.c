/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RMSNormalization: rows (all axes from `axis` on) by their root mean square
 * (https://arxiv.org/abs/1910.07467).
 *
 *   Y = X rstd scale,   rstd = 1 / sqrt(mean(X X) + epsilon)
 *   dX = rstd (g - X rstd^2 mean(g X)),  g = dY scale;  dscale = sum dY X rstd
 *
 * scale broadcasts to X and gives Y its type. Sums are held in double, which
 * is as precise as any `stash_type`.
 */
#include <math.h>

#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/norm.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

struct rms {
	int64_t n_rows, n;
	double epsilon;
	struct shape shape;
	int64_t step[SHAPE_MAX_RANK]; /* of scale, by axis of X; 0: shared */
};

static struct rms query_rms(const struct kernel_query *query)
{
	const struct row_norm_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);

	return (struct rms){
		.n_rows = shape_range(x, 0, axis),
		.n = shape_range(x, axis, x->rank),
		.epsilon = attrs->epsilon,
		.shape = *x,
	};
}

static void set_steps(struct rms *g, const struct shape *scale)
{
	int64_t step = 1;

	for (unsigned i = 0; i < scale->rank; i++) {
		const int64_t n = scale->dim[scale->rank - 1 - i];

		g->step[g->shape.rank - 1 - i] = n == 1 ? 0 : step;
		step *= n;
	}
}

/* what element number `at` of X is scaled by */
static double scale_at(const struct rms *g, const struct kernel_call *call,
		       int64_t at)
{
	int64_t from = 0;

	for (unsigned i = g->shape.rank; i-- > 0;) {
		from += at % g->shape.dim[i] * g->step[i];
		at /= g->shape.dim[i];
	}
	if (call->query->in[1].type.elem == DTYPE_F64)
		return ((const double *)call->in[1])[from];
	return (double)((const float *)call->in[1])[from];
}

static void store(const struct kernel_call *call, int64_t at, double y)
{
	if (call->query->out[0].type.elem == DTYPE_F64)
		((double *)call->out[0])[at] = y;
	else
		((float *)call->out[0])[at] = (float)y;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/rms_norm_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/rms_norm_typed.h"

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct rms g = query_rms(call->query);

	(void)slice;
	(void)scratch;
	set_steps(&g, &call->query->in[1].shape);
	for (int64_t row = 0; g.n && row < g.n_rows; row++) {
		if (call->query->in[0].type.elem == DTYPE_F64)
			forward_f64(&g, call, row);
		else
			forward_f32(&g, call, row);
	}
}

/* floats whose scale goes element by element of a row, in vectors */
static void rows_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct rms g = query_rms(call->query);
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t row = first; row < last; row++) {
		const float *x = (const float *)call->in[0] + row * g.n;
		const double mean = row_loops()->squares(x, g.n) / (double)g.n;
		const float rstd = (float)(1 / sqrt(mean + g.epsilon));

		row_loops()->norm(x, (const float[2]){ 0, rstd }, call->in[1],
				  NULL, g.n, (float *)call->out[0] + row * g.n);
	}
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct rms g = query_rms(call->query);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first * g.n; g.n && i < last * g.n; i += g.n) {
		if (is_f64)
			backward_f64(&g, (const double *)call->in[0] + i,
				     (const double *)call->in[1] + i,
				     (double *)call->out[0] + i);
		else
			backward_f32(&g, (const float *)call->in[0] + i,
				     (const float *)call->in[1] + i,
				     (float *)call->out[0] + i);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct rms g = query_rms(query);
	int64_t n = g.n_rows * g.n / SLICE_ELEMENTS;

	(void)err;
	n = n > g.n_rows ? g.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static bool rows_fit(const struct kernel_query *query)
{
	struct rms g = query_rms(query);
	int64_t dense = 1;

	if (query->in[0].type.elem != DTYPE_F32 ||
	    query->in[1].type.elem != DTYPE_F32 || !g.n)
		return false;
	set_steps(&g, &query->in[1].shape);
	for (unsigned i = g.shape.rank; i-- > 0; dense *= g.shape.dim[i]) {
		const int64_t want = dense < g.n ? dense : 0;

		if (g.shape.dim[i] != 1 && g.step[i] != want)
			return false;
	}
	return true;
}

static double rows_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 3e-4;
}

static double plain_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 5e-3;
}

static enum err_code norm_infer(struct infer *infer, struct err *err)
{
	const struct row_norm_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct shape *scale = &infer->in[1].shape;
	struct shape both;
	char text[2][64];
	unsigned axis;
	enum err_code rc =
	    shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);

	if (rc)
		return rc;
	if (shape_broadcast(x, scale, &both, NULL) || !shape_equal(&both, x))
		return infer_fail(
		    err,
		    "input 'scale': expected a shape that broadcasts to %s, "
		    "got %s",
		    shape_text(x, text[0], sizeof(text[0])),
		    shape_text(scale, text[1], sizeof(text[1])));
	return infer_same(infer, err);
}

static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	const struct row_norm_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	unsigned axis;
	enum err_code rc =
	    shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);

	if (!rc && !shape_equal(x, &infer->in[1].shape))
		return infer_fail(err, "input 'x': expected the shape of "
				       "input 'dy'");
	return rc ? rc : infer_same(infer, err);
}

static const struct kernel rows_kernel = {
	.name = "rms_norm.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = rows_fit,
	.cost = rows_cost,
	.prepare = prepare,
	.run = rows_run,
};
static const struct kernel plain_kernel = {
	.name = "rms_norm.plain",
	.flags = KERNEL_QUICK,
	.cost = plain_cost,
	.run = plain_run,
};
static const struct kernel grad_kernel = {
	.name = "rms_norm_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = rows_cost,
	.prepare = prepare,
	.run = grad_run,
};
static const struct kernel *const norm_kernels[] = { &rows_kernel,
						     &plain_kernel, NULL };
static const struct kernel *const grad_kernels[] = { &grad_kernel, NULL };

static const struct port norm_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "scale", "V:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port norm_out[] = { { "Y", "V", 0 }, { 0 } };
static const struct port grad_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "x", "T", 0 },
	{ 0 },
};
static const struct port grad_out[] = { { "dx", "T", 0 }, { 0 } };

/* clang-format off */
#define AXIS \
	{ .name = "axis", .help = "the first axis of a row", \
	  .offset = offsetof(struct row_norm_attrs, axis), .kind = ATTR_INT, .def = -1 }
#define EPSILON \
	{ .name = "epsilon", .help = "added to the mean of squares", \
	  .offset = offsetof(struct row_norm_attrs, epsilon), .kind = ATTR_FLOAT, .max = 1e30, \
	  .def = 1e-5 }

static const struct op_attr norm_attrs[] = {
	AXIS,
	EPSILON,
	{ .name = "stash_type", .help = "the type that the mean is made in, at least",
	  .offset = offsetof(struct row_norm_attrs, stash_type), .kind = ATTR_INT, .min = 1,
	  .max = 16, .def = 1 },
	{ 0 },
};
static const struct op_attr grad_attrs[] = { AXIS, EPSILON, { 0 } };

static const struct op_case norm_cases[] = {
	{ .name = "last axis", .graph = "y = RMSNormalization(x:float[2,5,6], s:float[6])" },
	{ .name = "two axes",
	  .graph = "y = RMSNormalization<axis=1, epsilon=0.1>(x:float[4,3,5], s:float[3,5])" },
	{ .name = "all axes",
	  .graph = "y = RMSNormalization<axis=-2>(x:float[4,3], s:float[4,3])" },
	{ .name = "many rows", .graph = "y = RMSNormalization(x:float[300,80], s:float[80])" },
	{ .name = "scale by row", .graph = "y = RMSNormalization(x:float[4,3], s:float[4,1])" },
	{ .name = "scale by row of a square",
	  .graph = "y = RMSNormalization(x:float[3,3], s:float[3,1])" },
	{ .name = "scale of leading ones",
	  .graph = "y = RMSNormalization(x:float[2,4,3], s:float[1,1,3])" },
	{ .name = "scale of part of a row",
	  .graph = "y = RMSNormalization<axis=1>(x:float[2,4,3], s:float[3])" },
	{ .name = "scale of every element",
	  .graph = "y = RMSNormalization(x:float[4,3], s:float[4,3])" },
	{ .name = "one scale", .graph = "y = RMSNormalization(x:float[4,3], s:float[])" },
	{ .name = "double", .graph = "y = RMSNormalization(x:double[2,6], s:double[6])" },
	{ .name = "two types", .graph = "y = RMSNormalization(x:float[2,6], s:double[6])" },
	{ .name = "half", .graph = "y = RMSNormalization(x:float16[2,6], s:float16[6])",
	  .tolerance = 2e-3 },
	{ .name = "no rows", .graph = "y = RMSNormalization(x:float[0,6], s:float[6])" },
	{ .name = "no columns", .graph = "y = RMSNormalization(x:float[2,0], s:float[0])" },
	{ .name = "scale too short", .graph = "y = RMSNormalization(x:float[2,6], s:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "scale of more rows", .graph = "y = RMSNormalization(x:float[6], s:float[2,6])",
	  .want = ERR_SHAPE },
	{ .name = "axis past the end",
	  .graph = "y = RMSNormalization<axis=2>(x:float[2,6], s:float[6])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "rows", .graph = "dx = predictd.RMSNormGrad(dy:float[4,6], x:float[4,6])" },
	{ .name = "two axes",
	  .graph = "dx = predictd.RMSNormGrad<axis=1, epsilon=0.1>(dy:double[4,6,2], "
		   "x:double[4,6,2])" },
	{ .name = "no columns",
	  .graph = "dx = predictd.RMSNormGrad(dy:float[4,0], x:float[4,0])" },
	{ .name = "shapes differ",
	  .graph = "dx = predictd.RMSNormGrad(dy:float[4,6], x:float[6,4])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_rms_normalization;
const struct op op_rms_normalization = {
	.domain = "",
	.name = "RMSNormalization",
	.help = "Rows divided by their root mean square, then scaled.",
	.since = 23,
	.in = norm_in,
	.out = norm_out,
	.attrs = norm_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = norm_infer,
	.kernels = norm_kernels,
	.grad = "dX = predictd.RMSNormGrad<axis=@axis, epsilon=@epsilon>("
		"CastLike(Mul(dY, scale), X), X); "
		"h = RMSNormalization<axis=@axis, epsilon=@epsilon>(X, "
		"CastLike(1, dY)); "
		"dscale = SumTo(Mul(dY, h), scale)",
	.cases = norm_cases,
};

extern const struct op op_rms_norm_grad;
const struct op op_rms_norm_grad = {
	.domain = "predictd",
	.name = "RMSNormGrad",
	.help = "Gradient of rows divided by their root mean square.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};
