/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CenterCropPad: cuts the middle out of each axis, or puts zeros around it;
 * an odd rest goes to the back. dX is CenterCropPad of dY to X's shape.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct center_attrs {
	struct attr_ints axes;
};

static enum err_code center_infer(struct infer *infer, struct err *err)
{
	const struct center_attrs *attrs = infer->attrs;
	struct shape *y = &infer->out[0].shape;
	int64_t want[SHAPE_MAX_RANK];
	uint32_t seen = 0;
	size_t n = 0, n_axes;
	enum err_code rc = infer_ints(infer, 1, want, &n, err);

	*y = infer->in[0].shape;
	n_axes = attrs->axes.n ? attrs->axes.n : y->rank;
	if (!rc && n != n_axes)
		rc = infer_fail(err,
				"input 'shape': expected %zu extents, one an "
				"axis, got %zu",
				n_axes, n);
	for (unsigned i = 0; i < n && !rc; i++) {
		unsigned axis = i;

		if (attrs->axes.n)
			rc = shape_axis(attrs->axes.v[i], y->rank,
					"attribute 'axes'", &axis, err);
		if (!rc && seen >> axis & 1u)
			rc = infer_fail(
			    err, "attribute 'axes' names axis %u twice", axis);
		seen |= (uint32_t)1 << axis;
		if (!rc)
			y->dim[axis] = want[i];
	}
	infer->out[0].has_shape = !rc;
	return rc ? rc : shape_check(y, "output 'output_data'", err);
}

static void center_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct fact *x = &call->query->in[0], *y = &call->query->out[0];
	const int64_t size = (int64_t)query_size(call->query);
	struct move move = { .rank = x->shape.rank };
	int64_t from = 0, to = 0;

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(y->type.elem, &y->shape));
	move_strides(&x->shape, move.from);
	move_strides(&y->shape, move.to);
	for (unsigned i = 0; i < move.rank; i++) {
		const int64_t in = x->shape.dim[i], out = y->shape.dim[i];

		move.dim[i] = in < out ? in : out;
		if (in > out)
			from += (in - out) / 2 * move.from[i];
		else
			to += (out - in) / 2 * move.to[i];
	}
	for (unsigned i = 0; i < move.rank; i++)
		if (!move.dim[i])
			return;
	move_simplify(&move);
	move_run(&move, (size_t)size, (char *)call->out[0] + to * size,
		 (const char *)call->in[0] + from * size);
}

static enum err_code center_vjp(struct vjp *vjp, struct err *err)
{
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	const int32_t in[2] = { vjp->grad_out[0],
				build_ints(vjp->build, x.dim, x.rank) };

	vjp->grad_in[0] = build_node(vjp->build, "CenterCropPad", NULL, in, 2);
	return build_check(vjp->build, err);
}

static const struct kernel center_kernel = {
	.name = "center_crop_pad.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.run = center_run,
};
static const struct kernel *const center_kernels[] = { &center_kernel, NULL };

static const struct port center_in[] = {
	{ "input_data", "T:any", 0 },
	{ "shape", "int32,int64", 0 },
	{ 0 },
};
static const struct port center_out[] = { { "output_data", "T", 0 }, { 0 } };

static const struct op_attr center_attrs[] = {
	{ .name = "axes",
	  .help = "those that shape tells of; none: all",
	  .offset = offsetof(struct center_attrs, axes),
	  .kind = ATTR_INTS },
	{ 0 },
};

static const struct op_case center_cases[] = {
	{ .name = "cropped",
	  .graph = "y = CenterCropPad(x:float[5,4], s:int64[2]={2,3})" },
	{ .name = "padded",
	  .graph = "y = CenterCropPad(x:float[2,3], s:int32[2]={5,4})" },
	{ .name = "both",
	  .graph = "y = CenterCropPad(x:uint8[2,5,3], s:int64[3]={5,2,3})" },
	{ .name = "axes",
	  .graph = "y = CenterCropPad<axes=[-1,0]>(x:float[2,5,3], "
		   "s:int64[2]={2,3})" },
	{ .name = "to nothing",
	  .graph = "y = CenterCropPad(x:float[2,3], s:int64[2]={0,3})" },
	{ .name = "of nothing",
	  .graph = "y = CenterCropPad(x:float[0,3], s:int64[2]={2,1})" },
	{ .name = "scalar",
	  .graph = "y = CenterCropPad(x:float[], s:int64[0]={})" },
	{ .name = "negative",
	  .graph = "y = CenterCropPad(x:float[2], s:int64[1]={-1})",
	  .want = ERR_SHAPE },
	{ .name = "too few extents",
	  .graph = "y = CenterCropPad(x:float[2,3], s:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = CenterCropPad<axes=[0,-2]>(x:float[2,3], "
		   "s:int64[2]={2,2})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_center_crop_pad;
const struct op op_center_crop_pad = {
	.domain = "",
	.name = "CenterCropPad",
	.help = "Cuts out the middle, or puts zeros around.",
	.since = 18,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = center_in,
	.out = center_out,
	.attrs = center_attrs,
	.attrs_size = sizeof(struct center_attrs),
	.infer = center_infer,
	.kernels = center_kernels,
	.vjp = center_vjp,
	.cases = center_cases,
};
