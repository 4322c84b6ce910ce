/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Block and Unblock: into blocks of channels and back (blocked.h).
 */
#include <string.h>

#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/blocked.h"
#include "engine/ops/move.h"

/* n images of `blocks` blocks of `lanes` channels, of `channels` that are. */
struct block {
	int64_t n, channels, blocks, plane, lanes;
};

static struct block block_of(const struct shape *plain,
			     const struct shape *blocked)
{
	return (struct block){
		.n = plain->dim[0],
		.channels = plain->dim[1],
		.blocks = blocked->dim[1],
		.plane = shape_range(plain, 2, plain->rank),
		.lanes = blocked->dim[blocked->rank - 1],
	};
}

/* Lanes of block number i that are channels. */
static int64_t lanes_of(const struct block *b, int64_t i)
{
	const int64_t left = b->channels - i % b->blocks * b->lanes;

	return left < b->lanes ? left : b->lanes;
}

static void block_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct block b =
	    block_of(&query->in[0].shape, &query->out[0].shape);
	const float *x = call->in[0];
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(b.n * b.blocks, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t have = lanes_of(&b, i), image = i / b.blocks;
		const float *from =
		    x + (image * b.channels + i % b.blocks * b.lanes) * b.plane;
		float *to = y + i * b.plane * b.lanes;

		for (int64_t p = 0; p < b.plane; p++)
			for (int64_t l = 0; l < b.lanes; l++)
				*to++ = l < have ? from[l * b.plane + p] : 0;
	}
}

static void unblock_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct block b =
	    block_of(&query->out[0].shape, &query->in[0].shape);
	const float *x = call->in[0];
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(b.n * b.blocks, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t have = lanes_of(&b, i), image = i / b.blocks;
		const float *from = x + i * b.plane * b.lanes;
		float *to =
		    y + (image * b.channels + i % b.blocks * b.lanes) * b.plane;

		for (int64_t l = 0; l < have; l++)
			for (int64_t p = 0; p < b.plane; p++)
				*to++ = from[p * b.lanes + l];
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;

	(void)err;
	ret->n_slices = move_slices(query, y->dim[0] * y->dim[1],
				    tensor_bytes(DTYPE_F32, y));
	return ERR_NONE;
}

static enum err_code check_lanes(const struct block_attrs *attrs,
				 struct err *err)
{
	if (attrs->lanes >= 1 && attrs->lanes <= BLOCKED_MAX_LANES)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute 'lanes': expected 1 to %d, got %lld",
		       BLOCKED_MAX_LANES, (long long)attrs->lanes);
}

static enum err_code block_infer(struct infer *infer, struct err *err)
{
	const struct block_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	enum err_code rc = check_lanes(attrs, err);

	if (rc)
		return rc;
	if (x->rank < 2 || x->rank >= SHAPE_MAX_RANK)
		return infer_fail(err,
				  "input 'X': expected rank 2 to %d, got "
				  "rank %u",
				  SHAPE_MAX_RANK - 1, x->rank);
	infer->out[0].shape = blocked_shape(x, attrs->lanes);
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

static enum err_code unblock_infer(struct infer *infer, struct err *err)
{
	const struct block_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;

