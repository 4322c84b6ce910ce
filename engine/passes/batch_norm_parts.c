/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization that no product took (pass `batch_norm`), one number a
 * channel to multiply with and one to add:
 *
 *   y = scale / sqrt(variance + epsilon) * (x - mean) + bias
 *
 * Behind a convolution, whose values are about to be blocked, it becomes a
 * convolution of one tap and a group a channel, which takes an activation with
 * it. Elsewhere it becomes Mul and Add, which chains know.
 */
#include "engine/ops/conv.h"
#include "engine/passes/affine.h"

enum { WAY_MAX = 32 };

static const struct shape *extents_of(const struct edit *edit, int32_t value)
{
	return &edit->build.facts->fact[value].shape;
}

/* What stays blocked behind a convolution, by input 0. */
static bool stays_blocked(const struct graph_node *node)
{
	static const char *const names[] = {
		"Add",	     "AveragePool", "BatchNormalization",
		"Clip",	     "Concat",	    "HardSwish",
		"LeakyRelu", "MaxPool",	    "Mul",
		"Relu",	     "Sigmoid",	    "Swish",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (edit_is(node, names[i]))
			return true;
	return false;
}

static bool is_behind_conv(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);

	for (int i = 0; i < WAY_MAX && node && stays_blocked(node); i++)
		node = edit_producer(edit, graph_in(edit->graph, node)[0]);
	return edit_is(node, "Conv");
}

/* Numbers as [C, 1 ...] of that rank. */
static int32_t row_of(struct edit *edit, const struct affine *affine,
		      const double *number, unsigned rank)
{
	struct shape shape = { .rank = rank, .dim = { affine->n } };

	for (unsigned i = 1; i < rank; i++)
		shape.dim[i] = 1;
	return affine_constant(edit, edit_elem(edit, affine->x), &shape,
			       number);
}

static int32_t as_conv(struct edit *edit, const struct affine *affine,
		       unsigned rank)
{
	const struct conv_attrs attrs = { .window = { .auto_pad = "NOTSET" },
					  .group = affine->n };
	const int32_t in[] = { affine->x,
			       row_of(edit, affine, affine->scale, rank),
			       row_of(edit, affine, affine->shift, 1) };

	return build_node(&edit->build, "Conv", &attrs, in, 3);
}

static int32_t as_arithmetic(struct edit *edit, const struct affine *affine,
			     unsigned rank)
{
	const int32_t y =
	    build_2(&edit->build, "Mul", affine->x,
		    row_of(edit, affine, affine->scale, rank - 1));

	return build_2(&edit->build, "Add", y,
		       row_of(edit, affine, affine->shift, rank - 1));
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const int32_t x = edit_in(edit, node, 0);
	struct affine affine;
	unsigned rank;

	if (!edit_is(node, "BatchNormalization"))
		return;
	rank = extents_of(edit, x)->rank;
	if (rank < 2 || !shape_count(extents_of(edit, x)) ||
	    edit_elem(edit, x) != edit_elem(edit, edit_in(edit, node, 1)) ||
	    !affine_of_batch_norm(edit, node, &affine))
		return;
	edit_forward(edit, graph_out(edit->graph, node)[0],
		     edit_elem(edit, x) == DTYPE_F32 && rank > 2 &&
			     rank <= 2 + WINDOW_DIMS && is_behind_conv(edit, x)
			 ? as_conv(edit, &affine, rank)
			 : as_arithmetic(edit, &affine, rank));
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_batch_norm_parts;
const struct pass pass_batch_norm_parts = {
	.name = "batch_norm_parts",
	.help = "BatchNormalization that nothing took becomes a convolution of "
		"one tap, or Mul and Add",
	.flags = PASS_PLAN,
	.run = run,
};
