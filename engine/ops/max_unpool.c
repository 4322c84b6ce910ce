/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MaxUnpool: puts each value at the place that MaxPool's Indices name, zeros
 * elsewhere. Places count in the tensor that kernel_shape, strides and pads
 * give; a larger output_shape has zeros behind it.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"

struct unpool_attrs {
	struct attr_ints kernel_shape, strides, pads;
};

static int64_t at_or(const struct attr_ints *list, size_t i, int64_t absent)
{
	return list->n ? list->v[i] : absent;
}

/* The shape that Indices count in. */
static enum err_code inner_shape(const struct infer *infer, struct shape *ret,
				 struct err *err)
{
	const struct unpool_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const size_t n = x->rank > 2 ? x->rank - 2 : 0;

	if (!n || attrs->kernel_shape.n != n ||
	    (attrs->strides.n && attrs->strides.n != n) ||
	    (attrs->pads.n && attrs->pads.n != 2 * n))
		return infer_fail(err,
				  "input 'X': expected batch, channels and an "
				  "axis for each of %zu in 'kernel_shape' (and "
				  "in 'strides', twice in 'pads'), got rank %u",
				  attrs->kernel_shape.n, x->rank);
	*ret = *x;
	for (size_t i = 0; i < n; i++)
		ret->dim[i + 2] =
		    (x->dim[i + 2] - 1) * at_or(&attrs->strides, i, 1) -
		    at_or(&attrs->pads, i, 0) - at_or(&attrs->pads, i + n, 0) +
		    attrs->kernel_shape.v[i];
	return shape_check(ret, "output 'output'", err);
}

static enum err_code unpool_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;
	char text[2][64];
	struct shape inner;
	size_t n = 0;
	enum err_code rc = inner_shape(infer, &inner, err);

	if (!rc && !shape_equal(&infer->in[0].shape, &infer->in[1].shape))
		rc = infer_fail(
		    err, "input 'I': expected shape %s of 'X', got %s",
		    shape_text(&infer->in[0].shape, text[0], sizeof(text[0])),
		    shape_text(&infer->in[1].shape, text[1], sizeof(text[1])));
	*y = inner;
	if (!rc && infer_has(infer, 2)) {
		rc = infer_ints(infer, 2, y->dim, &n, err);
		if (!rc && n != inner.rank)
			rc = infer_fail(err,
					"input 'output_shape': expected %u "
					"extents, got %zu",
					inner.rank, n);
	}
	for (unsigned i = 0; i < inner.rank && !rc; i++)
		if (y->dim[i] < inner.dim[i])
			rc = infer_fail(err,
					"input 'output_shape': expected %lld "
					"or more on axis %u, got %lld",
					(long long)inner.dim[i], i,
					(long long)y->dim[i]);
	infer->out[0].has_shape = !rc;
	return rc ? rc : shape_check(y, "output 'output'", err);
}

/* A place of one shape in another of the same rank. */
static int64_t move_place(const struct shape *from, const struct shape *to,
			  int64_t at)
{
	int64_t step = 1, ret = 0;

	for (unsigned i = from->rank; i-- > 0;) {
		ret += at % from->dim[i] * step;
		at /= from->dim[i];
		step *= to->dim[i];
	}
	return ret;
}

static void unpool_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const struct fact *y = &call->query->out[0];
	const int64_t n = shape_count(&call->query->in[0].shape);
	const size_t size = query_size(call->query);
	const int64_t *at = call->in[1];
	struct shape inner;

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(y->type.elem, &y->shape));
	if (inner_shape(&infer, &inner, NULL))
		return;
	for (int64_t i = 0; i < n; i++) {
		int64_t to;

		if (at[i] < 0 || at[i] >= shape_count(&inner)) {
			kernel_fault(call, i);
			continue;
		}
		to = move_place(&inner, &y->shape, at[i]);
		memcpy((char *)call->out[0] + (size_t)to * size,
		       (const char *)call->in[0] + (size_t)i * size, size);
	}
}

