/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The same elements in the same order under another shape: Identity, Reshape,
 * Flatten, Squeeze, Unsqueeze. The planner gives their results the bytes of
 * their inputs; the kernel copies where it cannot.
 */
#include "engine/ops/reshape.h"

#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct reshape_attrs {
	int64_t allowzero;
};
struct flatten_attrs {
	int64_t axis;
};

int32_t build_reshape(struct build *build, int32_t x, const struct shape *shape)
{
	const struct reshape_attrs attrs = { .allowzero = 1 };
	const struct shape to = *shape; /* facts move when the graph grows */
	int32_t in[2] = { x, build_ints(build, to.dim, to.rank) };

	return build_node(build, "Reshape", &attrs, in, 2);
}

int32_t build_reshape_like(struct build *build, int32_t x, int32_t like)
{
	return build_reshape(build, x, &build_fact(build, like)->shape);
}

int32_t build_zeros_like(struct build *build, int32_t like)
{
	const struct fact fact = *build_fact(build, like);
	int32_t in[2] = { build_scalar(build, fact.type.elem, 0),
			  build_ints(build, fact.shape.dim, fact.shape.rank) };

	return build_node(build, "Expand", NULL, in, 2);
}

static enum err_code reshape_vjp(struct vjp *vjp, struct err *err)
{
	vjp->grad_in[0] =
	    build_reshape_like(vjp->build, vjp->grad_out[0], vjp->in[0]);
	return build_check(vjp->build, err);
}

static void copy_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct fact *y = &call->query->out[0];
	const size_t size = dtype_info(y->type.elem)->size;
	int64_t first, last;

	(void)scratch;
	if (call->out[0] == call->in[0])
		return;
	kernel_slice(shape_count(&y->shape), call->n_slices, slice, &first,
		     &last);
	if (first < last)
		memcpy((char *)call->out[0] + (size_t)first * size,
		       (const char *)call->in[0] + (size_t)first * size,
		       (size_t)(last - first) * size);
}

static enum err_code copy_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, shape_count(&y->shape),
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static const struct kernel copy_kernel = {
	.name = "reshape.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = move_cost,
	.prepare = copy_prepare,
	.run = copy_run,
};

static const struct kernel *const copy_kernels[] = { &copy_kernel, NULL };

/* 0 copies an extent, -1 is what remains. Copied extents leave the sum on both
 * sides, so that an empty batch says what remains, too. */
static enum err_code reshape_fill(const struct infer *infer,
				  struct shape *shape, struct err *err)
{
	const struct reshape_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	int64_t have = 1, want = 1;
	int hole = -1;

	for (unsigned i = 0; i < x->rank; i++)
		if (attrs->allowzero || i >= shape->rank || shape->dim[i])
			have *= x->dim[i];
	for (unsigned i = 0; i < shape->rank; i++) {
		int64_t dim = shape->dim[i];

		if (dim < -1 || dim > SHAPE_MAX_EXTENT)
			return infer_fail(err,
					  "input 'shape' holds %lld: expected "
					  "-1 or an extent",
					  (long long)dim);
		if (dim == -1 && hole >= 0)
			return infer_fail(err,
					  "input 'shape' holds -1 at %d "
					  "and %u: expected it once",
					  hole, i);
		if (dim == -1) {
			hole = (int)i;
		} else if (dim || attrs->allowzero) {
			if (dim && want > SHAPE_MAX_COUNT / dim)
				return infer_fail(err, "input 'shape' asks for "
						       "too many elements");
			want *= dim;
		} else if (i >= x->rank) {
			return infer_fail(err,
					  "input 'shape' copies extent %u, but "
					  "input 'data' has rank %u",
					  i, x->rank);
		} else {
			shape->dim[i] = x->dim[i];
		}
	}
	if (hole < 0)
		return ERR_NONE;
	if (!want || have % want)
		return infer_fail(err,
				  "input 'shape' wants -1 at %d, but %lld "
				  "elements do not divide by %lld",
				  hole, (long long)have, (long long)want);
	shape->dim[hole] = have / want;
	return ERR_NONE;
}

