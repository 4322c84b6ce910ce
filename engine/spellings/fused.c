/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fused operators of com.microsoft, taken apart: activations with a bias,
 * products and convolutions with what follows them, normalizations of a sum.
 * SimplifiedLayerNormalization stands in the domain of ONNX.
 *
 * Source: the operators' documents of ONNX Runtime (ContribOperators.md).
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 1024 };

struct fused_attrs {
	double alpha, epsilon;
	int64_t trans_a, trans_b, batch_a, batch_b;
	int64_t axis, stash_type;
	double beta, params[3]; /* of FusedGemm */
	const char *activation;
};

struct fused_conv_attrs {
	const char *auto_pad, *activation;
	struct attr_ints dilations, kernel_shape, pads, strides;
	struct attr_floats params;
	int64_t group;
};

static bool has(const struct lower *lower, unsigned i)
{
	return i < lower->node->n_in && lower->node->in[i] != VALUE_NONE;
}

static enum err_code lower_fast_gelu(struct lower *lower, struct err *err)
{
	return lower_text(lower,
			  has(lower, 1)
			      ? "y0 = Gelu<approximate=\"tanh\">(Add(x0, x1))"
			      : "y0 = Gelu<approximate=\"tanh\">(x0)",
			  err);
}

static enum err_code lower_product(struct lower *lower, struct err *err)
{
	const struct fused_attrs *own = lower->attrs;

	if (own->batch_a || own->batch_b)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): attribute '%s' is not "
			       "supported",
			       lower->node->node_name, lower->node->name,
			       own->batch_a ? "transBatchA" : "transBatchB");
	if (!own->trans_a && !own->trans_b)
		return lower_text(lower,
				  own->alpha == 1
				      ? "y0 = MatMul(x0, x1)"
				      : "y0 = Mul(MatMul(x0, x1), @alpha)",
				  err);
	return lower_text(lower,
			  own->alpha == 1
			      ? "y0 = predictd.MatMulT<trans_a=@transA, "
				"trans_b=@transB>(x0, x1)"
			      : "y0 = Mul(predictd.MatMulT<trans_a=@transA, "
				"trans_b=@transB>(x0, x1), @alpha)",
			  err);
}

/* ---- normalizations ------------------------------------------------------ */

/* s = the sum that is normalized; bias is input number `bias` */
static int put_sum(const struct lower *lower, unsigned bias, char *text)
{
	return snprintf(text, TEXT_MAX, "a = Add(x0, x1)\ns = %s\n",
			!has(lower, bias) ? "a"
			: bias == 3	  ? "Add(a, x3)"
					  : "Add(a, x4)");
}

static enum err_code lower_skip_layer(struct lower *lower, struct err *err)
{
	char text[TEXT_MAX];
	const int n = put_sum(lower, 4, text);

	(void)snprintf(text + n, TEXT_MAX - (size_t)n,
		       "y0, y1, y2 = LayerNormalization<epsilon=@epsilon>"
		       "(s, x2%s)\ny3 = s",
		       has(lower, 3) ? ", x3" : "");
	return lower_text(lower, text, err);
}

#define RMS_TEXT                                                           \
	"y0 = RMSNormalization<epsilon=@epsilon>(s, x2)\n"                 \
	"l:int64[1]={-1}\n"                                                \
	"y1 = ReduceMean(s, l)\n"                                          \
	"y2 = Reciprocal(Sqrt(Add(ReduceMean(Mul(s, s), l), @epsilon)))\n" \
	"y3 = s"

static enum err_code lower_skip_simplified(struct lower *lower, struct err *err)
{
	char text[TEXT_MAX];
	const int n = put_sum(lower, 3, text);

	(void)snprintf(text + n, TEXT_MAX - (size_t)n, "%s",
		       lower->node->n_out > 1
			   ? RMS_TEXT
			   : "y0 = RMSNormalization<epsilon=@epsilon>(s, x2)");
	return lower_text(lower, text, err);
}

static enum err_code lower_simplified(struct lower *lower, struct err *err)
{
	const struct fused_attrs *own = lower->attrs;

	if (lower->node->n_out > 1 && own->axis != -1)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): a second output is supported "
			       "for the last axis only",
			       lower->node->node_name, lower->node->name);
	return lower_text(
	    lower,
	    lower->node->n_out > 1
		? "y0 = RMSNormalization<axis=@axis, epsilon=@epsilon>(x0, "
		  "x1)\n"
		  "l:int64[1]={-1}\n"
		  "y1 = Reciprocal(Sqrt(Add(ReduceMean(Mul(x0, x0), l), "
		  "@epsilon)))"
		: "y0 = RMSNormalization<axis=@axis, epsilon=@epsilon>"
		  "(x0, x1)",
	    err);
}

/* ---- FusedConv and FusedGemm
 * ----------------------------------------------------------- */

enum params { NO_PARAMS, ONE_ATTRIBUTE, TWO_ATTRIBUTES, TWO_INPUTS };

/* an activation, and its parameters when they are not given */
struct activation {
	const char *name;
	enum params params;
	double param[2];
};

