/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Areas: who lies where, before anything has an address.
 *
 * Every value that somebody reads lies in an area; areas are joined into one
 * another while aliases are found, as a forest with shortened paths. A root
 * keeps the list of its values.
 */
#include "engine/planner_priv.h"

int32_t area_add(struct planner *p, size_t bytes, int32_t first, int32_t last)
{
	struct area *area = &p->areas[p->n_areas];

	*area = (struct area){
		.parent = -1,
		.bytes = bytes,
		.first = first,
		.last = last,
		.head = -1,
		.tail = -1,
	};
	return p->n_areas++;
}

int32_t area_root(struct planner *p, int32_t area, size_t *ret_at)
{
	struct area *a = &p->areas[area];
	size_t at = 0;

	while (a->parent >= 0) {
		struct area *up = &p->areas[a->parent];

		if (up->parent >= 0) { /* shortens the path */
			a->shift += up->shift;
			a->parent = up->parent;
		} else {
			at += a->shift;
			area = a->parent;
			a = up;
		}
	}
	*ret_at = at;
	return area;
}

int32_t value_root(struct planner *p, int32_t value, size_t *ret_at)
{
	int32_t root = area_root(p, p->area[value], ret_at);

	*ret_at += p->at[value];
	return root;
}

void area_put(struct planner *p, int32_t area, size_t at, int32_t value)
{
	struct area *root;
	size_t shift;

	p->area[value] = area;
	p->at[value] = at;
	p->next[value] = -1;
	root = &p->areas[area_root(p, area, &shift)];
	if (root->tail < 0)
		root->head = value;
	else
		p->next[root->tail] = value;
	root->tail = value;
}

void area_join(struct planner *p, int32_t root, int32_t into, size_t shift)
{
	struct area *a = &p->areas[root], *b = &p->areas[into];

	a->parent = into;
	a->shift = shift;
	if (b->first > a->first)
		b->first = a->first;
	if (b->last < a->last)
		b->last = a->last;
	if (a->head < 0)
		return;
	if (b->tail < 0)
		b->head = a->head;
	else
		p->next[b->tail] = a->head;
	b->tail = a->tail;
	a->head = a->tail = -1;
}

void copy_add(struct planner *p, const struct copy *copy)
{
	if (copy->bytes)
		p->copy[p->n_copies++] = *copy;
}

static void later(int32_t *time, int32_t other)
{
	if (*time < other)
		*time = other;
}

/** When each value is made and read for the last time. */
static void find_times(struct planner *p)
{
	const struct graph *graph = p->graph;

	for (int32_t v = 0; v < graph->n_value; v++)
		p->dies[v] = -1;
	for (int32_t i = 0; i < p->n_order; i++) {
		const int32_t number = p->order[i];
		const struct graph_node *node = &graph->node[number];

		p->time[number] = i + 1;
		for (int32_t j = 0; j < node->n_in; j++) {
			int32_t v = graph_in(graph, node)[j];

			if (v != VALUE_NONE)
				later(&p->dies[v], i + 1);
		}
		for (int32_t j = 0; j < node->n_out; j++) {
			int32_t v = graph_out(graph, node)[j];

			if (v != VALUE_NONE)
				p->born[v] = i + 1;
		}
	}
	for (int32_t i = 0; i < graph->n_assign; i++)
		later(&p->dies[graph->assign[i].value], time_assign(p));
	for (int32_t i = 0; i < graph->n_output; i++)
		if (graph->value[graph->output[i]].origin == ORIGIN_NODE)
			later(&p->dies[graph->output[i]], time_end(p));
}

static enum err_code check_variable(const struct variable *variable,
				    struct err *err)
{
	if (variable->view.data || !shape_count(&variable->view.shape))
		return ERR_NONE;
	return err_set(err, ERR_INVALID, "variable '%s' has no memory",
		       variable->name);
}

