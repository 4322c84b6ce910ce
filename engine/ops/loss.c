/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Cross-entropy of class scores, as PyTorch's cross_entropy with reduction
 * 'mean'. With p = softmax(logits) along axis 1, class weights w and label
 * smoothing e over c classes:
 *
 *   loss = ((1 - e) sum -w[t] log p[t] + e / c sum sum_k -w[k] log p[k])
 *          / sum w[t]
 * where the sums run over targets t that are not ignore_index. log p is the
 * second result and all that the gradient needs.
 */
#include "engine/ops/loss.h"

#include <math.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/softmax.h"

/* [outer, c, inner]: the logits around the class axis */
struct cross_entropy {
	int64_t n_rows, c, inner, ignore;
	double smoothing;
	bool has_weight, keeps, is_int32;
	double factor, weight_sum; /* of the gradient */
};

struct cross_entropy_sum {
	double hard, smooth, weight;
};

static int64_t first_of_row(const struct cross_entropy *g, int64_t row)
{
	return row / g->inner * g->c * g->inner + row % g->inner;
}

/* -1: the row does not count, or its target is no class (a fault) */
static int64_t target_of_row(const struct cross_entropy *g,
			     const struct kernel_call *call, const void *target,
			     int64_t row)
{
	const int64_t t = g->is_int32 ? ((const int32_t *)target)[row]
				      : ((const int64_t *)target)[row];

	if (t == g->ignore)
		return -1;
	if (t < 0 || t >= g->c) {
		kernel_fault(call, row);
		return -1;
	}
	return t;
}

#define T float
#define EXP expf
#define NAME(x) x##_f32
#include "engine/ops/loss_typed.h"

#define T double
#define EXP exp
#define NAME(x) x##_f64
#include "engine/ops/loss_typed.h"

/* The same for rows of neighbours, in vectors. */
static double log_sum_rows(const float *x, int64_t c, int64_t step,
			   float *ret_max)
{
	const struct row_loops *rows = row_loops();

	(void)step;
	*ret_max = rows->largest(x, c);
	return log((double)rows->exps(x, *ret_max, c, NULL));
}

static void log_row_rows(const float *x, const double shift[2], int64_t c,
			 int64_t step, float *y)
{
	(void)step;
	row_loops()->shift(x, (float)shift[0], (float)shift[1], c, y);
}

static void exp_row_rows(const float *x, const double factor_add[2], int64_t c,
			 int64_t step, float *y)
{
	(void)step;
	row_loops()->exps(x, 0, c, y);
	row_loops()->scale(y, (float)factor_add[0], (float)factor_add[1], c, y);
}

#define HAS_ROW_LOOPS
#define T float
#define EXP expf
#define NAME(x) x##_rows
#include "engine/ops/loss_typed.h"

/* logits, target and weight stand at these inputs */
static struct cross_entropy query_rows(const struct kernel_query *query,
				       unsigned logits)
{
	const struct cross_entropy_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[logits].shape;
	const int64_t inner = shape_range(x, 2, x->rank);

	return (struct cross_entropy){
		.n_rows = x->dim[0] * inner,
		.c = x->dim[1],
		.inner = inner,
		.ignore = attrs->ignore_index,
		.smoothing = attrs->label_smoothing,
		.is_int32 = query->in[logits + 1].type.elem == DTYPE_I32,
		.has_weight = query->n_in > logits + 2 &&
			      query->in[logits + 2].type.elem != DTYPE_NONE,
		.keeps = query->n_out > 1,
	};
}

static void forward_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct cross_entropy g = query_rows(call->query, 0);

	(void)slice;
	(void)scratch;
	if (call->query->in[0].type.elem == DTYPE_F64)
		forward_f64(&g, call);
	else
		forward_f32(&g, call);
}

static void backward_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	struct cross_entropy g = query_rows(call->query, 1);

	(void)slice;
	(void)scratch;
	if (call->query->in[0].type.elem == DTYPE_F64)
		backward_f64(&g, call);
	else
		backward_f32(&g, call);
}

static void forward_rows_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	const struct cross_entropy g = query_rows(call->query, 0);

	(void)slice;
	(void)scratch;
	forward_rows(&g, call);
}

static void backward_rows_run(const struct kernel_call *call, unsigned slice,
			      void *scratch)
{
	struct cross_entropy g = query_rows(call->query, 1);

	(void)slice;
	(void)scratch;
	backward_rows(&g, call);
}

static bool forward_rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       query_rows(query, 0).inner == 1;
}

static bool backward_rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       query_rows(query, 1).inner == 1;
}

static double forward_rows_cost(const struct kernel_query *query)
{
	return 0.1 + (double)query->in[0].shape.dim[0] * 0.02 +
	       (double)shape_count(&query->in[0].shape) * 5e-4;
}

static double backward_rows_cost(const struct kernel_query *query)
{
	return 0.1 + (double)query->in[1].shape.dim[0] * 0.02 +
	       (double)shape_count(&query->in[1].shape) * 5e-4;
}

