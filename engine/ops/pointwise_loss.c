/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Means of a loss of each element, as PyTorch's functions with reduction
 * 'mean', where d = x - t:
 *
 *   MeanSquaredError              d d
 *   MeanAbsoluteError             |d|
 *   HuberLoss                     d d / 2 where |d| <= delta,
 *                                 else delta (|d| - delta / 2)
 *   SmoothL1Loss                  d d / (2 delta) where |d| < delta,
 *                                 else |d| - delta / 2
 *   BinaryCrossEntropyWithLogits  max(x, 0) - x t + log(1 + exp(-|x|))
 *   BinaryCrossEntropy            -t log x - (1 - t) log(1 - x), where no
 *                                 logarithm is below -100
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/ops/loss.h"

enum loss_kind {
	LOSS_SQUARED,
	LOSS_ABSOLUTE,
	LOSS_HUBER,
	LOSS_SMOOTH_L1,
	LOSS_LOGITS,
	LOSS_PROBABILITIES,
};
enum {
	N_KINDS = LOSS_PROBABILITIES + 1,
	MAX_SLICES = 16,
	SLICE_ELEMENTS = 1 << 15
};

/* as operator and as the attribute `loss` of the gradient */
static const char *const kind_names[N_KINDS] = {
	"MeanSquaredError",
	"MeanAbsoluteError",
	"HuberLoss",
	"SmoothL1Loss",
	"BinaryCrossEntropyWithLogits",
	"BinaryCrossEntropy",
};

struct pointwise_grad_attrs {
	double delta;
	const char *loss;
};

#define T float
#define EXP expf
#define LOG logf
#define LOG1P log1pf
#define ABS fabsf
#define NAME(x) x##_f32
#include "engine/ops/pointwise_loss_typed.h"

#define T double
#define EXP exp
#define LOG log
#define LOG1P log1p
#define ABS fabs
#define NAME(x) x##_f64
#include "engine/ops/pointwise_loss_typed.h"

/* N_KINDS: there is none of that name */
static unsigned find_kind(const char *name)
{
	unsigned kind = 0;

	while (kind < N_KINDS && (!name || strcmp(name, kind_names[kind]) != 0))
		kind++;
	return kind;
}

static void mean_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct pointwise_loss_attrs *attrs = call->query->attrs;
	const unsigned kind = find_kind(call->query->op->name);

	(void)slice;
	(void)scratch;
	if (call->query->in[0].type.elem == DTYPE_F64)
		mean_f64(call, (enum loss_kind)kind, attrs->delta);
	else
		mean_f32(call, (enum loss_kind)kind, attrs->delta);
}

static void slopes_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct pointwise_grad_attrs *attrs = call->query->attrs;
	const unsigned kind = find_kind(attrs->loss);
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&call->query->in[1].shape), call->n_slices,
		     slice, &first, &last);
	if (call->query->in[0].type.elem == DTYPE_F64)
		slopes_f64(call, (enum loss_kind)kind, attrs->delta, first,
			   last);
	else
		slopes_f32(call, (enum loss_kind)kind, attrs->delta, first,
			   last);
}

static enum err_code slopes_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const int64_t n = shape_count(&query->in[1].shape) / SLICE_ELEMENTS;

	(void)err;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double mean_cost(const struct kernel_query *query)
{
	return 0.05 + (double)shape_count(&query->in[0].shape) * 1.5e-3;
}

static double slopes_cost(const struct kernel_query *query)
{
	return 0.05 + (double)shape_count(&query->in[1].shape) * 1e-3;
}

static enum err_code check_pair(const struct infer *infer, unsigned at,
				double delta, struct err *err)
{
	const struct shape *x = &infer->in[at].shape;
	const struct shape *t = &infer->in[at + 1].shape;
	char text[2][64];

	if (!shape_equal(x, t))
		return infer_fail(err,
				  "input 't': expected %s, the shape of input "
				  "'x', got %s",
				  shape_text(x, text[0], sizeof(text[0])),
				  shape_text(t, text[1], sizeof(text[1])));
	if (!(delta > 0))
		return err_set(err, ERR_INVALID,
			       "attribute 'delta': expected above 0, got %g",
			       delta);
	return ERR_NONE;
}

static enum err_code mean_infer(struct infer *infer, struct err *err)
{
	const struct pointwise_loss_attrs *attrs = infer->attrs;
	const enum err_code rc = check_pair(infer, 0, attrs->delta, err);

	infer->out[0].shape.rank = 0;
	infer->out[0].has_shape = true;
	return rc;
}

static enum err_code slopes_infer(struct infer *infer, struct err *err)
{
	const struct pointwise_grad_attrs *attrs = infer->attrs;

