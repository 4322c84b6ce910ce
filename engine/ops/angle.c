/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Angles, their functions, and the hyperbolic ones: libm's, element by
 * element; Tanh is an activation.
 */
#include "engine/ops/elementwise.h"

static const struct port input[] = { { "input", "T:floats", 0 }, { 0 } };
static const struct port output[] = { { "output", "T", 0 }, { 0 } };

#define ANGLE_CASES(op, call)                                                 \
	(const struct op_case[])                                              \
	{                                                                     \
		{ .name = "matrix", .graph = "y = " call },                   \
		    { .name = "nothing", .graph = "y = " op "(x:float[0])" }, \
		    { .name = "integers",                                     \
		      .graph = "y = " op "(x:int32[2])",                      \
		      .want = ERR_INVALID },                                  \
		    { 0 },                                                    \
	}

extern const struct op op_acos, op_acosh, op_asin, op_asinh, op_atan, op_atanh,
    op_cos, op_cosh, op_sin, op_sinh, op_tan;

const struct op op_acos = {
	.domain = "",
	.name = "Acos",
	.help = "the angle of a cosine",
	.since = 7,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Neg(Div(doutput, Sqrt(Sub(1, Mul(input, input)))))",
	.cases = ANGLE_CASES("Acos", "Acos(Tanh(x:float[3,7]))"),
};

const struct op op_acosh = {
	.domain = "",
	.name = "Acosh",
	.help = "the number of a hyperbolic cosine",
	.since = 9,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, Sqrt(Sub(Mul(input, input), 1)))",
	.cases = ANGLE_CASES("Acosh", "Acosh(Add(Exp(x:float[3,7]), 1))"),
};

const struct op op_asin = {
	.domain = "",
	.name = "Asin",
	.help = "the angle of a sine",
	.since = 7,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, Sqrt(Sub(1, Mul(input, input))))",
	.cases = ANGLE_CASES("Asin", "Asin(Tanh(x:float[3,7]))"),
};

const struct op op_asinh = {
	.domain = "",
	.name = "Asinh",
	.help = "the number of a hyperbolic sine",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, Sqrt(Add(Mul(input, input), 1)))",
	.cases = ANGLE_CASES("Asinh", "Asinh(x:float[3,7])"),
};

const struct op op_atan = {
	.domain = "",
	.name = "Atan",
	.help = "the angle of a tangent",
	.since = 7,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, Add(Mul(input, input), 1))",
	.cases = ANGLE_CASES("Atan", "Atan(x:float[3,7])"),
};

const struct op op_atanh = {
	.domain = "",
	.name = "Atanh",
	.help = "the number of a hyperbolic tangent",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, Sub(1, Mul(input, input)))",
	.cases = ANGLE_CASES("Atanh", "Atanh(Tanh(x:float[3,7]))"),
};

const struct op op_cos = {
	.domain = "",
	.name = "Cos",
	.help = "the cosine",
	.since = 7,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Neg(Mul(doutput, Sin(input)))",
	.cases = ANGLE_CASES("Cos", "Cos(x:float[3,7])"),
};

const struct op op_cosh = {
	.domain = "",
	.name = "Cosh",
	.help = "the hyperbolic cosine",
	.since = 9,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, Sinh(input))",
	.cases = ANGLE_CASES("Cosh", "Cosh(x:float[3,7])"),
};

const struct op op_sin = {
	.domain = "",
	.name = "Sin",
	.help = "the sine",
	.since = 7,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, Cos(input))",
	.cases = ANGLE_CASES("Sin", "Sin(x:float[3,7])"),
};

const struct op op_sinh = {
	.domain = "",
	.name = "Sinh",
	.help = "the hyperbolic sine",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, Cosh(input))",
	.cases = ANGLE_CASES("Sinh", "Sinh(x:float[3,7])"),
};

const struct op op_tan = {
	.domain = "",
	.name = "Tan",
	.help = "the tangent",
	.since = 7,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, Add(Mul(output, output), 1))",
	.cases = ANGLE_CASES("Tan", "Tan(Mul(x:float[3,7], 0.3))"),
};
