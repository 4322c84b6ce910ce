/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * SumTo: sums a tensor over the axes along which another was broadcast to it;
 * the way back of every broadcast operand's gradient.
 *
 * Sums run in double, always in the order of the elements, so that neither
 * slices nor threads change a bit.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"

/* Neighbouring results that are summed together. */
enum { SUM_COLUMNS = 256 };

/* The input's axes, merged where neighbours are alike: summed or kept. */
struct sum_plan {
	unsigned n_kept, n_summed;
	int64_t kept[SHAPE_MAX_RANK], kept_step[SHAPE_MAX_RANK];
	int64_t summed[SHAPE_MAX_RANK], summed_step[SHAPE_MAX_RANK];
};

static void append(int64_t *dim, int64_t *step, unsigned *n, int64_t extent,
		   int64_t stride)
{
	dim[*n] = extent;
	step[(*n)++] = stride;
}

/* Outermost axes first. broadcast_init has merged them: an axis has step 0 in
 * the result where it is summed. */
static void sum_plan_init(struct sum_plan *plan, const struct shape *in,
			  const struct shape *out)
{
	const struct shape *to[1] = { out };
	struct broadcast b;
	int64_t stride = 1;

	memset(plan, 0, sizeof(*plan));
	broadcast_init(&b, in, to, 1);
	for (unsigned d = 0; d < b.rank; d++)
		stride *= b.dim[d];
	for (unsigned d = 0; d < b.rank && stride > 0; d++) {
		stride /= b.dim[d];
		if (b.step[0][d] != 0)
			append(plan->kept, plan->kept_step, &plan->n_kept,
			       b.dim[d], stride);
		else
			append(plan->summed, plan->summed_step, &plan->n_summed,
			       b.dim[d], stride);
	}
}

/* Steps an index of n axes on; the offset follows. False at the end. */
static bool next_index(unsigned n, const int64_t *dim, const int64_t *step,
		       int64_t *index, int64_t *offset)
{
	for (unsigned d = n; d-- > 0;) {
		*offset += step[d];
		if (++index[d] < dim[d])
			return true;
		*offset -= dim[d] * step[d];
		index[d] = 0;
	}
	return false;
}

/* Offset in the input of the first element that goes into result `at`; the
 * index of its innermost kept axis comes back too. */
static int64_t result_offset(const struct sum_plan *plan, int64_t at,
			     int64_t *ret_inner)
{
	int64_t offset = 0;

	*ret_inner = 0;
	for (unsigned d = plan->n_kept; d-- > 0;) {
		const int64_t i = at % plan->kept[d];

		if (d == plan->n_kept - 1)
			*ret_inner = i;
		offset += i * plan->kept_step[d];
		at /= plan->kept[d];
	}
	return offset;
}

static double f32_sum_run(const float *x, int64_t n)
{
	return row_loops()->sum(x, n);
}

static void f32_sum_rows(const float *x, int64_t rows, int64_t step, int64_t n,
			 double *sum)
{
	row_loops()->sum_rows(x, rows, step, n, sum);
}

static void f64_sum_rows(const double *x, int64_t rows, int64_t step, int64_t n,
			 double *sum)
{
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < n; j++)
			sum[j] += x[i * step + j];
}

static double f64_sum_run(const double *x, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

#define T float
#define NAME(x) f32_##x
#include "engine/ops/sum_to_typed.h"
#undef T
#undef NAME
#define T double
#define NAME(x) f64_##x
#include "engine/ops/sum_to_typed.h"
#undef T
#undef NAME

static void sum_to_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *in = &query->in[0].shape;
	const struct shape *out = &query->out[0].shape;
	const size_t size = dtype_info(query->out[0].type.elem)->size;
	struct sum_plan plan;
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(out), call->n_slices, slice, &first, &last);
	if (shape_count(in) == 0) {
		memset((char *)call->out[0] + (size_t)first * size, 0,
		       (size_t)(last - first) * size);
		return;
	}
	sum_plan_init(&plan, in, out);
	if (query->out[0].type.elem == DTYPE_F32)
		f32_sum_to(&plan, call->in[0], call->out[0], first, last);
	else
		f64_sum_to(&plan, call->in[0], call->out[0], first, last);
}

