/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reductions over any axes: ReduceSum, ReduceMean, ReduceMax, ReduceMin,
 * ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum,
 * ReduceLogSumExp.
 */
#include "engine/ops/reduce.h"

#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reduce_loops.h"
#include "engine/ops/reshape.h"

struct reduce_attrs {
	int64_t keepdims, noop_with_empty_axes;
};

static const struct reduce_rule rules[] = {
	{ "ReduceL1", MAP_ABS, END_NONE, "dX = Mul(dY, Sign(X))" },
	{ "ReduceL2", MAP_SQUARE, END_SQRT,
	  "dX = Mul(dY, Where(Equal(Y, 0), X, Div(X, Y)))" },
	{ "ReduceLogSum", MAP_SUM, END_LOG, "dX = Div(dY, Exp(Y))" },
	{ "ReduceLogSumExp", MAP_EXP, END_LOG, "dX = Mul(dY, Exp(Sub(X, Y)))" },
	{ "ReduceMax", MAP_MAX, END_NONE, NULL },
	{ "ReduceMean", MAP_SUM, END_MEAN, NULL },
	{ "ReduceMin", MAP_MIN, END_NONE, NULL },
	{ "ReduceProd", MAP_PRODUCT, END_NONE, NULL },
	{ "ReduceSum", MAP_SUM, END_NONE, NULL },
	{ "ReduceSumSquare", MAP_SQUARE, END_NONE, "dX = Mul(Mul(dY, X), 2)" },
};

static const struct reduce_rule *rule_of(const struct op *op)
{
	size_t i = 0;

	while (strcmp(rules[i].op, op->name) != 0)
		i++;
	return &rules[i];
}

/* Bit i: axis i is reduced. */
static enum err_code reduced_axes(const struct infer *infer, uint32_t *ret_axes,
				  struct err *err)
{
	const struct reduce_attrs *attrs = infer->attrs;
	const unsigned rank = infer->in[0].shape.rank;
	enum err_code rc = infer_axes(infer, 1, rank, ret_axes, err);

	if (!rc && !attrs->noop_with_empty_axes &&
	    (!infer_has(infer, 1) || !shape_count(&infer->in[1].shape)))
		*ret_axes = ((uint32_t)1 << rank) - 1;
	return rc;
}

static enum err_code reduce_infer(struct infer *infer, struct err *err)
{
	const struct reduce_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	uint32_t axes;
	enum err_code rc = reduced_axes(infer, &axes, err);

	if (rc)
		return rc;
	y->rank = 0;
	for (unsigned i = 0; i < x->rank; i++) {
		if (!(axes >> i & 1u))
			y->dim[y->rank++] = x->dim[i];
		else if (attrs->keepdims)
			y->dim[y->rank++] = 1;
	}
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void reduce_add_axis(struct reduce *r, bool is_reduced, int64_t dim,
			    int64_t stride)
{
	int64_t *dims = is_reduced ? r->reduced_dim : r->kept_dim;
	int64_t *strides = is_reduced ? r->reduced_stride : r->kept_stride;
	unsigned *n = is_reduced ? &r->n_reduced : &r->n_kept;

	if (dim == 1)
		return;
	if (*n && strides[*n - 1] == dim * stride) {
		dims[*n - 1] *= dim;
	} else {
		dims[*n] = dim;
		++*n;
	}
	strides[*n - 1] = stride;
	r->is_inner_kept = !is_reduced;
}

static struct reduce reduce_of(const struct kernel_query *query)
{
	const struct infer infer = query_infer(query);
	const struct shape *x = &query->in[0].shape;
	int64_t stride[SHAPE_MAX_RANK];
	struct reduce r = { .rule = rule_of(query->op), .count = 1 };
	uint32_t axes;

	if (reduced_axes(&infer, &axes, NULL))
		axes = 0;
	move_strides(x, stride);
	for (unsigned i = 0; i < x->rank; i++) {
		reduce_add_axis(&r, axes >> i & 1u, x->dim[i], stride[i]);
		if (axes >> i & 1u)
			r.count *= x->dim[i];
	}
	if (!r.n_reduced) {
		r.reduced_dim[0] = 1;
		r.n_reduced = 1;
	}
	r.n_out = shape_count(&query->out[0].shape);
	return r;
}

static bool reduce_fits(const struct kernel_query *query)
{
	return reduce_fn_of(query->in[0].type.elem) != NULL;
}

static enum err_code reduce_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct fact *x = &query->in[0];

