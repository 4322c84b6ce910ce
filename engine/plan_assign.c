/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Assigns: new values of variables.
 *
 * A new value is made right in its variable's memory when nobody reads that
 * memory, under whatever name, from then on, or when the kernel that makes it
 * may write over the old value as its last reader. Else a copy at the end
 * does it; values that come from other variables are saved first.
 */
#include "engine/planner_priv.h"

static bool overlap(const struct tensor_view *a, const struct tensor_view *b)
{
	const char *x = a->data, *y = b->data;

	return x < y + tensor_bytes(b->dtype, &b->shape) &&
	       y < x + tensor_bytes(a->dtype, &a->shape);
}

/** The last reading of a variable's memory under its own name. */
static int32_t last_read(const struct planner *p, int32_t variable)
{
	int32_t last = -1;
	int32_t v = p->areas[p->variable_area[variable]].head;

	for (; v >= 0; v = p->next[v])
		if (last < p->dies[v])
			last = p->dies[v];
	return last;
}

/** Nobody else assigns to any of this memory. */
static bool is_only_assign(const struct planner *p, int32_t i)
{
	const struct graph *graph = p->graph;
	const struct tensor_view *view =
	    &graph->variable[graph->assign[i].variable].view;

	for (int32_t j = 0; j < graph->n_assign; j++)
		if (j != i &&
		    overlap(view,
			    &graph->variable[graph->assign[j].variable].view))
			return false;
	return true;
}

/** Nobody reads the variable's memory at `time` or later. but: a variable
 * that may be read then, or -1. */
static bool is_unread(const struct planner *p, int32_t variable, int32_t time,
		      int32_t but)
{
	const struct variable *all = p->graph->variable;

	for (int32_t i = 0; i < p->graph->n_variable; i++) {
		int32_t last;

		if (!overlap(&all[i].view, &all[variable].view))
			continue;
		last = last_read(p, i);
		if (last > time || (last == time && i != but))
			return false;
	}
	return true;
}

/** The variable whose whole memory value is, or -1. */
static int32_t variable_of(struct planner *p, int32_t value)
{
	size_t at;
	int32_t root;

	if (value == VALUE_NONE)
		return -1;
	root = value_root(p, value, &at);
	for (int32_t i = 0; i < p->graph->n_variable; i++)
		if (p->variable_area[i] == root && at == 0 &&
		    p->areas[root].bytes == fact_bytes(p, value))
			return i;
	return -1;
}

/** The kernel that fills root may write over the variable, which is the input
 * of the same number and no other. */
static bool may_update(struct planner *p, int32_t root, int32_t variable)
{
	const int32_t number = p->order[p->areas[root].first - 1];
	const struct graph_node *node = &p->graph->node[number];
	const int32_t *in = graph_in(p->graph, node);
	const int32_t *out = graph_out(p->graph, node);
	unsigned flags;
	bool found = false;
	size_t at;

	if (p->fate[number] != FATE_RUN)
		return false;
	flags = p->step[number].kernel->flags;
	for (int32_t j = 0; j < node->n_in; j++) {
		if (in[j] == VALUE_NONE ||
		    value_root(p, in[j], &at) != p->variable_area[variable])
			continue;
		if (found || j >= node->n_out || out[j] == VALUE_NONE ||
		    p->area[out[j]] < 0 || variable_of(p, in[j]) != variable)
			return false;
		found = value_root(p, out[j], &at) == root && at == 0 &&
			fact_bytes(p, out[j]) == p->areas[root].bytes &&
			(flags & KERNEL_IN_PLACE_ALL ||
			 (j == 0 && flags & KERNEL_IN_PLACE));
		if (!found)
			return false;
	}
	return found;
}

/** Lets assign i's value be made in its variable's memory. */
static bool place_directly(struct planner *p, int32_t i)
{
	const struct assign *assign = &p->graph->assign[i];
	const int32_t variable = assign->variable;
	size_t at;
	const int32_t root = value_root(p, assign->value, &at);
	struct area *area = &p->areas[root];

	if (area->fixed || area->is_input || at ||
	    area->bytes != fact_bytes(p, assign->value) || !area->bytes ||
	    area->last == time_end(p) || !is_only_assign(p, i))
		return false;
	if (!is_unread(p, variable, area->first, -1) &&
	    !(is_unread(p, variable, area->first, variable) &&
	      may_update(p, root, variable)))
		return false;
	area->fixed = p->graph->variable[variable].view.data;
	return true;
}

/** Some variable's memory, not yet the new value of it. */
static bool is_old_value(struct planner *p, int32_t value)
{
	size_t at;
	int32_t root = value_root(p, value, &at);

	for (int32_t i = 0; i < p->graph->n_variable; i++)
		if (p->variable_area[i] == root)
			return true;
	return false;
}

static void copy_at_end(struct planner *p, const struct assign *assign)
{
	struct copy copy = {
		.time = time_assign(p),
		.from = p->area[assign->value],
		.from_at = p->at[assign->value],
		.to = p->variable_area[assign->variable],
		.bytes = fact_bytes(p, assign->value),
		.node = -1,
	};

	if (variable_of(p, assign->value) == assign->variable)
		return;
	if (is_old_value(p, assign->value)) {
		struct copy save = copy;

		save.time = time_save(p);
		save.to = area_add(p, copy.bytes, time_save(p), time_assign(p));
		copy_add(p, &save);
		copy.from = save.to;
		copy.from_at = 0;
	}
	copy_add(p, &copy);
}

static enum err_code check(const struct planner *p, const struct assign *assign,
			   struct err *err)
{
	const struct variable *variable = &p->graph->variable[assign->variable];
	const struct fact *fact = &p->facts->fact[assign->value];
	char want[128], got[128];

	if (fact->type.elem == variable->view.dtype &&
	    shape_equal(&fact->shape, &variable->view.shape))
		return ERR_NONE;
	return err_set(err, ERR_SHAPE,
		       "variable '%s' expected a new value of type %s%s, got "
		       "%s%s",
		       variable->name, dtype_info(variable->view.dtype)->name,
		       shape_text(&variable->view.shape, want, sizeof(want)),
		       dtype_info(fact->type.elem)->name,
		       shape_text(&fact->shape, got, sizeof(got)));
}

enum err_code plan_assigns(struct planner *p, struct err *err)
{
	for (int32_t i = 0; i < p->graph->n_assign; i++) {
		const struct assign *assign = &p->graph->assign[i];
		enum err_code rc = check(p, assign, err);

		if (rc)
			return rc;
		if (p->plan->options.keep_all || !place_directly(p, i))
			copy_at_end(p, assign);
	}
	return ERR_NONE;
}
