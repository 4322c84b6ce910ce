/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Dead code: nodes that neither outputs nor assigns need.
 */
#include "engine/passes/pass.h"

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	struct graph *graph = context->graph;
	const int32_t n_node = graph->n_node;
	enum err_code rc = graph_tidy(graph, err);

	*ret_changed = graph->n_node != n_node;
	return rc;
}

extern const struct pass pass_dead_code;
const struct pass pass_dead_code = {
	.name = "dead_code",
	.help = "drops nodes that no output needs",
	.flags = PASS_LOAD,
	.run = run,
};
