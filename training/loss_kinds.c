/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kinds of loss, a row each: x is the network's output [rows, n], t the
 * target ([rows] class numbers of a category, else [rows, n]). Means are over
 * all elements, as PyTorch's with reduction 'mean', unless it says otherwise.
 */
#include <stddef.h>

#include "training/loss.h"

#define AT(member) offsetof(struct loss_params, member)
#define REAL(text, of, member, low, high, value)                            \
	{                                                                   \
		.name = text, .help = of, .kind = FIELD_DOUBLE,             \
		.offset = AT(member), .min = low, .max = high, .def = value \
	}
#define FLAG(text, of, member)                                \
	{                                                     \
		.name = text, .help = of, .kind = FIELD_BOOL, \
		.offset = AT(member)                          \
	}
#define LIST(text, of)                                           \
	{                                                        \
		.name = text, .help = of, .kind = FIELD_DOUBLES, \
		.offset = AT(weight), .min = 0, .max = 1e9       \
	}
#define IGNORE                                                              \
	{                                                                   \
		.name = "ignore_index",                                     \
		.help = "targets of this number do not count",              \
		.kind = FIELD_INT, .offset = AT(ignore_index), .min = -1e9, \
		.max = 1e9, .def = -100                                     \
	}

static const char *const reduction_names[] = { "batchmean", "mean", NULL };
static const char *const role_names[] = { "critic", "generator", NULL };

static const struct field plain_fields[] = { { 0 } };
static const struct field cross_entropy_fields[] = {
	REAL("label_smoothing", "share of the target spread over all classes",
	     label_smoothing, 0, 1, 0),
	LIST("weight", "one weight a class"),
	IGNORE,
	{ 0 },
};
static const struct field nll_fields[] = {
	LIST("weight", "one weight a class"),
	IGNORE,
	{ 0 },
};
static const struct field delta_fields[] = {
	REAL("delta", "where the parabola becomes a line", delta, 1e-9, 1e9, 1),
	{ 0 },
};
static const struct field beta_fields[] = {
	REAL("beta", "where the parabola becomes a line", delta, 1e-9, 1e9, 1),
	{ 0 },
};
static const struct field gamma_fields[] = {
	REAL("gamma", "how little easy rows count", gamma, 1, 100, 2),
	{ 0 },
};
static const struct field focal_fields[] = {
	REAL("gamma", "how little easy elements count", gamma, 1, 100, 2),
	REAL("alpha", "share of the positive ones; -1: both count alike", alpha,
	     -1, 1, 0.25),
	{ 0 },
};
static const struct field margin_fields[] = {
	REAL("margin", "by which the target should lead", margin, 1e-9, 1e9, 1),
	{ 0 },
};
static const struct field quantile_fields[] = {
	REAL("quantile", "share of targets that lie below", quantile, 1e-6,
	     0.999999, 0.5),
	{ 0 },
};
static const struct field positive_fields[] = {
	LIST("pos_weight", "how much positive targets count; one for each"),
	{ 0 },
};
static const struct field kl_fields[] = {
	{ .name = "reduction",
	  .help = "sum of each row and mean of rows, or mean of elements",
	  .kind = FIELD_ENUM,
	  .offset = AT(reduction),
	  .names = reduction_names },
	FLAG("log_target", "targets are logarithms, too", log_target),
	{ 0 },
};
static const struct field dice_fields[] = {
	REAL("smooth", "added to both sides of the fraction", smooth, 0, 1e9,
	     1),
	FLAG("batch", "one figure of the whole batch, not one a row", batch),
	{ 0 },
};
static const struct field class_dice_fields[] = {
	REAL("smooth", "added to both sides of the fraction", smooth, 0, 1e9,
	     1),
	{ 0 },
};
static const struct field cosine_fields[] = {
	REAL("margin", "what a negative's cosine may be", margin, -1, 1, 0),
	FLAG("negatives", "the next row's target should be far", negatives),
	{ 0 },
};
static const struct field triplet_fields[] = {
	REAL("margin", "by which the negative should be farther", margin, 1e-9,
	     1e9, 1),
	REAL("p", "of the norm", p, 1, 1e3, 2),
	REAL("eps", "added to differences", eps, 0, 1, 1e-6),
	FLAG("swap", "take the positive where it is nearer to the negative",
	     swap),
	{ 0 },
};
static const struct field wasserstein_fields[] = {
	{ .name = "role",
	  .help = "critic: targets above 0 are real; generator: none is",
	  .kind = FIELD_ENUM,
	  .offset = AT(role),
	  .names = role_names },
	{ 0 },
};