	if (x->rank < 3)
		return infer_fail(err,
				  "input 'X': expected rank 3 or more, got "
				  "rank %u",
				  x->rank);
	if (attrs->channels < 0 || x->dim[x->rank - 1] < 1 ||
	    blocked_count(attrs->channels, x->dim[x->rank - 1]) != x->dim[1])
		return err_set(err, ERR_INVALID,
			       "attribute 'channels': expected what %lld "
			       "blocks of %lld lanes hold, got %lld",
			       (long long)x->dim[1],
			       (long long)x->dim[x->rank - 1],
			       (long long)attrs->channels);
	infer->out[0].shape = blocked_plain(x, attrs->channels);
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

static const struct kernel block_plain = {
	.name = "block.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.prepare = prepare,
	.run = block_run,
};
static const struct kernel unblock_plain = {
	.name = "unblock.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.prepare = prepare,
	.run = unblock_run,
};
static const struct kernel *const block_kernels[] = { &block_onednn,
						      &block_plain, NULL };
static const struct kernel *const unblock_kernels[] = { &unblock_onednn,
							&unblock_plain, NULL };

static const struct port in[] = { { "X", "T:float", 0 }, { 0 } };
static const struct port out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
static const struct op_attr block_attrs[] = {
	{ .name = "lanes", .help = "channels of a block",
	  .offset = offsetof(struct block_attrs, lanes), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .min = 1, .max = BLOCKED_MAX_LANES },
	{ 0 },
};
static const struct op_attr unblock_attrs[] = {
	{ .name = "channels", .help = "of the result",
	  .offset = offsetof(struct block_attrs, channels), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case block_cases[] = {
	{ .name = "image", .graph = "y = predictd.Block<lanes=8>(x:float[2,16,5,7])" },
	{ .name = "a part of a block",
	  .graph = "y = predictd.Block<lanes=8>(x:float[2,11,3,5])" },
	{ .name = "thin", .graph = "y = predictd.Block<lanes=16>(x:float[1,3,9,4])" },
	{ .name = "sequence", .graph = "y = predictd.Block<lanes=8>(x:float[3,24,13])" },
	{ .name = "vector", .graph = "y = predictd.Block<lanes=8>(x:float[3,20])" },
	{ .name = "volume", .graph = "y = predictd.Block<lanes=4>(x:float[2,6,2,3,4])" },
	{ .name = "large", .graph = "y = predictd.Block<lanes=8>(x:float[1,64,40,40])" },
	{ .name = "no pixels", .graph = "y = predictd.Block<lanes=8>(x:float[2,8,0,5])" },
	{ .name = "no channels", .graph = "y = predictd.Block<lanes=8>(x:float[2,0,3])" },
	{ .name = "rank 1", .graph = "y = predictd.Block<lanes=8>(x:float[8])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case unblock_cases[] = {
	{ .name = "image", .graph = "y = predictd.Unblock<channels=16>(x:float[2,2,5,7,8])" },
	{ .name = "a part of a block",
	  .graph = "y = predictd.Unblock<channels=11>(x:float[2,2,3,5,8])" },
	{ .name = "thin", .graph = "y = predictd.Unblock<channels=3>(x:float[1,1,9,4,16])" },
	{ .name = "sequence", .graph = "y = predictd.Unblock<channels=24>(x:float[3,3,13,8])" },
	{ .name = "vector", .graph = "y = predictd.Unblock<channels=20>(x:float[3,3,8])" },
	{ .name = "large", .graph = "y = predictd.Unblock<channels=64>(x:float[1,8,40,40,8])" },
	{ .name = "nothing", .graph = "y = predictd.Unblock<channels=8>(x:float[2,1,0,8])" },
	{ .name = "too many channels",
	  .graph = "y = predictd.Unblock<channels=17>(x:float[2,2,5,8])", .want = ERR_INVALID },
	{ .name = "no lanes", .graph = "y = predictd.Unblock<channels=1>(x:float[2,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_block;
const struct op op_block = {
	.domain = "predictd",
	.name = "Block",
	.help = "Gathers channels in blocks that stand last.",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ZERO_STAYS_ZERO,
	.in = in,
	.out = out,
	.attrs = block_attrs,
	.attrs_size = sizeof(struct block_attrs),
	.infer = block_infer,
	.kernels = block_kernels,
	.cases = block_cases,
};

extern const struct op op_unblock;
const struct op op_unblock = {
	.domain = "predictd",
	.name = "Unblock",
	.help = "Puts channels in blocks back to the second axis.",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ZERO_STAYS_ZERO,
	.in = in,
	.out = out,
	.attrs = unblock_attrs,
	.attrs_size = sizeof(struct block_attrs),
	.infer = unblock_infer,
	.kernels = unblock_kernels,
	.cases = unblock_cases,
};
