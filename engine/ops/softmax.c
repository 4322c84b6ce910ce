/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Softmax and LogSoftmax along one axis, and their gradients from the output.
 *
 *   y = exp(x - max) / sum exp(x - max)      dx = y (dy - sum dy y)
 *   y = x - max - log sum exp(x - max)       dx = dy - exp(y) sum dy
 */
#include "engine/ops/softmax.h"

#include <math.h>

#include "engine/kernel.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/row_loops.h"

#define T float
#define EXP expf
#define NAME(x) x##_f32
#include "engine/ops/softmax_typed.h"

#define T double
#define EXP exp
#define NAME(x) x##_f64
#include "engine/ops/softmax_typed.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 13 };

/* [outer, n, inner] around the axis */
struct rows {
	int64_t n_rows, n, inner;
};

static struct rows query_rows(const struct kernel_query *query)
{
	const struct softmax_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	const int64_t axis =
	    attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis;
	const int64_t inner = shape_range(x, (unsigned)axis + 1, x->rank);

	return (struct rows){
		.n_rows = shape_range(x, 0, (unsigned)axis) * inner,
		.n = x->dim[axis],
		.inner = inner,
	};
}

/* What is done to one row; b is NULL where a row has one input. */
/* f64: NULL for a kernel of one type */
struct row_rule {
	void (*f32)(const float *a, const float *b, float *y, int64_t n,
		    int64_t step);
	void (*f64)(const double *a, const double *b, double *y, int64_t n,
		    int64_t step);
};

static void run(const struct kernel_call *call, unsigned slice,
		const struct row_rule *rule)
{
	const bool is_f64 =
	    rule->f64 && call->query->in[0].type.elem == DTYPE_F64;
	const size_t size = is_f64 ? sizeof(double) : sizeof(float);
	const char *a = call->in[0];
	const char *b = call->query->n_in > 1 ? call->in[1] : NULL;
	const struct rows rows = query_rows(call->query);
	int64_t first, last;

	kernel_slice(rows.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last && rows.n; i++) {
		/* first element of row i */
		const size_t at =
		    (size_t)(i / rows.inner * rows.n * rows.inner +
			     i % rows.inner) *
		    size;
		const void *from_a = a + at, *from_b = b ? b + at : NULL;
		void *to = (char *)call->out[0] + at;

		if (is_f64)
			rule->f64(from_a, from_b, to, rows.n, rows.inner);
		else
			rule->f32(from_a, from_b, to, rows.n, rows.inner);
	}
}

static void softmax_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	(void)scratch;
	run(call, slice, &(const struct row_rule){ softmax_f32, softmax_f64 });
}

static void log_softmax_run(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	(void)scratch;
	run(call, slice,
	    &(const struct row_rule){ log_softmax_f32, log_softmax_f64 });
}

static void softmax_grad_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	(void)scratch;
	run(call, slice,
	    &(const struct row_rule){ softmax_grad_f32, softmax_grad_f64 });
}

static void log_softmax_grad_run(const struct kernel_call *call, unsigned slice,
				 void *scratch)
{
	(void)scratch;
	run(call, slice,
	    &(const struct row_rule){ log_softmax_grad_f32,
				      log_softmax_grad_f64 });
}

/* Rows of neighbours, in vectors. */
static void softmax_row(const float *x, const float *none, float *y, int64_t n,
			int64_t step)
{
	const struct row_loops *rows = row_loops();
	float sum;

	(void)none;
	(void)step;
	sum = rows->exps(x, rows->largest(x, n), n, y);
	rows->scale(y, 1 / sum, 0, n, y);
}

static void log_softmax_row(const float *x, const float *none, float *y,
			    int64_t n, int64_t step)
{
	const struct row_loops *rows = row_loops();
	const float max = rows->largest(x, n);

	(void)none;
	(void)step;
	rows->shift(x, max, logf(rows->exps(x, max, n, NULL)), n, y);
}

static void softmax_grad_row(const float *dy, const float *y, float *dx,
			     int64_t n, int64_t step)
{
	const struct row_loops *rows = row_loops();

	(void)step;
	rows->softmax_grad(dy, y, rows->dot(dy, y, n), n, dx);
}

static void softmax_rows_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	(void)scratch;
	run(call, slice, &(const struct row_rule){ softmax_row, NULL });
}

