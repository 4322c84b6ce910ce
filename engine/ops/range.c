/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Range: start, start + delta, ... short of limit.
 */
#include <math.h>

#include "engine/kernel.h"

#define T float
#define U float
#define NAME(x) x##_f32
#include "engine/ops/range_typed.h"
#undef T
#undef NAME
#undef U
#define T double
#define U double
#define NAME(x) x##_f64
#include "engine/ops/range_typed.h"
#undef T
#undef NAME
#undef U
#define T int16_t
#define U uint64_t
#define NAME(x) x##_i16
#include "engine/ops/range_typed.h"
#undef T
#undef NAME
#define T int32_t
#define NAME(x) x##_i32
#include "engine/ops/range_typed.h"
#undef T
#undef NAME
#define T int64_t
#define NAME(x) x##_i64
#include "engine/ops/range_typed.h"
#undef T
#undef NAME
#undef U

struct range_type {
	double (*steps)(const void *start, const void *limit,
			const void *delta);
	void (*run)(const void *start, const void *delta, int64_t n, void *to);
};

static const struct range_type types[DTYPE_COUNT] = {
	[DTYPE_F32] = { steps_f32, range_f32 },
	[DTYPE_F64] = { steps_f64, range_f64 },
	[DTYPE_I16] = { steps_i16, range_i16 },
	[DTYPE_I32] = { steps_i32, range_i32 },
	[DTYPE_I64] = { steps_i64, range_i64 },
};

static enum err_code range_infer(struct infer *infer, struct err *err)
{
	static const char *const names[] = { "start", "limit", "delta" };
	double n;

	for (unsigned i = 0; i < 3; i++) {
		if (shape_count(&infer->in[i].shape) != 1)
			return infer_fail(
			    err,
			    "input '%s' expected a scalar, got %lld elements",
			    names[i],
			    (long long)shape_count(&infer->in[i].shape));
		if (!infer->in[i].value)
			return err_set(err, ERR_UNSUPPORTED,
				       "input '%s' is not known before a run",
				       names[i]);
	}
	n = types[infer->in[0].type.elem].steps(
	    infer->in[0].value, infer->in[1].value, infer->in[2].value);
	if (!(n < (double)SHAPE_MAX_EXTENT))
		return infer_fail(err,
				  "inputs 'start', 'limit' and 'delta' "
				  "expected fewer than 2^31 steps, got %g",
				  n);
	infer->out[0].shape = (struct shape){ 1, { n > 0 ? (int64_t)n : 0 } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void range_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;

	(void)slice;
	(void)scratch;
	types[q->in[0].type.elem].run(call->in[0], call->in[2],
				      q->out[0].shape.dim[0], call->out[0]);
}

static const struct kernel range_kernel = {
	.name = "range.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = range_run,
};
static const struct kernel *const range_kernels[] = { &range_kernel, NULL };

static const struct port range_in[] = {
	{ "start", "T:float,double,int16,int32,int64", 0 },
	{ "limit", "T", 0 },
	{ "delta", "T", 0 },
	{ 0 },
};
static const struct port range_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_case range_cases[] = {
	{ .name = "up",
	  .graph = "y = Range(a:int64[]={2}, b:int64[]={11}, d:int64[]={3})" },
	{ .name = "down",
	  .graph = "y = Range(a:int32[]={10}, b:int32[]={4}, d:int32[]={-2})" },
	{ .name = "floats",
	  .graph = "y = Range(a:float[]={1}, b:float[]={5}, d:float[]={2})" },
	{ .name = "doubles",
	  .graph =
	      "y = Range(a:double[]={0}, b:double[]={1}, d:double[]={0.3})" },
	{ .name = "short",
	  .graph = "y = Range(a:int16[]={0}, b:int16[]={5}, d:int16[]={1})" },
	{ .name = "nothing",
	  .graph = "y = Range(a:int64[]={5}, b:int64[]={2}, d:int64[]={1})" },
	{ .name = "no step",
	  .graph = "y = Range(a:int64[]={1}, b:int64[]={2}, d:int64[]={0})",
	  .want = ERR_SHAPE },
	{ .name = "too many",
	  .graph = "y = Range(a:int64[]={0}, b:int64[]={90000000000}, "
		   "d:int64[]={1})",
	  .want = ERR_SHAPE },
	{ .name = "not a scalar",
	  .graph = "y = Range(a:int64[2]={0,0}, b:int64[]={9}, d:int64[]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_range;
const struct op op_range = {
	.domain = "",
	.name = "Range",
	.help = "Numbers from start by delta, short of limit.",
	.since = 11,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 7u,
	.in = range_in,
	.out = range_out,
	.infer = range_infer,
	.kernels = range_kernels,
	.cases = range_cases,
};
