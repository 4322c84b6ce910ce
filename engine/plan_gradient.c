/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradient nodes before a plan: each is replaced by what autodiff appends.
 * One at a time, with the order restored behind it, so that the gradient of a
 * gradient finds nodes alone.
 */
#include "engine/autodiff.h"
#include "engine/planner_priv.h"

/* Node number, or -1. */
static int32_t find_gradient(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op == op_find("predictd", "Gradient"))
			return i;
	return -1;
}

/* 1 in every element of y. */
static int32_t build_seed(struct build *build, int32_t y)
{
	const struct fact fact = *build_fact(build, y);

	return build_2(build, "Expand", build_scalar(build, fact.type.elem, 1),
		       build_ints(build, fact.shape.dim, fact.shape.rank));
}

/* grad[i] in place of result i; zeros where y does not depend on it. */
static void forward_results(struct build *build, const struct graph_node *node,
			    int32_t *grad, int32_t *forward)
{
	for (int32_t i = 0; i < node->n_out; i++) {
		const int32_t out = graph_out(build->graph, node)[i];
		const int32_t x = graph_in(build->graph, node)[i + 1];

		if (out == VALUE_NONE)
			continue;
		if (grad[i] == VALUE_NONE)
			grad[i] = build_2(build, "Sub", x, x);
		forward[out] = grad[i];
	}
}

static enum err_code expand_gradient(struct planner *p, int32_t number,
				     struct err *err)
{
	struct graph *graph = p->graph;
	const struct graph_node node = graph->node[number];
	const int32_t n = graph->n_value;
	int32_t *list = arena_array(p->arena, 2 * (size_t)node.n_in + (size_t)n,
				    sizeof(*list));
	int32_t *grad, *forward, *all;
	struct build build;
	enum err_code rc;

	if (!list)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	grad = list + node.n_in;
	forward = grad + node.n_in;
	memcpy(list, graph_in(graph, &node), (size_t)node.n_in * sizeof(*list));
	for (int32_t i = 0; i < n; i++)
		forward[i] = i;
	build_init(&build, graph, p->facts);
	build.prefix = node.name;
	rc = autodiff(&build, list[0], build_seed(&build, list[0]), list + 1,
		      (size_t)node.n_in - 1, grad, err);
	if (rc)
		return err_prefix(err, "node '%s' (Gradient)", node.name);
	forward_results(&build, &node, grad, forward);
	rc = build_check(&build, err);
	if (rc)
		return rc;
	all = arena_array(p->arena, (size_t)graph->n_value, sizeof(*all));
	if (!all)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (int32_t i = 0; i < graph->n_value; i++)
		all[i] = i < n ? forward[i] : i;
	graph->node[number].op = NULL;
	graph_forward_uses(graph, all);
	return graph_tidy(graph, err);
}

enum err_code plan_gradients(struct planner *p, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = find_gradient(p->graph); i >= 0 && !rc;
	     i = find_gradient(p->graph))
		rc = expand_gradient(p, i, err);
	return rc;
}
