/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pad by zeros goes into the padding of the Conv behind it.
 */
#include <math.h>

#include "engine/ops/conv.h"
#include "engine/passes/pads.h"

static void visit(struct edit *edit, const struct graph_node *node)
{
	const struct tensor_view *w;
	struct conv_attrs attrs;
	struct pads pads = { 0 };
	int64_t list[2 * SHAPE_MAX_RANK];
	const struct graph_node *pad;
	int32_t in[3], out;

	if (!edit_is(node, "Conv"))
		return;
	attrs = *(const struct conv_attrs *)node->attrs;
	/* who builds a Conv may leave it out */
	if (!attrs.window.auto_pad)
		attrs.window.auto_pad = "NOTSET";
	w = edit_constant(edit, edit_in(edit, node, 1));
	if (!w || w->shape.rank < 3)
		return;
	pads.rank = (int)w->shape.rank;
	pad = pads_before(edit, node, &pads);
	if (!pad || fpclassify(pads.fill) != FP_ZERO ||
	    !pads_add(&pads, &attrs.window, list))
		return;
	for (int32_t i = 0; i < 3; i++)
		in[i] = edit_in(edit, i ? node : pad, i);
	build_row(&edit->build, node->op, &attrs, in, (unsigned)node->n_in,
		  &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_pad;
const struct pass pass_pad = {
	.name = "pad",
	.help = "folds Pad by zeros into the padding of Conv",
	.flags = PASS_LOAD,
	.run = run,
};
