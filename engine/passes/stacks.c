/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Stacks: values stacked along an axis of their own, over which they are then
 * reduced, become an elementwise operator of them.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/passes/edit.h"

enum { VALUES_MAX = 16 };

static const char *fold_of(const struct graph_node *node)
{
	static const char *const folds[][2] = {
		{ "ReduceMax", "Max" },
		{ "ReduceMin", "Min" },
		{ "ReduceSum", "Sum" },
	};

	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++)
		if (edit_is(node, folds[i][0]))
			return folds[i][1];
	return NULL;
}

static int64_t attr_of(const struct graph_node *node, const char *name)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, name);
	struct attr_value value;

	return row && op_attr_get(row, node->attrs, &value) ? value.i : 0;
}

/* The one axis that a constant lists, of a value of that rank. */
static bool one_axis(const struct edit *edit, int32_t axes, struct rank rank,
		     int64_t *ret)
{
	const struct tensor_view *list = edit_constant(edit, axes);

	if (!list || list->dtype != DTYPE_I64 ||
	    shape_count(&list->shape) != 1 || !rank.is_exact)
		return false;
	*ret = *(const int64_t *)list->data;
	*ret += *ret < 0 ? rank.least : 0;
	return true;
}

/* What is stacked along that axis, as it was before. False: no stack. */
static bool parts_of(const struct edit *edit, const struct graph_node *concat,
		     int64_t axis, int32_t *part)
{
	for (int32_t i = 0; i < concat->n_in; i++) {
		const int32_t in = edit_in(edit, concat, i);
		const struct graph_node *node = edit_producer(edit, in);
		int64_t at;

		if (!node || !edit_is(node, "Unsqueeze") ||
		    !one_axis(edit, edit_in(edit, node, 1), edit_rank(edit, in),
			      &at) ||
		    at != axis)
			return false;
		part[i] = edit_in(edit, node, 0);
	}
	return true;
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const char *fold = fold_of(node);
	const int32_t stack = fold ? edit_in(edit, node, 0) : VALUE_NONE;
	const struct graph_node *concat =
	    fold ? edit_own_producer(edit, stack) : NULL;
	const struct rank rank =
	    fold ? edit_rank(edit, stack) : (struct rank){ 0 };
	int32_t part[VALUES_MAX], in[2];
	int64_t axis, along;

	if (!concat || !edit_is(concat, "Concat") ||
	    concat->n_in > VALUES_MAX || edit_elem(edit, stack) != DTYPE_F32 ||
	    !one_axis(edit, edit_in(edit, node, 1), rank, &axis))
		return;
	along = attr_of(concat, "axis");
	along += along < 0 ? rank.least : 0;
	if (along != axis || !parts_of(edit, concat, axis, part))
		return;
	in[0] =
	    build_node(&edit->build, fold, NULL, part, (unsigned)concat->n_in);
	in[1] = edit_in(edit, node, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0],
		     attr_of(node, "keepdims")
			 ? build_node(&edit->build, "Unsqueeze", NULL, in, 2)
			 : in[0]);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_stacks;
const struct pass pass_stacks = {
	.name = "stacks",
	.help = "reduces stacked values without stacking them",
	.flags = PASS_LOAD,
	.run = run,
};
