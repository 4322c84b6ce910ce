/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ONNX's losses of classes: NegativeLogLikelihoodLoss of logarithms of
 * probabilities and SoftmaxCrossEntropyLoss of scores, which is the same after
 * LogSoftmax along axis 1. (What trains is SoftmaxCrossEntropy in loss.c.)
 *
 *   none   loss[i] = -w[t] log p[t]
 *   sum    of all           mean    sum / sum of w[t]
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/ops/softmax.h"

enum reduction { REDUCE_MEAN, REDUCE_SUM, REDUCE_NONE, REDUCE_COUNT };

static const char *const reductions[] = { "mean", "sum", "none" };

/* what ignore_index is when nothing is ignored: no class has that number */
#define IGNORE_NOTHING INT64_MIN

struct nll_attrs {
	const char *reduction;
	int64_t ignore_index;
	struct attr_ints shape; /* gradient: of the input */
};

/* [outer, c, inner] around the class axis */
struct nll {
	int64_t n_rows, c, inner, ignore;
	enum reduction reduction;
	bool is_score, has_weight, is_int32;
};

static int64_t first_of_row(const struct nll *g, int64_t row)
{
	return row / g->inner * g->c * g->inner + row % g->inner;
}

/* -1: the row does not count, or its target is no class (a fault) */
static int64_t target_of_row(const struct nll *g,
			     const struct kernel_call *call, const void *target,
			     int64_t row)
{
	const int64_t t = g->is_int32 ? ((const int32_t *)target)[row]
				      : ((const int64_t *)target)[row];

	if (t == g->ignore)
		return -1;
	if (t >= 0 && t < g->c)
		return t;
	kernel_fault(call, row);
	return -1;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/nll_loss_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/nll_loss_typed.h"

/* REDUCE_COUNT: there is none of that name */
static enum reduction find_reduction(const char *name)
{
	unsigned i = 0;

	while (i < REDUCE_COUNT && strcmp(name ? name : "", reductions[i]) != 0)
		i++;
	return (enum reduction)i;
}

static struct nll query_rows(const struct kernel_query *query,
			     const struct shape *x)
{
	const struct nll_attrs *attrs = query->attrs;
	const int64_t inner = shape_range(x, 2, x->rank);

	return (struct nll){
		.n_rows = x->dim[0] * inner,
		.c = x->dim[1],
		.inner = inner,
		.ignore = attrs->ignore_index,
		.reduction = find_reduction(attrs->reduction),
		.is_score = !strcmp(query->op->name, "SoftmaxCrossEntropyLoss"),
		.has_weight =
		    query->n_in > 2 && query->in[2].type.elem != DTYPE_NONE,
		.is_int32 = query->in[1].type.elem == DTYPE_I32,
	};
}

static void forward_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct nll g = query_rows(call->query, &call->query->in[0].shape);

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
	const struct nll_attrs *attrs = call->query->attrs;
	const struct shape x = shape_of(attrs->shape.v, attrs->shape.n);
	const struct nll g = query_rows(call->query, &x);

	(void)slice;
	(void)scratch;
	if (call->query->in[0].type.elem == DTYPE_F64)
		backward_f64(&g, call);
	else
		backward_f32(&g, call);
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-2;
}

/* x [N, C, ...] against target [N, ...] and weight [C]; *ret_loss: [] or
 * target's shape */
static enum err_code check_inputs(const struct infer *infer,
				  const struct shape *x, struct shape *ret_loss,
				  struct err *err)
{
	const struct nll_attrs *attrs = infer->attrs;
	const enum reduction reduction = find_reduction(attrs->reduction);
	struct shape want = *x;
	char text[2][64];

	if (reduction == REDUCE_COUNT)
		return err_set(err, ERR_INVALID,
			       "attribute 'reduction': expected mean, sum or "
			       "none, got '%.40s'",
			       attrs->reduction ? attrs->reduction : "");
	if (x->rank < 2 || x->dim[1] < 1)
		return infer_fail(err,
				  "input 'input': expected [batch, classes, "
				  "...] with one class at least, got %s",
				  shape_text(x, text[0], sizeof(text[0])));
	want.rank--;
	for (unsigned i = 1; i < want.rank; i++)
		want.dim[i] = x->dim[i + 1];
	if (!shape_equal(&infer->in[1].shape, &want))
		return infer_fail(
		    err, "input 'target': expected %s, got %s",
		    shape_text(&want, text[0], sizeof(text[0])),
		    shape_text(&infer->in[1].shape, text[1], sizeof(text[1])));
	if (infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE &&
	    (infer->in[2].shape.rank != 1 ||
	     infer->in[2].shape.dim[0] != x->dim[1]))
		return infer_fail(err,
				  "input 'weight': expected [%lld], one for "
				  "each class",
				  (long long)x->dim[1]);
	if (reduction != REDUCE_NONE)
		want.rank = 0;
	*ret_loss = want;
	return ERR_NONE;
}