/* One double a result, each element of the input added where it belongs. */
static void sum_to_reference(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *in = &query->in[0].shape;
	const struct shape *out = &query->out[0].shape;
	const enum dtype elem = query->out[0].type.elem;
	const size_t size = dtype_info(elem)->size;
	const int64_t n_in = shape_count(in), n_out = shape_count(out);
	double *sum = scratch, value;

	(void)slice;
	for (int64_t i = 0; i < n_out; i++)
		sum[i] = 0.0;
	for (int64_t i = 0; i < n_in; i++) {
		dtype_convert(elem,
			      (const char *)call->in[0] + (size_t)i * size,
			      DTYPE_F64, &value, 1, true);
		sum[broadcast_index(in, out, i)] += value;
	}
	dtype_convert(DTYPE_F64, sum, elem, call->out[0], (size_t)n_out, true);
}

static enum err_code reference_prepare(const struct kernel_query *query,
				       struct kernel_setup *ret,
				       struct err *err)
{
	(void)err;
	ret->scratch_bytes =
	    (size_t)shape_count(&query->out[0].shape) * sizeof(double);
	return ERR_NONE;
}

static double sum_to_cost(const struct kernel_query *query)
{
	return 0.1 + 3e-4 * (double)shape_count(&query->in[0].shape);
}

static enum err_code infer_sum_to(struct infer *infer, struct err *err)
{
	const struct shape *in = &infer->in[0].shape;
	const struct shape *like = &infer->in[1].shape;
	char want[64], got[64];
	struct shape both;

	if (shape_broadcast(in, like, &both, NULL) != ERR_NONE ||
	    !shape_equal(&both, in))
		return infer_fail(err,
				  "input 'like': expected a shape that "
				  "broadcasts to %s of 'X', got %s",
				  shape_text(in, want, sizeof(want)),
				  shape_text(like, got, sizeof(got)));
	infer->out[0].shape = *like;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code sum_to_vjp(struct vjp *vjp, struct err *err)
{
	struct build *b = vjp->build;
	const struct shape shape = build_fact(b, vjp->in[0])->shape;

	if (vjp->wanted[0])
		vjp->grad_in[0] = build_2(b, "Expand", vjp->grad_out[0],
					  build_ints(b, shape.dim, shape.rank));
	return build_check(b, err);
}

static const struct kernel fast = {
	.name = "sum_to",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = sum_to_cost,
	.prepare = elementwise_prepare,
	.run = sum_to_run,
};
static const struct kernel reference = {
	.name = "sum_to.reference",
	.flags = KERNEL_QUICK,
	.prepare = reference_prepare,
	.run = sum_to_reference,
};
static const struct kernel *const sum_to_kernels[] = { &fast, &reference,
						       NULL };

static const struct op_case sum_to_cases[] = {
	{ .name = "a row",
	  .graph = "y = predictd.SumTo(x:float[5,7], l:float[7])" },
	{ .name = "a long row",
	  .graph = "y = predictd.SumTo(x:float[3,601], l:float[1,601])" },
	{ .name = "a column",
	  .graph = "y = predictd.SumTo(x:float[5,37], l:float[5,1])" },
	{ .name = "a scalar",
	  .graph = "y = predictd.SumTo(x:float[5,7], l:float[])" },
	{ .name = "channels",
	  .graph = "y = predictd.SumTo(x:float[2,3,4,5], l:float[3,1,1])" },
	{ .name = "alternating",
	  .graph =
	      "y = predictd.SumTo(x:float[2,3,2,5,3], l:float[1,3,1,5,1])" },
	{ .name = "alternating, inner kept",
	  .graph =
	      "y = predictd.SumTo(x:float[2,3,2,5,3], l:float[2,1,2,1,3])" },
	{ .name = "the same shape",
	  .graph = "y = predictd.SumTo(x:float[5,7], l:float[5,7])" },
	{ .name = "of nothing",
	  .graph = "y = predictd.SumTo(x:float[0,7], l:float[1,7])" },
	{ .name = "to nothing",
	  .graph = "y = predictd.SumTo(x:float[0,7], l:float[0,1])" },
	{ .name = "a shape that does not broadcast",
	  .graph = "y = predictd.SumTo(x:float[5,7], l:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "a larger shape",
	  .graph = "y = predictd.SumTo(x:float[7], l:float[5,7])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_sum_to;

const struct op op_sum_to = {
	.domain = "predictd",
	.name = "SumTo",
	.help = "X summed to the shape of another, which broadcasts to X's",
	.since = 1,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = (const struct port[]){ { "X", "T:floats", 0 },
				     { "like", "S:any", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "Y", "T", 0 }, { 0 } },
	.infer = infer_sum_to,
	.kernels = sum_to_kernels,
	.vjp = sum_to_vjp,
	.cases = sum_to_cases,
};
