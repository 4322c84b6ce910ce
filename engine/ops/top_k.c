/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * TopK: the k largest (or smallest) elements along an axis, in order, and
 * their places. Of equals the first comes first; NaN counts as the largest.
 * A heap of k places for each line: n log k steps. `sorted` 0 leaves the order
 * open, and gets the same one.
 */
#include <math.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct top_k_attrs {
	int64_t axis, largest, sorted;
};

struct top {
	int64_t n, k, inner; /* extent of the axis; elements behind it */
	int64_t first, last; /* lines of one slice */
	bool is_largest;
	int64_t *heap;
	int64_t from; /* what sinks */
};

#define TYPED "engine/ops/top_k_typed.h"
#include "engine/ops/ordered_typed.h"

typedef void top_fn(struct top *t, const void *x, void *y, int64_t *indices);

static top_fn *top_fn_of(enum dtype dtype)
{
	static top_fn *const fn[DTYPE_COUNT] = { ORDERED(top) };

	return fn[dtype];
}

static enum err_code top_infer(struct infer *infer, struct err *err)
{
	const struct top_k_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	int64_t list[SHAPE_MAX_RANK];
	enum err_code rc;
	unsigned axis;
	size_t n;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (!rc)
		rc = infer_ints(infer, 1, list, &n, err);
	if (rc)
		return rc;
	if (n != 1)
		return infer_fail(err,
				  "input 'K': expected one number, got %zu", n);
	if (list[0] < 0 || list[0] > x->dim[axis])
		return infer_fail(err,
				  "input 'K': expected 0 to %lld, the extent "
				  "of axis %u, got %lld",
				  (long long)x->dim[axis], axis,
				  (long long)list[0]);
	for (unsigned i = 0; i < infer->n_out; i++) {
		infer->out[i].shape = *x;
		infer->out[i].shape.dim[axis] = list[0];
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

static struct top top_of(const struct kernel_query *q)
{
	const struct top_k_attrs *attrs = q->attrs;
	const struct shape *x = &q->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);

	return (struct top){
		.n = x->dim[axis],
		.k = fact_int(&q->in[1], 0),
		.inner = shape_range(x, axis + 1, x->rank),
		.last =
		    shape_range(x, 0, axis) * shape_range(x, axis + 1, x->rank),
		.is_largest = attrs->largest,
	};
}

static bool top_fits(const struct kernel_query *query)
{
	return top_fn_of(query->in[0].type.elem) != NULL;
}

static enum err_code top_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct fact *x = &query->in[0];
	const struct top t = top_of(query);

	(void)err;
	ret->n_slices =
	    move_slices(query, t.last, tensor_bytes(x->type.elem, &x->shape));
	ret->scratch_bytes = (size_t)t.k * sizeof(int64_t);
	return ERR_NONE;
}

static void top_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct kernel_query *q = call->query;
	struct top t = top_of(q);
	int64_t first, last;

	kernel_slice(t.last, call->n_slices, slice, &first, &last);
	t.first = first;
	t.last = t.k ? last : first;
	t.heap = scratch;
	top_fn_of(q->in[0].type.elem)(&t, call->in[0], call->out[0],
				      q->n_out > 1 ? call->out[1] : NULL);
}

/* 2 ns an element, and the heap's part */
static double top_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) / 500 +
	       (double)shape_count(&query->out[0].shape) / 50;
}

static const struct kernel top_kernel = {
	.name = "top_k.heap",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = top_fits,
	.cost = top_cost,
	.prepare = top_prepare,
	.run = top_run,
};
static const struct kernel *const top_kernels[] = { &top_kernel, NULL };

/* dX has dValues at the places; the axis is the first attribute of both */
static enum err_code top_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	int32_t out[2], in[3];

	build_nodes(build, "TopK", vjp->attrs, vjp->in, 2, out, 2);
	in[0] = vjp->grad_out[0];
	in[1] = out[1];
	in[2] = build_ints(build, x.dim, x.rank);
	vjp->grad_in[0] =
	    build_node(build, "GatherElementsGrad", vjp->attrs, in, 3);
	return build_check(build, err);
}

static const struct port top_in[] = {
	{ "X", "T:arith", 0 },
	{ "K", "int64", 0 },
	{ 0 },
};
static const struct port top_out[] = {
	{ "Values", "T", 0 },
	{ "Indices", "int64", PORT_OPTIONAL },
	{ 0 },
};

static const struct op_attr top_attrs[] = {
	{ .name = "axis",
	  .help = "axis that is searched",
	  .offset = offsetof(struct top_k_attrs, axis),
	  .kind = ATTR_INT,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1,
	  .def = -1 },
	{ .name = "largest",
	  .help = "1: the largest, else the smallest",
	  .offset = offsetof(struct top_k_attrs, largest),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ .name = "sorted",
	  .help = "0: any order will do",
	  .offset = offsetof(struct top_k_attrs, sorted),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

static const struct op_case top_cases[] = {
	{ .name = "rows",
	  .graph = "y, i = TopK(x:float[3,7], k:int64[1]={3})" },
	{ .name = "columns",
	  .graph = "y, i = TopK<axis=0>(x:double[7,3], k:int64[1]={2})" },
	{ .name = "middle",
	  .graph = "y, i = TopK<axis=1>(x:float[2,5,3], k:int64[]={4})" },
	{ .name = "smallest",
	  .graph = "y, i = TopK<largest=0>(x:float[3,9], k:int64[1]={9})" },
	{ .name = "equals",
	  .graph = "y, i = TopK(x:int32[3,40], k:int64[1]={25})" },
	{ .name = "smallest of equals",
	  .graph = "y, i = TopK<largest=0,sorted=0>(x:uint8[3,40], "
		   "k:int64[1]={25})" },
	{ .name = "half",
	  .graph = "y, i = TopK(x:float16[9], k:int64[1]={2})" },
	{ .name = "long", .graph = "y, i = TopK(x:int64[9], k:int64[1]={1})" },
	{ .name = "none",
	  .graph = "y, i = TopK(x:float[3,7], k:int64[1]={0})" },
	{ .name = "no line",
	  .graph = "y, i = TopK(x:float[0,7], k:int64[1]={3})" },
	{ .name = "sliced",
	  .graph = "y, i = TopK(x:float[200,101], k:int64[1]={5})" },
	{ .name = "too many",
	  .graph = "y, i = TopK(x:float[3,7], k:int64[1]={8})",
	  .want = ERR_SHAPE },
	{ .name = "two numbers",
	  .graph = "y, i = TopK(x:float[3,7], k:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "of a scalar",
	  .graph = "y, i = TopK(x:float[], k:int64[1]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_top_k;
const struct op op_top_k = {
	.domain = "",
	.name = "TopK",
	.help = "The largest or smallest elements along an axis, in order.",
	.since = 11,
	.value_inputs = 1u << 1,
	.in = top_in,
	.out = top_out,
	.attrs = top_attrs,
	.attrs_size = sizeof(struct top_k_attrs),
	.infer = top_infer,
	.kernels = top_kernels,
	.vjp = top_vjp,
	.cases = top_cases,
};
