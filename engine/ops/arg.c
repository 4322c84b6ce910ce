/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ArgMax and ArgMin: the place of the largest or smallest element along one
 * axis, the first or the last one of equals.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/move.h"

struct arg_attrs {
	int64_t axis, keepdims, select_last_index;
};

struct arg {
	int64_t n, inner;    /* extent of the axis; elements behind it */
	int64_t first, last; /* results of one slice */
	bool is_max, is_last;
};

#define TYPED "engine/ops/arg_typed.h"
#include "engine/ops/ordered_typed.h"

typedef void arg_fn(const struct arg *a, const void *x, int64_t *y);

static arg_fn *arg_fn_of(enum dtype dtype)
{
	static arg_fn *const fn[DTYPE_COUNT] = { ORDERED(places) };

	return fn[dtype];
}

static enum err_code arg_infer(struct infer *infer, struct err *err)
{
	const struct arg_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	unsigned axis;
	enum err_code rc;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (rc)
		return rc;
	if (!x->dim[axis])
		return infer_fail(err,
				  "input 'data' expected elements on axis "
				  "%u, got none",
				  axis);
	y->rank = 0;
	for (unsigned i = 0; i < x->rank; i++) {
		if (i != axis)
			y->dim[y->rank++] = x->dim[i];
		else if (attrs->keepdims)
			y->dim[y->rank++] = 1;
	}
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static bool arg_fits(const struct kernel_query *query)
{
	return arg_fn_of(query->in[0].type.elem) != NULL;
}

static enum err_code arg_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct fact *x = &query->in[0];

	(void)err;
	ret->n_slices = move_slices(query, shape_count(&query->out[0].shape),
				    tensor_bytes(x->type.elem, &x->shape));
	return ERR_NONE;
}

static void arg_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct arg_attrs *attrs = q->attrs;
	const struct shape *x = &q->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
	struct arg a = {
		.n = x->dim[axis],
		.inner = shape_range(x, axis + 1, x->rank),
		.is_max = strcmp(q->op->name, "ArgMax") == 0,
		.is_last = attrs->select_last_index,
	};

	(void)scratch;
	kernel_slice(shape_count(&q->out[0].shape), call->n_slices, slice,
		     &a.first, &a.last);
	arg_fn_of(q->in[0].type.elem)(&a, call->in[0], call->out[0]);
}

static double arg_cost(const struct kernel_query *query)
{
	return 0.05 + (double)shape_count(&query->in[0].shape) / 1e3;
}

static const struct kernel arg_kernel = {
	.name = "arg.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = arg_fits,
	.cost = arg_cost,
	.prepare = arg_prepare,
	.run = arg_run,
};
static const struct kernel *const arg_kernels[] = { &arg_kernel, NULL };

static const struct port arg_in[] = { { "data", "T:arith", 0 }, { 0 } };
static const struct port arg_out[] = { { "reduced", "int64", 0 }, { 0 } };

static const struct op_attr arg_attrs[] = {
	{ .name = "axis",
	  .help = "axis that is searched",
	  .offset = offsetof(struct arg_attrs, axis),
	  .kind = ATTR_INT,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1 },
	{ .name = "keepdims",
	  .help = "1: the axis stays with extent 1",
	  .offset = offsetof(struct arg_attrs, keepdims),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ .name = "select_last_index",
	  .help = "1: the last one of equals, else the first",
	  .offset = offsetof(struct arg_attrs, select_last_index),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

static const struct op_case arg_max_cases[] = {
	{ .name = "rows", .graph = "y = ArgMax<axis=-1>(x:float[3,5])" },
	{ .name = "columns", .graph = "y = ArgMax<keepdims=0>(x:float[3,5])" },
	{ .name = "last of equals",
	  .graph = "y = ArgMax<axis=1,select_last_index=1>(x:int32[3,9])" },
	{ .name = "bytes", .graph = "y = ArgMax<axis=1>(x:uint8[2,3,4])" },
	{ .name = "no rows", .graph = "y = ArgMax<axis=1>(x:float[0,3])" },
	{ .name = "sliced", .graph = "y = ArgMax<axis=1>(x:int32[41,33,47])" },
	{ .name = "of nothing",
	  .graph = "y = ArgMax<axis=0>(x:float[0,3])",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = ArgMax<axis=2>(x:float[2,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case arg_min_cases[] = {
	{ .name = "middle", .graph = "y = ArgMin<axis=1>(x:double[2,3,4])" },
	{ .name = "first of equals",
	  .graph = "y = ArgMin<axis=0>(x:int64[9,2])" },
	{ .name = "of a scalar",
	  .graph = "y = ArgMin(x:float[])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_arg_max;
const struct op op_arg_max = {
	.domain = "",
	.name = "ArgMax",
	.help = "The place of the largest element along an axis.",
	.since = 12,
	.flags = OP_NO_GRADIENT,
	.in = arg_in,
	.out = arg_out,
	.attrs = arg_attrs,
	.attrs_size = sizeof(struct arg_attrs),
	.infer = arg_infer,
	.kernels = arg_kernels,
	.cases = arg_max_cases,
};

extern const struct op op_arg_min;
const struct op op_arg_min = {
	.domain = "",
	.name = "ArgMin",
	.help = "The place of the smallest element along an axis.",
	.since = 12,
	.flags = OP_NO_GRADIENT,
	.in = arg_in,
	.out = arg_out,
	.attrs = arg_attrs,
	.attrs_size = sizeof(struct arg_attrs),
	.infer = arg_infer,
	.kernels = arg_kernels,
	.cases = arg_min_cases,
};
