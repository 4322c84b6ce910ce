/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Range: start, start + delta, ... short of limit. float16 and bfloat16 are
 * computed in float, as their attribute stash_type asks by default.
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

enum { BLOCK = 256 };

struct range_attrs {
	int64_t stash_type;
};

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

static bool is_half(enum dtype elem)
{
	return elem == DTYPE_F16 || elem == DTYPE_BF16;
}

/* How many numbers there are, before it is known to be a count. */
static double count_steps(const struct infer *infer)
{
	const enum dtype elem = infer->in[0].type.elem;
	const void *value[3];
	float wide[3];

	for (unsigned i = 0; i < 3; i++) {
		value[i] = infer->in[i].value;
		if (!is_half(elem))
			continue;
		dtype_convert(elem, value[i], DTYPE_F32, &wide[i], 1, false);
		value[i] = &wide[i];
	}
	return types[is_half(elem) ? DTYPE_F32 : elem].steps(value[0], value[1],
							     value[2]);
}

static enum err_code range_infer(struct infer *infer, struct err *err)
{
	static const char *const names[] = { "start", "limit", "delta" };
	const struct range_attrs *attrs = infer->attrs;
	double n;

	if (is_half(infer->in[0].type.elem) && attrs->stash_type != DTYPE_F32)
		return err_set(err, ERR_UNSUPPORTED,
			       "attribute 'stash_type': expected 1 (float), "
			       "got %lld",
			       (long long)attrs->stash_type);
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
	n = count_steps(infer);
	if (!(n < (double)SHAPE_MAX_EXTENT))
		return infer_fail(err,
				  "inputs 'start', 'limit' and 'delta' "
				  "expected fewer than 2^31 steps, got %g",
				  n);
	infer->out[0].shape = (struct shape){ 1, { n > 0 ? (int64_t)n : 0 } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void half_run(const struct kernel_call *call)
{
	const struct fact *y = &call->query->out[0];
	const size_t size = dtype_info(y->type.elem)->size;
	const int64_t count = y->shape.dim[0];
	float start, delta, block[BLOCK];

	dtype_convert(y->type.elem, call->in[0], DTYPE_F32, &start, 1, false);
	dtype_convert(y->type.elem, call->in[2], DTYPE_F32, &delta, 1, false);
	for (int64_t first = 0; first < count; first += BLOCK) {
		const int64_t n = count - first < BLOCK ? count - first : BLOCK;

		for (int64_t i = 0; i < n; i++)
			block[i] = start + (float)(first + i) * delta;
		dtype_convert(DTYPE_F32, block, y->type.elem,
			      (char *)call->out[0] + (size_t)first * size,
			      (size_t)n, false);
	}
}

static void range_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;

	(void)slice;
	(void)scratch;
	if (is_half(q->in[0].type.elem)) {
		half_run(call);
		return;
	}
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
	{ "start", "T:float,double,int16,int32,int64,float16,bfloat16", 0 },
	{ "limit", "T", 0 },
	{ "delta", "T", 0 },
	{ 0 },
};
static const struct port range_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr range_attrs[] = {
	{ .name = "stash_type",
	  .help = "element type in which float16 and bfloat16 are computed",
	  .offset = offsetof(struct range_attrs, stash_type),
	  .kind = ATTR_INT,
	  .def = DTYPE_F32 },
	{ 0 },
};

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
	{ .name = "half",
	  .graph = "y = Range(a:float16[]={1}, b:float16[]={3}, "
		   "d:float16[]={0.3})" },
	{ .name = "bfloat16",
	  .graph = "y = Range(a:bfloat16[]={0}, b:bfloat16[]={600}, "
		   "d:bfloat16[]={2})" },
	{ .name = "stashed otherwise",
	  .graph = "y = Range<stash_type=10>(a:float16[]={1}, b:float16[]={3}, "
		   "d:float16[]={0.3})",
	  .want = ERR_UNSUPPORTED },
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
	.attrs = range_attrs,
	.attrs_size = sizeof(struct range_attrs),
	.infer = range_infer,
	.kernels = range_kernels,
	.cases = range_cases,
};
