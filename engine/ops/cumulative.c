/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CumSum and CumProd: y_i = x_0 + ... + x_i along an axis (or the product);
 * `exclusive` leaves out x_i, `reverse` begins at the end.
 *
 *   dx of CumSum is the CumSum of dy in the other direction; that of CumProd
 *   is a loop of its own, which divides by nothing.
 */
#include <string.h>

#include "base/str.h"
#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct cumulative_attrs {
	int64_t exclusive, reverse;
};

struct cumulative {
	int64_t n, inner;    /* extent of the axis; elements behind it */
	int64_t first, last; /* blocks of one slice */
	bool is_product, is_exclusive, is_reverse;
};

#define GOES_BACK /* gradients are of floats */
#define T float
#define U float
#define NAME(x) x##_f32
#include "engine/ops/cumulative_typed.h"
#undef T
#undef U
#undef NAME
#define T double
#define U double
#define NAME(x) x##_f64
#include "engine/ops/cumulative_typed.h"
#undef T
#undef U
#undef NAME
#undef GOES_BACK
#define U uint64_t
#define T int32_t
#define NAME(x) x##_i32
#include "engine/ops/cumulative_typed.h"
#undef T
#undef NAME
#define T int64_t
#define NAME(x) x##_i64
#include "engine/ops/cumulative_typed.h"
#undef T
#undef NAME
#define T uint64_t
#define NAME(x) x##_u64
#include "engine/ops/cumulative_typed.h"
#undef T
#undef NAME
#undef U

typedef void blocks_fn(const struct cumulative *c, const void *x, void *y);

static blocks_fn *blocks_of(enum dtype dtype)
{
	static blocks_fn *const fn[DTYPE_COUNT] = {
		[DTYPE_F32] = blocks_f32, [DTYPE_F64] = blocks_f64,
		[DTYPE_I32] = blocks_i32, [DTYPE_I64] = blocks_i64,
		[DTYPE_U64] = blocks_u64,
	};

	return fn[dtype];
}

/* The axis may be known only when running. */
static enum err_code cumulative_infer(struct infer *infer, struct err *err)
{
	const struct fact *axis = &infer->in[1];
	enum err_code rc = ERR_NONE;
	unsigned at;

	if (shape_count(&axis->shape) != 1)
		return infer_fail(err,
				  "input 'axis': expected one number, got %lld",
				  (long long)shape_count(&axis->shape));
	if (axis->value)
		rc = shape_axis(fact_int(axis, 0), infer->in[0].shape.rank,
				"input 'axis'", &at, err);
	return rc ? rc : infer_same(infer, err);
}

static bool cumulative_fits(const struct kernel_query *query)
{
	return blocks_of(query->in[0].type.elem) != NULL;
}

/* False for an axis out of range. */
static bool cumulative_of(const struct kernel_query *q, const void *number,
			  struct cumulative *ret)
{
	const struct cumulative_attrs *attrs = q->attrs;
	const struct shape *x = &q->in[0].shape;
	struct fact axis = q->in[1];
	unsigned at;

	if (!axis.value)
		axis.value = number;
	if (shape_axis(fact_int(&axis, 0), x->rank, "", &at, NULL))
		return false;
	*ret = (struct cumulative){
		.n = x->dim[at],
		.inner = shape_range(x, at + 1, x->rank),
		.last = shape_range(x, 0, at),
		.is_product = str_starts_with(q->op->name, "CumProd"),
		.is_exclusive = attrs->exclusive,
		.is_reverse = attrs->reverse,
	};
	return true;
}

static enum err_code cumulative_prepare(const struct kernel_query *query,
					struct kernel_setup *ret,
					struct err *err)
{
	const struct fact *x = &query->in[0];
	struct cumulative c;

	(void)err;
	if (query->in[1].value && cumulative_of(query, NULL, &c))
		ret->n_slices = move_slices(
		    query, c.last, tensor_bytes(x->type.elem, &x->shape));
	return ERR_NONE;
}

static void cumulative_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct fact *y = &q->out[0];
	struct cumulative c;
	int64_t first, last;

	(void)scratch;
	if (!shape_count(&y->shape))
		return;
	if (!cumulative_of(q, call->in[1], &c)) {
		memset(call->out[0], 0, tensor_bytes(y->type.elem, &y->shape));
		kernel_fault(call, 0);
		return;
	}
	kernel_slice(c.last, call->n_slices, slice, &first, &last);
	c.first = first;
	c.last = last;
	blocks_of(q->in[0].type.elem)(&c, call->in[0], call->out[0]);
}