static const struct activation activations[] = {
	{ "Relu", NO_PARAMS, { 0 } },
	{ "Tanh", NO_PARAMS, { 0 } },
	{ "Sigmoid", NO_PARAMS, { 0 } },
	{ "LeakyRelu", ONE_ATTRIBUTE, { 0.01, 0 } },
	{ "Clip", TWO_INPUTS, { -3.4e38, 3.4e38 } },
	{ "HardSigmoid", TWO_ATTRIBUTES, { 0.2, 0.5 } },
};

static void put_params(const struct activation *a, const double param[2],
		       char *text, size_t room)
{
	switch (a->params) {
	case NO_PARAMS:
		(void)snprintf(text, room, "y0 = %s(c)", a->name);
		break;
	case ONE_ATTRIBUTE:
		(void)snprintf(text, room, "y0 = %s<alpha=%.9g>(c)", a->name,
			       param[0]);
		break;
	case TWO_ATTRIBUTES:
		(void)snprintf(text, room, "y0 = %s<alpha=%.9g, beta=%.9g>(c)",
			       a->name, param[0], param[1]);
		break;
	case TWO_INPUTS:
		(void)snprintf(text, room, "y0 = %s(c, %.9g, %.9g)", a->name,
			       param[0], param[1]);
		break;
	}
}

/* Appends y0 = the activation of c; parameters that are no numbers are those
 * of the activation. */
static enum err_code put_activation(const struct lower *lower, const char *name,
				    const double given[2], char text[TEXT_MAX],
				    struct err *err)
{
	const size_t n = sizeof(activations) / sizeof(activations[0]);
	const size_t at = strlen(text);
	double param[2];
	size_t i = 0;

	if (!name || !name[0]) {
		(void)snprintf(text + at, TEXT_MAX - at, "y0 = c");
		return ERR_NONE;
	}
	while (i < n && strcmp(activations[i].name, name) != 0)
		i++;
	if (i == n)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): activation '%.40s' is not "
			       "supported",
			       lower->node->node_name, lower->node->name, name);
	for (size_t j = 0; j < 2; j++)
		param[j] = isnan(given[j]) ? activations[i].param[j] : given[j];
	put_params(&activations[i], param, text + at, TEXT_MAX - at);
	return ERR_NONE;
}

static enum err_code lower_conv(struct lower *lower, struct err *err)
{
	const struct fused_conv_attrs *own = lower->attrs;
	double param[2] = { (double)NAN, (double)NAN };
	char text[TEXT_MAX];
	enum err_code rc;

	for (size_t i = 0; i < 2 && i < own->params.n; i++)
		param[i] = (double)own->params.v[i];
	(void)snprintf(
	    text, TEXT_MAX,
	    "b = Conv<auto_pad=@auto_pad, dilations=@dilations, group=@group, "
	    "kernel_shape=@kernel_shape, pads=@pads, strides=@strides>"
	    "(x0, x1%s)\nc = %s\n",
	    has(lower, 2) ? ", x2" : "", has(lower, 3) ? "Add(b, x3)" : "b");
	rc = put_activation(lower, own->activation, param, text, err);
	return rc ? rc : lower_text(lower, text, err);
}

static enum err_code lower_gemm(struct lower *lower, struct err *err)
{
	const struct fused_attrs *own = lower->attrs;
	char text[TEXT_MAX];
	enum err_code rc;

	(void)snprintf(text, TEXT_MAX,
		       "c = Gemm<alpha=@alpha, beta=@beta, transA=@transA, "
		       "transB=@transB>(x0, x1%s)\n",
		       has(lower, 2) ? ", x2" : "");
	rc = put_activation(lower, own->activation, own->params, text, err);
	return rc ? rc : lower_text(lower, text, err);
}

/* ---- the table ----------------------------------------------------------- */

