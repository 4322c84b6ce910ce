/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization by running statistics goes into the constants of the
 * product before it.
 */
#include "engine/passes/affine.h"

static void visit(struct edit *edit, const struct graph_node *node)
{
	struct product_node product;
	struct affine affine;
	int32_t value;

	if (!edit_is(node, "BatchNormalization") ||
	    !product_of(edit, edit_in(edit, node, 0), &product) ||
	    !affine_of_batch_norm(edit, node, &affine) || affine.n != product.n)
		return;
	/* channels are axis 1, which is the last one of a matrix alone */
	if (product.is_last) {
		const struct rank rank = edit_rank(edit, affine.x);

		if (!rank.is_exact || rank.least != 2)
			return;
	}
	if (affine_fold(edit, &product, &affine, &value))
		edit_forward(edit, graph_out(edit->graph, node)[0], value);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_batch_norm;
const struct pass pass_batch_norm = {
	.name = "batch_norm",
	.help = "folds BatchNormalization into Conv, ConvTranspose, Gemm and "
		"MatMul",
	.flags = PASS_LOAD,
	.run = run,
};
