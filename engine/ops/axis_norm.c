/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What is decided along one axis: Hardmax (1 for the first largest, else 0)
 * and LpNormalization.
 *
 *   y = x / n,  n = sum |x|  or  sqrt(sum x^2);  0 where n is 0
 *   dx = (dy - n' sum(dy y)) / n,  n' = sign(x)  or  y
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

struct axis_norm_attrs {
	int64_t axis, p; /* p 0: Hardmax */
};

#define T float
#define NAME(x) x##_f32
#include "engine/ops/axis_norm_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/axis_norm_typed.h"

/* [outer, n, inner] around the axis */
struct rows {
	int64_t n_rows, n, inner;
};

static struct rows query_rows(const struct kernel_query *query)
{
	const struct axis_norm_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
	const int64_t inner = shape_range(x, axis + 1, x->rank);

	return (struct rows){
		.n_rows = shape_range(x, 0, axis) * inner,
		.n = x->dim[axis],
		.inner = inner,
	};
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct axis_norm_attrs *attrs = call->query->attrs;
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	const bool is_hard = !strcmp(call->query->op->name, "Hardmax");
	const struct rows r = query_rows(call->query);
	int64_t first, last;

	(void)scratch;
	kernel_slice(r.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last && r.n; i++) {
		const int64_t at = i / r.inner * r.n * r.inner + i % r.inner;
		const float *x = (const float *)call->in[0] + at;
		const double *wide = (const double *)call->in[0] + at;
		float *y = (float *)call->out[0] + at;
		double *wide_y = (double *)call->out[0] + at;

		if (is_f64 && is_hard)
			hardmax_f64(wide, r.n, r.inner, wide_y);
		else if (is_f64)
			lp_f64(wide, r.n, r.inner, attrs->p, wide_y);
		else if (is_hard)
			hardmax_f32(x, r.n, r.inner, y);
		else
			lp_f32(x, r.n, r.inner, attrs->p, y);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct rows r = query_rows(query);
	int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;

	(void)err;
	n = n > r.n_rows ? r.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static enum err_code axis_infer(struct infer *infer, struct err *err)
{
	const struct axis_norm_attrs *attrs = infer->attrs;
	unsigned axis;
	enum err_code rc = shape_axis(attrs->axis, infer->in[0].shape.rank,
				      "attribute 'axis'", &axis, err);

	return rc ? rc : infer_same(infer, err);
}

static enum err_code lp_vjp(struct vjp *vjp, struct err *err)
{
	const struct axis_norm_attrs *attrs = vjp->attrs;
	const struct build_name in[] = {
		{ "x", vjp->in[0] },
		{ "y", vjp->out[0] },
		{ "dy", vjp->grad_out[0] },
		{ "a", build_ints(vjp->build, &attrs->axis, 1) },
	};
	struct build_name out = { "dx", VALUE_NONE };

	build_text(vjp->build,
		   attrs->p == 1
		       ? "s = Mul(Sign(x), ReduceSum(Mul(dy, y), a)); "
			 "dx = Div(Sub(dy, s), ReduceL1(x, a))"
		       : "s = Mul(y, ReduceSum(Mul(dy, y), a)); "
			 "dx = Div(Sub(dy, s), ReduceL2(x, a))",
		   in, 4, NULL, &out, 1);
	vjp->grad_in[0] = out.value;
	return build_check(vjp->build, err);
}

static const struct kernel axis_kernel = {
	.name = "axis_norm.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &axis_kernel, NULL };

static const struct port axis_in[] = {
	{ "input", "T:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port axis_out[] = { { "output", "T", 0 }, { 0 } };

/* clang-format off */
#define AXIS \
	{ .name = "axis", .help = "the axis that is looked along", \
	  .offset = offsetof(struct axis_norm_attrs, axis), .kind = ATTR_INT, .def = -1 }

static const struct op_attr hardmax_attrs[] = { AXIS, { 0 } };
static const struct op_attr lp_attrs[] = {
	AXIS,
	{ .name = "p", .help = "1: sums of magnitudes, 2: of squares",
	  .offset = offsetof(struct axis_norm_attrs, p), .kind = ATTR_INT, .min = 1, .max = 2,
	  .def = 2 },
	{ 0 },
};

static const struct op_case hardmax_cases[] = {
	{ .name = "last axis", .graph = "y = Hardmax(x:float[3,7])" },
	{ .name = "middle axis", .graph = "y = Hardmax<axis=1>(x:float[2,5,3])" },
	{ .name = "ties", .graph = "y = Hardmax(x:float[1,4]={1,3,3,2})" },
	{ .name = "double", .graph = "y = Hardmax<axis=0>(x:double[3,7])" },
	{ .name = "nothing", .graph = "y = Hardmax(x:float[3,0])" },
	{ .name = "many rows", .graph = "y = Hardmax(x:float[700,40])" },
	{ .name = "a scalar", .graph = "y = Hardmax(x:float[])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case lp_cases[] = {
	{ .name = "last axis", .graph = "y = LpNormalization(x:float[3,7])" },
	{ .name = "magnitudes", .graph = "y = LpNormalization<axis=0, p=1>(x:float[5,3,2])",
	  .kink = 0.05 },
	{ .name = "zeros", .graph = "y = LpNormalization(x:float[2,2]={0,0,3,4})" },
	{ .name = "double", .graph = "y = LpNormalization<axis=1>(x:double[3,7,2])" },
	{ .name = "nothing", .graph = "y = LpNormalization(x:float[3,0])" },
	{ .name = "many rows", .graph = "y = LpNormalization(x:float[700,40])" },
	{ .name = "another p", .graph = "y = LpNormalization<p=3>(x:float[3,7])",
	  .want = ERR_INVALID },
	{ .name = "axis past the end", .graph = "y = LpNormalization<axis=2>(x:float[3,7])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_hardmax;
const struct op op_hardmax = {
	.domain = "",
	.name = "Hardmax",
	.help = "1 for the first largest along an axis, else 0.",
	.since = 13,
	.flags = OP_NO_GRADIENT,
	.in = axis_in,
	.out = axis_out,
	.attrs = hardmax_attrs,
	.attrs_size = sizeof(struct axis_norm_attrs),
	.infer = axis_infer,
	.kernels = kernels,
	.cases = hardmax_cases,
};

extern const struct op op_lp_normalization;
const struct op op_lp_normalization = {
	.domain = "",
	.name = "LpNormalization",
	.help = "Scales so that a norm along one axis is 1.",
	.since = 1,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = axis_in,
	.out = axis_out,
	.attrs = lp_attrs,
	.attrs_size = sizeof(struct axis_norm_attrs),
	.infer = axis_infer,
	.kernels = kernels,
	.vjp = lp_vjp,
	.cases = lp_cases,
};