static enum err_code forward_infer(struct infer *infer, struct err *err)
{
	const enum err_code rc =
	    check_inputs(infer, &infer->in[0].shape, &infer->out[0].shape, err);

	infer->out[0].has_shape = true;
	if (infer->n_out > 1) {
		infer->out[1].shape = infer->in[0].shape;
		infer->out[1].has_shape = true;
	}
	return rc;
}

static enum err_code backward_infer(struct infer *infer, struct err *err)
{
	const struct nll_attrs *attrs = infer->attrs;
	struct shape x, loss;
	enum err_code rc;

	if (attrs->shape.n > SHAPE_MAX_RANK)
		return err_set(err, ERR_INVALID,
			       "attribute 'shape': expected at most %d extents,"
			       " got %zu",
			       SHAPE_MAX_RANK, attrs->shape.n);
	x = shape_of(attrs->shape.v, attrs->shape.n);
	rc = shape_check(&x, "attribute 'shape'", err);
	if (!rc)
		rc = check_inputs(infer, &x, &loss, err);
	if (!rc && !shape_equal(&infer->in[0].shape, &loss))
		rc = infer_fail(err, "input 'dloss': expected the shape of the "
				     "loss");
	infer->out[0].shape = x;
	infer->out[0].has_shape = true;
	return rc;
}

/* gradient of the loss by log p */
static int32_t build_nll_grad(struct vjp *vjp)
{
	struct nll_attrs attrs = *(const struct nll_attrs *)vjp->attrs;
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	const bool has_weight = vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE;
	const int32_t in[3] = { vjp->grad_out[0], vjp->in[1],
				has_weight ? vjp->in[2] : VALUE_NONE };

	attrs.shape = (struct attr_ints){ x.rank, x.dim };
	return build_node(vjp->build, "NllLossGrad", &attrs, in,
			  has_weight ? 3 : 2);
}

static enum err_code nll_vjp(struct vjp *vjp, struct err *err)
{
	if (vjp->node->n_in > 2 && vjp->wanted[2])
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: the class weights have no gradient",
			       vjp->node->op->name);
	vjp->grad_in[0] = build_nll_grad(vjp);
	return build_check(vjp->build, err);
}

/* by the scores, through log p; log p may have readers of its own */
static enum err_code score_vjp(struct vjp *vjp, struct err *err)
{
	const struct softmax_attrs classes = { .axis = 1 };
	struct build *build = vjp->build;
	const bool has_log = vjp->node->n_out > 1 && vjp->out[1] != VALUE_NONE;
	const int32_t more = has_log ? vjp->grad_out[1] : VALUE_NONE;
	int32_t in[2] = { more, has_log ? vjp->out[1] : VALUE_NONE };

	if (vjp->node->n_in > 2 && vjp->wanted[2])
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: the class weights have no gradient",
			       vjp->node->op->name);
	if (!has_log)
		in[1] = build_node(build, "LogSoftmax", &classes, vjp->in, 1);
	if (vjp->grad_out[0] != VALUE_NONE) {
		in[0] = build_nll_grad(vjp);
		if (more != VALUE_NONE)
			in[0] = build_2(build, "Add", in[0], more);
	}
	vjp->grad_in[0] = build_node(build, "LogSoftmaxGrad", &classes, in, 2);
	return build_check(build, err);
}

static const struct kernel forward_kernel = {
	.name = "nll_loss.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.run = forward_run,
};
static const struct kernel backward_kernel = {
	.name = "nll_loss_grad.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.run = backward_run,
};
static const struct kernel *const forward_kernels[] = { &forward_kernel, NULL };
static const struct kernel *const backward_kernels[] = { &backward_kernel,
							 NULL };

