/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DynamicQuantizeLinear: uint8 by the range of x itself.
 *
 *   low = min(0, min x), high = max(0, max x), scale = (high - low) / 255
 *   zero = saturate(round(-low / scale)), y = saturate(round(x / scale) + zero)
 * A tensor of zeros has scale 1, as in ONNX Runtime; the formula has none.
 */
#include "engine/ops/quantize.h"

#include "engine/kernels/convert_loops.h"

enum { BLOCK = 1 << 16 };

/* Blocks from the last to the first, and then quantize() from the first on:
 * what one has read last, and what wrote x has written last, is in a cache. */
static void range_of(const float *x, int64_t n, float range[2])
{
	const int64_t n_blocks = (n + BLOCK - 1) / BLOCK;

	range[0] = range[1] = 0;
	for (int64_t i = n_blocks; i-- > 0;) {
		const int64_t left = n - i * BLOCK;
		float part[2];

		convert_loops()->range(x + i * BLOCK,
				       left < BLOCK ? left : BLOCK, part);
		range[0] = part[0] < range[0] ? part[0] : range[0];
		range[1] = part[1] > range[1] ? part[1] : range[1];
	}
}

static void dynamic_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	struct byte_grid grid = { .high = UINT8_MAX };
	float range[2];

	(void)slice;
	(void)scratch;
	range_of(call->in[0], n, range);
	grid.scale = (range[1] - range[0]) / 255.0f;
	if (!(grid.scale > 0))
		grid.scale = 1;
	grid.zero = quantize_one((double)(-range[0] / grid.scale), 0, DTYPE_U8);
	if (call->out[0])
		convert_loops()->quantize(call->in[0], n, &grid, call->out[0]);
	if (call->out[1])
		*(float *)call->out[1] = grid.scale;
	if (call->out[2])
		*(uint8_t *)call->out[2] = (uint8_t)grid.zero;
}

static enum err_code dynamic_infer(struct infer *infer, struct err *err)
{
	for (unsigned i = 1; i < infer->n_out; i++) {
		infer->out[i].shape.rank = 0;
		infer->out[i].has_shape = true;
	}
	return infer_same(infer, err);
}

static const struct kernel dynamic_kernel = {
	.name = "dynamic_quantize.reference",
	.flags = KERNEL_QUICK,
	.run = dynamic_run,
};
static const struct kernel *const dynamic_kernels[] = { &dynamic_kernel, NULL };

/* clang-format off */
static const struct port dynamic_in[] = { { "x", "T1:float", 0 }, { 0 } };
static const struct port dynamic_out[] = {
	{ "y", "uint8", 0 },
	{ "y_scale", "float", 0 },
	{ "y_zero_point", "uint8", 0 },
	{ 0 },
};
static const struct op_case dynamic_cases[] = {
	{ .name = "both signs", .graph = "y, s, z = DynamicQuantizeLinear(x:float[3,70])" },
	{ .name = "many", .graph = "y, s, z = DynamicQuantizeLinear(x:float[3,70000])" },
	{ .name = "positive", .graph = "y, s, z = DynamicQuantizeLinear(x:float[4]={1,2.5,3,4})" },
	{ .name = "negative",
	  .graph = "y, s, z = DynamicQuantizeLinear(x:float[4]={-1,-2.5,-3,-4})" },
	{ .name = "zeros", .graph = "y, s, z = DynamicQuantizeLinear(x:float[2]={0,0})" },
	{ .name = "nothing", .graph = "y, s, z = DynamicQuantizeLinear(x:float[0])" },
	{ .name = "a scalar", .graph = "y, s, z = DynamicQuantizeLinear(x:float[])" },
	{ .name = "double",
	  .graph = "y, s, z = DynamicQuantizeLinear(x:double[3])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_dynamic_quantize_linear;
const struct op op_dynamic_quantize_linear = {
	.domain = "",
	.name = "DynamicQuantizeLinear",
	.help =
	    "uint8 by the range of x itself, with that scale and zero point",
	.since = 11,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = dynamic_in,
	.out = dynamic_out,
	.infer = dynamic_infer,
	.kernels = dynamic_kernels,
	.cases = dynamic_cases,
};
