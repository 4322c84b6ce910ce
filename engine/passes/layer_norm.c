/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LayerNormalization over the last axis, as exporters spell it.
 */
#include "engine/ops/norm.h"
#include "engine/passes/rewrite.h"

/* The constant is the last axis of x, and no other one. */
static bool is_last_axis(const struct edit *edit, int32_t axes, int32_t x)
{
	const struct tensor_view *view = edit_constant(edit, axes);
	const struct rank rank = edit_rank(edit, x);
	int64_t axis;

	if (!view || view->dtype != DTYPE_I64 || shape_count(&view->shape) != 1)
		return false;
	axis = *(const int64_t *)view->data;
	return axis == -1 || (rank.is_exact && axis == rank.least - 1);
}

static bool is_row(const struct edit *edit, int32_t value)
{
	const struct tensor_view *view = edit_constant(edit, value);

	return view && view->shape.rank == 1;
}

static bool guard(const struct rewrite_match *match)
{
	const struct edit *edit = match->edit;
	const int32_t x = rewrite_value(match, "x");
	const int32_t epsilon = rewrite_value(match, "e");
	const int32_t scale = rewrite_value(match, "s");
	const int32_t shift = rewrite_value(match, "b");
	double number;

	if (!is_last_axis(edit, rewrite_value(match, "a"), x) ||
	    !is_last_axis(edit, rewrite_value(match, "c"), x) ||
	    edit_rank(edit, x).least < 1 ||
	    !edit_uniform(edit, epsilon, &number) || !(number >= 0) ||
	    shape_count(&edit_constant(edit, epsilon)->shape) != 1 ||
	    (int)edit_constant(edit, epsilon)->shape.rank >
		edit_rank(edit, x).least)
		return false;
	/* one number for a row is no row of numbers */
	return is_row(edit, scale) && is_row(edit, shift) &&
	       shape_equal(&edit_constant(edit, scale)->shape,
			   &edit_constant(edit, shift)->shape) &&
	       edit_constant(edit, scale)->shape.dim[0] > 1;
}

static int32_t build(const struct rewrite_match *match)
{
	const int32_t in[3] = { rewrite_value(match, "x"),
				rewrite_value(match, "s"),
				rewrite_value(match, "b") };
	struct row_norm_attrs attrs = { .axis = -1, .stash_type = 1 };

	if (!edit_uniform(match->edit, rewrite_value(match, "e"),
			  &attrs.epsilon))
		return VALUE_NONE;
	return build_node(&match->edit->build, "LayerNormalization", &attrs, in,
			  3);
}

/* d: x less its mean; v: the mean of d squared */
#define D "d = Sub(x:float, ReduceMean(x, a:int64)); "
#define V "v = ReduceMean(Mul(d, d), c:int64); "
#define ROW(text)                                                        \
	{                                                                \
		.match = D V "y = " text, .guard = guard, .build = build \
	}

static const struct rewrite rewrites[] = {
	ROW("Add(Mul(Div(d, Sqrt(Add(v, e:float))), s:float), b:float)"),
	ROW("Add(Mul(Mul(d, Reciprocal(Sqrt(Add(v, e:float)))), s:float), "
	    "b:float)"),
	ROW("Add(Mul(Mul(Reciprocal(Sqrt(Add(v, e:float))), s:float), d), "
	    "b:float)"),
	{ .match = "d = Sub(x:float, ReduceMean(x, a:int64)); "
		   "v = ReduceMean(Pow(d, 2.0), c:int64); "
		   "y = Add(Mul(Div(d, Sqrt(Add(v, e:float))), s:float), "
		   "b:float)",
	  .guard = guard,
	  .build = build },
	{ 0 },
};

extern const struct pass pass_layer_norm;
const struct pass pass_layer_norm = {
	.name = "layer_norm",
	.help = "finds LayerNormalization in its parts",
	.flags = PASS_LOAD,
	.rewrites = rewrites,
};
