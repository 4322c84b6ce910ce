/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Shapes as values, and values from shapes: Shape, Size, ConstantOfShape,
 * Expand.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"

struct shape_attrs {
	int64_t start, end;
};
struct constant_of_shape_attrs {
	const struct tensor_view *value;
};

/* Which extents Shape gives: start and end count from the back when negative
 * and are clamped. */
static void shape_window(const struct shape_attrs *attrs, unsigned rank,
			 unsigned *ret_first, unsigned *ret_last)
{
	int64_t bound[2] = { attrs->start, attrs->end };

	for (unsigned i = 0; i < 2; i++) {
		if (bound[i] < 0)
			bound[i] += rank;
		if (bound[i] < 0)
			bound[i] = 0;
		if (bound[i] > rank)
			bound[i] = rank;
	}
	*ret_first = (unsigned)bound[0];
	*ret_last = (unsigned)(bound[1] > bound[0] ? bound[1] : bound[0]);
}

static enum err_code shape_infer(struct infer *infer, struct err *err)
{
	unsigned first, last;

	(void)err;
	shape_window(infer->attrs, infer->in[0].shape.rank, &first, &last);
	infer->out[0].shape = (struct shape){ 1, { last - first } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void shape_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	unsigned first, last;

	(void)slice;
	(void)scratch;
	shape_window(call->query->attrs, x->rank, &first, &last);
	memcpy(call->out[0], x->dim + first,
	       (last - first) * sizeof(x->dim[0]));
}

static const struct kernel shape_kernel = {
	.name = "shape.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = shape_run,
};
static const struct kernel *const shape_kernels[] = { &shape_kernel, NULL };

static enum err_code size_infer(struct infer *infer, struct err *err)
{
	(void)err;
	infer->out[0].shape.rank = 0;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void size_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	(void)slice;
	(void)scratch;
	*(int64_t *)call->out[0] = shape_count(&call->query->in[0].shape);
}

static const struct kernel size_kernel = {
	.name = "size.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = size_run,
};
static const struct kernel *const size_kernels[] = { &size_kernel, NULL };

/* The extents that input i lists, into *ret. */
static enum err_code wanted_shape(const struct infer *infer, unsigned i,
				  const char *name, struct shape *ret,
				  struct err *err)
{
	size_t n = 0;
	enum err_code rc;

	if (infer->in[i].shape.rank != 1)
		return infer_fail(err, "input '%s' expected rank 1, got %u",
				  name, infer->in[i].shape.rank);
	rc = infer_ints(infer, i, ret->dim, &n, err);
	ret->rank = (unsigned)n;
	return rc ? rc : shape_check(ret, name, err);
}

static enum err_code constant_of_shape_infer(struct infer *infer,
					     struct err *err)
{
	const struct constant_of_shape_attrs *attrs = infer->attrs;
	enum err_code rc;

	if (attrs->value && shape_count(&attrs->value->shape) != 1)
		return infer_fail(err,
				  "attribute 'value' expected one element, got "
				  "%lld",
				  (long long)shape_count(&attrs->value->shape));
	rc = wanted_shape(infer, 0, "input", &infer->out[0].shape, err);
	infer->out[0].has_shape = !rc;
	return rc;
}

static void constant_of_shape_run(const struct kernel_call *call,
				  unsigned slice, void *scratch)
{
	const struct constant_of_shape_attrs *attrs = call->query->attrs;
	const struct fact *y = &call->query->out[0];
	struct move move = { 1, { shape_count(&y->shape) }, { 1 }, { 0 } };
	int64_t to, from;

	(void)scratch;
	if (!move_part(&move, call->n_slices, slice, &to, &from))
		return;
	to *= (int64_t)query_size(call->query);
	if (attrs->value)
		move_run(&move, query_size(call->query),
			 (char *)call->out[0] + to, attrs->value->data);
	else
		memset((char *)call->out[0] + to, 0,
		       (size_t)move.dim[0] * query_size(call->query));
}

static enum err_code fill_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, shape_count(&y->shape),
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static const struct kernel constant_of_shape_kernel = {
	.name = "constant_of_shape.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = fill_prepare,
	.run = constant_of_shape_run,
};
static const struct kernel *const constant_of_shape_kernels[] = {
	&constant_of_shape_kernel, NULL
};

static enum err_code expand_infer(struct infer *infer, struct err *err)
{
	struct shape want;
	enum err_code rc = wanted_shape(infer, 1, "shape", &want, err);

	if (rc)
		return rc;
	rc = shape_broadcast(&infer->in[0].shape, &want, &infer->out[0].shape,
			     err);
	if (rc)
		return err_prefix(err, "inputs 'input' and 'shape'");
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'output'", err);
}

static struct move expand_move(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape, *y = &query->out[0].shape;
	const unsigned extra = y->rank - x->rank;
	int64_t from[SHAPE_MAX_RANK];
	struct move move = { .rank = y->rank };

	move_strides(x, from);
	move_strides(y, move.to);
	for (unsigned i = 0; i < y->rank; i++) {
		move.dim[i] = y->dim[i];
		if (i >= extra && x->dim[i - extra] != 1)
			move.from[i] = from[i - extra];
	}
	move_simplify(&move);
	return move;
}

static enum err_code expand_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct move move = expand_move(query);
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, move.rank ? move.dim[0] : 1,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void expand_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct move move = expand_move(call->query);

	(void)scratch;
	move_run_slice(&move, call, slice);
}

static const struct kernel expand_kernel = {
	.name = "expand.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = expand_prepare,
	.run = expand_run,
};
static const struct kernel *const expand_kernels[] = { &expand_kernel, NULL };

