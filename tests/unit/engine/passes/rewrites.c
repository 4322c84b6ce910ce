/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pass_check.h"

#define X "x:float[3,5]"

static const struct pass_case hards[] = {
	{ "torch, HardSigmoid", "hard_sigmoid",
	  "y = Div(Clip(Add(" X ", 3), 0, 6), 6)",
	  "y = HardSigmoid<alpha=0.16666667, beta=0.5>(" X ")" },
	{ "tf, HardSigmoid", "hard_sigmoid",
	  "y = Mul(0.16666667, Min(Max(Add(3, " X "), 0), 6))",
	  "y = HardSigmoid<alpha=0.16666667, beta=0.5>(" X ")" },
	{ "bounds the other way round", "hard_sigmoid",
	  "y = Div(Max(0, Min(Add(" X ", 3), 6)), 6)",
	  "y = HardSigmoid<alpha=0.16666667, beta=0.5>(" X ")" },
	{ "keras", "hard_sigmoid", "y = Clip(Add(Mul(" X ", 0.2), 0.5), 0, 1)",
	  "y = HardSigmoid<alpha=0.2, beta=0.5>(" X ")" },
	{ "keras, by Max and Min", "hard_sigmoid",
	  "y = Max(Min(Add(0.5, Mul(0.2, " X ")), 1), 0)",
	  "y = HardSigmoid<alpha=0.2, beta=0.5>(" X ")" },
	{ "by a row of numbers", "hard_sigmoid",
	  "y = Clip(Add(Mul(" X ", a:float[5]={1,2,3,4,5}), 0.5), 0, 1)",
	  NULL },
	{ "x by six", "hard_swish",
	  "y = Mul(Div(" X ", 6), Clip(Add(x, 3), 0, 6))",
	  "y = HardSwish(" X ")" },
	{ "a sixth of x", "hard_swish",
	  "y = Mul(Mul(" X ", 0.16666667), Max(Min(Add(x, 3), 6), 0))",
	  "y = HardSwish(" X ")" },
	{ "another slope", "hard_sigmoid",
	  "y = Div(Clip(Add(" X ", 3), 0, 6), 5)", NULL },
	{ "another bound", "hard_sigmoid",
	  "y = Div(Clip(Add(" X ", 3), 0, 5), 6)", NULL },
	{ "torch", "hard_swish",
	  "y = Div(Mul(" X ", Clip(Add(x, 3), 0, 6)), 6)",
	  "y = HardSwish(" X ")" },
	{ "HardSigmoid", "hard_swish",
	  "y = Mul(" X ", HardSigmoid<alpha=0.1666667, beta=0.5>(x))",
	  "y = HardSwish(" X ")" },
	{ "another HardSigmoid", "hard_swish",
	  "y = Mul(" X ", HardSigmoid<alpha=0.2, beta=0.5>(x))", NULL },
	{ "another factor", "hard_swish",
	  "y = Mul(z:float[3,5], "
	  "HardSigmoid<alpha=0.1666667, beta=0.5>(" X "))",
	  NULL },
	{ "in two steps", "hard_sigmoid,hard_swish",
	  "y = Mul(Div(Clip(Add(" X ", 3), 0, 6), 6), x)",
	  "y = HardSwish(" X ")" },
	{ "read elsewhere", "hard_swish",
	  "a = Clip(Add(" X ", 3), 0, 6); y = Div(Mul(x, a), 6); "
	  "return a, y",
	  NULL },
	{ "numbers of rank 1", "hard_swish",
	  "y = Div(Mul(" X ", Clip(Add(x, a:float[1]={3}), 0, 6)), "
	  "b:float[1]={6})",
	  "y = HardSwish(" X ")" },
	{ "numbers of a higher rank", "hard_swish",
	  "y = Div(Mul(" X ", Clip(Add(x, 3), 0, 6)), "
	  "b:float[1,1,1]={6})",
	  NULL },
	{ "Relu", "hard_swish",
	  "y = Mul(Mul(" X ", Min(6, Relu(Add(x, 3)))), 0.16666667)",
	  "y = HardSwish(" X ")" },
	{ 0 },
};

