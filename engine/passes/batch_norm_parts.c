/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization that no product took (passes `batch_norm`) becomes a
 * multiplication and an addition of one number a channel: chains and blocked
 * values know those.
 *
 *   y = scale / sqrt(variance + epsilon) * (x - mean) + bias
 */
#include "engine/passes/affine.h"

/* One number a channel, for values of that rank: [C, 1 ...]. */
static int32_t row_of(struct edit *edit, const struct affine *affine,
		      const double *number, int rank)
{
	struct shape shape = { .rank = (unsigned)rank - 1,
			       .dim = { affine->n } };

	for (unsigned i = 1; i < shape.rank; i++)
		shape.dim[i] = 1;
	return affine_constant(edit, edit_elem(edit, affine->x), &shape,
			       number);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	struct affine affine;
	struct rank rank;
	int32_t value;

	if (!edit_is(node, "BatchNormalization"))
		return;
	rank = edit_rank(edit, edit_in(edit, node, 0));
	if (!rank.is_exact || rank.least < 2 ||
	    edit_elem(edit, edit_in(edit, node, 0)) !=
		edit_elem(edit, edit_in(edit, node, 1)) ||
	    !affine_of_batch_norm(edit, node, &affine))
		return;
	value = build_2(&edit->build, "Mul", affine.x,
			row_of(edit, &affine, affine.scale, rank.least));
	if (affine.has_shift)
		value =
		    build_2(&edit->build, "Add", value,
			    row_of(edit, &affine, affine.shift, rank.least));
	edit_forward(edit, graph_out(edit->graph, node)[0], value);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_batch_norm_parts;
const struct pass pass_batch_norm_parts = {
	.name = "batch_norm_parts",
	.help = "BatchNormalization that nothing took becomes Mul and Add",
	.flags = PASS_LOAD,
	.run = run,
};
