/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Activations with a bend: lines, or an exponential below zero.
 *
 *   Elu              x < 0 ? alpha (exp(x) - 1) : x
 *   Celu             x < 0 ? alpha (exp(x / alpha) - 1) : x
 *   Selu             gamma times Elu of alpha
 *   HardSigmoid      alpha x + beta between 0 and 1
 *   ThresholdedRelu  x > alpha ? x : 0
 *   Shrink           x - bias above lambd, x + bias below -lambd, else 0
 *
 * Formulas are those of the ONNX operator documents.
 */
#include "engine/ops/activation.h"

static const struct port input_float[] = { { "input", "T:floats", 0 }, { 0 } };
static const struct port output[] = { { "output", "T", 0 }, { 0 } };

struct elu_attrs {
	double alpha;
};
static const struct op_attr elu_attr_rows[] = {
	{ .name = "alpha",
	  .help = "what it falls to",
	  .offset = offsetof(struct elu_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 1.0 },
	{ 0 },
};

struct celu_attrs {
	double alpha;
};
static const struct op_attr celu_attr_rows[] = {
	{ .name = "alpha",
	  .help = "what it falls to",
	  .offset = offsetof(struct celu_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 1.0 },
	{ 0 },
};

struct selu_attrs {
	double alpha, gamma;
};
static const struct op_attr selu_attr_rows[] = {
	{ .name = "alpha",
	  .help = "what it falls to, before gamma",
	  .offset = offsetof(struct selu_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 1.67326319217681884765625 },
	{ .name = "gamma",
	  .help = "scale",
	  .offset = offsetof(struct selu_attrs, gamma),
	  .kind = ATTR_FLOAT,
	  .def = 1.05070102214813232421875 },
	{ 0 },
};

struct hard_sigmoid_attrs {
	double alpha, beta;
};
static const struct op_attr hard_sigmoid_attr_rows[] = {
	{ .name = "alpha",
	  .help = "slope",
	  .offset = offsetof(struct hard_sigmoid_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 0.2 },
	{ .name = "beta",
	  .help = "value at zero",
	  .offset = offsetof(struct hard_sigmoid_attrs, beta),
	  .kind = ATTR_FLOAT,
	  .def = 0.5 },
	{ 0 },
};

struct thresholded_relu_attrs {
	double alpha;
};
static const struct op_attr thresholded_relu_attr_rows[] = {
	{ .name = "alpha",
	  .help = "threshold",
	  .offset = offsetof(struct thresholded_relu_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 1.0 },
	{ 0 },
};

struct shrink_attrs {
	double bias, lambd;
};
static const struct op_attr shrink_attr_rows[] = {
	{ .name = "bias",
	  .help = "how far it moves",
	  .offset = offsetof(struct shrink_attrs, bias),
	  .kind = ATTR_FLOAT,
	  .def = 0.0 },
	{ .name = "lambd",
	  .help = "where 0 ends",
	  .offset = offsetof(struct shrink_attrs, lambd),
	  .kind = ATTR_FLOAT,
	  .def = 0.5 },
	{ 0 },
};

static const struct op_case elu_cases[] = {
	{ .name = "matrix", .graph = "y = Elu(x:float[5,13])", .kink = 0.05 },
	{ .name = "steep",
	  .graph = "y = Elu<alpha=2.5>(x:float[17])",
	  .kink = 0.05 },
	{ .name = "far out",
	  .graph = "y = Elu(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Elu(x:float[0,2])" },
	{ 0 },
};

static const struct op_case celu_cases[] = {
	{ .name = "matrix", .graph = "y = Celu(x:float[5,13])", .kink = 0.05 },
	{ .name = "steep",
	  .graph = "y = Celu<alpha=2.5>(x:float[17])",
	  .kink = 0.05 },
	{ .name = "far out",
	  .graph = "y = Celu(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Celu(x:float[0,2])" },
	{ 0 },
};

static const struct op_case selu_cases[] = {
	{ .name = "matrix", .graph = "y = Selu(x:float[5,13])", .kink = 0.05 },
	{ .name = "other constants",
	  .graph = "y = Selu<alpha=2.0, gamma=0.5>(x:float[17])",
	  .kink = 0.05 },
	{ .name = "far out",
	  .graph = "y = Selu(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Selu(x:float[0,2])" },
	{ 0 },
};

static const struct op_case hard_sigmoid_cases[] = {
	{ .name = "matrix", .graph = "y = HardSigmoid(x:float[5,13])" },
	{ .name = "steep",
	  .graph = "y = HardSigmoid<alpha=2.0, beta=0.25>(x:float[17])" },
	{ .name = "far out",
	  .graph = "y = HardSigmoid(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = HardSigmoid(x:float[0,2])" },
	{ 0 },
};

static const struct op_case thresholded_relu_cases[] = {
	{ .name = "matrix", .graph = "y = ThresholdedRelu(x:float[5,13])" },
	{ .name = "low",
	  .graph = "y = ThresholdedRelu<alpha=-0.5>(x:float[17])" },
	{ .name = "far out",
	  .graph = "y = ThresholdedRelu(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = ThresholdedRelu(x:float[0,2])" },
	{ 0 },
};

static const struct op_case shrink_cases[] = {
	{ .name = "matrix", .graph = "y = Shrink(x:float[5,13])" },
	{ .name = "soft",
	  .graph = "y = Shrink<bias=0.7, lambd=0.7>(x:float[17])" },
	{ .name = "far out",
	  .graph = "y = Shrink(x:float[6]={-200,-20,-1,1,20,200})" },
	{ .name = "nothing", .graph = "y = Shrink(x:float[0,2])" },
	{ 0 },
};

extern const struct op op_elu, op_celu, op_selu, op_hard_sigmoid,
    op_thresholded_relu, op_shrink;
extern const struct op op_elu_grad, op_celu_grad, op_selu_grad,
    op_hard_sigmoid_grad, op_thresholded_relu_grad, op_shrink_grad;

const struct op op_elu = {
	.domain = "",
	.name = "Elu",
	.help = "X, or alpha (exp(X) - 1) below zero",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = elu_attr_rows,
	.attrs_size = sizeof(struct elu_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = EluGrad<alpha=@alpha>(dY, Y)",
	.cases = elu_cases,
};

const struct op op_celu = {
	.domain = "",
	.name = "Celu",
	.help = "X, or alpha (exp(X / alpha) - 1) below zero",
	.since = 12,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = celu_attr_rows,
	.attrs_size = sizeof(struct celu_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = CeluGrad<alpha=@alpha>(dY, Y)",
	.cases = celu_cases,
};

const struct op op_selu = {
	.domain = "",
	.name = "Selu",
	.help = "gamma times X, or alpha (exp(X) - 1) below zero",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = selu_attr_rows,
	.attrs_size = sizeof(struct selu_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = SeluGrad<alpha=@alpha, gamma=@gamma>(dY, Y)",
	.cases = selu_cases,
};

const struct op op_hard_sigmoid = {
	.domain = "",
	.name = "HardSigmoid",
	.help = "alpha X + beta, between 0 and 1",
	.since = 6,
	.in = activation_in,
	.out = activation_out,
	.attrs = hard_sigmoid_attr_rows,
	.attrs_size = sizeof(struct hard_sigmoid_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = HardSigmoidGrad<alpha=@alpha, beta=@beta>(dY, Y)",
	.cases = hard_sigmoid_cases,
};

const struct op op_thresholded_relu = {
	.domain = "",
	.name = "ThresholdedRelu",
	.help = "X where it is above alpha, else 0",
	.since = 10,
	.in = activation_in,
	.out = activation_out,
	.attrs = thresholded_relu_attr_rows,
	.attrs_size = sizeof(struct thresholded_relu_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = ThresholdedReluGrad<alpha=@alpha>(dY, X)",
	.cases = thresholded_relu_cases,
};

const struct op op_shrink = {
	.domain = "",
	.name = "Shrink",
	.help = "X moved towards zero by bias, and 0 between -lambd and lambd",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input_float,
	.out = output,
	.attrs = shrink_attr_rows,
	.attrs_size = sizeof(struct shrink_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = ShrinkGrad<bias=@bias, lambd=@lambd>(doutput, input)",
	.cases = shrink_cases,
};

const struct op op_elu_grad =
    ACTIVATION_GRAD_ROW("EluGrad", "Elu", "result", elu_attr_rows,
			sizeof(struct elu_attrs), "<alpha=0.5>");

const struct op op_celu_grad =
    ACTIVATION_GRAD_ROW("CeluGrad", "Celu", "result", celu_attr_rows,
			sizeof(struct celu_attrs), "<alpha=0.5>");

const struct op op_selu_grad =
    ACTIVATION_GRAD_ROW("SeluGrad", "Selu", "result", selu_attr_rows,
			sizeof(struct selu_attrs), "");

const struct op op_hard_sigmoid_grad = ACTIVATION_GRAD_ROW(
    "HardSigmoidGrad", "HardSigmoid", "result", hard_sigmoid_attr_rows,
    sizeof(struct hard_sigmoid_attrs), "");

const struct op op_thresholded_relu_grad = ACTIVATION_GRAD_ROW(
    "ThresholdedReluGrad", "ThresholdedRelu", "operand",
    thresholded_relu_attr_rows, sizeof(struct thresholded_relu_attrs), "");

const struct op op_shrink_grad =
    ACTIVATION_GRAD_ROW("ShrinkGrad", "Shrink", "operand", shrink_attr_rows,
			sizeof(struct shrink_attrs), "");
