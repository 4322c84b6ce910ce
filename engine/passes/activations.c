/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Activations as exporters spell them, with one number a constant: each table
 * is a pass.
 */
#include "engine/passes/rewrite.h"

/* --- HardSigmoid, HardSwish --- */

#define SIXTH "<alpha=0.16666667, beta=0.5>(x)"
#define SHIFTED "Add(x:float, 3.0)"
#define RELU6 "Clip(" SHIFTED ", 0.0, 6.0)"
#define MIN_MAX "Min(Max(" SHIFTED ", 0.0), 6.0)"
#define MAX_MIN "Max(Min(" SHIFTED ", 6.0), 0.0)"
#define MIN_RELU "Min(Relu(" SHIFTED "), 6.0)"
#define TO_SWISH "y = HardSwish(x)"
#define TO_SIGMOID "y = HardSigmoid" SIXTH

/* `six` is x + 3 between 0 and 6 */
#define HARD_SIGMOID(six)                                                   \
	{ .match = "y = Div(" six ", 6.0)", .make = TO_SIGMOID },           \
	{                                                                   \
		.match = "y = Mul(" six ", 0.16666667)", .make = TO_SIGMOID \
	}
#define HARD_SWISH(six)                                                     \
	{ .match = "y = Div(Mul(" six ", x), 6.0)", .make = TO_SWISH },     \
	    { .match = "y = Mul(" six ", Div(x, 6.0))", .make = TO_SWISH }, \
	    { .match = "y = Mul(" six ", Mul(x, 0.16666667))",              \
	      .make = TO_SWISH },                                           \
	{                                                                   \
		.match = "y = Mul(Mul(" six ", x), 0.16666667)",            \
		.make = TO_SWISH                                            \
	}

/* alpha x + beta between 0 and 1, one number each */
static bool is_number(const struct rewrite_match *match, const char *name)
{
	const struct edit *edit = match->edit;
	const int32_t value = rewrite_value(match, name);
	const struct tensor_view *view = edit_constant(edit, value);
	double number;

	return view && shape_count(&view->shape) == 1 &&
	       edit_keeps_rank(edit, rewrite_value(match, "x"), view) &&
	       edit_uniform(edit, value, &number);
}

static bool is_line(const struct rewrite_match *match)
{
	return is_number(match, "alpha") && is_number(match, "beta");
}

static int32_t build_hard_sigmoid(const struct rewrite_match *match)
{
	const int32_t x = rewrite_value(match, "x");
	double line[2]; /* the row has alpha and beta */

	if (!edit_uniform(match->edit, rewrite_value(match, "alpha"),
			  &line[0]) ||
	    !edit_uniform(match->edit, rewrite_value(match, "beta"), &line[1]))
		return VALUE_NONE;
	return build_node(&match->edit->build, "HardSigmoid", line, &x, 1);
}

#define LINE "Add(Mul(x:float, alpha:float), beta:float)"
#define HARD_LINE(text)                                 \
	{                                               \
		.match = "y = " text, .guard = is_line, \
		.build = build_hard_sigmoid             \
	}

static const struct rewrite hard_sigmoids[] = {
	HARD_SIGMOID(RELU6),
	HARD_SIGMOID(MIN_MAX),
	HARD_SIGMOID(MAX_MIN),
	HARD_SIGMOID(MIN_RELU),
	HARD_LINE("Clip(" LINE ", 0.0, 1.0)"),
	HARD_LINE("Min(Max(" LINE ", 0.0), 1.0)"),
	HARD_LINE("Max(Min(" LINE ", 1.0), 0.0)"),
	HARD_LINE("Min(Relu(" LINE "), 1.0)"),
	{ 0 },
};
static const struct rewrite hard_swishes[] = {
	HARD_SWISH(RELU6),
	HARD_SWISH(MIN_MAX),
	HARD_SWISH(MAX_MIN),
	HARD_SWISH(MIN_RELU),
	{ .match = "y = Mul(HardSigmoid<alpha=0.16666667, beta=0.5>(x:float), "
		   "x)",
	  .make = TO_SWISH },
	{ 0 },
};

/* --- Swish, Mish --- */

/* sigmoid(alpha x) x */
static int32_t build_swish(const struct rewrite_match *match)
{
	const int32_t x = rewrite_value(match, "x");
	double alpha;

	if (!edit_uniform(match->edit, rewrite_value(match, "alpha"), &alpha))
		return VALUE_NONE;
	/* the row has this one attribute */
	return build_node(&match->edit->build, "Swish", &alpha, &x, 1);
}

static bool is_alpha(const struct rewrite_match *match)
{
	return is_number(match, "alpha");
}

#define ONE_AND_EXP "Add(Exp(Neg(x:float)), 1.0)"

