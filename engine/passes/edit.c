/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/edit.h"

#include <math.h>
#include <string.h>

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "out of memory");
}

enum err_code edit_init(struct edit *edit, const struct pass_context *context,
			struct err *err)
{
	struct graph *graph = context->graph;
	const size_t n = (size_t)graph->n_value + 1;

	*edit = (struct edit){
		.graph = graph,
		.arena = context->arena,
		.n_node = graph->n_node,
		.n_value = graph->n_value,
		.reader = arena_array(context->arena, n, sizeof(int32_t)),
		.forward = arena_array(context->arena, n, sizeof(int32_t)),
		.rank = rank_of_values(context),
	};
	build_init(&edit->build, graph, context->facts);
	if (!edit->reader || !edit->forward || !edit->rank)
		return no_memory(err);
	graph_count_readers(graph, edit->reader);
	for (int32_t i = 0; i < edit->n_value; i++)
		edit->forward[i] = i;
	return ERR_NONE;
}

enum err_code edit_finish(struct edit *edit, bool *ret_changed, struct err *err)
{
	const int32_t n = edit->graph->n_value;
	int32_t *all;
	enum err_code rc = build_check(&edit->build, err);

	if (rc)
		return rc;
	*ret_changed = edit->changed;
	if (!edit->changed)
		return ERR_NONE;
	all = arena_array(edit->arena, (size_t)n + 1, sizeof(*all));
	if (!all)
		return no_memory(err);
	for (int32_t i = 0; i < n; i++)
		all[i] = i < edit->n_value ? edit->forward[i] : i;
	graph_forward_uses(edit->graph, all);
	return graph_tidy(edit->graph, err);
}

enum err_code edit_walk(const struct pass_context *context,
			void (*visit)(struct edit *edit,
				      const struct graph_node *node),
			bool *ret_changed, struct err *err)
{
	struct edit edit;
	enum err_code rc = edit_init(&edit, context, err);

	for (int32_t i = 0; i < edit.n_node && !rc; i++) {
		/* a copy: what visit() builds may move the nodes */
		const struct graph_node node = edit.graph->node[i];

		visit(&edit, &node);
	}
	return rc ? rc : edit_finish(&edit, ret_changed, err);
}

int32_t edit_see(const struct edit *edit, int32_t value)
{
	while (value != VALUE_NONE && value < edit->n_value &&
	       edit->forward[value] != value)
		value = edit->forward[value];
	return value;
}

void edit_forward(struct edit *edit, int32_t from, int32_t to)
{
	if (to == VALUE_NONE)
		return;
	/* those who read `from` read `to` besides its own readers */
	if (to < edit->n_value)
		edit->reader[to] += edit->reader[from];
	edit->forward[from] = to;
	edit->changed = true;
}

const struct graph_node *edit_producer(const struct edit *edit, int32_t value)
{
	if (value == VALUE_NONE || value >= edit->n_value)
		return NULL;
	return graph_producer(edit->graph, value);
}

const struct graph_node *edit_own_producer(const struct edit *edit,
					   int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);

	return node && edit->reader[value] == 1 ? node : NULL;
}

bool edit_is_single(const struct edit *edit, const struct graph_node *node)
{
	for (int32_t i = 1; i < node->n_out; i++) {
		const int32_t out = graph_out(edit->graph, node)[i];

		if (out != VALUE_NONE && edit->reader[out])
			return false;
	}
	return true;
}

const struct tensor_view *edit_constant(const struct edit *edit, int32_t value)
{
	const struct graph *graph = edit->graph;

	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_CONST)
		return NULL;
	return &graph->constant[graph->value[value].source];
}

bool edit_uniform(const struct edit *edit, int32_t value, double *ret)
{
	const struct tensor_view *view = edit_constant(edit, value);
	size_t n, size;

	if (!view || dtype_info(view->dtype)->arith == DTYPE_NONE)
		return false;
	n = (size_t)shape_count(&view->shape);
	size = dtype_info(view->dtype)->size;
	if (!n)
		return false;
	for (size_t i = 1; i < n; i++)
		if (memcmp(view->data, (const char *)view->data + i * size,
			   size) != 0)
			return false;
	dtype_convert(view->dtype, view->data, DTYPE_F64, ret, 1, false);
	return isfinite(*ret);
}

struct rank edit_rank(const struct edit *edit, int32_t value)
{
	const struct tensor_view *view = edit_constant(edit, value);

	if (view)
		return (struct rank){ .least = (int)view->shape.rank,
				      .is_exact = true };
	if (value == VALUE_NONE || value >= edit->n_value)
		return (struct rank){ 0 };
	return edit->rank[value];
}

enum dtype edit_elem(const struct edit *edit, int32_t value)
{
	return value == VALUE_NONE ? DTYPE_NONE
				   : edit->graph->value[value].type.elem;
}

bool edit_is(const struct graph_node *node, const char *name)
{
	return node && node->op && !node->op->domain[0] &&
	       !strcmp(node->op->name, name);
}