/* clang-format off */
#define ONE_HOT "h = OneHot<axis=1>(t, n, v:float[2]={0,1}); "
#define COLUMN "i:int64[1]={1}"

/* -(1 - p)^a log(p) of the target's probability p (Lin et al. 2017) */
static const char class_focal[] =
	"g = GatherElements<axis=1>(LogSoftmax<axis=1>(x), Unsqueeze(t, " COLUMN ")); "
	"loss = Neg(ReduceMean<keepdims=0>(Mul(Pow(Sub(1, Exp(g)), a), g)))";
/* max(0, a - x of the target + x), over all classes: the target's own term is
 * a, whatever x is (PyTorch's MultiMarginLoss, but for that term) */
static const char class_hinge[] =
	"g = GatherElements<axis=1>(x, Unsqueeze(t, " COLUMN ")); "
	"loss = ReduceMean<keepdims=0>(Relu(Add(Sub(x, g), a)))";
/* sum -w[t] x[t] / sum w[t], over targets that are not a */
static const char nll[] =
	"k = Not(Equal(Cast<to=float>(t), a)); s = Where(k, t, z:int64[]={0}); "
	"u = Unsqueeze(Mul(Gather(w, s), Cast<to=float>(k)), " COLUMN "); "
	"g = GatherElements<axis=1>(x, Unsqueeze(s, i)); "
	"loss = Neg(Div(ReduceSum<keepdims=0>(Mul(u, g)), ReduceSum<keepdims=0>(u)))";
/* (1 - h) x + (1 + (w - 1) h) log(1 + exp(-x)), each class against the rest */
static const char class_logits[] = ONE_HOT
	"loss = ReduceMean<keepdims=0>(Add(Mul(Sub(1, h), x), "
	"Mul(Add(1, Mul(Sub(w, 1), h)), Softplus(Neg(x)))))";
static const char positive_logits[] =
	"loss = ReduceMean<keepdims=0>(Add(Mul(Sub(1, t), x), "
	"Mul(Add(1, Mul(Sub(w, 1), t)), Softplus(Neg(x)))))";
/* 1 - (2 sum p t + a) / (sum p + sum t + a) (Milletari et al. 2016): of each
 * class over the batch, of each row, of the batch */
static const char class_dice[] = ONE_HOT
	"p = Softmax<axis=1>(x); z = y:int64[1]={0}; "
	"q = ReduceSum<keepdims=0>(Mul(p, h), z); "
	"u = Add(ReduceSum<keepdims=0>(p, z), ReduceSum<keepdims=0>(h, z)); "
	"loss = Sub(1, ReduceMean<keepdims=0>(Div(Add(Mul(2, q), a), Add(u, a))))";
static const char row_dice[] =
	"p = Sigmoid(x); z = y:int64[1]={1}; "
	"q = ReduceSum<keepdims=0>(Mul(p, t), z); "
	"u = Add(ReduceSum<keepdims=0>(p, z), ReduceSum<keepdims=0>(t, z)); "
	"loss = Sub(1, ReduceMean<keepdims=0>(Div(Add(Mul(2, q), a), Add(u, a))))";
