/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Squeezes: an axis that a Squeeze drops behind a convolution stays until what
 * looks at elements alone is done, so that this can be joined to the
 * convolution. Sequences come so: as images of one row.
 */
#include <string.h>

#include "engine/ops/elementwise.h"
#include "engine/passes/edit.h"

enum { FIRST_OF_PLANE = 2 };

/* The axis of the plane that a node drops; 0: it is no such Squeeze. */
static int64_t dropped(const struct edit *edit, const struct graph_node *node)
{
	const struct tensor_view *axes;
	const struct rank rank = edit_rank(edit, edit_in(edit, node, 0));
	int64_t axis;

	if (!edit_is(node, "Squeeze") || !rank.is_exact)
		return 0;
	axes = edit_constant(edit, edit_in(edit, node, 1));
	if (!axes || axes->dtype != DTYPE_I64 || shape_count(&axes->shape) != 1)
		return 0;
	axis = *(const int64_t *)axes->data;
	axis += axis < 0 ? rank.least : 0;
	return axis >= FIRST_OF_PLANE && axis < rank.least ? axis : 0;
}

/* Behind a convolution, perhaps with elementwise nodes between. */
static bool is_convolved(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);

	return node &&
	       (edit_is(node, "Conv") || edit_is(node, "ConvTranspose") ||
		(node->op && node->op->kernels == elementwise_kernels));
}

/* The same constant beside a value that has the axis yet, or VALUE_NONE. */
static int32_t widen(struct edit *edit, int32_t value, int64_t axis,
		     int64_t rank)
{
	const struct tensor_view *constant = edit_constant(edit, value);
	const int64_t behind =
	    rank - 1 - axis; /* axes behind the dropped one */
	struct tensor_view wide;
	unsigned at;

	if (!constant || constant->shape.rank >= rank)
		return VALUE_NONE;
	if (constant->shape.rank <= behind)
		return value;
	wide = *constant;
	at = wide.shape.rank - (unsigned)behind;
	memmove(wide.shape.dim + at + 1, wide.shape.dim + at,
		(size_t)behind * sizeof(wide.shape.dim[0]));
	wide.shape.dim[at] = 1;
	wide.shape.rank++;
	return build_const(&edit->build, &wide);
}

static bool is_elementwise(const struct graph_node *node)
{
	return node->op && !node->op->domain[0] &&
	       node->op->kernels == elementwise_kernels && node->n_out == 1 &&
	       (node->n_in == 1 || node->n_in == 2);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	for (int32_t i = 0; i < node->n_in && is_elementwise(node); i++) {
		const struct graph_node *squeeze =
		    edit_own_producer(edit, edit_in(edit, node, i));
		int32_t in[2] = { VALUE_NONE, VALUE_NONE }, out[2];
		int64_t axis;

		axis = squeeze ? dropped(edit, squeeze) : 0;
		if (!axis || !is_convolved(edit, edit_in(edit, squeeze, 0)))
			continue;
		in[i] = edit_in(edit, squeeze, 0);
		if (node->n_in == 2)
			in[1 - i] = widen(edit, edit_in(edit, node, 1 - i),
					  axis, edit_rank(edit, in[i]).least);
		if (node->n_in == 2 && in[1 - i] == VALUE_NONE)
			return;
		build_row(&edit->build, node->op, node->attrs, in,
			  (unsigned)node->n_in, &out[0], 1);
		out[1] = edit_in(edit, squeeze, 1);
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_node(&edit->build, "Squeeze", NULL, out, 2));
		return;
	}
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_squeezes;
const struct pass pass_squeezes = {
	.name = "squeezes",
	.help = "drops axes behind what can be joined to a convolution",
	.flags = PASS_LOAD,
	.run = run,
};
