/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/train_tables.h"

#include <string.h>

#include "engine/op.h"

static bool is_op(const struct graph_node *node, const char *name)
{
	return node && node->op && !node->op->domain[0] &&
	       !strcmp(node->op->name, name);
}

static int64_t axis_of(const struct graph_node *node)
{
	for (const struct op_attr *a = node->op->attrs; a && a->name; a++) {
		int64_t axis;

		if (strcmp(a->name, "axis") != 0)
			continue;
		memcpy(&axis, (const char *)node->attrs + a->offset,
		       sizeof(axis));
		return axis;
	}
	return 0;
}

/* What is picked from, behind what drops of it or only passes it on. */
static int32_t source_of(const struct graph *graph, int32_t value)
{
	const struct graph_node *node = graph_producer(graph, value);

	while (is_op(node, "Dropout") || is_op(node, "Identity")) {
		value = graph_in(graph, node)[0];
		node = graph_producer(graph, value);
	}
	return value;
}

void train_tables(const struct graph *graph, int64_t *ret_width)
{
	for (int32_t v = 0; v < graph->n_variable; v++)
		ret_width[v] = 0;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		const struct variable *variable;
		int32_t value;

		if (!is_op(node, "Gather") || axis_of(node) != 0)
			continue;
		value = source_of(graph, graph_in(graph, node)[0]);
		if (graph->value[value].origin != ORIGIN_VARIABLE)
			continue;
		variable = &graph->variable[graph->value[value].source];
		if (variable->role == ROLE_PARAM &&
		    variable->view.dtype == DTYPE_F32 &&
		    variable->view.shape.rank == 2)
			ret_width[graph->value[value].source] =
			    variable->view.shape.dim[1];
	}
}