static const char batch_dice[] =
	"p = Sigmoid(x); q = ReduceSum<keepdims=0>(Mul(p, t)); "
	"u = Add(ReduceSum<keepdims=0>(p), ReduceSum<keepdims=0>(t)); "
	"loss = Sub(1, Div(Add(Mul(2, q), a), Add(u, a)))";
/* -alpha_t (1 - p_t)^a log p_t with p_t = p where the target is 1, else 1 - p;
 * b: alpha (torchvision's sigmoid_focal_loss, mean) */
#define FOCAL \
	"p = Sigmoid(x); e = Sub(Softplus(x), Mul(x, t)); " \
	"q = Pow(Add(Mul(p, Sub(1, t)), Mul(Sub(1, p), t)), a); "
static const char focal_alike[] = FOCAL "loss = ReduceMean<keepdims=0>(Mul(e, q))";
static const char focal_alpha[] = FOCAL
	"s = Add(Mul(b, t), Mul(Sub(1, b), Sub(1, t))); "
	"loss = ReduceMean<keepdims=0>(Mul(s, Mul(e, q)))";
/* max(0, a - s x), s the target's sign: 1 above 0, else -1 */
static const char sign_hinge[] =
	"s = Sub(Mul(2, Cast<to=float>(Greater(t, 0))), 1); "
	"loss = ReduceMean<keepdims=0>(Relu(Sub(a, Mul(s, x))))";
/* a max(0, t - x) + (1 - a) max(0, x - t) (Koenker and Bassett 1978) */
static const char quantile[] =
	"d = Sub(t, x); loss = ReduceMean<keepdims=0>(Add("
	"Mul(a, Relu(d)), Mul(Sub(1, a), Relu(Neg(d)))))";
/* t (log t - x), 0 where t is 0; x are logarithms of probabilities */
#define DIVERGENCE "e = Mul(t, Sub(Log(Max(t, 1e-37)), x)); "
#define LOG_DIVERGENCE "e = Mul(Exp(t), Sub(t, x)); "
#define ROWS_SUMMED "loss = ReduceMean<keepdims=0>(ReduceSum<keepdims=0>(e, " COLUMN "))"
#define ALL_AVERAGED "loss = ReduceMean<keepdims=0>(e)"
static const char *const divergence[2][2] = {
	{ DIVERGENCE ROWS_SUMMED, LOG_DIVERGENCE ROWS_SUMMED },
	{ DIVERGENCE ALL_AVERAGED, LOG_DIVERGENCE ALL_AVERAGED },
};
/* the target of the next row of the batch; after the last comes the first */
#define NEXT_ROW \
	"o = Concat<axis=0>(" \
	"Slice(t, i0:int64[1]={1}, i1:int64[1]={2147483647}, i2:int64[1]={0}), " \
	"Slice(t, i2, i0, i2)); "
#define LENGTH(of) "Add(ReduceSumSquare<keepdims=0>(" of ", i), 1e-12)"
#define COSINE(with) \
	"Div(ReduceSum<keepdims=0>(Mul(x, " with "), i), " \
	"Sqrt(Mul(" LENGTH("x") ", " LENGTH(with) ")))"
static const char cosine[] = COLUMN "; "
	"loss = Sub(1, ReduceMean<keepdims=0>(" COSINE("t") "))";
static const char cosine_pairs[] = COLUMN "; " NEXT_ROW
	"near = " COSINE("t") "; far = " COSINE("o") "; "
	"loss = Div(Add(Sub(1, ReduceMean<keepdims=0>(near)), "
	"ReduceMean<keepdims=0>(Relu(Sub(far, a)))), 2)";
/* max(0, |x - t| - |x - o| + a), o being the next row's target; |d| is the
 * norm of order b of d + c */
#define NORM_2(u, v) "Sqrt(ReduceSumSquare<keepdims=0>(Add(Sub(" u ", " v "), c), i))"
#define NORM_P(u, v) \
	"Pow(ReduceSum<keepdims=0>(Pow(Abs(Add(Sub(" u ", " v "), c)), b), i), Div(1, b))"
