/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Scan of opset 8: a batch on the first axis of everything, with lengths of
 * its rows as the first input. It stays an operator of its own.
 */
#include "engine/spelling.h"

static enum err_code lower_scan(struct lower *lower, struct err *err)
{
	const struct spelling_node *node = lower->node;
	struct build *build = lower->build;
	const struct op *op = op_find("predictd", "ScanBatch");
	const void *attrs = NULL;
	enum err_code rc =
	    op_attrs_read(op->attrs, op->attrs_size, node->attrs,
			  node->node_name, build->graph->arena, &attrs, err);

	return rc ? rc
		  : graph_add_node(build->graph, op, node->node_name, attrs,
				   node->in, (int32_t)node->n_in, node->out,
				   (int32_t)node->n_out, err);
}

const struct spelling spellings_scan[] = {
	{ .domain = "",
	  .name = "Scan",
	  .from = 8,
	  .to = 8,
	  .lower = lower_scan },
	{ 0 },
};