static const struct kernel cumulative_kernel = {
	.name = "cumulative.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = cumulative_fits,
	.cost = move_cost_scattered,
	.prepare = cumulative_prepare,
	.run = cumulative_run,
};
static const struct kernel *const cumulative_kernels[] = { &cumulative_kernel,
							   NULL };

static enum err_code sum_vjp(struct vjp *vjp, struct err *err)
{
	struct cumulative_attrs attrs =
	    *(const struct cumulative_attrs *)vjp->attrs;
	const int32_t in[2] = { vjp->grad_out[0], vjp->in[1] };

	attrs.reverse = !attrs.reverse;
	vjp->grad_in[0] = build_node(vjp->build, "CumSum", &attrs, in, 2);
	return build_check(vjp->build, err);
}

/* CumProdGrad: x, axis, dy */

static void product_back_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	const struct kernel_query *q = call->query;
	const bool is_float = q->in[0].type.elem == DTYPE_F32;
	const struct fact *dx = &q->out[0];
	struct cumulative c;

	(void)slice;
	(void)scratch;
	if (!shape_count(&dx->shape))
		return;
	if (!cumulative_of(q, call->in[1], &c)) {
		memset(call->out[0], 0,
		       tensor_bytes(dx->type.elem, &dx->shape));
		kernel_fault(call, 0);
		return;
	}
	for (int64_t i = 0; i < c.last * c.inner; i++) {
		const int64_t at =
		    (i / c.inner * c.n + (c.is_reverse ? c.n - 1 : 0)) *
			c.inner +
		    i % c.inner;

		if (is_float)
			line_back_f32(&c, (const float *)call->in[0] + at,
				      (const float *)call->in[2] + at,
				      (float *)call->out[0] + at);
		else
			line_back_f64(&c, (const double *)call->in[0] + at,
				      (const double *)call->in[2] + at,
				      (double *)call->out[0] + at);
	}
}

static const struct kernel product_back_kernel = {
	.name = "cum_prod_grad.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.run = product_back_run,
};
static const struct kernel *const product_back_kernels[] = {
	&product_back_kernel, NULL
};

static enum err_code product_back_infer(struct infer *infer, struct err *err)
{
	if (!shape_equal(&infer->in[0].shape, &infer->in[2].shape))
		return infer_fail(err, "input 'dY': expected the shape of 'x'");
	return cumulative_infer(infer, err);
}

static enum err_code product_vjp(struct vjp *vjp, struct err *err)
{
	const int32_t in[3] = { vjp->in[0], vjp->in[1], vjp->grad_out[0] };

	vjp->grad_in[0] =
	    build_node(vjp->build, "CumProdGrad", vjp->attrs, in, 3);
	return build_check(vjp->build, err);
}

static const struct port product_back_in[] = {
	{ "x", "T:floats", 0 },
	{ "axis", "int32,int64", 0 },
	{ "dY", "T", 0 },
	{ 0 },
};
static const struct port product_back_out[] = { { "dX", "T", 0 }, { 0 } };

static const struct port cumulative_in[] = {
	{ "x", "T:arith", 0 },
	{ "axis", "int32,int64", 0 },
	{ 0 },
};
static const struct port cumulative_out[] = { { "y", "T", 0 }, { 0 } };

