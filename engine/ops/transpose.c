/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Transpose: y[i_perm[0], i_perm[1], ...] = x[i_0, i_1, ...]; the axes are
 * reversed when no permutation is given.
 */
#include "engine/autodiff.h"
#include "engine/ops/move.h"

struct transpose_attrs {
	struct attr_ints perm;
};

/* Which input axis becomes output axis i. */
static unsigned perm_at(const struct transpose_attrs *attrs, unsigned rank,
			unsigned i)
{
	return attrs->perm.n ? (unsigned)attrs->perm.v[i] : rank - 1 - i;
}

static enum err_code transpose_infer(struct infer *infer, struct err *err)
{
	const struct transpose_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	uint32_t seen = 0;

	if (attrs->perm.n && attrs->perm.n != x->rank)
		return infer_fail(err,
				  "attribute 'perm' expected %u axes, the rank "
				  "of input 'data', got %zu",
				  x->rank, attrs->perm.n);
	for (size_t i = 0; i < attrs->perm.n; i++) {
		const int64_t axis = attrs->perm.v[i];

		if (axis < 0 || axis >= x->rank || (seen >> axis & 1u))
			return infer_fail(err,
					  "attribute 'perm' expected a "
					  "permutation of 0 to %u, got %lld at "
					  "%zu",
					  x->rank - 1, (long long)axis, i);
		seen |= (uint32_t)1 << axis;
	}
	y->rank = x->rank;
	for (unsigned i = 0; i < x->rank; i++)
		y->dim[i] = x->dim[perm_at(attrs, x->rank, i)];
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static struct move transpose_move(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape, *y = &query->out[0].shape;
	int64_t from[SHAPE_MAX_RANK];
	struct move move = { .rank = y->rank };

	move_strides(x, from);
	move_strides(y, move.to);
	for (unsigned i = 0; i < y->rank; i++) {
		move.dim[i] = y->dim[i];
		move.from[i] = from[perm_at(query->attrs, x->rank, i)];
	}
	move_simplify(&move);
	return move;
}

static enum err_code transpose_prepare(const struct kernel_query *query,
				       struct kernel_setup *ret,
				       struct err *err)
{
	const struct move move = transpose_move(query);
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, move.rank ? move.dim[0] : 1,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void transpose_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	const struct move move = transpose_move(call->query);

	(void)scratch;
	move_run_slice(&move, call, slice);
}

/* twice what a copy costs: one side goes by columns */
static double transpose_cost(const struct kernel_query *query)
{
	return 2 * move_cost(query);
}

static const struct kernel transpose_kernel = {
	.name = "transpose.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = transpose_cost,
	.prepare = transpose_prepare,
	.run = transpose_run,
};
static const struct kernel *const transpose_kernels[] = { &transpose_kernel,
							  NULL };

/* the inverse permutation */
static enum err_code transpose_vjp(struct vjp *vjp, struct err *err)
{
	const unsigned rank = build_fact(vjp->build, vjp->in[0])->shape.rank;
	int64_t inverse[SHAPE_MAX_RANK];
	struct transpose_attrs attrs = { .perm = { rank, inverse } };

	for (unsigned i = 0; i < rank; i++)
		inverse[perm_at(vjp->attrs, rank, i)] = i;
	vjp->grad_in[0] =
	    build_node(vjp->build, "Transpose", &attrs, &vjp->grad_out[0], 1);
	return build_check(vjp->build, err);
}

static const struct port transpose_in[] = { { "data", "T:any", 0 }, { 0 } };
static const struct port transpose_out[] = { { "transposed", "T", 0 }, { 0 } };

static const struct op_attr transpose_attrs[] = {
	{ .name = "perm",
	  .help = "input axis of each output axis; reversed when absent",
	  .offset = offsetof(struct transpose_attrs, perm),
	  .kind = ATTR_INTS,
	  .max = SHAPE_MAX_RANK - 1 },
	{ 0 },
};

static const struct op_case transpose_cases[] = {
	{ .name = "reversed", .graph = "y = Transpose(x:float[2,3,4])" },
	{ .name = "matrix", .graph = "y = Transpose(x:float[37,21])" },
	{ .name = "blocks of a matrix",
	  .graph = "y = Transpose(x:float[40,68])" },
	{ .name = "thin", .graph = "y = Transpose(x:int32[3,35])" },
	{ .name = "last two",
	  .graph = "y = Transpose<perm=[0,2,1]>(x:float[2,19,5])" },
	{ .name = "to channels last",
	  .graph = "y = Transpose<perm=[0,2,3,1]>(x:float[2,3,4,5])" },
	{ .name = "heads",
	  .graph = "y = Transpose<perm=[0,2,1,3]>(x:float[2,5,3,4])" },
	{ .name = "same", .graph = "y = Transpose<perm=[0,1]>(x:float[4,3])" },
	{ .name = "rank 8",
	  .graph = "y = Transpose(x:float[1,2,1,2,1,2,1,3])" },
	{ .name = "scalar", .graph = "y = Transpose(x:float[])" },
	{ .name = "empty", .graph = "y = Transpose(x:float[0,3])" },
	{ .name = "doubles", .graph = "y = Transpose(x:double[17,33])" },
	{ .name = "halves", .graph = "y = Transpose(x:float16[17,33])" },
	{ .name = "bytes", .graph = "y = Transpose(x:uint8[33,17])" },
	{ .name = "sliced",
	  .graph = "y = Transpose<perm=[2,0,1]>(x:int32[3,100,211])" },
	{ .name = "wrong length",
	  .graph = "y = Transpose<perm=[1,0]>(x:float[2,3,4])",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Transpose<perm=[1,1]>(x:float[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = Transpose<perm=[0,2]>(x:float[2,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_transpose;
const struct op op_transpose = {
	.domain = "",
	.name = "Transpose",
	.help = "Puts the axes into another order.",
	.since = 1,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.in = transpose_in,
	.out = transpose_out,
	.attrs = transpose_attrs,
	.attrs_size = sizeof(struct transpose_attrs),
	.infer = transpose_infer,
	.kernels = transpose_kernels,
	.vjp = transpose_vjp,
	.cases = transpose_cases,
};
