/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Identities: nodes whose result is an input of theirs, and powers that are
 * cheaper as something else.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/passes/edit.h"

/* Neutral elements on the right (or on either side) of a binary operator. */
static const struct {
	const char *op;
	double neutral;
	bool commutes;
} neutrals[] = {
	{ "Add", 0, true },  { "Sub", 0, false }, { "Mul", 1, true },
	{ "Div", 1, false }, { "Pow", 1, false },
};

/* Input `side` is one number, and leaves the shape of the other input. */
static bool is_number(const struct edit *edit, const struct graph_node *node,
		      int32_t side, double *ret)
{
	const struct tensor_view *view =
	    edit_constant(edit, edit_in(edit, node, side));

	return view && shape_count(&view->shape) == 1 &&
	       edit_keeps_rank(edit, edit_in(edit, node, 1 - side), view) &&
	       edit_uniform(edit, edit_in(edit, node, side), ret);
}

static bool is_exactly(double a, double b)
{
	return a <= b && a >= b;
}

/* The input that a binary node passes on, or -1. */
static int32_t neutral_input(const struct edit *edit,
			     const struct graph_node *node)
{
	double x;

	if (node->n_in != 2)
		return -1;
	for (size_t i = 0; i < sizeof(neutrals) / sizeof(neutrals[0]); i++) {
		if (!edit_is(node, neutrals[i].op))
			continue;
		if (is_number(edit, node, 1, &x) &&
		    is_exactly(x, neutrals[i].neutral))
			return 0;
		if (neutrals[i].commutes && is_number(edit, node, 0, &x) &&
		    is_exactly(x, neutrals[i].neutral))
			return 1;
	}
	return -1;
}

static bool is_still_dropout(const struct edit *edit,
			     const struct graph_node *node)
{
	const int32_t training = edit_in(edit, node, 2);
	double x = 0;

	return edit_is(node, "Dropout") && edit_is_single(edit, node) &&
	       (training == VALUE_NONE ||
		(edit_uniform(edit, training, &x) && is_exactly(x, 0)));
}

static bool is_in_order(const struct graph_node *node)
{
	struct attr_value perm;
	const struct op_attr *row = op_attr_find(node->op->attrs, "perm");

	if (!edit_is(node, "Transpose") ||
	    !op_attr_get(row, node->attrs, &perm) || !perm.ints.n)
		return false;
	for (size_t i = 0; i < perm.ints.n; i++)
		if (perm.ints.v[i] != (int64_t)i)
			return false;
	return true;
}

/* Sum, Max, Concat and their like of one operand. */
static bool is_of_one(const struct graph_node *node)
{
	static const char *const names[] = { "Concat", "Max", "Mean", "Min",
					     "Sum" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (edit_is(node, names[i]))
			return node->n_in == 1;
	return false;
}

static int32_t passed_input(const struct edit *edit,
			    const struct graph_node *node)
{
	const bool copies =
	    edit_is(node, "Identity") || edit_is(node, "Cast") ||
	    edit_is(node, "CastLike") || is_in_order(node) || is_of_one(node) ||
	    is_still_dropout(edit, node) ||
	    (edit_is(node, "Clip") && edit_in(edit, node, 1) == VALUE_NONE &&
	     edit_in(edit, node, 2) == VALUE_NONE);

	return copies ? 0 : neutral_input(edit, node);
}

/* x^2 and x^0.5 */
static void try_power(struct edit *edit, const struct graph_node *node)
{
	const int32_t x = edit_in(edit, node, 0);
	double power;

	if (!edit_is(node, "Pow") || !is_number(edit, node, 1, &power) ||
	    !dtype_is_float(edit_elem(edit, x)))
		return;
	if (is_exactly(power, 2))
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_2(&edit->build, "Mul", x, x));
	else if (is_exactly(power, 0.5))
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_1(&edit->build, "Sqrt", x));
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const int32_t pass = passed_input(edit, node);
	const int32_t in = pass < 0 ? VALUE_NONE : edit_in(edit, node, pass);
	const int32_t out =
	    node->n_out ? graph_out(edit->graph, node)[0] : VALUE_NONE;
	const struct type *a, *b;

	if (out == VALUE_NONE)
		return;
	if (in == VALUE_NONE) {
		try_power(edit, node);
		return;
	}
	a = &edit->graph->value[in].type;
	b = &edit->graph->value[out].type;
	if (a->elem == b->elem && a->is_sequence == b->is_sequence &&
	    a->is_optional == b->is_optional)
		edit_forward(edit, out, in);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_identities;
const struct pass pass_identities = {
	.name = "identities",
	.help = "drops nodes that change nothing",
	.flags = PASS_LOAD,
	.run = run,
};
