/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Folding: values that facts know become constants of the plan's own graph,
 * identities are left out, and so is what nobody needs after that.
 */
#include "engine/node_call.h"
#include "engine/planner_priv.h"

static bool is_same(const struct fact *a, const struct fact *b)
{
	return a->type.elem == b->type.elem &&
	       shape_equal(&a->shape, &b->shape);
}

/** Output 0 is input 0, byte for byte, and nothing else is made. */
static bool is_identity(const struct planner *p, const struct graph_node *node)
{
	const struct op *op = node->op;
	int32_t in, out;

	if (node->n_in < 1 || node->n_out != 1)
		return false;
	in = graph_in(p->graph, node)[0];
	out = graph_out(p->graph, node)[0];
	if (in == VALUE_NONE || out == VALUE_NONE ||
	    !is_same(&p->facts->fact[in], &p->facts->fact[out]))
		return false;
	return op->flags & OP_VIEW || op_is(op, "Cast") ||
	       op_is(op, "CastLike");
}

/** Dropout outside of training: a copy, as long as nobody reads its mask. */
static bool is_still_dropout(const struct planner *p,
			     const struct graph_node *node,
			     const int32_t *readers)
{
	const int32_t *in = graph_in(p->graph, node);
	const int32_t *out = graph_out(p->graph, node);
	const struct fact *training;

	if (!op_is(node->op, "Dropout"))
		return false;
	if (node->n_out > 1 && out[1] != VALUE_NONE && readers[out[1]])
		return false;
	if (node->n_in < 3 || in[2] == VALUE_NONE)
		return true;
	training = &p->facts->fact[in[2]];
	return training->value && !*(const bool *)training->value;
}

/** A constant with the known elements of `value`. */
static enum err_code make_constant(struct planner *p, int32_t value,
				   int32_t *ret, struct err *err)
{
	const struct fact fact = p->facts->fact[value];
	const struct tensor_view view = fact_view(&fact);
	enum err_code rc;

	rc = graph_add_constant(p->graph, p->graph->value[value].name, &view,
				ret, err);
	if (!rc)
		rc = facts_set(p->facts, *ret, &fact, err);
	return rc;
}

static enum err_code fold_node(struct planner *p, const struct graph_node *node,
			       int32_t *readers, int32_t *forward,
			       struct err *err)
{
	const int32_t *out = graph_out(p->graph, node);
	enum err_code rc = ERR_NONE;

	if (node->op->flags & OP_IMPURE)
		return ERR_NONE;
	if (is_identity(p, node) || is_still_dropout(p, node, readers)) {
		forward[out[0]] = graph_in(p->graph, node)[0];
		return ERR_NONE;
	}
	for (int32_t j = 0; j < node->n_out && !rc; j++) {
		int32_t value = graph_out(p->graph, node)[j];

		if (value != VALUE_NONE && readers[value] &&
		    p->facts->fact[value].value)
			rc = make_constant(p, value, &forward[value], err);
	}
	return rc;
}

enum err_code plan_fold(struct planner *p, struct err *err)
{
	struct graph *graph = p->graph;
	const int32_t n_node = graph->n_node, n_value = graph->n_value;
	/* every value may become one constant more */
	const size_t n = 2 * (size_t)n_value + 1;
	int32_t *forward = arena_array(p->arena, n, sizeof(*forward));
	int32_t *readers = arena_array(p->arena, n, sizeof(*readers));
	enum err_code rc = ERR_NONE;

	if (!forward || !readers)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (size_t i = 0; i < n; i++)
		forward[i] = (int32_t)i;
	graph_count_readers(graph, readers);
	for (int32_t i = 0; i < n_node && !rc; i++) {
		const struct graph_node node = graph->node[i];

		if (node.op)
			rc = fold_node(p, &node, readers, forward, err);
	}
	if (rc)
		return rc;
	graph_forward_uses(graph, forward);
	return graph_tidy(graph, err);
}
