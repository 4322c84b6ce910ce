/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RoundBfloat16: the nearest number that bfloat16 has, ties to even, as a
 * float; infinite from 2^128 - 2^119 on. The planner puts it before products
 * (engine/plan_round.c), behind which no gradient is asked for any more.
 */
#include "engine/ops/round_bfloat16.h"

#include <string.h>

#include "engine/kernels/convert_loops.h"
#include "engine/ops/elementwise.h"

#define FLOATS_PER_US 4e3

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const int64_t n = shape_count(&call->query->out[0].shape);
	const float *x = call->in[0];
	float *y = call->out[0];

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < n; i++)
		y[i] = dtype_bf16_to_f32(dtype_f32_to_bf16(x[i]));
}

static void loops_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const float *x = call->in[0];
	float *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&call->query->out[0].shape), call->n_slices,
		     slice, &first, &last);
	convert_loops()->round_brain(x + first, last - first, y + first);
}

static double us_of(const struct fact *fact)
{
	return 0.05 + (double)shape_count(&fact->shape) / FLOATS_PER_US;
}

static double cost(const struct kernel_query *query)
{
	return us_of(&query->in[0]);
}

static const struct kernel round_plain = {
	.name = "round_bfloat16.plain",
	.flags = KERNEL_QUICK | KERNEL_IN_PLACE,
	.run = plain_run,
};
static const struct kernel round_loops = {
	.name = "round_bfloat16.loops",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = cost,
	.prepare = elementwise_prepare,
	.run = loops_run,
};
static const struct kernel *const kernels[] = { &round_loops, &round_plain,
						NULL };

bool round_is_product(const struct op *op)
{
	static const struct {
		const char *domain, *name;
	} rows[] = {
		{ "", "Conv" },
		{ "", "ConvTranspose" },
		{ "", "Gemm" },
		{ "", "MatMul" },
		{ "predictd", "ConvGradData" },
		{ "predictd", "ConvGradWeights" },
		{ "predictd", "MatMulT" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(op->name, rows[i].name) &&
		    !strcmp(op->domain, rows[i].domain))
			return true;
	return false;
}

bool round_pays(const struct kernel_query *query, double us)
{
	struct kernel_query plain = *query;
	const struct kernel *kernel;

	if (query->any)
		return true;
	plain.products = PRODUCTS_F32;
	kernel = kernel_choose(&plain, false);
	return !kernel || us < kernel_cost(kernel, &plain) +
				   us_of(&query->in[0]) + us_of(&query->in[1]);
}

static const struct port in[] = { { "x", "float", 0 }, { 0 } };
static const struct port out[] = { { "y", "float", 0 }, { 0 } };

static const struct op_case cases[] = {
	{ .name = "a vector",
	  .graph = "y = predictd.RoundBfloat16(x:float[67])" },
	{ .name = "a matrix",
	  .graph = "y = predictd.RoundBfloat16(x:float[3,211])" },
	{ .name = "ties, and past the largest",
	  .graph = "y = predictd.RoundBfloat16(x:float[6]={1.00390625,"
		   "1.01171875,-1.00390625,3.39e38,3.4e38,0})" },
	{ .name = "not finite",
	  .graph = "y = predictd.RoundBfloat16(Div(x:float[3]={1,-1,0}, "
		   "z:float[3]={0,0,0}))" },
	{ .name = "a scalar",
	  .graph = "y = predictd.RoundBfloat16(x:float[])" },
	{ .name = "nothing",
	  .graph = "y = predictd.RoundBfloat16(x:float[0,3])" },
	{ 0 },
};

extern const struct op op_round_bfloat16;
const struct op op_round_bfloat16 = {
	.domain = "predictd",
	.name = "RoundBfloat16",
	.help = "The nearest number that bfloat16 has.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = in,
	.out = out,
	.infer = infer_same,
	.kernels = kernels,
	.cases = cases,
};