/* dinput is the sum of doutput over the axes that were repeated */
static enum err_code expand_vjp(struct vjp *vjp, struct err *err)
{
	vjp->grad_in[0] =
	    build_sum_like(vjp->build, vjp->grad_out[0], vjp->in[0]);
	return build_check(vjp->build, err);
}

static const struct port shape_in[] = { { "data", "T:any", 0 }, { 0 } };
static const struct port shape_out[] = { { "shape", "int64", 0 }, { 0 } };
static const struct port size_out[] = { { "size", "int64", 0 }, { 0 } };
static const struct port constant_of_shape_in[] = { { "input", "int64", 0 },
						    { 0 } };
static const struct port constant_of_shape_out[] = {
	{ "output", "@value:float", 0 }, { 0 }
};
static const struct port expand_in[] = {
	{ "input", "T:any", 0 },
	{ "shape", "int64", 0 },
	{ 0 },
};
static const struct port expand_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr shape_attrs[] = {
	{ .name = "start",
	  .help = "first axis",
	  .offset = offsetof(struct shape_attrs, start),
	  .kind = ATTR_INT },
	{ .name = "end",
	  .help = "axis behind the last",
	  .offset = offsetof(struct shape_attrs, end),
	  .kind = ATTR_INT,
	  .def = INT32_MAX },
	{ 0 },
};
static const struct op_attr constant_of_shape_attrs[] = {
	{ .name = "value",
	  .help = "one element, which also gives the type; 0.0 when absent",
	  .offset = offsetof(struct constant_of_shape_attrs, value),
	  .kind = ATTR_TENSOR },
	{ 0 },
};

static const struct op_case shape_cases[] = {
	{ .name = "all", .graph = "y = Shape(x:float[2,3,4])" },
	{ .name = "window",
	  .graph = "y = Shape<start=1,end=-1>(x:float[2,3,4])" },
	{ .name = "clamped",
	  .graph = "y = Shape<start=-9,end=9>(x:float[2,3])" },
	{ .name = "nothing",
	  .graph = "y = Shape<start=2,end=1>(x:float[2,3])" },
	{ .name = "scalar", .graph = "y = Shape(x:bool[])" },
	{ 0 },
};
static const struct op_case size_cases[] = {
	{ .name = "cube", .graph = "y = Size(x:float[2,3,4])" },
	{ .name = "empty", .graph = "y = Size(x:float[2,0])" },
	{ .name = "scalar", .graph = "y = Size(x:int8[])" },
	{ 0 },
};
static const struct op_case constant_of_shape_cases[] = {
	{ .name = "zeros", .graph = "y = ConstantOfShape(s:int64[2]={3,4})" },
	{ .name = "empty", .graph = "y = ConstantOfShape(s:int64[2]={3,0})" },
	{ .name = "scalar", .graph = "y = ConstantOfShape(s:int64[0]={})" },
	{ .name = "negative",
	  .graph = "y = ConstantOfShape(s:int64[1]={-1})",
	  .want = ERR_SHAPE },
	{ .name = "huge",
	  .graph = "y = ConstantOfShape(s:int64[3]={2000000000,2000000000,9})",
	  .want = ERR_TOO_LARGE },
	{ 0 },
};
static const struct op_case expand_cases[] = {
	{ .name = "row",
	  .graph = "y = Expand(x:float[3,1], s:int64[3]={2,1,4})" },
	{ .name = "smaller target",
	  .graph = "y = Expand(x:float[2,3,4], s:int64[1]={1})" },
	{ .name = "scalar",
	  .graph = "y = Expand(x:float[], s:int64[2]={2,3})" },
	{ .name = "empty",
	  .graph = "y = Expand(x:float[1,3], s:int64[2]={0,3})" },
	{ .name = "middle",
	  .graph = "y = Expand(x:float[2,1,3], s:int64[3]={2,5,3})" },
	{ .name = "sliced",
	  .graph = "y = Expand(x:int32[65,1,3], s:int64[3]={65,300,3})" },
	{ .name = "does not fit",
	  .graph = "y = Expand(x:float[2,3], s:int64[2]={2,4})",
	  .want = ERR_SHAPE },
	{ .name = "negative",
	  .graph = "y = Expand(x:float[1], s:int64[1]={-1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_constant_of_shape;
const struct op op_constant_of_shape = {
	.domain = "",
	.name = "ConstantOfShape",
	.help = "A tensor of the given extents, filled with one value.",
	.since = 9,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 1u << 0,
	.in = constant_of_shape_in,
	.out = constant_of_shape_out,
	.attrs = constant_of_shape_attrs,
	.attrs_size = sizeof(struct constant_of_shape_attrs),
	.infer = constant_of_shape_infer,
	.kernels = constant_of_shape_kernels,
	.cases = constant_of_shape_cases,
};

extern const struct op op_expand;
const struct op op_expand = {
	.domain = "",
	.name = "Expand",
	.help = "Repeats extents of 1 until the shapes agree.",
	.since = 8,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = expand_in,
	.out = expand_out,
	.infer = expand_infer,
	.kernels = expand_kernels,
	.vjp = expand_vjp,
	.cases = expand_cases,
};

extern const struct op op_shape;
const struct op op_shape = {
	.domain = "",
	.name = "Shape",
	.help = "The extents of a tensor.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = shape_in,
	.out = shape_out,
	.attrs = shape_attrs,
	.attrs_size = sizeof(struct shape_attrs),
	.infer = shape_infer,
	.kernels = shape_kernels,
	.cases = shape_cases,
};

extern const struct op op_size;
const struct op op_size = {
	.domain = "",
	.name = "Size",
	.help = "How many elements a tensor has.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = shape_in,
	.out = size_out,
	.infer = size_infer,
	.kernels = size_kernels,
	.cases = size_cases,
};