static void log_softmax_rows_run(const struct kernel_call *call, unsigned slice,
				 void *scratch)
{
	(void)scratch;
	run(call, slice, &(const struct row_rule){ log_softmax_row, NULL });
}

static void softmax_grad_rows_run(const struct kernel_call *call,
				  unsigned slice, void *scratch)
{
	(void)scratch;
	run(call, slice, &(const struct row_rule){ softmax_grad_row, NULL });
}

static bool rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       query_rows(query).inner == 1;
}

static double rows_cost(const struct kernel_query *query)
{
	return 0.05 + (double)query_rows(query).n_rows * 0.01 +
	       (double)shape_count(&query->in[0].shape) * 5e-4;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;
	const struct rows rows = query_rows(query);

	(void)err;
	n = n > rows.n_rows ? rows.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double exp_cost(const struct kernel_query *query)
{
	return 0.05 + (double)shape_count(&query->in[0].shape) * 4e-3;
}

static enum err_code softmax_infer(struct infer *infer, struct err *err)
{
	const struct softmax_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	unsigned axis;
	enum err_code rc =
	    shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);

	if (rc)
		return rc;
	if (infer->n_in > 1 && !shape_equal(&infer->in[1].shape, x))
		return infer_fail(err, "input 'y': expected the shape of "
				       "input 'dy'");
	return infer_same(infer, err);
}

#define SOFTMAX_FLAGS (KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE)

/* clang-format off */
static const struct kernel
	softmax_rows = { "softmax.rows", SOFTMAX_FLAGS, .fits = rows_fit, .cost = rows_cost,
		.prepare = prepare, .run = softmax_rows_run },
	log_softmax_rows = { "log_softmax.rows", SOFTMAX_FLAGS, .fits = rows_fit,
		.cost = rows_cost, .prepare = prepare, .run = log_softmax_rows_run },
	softmax_grad_rows = { "softmax_grad.rows", SOFTMAX_FLAGS, .fits = rows_fit,
		.cost = rows_cost, .prepare = prepare, .run = softmax_grad_rows_run },
	softmax_plain = { "softmax.plain", SOFTMAX_FLAGS, .cost = exp_cost,
		.prepare = prepare, .run = softmax_run },
	log_softmax_plain = { "log_softmax.plain", SOFTMAX_FLAGS, .cost = exp_cost,
		.prepare = prepare, .run = log_softmax_run },
	softmax_grad_plain = { "softmax_grad.plain", SOFTMAX_FLAGS, .cost = exp_cost,
		.prepare = prepare, .run = softmax_grad_run },
	log_softmax_grad_plain = { "log_softmax_grad.plain", SOFTMAX_FLAGS,
		.cost = exp_cost, .prepare = prepare, .run = log_softmax_grad_run };

static const struct kernel *const softmax_kernels[] = { &softmax_onednn,
	&softmax_rows, &softmax_plain, NULL };
static const struct kernel *const log_softmax_kernels[] = { &log_softmax_onednn, &log_softmax_rows,
	&log_softmax_plain, NULL };
static const struct kernel *const softmax_grad_kernels[] = { &softmax_grad_rows,
	&softmax_grad_plain, NULL };
static const struct kernel *const log_softmax_grad_kernels[] = { &log_softmax_grad_plain, NULL };
/* clang-format on */

static const struct port softmax_in[] = {
	{ "input", "T:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port softmax_out[] = { { "output", "T", 0 }, { 0 } };
static const struct port grad_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "y", "T", 0 },
	{ 0 },
};
static const struct port grad_out[] = { { "dx", "T", 0 }, { 0 } };

/* clang-format off */
static const struct op_attr softmax_attrs[] = {
	{ .name = "axis", .help = "the axis that sums to 1",
	  .offset = offsetof(struct softmax_attrs, axis), .kind = ATTR_INT, .def = -1 },
	{ 0 },
};