static double forward_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 5e-3;
}

static double backward_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[1].shape) * 5e-3;
}

/* logits [N, C, ...], target [N, ...], weight [C] */
static enum err_code check_inputs(const struct infer *infer, unsigned at,
				  struct err *err)
{
	const struct shape *x = &infer->in[at].shape;
	const struct shape *t = &infer->in[at + 1].shape;
	const struct cross_entropy_attrs *attrs = infer->attrs;
	struct shape want = *x;
	char text[2][64];

	if (x->rank < 2 || x->dim[1] < 1)
		return infer_fail(err,
				  "input 'logits': expected [batch, classes, "
				  "...] with one class at least, got %s",
				  shape_text(x, text[0], sizeof(text[0])));
	want.rank--;
	for (unsigned i = 1; i < want.rank; i++)
		want.dim[i] = x->dim[i + 1];
	if (!shape_equal(t, &want))
		return infer_fail(err, "input 'target': expected %s, got %s",
				  shape_text(&want, text[0], sizeof(text[0])),
				  shape_text(t, text[1], sizeof(text[1])));
	if (infer->n_in > at + 2 && infer->in[at + 2].type.elem != DTYPE_NONE &&
	    (infer->in[at + 2].shape.rank != 1 ||
	     infer->in[at + 2].shape.dim[0] != x->dim[1]))
		return infer_fail(err,
				  "input 'weight': expected [%lld], one for "
				  "each class, got %s",
				  (long long)x->dim[1],
				  shape_text(&infer->in[at + 2].shape, text[0],
					     sizeof(text[0])));
	if (!(attrs->label_smoothing >= 0 && attrs->label_smoothing <= 1))
		return err_set(err, ERR_INVALID,
			       "attribute 'label_smoothing': expected 0 to 1, "
			       "got %g",
			       attrs->label_smoothing);
	return ERR_NONE;
}

static enum err_code forward_infer(struct infer *infer, struct err *err)
{
	const enum err_code rc = check_inputs(infer, 0, err);

	if (rc)
		return rc;
	infer->out[0].shape.rank = 0;
	infer->out[0].has_shape = true;
	if (infer->n_out > 1) {
		infer->out[1].shape = infer->in[0].shape;
		infer->out[1].has_shape = true;
	}
	return ERR_NONE;
}

static enum err_code backward_infer(struct infer *infer, struct err *err)
{
	const enum err_code rc = check_inputs(infer, 1, err);

	if (rc)
		return rc;
	if (infer->in[0].shape.rank)
		return infer_fail(err, "input 'dloss': expected a scalar");
	infer->out[0].shape = infer->in[1].shape;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

/* log_prob is made again where the node does not give it */
static enum err_code forward_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const bool has_weight = vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE;
	int32_t in[4] = { vjp->grad_out[0], VALUE_NONE, vjp->in[1],
			  has_weight ? vjp->in[2] : VALUE_NONE };
	const struct softmax_attrs classes = { .axis = 1 };

	if (vjp->node->n_out > 1 && vjp->grad_out[1] != VALUE_NONE)
		return err_set(err, ERR_UNSUPPORTED,
			       "SoftmaxCrossEntropy: its result 'log_prob' has "
			       "no gradient");
	if ((vjp->node->n_in > 2 && vjp->wanted[2]) || vjp->wanted[1])
		return err_set(err, ERR_UNSUPPORTED,
			       "SoftmaxCrossEntropy: only 'logits' have a "
			       "gradient");
	in[1] = vjp->node->n_out > 1 ? vjp->out[1] : VALUE_NONE;
	if (in[1] == VALUE_NONE)
		in[1] = build_node(build, "LogSoftmax", &classes, vjp->in, 1);
	vjp->grad_in[0] = build_node(build, "SoftmaxCrossEntropyGrad",
				     vjp->attrs, in, has_weight ? 4 : 3);
	return build_check(build, err);
}

static const struct kernel forward_rows_kernel = {
	.name = "cross_entropy.rows",
	.flags = KERNEL_QUICK,
	.fits = forward_rows_fit,
	.cost = forward_rows_cost,
	.run = forward_rows_run,
};
static const struct kernel backward_rows_kernel = {
	.name = "cross_entropy_grad.rows",
	.flags = KERNEL_QUICK,
	.fits = backward_rows_fit,
	.cost = backward_rows_cost,
	.run = backward_rows_run,
};
static const struct kernel forward_kernel = {
	.name = "cross_entropy.plain",
	.flags = KERNEL_QUICK,
	.cost = forward_cost,
	.run = forward_run,
};
static const struct kernel backward_kernel = {
	.name = "cross_entropy_grad.plain",
	.flags = KERNEL_QUICK,
	.cost = backward_cost,
	.run = backward_run,
};
static const struct kernel *const forward_kernels[] = { &forward_rows_kernel,
							&forward_kernel, NULL };
