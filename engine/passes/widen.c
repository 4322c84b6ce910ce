/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/widen.h"

#include <string.h>

#include "engine/attr.h"

struct widen {
	struct graph *graph;
	struct arena *arena; /* for this pass */
	int32_t n_value;     /* of the graph as it was */
	int32_t *wide;	  /* by old value: the same in its wide type, or NONE */
	int32_t *forward; /* by value: what replaces it */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "widen: out of memory");
}

static enum dtype elem_of(const struct widen *widen, int32_t value)
{
	return value == VALUE_NONE ? DTYPE_NONE
				   : widen->graph->value[value].type.elem;
}

static enum dtype wide_of(enum dtype elem)
{
	const enum dtype wide = dtype_info(elem)->arith;

	return wide == DTYPE_NONE ? elem : wide;
}

/* A node that only moves elements, all of which were made wide: it may as well
 * move those, and what reads it needs no cast. */
static bool moves_wide(const struct widen *widen, const struct graph_node *node)
{
	const int32_t *in = graph_in(widen->graph, node);
	bool found = false;

	if (!(node->op->flags & (OP_MOVES | OP_VIEW)))
		return false;
	for (int32_t i = 0; i < node->n_in; i++) {
		const enum dtype elem = elem_of(widen, in[i]);

		if (wide_of(elem) == elem)
			continue;
		if (wide_of(elem) != DTYPE_F32 ||
		    widen->wide[in[i]] == VALUE_NONE)
			return false;
		found = true;
	}
	return found;
}

/* Kernels of this node would meet a type that they do not know. */
static bool is_narrow(const struct widen *widen, const struct graph_node *node)
{
	const unsigned free_of_types = OP_MOVES | OP_ANY_TYPE | OP_VIEW;
	const int32_t *in = graph_in(widen->graph, node);

	if (!node->op || node->n_body > 0)
		return false;
	if (node->op->flags & free_of_types)
		return moves_wide(widen, node);
	for (int32_t i = 0; i < node->n_in; i++)
		if (wide_of(elem_of(widen, in[i])) != elem_of(widen, in[i]))
			return true;
	return false;
}

static enum err_code add_cast(struct widen *widen, int32_t value, enum dtype to,
			      int32_t *ret, struct err *err)
{
	const struct op *op = op_find("", "Cast");
	const struct op_attr *row = op_attr_find(op->attrs, "to");
	const int64_t number = to;
	char *attrs = arena_alloc(widen->arena, op->attrs_size);

	if (!attrs)
		return no_memory(err);
	op_attr_defaults(op->attrs, attrs);
	memcpy(attrs + row->offset, &number, sizeof(number));
	return graph_add_node(widen->graph, op, widen->graph->value[value].name,
			      attrs, &value, 1, ret, 1, err);
}

/* The wide form of each input, made once. */
static enum err_code widen_inputs(struct widen *widen,
				  const struct graph_node *node, int32_t *in,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < node->n_in && !rc; i++) {
		const int32_t value = graph_in(widen->graph, node)[i];
		const enum dtype elem = elem_of(widen, value);

		in[i] = value;
		if (wide_of(elem) == elem)
			continue;
		if (widen->wide[value] == VALUE_NONE)
			rc = add_cast(widen, value, wide_of(elem),
				      &widen->wide[value], err);
		in[i] = widen->wide[value];
	}
	return rc;
}

/* Who needs an old result in its own type gets a cast; tidying drops it where
 * all readers took the wide one. */
static enum err_code forward_outputs(struct widen *widen,
				     const struct graph_node *node,
				     const int32_t *out, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < node->n_out && !rc; i++) {
		const int32_t old = graph_out(widen->graph, node)[i];
		const enum dtype elem = elem_of(widen, old);

		if (old == VALUE_NONE)
			continue;
		widen->forward[old] = out[i];
		if (elem_of(widen, out[i]) == elem)
			continue;
		widen->wide[old] = out[i];
		rc = add_cast(widen, out[i], elem, &widen->forward[old], err);
	}
	return rc;
}

static enum err_code widen_node(struct widen *widen, int32_t number,
				struct err *err)
{
	struct graph *graph = widen->graph;
	const struct graph_node node = graph->node[number];
	const size_t n = (size_t)node.n_in + (size_t)node.n_out;
	int32_t *in = arena_array(widen->arena, n + 1, sizeof(*in));
	enum err_code rc;

	if (!in)
		return no_memory(err);
	rc = widen_inputs(widen, &node, in, err);
	if (!rc)
		rc = graph_add_node(graph, node.op, node.name, node.attrs, in,
				    node.n_in, in + node.n_in, node.n_out, err);
	if (!rc)
		rc = forward_outputs(widen, &node, in + node.n_in, err);
	graph->node[number].op = NULL;
	return rc;
}

static enum err_code forward_all(struct widen *widen, struct err *err)
{
	const int32_t n = widen->graph->n_value;
	int32_t *all = arena_array(widen->arena, (size_t)n + 1, sizeof(*all));

	if (!all)
		return no_memory(err);
	for (int32_t i = 0; i < n; i++)
		all[i] = i < widen->n_value ? widen->forward[i] : i;
	graph_forward_uses(widen->graph, all);
	return graph_tidy(widen->graph, err);
}

static enum err_code widen_all(struct widen *widen, struct err *err)
{
	const int32_t n_node = widen->graph->n_node;
	bool changed = false;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < n_node && !rc; i++) {
		if (!is_narrow(widen, &widen->graph->node[i]))
			continue;
		rc = widen_node(widen, i, err);
		changed = true;
	}
	return rc || !changed ? rc : forward_all(widen, err);
}

enum err_code graph_widen(struct graph *graph, struct err *err)
{
	struct widen widen = { .graph = graph, .n_value = graph->n_value };
	const size_t n = (size_t)graph->n_value + 1;
	enum err_code rc = ERR_NO_MEMORY;

	widen.arena = arena_create(SIZE_MAX / 2);
	if (widen.arena) {
		widen.wide = arena_array(widen.arena, n, sizeof(int32_t));
		widen.forward = arena_array(widen.arena, n, sizeof(int32_t));
	}
	if (!widen.wide || !widen.forward) {
		rc = no_memory(err);
		goto out;
	}
	for (int32_t i = 0; i < widen.n_value; i++) {
		widen.wide[i] = VALUE_NONE;
		widen.forward[i] = i;
	}
	rc = widen_all(&widen, err);
out:
	arena_destroy(widen.arena);
	return rc;
}
