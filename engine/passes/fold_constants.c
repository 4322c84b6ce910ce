/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Constants folded: nodes all of whose inputs are constants, run once here.
 *
 * facts.h says how large a result may be.
 */
#include "engine/facts.h"
#include "engine/node_call.h"
#include "engine/passes/edit.h"

static void fold_value(struct edit *edit, const struct facts *facts,
		       int32_t value)
{
	const struct fact *fact = &facts->fact[value];
	const struct tensor_view view = fact_view(fact);
	const size_t bytes = tensor_bytes(view.dtype, &view.shape);
	int32_t constant = VALUE_NONE;

	/* what does not fit is run, not refused */
	if (edit->build.code || bytes > edit->graph->max_bytes / 2 -
					    arena_used(edit->graph->arena) / 2)
		return;
	edit->build.code =
	    graph_copy_constant(edit->graph, edit->graph->value[value].name,
				&view, &constant, &edit->build.err);
	edit_forward(edit, value, constant);
}

static void fold_all(struct edit *edit, const struct facts *facts)
{
	for (int32_t i = 0; i < edit->n_node; i++) {
		const struct graph_node *node = &edit->graph->node[i];

		for (int32_t j = 0; j < node->n_out; j++) {
			const int32_t out = graph_out(edit->graph, node)[j];

			if (out != VALUE_NONE && edit->reader[out] &&
			    facts->fact[out].value)
				fold_value(edit, facts, out);
		}
	}
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	const struct graph *graph = context->graph;
	const struct fact *unknown = arena_array(
	    context->arena, (size_t)graph->n_input + 1, sizeof(*unknown));
	struct facts *facts = NULL;
	struct edit edit;
	struct err why;
	enum err_code rc;

	if (!unknown)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = facts_create(graph, unknown, &facts, &why);
	if (rc == ERR_NO_MEMORY)
		return err_set(err, rc, "%s", why.msg);
	/* what cannot be run may be in a branch that no run takes */
	if (rc)
		return ERR_NONE;
	rc = edit_init(&edit, context, err);
	if (!rc) {
		fold_all(&edit, facts);
		rc = edit_finish(&edit, ret_changed, err);
	}
	facts_destroy(facts);
	return rc;
}

extern const struct pass pass_fold_constants;
const struct pass pass_fold_constants = {
	.name = "fold_constants",
	.help = "runs nodes of constants once, at load",
	.flags = PASS_LOAD,
	.run = run,
};
