/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Functions of one operand, element by element: Abs, Ceil, Erf, Exp, Floor,
 * Log, Neg, Reciprocal, Round, Sign, Sqrt. Their formulas are those of C; the
 * loops stand in engine/kernels/loops_float_typed.h.
 */
#include "engine/ops/elementwise.h"

/* Port names are ONNX's, which differ from operator to operator. */
static const struct port x_number[] = { { "X", "T:arith", 0 }, { 0 } };
static const struct port x_float[] = { { "X", "T:floats", 0 }, { 0 } };
static const struct port y[] = { { "Y", "T", 0 }, { 0 } };
static const struct port input_number[] = { { "input", "T:arith", 0 }, { 0 } };
static const struct port input_float[] = { { "input", "T:floats", 0 }, { 0 } };
static const struct port output[] = { { "output", "T", 0 }, { 0 } };

static const struct op_case abs_cases[] = {
	{ .name = "matrix", .graph = "y = Abs(x:float[3,7])", .kink = 0.05 },
	{ .name = "int64", .graph = "y = Abs(x:int64[3]={-3,0,4})" },
	{ .name = "uint64", .graph = "y = Abs(x:uint64[3])" },
	{ .name = "nothing", .graph = "y = Abs(x:float[0])" },
	{ 0 },
};

static const struct op_case ceil_cases[] = {
	{ .name = "vector",
	  .graph = "y = Ceil(x:float[5]={-1.5,-0.5,0,0.5,2})" },
	{ .name = "matrix", .graph = "y = Ceil(x:float[5,7])" },
	{ 0 },
};

static const struct op_case erf_cases[] = {
	{ .name = "matrix", .graph = "y = Erf(x:float[3,7])" },
	{ .name = "far out", .graph = "y = Erf(x:float[4]={-9,-0.01,0.01,9})" },
	{ 0 },
};

static const struct op_case exp_cases[] = {
	{ .name = "matrix", .graph = "y = Exp(x:float[3,7])" },
	{ .name = "far out", .graph = "y = Exp(x:float[4]={-200,-90,0,80})" },
	{ .name = "nothing", .graph = "y = Exp(x:float[2,0])" },
	{ 0 },
};

static const struct op_case floor_cases[] = {
	{ .name = "vector",
	  .graph = "y = Floor(x:float[5]={-1.5,-0.5,0,0.5,2})" },
	{ .name = "matrix", .graph = "y = Floor(x:float[5,7])" },
	{ 0 },
};

static const struct op_case log_cases[] = {
	{ .name = "positive", .graph = "y = Log(Exp(x:float[3,7]))" },
	{ .name = "far out",
	  .graph = "y = Log(x:float[4]={1e-30,0.5,1,1e30})" },
	{ .name = "borders", .graph = "y = Log(x:float[2]={0,-1})" },
	{ 0 },
};

static const struct op_case neg_cases[] = {
	{ .name = "matrix", .graph = "y = Neg(x:float[3,7])" },
	{ .name = "int32", .graph = "y = Neg(x:int32[2]={-2147483648,5})" },
	{ .name = "scalar", .graph = "y = Neg(x:float[])" },
	{ 0 },
};

static const struct op_case reciprocal_cases[] = {
	{ .name = "matrix",
	  .graph = "y = Reciprocal(x:float[3,7])",
	  .kink = 0.3 },
	{ 0 },
};

static const struct op_case round_cases[] = {
	{ .name = "halves",
	  .graph = "y = Round(x:float[6]={-2.5,-1.5,-0.5,0.5,1.5,2.5})" },
	{ .name = "matrix", .graph = "y = Round(x:float[5,7])" },
	{ 0 },
};

static const struct op_case sign_cases[] = {
	{ .name = "matrix", .graph = "y = Sign(x:float[3,7])" },
	{ .name = "int64", .graph = "y = Sign(x:int64[3]={-3,0,4})" },
	{ .name = "uint64", .graph = "y = Sign(x:uint64[3])" },
	{ 0 },
};

static const struct op_case sqrt_cases[] = {
	{ .name = "positive", .graph = "y = Sqrt(Exp(x:float[3,7]))" },
	{ .name = "borders", .graph = "y = Sqrt(x:float[2]={0,4})" },
	{ 0 },
};

extern const struct op op_abs, op_ceil, op_erf, op_exp, op_floor, op_log,
    op_neg, op_reciprocal, op_round, op_sign, op_sqrt;

const struct op op_abs = {
	.domain = "",
	.name = "Abs",
	.help = "|X|",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = x_number,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = Mul(dY, Sign(X))",
	.cases = abs_cases,
};

const struct op op_ceil = {
	.domain = "",
	.name = "Ceil",
	.help = "the least whole number not below X",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO | OP_NO_GRADIENT,
	.in = x_float,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = ceil_cases,
};

const struct op op_erf = {
	.domain = "",
	.name = "Erf",
	.help = "the error function",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = input_float,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, Mul(Exp(Neg(Mul(input, input))), "
		"1.1283791670955126))",
	.cases = erf_cases,
};

const struct op op_exp = {
	.domain = "",
	.name = "Exp",
	.help = "e to the power of X",
	.since = 6,
	.in = input_float,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Mul(doutput, output)",
	.cases = exp_cases,
};

const struct op op_floor = {
	.domain = "",
	.name = "Floor",
	.help = "the greatest whole number not above X",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO | OP_NO_GRADIENT,
	.in = x_float,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = floor_cases,
};

const struct op op_log = {
	.domain = "",
	.name = "Log",
	.help = "the natural logarithm",
	.since = 6,
	.in = input_float,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dinput = Div(doutput, input)",
	.cases = log_cases,
};

const struct op op_neg = {
	.domain = "",
	.name = "Neg",
	.help = "-X",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = x_number,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = Neg(dY)",
	.cases = neg_cases,
};

const struct op op_reciprocal = {
	.domain = "",
	.name = "Reciprocal",
	.help = "1 / X",
	.since = 6,
	.in = x_float,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = Neg(Mul(dY, Mul(Y, Y)))",
	.cases = reciprocal_cases,
};

const struct op op_round = {
	.domain = "",
	.name = "Round",
	.help = "the nearest whole number, halves to even",
	.since = 11,
	.flags = OP_ZERO_STAYS_ZERO | OP_NO_GRADIENT,
	.in = x_float,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = round_cases,
};

const struct op op_sign = {
	.domain = "",
	.name = "Sign",
	.help = "-1, 0 or 1",
	.since = 9,
	.flags = OP_ZERO_STAYS_ZERO | OP_NO_GRADIENT,
	.in = input_number,
	.out = output,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = sign_cases,
};

const struct op op_sqrt = {
	.domain = "",
	.name = "Sqrt",
	.help = "the square root",
	.since = 6,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = x_float,
	.out = y,
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.grad = "dX = Div(Mul(dY, 0.5), Y)",
	.cases = sqrt_cases,
};