/* The elements of dY at the places, which count in the inner shape. */
static enum err_code unpool_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct fact x = *build_fact(build, vjp->in[0]);
	const struct infer infer = { .attrs = vjp->attrs, .in = &x };
	const int64_t zeros[SHAPE_MAX_RANK] = { 0 };
	struct shape inner, flat = { .rank = 1 };
	int32_t in[3];
	enum err_code rc = inner_shape(&infer, &inner, err);

	if (rc)
		return rc;
	in[0] = vjp->grad_out[0];
	if (!shape_equal(&build_fact(build, in[0])->shape, &inner)) {
		in[1] = build_ints(build, zeros, inner.rank);
		in[2] = build_ints(build, inner.dim, inner.rank);
		in[0] = build_node(build, "Slice", NULL, in, 3);
	}
	flat.dim[0] = shape_count(&inner);
	vjp->grad_in[0] = build_2(
	    build, "Gather", build_reshape(build, in[0], &flat), vjp->in[1]);
	return build_check(build, err);
}

static const struct kernel unpool_kernel = {
	.name = "max_unpool.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.run = unpool_run,
};
static const struct kernel *const unpool_kernels[] = { &unpool_kernel, NULL };

static const struct port unpool_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "I", "int64", 0 },
	{ "output_shape", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port unpool_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr unpool_attrs[] = {
	{ .name = "kernel_shape",
	  .help = "extent of the window, by axis",
	  .offset = offsetof(struct unpool_attrs, kernel_shape),
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX },
	{ .name = "pads",
	  .help = "padding before each axis, then after each",
	  .offset = offsetof(struct unpool_attrs, pads),
	  .kind = ATTR_INTS,
	  .max = INT32_MAX },
	{ .name = "strides",
	  .help = "steps of the window, by axis",
	  .offset = offsetof(struct unpool_attrs, strides),
	  .kind = ATTR_INTS,
	  .min = 1,
	  .max = INT32_MAX },
	{ 0 },
};

static const struct op_case unpool_cases[] = {
	{ .name = "image",
	  .graph = "y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>("
		   "x:float[1,1,2,2], i:int64[1,1,2,2]={5,7,13,15})" },
	{ .name = "larger",
	  .graph = "y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>("
		   "x:float[1,1,2,2], i:int64[1,1,2,2]={5,7,13,15}, "
		   "s:int64[4]={1,1,5,6})" },
	{ .name = "pads",
	  .graph = "y = MaxUnpool<kernel_shape=[3], strides=[2], "
		   "pads=[1,1]>(x:double[1,2,2], "
		   "i:int64[1,2,2]={0,2,3,5})" },
	{ .name = "half type",
	  .graph = "y = MaxUnpool<kernel_shape=[2]>(x:float16[1,1,2], "
		   "i:int64[1,1,2]={2,0})" },
	{ .name = "no batch",
	  .graph = "y = MaxUnpool<kernel_shape=[2]>(x:float[0,1,2], "
		   "i:int64[0,1,2])" },
	{ .name = "smaller",
	  .graph = "y = MaxUnpool<kernel_shape=[2]>(x:float[1,1,2], "
		   "i:int64[1,1,2], s:int64[3]={1,1,2})",
	  .want = ERR_SHAPE },
	{ .name = "another shape of indices",
	  .graph = "y = MaxUnpool<kernel_shape=[2]>(x:float[1,1,2], "
		   "i:int64[1,2,1])",
	  .want = ERR_SHAPE },
	{ .name = "too many axes",
	  .graph = "y = MaxUnpool<kernel_shape=[2,2]>(x:float[1,1,2], "
		   "i:int64[1,1,2])",
	  .want = ERR_SHAPE },
	{ .name = "too few pads",
	  .graph = "y = MaxUnpool<kernel_shape=[2], pads=[1]>("
		   "x:float[1,1,2], i:int64[1,1,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_max_unpool;
const struct op op_max_unpool = {
	.domain = "",
	.name = "MaxUnpool",
	.help = "Puts values back where MaxPool found them.",
	.since = 9,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 2,
	.in = unpool_in,
	.out = unpool_out,
	.attrs = unpool_attrs,
	.attrs_size = sizeof(struct unpool_attrs),
	.infer = unpool_infer,
	.kernels = unpool_kernels,
	.vjp = unpool_vjp,
	.cases = unpool_cases,
};