static const struct op_attr cumulative_attrs[] = {
	{ .name = "exclusive",
	  .help = "1: an element has no part in its own result",
	  .offset = offsetof(struct cumulative_attrs, exclusive),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ .name = "reverse",
	  .help = "1: from the end",
	  .offset = offsetof(struct cumulative_attrs, reverse),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

static const struct op_case sum_cases[] = {
	{ .name = "vector", .graph = "y = CumSum(x:float[5], a:int64[]={0})" },
	{ .name = "rows",
	  .graph = "y = CumSum(x:double[3,4], a:int32[]={-1})" },
	{ .name = "columns",
	  .graph = "y = CumSum(x:float[3,4], a:int64[1]={0})" },
	{ .name = "exclusive",
	  .graph = "y = CumSum<exclusive=1>(x:float[2,3,4], a:int64[]={1})" },
	{ .name = "reverse",
	  .graph = "y = CumSum<reverse=1>(x:float[2,3,4], a:int64[]={2})" },
	{ .name = "both",
	  .graph = "y = CumSum<exclusive=1,reverse=1>(x:int32[2,3,4], "
		   "a:int64[]={1})" },
	{ .name = "uint32", .graph = "y = CumSum(x:uint32[5], a:int64[]={0})" },
	{ .name = "half",
	  .graph = "y = CumSum(x:float16[5], a:int64[]={0})",
	  .tolerance = 1e-2 },
	{ .name = "nothing",
	  .graph = "y = CumSum<reverse=1>(x:float[3,0], a:int64[]={1})" },
	{ .name = "sliced",
	  .graph = "y = CumSum(x:float[101,33,10], a:int64[]={1})" },
	{ .name = "axis out of range",
	  .graph = "y = CumSum(x:float[3,4], a:int64[]={2})",
	  .want = ERR_SHAPE },
	{ .name = "two axes",
	  .graph = "y = CumSum(x:float[3,4], a:int64[2]={0,1})",
	  .want = ERR_SHAPE },
	{ .name = "of a scalar",
	  .graph = "y = CumSum(x:float[], a:int64[]={0})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case product_cases[] = {
	{ .name = "vector", .graph = "y = CumProd(x:float[5], a:int64[]={0})" },
	{ .name = "exclusive",
	  .graph = "y = CumProd<exclusive=1>(x:int64[3,4], a:int64[]={1})" },
	{ .name = "reverse",
	  .graph = "y = CumProd<reverse=1>(x:double[3,4], a:int64[]={0})" },
	{ .name = "both",
	  .graph = "y = CumProd<exclusive=1,reverse=1>(x:uint64[3,4], "
		   "a:int64[]={0})" },
	{ .name = "with zeros",
	  .graph =
	      "y = CumProd(Mul(x:float[2,5,3], m:float[1,5,1]={1,0,1,0,1}), "
	      "a:int64[]={1})" },
	{ .name = "reverse, exclusive, with a zero",
	  .graph = "y = CumProd<exclusive=1,reverse=1>(Mul(x:float[5,3], "
		   "m:float[5,1]={1,1,0,1,1}), a:int64[]={0})" },
	{ .name = "nothing",
	  .graph = "y = CumProd(x:float[3,0], a:int64[]={1})" },
	{ .name = "axis out of range",
	  .graph = "y = CumProd(x:float[3,4], a:int64[]={-3})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_cum_prod, op_cum_sum;

const struct op op_cum_prod = {
	.domain = "",
	.name = "CumProd",
	.help = "Running products along an axis.",
	.since = 26,
	.in = cumulative_in,
	.out = cumulative_out,
	.attrs = cumulative_attrs,
	.attrs_size = sizeof(struct cumulative_attrs),
	.infer = cumulative_infer,
	.kernels = cumulative_kernels,
	.vjp = product_vjp,
	.cases = product_cases,
};

static const struct op_case product_back_cases[] = {
	{ .name = "columns",
	  .graph = "d = predictd.CumProdGrad(x:float[4,3], a:int64[]={0}, "
		   "dy:float[4,3])" },
	{ .name = "other shapes",
	  .graph = "d = predictd.CumProdGrad(x:float[4,3], a:int64[]={0}, "
		   "dy:float[4,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_cum_prod_grad;
const struct op op_cum_prod_grad = {
	.domain = "predictd",
	.name = "CumProdGrad",
	.help = "The gradient of CumProd.",
	.since = 1,
	.in = product_back_in,
	.out = product_back_out,
	.attrs = cumulative_attrs,
	.attrs_size = sizeof(struct cumulative_attrs),
	.infer = product_back_infer,
	.kernels = product_back_kernels,
	.cases = product_back_cases,
};

const struct op op_cum_sum = {
	.domain = "",
	.name = "CumSum",
	.help = "Running sums along an axis.",
	.since = 11,
	.in = cumulative_in,
	.out = cumulative_out,
	.attrs = cumulative_attrs,
	.attrs_size = sizeof(struct cumulative_attrs),
	.infer = cumulative_infer,
	.kernels = cumulative_kernels,
	.vjp = sum_vjp,
	.cases = sum_cases,
};
