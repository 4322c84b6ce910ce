/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Add, Sub, Mul and Div by constants of one number a channel go into the
 * constants of the product before them.
 */
#include "engine/passes/affine.h"

static void visit(struct edit *edit, const struct graph_node *node)
{
	struct product_node product;
	struct affine affine;
	int32_t value;

	if (affine_of_arithmetic(edit, node, &affine, &product) &&
	    affine_fold(edit, &product, &affine, &value))
		edit_forward(edit, graph_out(edit->graph, node)[0], value);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_channel_affine;
const struct pass pass_channel_affine = {
	.name = "channel_affine",
	.help =
	    "folds Add, Sub, Mul and Div of one number a channel into Conv, "
	    "ConvTranspose, Gemm and MatMul",
	.flags = PASS_LOAD,
	.run = run,
};
