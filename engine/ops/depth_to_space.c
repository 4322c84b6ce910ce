/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DepthToSpace: [N, C b b, H, W] becomes [N, C, H b, W b]; a channel's blocks
 * lie before the channels (DCR) or behind them (CRD). SpaceToDepth goes back.
 * Either is the other's gradient, and both are one copy over six axes.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct depth_attrs {
	int64_t blocksize;
	const char *mode;
};

static enum err_code check(const struct infer *infer, bool *ret_crd,
			   struct err *err)
{
	const struct depth_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;

	*ret_crd = !strcmp(attrs->mode, "CRD");
	if (!*ret_crd && strcmp(attrs->mode, "DCR") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'mode': expected DCR or CRD, got "
			       "'%.40s'",
			       attrs->mode);
	if (x->rank != 4)
		return infer_fail(err,
				  "input 'input': expected rank 4 (batch, "
				  "channels, rows, columns), got %u",
				  x->rank);
	return ERR_NONE;
}

static enum err_code depth_infer(struct infer *infer, struct err *err)
{
	const struct depth_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const int64_t b = attrs->blocksize;
	bool crd;
	enum err_code rc = check(infer, &crd, err);

	if (rc)
		return rc;
	if (b > SHAPE_MAX_EXTENT || x->dim[1] % (b * b))
		return infer_fail(err,
				  "input 'input': expected channels in whole "
				  "blocks of %lld by %lld, got %lld",
				  (long long)b, (long long)b,
				  (long long)x->dim[1]);
	infer->out[0].shape =
	    (struct shape){ 4,
			    { x->dim[0], x->dim[1] / (b * b), x->dim[2] * b,
			      x->dim[3] * b } };
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'output'", err);
}

static enum err_code space_infer(struct infer *infer, struct err *err)
{
	const struct depth_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const int64_t b = attrs->blocksize;
	bool crd;
	enum err_code rc = check(infer, &crd, err);

	if (rc)
		return rc;
	if (x->dim[2] % b || x->dim[3] % b)
		return infer_fail(err,
				  "input 'input': expected rows and columns in "
				  "blocks of %lld, got %lld and %lld",
				  (long long)b, (long long)x->dim[2],
				  (long long)x->dim[3]);
	if (b > SHAPE_MAX_EXTENT || x->dim[1] > SHAPE_MAX_EXTENT / b / b)
		return infer_fail(err,
				  "output 'output': expected channels below "
				  "2^31, got %lld times %lld by %lld",
				  (long long)x->dim[1], (long long)b,
				  (long long)b);
	infer->out[0].shape =
	    (struct shape){ 4,
			    { x->dim[0], x->dim[1] * b * b, x->dim[2] / b,
			      x->dim[3] / b } };
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'output'", err);
}

/* Strides of [N, C, H, b, W, b] in the deep form and in the wide form, each
 * with the extents of the wide form. */
static struct move depth_move(const struct kernel_query *query, bool to_wide)
{
	const struct depth_attrs *attrs = query->attrs;
	const struct shape *deep =
	    to_wide ? &query->in[0].shape : &query->out[0].shape;
	const int64_t b = attrs->blocksize, h = deep->dim[2], w = deep->dim[3];
	const int64_t c = deep->dim[1] / (b * b), plane = h * w;
	const bool crd = !strcmp(attrs->mode, "CRD");
	const int64_t blocks = crd ? plane : c * plane;
	const int64_t wide_of[6] = {
		c * b * b * plane, b * b * plane, b * b * w, b * w, b, 1
	};
	const int64_t deep_of[6] = { c * b * b * plane,
				     crd ? b * b * plane : plane,
				     w,
				     b * blocks,
				     1,
				     blocks };
	struct move move = { 6, { deep->dim[0], c, h, b, w, b }, { 0 }, { 0 } };

	memcpy(move.to, to_wide ? wide_of : deep_of, sizeof(wide_of));
	memcpy(move.from, to_wide ? deep_of : wide_of, sizeof(wide_of));
	move_simplify(&move);
	return move;
}

static bool to_wide(const struct kernel_query *query)
{
	return query->op->name[0] == 'D';
}

