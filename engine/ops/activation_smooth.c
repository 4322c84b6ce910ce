/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Smooth activations, most of them X times a gate.
 *
 *   Softplus   log(1 + exp(x))
 *   Softsign   x / (1 + |x|)
 *   Swish      x sigmoid(alpha x)
 *   Mish       x tanh(softplus(x))
 *   HardSwish  x between 0 and 1 of x / 6 + 1 / 2
 *   Gelu       x Phi(x): by erf, or by Hendrycks and Gimpel's tanh (2016)
 *
 * Formulas are those of the ONNX operator documents.
 */
#include <string.h>

#include "engine/ops/activation.h"

static const struct port input_float[] = { { "input", "T:floats", 0 }, { 0 } };
static const struct port output[] = { { "output", "T", 0 }, { 0 } };

struct gelu_attrs {
	const char *approximate;
};
static const struct op_attr gelu_attr_rows[] = {
	{ .name = "approximate",
	  .help = "\"none\" or \"tanh\"",
	  .offset = offsetof(struct gelu_attrs, approximate),
	  .kind = ATTR_STRING,
	  .def_text = "none" },
	{ 0 },
};

static enum err_code infer_gelu(struct infer *infer, struct err *err)
{
	const struct gelu_attrs *attrs = infer->attrs;

	if (strcmp(attrs->approximate, "none") != 0 &&
	    strcmp(attrs->approximate, "tanh") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'approximate': expected \"none\" or "
			       "\"tanh\", got \"%s\"",
			       attrs->approximate);
	return infer_same(infer, err);
}

struct swish_attrs {
	double alpha;
};
static const struct op_attr swish_attr_rows[] = {
	{ .name = "alpha",
	  .help = "steepness of the gate",
	  .offset = offsetof(struct swish_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 1.0 },
	{ 0 },
};

static const struct op_case gelu_cases[] = {
	{ .name = "matrix", .graph = "y = Gelu(x:float[5,13])" },
	{ .name = "tanh",
	  .graph = "y = Gelu<approximate=\"tanh\">(x:float[17])" },
	{ .name = "unknown",
	  .graph = "y = Gelu<approximate=\"fast\">(x:float[2])",
	  .want = ERR_INVALID },
	{ .name = "far out",
	  .graph = "y = Gelu(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Gelu(x:float[0,2])" },
	{ 0 },
};

static const struct op_case hard_swish_cases[] = {
	{ .name = "matrix", .graph = "y = HardSwish(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = HardSwish(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = HardSwish(x:float[0,2])" },
	{ 0 },
};

static const struct op_case mish_cases[] = {
	{ .name = "matrix", .graph = "y = Mish(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = Mish(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Mish(x:float[0,2])" },
	{ 0 },
};

static const struct op_case softplus_cases[] = {
	{ .name = "matrix", .graph = "y = Softplus(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = Softplus(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Softplus(x:float[0,2])" },
	{ 0 },
};

static const struct op_case softsign_cases[] = {
	{ .name = "matrix", .graph = "y = Softsign(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = Softsign(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Softsign(x:float[0,2])" },
	{ 0 },
};

static const struct op_case swish_cases[] = {
	{ .name = "matrix", .graph = "y = Swish(x:float[5,13])" },
	{ .name = "steep", .graph = "y = Swish<alpha=1.702>(x:float[17])" },
	{ .name = "far out",
	  .graph = "y = Swish(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Swish(x:float[0,2])" },
	{ 0 },
};

extern const struct op op_gelu, op_hard_swish, op_mish, op_softplus,
    op_softsign, op_swish;
extern const struct op op_gelu_grad, op_hard_swish_grad, op_mish_grad,
    op_softplus_grad, op_softsign_grad, op_swish_grad;

const struct op op_gelu = {
	.domain = "",
	.name = "Gelu",
	.help = "X times the normal distribution of X",
	.since = 20,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = gelu_attr_rows,
	.attrs_size = sizeof(struct gelu_attrs),
	.infer = infer_gelu,
	.kernels = elementwise_kernels,
	.grad = "dX = GeluGrad<approximate=@approximate>(dY, X)",
	.cases = gelu_cases,
};

const struct op op_hard_swish = {
	.domain = "",
	.name = "HardSwish",
	.help = "X times X / 6 + 1 / 2, which stays between 0 and 1",
	.since = 14,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = HardSwishGrad(dY, X)",
	.cases = hard_swish_cases,
};

const struct op op_mish = {
	.domain = "",
	.name = "Mish",
	.help = "X tanh(log(1 + exp(X)))",
	.since = 18,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = MishGrad(dY, X)",
	.cases = mish_cases,
};

const struct op op_softplus = {
	.domain = "",
	.name = "Softplus",
	.help = "log(1 + exp(X))",
	.since = 1,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = SoftplusGrad(dY, X)",
	.cases = softplus_cases,
};

const struct op op_softsign = {
	.domain = "",
	.name = "Softsign",
	.help = "X / (1 + |X|)",
	.since = 1,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input_float,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = SoftsignGrad(doutput, input)",
	.cases = softsign_cases,
};

const struct op op_swish = {
	.domain = "",
	.name = "Swish",
	.help = "X sigmoid(alpha X)",
	.since = 24,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = swish_attr_rows,
	.attrs_size = sizeof(struct swish_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = SwishGrad<alpha=@alpha>(dY, X)",
	.cases = swish_cases,
};

const struct op op_gelu_grad =
    ACTIVATION_GRAD_ROW("GeluGrad", "Gelu", "operand", gelu_attr_rows,
			sizeof(struct gelu_attrs), "");

const struct op op_hard_swish_grad =
    ACTIVATION_GRAD_ROW("HardSwishGrad", "HardSwish", "operand", NULL, 0, "");

const struct op op_mish_grad =
    ACTIVATION_GRAD_ROW("MishGrad", "Mish", "operand", NULL, 0, "");

const struct op op_softplus_grad =
    ACTIVATION_GRAD_ROW("SoftplusGrad", "Softplus", "operand", NULL, 0, "");

const struct op op_softsign_grad =
    ACTIVATION_GRAD_ROW("SoftsignGrad", "Softsign", "operand", NULL, 0, "");

const struct op op_swish_grad =
    ACTIVATION_GRAD_ROW("SwishGrad", "Swish", "operand", swish_attr_rows,
			sizeof(struct swish_attrs), "<alpha=0.5>");