static const struct op_case softmax_cases[] = {
	{ .name = "last axis", .graph = "y = Softmax(x:float[3,7])" },
	{ .name = "first axis", .graph = "y = Softmax<axis=0>(x:float[5,3])" },
	{ .name = "middle axis", .graph = "y = Softmax<axis=1>(x:float[2,5,3,2])" },
	{ .name = "vector", .graph = "y = Softmax(x:float[33])" },
	{ .name = "one class", .graph = "y = Softmax(x:float[4,1])" },
	{ .name = "large numbers", .graph = "y = Softmax(x:float[1,4]={10000,-10000,10000,3})" },
	{ .name = "double", .graph = "y = Softmax(x:double[3,7])" },
	{ .name = "no rows", .graph = "y = Softmax(x:float[0,7])" },
	{ .name = "no classes", .graph = "y = Softmax(x:float[3,0])" },
	{ .name = "many rows", .graph = "y = Softmax(x:float[700,40])" },
	{ .name = "axis past the end", .graph = "y = Softmax<axis=2>(x:float[3,7])",
	  .want = ERR_SHAPE },
	{ .name = "a scalar", .graph = "y = Softmax(x:float[])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case log_softmax_cases[] = {
	{ .name = "last axis", .graph = "y = LogSoftmax(x:float[3,7])" },
	{ .name = "middle axis", .graph = "y = LogSoftmax<axis=-2>(x:float[2,5,3])" },
	{ .name = "large numbers", .graph = "y = LogSoftmax(x:float[1,4]={10000,-10000,10000,3})" },
	{ .name = "double", .graph = "y = LogSoftmax(x:double[3,7])" },
	{ .name = "no classes", .graph = "y = LogSoftmax(x:float[3,0])" },
	{ .name = "axis before the start", .graph = "y = LogSoftmax<axis=-3>(x:float[3,7])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case softmax_grad_cases[] = {
	{ .name = "last axis", .graph = "dx = predictd.SoftmaxGrad(dy:float[3,7], y:float[3,7])" },
	{ .name = "middle axis",
	  .graph = "dx = predictd.SoftmaxGrad<axis=1>(dy:double[3,7,2], y:double[3,7,2])" },
	{ .name = "shapes differ",
	  .graph = "dx = predictd.SoftmaxGrad(dy:float[3,7], y:float[7,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case log_softmax_grad_cases[] = {
	{ .name = "last axis",
	  .graph = "dx = predictd.LogSoftmaxGrad(dy:float[3,7], y:float[3,7])" },
	{ .name = "middle axis",
	  .graph = "dx = predictd.LogSoftmaxGrad<axis=1>(dy:double[3,7,2], y:double[3,7,2])" },
	{ .name = "shapes differ",
	  .graph = "dx = predictd.LogSoftmaxGrad(dy:float[3,7], y:float[7,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_log_softmax;
const struct op op_log_softmax = {
	.domain = "",
	.name = "LogSoftmax",
	.help = "The logarithm of Softmax along one axis.",
	.since = 13,
	.in = softmax_in,
	.out = softmax_out,
	.attrs = softmax_attrs,
	.attrs_size = sizeof(struct softmax_attrs),
	.infer = softmax_infer,
	.kernels = log_softmax_kernels,
	.grad = "dinput = predictd.LogSoftmaxGrad<axis=@axis>(doutput, output)",
	.cases = log_softmax_cases,
};

extern const struct op op_softmax;
const struct op op_softmax = {
	.domain = "",
	.name = "Softmax",
	.help = "exp(x), scaled so that one axis sums to 1.",
	.since = 13,
	.in = softmax_in,
	.out = softmax_out,
	.attrs = softmax_attrs,
	.attrs_size = sizeof(struct softmax_attrs),
	.infer = softmax_infer,
	.kernels = softmax_kernels,
	.grad = "dinput = predictd.SoftmaxGrad<axis=@axis>(doutput, output)",
	.cases = softmax_cases,
};

extern const struct op op_log_softmax_grad;
const struct op op_log_softmax_grad = {
	.domain = "predictd",
	.name = "LogSoftmaxGrad",
	.help = "Gradient of LogSoftmax from its output.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = softmax_attrs,
	.attrs_size = sizeof(struct softmax_attrs),
	.infer = softmax_infer,
	.kernels = log_softmax_grad_kernels,
	.cases = log_softmax_grad_cases,
};

extern const struct op op_softmax_grad;
const struct op op_softmax_grad = {
	.domain = "predictd",
	.name = "SoftmaxGrad",
	.help = "Gradient of Softmax from its output.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = softmax_attrs,
	.attrs_size = sizeof(struct softmax_attrs),
	.infer = softmax_infer,
	.kernels = softmax_grad_kernels,
	.cases = softmax_grad_cases,
};