	(void)err;
	ret->n_slices = move_slices(query, shape_count(&query->out[0].shape),
				    tensor_bytes(x->type.elem, &x->shape));
	return ERR_NONE;
}

static void reduce_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct reduce r = reduce_of(call->query);
	int64_t first, last;

	(void)scratch;
	kernel_slice(r.n_out, call->n_slices, slice, &first, &last);
	reduce_fn_of(call->query->in[0].type.elem)(&r, call->in[0],
						   call->out[0], first, last);
}

/* about 1.5 elements a ns, exponentials and others 0.1 */
static double reduce_cost(const struct kernel_query *query)
{
	const double n = (double)shape_count(&query->in[0].shape);

	return 0.1 + n / (rule_of(query->op)->map == MAP_EXP ? 100 : 1500);
}

static const struct kernel reduce_kernel = {
	.name = "reduce.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = reduce_fits,
	.cost = reduce_cost,
	.prepare = reduce_prepare,
	.run = reduce_run,
};
static const struct kernel *const reduce_kernels[] = { &reduce_kernel, NULL };

/* Gradients */

static int32_t build_reduce(struct build *build, const char *op, int32_t x,
			    uint32_t axes)
{
	const struct reduce_attrs attrs = { 1, 1 };
	int64_t list[SHAPE_MAX_RANK];
	int32_t in[2] = { x, VALUE_NONE };
	size_t n = 0;

	for (unsigned i = 0; i < SHAPE_MAX_RANK; i++)
		if (axes >> i & 1u)
			list[n++] = i;
	in[1] = build_ints(build, list, n);
	return build_node(build, op, &attrs, in, 2);
}

int32_t build_sum_like(struct build *build, int32_t x, int32_t like)
{
	const struct shape from = build_fact(build, x)->shape;
	const struct shape to = build_fact(build, like)->shape;
	const unsigned extra = from.rank - to.rank;
	uint32_t axes = 0;

	for (unsigned i = 0; i < from.rank; i++)
		if (i < extra || to.dim[i - extra] != from.dim[i])
			axes |= (uint32_t)1 << i;
	if (axes)
		x = build_reduce(build, "ReduceSum", x, axes);
	return extra ? build_reshape(build, x, &to) : x;
}

static int32_t sum_all(struct build *build, int32_t x)
{
	const unsigned rank = build_fact(build, x)->shape.rank;

	return build_reshape(
	    build,
	    build_reduce(build, "ReduceSum", x, ((uint32_t)1 << rank) - 1),
	    &(struct shape){ 0 });
}

int32_t build_sum_rest(struct build *build, int32_t a, int32_t b, int32_t like)
{
	return build_reshape_like(
	    build, build_2(build, "Sub", sum_all(build, a), sum_all(build, b)),
	    like);
}

/* A value of the result's shape, repeated to that of in 0. */
static int32_t spread(struct vjp *vjp, int32_t value, uint32_t axes)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	struct shape thin = x;
	int32_t in[2];

	for (unsigned i = 0; i < x.rank; i++)
		if (axes >> i & 1u)
			thin.dim[i] = 1;
	in[0] = build_reshape(build, value, &thin);
	in[1] = build_ints(build, x.dim, x.rank);
	return build_node(build, "Expand", NULL, in, 2);
}

/* The largest (smallest) elements of each group share its gradient. */
static int32_t share(struct vjp *vjp, int32_t y, int32_t dy, uint32_t axes)
{
	struct build *build = vjp->build;
	const struct build_name bound[] = { { "X", vjp->in[0] }, { "Y", y } };
	struct build_name mask = { "M", VALUE_NONE };
	int32_t n;

	build_text(build, "M = Add(Neg(Abs(Sign(Sub(X, Y)))), 1)", bound, 2,
		   NULL, &mask, 1);
	n = spread(vjp, build_reduce(build, "ReduceSum", mask.value, axes),
		   axes);
	return build_2(build, "Div", build_2(build, "Mul", mask.value, dy), n);
}