static enum err_code reshape_infer(struct infer *infer, struct err *err)
{
	struct shape *shape = &infer->out[0].shape;
	const struct shape *x = &infer->in[0].shape;
	char from[64], to[64];
	enum err_code rc;
	size_t n = 0;

	if (infer->in[1].shape.rank != 1)
		return infer_fail(err, "input 'shape' expected rank 1, got %u",
				  infer->in[1].shape.rank);
	rc = infer_ints(infer, 1, shape->dim, &n, err);
	if (rc)
		return rc;
	shape->rank = (unsigned)n;
	rc = reshape_fill(infer, shape, err);
	if (rc)
		return rc;
	rc = shape_check(shape, "output 'reshaped'", err);
	if (rc)
		return rc;
	if (shape_count(shape) != shape_count(x))
		return infer_fail(err,
				  "input 'shape' expected as many elements as "
				  "input 'data' %s has, got %s",
				  shape_text(x, from, sizeof(from)),
				  shape_text(shape, to, sizeof(to)));
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code flatten_infer(struct infer *infer, struct err *err)
{
	const struct flatten_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	const int64_t rank = x->rank;
	int64_t axis = attrs->axis;

	if (axis < -rank || axis > rank)
		return infer_fail(err,
				  "attribute 'axis' %lld is out of range for "
				  "input 'input' of rank %lld",
				  (long long)axis, (long long)rank);
	if (axis < 0)
		axis += rank;
	y->rank = 2;
	y->dim[0] = shape_range(x, 0, (unsigned)axis);
	y->dim[1] = shape_range(x, (unsigned)axis, x->rank);
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

static enum err_code squeeze_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	uint32_t axes;
	enum err_code rc = infer_axes(infer, 1, x->rank, &axes, err);

	if (rc)
		return rc;
	y->rank = 0;
	for (unsigned i = 0; i < x->rank; i++) {
		const bool named = infer_has(infer, 1) ? (axes >> i & 1u) != 0
						       : x->dim[i] == 1;

		if (!named)
			y->dim[y->rank++] = x->dim[i];
		else if (x->dim[i] != 1)
			return infer_fail(err,
					  "input 'data' expected extent 1 on "
					  "axis %u, got %lld",
					  i, (long long)x->dim[i]);
	}
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code unsqueeze_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	const int64_t rank = x->rank + shape_count(&infer->in[1].shape);
	uint32_t axes;
	unsigned from = 0;
	enum err_code rc;

	if (rank > SHAPE_MAX_RANK)
		return infer_fail(err,
				  "input 'axes' makes rank %lld: expected at "
				  "most %d",
				  (long long)rank, SHAPE_MAX_RANK);
	rc = infer_axes(infer, 1, (unsigned)rank, &axes, err);
	if (rc)
		return rc;
	y->rank = (unsigned)rank;
	for (unsigned i = 0; i < y->rank; i++)
		y->dim[i] = axes >> i & 1u ? 1 : x->dim[from++];
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static const struct port identity_in[] = { { "input", "T:all", 0 }, { 0 } };
static const struct port identity_out[] = { { "output", "T", 0 }, { 0 } };
static const struct port reshape_in[] = {
	{ "data", "T:any", 0 },
	{ "shape", "int64", 0 },
	{ 0 },
};
static const struct port reshape_out[] = { { "reshaped", "T", 0 }, { 0 } };
static const struct port squeeze_in[] = {
	{ "data", "T:any", 0 },
	{ "axes", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port squeeze_out[] = { { "squeezed", "T", 0 }, { 0 } };
static const struct port unsqueeze_in[] = {
	{ "data", "T:any", 0 },
	{ "axes", "int64", 0 },
	{ 0 },
};
static const struct port unsqueeze_out[] = { { "expanded", "T", 0 }, { 0 } };

static const struct op_attr reshape_attrs[] = {
	{ .name = "allowzero",
	  .help = "0: an extent of 0 copies the input's",
	  .offset = offsetof(struct reshape_attrs, allowzero),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};
static const struct op_attr flatten_attrs[] = {
	{ .name = "axis",
	  .help = "first axis of the second extent",
	  .offset = offsetof(struct flatten_attrs, axis),
	  .kind = ATTR_INT,
	  .def = 1 },
	{ 0 },
};

static const struct op_case identity_cases[] = {
	{ .name = "cube", .graph = "y = Identity(x:float[2,3,4])" },
	{ .name = "empty", .graph = "y = Identity(x:float[0,3])" },
	{ .name = "scalar", .graph = "y = Identity(x:double[])" },
	{ .name = "bytes", .graph = "y = Identity(x:uint8[7])" },
	{ .name = "sliced", .graph = "y = Identity(x:int32[33,999])" },
	{ 0 },
};
static const struct op_case reshape_cases[] = {
	{ .name = "plain",
	  .graph = "y = Reshape(x:float[2,3,4], s:int64[2]={6,4})" },
	{ .name = "remaining",
	  .graph = "y = Reshape(x:float[2,3,4], s:int64[3]={4,-1,2})" },
	{ .name = "copied",
	  .graph = "y = Reshape(x:float[2,3,4], s:int64[2]={0,-1})" },
	{ .name = "to scalar",
	  .graph = "y = Reshape(x:float[1,1], s:int64[0]={})" },
	{ .name = "from scalar",
	  .graph = "y = Reshape(x:float[], s:int64[3]={1,1,1})" },
	{ .name = "empty batch",
	  .graph = "y = Reshape(x:float[0,3,4], s:int64[2]={0,-1})" },
	{ .name = "zero allowed",
	  .graph =
	      "y = Reshape<allowzero=1>(x:float[0,3], s:int64[3]={5,0,2})" },
	{ .name = "integers",
	  .graph = "y = Reshape(x:int8[6], s:int64[2]={3,2})" },
	{ .name = "count differs",
	  .graph = "y = Reshape(x:float[2,3], s:int64[2]={4,2})",
	  .want = ERR_SHAPE },
	{ .name = "two remain",
	  .graph = "y = Reshape(x:float[2,3], s:int64[2]={-1,-1})",
	  .want = ERR_SHAPE },
	{ .name = "does not divide",
	  .graph = "y = Reshape(x:float[2,3], s:int64[2]={4,-1})",
	  .want = ERR_SHAPE },
	{ .name = "copies what is not there",
	  .graph = "y = Reshape(x:float[6], s:int64[2]={6,0})",
	  .want = ERR_SHAPE },
	{ .name = "negative extent",
	  .graph = "y = Reshape(x:float[6], s:int64[2]={-2,-3})",
	  .want = ERR_SHAPE },
	{ .name = "zero and remaining",
	  .graph = "y = Reshape<allowzero=1>(x:float[0,3], s:int64[2]={0,-1})",
	  .want = ERR_SHAPE },
	{ .name = "huge",
	  .graph = "y = Reshape(x:float[6], "
		   "s:int64[3]={2000000000,2000000000,2000000000})",
	  .want = ERR_SHAPE },
	{ .name = "target of rank 2",
	  .graph = "y = Reshape(x:float[1], s:int64[1,1]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case flatten_cases[] = {
	{ .name = "default", .graph = "y = Flatten(x:float[2,3,4,5])" },
	{ .name = "all", .graph = "y = Flatten<axis=0>(x:float[2,3])" },
	{ .name = "end", .graph = "y = Flatten<axis=2>(x:float[2,3])" },
	{ .name = "negative", .graph = "y = Flatten<axis=-1>(x:float[2,3,4])" },
	{ .name = "scalar", .graph = "y = Flatten<axis=0>(x:float[])" },
	{ .name = "empty", .graph = "y = Flatten(x:float[0,3,4])" },
	{ .name = "axis too large",
	  .graph = "y = Flatten<axis=3>(x:float[2,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case squeeze_cases[] = {
	{ .name = "named",
	  .graph = "y = Squeeze(x:float[1,3,1,4], a:int64[1]={2})" },
	{ .name = "negative",
	  .graph = "y = Squeeze(x:float[1,3,1], a:int64[2]={-1,0})" },
	{ .name = "all of extent 1", .graph = "y = Squeeze(x:float[1,3,1,4])" },
	{ .name = "no axis",
	  .graph = "y = Squeeze(x:float[1,3], a:int64[0]={})" },
	{ .name = "empty", .graph = "y = Squeeze(x:float[0,1])" },
	{ .name = "extent is 3",
	  .graph = "y = Squeeze(x:float[1,3], a:int64[1]={1})",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = Squeeze(x:float[1,3], a:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Squeeze(x:float[1,3], a:int64[2]={0,-2})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case unsqueeze_cases[] = {
	{ .name = "first",
	  .graph = "y = Unsqueeze(x:float[3,4], a:int64[1]={0})" },
	{ .name = "several",
	  .graph = "y = Unsqueeze(x:float[3,4], a:int64[3]={4,0,-2})" },
	{ .name = "scalar",
	  .graph = "y = Unsqueeze(x:float[], a:int64[1]={-1})" },
	{ .name = "empty",
	  .graph = "y = Unsqueeze(x:float[0], a:int64[1]={1})" },
	{ .name = "axis out of range",
	  .graph = "y = Unsqueeze(x:float[3], a:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Unsqueeze(x:float[3], a:int64[2]={0,0})",
	  .want = ERR_SHAPE },
	{ .name = "rank 9",
	  .graph = "y = Unsqueeze(x:float[1,1,1,1,1,1,1,1], a:int64[1]={0})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_flatten;
const struct op op_flatten = {
	.domain = "",
	.name = "Flatten",
	.help = "Two extents: the product before an axis and the rest.",
	.since = 1,
	.flags = OP_MOVES | OP_VIEW | OP_ZERO_STAYS_ZERO,
	.in = identity_in,
	.out = identity_out,
	.attrs = flatten_attrs,
	.attrs_size = sizeof(struct flatten_attrs),
	.infer = flatten_infer,
	.kernels = copy_kernels,
	.vjp = reshape_vjp,
	.cases = flatten_cases,
};

extern const struct op op_identity;
const struct op op_identity = {
	.domain = "",
	.name = "Identity",
	.help = "The input, unchanged.",
	.since = 1,
	.flags = OP_MOVES | OP_VIEW | OP_ZERO_STAYS_ZERO,
	.in = identity_in,
	.out = identity_out,
	.infer = infer_same,
	.kernels = copy_kernels,
	.grad = "dinput = Identity(doutput)",
	.cases = identity_cases,
};

extern const struct op op_reshape;
const struct op op_reshape = {
	.domain = "",
	.name = "Reshape",
	.help = "The same elements under another shape.",
	.since = 5,
	.flags = OP_MOVES | OP_VIEW | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = reshape_in,
	.out = reshape_out,
	.attrs = reshape_attrs,
	.attrs_size = sizeof(struct reshape_attrs),
	.infer = reshape_infer,
	.kernels = copy_kernels,
	.vjp = reshape_vjp,
	.cases = reshape_cases,
};

extern const struct op op_squeeze;
const struct op op_squeeze = {
	.domain = "",
	.name = "Squeeze",
	.help = "Leaves out axes of extent 1.",
	.since = 13,
	.flags = OP_MOVES | OP_VIEW | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = squeeze_in,
	.out = squeeze_out,
	.infer = squeeze_infer,
	.kernels = copy_kernels,
	.vjp = reshape_vjp,
	.cases = squeeze_cases,
};

extern const struct op op_unsqueeze;
const struct op op_unsqueeze = {
	.domain = "",
	.name = "Unsqueeze",
	.help = "Puts in axes of extent 1.",
	.since = 13,
	.flags = OP_MOVES | OP_VIEW | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = unsqueeze_in,
	.out = unsqueeze_out,
	.infer = unsqueeze_infer,
	.kernels = copy_kernels,
	.vjp = reshape_vjp,
	.cases = unsqueeze_cases,
};
