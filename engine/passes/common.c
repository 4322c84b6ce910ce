/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Common subexpressions: equal nodes over equal inputs become one, and so do
 * small constants with the same elements.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/passes/edit.h"

enum { CONSTANT_BYTES_MAX = 4096 };

/* Open addressing over nodes and values; slots hold a number + 1. */
struct table {
	int32_t *slot;
	uint32_t mask;
};

static bool table_init(struct table *table, struct arena *arena, int32_t n)
{
	uint32_t size = 16;

	while (size < 2 * (uint32_t)n)
		size *= 2;
	table->slot = arena_array(arena, size, sizeof(*table->slot));
	table->mask = size - 1;
	return table->slot;
}

static uint64_t mix(uint64_t hash, uint64_t x)
{
	hash = (hash ^ x) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static uint64_t hash_bytes(const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint64_t hash = n;

	for (size_t i = 0; i < n; i++)
		hash = mix(hash, at[i]);
	return hash;
}

/* --- constants --- */

static bool is_small(const struct tensor_view *view)
{
	return view->dtype != DTYPE_STRING &&
	       tensor_bytes(view->dtype, &view->shape) <= CONSTANT_BYTES_MAX;
}

static void join_constants(struct edit *edit, struct table *table)
{
	for (int32_t i = 0; i < edit->n_value; i++) {
		const struct tensor_view *view = edit_constant(edit, i);
		uint64_t hash;

		if (!view || !edit->reader[i] || !is_small(view))
			continue;
		hash = mix(hash_bytes(view->data,
				      tensor_bytes(view->dtype, &view->shape)),
			   view->dtype);
		for (uint32_t at = (uint32_t)hash;; at++) {
			int32_t *slot = &table->slot[at & table->mask];

			if (!*slot) {
				*slot = i + 1;
				break;
			}
			if (tensor_equal(view,
					 edit_constant(edit, *slot - 1))) {
				edit_forward(edit, i, *slot - 1);
				break;
			}
		}
	}
}

/* --- nodes --- */

static uint64_t hash_node(const struct edit *edit,
			  const struct graph_node *node)
{
	uint64_t hash = mix((uint64_t)(uintptr_t)node->op, node->epoch);

	for (int32_t i = 0; i < node->n_in; i++)
		hash = mix(hash, (uint64_t)edit_in(edit, node, i));
	return hash;
}

static bool is_same(const struct edit *edit, const struct graph_node *a,
		    const struct graph_node *b)
{
	if (a->op != b->op || a->epoch != b->epoch || a->n_in != b->n_in ||
	    a->n_out != b->n_out)
		return false;
	for (int32_t i = 0; i < a->n_in; i++)
		if (edit_in(edit, a, i) != edit_in(edit, b, i))
			return false;
	for (int32_t i = 0; i < a->n_out; i++)
		if ((graph_out(edit->graph, a)[i] == VALUE_NONE) !=
		    (graph_out(edit->graph, b)[i] == VALUE_NONE))
			return false;
	return op_attrs_equal(a->op, a->attrs, b->attrs);
}

static bool may_join(const struct graph_node *node)
{
	return node->op && !(node->op->flags & OP_IMPURE) && !node->n_body &&
	       !node->op->evaluate;
}

static void join_outputs(struct edit *edit, const struct graph_node *from,
			 const struct graph_node *to)
{
	for (int32_t i = 0; i < from->n_out; i++)
		if (graph_out(edit->graph, from)[i] != VALUE_NONE)
			edit_forward(edit, graph_out(edit->graph, from)[i],
				     graph_out(edit->graph, to)[i]);
}

static void join_nodes(struct edit *edit, struct table *table)
{
	const struct graph_node *nodes = edit->graph->node;

	for (int32_t i = 0; i < edit->n_node; i++) {
		const struct graph_node *node = &nodes[i];

		if (!may_join(node))
			continue;
		for (uint32_t at = (uint32_t)hash_node(edit, node);; at++) {
			int32_t *slot = &table->slot[at & table->mask];

			if (!*slot) {
				*slot = i + 1;
				break;
			}
			if (is_same(edit, node, &nodes[*slot - 1])) {
				join_outputs(edit, node, &nodes[*slot - 1]);
				break;
			}
		}
	}
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	struct table constants, nodes;
	struct edit edit;
	enum err_code rc = edit_init(&edit, context, err);

	if (rc)
		return rc;
	if (!table_init(&constants, context->arena, edit.n_value) ||
	    !table_init(&nodes, context->arena, edit.n_node))
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	join_constants(&edit, &constants);
	join_nodes(&edit, &nodes);
	return edit_finish(&edit, ret_changed, err);
}

extern const struct pass pass_common;
const struct pass pass_common = {
	.name = "common",
	.help = "computes what is computed twice once",
	.flags = PASS_LOAD,
	.run = run,
};