/* clang-format off */
#define AT(member) .offset = offsetof(struct fused_attrs, member)
static const struct op_attr alpha_attrs[] = {
	{ .name = "alpha", .help = "factor of the sigmoid's operand", AT(alpha),
	  .kind = ATTR_FLOAT, .def = 1.702 },
	{ 0 },
};
static const struct op_attr swiglu_attrs[] = {
	{ .name = "alpha", .help = "factor of the sigmoid's operand", AT(alpha),
	  .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};
static const struct op_attr product_attrs[] = {
	{ .name = "alpha", .help = "factor of the product", AT(alpha), .kind = ATTR_FLOAT,
	  .def = 1 },
	{ .name = "transA", .help = "1: swaps the last two axes of A", AT(trans_a),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "transB", .help = "1: swaps the last two axes of B", AT(trans_b),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "transBatchA", .help = "1 is not supported", AT(batch_a),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "transBatchB", .help = "1 is not supported", AT(batch_b),
	  .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
static const struct op_attr gemm_attrs[] = {
	{ .name = "activation", .help = "what follows", AT(activation), .kind = ATTR_STRING },
	{ .name = "activation_alpha", .help = "its first parameter", AT(params[0]),
	  .kind = ATTR_FLOAT, .def = (double)NAN },
	{ .name = "activation_beta", .help = "its second parameter", AT(params[1]),
	  .kind = ATTR_FLOAT, .def = (double)NAN },
	{ .name = "activation_gamma", .help = "its third parameter", AT(params[2]),
	  .kind = ATTR_FLOAT, .def = (double)NAN },
	{ .name = "alpha", .help = "factor of the product", AT(alpha), .kind = ATTR_FLOAT,
	  .def = 1 },
	{ .name = "beta", .help = "factor of C", AT(beta), .kind = ATTR_FLOAT, .def = 1 },
	{ .name = "transA", .help = "not 0: A is transposed", AT(trans_a), .kind = ATTR_INT },
	{ .name = "transB", .help = "not 0: B is transposed", AT(trans_b), .kind = ATTR_INT },
	{ 0 },
};
static const struct op_attr skip_attrs[] = {
	{ .name = "epsilon", .help = "added to the variance", AT(epsilon), .kind = ATTR_FLOAT,
	  .max = 1e30, .def = 1e-12 },
	{ 0 },
};
static const struct op_attr simplified_attrs[] = {
	{ .name = "axis", .help = "the first axis of a row", AT(axis), .kind = ATTR_INT,
	  .def = -1 },
	{ .name = "epsilon", .help = "added to the mean of squares", AT(epsilon),
	  .kind = ATTR_FLOAT, .max = 1e30, .def = 1e-5 },
	{ .name = "stash_type", .help = "the type that the mean is made in", AT(stash_type),
	  .kind = ATTR_INT, .def = 1 },
	{ 0 },
};
#undef AT
#define AT(member) .offset = offsetof(struct fused_conv_attrs, member)
static const struct op_attr conv_attrs[] = {
	{ .name = "activation", .help = "what follows", AT(activation), .kind = ATTR_STRING },
	{ .name = "activation_params", .help = "its parameters", AT(params),
	  .kind = ATTR_FLOATS },
	{ .name = "auto_pad", .help = "as Conv has it", AT(auto_pad), .kind = ATTR_STRING,
	  .def_text = "NOTSET" },
	{ .name = "dilations", .help = "as Conv has it", AT(dilations), .kind = ATTR_INTS },
	{ .name = "group", .help = "as Conv has it", AT(group), .kind = ATTR_INT, .def = 1 },
	{ .name = "kernel_shape", .help = "as Conv has it", AT(kernel_shape),
	  .kind = ATTR_INTS },
	{ .name = "pads", .help = "as Conv has it", AT(pads), .kind = ATTR_INTS },
	{ .name = "strides", .help = "as Conv has it", AT(strides), .kind = ATTR_INTS },
	{ 0 },
};
#undef AT

#define ALWAYS .from = 1, .to = UINT16_MAX
#define FUSED .attrs_size = sizeof(struct fused_attrs)

const struct spelling spellings_fused[] = {
	{ .domain = "", .name = "SimplifiedLayerNormalization", ALWAYS,
	  .lower = lower_simplified, .attrs = simplified_attrs, FUSED },
	{ .domain = "", .name = "SwiGLU", .from = 28, .to = UINT16_MAX,
	  .text = "y0 = Mul(Swish<alpha=@alpha>(x0), x1)", .attrs = swiglu_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "BiasAdd", ALWAYS,
	  .text = "y0 = Add(Add(x0, x1), x2)" },
	{ .domain = "com.microsoft", .name = "BiasGelu", ALWAYS,
	  .text = "y0 = Gelu(Add(x0, x1))" },
	{ .domain = "com.microsoft", .name = "BiasSplitGelu", ALWAYS,
	  .text = "l, r = Split<axis=2, num_outputs=2>(Add(x0, x1)); y0 = Mul(l, Gelu(r))" },
	{ .domain = "com.microsoft", .name = "FastGelu", ALWAYS, .lower = lower_fast_gelu },
	{ .domain = "com.microsoft", .name = "FusedConv", ALWAYS, .lower = lower_conv,
	  .attrs = conv_attrs, .attrs_size = sizeof(struct fused_conv_attrs) },
	{ .domain = "com.microsoft", .name = "FusedGemm", ALWAYS, .lower = lower_gemm,
	  .attrs = gemm_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "FusedMatMul", ALWAYS, .lower = lower_product,
	  .attrs = product_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "Gelu", ALWAYS, .text = "y0 = Gelu(x0)" },
	{ .domain = "com.microsoft", .name = "QuickGelu", ALWAYS,
	  .text = "y0 = Swish<alpha=@alpha>(x0)", .attrs = alpha_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "SkipLayerNormalization", ALWAYS,
	  .lower = lower_skip_layer, .attrs = skip_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "SkipSimplifiedLayerNormalization", ALWAYS,
	  .lower = lower_skip_simplified, .attrs = skip_attrs, FUSED },
	{ .domain = "com.microsoft", .name = "TransposeMatMul", ALWAYS, .lower = lower_product,
	  .attrs = product_attrs, FUSED },
	{ 0 },
};
/* clang-format on */
