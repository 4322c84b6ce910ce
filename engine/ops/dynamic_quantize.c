/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DynamicQuantizeLinear: uint8 by the range of x itself.
 *
 *   low = min(0, min x), high = max(0, max x), scale = (high - low) / 255
 *   zero = saturate(round(-low / scale)), y = saturate(round(x / scale) + zero)
 * A tensor of zeros has scale 1, as in ONNX Runtime; the formula has none.
 */
#include "engine/ops/quantize.h"

static void find_range(const float *x, int64_t n, float *low, float *high)
{
	float least = 0, most = 0;

	for (int64_t i = 0; i < n; i++) {
		least = x[i] < least ? x[i] : least;
		most = x[i] > most ? x[i] : most;
	}
	*low = least;
	*high = most;
}

static void quantize_floats(const float *x, int64_t n, float scale, float zero,
			    uint8_t *y)
{
	const float rounder = 12582912.0f, far = 512.0f;

	for (int64_t i = 0; i < n; i++) {
		const float q = x[i] / scale;
		const float above = q > -far ? q : -far;
		const float in = above < far ? above : far;
		const float sum = ((in + rounder) - rounder) + zero;

		y[i] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
	}
}

static void dynamic_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	float low, high, scale;
	int32_t zero;

	(void)slice;
	(void)scratch;
	find_range(call->in[0], n, &low, &high);
	scale = (high - low) / 255.0f;
	if (!(scale > 0))
		scale = 1;
	zero = quantize_one((double)(-low / scale), 0, DTYPE_U8);
	if (call->out[0])
		quantize_floats(call->in[0], n, scale, (float)zero,
				call->out[0]);
	if (call->out[1])
		*(float *)call->out[1] = scale;
	if (call->out[2])
		*(uint8_t *)call->out[2] = (uint8_t)zero;
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