#define TRIPLET(NORM) COLUMN "; " NEXT_ROW \
	"loss = ReduceMean<keepdims=0>(Relu(Add(Sub(" NORM("x", "t") ", " NORM("x", "o") "), a)))"
#define TRIPLET_SWAP(NORM) COLUMN "; " NEXT_ROW \
	"loss = ReduceMean<keepdims=0>(Relu(Add(Sub(" NORM("x", "t") ", Min(" \
	NORM("x", "o") ", " NORM("t", "o") ")), a)))"
static const char *const triplet[2][2] = {
	{ TRIPLET(NORM_P), TRIPLET_SWAP(NORM_P) },
	{ TRIPLET(NORM_2), TRIPLET_SWAP(NORM_2) },
};
/* means of what is not real and of what is (Arjovsky et al. 2017); one that
 * has no rows is 0 */
static const char critic[] =
	"k = Cast<to=float>(Greater(t, 0)); q = Sub(1, k); "
	"loss = Sub(Div(ReduceSum<keepdims=0>(Mul(q, x)), Max(ReduceSum<keepdims=0>(q), 1)), "
	"Div(ReduceSum<keepdims=0>(Mul(k, x)), Max(ReduceSum<keepdims=0>(k), 1)))";
static const char generator[] = "loss = Neg(ReduceMean<keepdims=0>(x))";
/* clang-format on */

static void choose_nll(const struct loss_params *params,
		       struct train_loss *step)
{
	step->text = nll;
	step->number[0] = (double)params->ignore_index;
}

static void choose_logits(const struct loss_params *params,
			  struct train_loss *step)
{
	if (params->weight.n)
		step->text = positive_logits;
	else
		step->op = "BinaryCrossEntropyWithLogits";
}

static void choose_focal(const struct loss_params *params,
			 struct train_loss *step)
{
	step->text = params->alpha < 0 ? focal_alike : focal_alpha;
}

static void choose_divergence(const struct loss_params *params,
			      struct train_loss *step)
{
	step->text = divergence[params->reduction][params->log_target];
}

static void choose_dice(const struct loss_params *params,
			struct train_loss *step)
{
	step->text = params->batch ? batch_dice : row_dice;
}

static void choose_cosine(const struct loss_params *params,
			  struct train_loss *step)
{
	step->text = params->negatives ? cosine_pairs : cosine;
}

static void choose_triplet(const struct loss_params *params,
			   struct train_loss *step)
{
	const double two = 2;

	step->text =
	    triplet[!(params->p < two) && !(params->p > two)][params->swap];
}

static void choose_wasserstein(const struct loss_params *params,
			       struct train_loss *step)
{
	step->text = params->role == LOSS_CRITIC ? critic : generator;
}

/* clang-format off */
enum { C = LOSS_OF_CATEGORY, N = LOSS_OF_NUMBER, V = LOSS_OF_VECTOR };