	if (find_kind(attrs->loss) == N_KINDS)
		return err_set(err, ERR_INVALID,
			       "attribute 'loss': '%.40s' is no loss of this "
			       "family",
			       attrs->loss ? attrs->loss : "");
	if (infer->in[0].shape.rank)
		return infer_fail(err, "input 'dloss': expected a scalar");
	infer->out[0].shape = infer->in[1].shape;
	infer->out[0].has_shape = true;
	return check_pair(infer, 1, attrs->delta, err);
}

/* by t: the opposite, or -x dloss / n for logits */
static enum err_code mean_vjp(struct vjp *vjp, struct err *err)
{
	const struct pointwise_loss_attrs *attrs = vjp->attrs;
	struct build *build = vjp->build;
	const char *name = vjp->node->op->name;
	const struct pointwise_grad_attrs grad = { attrs->delta, name };
	const struct fact x = *build_fact(build, vjp->in[0]);
	const int32_t in[3] = { vjp->grad_out[0], vjp->in[0], vjp->in[1] };
	int32_t dt;

	vjp->grad_in[0] = build_node(build, "PointwiseLossGrad", &grad, in, 3);
	if (!vjp->wanted[1])
		return build_check(build, err);
	if (find_kind(name) == LOSS_PROBABILITIES)
		return err_set(err, ERR_UNSUPPORTED,
			       "BinaryCrossEntropy: only 'x' has a gradient");
	if (find_kind(name) == LOSS_LOGITS) {
		const int32_t n = build_scalar(build, x.type.elem,
					       (double)shape_count(&x.shape));

		dt = build_2(build, "Mul", in[1],
			     build_2(build, "Div", in[0], n));
	} else {
		dt = vjp->grad_in[0];
	}
	vjp->grad_in[1] = build_1(build, "Neg", dt);
	return build_check(build, err);
}

static const struct kernel mean_kernel = {
	.name = "pointwise_loss.plain",
	.flags = KERNEL_QUICK,
	.cost = mean_cost,
	.run = mean_run,
};
static const struct kernel slopes_kernel = {
	.name = "pointwise_loss_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = slopes_cost,
	.prepare = slopes_prepare,
	.run = slopes_run,
};
static const struct kernel *const mean_kernels[] = { &mean_kernel, NULL };
static const struct kernel *const slopes_kernels[] = { &slopes_kernel, NULL };

static const struct port mean_in[] = {
	{ "x", "T:float,double", 0 },
	{ "t", "T", 0 },
	{ 0 },
};
static const struct port mean_out[] = { { "loss", "T", 0 }, { 0 } };
static const struct port slopes_in[] = {
	{ "dloss", "T:float,double", 0 },
	{ "x", "T", 0 },
	{ "t", "T", 0 },
	{ 0 },
};
static const struct port slopes_out[] = { { "dx", "T", 0 }, { 0 } };