static const struct rewrite swishes[] = {
	{ .match = "y = Mul(Sigmoid(x:float), x)", .make = "y = Swish(x)" },
	{ .match = "y = Div(x:float, Add(Exp(Neg(x)), 1.0))",
	  .make = "y = Swish(x)" },
	{ .match = "y = Mul(Div(1.0, " ONE_AND_EXP "), x)",
	  .make = "y = Swish(x)" },
	{ .match = "y = Mul(Reciprocal(" ONE_AND_EXP "), x)",
	  .make = "y = Swish(x)" },
	{ .match = "y = Mul(Sigmoid(Mul(x:float, alpha:float)), x)",
	  .guard = is_alpha,
	  .build = build_swish },
	{ 0 },
};
static const struct rewrite mishes[] = {
	{ .match = "y = Mul(Tanh(Softplus(x:float)), x)",
	  .make = "y = Mish(x)" },
	{ .match = "y = Mul(Tanh(Log(Add(Exp(x:float), 1.0))), x)",
	  .make = "y = Mish(x)" },
	{ 0 },
};

/* --- Gelu --- */

/* the distribution of x is (1 + f(x)) / 2, multiplied in any order */
#define GELU(f, to)                                                           \
	{ .match = "y = Div(Mul(Add(" f ", 1.0), x), 2.0)", .make = to },     \
	    { .match = "y = Mul(Div(Add(" f ", 1.0), 2.0), x)", .make = to }, \
	    { .match = "y = Mul(Add(" f ", 1.0), Div(x, 2.0))", .make = to }, \
	    { .match = "y = Mul(Add(Mul(" f ", 0.5), 0.5), x)", .make = to }, \
	    GELU_HALF(f, to)
#define GELU_HALF(f, to)                                                      \
	{ .match = "y = Mul(Mul(Add(" f ", 1.0), x), 0.5)", .make = to },     \
	    { .match = "y = Mul(Mul(Add(" f ", 1.0), 0.5), x)", .make = to }, \
	{                                                                     \
		.match = "y = Mul(Add(" f ", 1.0), Mul(x, 0.5))", .make = to  \
	}

#define TO_GELU "y = Gelu(x)"
#define TO_GELU_TANH "y = Gelu<approximate=\"tanh\">(x)"
/* sqrt(2 / pi) (x + 0.044715 x^3) */
#define BENT(cube) "Tanh(Mul(Add(Mul(" cube ", 0.044715), x), 0.79788456))"
/* (1 + tanh z) / 2 is the sigmoid of 2 z */
#define BENT_SIGMOID(cube)                                    \
	{                                                     \
		.match = "y = Mul(Sigmoid(Mul(Add(Mul(" cube  \
			 ", 0.044715), x), 1.59576912)), x)", \
		.make = TO_GELU_TANH                          \
	}

static const struct rewrite gelu_erfs[] = {
	GELU("Erf(Div(x:float, 1.41421356))", TO_GELU),
	GELU("Erf(Mul(x:float, 0.70710678))", TO_GELU),
	{ 0 },
};
static const struct rewrite gelu_tanhs[] = {
	GELU(BENT("Pow(x:float, 3.0)"), TO_GELU_TANH),
	GELU(BENT("Mul(Mul(x:float, x), x)"), TO_GELU_TANH),
	BENT_SIGMOID("Pow(x:float, 3.0)"),
	BENT_SIGMOID("Mul(Mul(x:float, x), x)"),
	GELU("Tanh(Mul(Add(Mul(Mul(Mul(x:float, 0.044715), x), x), x), "
	     "0.79788456))",
	     TO_GELU_TANH),
	GELU("Tanh(Mul(Mul(x:float, 0.79788456), "
	     "Add(Mul(Mul(x, 0.044715), x), 1.0)))",
	     TO_GELU_TANH),
	GELU("Tanh(Mul(Mul(x:float, 0.79788456), "
	     "Add(Mul(Mul(x, x), 0.044715), 1.0)))",
	     TO_GELU_TANH),
	GELU("Tanh(Mul(Mul(Add(Mul(Mul(x:float, x), 0.044715), 1.0), x), "
	     "0.79788456))",
	     TO_GELU_TANH),
	{ 0 },
};

#define PASS_ROW(row, word, does, table)     \
	extern const struct pass pass_##row; \
	const struct pass pass_##row = {     \
		.name = word,                \
		.help = does,                \
		.flags = PASS_LOAD,          \
		.rewrites = table,           \
	}

PASS_ROW(hard_sigmoid, "hard_sigmoid", "finds HardSigmoid in its parts",
	 hard_sigmoids);
PASS_ROW(hard_swish, "hard_swish", "finds HardSwish in its parts",
	 hard_swishes);
PASS_ROW(swish, "swish", "finds Swish (SiLU) in its parts", swishes);
PASS_ROW(mish, "mish", "finds Mish in its parts", mishes);
PASS_ROW(gelu_erf, "gelu_erf", "finds Gelu in its parts", gelu_erfs);
PASS_ROW(gelu_tanh, "gelu_tanh", "finds Gelu by tanh in its parts", gelu_tanhs);