/* dx is dy times the product of all others, those before it and those behind:
 * nothing is divided. The axes go to the end and become one. */
static int32_t product_of_others(struct vjp *vjp, uint32_t axes)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	struct attr_ints there = { x.rank, NULL }, back = { x.rank, NULL };
	int64_t perm[SHAPE_MAX_RANK], undo[SHAPE_MAX_RANK];
	struct shape moved = { .rank = x.rank }, lines = { .rank = 2 };
	struct build_name in = { "X", VALUE_NONE }, out = { "Y", VALUE_NONE };
	size_t n = 0;

	there.v = perm;
	back.v = undo;
	lines.dim[0] = lines.dim[1] = 1;
	for (unsigned last = 0; last < 2; last++)
		for (unsigned i = 0; i < x.rank; i++)
			if ((axes >> i & 1u) == last) {
				lines.dim[last] *= x.dim[i];
				moved.dim[n] = x.dim[i];
				undo[i] = (int64_t)n;
				perm[n++] = i;
			}
	in.value = build_reshape(
	    build, build_node(build, "Transpose", &there, vjp->in, 1), &lines);
	build_text(build,
		   "Y = Mul(CumProd<exclusive=1>(X, a:int64[]={1}), "
		   "CumProd<exclusive=1, reverse=1>(X, a))",
		   &in, 1, NULL, &out, 1);
	out.value = build_reshape(build, out.value, &moved);
	return build_node(build, "Transpose", &back, &out.value, 1);
}

static enum err_code reduce_vjp(struct vjp *vjp, struct err *err)
{
	const struct reduce_rule *rule = rule_of(vjp->node->op);
	struct build *build = vjp->build;
	const struct fact *x = build_fact(build, vjp->in[0]);
	const struct shape *y = &build_fact(build, vjp->out[0])->shape;
	struct fact in[2] = { *x };
	const struct infer infer = { .attrs = vjp->attrs,
				     .n_in = (unsigned)vjp->node->n_in,
				     .in = in };
	const double ratio =
	    (double)shape_count(y) / (double)shape_count(&x->shape);
	int32_t dy = vjp->grad_out[0];
	struct build_name dx = { "dX", VALUE_NONE };
	uint32_t axes;
	enum err_code rc;

	if (vjp->node->n_in > 1 && vjp->in[1] != VALUE_NONE)
		in[1] = *build_fact(build, vjp->in[1]);
	rc = reduced_axes(&infer, &axes, err);
	if (rc)
		return rc;
	if (rule->end == END_MEAN)
		dy = build_2(build, "Mul", dy,
			     build_scalar(build, in[0].type.elem, ratio));
	dx.value = dy = spread(vjp, dy, axes);
	if (rule->map == MAP_MAX || rule->map == MAP_MIN) {
		dx.value = share(vjp, spread(vjp, vjp->out[0], axes), dy, axes);
	} else if (rule->map == MAP_PRODUCT) {
		dx.value =
		    build_2(build, "Mul", dy, product_of_others(vjp, axes));
	} else if (rule->grad) {
		const struct build_name bound[] = {
			{ "X", vjp->in[0] },
			{ "Y", spread(vjp, vjp->out[0], axes) },
			{ "dY", dy },
		};

		build_text(build, rule->grad, bound, 3, NULL, &dx, 1);
	}
	vjp->grad_in[0] = dx.value;
	return build_check(build, err);
}

