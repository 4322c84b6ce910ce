/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The state of a backward sweep: who depends on what, and the parts of each
 * value's gradient.
 */
#include <string.h>

#include "base/buf.h"
#include "engine/autodiff_priv.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "gradients: out of memory");
}

int32_t sweep_slot(const struct sweep *sweep, int32_t value)
{
	const struct range *range = &sweep->range;

	if (value == VALUE_NONE)
		return -1;
	if (value >= range->base)
		return value - range->base + range->n_outer < sweep->n_slots
			   ? value - range->base + range->n_outer
			   : -1;
	for (int32_t i = 0; i < range->n_outer; i++)
		if (range->outer[i] == value)
			return i;
	return -1;
}

enum err_code sweep_init(struct sweep *sweep, struct build *build,
			 const struct range *range, unsigned depth,
			 struct err *err)
{
	size_t n;

	memset(sweep, 0, sizeof(*sweep));
	sweep->build = build;
	sweep->range = *range;
	sweep->depth = depth;
	sweep->n_slots = build->graph->n_value - range->base + range->n_outer;
	n = (size_t)sweep->n_slots + 1;
	sweep->arena = arena_create(SIZE_MAX / 2);
	if (!sweep->arena)
		return no_memory(err);
	sweep->source = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->first = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->last = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->total = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->reaches = arena_array(sweep->arena, n, sizeof(bool));
	if (!sweep->source || !sweep->first || !sweep->last || !sweep->total ||
	    !sweep->reaches)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		sweep->source[i] = VALUE_NONE;
		sweep->first[i] = -1;
		sweep->last[i] = -1;
		sweep->total[i] = VALUE_NONE;
	}
	return ERR_NONE;
}

bool sweep_is_float(const struct graph *graph, int32_t value)
{
	const struct type *type = &graph->value[value].type;

	return dtype_is_float(type->elem) && !type->is_sequence &&
	       !type->is_optional;
}

void sweep_mark_sources(struct sweep *sweep)
{
	const struct graph *graph = sweep->build->graph;

	for (int32_t i = sweep->range.first; i < sweep->range.end; i++) {
		const struct graph_node *node = &graph->node[i];
		const int32_t *in = graph_in(graph, node);
		const int32_t *out = graph_out(graph, node);
		int32_t source = VALUE_NONE;

		if (!node->op || node->op->flags & OP_NO_GRADIENT)
			continue;
		for (int32_t j = 0; j < node->n_in && source == VALUE_NONE;
		     j++) {
			const int32_t slot = sweep_slot(sweep, in[j]);

			if (slot >= 0)
				source = sweep->source[slot];
		}
		if (source == VALUE_NONE)
			continue;
		for (int32_t j = 0; j < node->n_out; j++) {
			const int32_t slot = sweep_slot(sweep, out[j]);

			if (slot >= 0 && sweep->source[slot] == VALUE_NONE &&
			    sweep_is_float(graph, out[j]))
				sweep->source[slot] = source;
		}
	}
}

int32_t sweep_path_source(const struct sweep *sweep,
			  const struct graph_node *node)
{
	const int32_t *out = graph_out(sweep->build->graph, node);

	if (!node->op || node->op->flags & OP_NO_GRADIENT)
		return VALUE_NONE;
	for (int32_t i = 0; i < node->n_out; i++) {
		const int32_t slot = sweep_slot(sweep, out[i]);

		if (slot >= 0 && sweep->reaches[slot] &&
		    sweep->source[slot] != VALUE_NONE)
			return sweep->source[slot];
	}
	return VALUE_NONE;
}

static bool has_rule(const struct graph_node *node)
{
	const struct op *op = node->op;

	return (op->grad || op->vjp || op->body) && node->n_body == 0;
}

enum err_code sweep_mark_paths(struct sweep *sweep, struct err *err)
{
	const struct graph *graph = sweep->build->graph;
	struct buf refusals;
	enum err_code rc = ERR_NONE;

	buf_init(&refusals, (size_t)2 * ERR_MSG_MAX);
	for (int32_t i = sweep->range.end; i-- > sweep->range.first;) {
		const struct graph_node *node = &graph->node[i];
		const int32_t *in = graph_in(graph, node);
		const int32_t source = sweep_path_source(sweep, node);

		if (source == VALUE_NONE)
			continue;
		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t slot = sweep_slot(sweep, in[j]);

			if (slot >= 0 && sweep->source[slot] != VALUE_NONE)
				sweep->reaches[slot] = true;
		}
		if (!has_rule(node))
			buf_printf(&refusals,
				   "%snode '%s' (%s) has no gradient, which "
				   "'%s' needs",
				   refusals.len ? "; " : "", node->name,
				   node->op->name, graph->value[source].name);
	}
	if (refusals.len)
		rc = err_set(err, ERR_UNSUPPORTED,
			     "%s; freezing what needs it would help",
			     refusals.data);
	buf_finish(&refusals);
	return rc;
}

enum err_code sweep_add_part(struct sweep *sweep, int32_t slot, int32_t value,
			     struct err *err)
{
	int32_t cap = sweep->cap_parts > 0 ? 2 * sweep->cap_parts : 256;
	struct part *part = sweep->part;

	if (sweep->n_parts == sweep->cap_parts) {
		part = arena_array(sweep->arena, (size_t)cap, sizeof(*part));
		if (!part)
			return no_memory(err);
		if (sweep->n_parts > 0)
			memcpy(part, sweep->part,
			       (size_t)sweep->n_parts * sizeof(*part));
		sweep->part = part;
		sweep->cap_parts = cap;
	}
	part[sweep->n_parts] = (struct part){ value, -1 };
	if (sweep->first[slot] < 0)
		sweep->first[slot] = sweep->n_parts;
	else
		part[sweep->last[slot]].next = sweep->n_parts;
	sweep->last[slot] = sweep->n_parts++;
	return ERR_NONE;
}

enum err_code sweep_total(struct sweep *sweep, int32_t slot, int32_t *ret,
			  struct err *err)
{
	int32_t *list, n = 0;

	*ret = VALUE_NONE;
	if (slot < 0 || sweep->first[slot] < 0)
		return ERR_NONE;
	if (sweep->total[slot] == VALUE_NONE) {
		for (int32_t p = sweep->first[slot]; p >= 0;
		     p = sweep->part[p].next)
			n++;
		list = arena_array(sweep->arena, (size_t)n, sizeof(*list));
		if (!list)
			return no_memory(err);
		n = 0;
		for (int32_t p = sweep->first[slot]; p >= 0;
		     p = sweep->part[p].next)
			list[n++] = sweep->part[p].value;
		sweep->total[slot] = n == 1
					 ? list[0]
					 : build_node(sweep->build, "Sum", NULL,
						      list, (unsigned)n);
	}
	*ret = sweep->total[slot];
	return build_check(sweep->build, err);
}
