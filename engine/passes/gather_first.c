/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows of a table that is stored narrow and widened as a whole (Cast, then a
 * scale) are picked first and widened then, so that a run touches the rows it
 * reads alone and the table stays small.
 */
#include "engine/attr.h"
#include "engine/passes/edit.h"

enum { LEVELS_MAX = 4, TABLE_BYTES_MIN = 1 << 16 };

/* A node between the table and the Gather, and its operand beside it. */
struct level {
	const struct graph_node *node;
	int32_t beside; /* VALUE_NONE: it has one operand */
	bool is_left;	/* `beside` is operand 0 */
};

struct tower {
	struct level level[LEVELS_MAX]; /* from the Gather down */
	int n;
	int32_t table;
};

static bool is_arithmetic(const struct graph_node *node)
{
	return edit_is(node, "Mul") || edit_is(node, "Add") ||
	       edit_is(node, "Sub") || edit_is(node, "Div");
}

static bool climb(const struct edit *edit, const struct graph_node *node,
		  struct level *ret, int32_t *ret_next)
{
	ret->node = node;
	ret->beside = VALUE_NONE;
	ret->is_left = false;
	*ret_next = edit_in(edit, node, 0);
	if (edit_is(node, "Cast"))
		return true;
	if (!is_arithmetic(node))
		return false;
	ret->is_left = edit_constant(edit, edit_in(edit, node, 0)) != NULL &&
		       edit_own_producer(edit, edit_in(edit, node, 1)) != NULL;
	ret->beside = edit_in(edit, node, ret->is_left ? 0 : 1);
	*ret_next = edit_in(edit, node, ret->is_left ? 1 : 0);
	return edit_constant(edit, ret->beside) != NULL;
}

static bool find_tower(const struct edit *edit, int32_t value,
		       struct tower *ret)
{
	const struct graph_node *node;

	ret->n = 0;
	while (ret->n < LEVELS_MAX && !edit_constant(edit, value)) {
		node = edit_own_producer(edit, value);
		if (!node || !climb(edit, node, &ret->level[ret->n++], &value))
			return false;
	}
	ret->table = value;
	return ret->n > 0 && edit_constant(edit, value) != NULL;
}

/* How an operand beside the table meets its rows. */
enum beside { BESIDE_ALL, BESIDE_ROW, BESIDE_OTHER };

static enum beside beside_of(const struct edit *edit, int32_t value,
			     const struct shape *table, int rank_of_index)
{
	const struct shape *shape = &edit_constant(edit, value)->shape;

	if (shape->rank < table->rank)
		return BESIDE_ALL;
	if (shape->rank > table->rank)
		return BESIDE_OTHER;
	for (unsigned i = 1; i < table->rank; i++)
		if (shape->dim[i] != 1 && shape->dim[i] != table->dim[i])
			return BESIDE_OTHER;
	if (shape->dim[0] == table->dim[0])
		return BESIDE_ROW;
	return shape->dim[0] == 1 && rank_of_index >= 1 ? BESIDE_ALL
							: BESIDE_OTHER;
}

static bool may_climb(const struct edit *edit, const struct tower *tower,
		      int32_t index)
{
	const struct tensor_view *table = edit_constant(edit, tower->table);
	const int32_t top = graph_out(edit->graph, tower->level[0].node)[0];
	const size_t bytes = tensor_bytes(table->dtype, &table->shape);

	if (!table->shape.rank || bytes < TABLE_BYTES_MIN ||
	    dtype_info(table->dtype)->size >=
		dtype_info(edit_elem(edit, top))->size)
		return false;
	for (int i = 0; i < tower->n; i++)
		if (tower->level[i].beside != VALUE_NONE &&
		    beside_of(edit, tower->level[i].beside, &table->shape,
			      edit_rank(edit, index).least) == BESIDE_OTHER)
			return false;
	return true;
}

static int32_t pick(struct edit *edit, const struct graph_node *gather,
		    int32_t from, int32_t index)
{
	const int32_t in[2] = { from, index };
	int32_t out;

	build_row(&edit->build, gather->op, gather->attrs, in, 2, &out, 1);
	return out;
}

static int32_t rebuild(struct edit *edit, const struct graph_node *gather,
		       const struct tower *tower, int32_t index)
{
	const struct shape *table = &edit_constant(edit, tower->table)->shape;
	const int rank = edit_rank(edit, index).least;
	int32_t value = pick(edit, gather, tower->table, index);

	for (int i = tower->n - 1; i >= 0; i--) {
		const struct level *level = &tower->level[i];
		int32_t beside = level->beside, in[2] = { value, beside };

		if (beside != VALUE_NONE &&
		    beside_of(edit, beside, table, rank) == BESIDE_ROW)
			in[1] = pick(edit, gather, beside, index);
		if (level->is_left && beside != VALUE_NONE) {
			in[0] = in[1];
			in[1] = value;
		}
		build_row(&edit->build, level->node->op, level->node->attrs, in,
			  beside == VALUE_NONE ? 1 : 2, &value, 1);
	}
	return value;
}

static bool picks_rows(const struct graph_node *node)
{
	const struct op_attr *row;
	struct attr_value axis;

	if (!edit_is(node, "Gather"))
		return false;
	row = op_attr_find(node->op->attrs, "axis");
	return op_attr_get(row, node->attrs, &axis) && axis.i == 0;
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const int32_t index = edit_in(edit, node, 1);
	struct tower tower;

	if (picks_rows(node) &&
	    find_tower(edit, edit_in(edit, node, 0), &tower) &&
	    may_climb(edit, &tower, index))
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     rebuild(edit, node, &tower, index));
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_gather_first;
const struct pass pass_gather_first = {
	.name = "gather_first",
	.help = "picks rows of a table before it is widened",
	.flags = PASS_LOAD,
	.run = run,
};