static const struct pass_case swishes[] = {
	{ "plain", "swish", "y = Mul(" X ", Sigmoid(x))", "y = Swish(" X ")" },
	{ "by exp", "swish", "y = Div(" X ", Add(1, Exp(Neg(x))))",
	  "y = Swish(" X ")" },
	{ "by one and exp", "swish",
	  "y = Mul(" X ", Div(1, Add(Exp(Neg(x)), 1)))", "y = Swish(" X ")" },
	{ "by the reciprocal", "swish",
	  "y = Mul(Reciprocal(Add(1, Exp(Neg(" X ")))), x)",
	  "y = Swish(" X ")" },
	{ "two and exp", "swish", "y = Div(" X ", Add(2, Exp(Neg(x))))", NULL },
	{ "steep", "swish", "y = Mul(" X ", Sigmoid(Mul(1.702, x)))",
	  "y = Swish<alpha=1.702>(" X ")" },
	{ "by an input", "swish", "y = Mul(" X ", Sigmoid(Mul(a:float[1], x)))",
	  NULL },
	{ "of something else", "swish", "y = Mul(" X ", Sigmoid(z:float[3,5]))",
	  NULL },
	{ "Mish", "mish", "y = Mul(" X ", Tanh(Softplus(x)))",
	  "y = Mish(" X ")" },
	{ "Mish by exp", "mish", "y = Mul(" X ", Tanh(Log(Add(1, Exp(x)))))",
	  "y = Mish(" X ")" },
	{ 0 },
};

#define ERF "Erf(Div(" X ", 1.4142135))"
#define CUBE "Tanh(Mul(0.7978846, Add(" X ", Mul(0.044715, Pow(x, 3)))))"

static const struct pass_case gelus[] = {
	{ "by two at the end", "gelu_erf",
	  "y = Div(Mul(" X ", Add(Erf(Div(x, 1.4142135)), 1)), 2)",
	  "y = Gelu(" X ")" },
	{ "half of x", "gelu_erf",
	  "y = Mul(Div(" X ", 2), Add(1, Erf(Div(x, 1.4142135))))",
	  "y = Gelu(" X ")" },
	{ "half and half", "gelu_erf",
	  "y = Mul(" X ", Add(0.5, Mul(0.5, Erf(Mul(x, 0.70710678)))))",
	  "y = Gelu(" X ")" },
	{ "half and a third", "gelu_erf",
	  "y = Mul(" X ", Add(0.5, Mul(0.33, Erf(Mul(x, 0.70710678)))))",
	  NULL },
	{ "by the sigmoid", "gelu_tanh",
	  "y = Mul(" X ", Sigmoid(Mul(1.5957691, Add(x, Mul(0.044715, "
	  "Mul(x, Mul(x, x)))))))",
	  "y = Gelu<approximate=\"tanh\">(" X ")" },
	{ "torch", "gelu_erf",
	  "y = Mul(Mul(" X ", Add(Erf(Div(x, 1.4142135)), 1)), 0.5)",
	  "y = Gelu(" X ")" },
	{ "tf", "gelu_erf",
	  "y = Mul(" X ", Mul(0.5, Add(1, Erf(Mul(x, 0.70710677)))))",
	  "y = Gelu(" X ")" },
	{ "half first", "gelu_erf",
	  "y = Mul(Mul(0.5, " X "), Add(1, Erf(Div(x, 1.4142135))))",
	  "y = Gelu(" X ")" },
	{ "another factor", "gelu_erf",
	  "y = Mul(Mul(" X ", Add(Erf(Div(x, 1.5)), 1)), 0.5)", NULL },
	{ "of something else", "gelu_erf",
	  "y = Mul(Mul(z:float[3,5], Add(" ERF ", 1)), 0.5)", NULL },
	{ "tanh", "gelu_tanh",
	  "y = Mul(Mul(0.5, " X "), Add(1, Tanh(Mul(0.7978846, "
	  "Add(x, Mul(0.044715, Pow(x, 3)))))))",
	  "y = Gelu<approximate=\"tanh\">(" X ")" },
	{ "tanh by products", "gelu_tanh",
	  "y = Mul(Mul(0.5, " X "), Add(1, Tanh(Mul(0.7978846, "
	  "Add(x, Mul(0.044715, Mul(x, Mul(x, x))))))))",
	  "y = Gelu<approximate=\"tanh\">(" X ")" },
	{ "tanh by products from a number on", "gelu_tanh",
	  "y = Mul(" X ", Mul(0.5, Add(1, Tanh(Mul(0.7978846, "
	  "Add(x, Mul(x, Mul(x, Mul(0.044715, x)))))))))",
	  "y = Gelu<approximate=\"tanh\">(" X ")" },
	{ "tanh, fast", "gelu_tanh",
	  "y = Mul(Mul(0.5, " X "), Add(1, Tanh(Mul(Mul(x, 0.7978846), "
	  "Add(1, Mul(Mul(0.044715, x), x))))))",
	  "y = Gelu<approximate=\"tanh\">(" X ")" },
	{ "tanh of something else", "gelu_tanh",
	  "y = Mul(Mul(0.5, z:float[3,5]), Add(1, " CUBE "))", NULL },
	{ 0 },
};