static const struct port reduce_in[] = {
	{ "data", "T:arith", 0 },
	{ "axes", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port reduce_in_bool[] = {
	{ "data", "T:arith,bool", 0 },
	{ "axes", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port reduce_out[] = { { "reduced", "T", 0 }, { 0 } };

static const struct op_attr reduce_attrs[] = {
	{ .name = "keepdims",
	  .help = "1: a reduced axis stays with extent 1",
	  .offset = offsetof(struct reduce_attrs, keepdims),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ .name = "noop_with_empty_axes",
	  .help = "1: no axes means none, else all",
	  .offset = offsetof(struct reduce_attrs, noop_with_empty_axes),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};
static const struct op_case reduce_l1_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceL1(x:float[3,5], a:int64[1]={1})",
	  .kink = 0.05 },
	{ .name = "integers", .graph = "y = ReduceL1(x:int32[3,5])" },
	{ 0 },
};
static const struct op_case reduce_l2_cases[] = {
	{ .name = "columns",
	  .graph = "y = ReduceL2(x:float[3,5], a:int64[1]={0})",
	  .kink = 0.05 },
	{ .name = "all",
	  .graph = "y = ReduceL2<keepdims=0>(x:float[2,3,4])",
	  .kink = 0.05 },
	{ 0 },
};
static const struct op_case reduce_log_sum_cases[] = {
	{ .name = "of exponentials",
	  .graph = "y = ReduceLogSum(Exp(x:float[2,3]), a:int64[1]={1})" },
	{ .name = "rows",
	  .graph =
	      "y = ReduceLogSum(x:float[2,3]={1,2,3,4,5,6}, a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_log_sum_exp_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceLogSumExp(x:float[3,37], a:int64[1]={-1})" },
	{ .name = "columns",
	  .graph = "y = ReduceLogSumExp(x:float[3,5], a:int64[1]={0})" },
	{ .name = "large",
	  .graph = "y = ReduceLogSumExp(x:float[3]={1000,1000,1000})" },
	{ .name = "empty",
	  .graph = "y = ReduceLogSumExp(x:float[2,0], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_max_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceMax(x:float[3,35], a:int64[1]={1})" },
	{ .name = "short rows",
	  .graph = "y = ReduceMax(x:float[7,11,3], a:int64[1]={2})" },
	{ .name = "columns",
	  .graph = "y = ReduceMax(x:float[35,3], a:int64[1]={0})" },
	{ .name = "integers",
	  .graph = "y = ReduceMax<keepdims=0>(x:int64[3,5])" },
	{ .name = "booleans",
	  .graph = "y = ReduceMax(x:bool[3,5], a:int64[1]={1})" },
	{ .name = "bytes",
	  .graph = "y = ReduceMax(x:uint8[3,5], a:int64[1]={1})" },
	{ .name = "empty",
	  .graph = "y = ReduceMax(x:float[2,0], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_mean_cases[] = {
	{ .name = "image",
	  .graph = "y = ReduceMean(x:float[2,3,4,5], a:int64[2]={2,3})" },
	{ .name = "first and last",
	  .graph =
	      "y = ReduceMean<keepdims=0>(x:float[3,4,5], a:int64[2]={0,-1})" },
	{ .name = "all", .graph = "y = ReduceMean(x:float[3,7])" },
	{ .name = "integers",
	  .graph = "y = ReduceMean(x:int32[3,7], a:int64[1]={1})" },
	{ .name = "doubles",
	  .graph = "y = ReduceMean(x:double[3,7], a:int64[1]={0})" },
	{ .name = "short rows of integers",
	  .graph = "y = ReduceMean(x:int64[70,4], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_min_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceMin(x:float[3,35], a:int64[1]={1})" },
	{ .name = "integers",
	  .graph = "y = ReduceMin(x:uint64[3,5], a:int64[1]={0})" },
	{ .name = "booleans",
	  .graph = "y = ReduceMin(x:bool[3,5], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_prod_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceProd(x:float[3,5], a:int64[1]={1})" },
	{ .name = "middle and first, with zeros",
	  .graph = "y = ReduceProd<keepdims=0>(Mul(x:float[2,3,2,3], "
		   "m:float[1,1,2,3]={1,0,2,1,-1,1}), a:int64[2]={0,2})" },
	{ .name = "all", .graph = "y = ReduceProd(x:float[2,3])" },
	{ .name = "integers", .graph = "y = ReduceProd(x:int64[3,5])" },
	{ .name = "empty",
	  .graph = "y = ReduceProd(x:float[2,0], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_sum_cases[] = {
	{ .name = "all", .graph = "y = ReduceSum(x:float[3,5])" },
	{ .name = "rows",
	  .graph = "y = ReduceSum(x:float[3,67], a:int64[1]={1})" },
	{ .name = "columns",
	  .graph = "y = ReduceSum(x:float[33,67], a:int64[1]={0})" },
	{ .name = "batch and pixels",
	  .graph = "y = ReduceSum<keepdims=0>(x:float[3,4,2,3], "
		   "a:int64[3]={0,2,3})" },
	{ .name = "middle",
	  .graph = "y = ReduceSum(x:float[3,4,5], a:int64[1]={-2})" },
	{ .name = "no axis",
	  .graph = "y = ReduceSum<noop_with_empty_axes=1>(x:float[3,4], "
		   "a:int64[0]={})" },
	{ .name = "no axis means all",
	  .graph = "y = ReduceSum(x:float[3,4], a:int64[0]={})" },
	{ .name = "scalar", .graph = "y = ReduceSum(x:float[])" },
	{ .name = "empty",
	  .graph = "y = ReduceSum(x:float[0,3], a:int64[1]={0})" },
	{ .name = "of no rows",
	  .graph = "y = ReduceSum(x:float[0,3], a:int64[1]={1})" },
	{ .name = "extents of 1",
	  .graph = "y = ReduceSum(x:float[1,3,1,1], a:int64[2]={0,3})" },
	{ .name = "halves",
	  .graph = "y = ReduceSum(x:float16[3,5], a:int64[1]={1})" },
	{ .name = "sliced",
	  .graph = "y = ReduceSum(x:int32[41,33,47], a:int64[2]={0,2})" },
	{ .name = "axis out of range",
	  .graph = "y = ReduceSum(x:float[3,4], a:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = ReduceSum(x:float[3,4], a:int64[2]={1,-1})",
	  .want = ERR_SHAPE },
	{ .name = "short rows",
	  .graph = "y = ReduceSum(x:float[70,16], a:int64[1]={1})" },
	{ 0 },
};
static const struct op_case reduce_sum_square_cases[] = {
	{ .name = "rows",
	  .graph = "y = ReduceSumSquare(x:float[3,5], a:int64[1]={1})" },
	{ .name = "no axis squares",
	  .graph =
	      "y = ReduceSumSquare<noop_with_empty_axes=1>(x:float[3,4])" },
	{ 0 },
};

extern const struct op op_reduce_l1;
const struct op op_reduce_l1 = {
	.domain = "",
	.name = "ReduceL1",
	.help = "Sums of absolute values.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_l1_cases,
};

extern const struct op op_reduce_l2;
const struct op op_reduce_l2 = {
	.domain = "",
	.name = "ReduceL2",
	.help = "Square roots of sums of squares.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_l2_cases,
};

extern const struct op op_reduce_log_sum;
const struct op op_reduce_log_sum = {
	.domain = "",
	.name = "ReduceLogSum",
	.help = "Logarithms of sums.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_log_sum_cases,
};

extern const struct op op_reduce_log_sum_exp;
const struct op op_reduce_log_sum_exp = {
	.domain = "",
	.name = "ReduceLogSumExp",
	.help = "Logarithms of sums of exponentials.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_log_sum_exp_cases,
};

extern const struct op op_reduce_max;
const struct op op_reduce_max = {
	.domain = "",
	.name = "ReduceMax",
	.help = "Largest elements.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in_bool,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_max_cases,
};

extern const struct op op_reduce_mean;
const struct op op_reduce_mean = {
	.domain = "",
	.name = "ReduceMean",
	.help = "Means.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_mean_cases,
};

extern const struct op op_reduce_min;
const struct op op_reduce_min = {
	.domain = "",
	.name = "ReduceMin",
	.help = "Smallest elements.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in_bool,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_min_cases,
};

extern const struct op op_reduce_prod;
const struct op op_reduce_prod = {
	.domain = "",
	.name = "ReduceProd",
	.help = "Products.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_prod_cases,
};

extern const struct op op_reduce_sum;
const struct op op_reduce_sum = {
	.domain = "",
	.name = "ReduceSum",
	.help = "Sums.",
	.since = 13,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_sum_cases,
};

extern const struct op op_reduce_sum_square;
const struct op op_reduce_sum_square = {
	.domain = "",
	.name = "ReduceSumSquare",
	.help = "Sums of squares.",
	.since = 18,
	.value_inputs = 1u << 1,
	.in = reduce_in,
	.out = reduce_out,
	.attrs = reduce_attrs,
	.attrs_size = sizeof(struct reduce_attrs),
	.infer = reduce_infer,
	.kernels = reduce_kernels,
	.vjp = reduce_vjp,
	.cases = reduce_sum_square_cases,
};