static const struct kernel *const backward_kernels[] = { &backward_rows_kernel,
							 &backward_kernel,
							 NULL };

static const struct port forward_in[] = {
	{ "logits", "T:float,double", 0 },
	{ "target", "I:int64,int32", 0 },
	{ "weight", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port forward_out[] = {
	{ "loss", "T", 0 },
	{ "log_prob", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port backward_in[] = {
	{ "dloss", "T:float,double", 0 },
	{ "log_prob", "T", 0 },
	{ "target", "I:int64,int32", 0 },
	{ "weight", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port backward_out[] = { { "dlogits", "T", 0 }, { 0 } };

/* clang-format off */
static const struct op_attr cross_entropy_attrs[] = {
	{ .name = "label_smoothing", .help = "share of the target spread over all classes",
	  .offset = offsetof(struct cross_entropy_attrs, label_smoothing), .kind = ATTR_FLOAT,
	  .max = 1 },
	{ .name = "ignore_index", .help = "targets that do not count",
	  .offset = offsetof(struct cross_entropy_attrs, ignore_index), .kind = ATTR_INT,
	  .def = -100 },
	{ 0 },
};

static const struct op_case forward_cases[] = {
	{ .name = "rows",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[6])" },
	{ .name = "loss alone",
	  .graph = "l = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[6])" },
	{ .name = "smoothing",
	  .graph = "l, p = "
		   "predictd.SoftmaxCrossEntropy<label_smoothing=0.1>(x:float[6,5], t:int64[6])" },
	{ .name = "weights",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,4], t:int64[6], "
		   "w:float[4]={1,2,0.5,3})" },
	{ .name = "weights and smoothing",
	  .graph = "l, p = "
		   "predictd.SoftmaxCrossEntropy<label_smoothing=0.2>(x:double[6,4], "
		   "t:int64[6], w:double[4]={1,2,0.5,3})" },
	{ .name = "pixels",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[2,4,3,5], t:int64[2,3,5])" },
	{ .name = "ignored targets",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy<ignore_index=2>(x:float[5,4], "
		   "t:int64[5]={0,2,3,2,1})" },
	{ .name = "int32 targets",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int32[6])" },
	{ .name = "large scores",
	  .graph = "l, p = "
		   "predictd.SoftmaxCrossEntropy(x:float[2,4]={10000,-10000,0,1,"
		   "-10000,3,10000,10000}, "
		   "t:int64[2]={1,1})" },
	{ .name = "double",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:double[6,5], t:int64[6])" },
	{ .name = "targets of another shape",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[5])",
	  .want = ERR_SHAPE },
	{ .name = "weights of another length",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[6], w:float[6])",
	  .want = ERR_SHAPE },
	{ .name = "no classes",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6,0], t:int64[6])",
	  .want = ERR_SHAPE },
	{ .name = "a vector of scores",
	  .graph = "l, p = predictd.SoftmaxCrossEntropy(x:float[6], t:int64[])",
	  .want = ERR_SHAPE },
	{ .name = "too much smoothing",
	  .graph = "l, p = "
		   "predictd.SoftmaxCrossEntropy<label_smoothing=1.5>(x:float[6,5], t:int64[6])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case backward_cases[] = {
	{ .name = "rows",
	  .graph = "dx = predictd.SoftmaxCrossEntropyGrad(g:float[], p:float[6,5], "
		   "t:int64[6])" },
	{ .name = "pixels",
	  .graph = "dx = "
		   "predictd.SoftmaxCrossEntropyGrad<label_smoothing=0.1>(g:double[], "
		   "p:double[2,4,3], t:int64[2,3], w:double[4])" },
	{ .name = "dloss is no scalar",
	  .graph = "dx = predictd.SoftmaxCrossEntropyGrad(g:float[6], p:float[6,5], "
		   "t:int64[6])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_softmax_cross_entropy;
const struct op op_softmax_cross_entropy = {
	.domain = "predictd",
	.name = "SoftmaxCrossEntropy",
	.help = "Mean cross-entropy of class scores and class numbers.",
	.since = 1,
	.in = forward_in,
	.out = forward_out,
	.attrs = cross_entropy_attrs,
	.attrs_size = sizeof(struct cross_entropy_attrs),
	.infer = forward_infer,
	.kernels = forward_kernels,
	.vjp = forward_vjp,
	.cases = forward_cases,
};

extern const struct op op_softmax_cross_entropy_grad;
const struct op op_softmax_cross_entropy_grad = {
	.domain = "predictd",
	.name = "SoftmaxCrossEntropyGrad",
	.help = "Gradient of SoftmaxCrossEntropy by the scores.",
	.since = 1,
	.in = backward_in,
	.out = backward_out,
	.attrs = cross_entropy_attrs,
	.attrs_size = sizeof(struct cross_entropy_attrs),
	.infer = backward_infer,
	.kernels = backward_kernels,
	.cases = backward_cases,
};
