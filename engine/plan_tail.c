/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tail: the nodes that only a run can shape, cut off into a graph of their
 * own.
 *
 * A node is late when a result has no shape before a run: it reads such a
 * value, its shape hangs on elements that a run makes, or it has bodies. What
 * late nodes read of the others becomes an input of the tail: a graph input,
 * a constant where it is known, else one more output of the static part.
 */
#include "engine/planner_priv.h"

struct cut {
	struct plan *plan;
	struct graph *graph, *tail;
	bool *is_late;	   /* by node */
	bool *is_crossing; /* by value: an input of the tail already */
};

static bool is_late_node(const struct plan *plan, const struct graph_node *node)
{
	if (node->n_body || node->op->evaluate || plan->graph->n_assign)
		return true;
	for (int32_t j = 0; j < node->n_out; j++) {
		const int32_t v = graph_out(plan->graph, node)[j];

		if (v != VALUE_NONE && !plan->facts->fact[v].has_shape)
			return true;
	}
	return false;
}

bool plan_needs_tail(const struct plan *plan)
{
	const struct graph *graph = plan->graph;

	for (int32_t i = 0; i < graph->n_node; i++)
		if (!graph->n_assign ? is_late_node(plan, &graph->node[i])
				     : graph->node[i].n_body > 0 ||
					   graph->node[i].op->evaluate)
			return true;
	return false;
}

static bool is_made_late(const struct cut *cut, int32_t value)
{
	const struct graph_value *row = &cut->graph->value[value];

	return row->origin == ORIGIN_NODE && row->source >= 0 &&
	       cut->is_late[row->source];
}

static enum err_code allocate(struct cut *cut, struct err *err)
{
	struct plan *plan = cut->plan;
	struct graph *tail = cut->tail;
	const size_t n_value = (size_t)cut->graph->n_value + 1;
	const size_t n_output = (size_t)cut->graph->n_output + 1;
	struct tensor_view *constant;

	cut->is_late = arena_array(plan->arena, (size_t)cut->graph->n_node + 1,
				   sizeof(bool));
	cut->is_crossing = arena_array(plan->arena, n_value, sizeof(bool));
	plan->tail_input =
	    arena_array(plan->arena, n_value, sizeof(*plan->tail_input));
	plan->place = arena_array(plan->arena, n_output, sizeof(*plan->place));
	tail->input = arena_array(tail->arena, n_value, sizeof(int32_t));
	tail->output = arena_array(tail->arena, n_output, sizeof(int32_t));
	constant = arena_array(tail->arena, n_value + (size_t)tail->n_constant,
			       sizeof(*constant));
	cut->graph->output =
	    arena_array(cut->graph->arena, n_value + n_output, sizeof(int32_t));
	if (!cut->is_late || !cut->is_crossing || !plan->tail_input ||
	    !plan->place || !tail->input || !tail->output || !constant ||
	    !cut->graph->output)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	if (tail->n_constant)
		memcpy(constant, tail->constant,
		       (size_t)tail->n_constant * sizeof(*constant));
	tail->constant = constant;
	tail->n_input = tail->n_output = cut->graph->n_output = 0;
	/* what is appended goes into new lists */
	tail->cap_input = tail->cap_output = tail->cap_constant = 0;
	cut->graph->cap_output = 0;
	return ERR_NONE;
}

/* A value that a late node reads and no late node makes. */
static void cross(struct cut *cut, int32_t value)
{
	const struct fact *fact = &cut->plan->facts->fact[value];
	struct graph *tail = cut->tail;
	struct graph_value *row = &tail->value[value];
	struct tail_place *place = &cut->plan->tail_input[tail->n_input];

	if (row->origin == ORIGIN_CONST || row->origin == ORIGIN_VARIABLE ||
	    cut->is_crossing[value] || is_made_late(cut, value))
		return;
	cut->is_crossing[value] = true;
	if (row->origin == ORIGIN_NODE && fact->value) {
		row->origin = ORIGIN_CONST;
		row->source = tail->n_constant;
		tail->constant[tail->n_constant++] = (struct tensor_view){
			.data = shape_count(&fact->shape)
				    ? plan_bytes(fact->value)
				    : NULL,
			.dtype = fact->type.elem,
			.shape = fact->shape,
		};
		return;
	}
	if (row->origin == ORIGIN_INPUT) {
		*place = (struct tail_place){ TAIL_FROM_INPUT, row->source };
	} else {
		*place = (struct tail_place){ TAIL_FROM_STEPS,
					      cut->graph->n_output };
		cut->graph->output[cut->graph->n_output++] = value;
	}
	row->origin = ORIGIN_INPUT;
	row->source = tail->n_input;
	tail->input[tail->n_input++] = value;
}

static void place_outputs(struct cut *cut, const int32_t *output, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		struct tail_place *place = &cut->plan->place[i];
		const bool late =
		    cut->graph->n_assign || is_made_late(cut, output[i]);
		struct graph *to = late ? cut->tail : cut->graph;

		*place = (struct tail_place){ late ? TAIL_FROM_TAIL
						   : TAIL_FROM_STEPS,
					      to->n_output };
		to->output[to->n_output++] = output[i];
	}
}

static void cross_all(struct cut *cut)
{
	const struct graph *graph = cut->graph;

	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; cut->is_late[i] && j < node->n_in; j++)
			if (graph_in(graph, node)[j] != VALUE_NONE)
				cross(cut, graph_in(graph, node)[j]);
	}
	for (int32_t i = 0; i < cut->tail->n_output; i++)
		cross(cut, cut->tail->output[i]);
	for (int32_t i = 0; i < graph->n_assign; i++)
		cross(cut, graph->assign[i].value);
}

/* The nodes of each part; the other's are dead in it. */
static void part_nodes(struct cut *cut)
{
	for (int32_t i = 0; i < cut->graph->n_node; i++) {
		struct graph *without =
		    cut->is_late[i] ? cut->graph : cut->tail;

		without->node[i].op = NULL;
	}
	cut->graph->n_assign = 0; /* the tail's, where there are any */
}

enum err_code plan_cut_tail(struct plan *plan, struct err *err)
{
	struct cut cut = { .plan = plan, .graph = plan->graph };
	const int32_t *output = plan->graph->output;
	const int32_t n_output = plan->graph->n_output;
	enum err_code rc = graph_clone(plan->graph, &plan->tail, err);

	if (rc)
		return rc;
	cut.tail = plan->tail;
	rc = allocate(&cut, err);
	if (rc)
		return rc;
	plan->n_output = n_output;
	plan->output_value = output;
	for (int32_t i = 0; i < plan->graph->n_node; i++)
		cut.is_late[i] = is_late_node(plan, &plan->graph->node[i]);
	place_outputs(&cut, output, n_output);
	cross_all(&cut);
	part_nodes(&cut);
	rc = graph_tidy(plan->tail, err);
	return rc ? rc : graph_tidy(plan->graph, err);
}