/** Areas of what exists before a run: inputs, constants, variables. */
static enum err_code put_sources(struct planner *p, struct err *err)
{
	const struct graph *graph = p->graph;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < graph->n_variable && !rc; i++) {
		const struct tensor_view *view = &graph->variable[i].view;
		size_t bytes = tensor_bytes(view->dtype, &view->shape);

		rc = check_variable(&graph->variable[i], err);
		p->variable_area[i] = area_add(p, bytes, 0, time_end(p));
		p->areas[p->variable_area[i]].fixed = view->data;
	}
	for (int32_t v = 0; v < graph->n_value && !rc; v++) {
		const struct graph_value *value = &graph->value[v];
		int32_t area;

		if (value->origin == ORIGIN_NODE)
			continue;
		area = value->origin == ORIGIN_VARIABLE
			   ? p->variable_area[value->source]
			   : area_add(p, fact_bytes(p, v), 0, time_end(p));
		if (value->origin == ORIGIN_CONST)
			p->areas[area].fixed =
			    graph->constant[value->source].data;
		p->areas[area].is_input = value->origin == ORIGIN_INPUT;
		area_put(p, area, 0, v);
	}
	return rc;
}

/** A slot for each output that no node makes, filled at the start. */
static void put_outputs(struct planner *p)
{
	for (int32_t i = 0; i < p->graph->n_output; i++) {
		int32_t v = p->graph->output[i];
		size_t bytes;

		p->output_area[i] = -1;
		if (p->graph->value[v].origin == ORIGIN_NODE)
			continue;
		bytes = fact_bytes(p, v);
		p->output_area[i] = area_add(p, bytes, 0, time_end(p));
		copy_add(p, &(struct copy){ .from = p->area[v],
					    .to = p->output_area[i],
					    .bytes = bytes,
					    .node = -1 });
	}
}

static enum err_code allocate(struct planner *p, struct err *err)
{
	const struct graph *graph = p->graph;
	const size_t n_value = (size_t)graph->n_value + 1;
	const size_t n_node = (size_t)graph->n_node + 1;
	const size_t n_variable = (size_t)graph->n_variable + 1;
	const size_t n_output = (size_t)graph->n_output + 1;
	const size_t n_assign = (size_t)graph->n_assign + 1;
	/* values, variables, outputs, a saved value an assign, scratches */
	const size_t n_area =
	    n_value + n_variable + n_output + n_assign + n_node;
	const size_t n_copy = (size_t)graph->n_edge + n_output + 2 * n_assign;
	struct arena *arena = p->arena;

	p->time = arena_array(arena, n_node, sizeof(int32_t));
	p->fate = arena_array(arena, n_node, sizeof(*p->fate));
	p->step = arena_array(arena, n_node, sizeof(*p->step));
	p->scratch = arena_array(arena, n_node, sizeof(int32_t));
	p->born = arena_array(arena, n_value, sizeof(int32_t));
	p->dies = arena_array(arena, n_value, sizeof(int32_t));
	p->area = arena_array(arena, n_value, sizeof(int32_t));
	p->next = arena_array(arena, n_value, sizeof(int32_t));
	p->at = arena_array(arena, n_value, sizeof(size_t));
	p->areas = arena_array(arena, n_area, sizeof(*p->areas));
	p->variable_area = arena_array(arena, n_variable, sizeof(int32_t));
	p->output_area = arena_array(arena, n_output, sizeof(int32_t));
	p->copy = arena_array(arena, n_copy, sizeof(*p->copy));
	if (p->time && p->fate && p->step && p->scratch && p->born && p->dies &&
	    p->area && p->next && p->at && p->areas && p->variable_area &&
	    p->output_area && p->copy)
		return ERR_NONE;
	return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
}

enum err_code plan_areas(struct planner *p, struct err *err)
{
	enum err_code rc = allocate(p, err);

	if (rc)
		return rc;
	for (int32_t v = 0; v < p->graph->n_value; v++)
		p->area[v] = -1;
	find_times(p);
	rc = put_sources(p, err);
	if (rc)
		return rc;
	put_outputs(p);
	for (int32_t v = 0; v < p->graph->n_value; v++)
		if (p->graph->value[v].origin == ORIGIN_NODE && p->dies[v] >= 0)
			area_put(p,
				 area_add(p, fact_bytes(p, v), p->born[v],
					  p->dies[v]),
				 0, v);
	return ERR_NONE;
}