static const struct port nll_in[] = {
	{ "input", "T:float16,float,double,bfloat16", 0 },
	{ "target", "I:int32,int64", 0 },
	{ "weight", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port nll_out[] = { { "loss", "T", 0 }, { 0 } };
static const struct port score_in[] = {
	{ "scores", "T:float16,float,double,bfloat16", 0 },
	{ "labels", "I:int32,int64", 0 },
	{ "weights", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port score_out[] = {
	{ "output", "T", 0 },
	{ "log_prob", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port grad_in[] = {
	{ "dloss", "T:float,double", 0 },
	{ "target", "I:int32,int64", 0 },
	{ "weight", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port grad_out[] = { { "dinput", "T", 0 }, { 0 } };

/* clang-format off */
#define IGNORE \
	{ .name = "ignore_index", .help = "targets that do not count", \
	  .offset = offsetof(struct nll_attrs, ignore_index), .kind = ATTR_INT, \
	  .def = (double)IGNORE_NOTHING }
#define REDUCTION \
	{ .name = "reduction", .help = "mean, sum or none", \
	  .offset = offsetof(struct nll_attrs, reduction), .kind = ATTR_STRING, .def_text = "mean" }

static const struct op_attr nll_attrs[] = { IGNORE, REDUCTION, { 0 } };
static const struct op_attr grad_attrs[] = {
	IGNORE,
	REDUCTION,
	{ .name = "shape", .help = "the shape of the input",
	  .offset = offsetof(struct nll_attrs, shape), .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case nll_cases[] = {
	{ .name = "mean", .graph = "l = NegativeLogLikelihoodLoss(x:float[5,4], t:int64[5])" },
	{ .name = "sum of pixels",
	  .graph = "l = NegativeLogLikelihoodLoss<reduction=\"sum\">(x:float[2,4,3], "
		   "t:int32[2,3])" },
	{ .name = "each",
	  .graph = "l = NegativeLogLikelihoodLoss<reduction=\"none\", ignore_index=1>"
		   "(x:float[2,4,3], t:int64[2,3])" },
	{ .name = "weights", .graph = "l = NegativeLogLikelihoodLoss"
		   "(x:float[5,4], t:int64[5], w:float[4]={1,2,0.5,3})" },
	{ .name = "double", .graph = "l = NegativeLogLikelihoodLoss(x:double[5,4], t:int64[5])" },
	{ .name = "targets of another shape",
	  .graph = "l = NegativeLogLikelihoodLoss(x:float[5,4], t:int64[4])", .want = ERR_SHAPE },
	{ .name = "weights of another length",
	  .graph = "l = NegativeLogLikelihoodLoss(x:float[5,4], t:int64[5], w:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "unknown reduction",
	  .graph = "l = NegativeLogLikelihoodLoss<reduction=\"max\">(x:float[5,4], t:int64[5])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case score_cases[] = {
	{ .name = "mean", .graph = "l, p = SoftmaxCrossEntropyLoss(x:float[5,4], t:int64[5])" },
	{ .name = "loss alone", .graph = "l = SoftmaxCrossEntropyLoss(x:float[5,4], t:int64[5])" },
	{ .name = "sum of pixels", .graph = "l, p = SoftmaxCrossEntropyLoss<reduction=\"sum\">"
		   "(x:float[2,4,3], t:int32[2,3])" },
	{ .name = "each",
	  .graph = "l, p = SoftmaxCrossEntropyLoss<reduction=\"none\", ignore_index=1>"
		   "(x:float[2,4,3], t:int64[2,3])" },
	{ .name = "weights", .graph = "l, p = SoftmaxCrossEntropyLoss"
		   "(x:float[5,4], t:int64[5], w:float[4]={1,2,0.5,3})" },
	{ .name = "a vector of scores",
	  .graph = "l = SoftmaxCrossEntropyLoss(x:float[4], t:int64[])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "mean", .graph = "d = predictd.NllLossGrad<shape=[5,4]>(g:float[], t:int64[5])" },
	{ .name = "each", .graph = "d = predictd.NllLossGrad<shape=[2,4,3], reduction=\"none\">"
		   "(g:double[2,3], t:int64[2,3], w:double[4])" },
	{ .name = "another dloss",
	  .graph = "d = predictd.NllLossGrad<shape=[5,4]>(g:float[5], t:int64[5])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_negative_log_likelihood_loss;
const struct op op_negative_log_likelihood_loss = {
	.domain = "",
	.name = "NegativeLogLikelihoodLoss",
	.help = "Loss of logarithms of class probabilities.",
	.since = 13,
	.in = nll_in,
	.out = nll_out,
	.attrs = nll_attrs,
	.attrs_size = sizeof(struct nll_attrs),
	.infer = forward_infer,
	.kernels = forward_kernels,
	.vjp = nll_vjp,
	.cases = nll_cases,
};

extern const struct op op_softmax_cross_entropy_loss;
const struct op op_softmax_cross_entropy_loss = {
	.domain = "",
	.name = "SoftmaxCrossEntropyLoss",
	.help = "Cross-entropy of class scores.",
	.since = 13,
	.in = score_in,
	.out = score_out,
	.attrs = nll_attrs,
	.attrs_size = sizeof(struct nll_attrs),
	.infer = forward_infer,
	.kernels = forward_kernels,
	.vjp = score_vjp,
	.cases = score_cases,
};

extern const struct op op_nll_loss_grad;
const struct op op_nll_loss_grad = {
	.domain = "predictd",
	.name = "NllLossGrad",
	.help = "Gradient of NegativeLogLikelihoodLoss.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct nll_attrs),
	.infer = backward_infer,
	.kernels = backward_kernels,
	.cases = grad_cases,
};
