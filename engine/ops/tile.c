/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tile: each axis as often as `repeats` says.
 */
#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"

static enum err_code tile_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	int64_t repeats[SHAPE_MAX_RANK];
	size_t n = 0;
	enum err_code rc = infer_ints(infer, 1, repeats, &n, err);

	if (rc)
		return rc;
	if (infer->in[1].shape.rank != 1 || n != x->rank)
		return infer_fail(err,
				  "input 'repeats' expected %u numbers, the "
				  "rank of input 'input', got %zu",
				  x->rank, n);
	y->rank = x->rank;
	for (unsigned i = 0; i < x->rank; i++) {
		if (repeats[i] < 0 || repeats[i] > SHAPE_MAX_EXTENT)
			return infer_fail(err,
					  "input 'repeats' expected 0 or more, "
					  "got %lld for axis %u",
					  (long long)repeats[i], i);
		y->dim[i] = x->dim[i] * repeats[i];
	}
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

/* Every axis is walked twice: which copy, and where in it. */
static struct move tile_move(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape, *y = &query->out[0].shape;
	int64_t from[SHAPE_MAX_RANK], to[SHAPE_MAX_RANK];
	struct move move = { .rank = 2 * x->rank };

	move_strides(x, from);
	move_strides(y, to);
	for (unsigned i = 0; i < x->rank; i++) {
		const size_t copy = (size_t)2 * i, place = copy + 1;

		move.dim[copy] = x->dim[i] ? y->dim[i] / x->dim[i] : 0;
		move.to[copy] = to[i] * x->dim[i];
		move.dim[place] = x->dim[i];
		move.to[place] = to[i];
		move.from[place] = from[i];
	}
	move_simplify(&move);
	return move;
}

static enum err_code tile_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct move move = tile_move(query);
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, move.rank ? move.dim[0] : 1,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void tile_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct move move = tile_move(call->query);

	(void)scratch;
	move_run_slice(&move, call, slice);
}

static const struct kernel tile_kernel = {
	.name = "tile.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = tile_prepare,
	.run = tile_run,
};
static const struct kernel *const tile_kernels[] = { &tile_kernel, NULL };

/* dinput is the sum over the copies: doutput with the copies as axes of their
 * own, reduced to the shape in which these are 1 */
static enum err_code tile_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	const struct shape y = build_fact(build, vjp->out[0])->shape;
	struct shape copies = { 0 }, one = { 0 };
	int32_t dy;

	for (unsigned i = 0; i < x.rank; i++) {
		if (copies.rank + 2 > SHAPE_MAX_RANK)
			return err_set(err, ERR_UNSUPPORTED,
				       "Tile: no gradient for rank %u", x.rank);
		if (x.dim[i] != y.dim[i]) {
			copies.dim[copies.rank++] =
			    x.dim[i] ? y.dim[i] / x.dim[i] : 0;
			one.dim[one.rank++] = 1;
		}
		copies.dim[copies.rank++] = x.dim[i];
		one.dim[one.rank++] = x.dim[i];
	}
	dy = build_reshape(build, vjp->grad_out[0], &copies);
	vjp->grad_in[0] = build_reshape_like(
	    build,
	    build_sum_like(build, dy, build_reshape(build, vjp->in[0], &one)),
	    vjp->in[0]);
	return build_check(build, err);
}

static const struct port tile_in[] = {
	{ "input", "T:any", 0 },
	{ "repeats", "int64", 0 },
	{ 0 },
};
static const struct port tile_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_case tile_cases[] = {
	{ .name = "rows", .graph = "y = Tile(x:float[2,3], r:int64[2]={3,1})" },
	{ .name = "both", .graph = "y = Tile(x:float[2,3], r:int64[2]={2,2})" },
	{ .name = "middle",
	  .graph = "y = Tile(x:float[2,3,4], r:int64[3]={1,2,1})" },
	{ .name = "once", .graph = "y = Tile(x:float[3], r:int64[1]={1})" },
	{ .name = "not at all",
	  .graph = "y = Tile(x:float[3,2], r:int64[2]={0,2})" },
	{ .name = "of nothing",
	  .graph = "y = Tile(x:float[0,2], r:int64[2]={2,2})" },
	{ .name = "scalar", .graph = "y = Tile(x:float[], r:int64[0]={})" },
	{ .name = "bytes",
	  .graph = "y = Tile(x:uint8[2,3], r:int64[2]={2,3})" },
	{ .name = "sliced",
	  .graph = "y = Tile(x:int32[31,50], r:int64[2]={3,20})" },
	{ .name = "too few repeats",
	  .graph = "y = Tile(x:float[2,3], r:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "negative",
	  .graph = "y = Tile(x:float[3], r:int64[1]={-1})",
	  .want = ERR_SHAPE },
	{ .name = "huge",
	  .graph = "y = Tile(x:float[3], r:int64[1]={2000000000})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_tile;
const struct op op_tile = {
	.domain = "",
	.name = "Tile",
	.help = "Repeats a tensor along its axes.",
	.since = 6,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1,
	.in = tile_in,
	.out = tile_out,
	.infer = tile_infer,
	.kernels = tile_kernels,
	.vjp = tile_vjp,
	.cases = tile_cases,
};