/* clang-format off */
static const struct op_attr mean_attrs[] = {
	{ .name = "delta", .help = "where the loss turns from square to straight",
	  .offset = offsetof(struct pointwise_loss_attrs, delta), .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};
static const struct op_attr slopes_attrs[] = {
	{ .name = "delta", .help = "where the loss turns from square to straight",
	  .offset = offsetof(struct pointwise_grad_attrs, delta), .kind = ATTR_FLOAT, .def = 1 },
	{ .name = "loss", .help = "name of the loss",
	  .offset = offsetof(struct pointwise_grad_attrs, loss), .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED },
	{ 0 },
};

static const struct op_case squared_cases[] = {
	{ .name = "matrix", .graph = "l = predictd.MeanSquaredError(x:float[4,3], t:float[4,3])" },
	{ .name = "vector", .graph = "l = predictd.MeanSquaredError(x:double[7], t:double[7])" },
	{ .name = "scalar", .graph = "l = predictd.MeanSquaredError(x:float[], t:float[])" },
	{ .name = "shapes differ",
	  .graph = "l = predictd.MeanSquaredError(x:float[4,3], t:float[4,1])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case absolute_cases[] = {
	{ .name = "matrix", .graph = "l = predictd.MeanAbsoluteError(x:float[4,3], t:float[4,3])" },
	{ .name = "shapes differ",
	  .graph = "l = predictd.MeanAbsoluteError(x:float[4], t:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case huber_cases[] = {
	{ .name = "matrix",
	  .graph = "l = predictd.HuberLoss<delta=0.7>(x:float[4,3], t:float[4,3])" },
	{ .name = "double", .graph = "l = predictd.HuberLoss(x:double[4,3], t:double[4,3])" },
	{ .name = "delta of 0",
	  .graph = "l = predictd.HuberLoss<delta=0>(x:float[4], t:float[4])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case smooth_cases[] = {
	{ .name = "matrix",
	  .graph = "l = predictd.SmoothL1Loss<delta=0.5>(x:float[4,3], t:float[4,3])" },
	{ .name = "shapes differ", .graph = "l = predictd.SmoothL1Loss(x:float[4], t:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case logits_cases[] = {
	{ .name = "matrix",
	  .graph = "l = predictd.BinaryCrossEntropyWithLogits(x:float[4,2], t:float[4,2])" },
	{ .name = "large scores",
	  .graph = "l = "
		   "predictd.BinaryCrossEntropyWithLogits(x:float[4]={10000,-10000,0,1}, "
		   "t:float[4]={1,1,0,0})" },
	{ .name = "shapes differ",
	  .graph = "l = predictd.BinaryCrossEntropyWithLogits(x:float[4], t:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case probabilities_cases[] = {
	{ .name = "matrix",
	  .graph = "l = predictd.BinaryCrossEntropy(x:float[2,2]={0.1,0.5,0.9,0.7}, "
		   "t:float[2,2]={0,0.25,1,1})" },
	{ .name = "of scores",
	  .graph = "l = predictd.BinaryCrossEntropy(Sigmoid(u:double[2,3]), "
		   "t:double[2,3]={0,0.25,1,1,0.5,0.9})" },
	{ .name = "certain",
	  .graph = "l = predictd.BinaryCrossEntropy(x:float[4]={0,0,1,1}, "
		   "t:float[4]={0,1,0,1})" },
	{ .name = "shapes differ",
	  .graph = "l = predictd.BinaryCrossEntropy(x:float[4], t:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case slopes_cases[] = {
	{ .name = "squared",
	  .graph = "d = "
		   "predictd.PointwiseLossGrad<loss=\"MeanSquaredError\">(g:float[], "
		   "x:float[4,3], t:float[4,3])" },
	{ .name = "logits",
	  .graph = "d = "
		   "predictd.PointwiseLossGrad<loss=\"BinaryCrossEntropyWithLogits\">(g:double[], "
		   "x:double[5], t:double[5])" },
	{ .name = "nothing",
	  .graph = "d = predictd.PointwiseLossGrad<loss=\"HuberLoss\">(g:float[], "
		   "x:float[0], t:float[0])" },
	{ .name = "unknown loss",
	  .graph = "d = predictd.PointwiseLossGrad<loss=\"Mean\">(g:float[], "
		   "x:float[4], t:float[4])", .want = ERR_INVALID },
	{ .name = "dloss is no scalar",
	  .graph = "d = predictd.PointwiseLossGrad<loss=\"HuberLoss\">(g:float[4], "
		   "x:float[4], t:float[4])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

#define MEAN(row, text, what, of)                                  \
	extern const struct op row;                                \
	const struct op row = {                                    \
		.domain = "predictd",                              \
		.name = text,                                      \
		.help = what,                                      \
		.since = 1,                                        \
		.in = mean_in,                                     \
		.out = mean_out,                                   \
		.attrs = mean_attrs,                               \
		.attrs_size = sizeof(struct pointwise_loss_attrs), \
		.infer = mean_infer,                               \
		.kernels = mean_kernels,                           \
		.vjp = mean_vjp,                                   \
		.cases = of,                                       \
	}

MEAN(op_binary_cross_entropy, "BinaryCrossEntropy",
     "Mean cross-entropy of probabilities x and t.", probabilities_cases);
MEAN(op_binary_cross_entropy_with_logits, "BinaryCrossEntropyWithLogits",
     "Mean cross-entropy of sigmoid(x) and probabilities.", logits_cases);
MEAN(op_huber_loss, "HuberLoss",
     "Mean of half the square, straight beyond delta.", huber_cases);
MEAN(op_mean_absolute_error, "MeanAbsoluteError", "Mean of |x - t|.",
     absolute_cases);
MEAN(op_mean_squared_error, "MeanSquaredError", "Mean of (x - t) squared.",
     squared_cases);
MEAN(op_smooth_l1_loss, "SmoothL1Loss",
     "Mean of the square over twice delta, straight beyond delta.",
     smooth_cases);

extern const struct op op_pointwise_loss_grad;
const struct op op_pointwise_loss_grad = {
	.domain = "predictd",
	.name = "PointwiseLossGrad",
	.help = "Gradient of an elementwise loss by x.",
	.since = 1,
	.in = slopes_in,
	.out = slopes_out,
	.attrs = slopes_attrs,
	.attrs_size = sizeof(struct pointwise_grad_attrs),
	.infer = slopes_infer,
	.kernels = slopes_kernels,
	.cases = slopes_cases,
};
