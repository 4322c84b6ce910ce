/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Branches: an If whose condition is known before a run becomes its branch.
 */
#include "engine/graph_body.h"
#include "engine/planner_priv.h"

/* one a depth of nesting, and more where a condition follows from a branch */
enum { BRANCH_MAX_ROUNDS = 256 };

struct branches {
	struct graph *graph;
	struct arena *arena; /* of one round */
	int32_t *forward;    /* by value there was when the round began */
	int32_t n_value;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
}

/* The values of a body that no node makes. */
static enum err_code map_sources(struct branches *b,
				 const struct graph_node *node,
				 const struct graph *body, int32_t *map,
				 struct err *err)
{
	const int32_t first = node->n_in - node->n_captured;
	enum err_code rc = ERR_NONE;

	for (int32_t v = 0; v < body->n_value && !rc; v++) {
		const struct graph_value *value = &body->value[v];

		map[v] = VALUE_NONE;
		if (value->origin == ORIGIN_INPUT)
			map[v] =
			    graph_in(b->graph, node)[first + value->source];
		else if (value->origin == ORIGIN_CONST)
			rc = graph_add_constant(b->graph, value->name,
						&body->constant[value->source],
						&map[v], err);
	}
	return rc;
}

static enum err_code copy_node(struct branches *b, const struct graph *body,
			       const struct graph_node *from, int32_t *map,
			       struct err *err)
{
	const size_t n = (size_t)from->n_in + (size_t)from->n_out;
	int32_t *in = arena_array(b->arena, n + 1, sizeof(*in));
	int32_t *out;
	enum err_code rc;

	if (!in)
		return no_memory(err);
	out = in + from->n_in;
	for (int32_t i = 0; i < from->n_in; i++) {
		const int32_t value = graph_in(body, from)[i];

		in[i] = value == VALUE_NONE ? VALUE_NONE : map[value];
	}
	rc = graph_add_node(b->graph, from->op, from->name, from->attrs, in,
			    from->n_in, out, from->n_out, err);
	if (!rc && from->n_body)
		rc = graph_set_bodies(b->graph, from->body, from->n_captured,
				      err);
	for (int32_t i = 0; i < from->n_out && !rc; i++)
		if (graph_out(body, from)[i] != VALUE_NONE)
			map[graph_out(body, from)[i]] = out[i];
	return rc;
}

static enum err_code take_branch(struct branches *b, int32_t number,
				 bool condition, struct err *err)
{
	const struct graph_node node = b->graph->node[number];
	const struct graph *body = node.body[condition ? 0 : 1];
	int32_t *map =
	    arena_array(b->arena, (size_t)body->n_value + 1, sizeof(*map));
	enum err_code rc;

	if (!map)
		return no_memory(err);
	rc = map_sources(b, &node, body, map, err);
	for (int32_t i = 0; i < body->n_node && !rc; i++)
		if (body->node[i].op)
			rc = copy_node(b, body, &body->node[i], map, err);
	for (int32_t i = 0; i < node.n_out && !rc; i++) {
		const int32_t out = graph_out(b->graph, &node)[i];

		if (out != VALUE_NONE)
			b->forward[out] = map[body->output[i]];
	}
	b->graph->node[number].op = NULL;
	return rc;
}

static const struct fact *condition_of(const struct graph *graph,
				       const struct facts *facts, int32_t i)
{
	const struct graph_node *node = &graph->node[i];
	const struct fact *fact;

	if (!node->op || !op_is(node->op, "If"))
		return NULL;
	fact = &facts->fact[graph_in(graph, node)[0]];
	return fact->value && shape_count(&fact->shape) == 1 ? fact : NULL;
}

static enum err_code take_all(struct branches *b, const struct facts *facts,
			      bool *ret_any, struct err *err)
{
	const int32_t n_node = b->graph->n_node;
	enum err_code rc = ERR_NONE;

	b->n_value = b->graph->n_value;
	b->forward =
	    arena_array(b->arena, (size_t)b->n_value + 1, sizeof(*b->forward));
	if (!b->forward)
		return no_memory(err);
	for (int32_t i = 0; i < b->n_value; i++)
		b->forward[i] = i;
	for (int32_t i = 0; i < n_node && !rc; i++) {
		const struct fact *fact = condition_of(b->graph, facts, i);

		if (!fact)
			continue;
		*ret_any = true;
		rc = take_branch(b, i, *(const bool *)fact->value, err);
	}
	return rc;
}

static enum err_code forward_uses(struct branches *b, struct err *err)
{
	const int32_t n = b->graph->n_value;
	int32_t *all = arena_array(b->arena, (size_t)n + 1, sizeof(*all));

	if (!all)
		return no_memory(err);
	for (int32_t i = 0; i < n; i++)
		all[i] = i < b->n_value ? b->forward[i] : i;
	graph_forward_uses(b->graph, all);
	return graph_tidy(b->graph, err);
}

static enum err_code one_round(struct graph *graph, const struct fact *input,
			       bool *ret_any, struct err *err)
{
	struct branches b = { .graph = graph };
	struct facts *facts = NULL;
	enum err_code rc = facts_create(graph, input, &facts, err);

	*ret_any = false;
	if (rc)
		return rc;
	b.arena = arena_create(SIZE_MAX / 2);
	rc = b.arena ? take_all(&b, facts, ret_any, err) : no_memory(err);
	if (!rc && *ret_any)
		rc = forward_uses(&b, err);
	arena_destroy(b.arena);
	facts_destroy(facts);
	return rc;
}

static bool has_branches(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op && op_is(graph->node[i].op, "If"))
			return true;
	return false;
}

enum err_code plan_branches(struct graph *graph, const struct fact *input,
			    struct err *err)
{
	bool any = true;
	enum err_code rc = ERR_NONE;

	for (int round = 0;
	     any && !rc && has_branches(graph) && round < BRANCH_MAX_ROUNDS;
	     round++)
		rc = one_round(graph, input, &any, err);
	return rc;
}
