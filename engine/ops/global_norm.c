/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The length of a flat gradient: GlobalNorm(x) = sqrt(sum x x).
 *
 * Squares are summed in double over chunks of 4,096 elements, and the chunks
 * in order of their index, so the bits do not depend on who summed which:
 * GlobalNorm does both halves, ChunkSquares and ChunkNorm one each, for a team.
 */
#include <math.h>

#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"

enum { CHUNK = 4096, MAX_SLICES = 64, SLICE_CHUNKS = 32 };

static int64_t n_chunks(const struct fact *x)
{
	return (shape_count(&x->shape) + CHUNK - 1) / CHUNK;
}

static double chunk_at(const struct kernel_call *call, int64_t chunk)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	const int64_t first = chunk * CHUNK;

	return row_loops()->squares((const float *)call->in[0] + first,
				    n - first < CHUNK ? n - first : CHUNK);
}

static void norm_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const int64_t n = n_chunks(&call->query->in[0]);
	float *norm = call->out[0];
	double sum = 0;

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < n; i++)
		sum += chunk_at(call, i);
	norm[0] = (float)sqrt(sum);
}

static void squares_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	double *sum = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(n_chunks(&call->query->in[0]), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++)
		sum[i] = chunk_at(call, i);
}

static enum err_code squares_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	const int64_t n = n_chunks(&query->in[0]) / SLICE_CHUNKS;

	(void)err;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static void chunk_norm_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	const double *square = call->in[0];
	float *norm = call->out[0];
	double sum = 0;

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < n; i++)
		sum += square[i];
	norm[0] = (float)sqrt(sum);
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 2e-4;
}

static enum err_code scalar_infer(struct infer *infer, struct err *err)
{
	(void)err;
	infer->out[0].shape.rank = 0;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code squares_infer(struct infer *infer, struct err *err)
{
	(void)err;
	infer->out[0].shape = (struct shape){ 1, { n_chunks(&infer->in[0]) } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static const struct kernel norm_kernel = {
	.name = "global_norm.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.run = norm_run,
};
static const struct kernel squares_kernel = {
	.name = "chunk_squares.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = squares_prepare,
	.run = squares_run,
};
static const struct kernel chunk_norm_kernel = {
	.name = "chunk_norm.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.run = chunk_norm_run,
};

static const struct kernel *const norm_kernels[] = { &norm_kernel, NULL };
static const struct kernel *const squares_kernels[] = { &squares_kernel, NULL };
static const struct kernel *const chunk_norm_kernels[] = { &chunk_norm_kernel,
							   NULL };

static const struct port norm_in[] = { { "x", "float", 0 }, { 0 } };
static const struct port norm_out[] = { { "norm", "float", 0 }, { 0 } };
static const struct port squares_out[] = { { "squares", "double", 0 }, { 0 } };
static const struct port squares_in[] = { { "squares", "double", 0 }, { 0 } };

/* clang-format off */
static const struct op_case norm_cases[] = {
	{ .name = "vector", .graph = "n = predictd.GlobalNorm(x:float[37])" },
	{ .name = "several chunks", .graph = "n = predictd.GlobalNorm(x:float[9001])" },
	{ .name = "nothing", .graph = "n = predictd.GlobalNorm(x:float[0])" },
	{ .name = "a matrix", .graph = "n = predictd.GlobalNorm(x:float[3,5])" },
	{ 0 },
};
static const struct op_case squares_cases[] = {
	{ .name = "several chunks", .graph = "s = predictd.ChunkSquares(x:float[9001])" },
	{ .name = "nothing", .graph = "s = predictd.ChunkSquares(x:float[0])" },
	{ 0 },
};
static const struct op_case chunk_norm_cases[] = {
	{ .name = "of chunks",
	  .graph = "n = predictd.ChunkNorm(predictd.ChunkSquares(x:float[9001]))" },
	{ .name = "of numbers", .graph = "n = predictd.ChunkNorm(x:double[3]={9,16,144})" },
	{ 0 },
};
/* clang-format on */

extern const struct op op_chunk_norm;
const struct op op_chunk_norm = {
	.domain = "predictd",
	.name = "ChunkNorm",
	.help = "The root of the sum of what ChunkSquares gives.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = squares_in,
	.out = norm_out,
	.infer = scalar_infer,
	.kernels = chunk_norm_kernels,
	.cases = chunk_norm_cases,
};

extern const struct op op_chunk_squares;
const struct op op_chunk_squares = {
	.domain = "predictd",
	.name = "ChunkSquares",
	.help = "Sums of squares over chunks of 4,096 elements.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = norm_in,
	.out = squares_out,
	.infer = squares_infer,
	.kernels = squares_kernels,
	.cases = squares_cases,
};

extern const struct op op_global_norm;
const struct op op_global_norm = {
	.domain = "predictd",
	.name = "GlobalNorm",
	.help = "The root of the sum of squares of all elements.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = norm_in,
	.out = norm_out,
	.infer = scalar_infer,
	.kernels = norm_kernels,
	.cases = norm_cases,
};