static enum err_code depth_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct move move = depth_move(query, to_wide(query));
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, move.rank ? move.dim[0] : 1,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void depth_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct move move = depth_move(call->query, to_wide(call->query));

	(void)scratch;
	move_run_slice(&move, call, slice);
}

static enum err_code depth_vjp(struct vjp *vjp, struct err *err)
{
	const bool wide = vjp->node->op->name[0] == 'D';

	vjp->grad_in[0] =
	    build_node(vjp->build, wide ? "SpaceToDepth" : "DepthToSpace",
		       vjp->attrs, vjp->grad_out, 1);
	return build_check(vjp->build, err);
}

static const struct kernel depth_kernel = {
	.name = "depth_to_space.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = depth_prepare,
	.run = depth_run,
};
static const struct kernel *const depth_kernels[] = { &depth_kernel, NULL };

static const struct port depth_in[] = { { "input", "T:any", 0 }, { 0 } };
static const struct port depth_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr depth_attrs[] = {
	{ .name = "blocksize",
	  .help = "extent of a block",
	  .offset = offsetof(struct depth_attrs, blocksize),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX },
	{ .name = "mode",
	  .help = "DCR: blocks before channels, CRD: behind",
	  .offset = offsetof(struct depth_attrs, mode),
	  .kind = ATTR_STRING,
	  .def_text = "DCR" },
	{ 0 },
};

static const struct op_case depth_cases[] = {
	{ .name = "blocks first",
	  .graph = "y = DepthToSpace<blocksize=2>(x:float[2,12,3,5])" },
	{ .name = "channels first",
	  .graph = "y = DepthToSpace<blocksize=3, "
		   "mode=\"CRD\">(x:float[1,18,2,3])" },
	{ .name = "one",
	  .graph = "y = DepthToSpace<blocksize=1>(x:int8[2,3,4,5])" },
	{ .name = "nothing",
	  .graph = "y = DepthToSpace<blocksize=2>(x:float[2,0,3,5])" },
	{ .name = "sliced",
	  .graph = "y = DepthToSpace<blocksize=2>(x:float[5,64,16,15])" },
	{ .name = "a part of a block",
	  .graph = "y = DepthToSpace<blocksize=2>(x:float[1,6,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "rank 3",
	  .graph = "y = DepthToSpace<blocksize=2>(x:float[4,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "unknown mode",
	  .graph =
	      "y = DepthToSpace<blocksize=2, mode=\"CDR\">(x:float[1,4,2,2])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case space_cases[] = {
	{ .name = "images",
	  .graph = "y = SpaceToDepth<blocksize=2>(x:float[2,3,4,6])" },
	{ .name = "bytes",
	  .graph = "y = SpaceToDepth<blocksize=3>(x:uint8[1,2,3,6])" },
	{ .name = "nothing",
	  .graph = "y = SpaceToDepth<blocksize=2>(x:float[0,3,4,6])" },
	{ .name = "a part of a block",
	  .graph = "y = SpaceToDepth<blocksize=2>(x:float[1,3,4,5])",
	  .want = ERR_SHAPE },
	{ .name = "huge",
	  .graph = "y = SpaceToDepth<blocksize=2147483647>(x:float[1,3,0,0])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_depth_to_space;
const struct op op_depth_to_space = {
	.domain = "",
	.name = "DepthToSpace",
	.help = "Makes blocks of pixels from channels.",
	.since = 1,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.in = depth_in,
	.out = depth_out,
	.attrs = depth_attrs,
	.attrs_size = sizeof(struct depth_attrs),
	.infer = depth_infer,
	.kernels = depth_kernels,
	.vjp = depth_vjp,
	.cases = depth_cases,
};

extern const struct op op_space_to_depth;
const struct op op_space_to_depth = {
	.domain = "",
	.name = "SpaceToDepth",
	.help = "Makes channels from blocks of pixels.",
	.since = 1,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.in = depth_in,
	.out = depth_out,
	.attrs = depth_attrs,
	.attrs_size = sizeof(struct depth_attrs),
	.infer = space_infer,
	.kernels = depth_kernels,
	.vjp = depth_vjp,
	.cases = space_cases,
};
