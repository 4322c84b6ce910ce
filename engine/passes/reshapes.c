/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Chains of Reshape, Flatten, Squeeze and Unsqueeze become their last link, or
 * nothing where Squeeze undoes Unsqueeze or the other way round.
 */
#include "engine/attr.h"
#include "engine/passes/edit.h"

static bool is_view(const struct graph_node *node)
{
	return edit_is(node, "Reshape") || edit_is(node, "Flatten") ||
	       edit_is(node, "Squeeze") || edit_is(node, "Unsqueeze");
}

/* The last link of a chain does not ask for extents of its input. */
static bool forgets_shape(const struct edit *edit,
			  const struct graph_node *node)
{
	const struct tensor_view *shape;
	const struct op_attr *row;
	struct attr_value value;
	const int64_t *dim;

	if (!edit_is(node, "Reshape"))
		return false;
	shape = edit_constant(edit, edit_in(edit, node, 1));
	row = op_attr_find(node->op->attrs, "allowzero");
	if (!shape || shape->dtype != DTYPE_I64 || !row ||
	    !op_attr_get(row, node->attrs, &value))
		return false;
	dim = shape->data;
	for (int64_t i = 0; i < shape_count(&shape->shape) && !value.i; i++)
		if (!dim[i])
			return false;
	return true;
}

/* Axes of both are the same constant, none of them counted from the end, as
 * the ranks differ. */
static bool is_undone(const struct edit *edit, const struct graph_node *first,
		      const struct graph_node *second)
{
	const struct tensor_view *a, *b;

	if (!((edit_is(first, "Squeeze") && edit_is(second, "Unsqueeze")) ||
	      (edit_is(first, "Unsqueeze") && edit_is(second, "Squeeze"))))
		return false;
	a = edit_constant(edit, edit_in(edit, first, 1));
	b = edit_constant(edit, edit_in(edit, second, 1));
	if (!a || !b || a->dtype != DTYPE_I64 || !tensor_equal(a, b) ||
	    !shape_count(&a->shape))
		return false;
	for (int64_t i = 0; i < shape_count(&a->shape); i++)
		if (((const int64_t *)a->data)[i] < 0)
			return false;
	return true;
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const struct graph_node *before;
	int32_t in[2], out;

	if (!is_view(node))
		return;
	before = edit_producer(edit, edit_in(edit, node, 0));
	if (!before || !is_view(before))
		return;
	in[0] = edit_in(edit, before, 0);
	if (is_undone(edit, before, node)) {
		edit_forward(edit, graph_out(edit->graph, node)[0], in[0]);
	} else if (forgets_shape(edit, node)) {
		in[1] = edit_in(edit, node, 1);
		build_row(&edit->build, node->op, node->attrs, in, 2, &out, 1);
		edit_forward(edit, graph_out(edit->graph, node)[0], out);
	}
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_reshapes;
const struct pass pass_reshapes = {
	.name = "reshapes",
	.help = "joins chains of Reshape, Flatten, Squeeze and Unsqueeze",
	.flags = PASS_LOAD,
	.run = run,
};
