/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Activations of one operand, and the gradients that read the cheapest value.
 *
 *   Relu       max(0, x)             dx = dy where y > 0
 *   LeakyRelu  x < 0 ? alpha x : x   dx = dy times alpha or 1
 *   Sigmoid    1 / (1 + exp(-x))     dx = dy y (1 - y)
 *   Tanh       tanh(x)               dx = dy (1 - y^2)
 *
 * The gradients are operators of their own (domain predictd), one pass each.
 */
#include "engine/ops/activation.h"

const struct port activation_in[] = {
	{ "X", "T:floats", 0 },
	{ 0 },
};
const struct port activation_out[] = {
	{ "Y", "T", 0 },
	{ 0 },
};
const struct port activation_grad_in[] = {
	{ "dY", "T:floats", 0 },
	{ "V", "T", 0 },
	{ 0 },
};
const struct port activation_grad_out[] = {
	{ "dX", "T", 0 },
	{ 0 },
};

enum err_code activation_infer_grad(struct infer *infer, struct err *err)
{
	const struct fact *in = infer->in;
	char want[64], got[64];

	if (!shape_equal(&in[0].shape, &in[1].shape))
		return infer_fail(
		    err, "input 'V': expected shape %s of 'dY', got %s",
		    shape_text(&in[0].shape, want, sizeof(want)),
		    shape_text(&in[1].shape, got, sizeof(got)));
	return infer_same(infer, err);
}

struct leaky_relu_attrs {
	double alpha;
};
static const struct op_attr leaky_relu_attr_rows[] = {
	{ .name = "alpha",
	  .help = "slope below zero",
	  .offset = offsetof(struct leaky_relu_attrs, alpha),
	  .kind = ATTR_FLOAT,
	  .def = 0.01 },
	{ 0 },
};

static const struct op_case relu_cases[] = {
	{ .name = "vector", .graph = "y = Relu(x:float[7])", .kink = 0.05 },
	{ .name = "image",
	  .graph = "y = Relu(x:float[2,3,4,5])",
	  .kink = 0.05 },
	{ .name = "scalar", .graph = "y = Relu(x:float[])", .kink = 0.05 },
	{ .name = "nothing", .graph = "y = Relu(x:float[3,0])" },
	{ .name = "long", .graph = "y = Relu(x:float[1031])", .kink = 0.05 },
	{ .name = "integers",
	  .graph = "y = Relu(x:int32[3])",
	  .want = ERR_INVALID },
	{ 0 },
};

static const struct op_case leaky_relu_cases[] = {
	{ .name = "default",
	  .graph = "y = LeakyRelu(x:float[3,7])",
	  .kink = 0.05 },
	{ .name = "steep",
	  .graph = "y = LeakyRelu<alpha=0.5>(x:float[3,7])",
	  .kink = 0.05 },
	{ .name = "nothing", .graph = "y = LeakyRelu(x:float[0])" },
	{ 0 },
};

static const struct op_case sigmoid_cases[] = {
	{ .name = "matrix", .graph = "y = Sigmoid(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = Sigmoid(x:float[6]={-200,-50,-1,1,50,200})" },
	{ .name = "nothing", .graph = "y = Sigmoid(x:float[0,2])" },
	{ 0 },
};

static const struct op_case tanh_cases[] = {
	{ .name = "matrix", .graph = "y = Tanh(x:float[5,13])" },
	{ .name = "far out",
	  .graph = "y = Tanh(x:float[6]={-200,-9,-0.001,0.001,9,200})" },
	{ .name = "nothing", .graph = "y = Tanh(x:float[0,2])" },
	{ 0 },
};

extern const struct op op_relu, op_leaky_relu, op_sigmoid, op_tanh;
extern const struct op op_relu_grad, op_leaky_relu_grad, op_sigmoid_grad,
    op_tanh_grad;

const struct op op_relu = {
	.domain = "",
	.name = "Relu",
	.help = "max(0, X), element by element",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = ReluGrad(dY, Y)",
	.cases = relu_cases,
};

const struct op op_leaky_relu = {
	.domain = "",
	.name = "LeakyRelu",
	.help = "X, or alpha X below zero",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.attrs = leaky_relu_attr_rows,
	.attrs_size = sizeof(struct leaky_relu_attrs),
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = LeakyReluGrad<alpha=@alpha>(dY, X)",
	.cases = leaky_relu_cases,
};

const struct op op_sigmoid = {
	.domain = "",
	.name = "Sigmoid",
	.help = "1 / (1 + exp(-X)), element by element",
	.since = 6,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = SigmoidGrad(dY, Y)",
	.cases = sigmoid_cases,
};

const struct op op_tanh = {
	.domain = "",
	.name = "Tanh",
	.help = "hyperbolic tangent, element by element",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = activation_in,
	.out = activation_out,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = TanhGrad(dY, Y)",
	.cases = tanh_cases,
};

const struct op op_relu_grad =
    ACTIVATION_GRAD_ROW("ReluGrad", "Relu", "result", NULL, 0, "");

const struct op op_leaky_relu_grad = ACTIVATION_GRAD_ROW(
    "LeakyReluGrad", "LeakyRelu", "operand", leaky_relu_attr_rows,
    sizeof(struct leaky_relu_attrs), "<alpha=0.5>");

const struct op op_sigmoid_grad =
    ACTIVATION_GRAD_ROW("SigmoidGrad", "Sigmoid", "result", NULL, 0, "");

const struct op op_tanh_grad =
    ACTIVATION_GRAD_ROW("TanhGrad", "Tanh", "result", NULL, 0, "");

/* PRelu: the slope below zero is an operand, which broadcasts to X. */

static enum err_code infer_prelu(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	const struct shape *slope = &infer->in[1].shape;
	char want[64], got[64];
	struct shape both;

	if (shape_broadcast(x, slope, &both, NULL) != ERR_NONE ||
	    !shape_equal(&both, x))
		return infer_fail(
		    err,
		    "input 'slope': expected a shape that broadcasts to "
		    "%s of 'X', got %s",
		    shape_text(x, want, sizeof(want)),
		    shape_text(slope, got, sizeof(got)));
	return infer_same(infer, err);
}

static const struct op_case prelu_cases[] = {
	{ .name = "channels",
	  .graph = "y = PRelu(x:float[2,3,4], slope:float[3,1])",
	  .kink = 0.05 },
	{ .name = "one slope",
	  .graph = "y = PRelu(x:float[3,37], slope:float[1])",
	  .kink = 0.05 },
	{ .name = "a slope each",
	  .graph = "y = PRelu(x:float[3,37], slope:float[3,37])",
	  .kink = 0.05 },
	{ .name = "int64",
	  .graph = "y = PRelu(x:int64[3]={-2,0,5}, slope:int64[]={3})" },
	{ .name = "slopes that grow it",
	  .graph = "y = PRelu(x:float[3], slope:float[2,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_prelu;

const struct op op_prelu = {
	.domain = "",
	.name = "PRelu",
	.help = "X, or slope X below zero",
	.since = 7,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = (const struct port[]){ { "X", "T:arith", 0 },
				     { "slope", "T", 0 },
				     { 0 } },
	.out = activation_out,
	.infer = infer_prelu,
	.kernels = elementwise_kernels,
	.grad = "dX = Where(Less(X, 0), Mul(dY, slope), dY);"
		"dslope = SumTo(Mul(dY, Min(X, 0)), slope)",
	.cases = prelu_cases,
};