static const struct loss_kind kinds[] = {
	{ .name = "cross_entropy", .help = "softmax and negative log-likelihood", .of = C,
	  .measures = "category", .op = "SoftmaxCrossEntropy", .weight = LOSS_CLASS_WEIGHT,
	  .fields = cross_entropy_fields },
	{ .name = "binary_cross_entropy_with_logits",
	  .help = "sigmoid, each class against the rest", .of = C,
	  .measures = "category", .text = class_logits, .weight = LOSS_POSITIVE_WEIGHT,
	  .fields = positive_fields },
	{ .name = "dice", .help = "1 - overlap of each class, after softmax", .of = C,
	  .measures = "category", .text = class_dice, .number = { AT(smooth) },
	  .fields = class_dice_fields },
	{ .name = "focal", .help = "cross-entropy that leaves easy rows aside", .of = C,
	  .measures = "category", .text = class_focal, .number = { AT(gamma) },
	  .fields = gamma_fields },
	{ .name = "hinge", .help = "how far others are within the margin", .of = C,
	  .measures = "category", .text = class_hinge, .number = { AT(margin) },
	  .fields = margin_fields },
	{ .name = "nll", .help = "of outputs that are logarithms of probabilities", .of = C,
	  .measures = "category", .choose = choose_nll, .weight = LOSS_CLASS_ONES,
	  .fields = nll_fields },
	{ .name = "cross_entropy", .help = "softmax and negative log-likelihood",
	  .of = LOSS_OF_TEXT, .measures = "text", .op = "SoftmaxCrossEntropy",
	  .weight = LOSS_CLASS_WEIGHT, .fields = cross_entropy_fields },
	{ .name = "focal", .help = "cross-entropy that leaves easy tokens aside",
	  .of = LOSS_OF_TEXT, .measures = "text", .text = class_focal,
	  .number = { AT(gamma) }, .fields = gamma_fields },
	{ .name = "mse", .help = "mean of squared errors", .of = N | V,
	  .measures = "number", .op = "MeanSquaredError", .fields = plain_fields },
	{ .name = "mae", .help = "mean of absolute errors", .of = N | V,
	  .measures = "number", .op = "MeanAbsoluteError", .fields = plain_fields },
	{ .name = "huber", .help = "squared up to delta, then absolute", .of = N | V,
	  .measures = "number", .op = "HuberLoss", .fields = delta_fields },
	{ .name = "smooth_l1", .help = "huber divided by its delta", .of = N | V,
	  .measures = "number", .op = "SmoothL1Loss", .fields = beta_fields },
	{ .name = "quantile", .help = "errors to both sides count differently", .of = N | V,
	  .measures = "number", .text = quantile, .number = { AT(quantile) },
	  .fields = quantile_fields },
	{ .name = "binary_cross_entropy", .help = "of outputs that are probabilities",
	  .of = N | V, .measures = "binary", .op = "BinaryCrossEntropy",
	  .of_shares = true,
	  .fields = plain_fields },
	{ .name = "binary_cross_entropy_with_logits", .help = "sigmoid and binary cross-entropy",
	  .of = N | V, .measures = "binary_logits", .choose = choose_logits,
	  .of_shares = true,
	  .weight = LOSS_POSITIVE_WEIGHT, .fields = positive_fields },
	{ .name = "dice", .help = "1 - overlap of two sets, after sigmoid", .of = N | V,
	  .measures = "binary_logits", .choose = choose_dice, .number = { AT(smooth) },
	  .of_shares = true,
	  .fields = dice_fields },
	{ .name = "focal", .help = "binary cross-entropy that leaves easy elements aside",
	  .of = N | V, .measures = "binary_logits", .choose = choose_focal,
	  .of_shares = true,
	  .number = { AT(gamma), AT(alpha) }, .fields = focal_fields },
	{ .name = "hinge", .help = "how far scores are from the margin, by the target's sign",
	  .of = N | V, .measures = "binary_logits", .text = sign_hinge,
	  .number = { AT(margin) }, .fields = margin_fields },
	{ .name = "kl_div", .help = "divergence of log-probabilities from a distribution",
	  .of = V, .measures = "number", .choose = choose_divergence, .fields = kl_fields },
	{ .name = "cosine_embedding", .help = "1 - cosine to the target", .of = V,
	  .measures = "number", .choose = choose_cosine, .number = { AT(margin) },
	  .fields = cosine_fields },
	{ .name = "triplet_margin", .help = "the target nearer than the next row's", .of = V,
	  .measures = "number", .choose = choose_triplet,
	  .number = { AT(margin), AT(p), AT(eps) }, .fields = triplet_fields },
	{ .name = "wasserstein", .help = "scores of what is real and of what is not",
	  .of = N | V, .measures = "number", .choose = choose_wasserstein,
	  .fields = wasserstein_fields },
	{ 0 },
};
/* clang-format on */

const struct loss_kind *loss_kinds(void)
{
	return kinds;
}