#define R "s:float[5]!, b:float[5]!"
#define MEAN(x, a) "ReduceMean(" x ", " a ":int64[1]={-1})"

static const struct pass_case layer_norms[] = {
	{ "Pow", "layer_norm",
	  "d = Sub(" X ", " MEAN("x", "a") "); v = " MEAN(
	      "Pow(d, 2)", "c") "; "
				"y = Add(Mul(Div(d, Sqrt(Add(v, 0.001))), "
				"s:float[5]!), b:float[5]!)",
	  "y = LayerNormalization<epsilon=0.0010000000474974513>(" X ", " R
	  ")" },
	{ "Mul, the last axis by number", "layer_norm",
	  "d = Sub(" X ", ReduceMean(x, a:int64[1]={1})); "
	  "v = ReduceMean(Mul(d, d), a); y = Add(b:float[5]!, Mul(s:float[5]!, "
	  "Div(d, "
	  "Sqrt(Add(v, 0.001)))))",
	  "y = LayerNormalization<epsilon=0.0010000000474974513>(" X ", " R
	  ")" },
	{ "another axis", "layer_norm",
	  "d = Sub(x:float[5,5], ReduceMean(x, a:int64[1]={0})); "
	  "v = ReduceMean(Mul(d, d), a); y = Add(b:float[5]!, Mul(s:float[5]!, "
	  "Div(d, "
	  "Sqrt(Add(v, 0.001)))))",
	  NULL },
	{ "a dropped axis", "layer_norm",
	  "d = Sub(x:float[5,5], ReduceMean<keepdims=0>(x, a:int64[1]={1})); "
	  "v = ReduceMean(Mul(d, d), a); y = Add(b:float[5]!, Mul(s:float[5]!, "
	  "Div(d, "
	  "Sqrt(Add(v, 0.001)))))",
	  NULL },
	{ "one scale for all", "layer_norm",
	  "d = Sub(" X ", " MEAN("x", "a") "); v = " MEAN(
	      "Mul(d, d)", "c") "; y = Add(Mul(Div(d, Sqrt(Add(v, 0.001))), "
				"s:float[1]!), b:float[1]!)",
	  NULL },
	{ 0 },
};

Test(rewrites, hard_ones)
{
	pass_check_all(hards);
}

Test(rewrites, swish_and_mish)
{
	pass_check_all(swishes);
}

Test(rewrites, gelu)
{
	pass_check_all(gelus);
}

Test(rewrites, layer_norm)
{
	pass_check_all(layer_norms);
}
