/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A file's graph made fit for training: any number of rows, and no variable
 * that nobody reads.
 */
#include "base/mem.h"
#include "models/network_priv.h"

/* --- rows --- */

/* Which values follow from the inputs. */
static void mark_reached(const struct graph *graph, bool *reached)
{
	for (int32_t i = 0; i < graph->n_input; i++)
		reached[graph->input[i]] = true;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		bool is = false;

		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t in = graph_in(graph, node)[j];

			is = is || (in != VALUE_NONE && reached[in]);
		}
		for (int32_t j = 0; j < node->n_out; j++)
			if (graph_out(graph, node)[j] != VALUE_NONE)
				reached[graph_out(graph, node)[j]] = is;
	}
}

/* The shape of a Reshape that says "one row" where its operand has one. NULL:
 * it says nothing of the kind. */
static const int64_t *written_rows(const struct graph *graph,
				   const struct facts *facts,
				   const struct graph_node *node,
				   const bool *reached)
{
	const struct fact *data, *shape;
	const int32_t *in = graph_in(graph, node);

	if (!node->op || strcmp(node->op->name, "Reshape") != 0 ||
	    *node->op->domain || !reached[in[0]] || reached[in[1]])
		return NULL;
	data = &facts->fact[in[0]];
	shape = &facts->fact[in[1]];
	if (!data->has_shape || !data->shape.rank || data->shape.dim[0] != 1 ||
	    !shape->value || !shape_count(&shape->shape))
		return NULL;
	return *(const int64_t *)shape->value == 1 ? shape->value : NULL;
}

/* 0 stands for the extent of the operand. */
static enum err_code free_rows(struct graph *graph,
			       const struct graph_node *node,
			       const int64_t *written, int64_t n,
			       struct err *err)
{
	int64_t shape[SHAPE_MAX_RANK];
	const struct tensor_view view = { .data = shape,
					  .dtype = DTYPE_I64,
					  .shape = { 1, { n } } };
	int32_t value;
	enum err_code rc;

	memcpy(shape, written, (size_t)n * sizeof(*shape));
	shape[0] = 0;
	rc = graph_copy_constant(graph, NULL, &view, &value, err);
	if (rc)
		return rc;
	graph->value[value].type.elem = DTYPE_I64;
	graph->edge[node->first_in + 1] = value;
	return ERR_NONE;
}

enum err_code network_free_batch(struct graph *graph, const struct fact *input,
				 struct err *err)
{
	bool *reached = mem_array((size_t)graph->n_value + 1, sizeof(*reached));
	struct facts *facts = NULL;
	enum err_code rc;

	if (!reached)
		return network_no_memory(err);
	memset(reached, 0, (size_t)graph->n_value * sizeof(*reached));
	mark_reached(graph, reached);
	rc = facts_create(graph, input, &facts, err);
	for (int32_t i = 0; i < graph->n_node && !rc; i++) {
		const struct graph_node *node = &graph->node[i];
		const int64_t *written =
		    written_rows(graph, facts, node, reached);

		if (written)
			rc = free_rows(
			    graph, node, written,
			    facts->fact[graph_in(graph, node)[1]].shape.dim[0],
			    err);
	}
	facts_destroy(facts);
	mem_free(reached);
	return rc;
}

/* --- variables --- */

/* to[i]: the new number of variable i, -1: nobody reads it. */
static int32_t number_variables(const struct graph *graph,
				const int32_t *readers, int32_t *to)
{
	int32_t n = 0;

	for (int32_t i = 0; i < graph->n_variable; i++)
		to[i] = -1;
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin == ORIGIN_VARIABLE && readers[i])
			to[graph->value[i].source] = 0;
	for (int32_t i = 0; i < graph->n_variable; i++)
		if (to[i] == 0)
			to[i] = n++;
	return n;
}

enum err_code network_drop_unused(struct graph *graph, struct err *err)
{
	int32_t *readers =
	    mem_array((size_t)graph->n_value + 1, sizeof(*readers));
	int32_t *to = mem_array((size_t)graph->n_variable + 1, sizeof(*to));
	enum err_code rc = ERR_NONE;
	int32_t n;

	if (!readers || !to) {
		rc = network_no_memory(err);
		goto out;
	}
	graph_count_readers(graph, readers);
	n = number_variables(graph, readers, to);
	for (int32_t i = 0; i < graph->n_value; i++) {
		struct graph_value *value = &graph->value[i];

		if (value->origin != ORIGIN_VARIABLE)
			continue;
		value->source = to[value->source];
		if (value->source < 0)
			value->origin = ORIGIN_NODE; /* of a dropped one */
	}
	for (int32_t i = 0; i < graph->n_variable; i++)
		if (to[i] >= 0)
			graph->variable[to[i]] = graph->variable[i];
	graph->n_variable = n;
out:
	mem_free(readers);
	mem_free(to);
	return rc;
}
