/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recomputation: a training step in fewer bytes, for more arithmetic.
 *
 * The way to the loss (output 0) is cut into segments. What crosses a cut is
 * kept, and so is the last segment; of the others nothing that the way back
 * reads outlives its last reader on the way there: before the first node that
 * reads some of it on the way back, the segment's nodes are run again, as
 * clones with the same operands, attributes and facts, so by the same kernels
 * and to the same bits. Draws are functions of a counter that the clone reads
 * too, and running statistics are assigned from the first run alone.
 *
 * More segments are shorter ones: few bytes are alive beside the kept ones on
 * the way back, until the kept ones outweigh that. 2, 3, 4 ... segments are
 * tried, each of the same share of the saved bytes and cut where the fewest
 * bytes cross, until one comes down to the goal. From there, or else from the
 * one that needs the least, cuts are added, left out and moved as long as that
 * saves bytes, or time where the goal is met. A try is an exact count, with the
 * scratch that kernels ask for.
 */
#include "engine/plan_query.h"
#include "engine/plan_recompute_priv.h"
#include "engine/tuner.h"

enum {
	/* a value of a smaller share of what is saved is kept: means and
	 * deviations, whose nodes cost as much as if they made more */
	SMALL_SHARE = 1024,
	NEVER = RECOMPUTE_NEVER,
};

static bool allocate(struct recompute *r)
{
	const size_t n = (size_t)r->n + 1;
	const size_t n_node = (size_t)r->graph->n_node + 1;
	struct arena *arena = r->p->arena;

	r->root = arena_array(arena, n, sizeof(int32_t));
	r->made_at = arena_array(arena, n, sizeof(int32_t));
	r->read_at = arena_array(arena, n, sizeof(int32_t));
	r->bytes = arena_array(arena, n, sizeof(size_t));
	r->is_kept = arena_array(arena, n, sizeof(bool));
	r->is_saved = arena_array(arena, n, sizeof(bool));
	r->is_dropped = arena_array(arena, n, sizeof(bool));
	r->last = arena_array(arena, 2 * n, sizeof(int32_t));
	r->is_live = arena_array(arena, 2 * n, sizeof(bool));
	r->is_whole = arena_array(arena, n, sizeof(bool));
	r->part_bytes = arena_array(arena, n, sizeof(size_t));
	r->is_forward = arena_array(arena, n_node, sizeof(bool));
	r->is_cloned = arena_array(arena, n_node, sizeof(bool));
	r->segment = arena_array(arena, n_node, sizeof(int32_t));
	r->stack = arena_array(arena, 2 * n_node, sizeof(int32_t));
	r->cost = arena_array(arena, n_node, sizeof(double));
	r->scratch = arena_array(arena, n_node, sizeof(size_t));
	r->forward = arena_array(arena, n_node, sizeof(int32_t));
	r->crossing = arena_array(arena, n_node, sizeof(size_t));
	r->is_cut = arena_array(arena, n_node, sizeof(bool));
	r->item = arena_array(arena, 2 * n_node, sizeof(int32_t));
	return r->root && r->made_at && r->read_at && r->bytes && r->is_kept &&
	       r->is_saved && r->is_dropped && r->last && r->is_live &&
	       r->is_whole && r->part_bytes && r->is_forward && r->is_cloned &&
	       r->segment && r->stack && r->cost && r->scratch && r->forward &&
	       r->crossing && r->is_cut && r->item;
}

/* --- what does not depend on the cuts --- */

/* The way forward: what the loss needs. Nodes stand in an order that can run.
 */
static void find_forward(struct recompute *r)
{
	const struct graph *graph = r->graph;
	const int32_t loss = recompute_maker(graph, graph->output[0]);

	if (loss >= 0)
		r->is_forward[loss] = true;
	for (int32_t i = graph->n_node - 1; i >= 0; i--) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; r->is_forward[i] && j < node->n_in; j++) {
			const int32_t from =
			    recompute_maker(graph, graph_in(graph, node)[j]);

			if (from >= 0)
				r->is_forward[from] = true;
		}
	}
	for (int32_t t = 0; t < r->p->n_order; t++) {
		const int32_t i = r->p->order[t];

		r->segment[i] = -1;
		if (r->is_forward[i])
			r->forward[r->n_forward++] = i;
	}
}

static bool can_repeat(const struct graph_node *node)
{
	return !(node->op->flags & (OP_IMPURE | OP_DYNAMIC)) &&
	       !node->op->evaluate && !node->n_body;
}

static void keep(struct recompute *r, int32_t value)
{
	if (value != VALUE_NONE)
		r->is_kept[recompute_root(r, value)] = true;
}

static void look_at_forward(struct recompute *r, int32_t at)
{
	const struct graph *graph = r->graph;
	const struct graph_node *node = &graph->node[r->forward[at]];

	for (int32_t j = 0; j < node->n_in; j++) {
		const int32_t v = graph_in(graph, node)[j];

		if (v != VALUE_NONE)
			r->read_at[recompute_root(r, v)] = at;
	}
	for (int32_t j = 0; j < node->n_out; j++) {
		const int32_t v = graph_out(graph, node)[j];

		if (v == VALUE_NONE)
			continue;
		if (r->made_at[recompute_root(r, v)] == NEVER)
			r->made_at[recompute_root(r, v)] = at;
		if (!can_repeat(node))
			keep(r, v);
	}
}

/* Which values are kept for ever, and which of the others are read on the way
 * back. */
static void find_saved(struct recompute *r)
{
	const struct graph *graph = r->graph;

	for (int32_t v = 0; v < r->n; v++) {
		r->made_at[v] = NEVER;
		r->read_at[v] = -1;
	}
	for (int32_t at = 0; at < r->n_forward; at++)
		look_at_forward(r, at);
	for (int32_t i = 0; i < graph->n_output; i++)
		keep(r, graph->output[i]);
	for (int32_t i = 0; i < graph->n_assign; i++)
		keep(r, graph->assign[i].value);
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; !r->is_forward[i] && j < node->n_in; j++) {
			const int32_t v = graph_in(graph, node)[j];

			if (v != VALUE_NONE)
				r->is_saved[recompute_root(r, v)] = true;
		}
	}
}

/* Of the way back: flat gradients. */
static void find_wholes(struct recompute *r)
{
	for (int32_t i = 0; i < r->graph->n_node; i++) {
		const struct graph_node *node = &r->graph->node[i];

		if (!r->is_forward[i] && is_outer_concat(r->p, node))
			r->is_whole[recompute_root(
			    r, graph_out(r->graph, node)[0])] = true;
	}
}

static void count_saved(struct recompute *r)
{
	r->saved = 0;
	for (int32_t v = 0; v < r->n; v++)
		if (r->made_at[v] != NEVER && r->is_saved[v] && !r->is_kept[v])
			r->saved += r->bytes[v];
}

static void find_crossing(struct recompute *r)
{
	size_t small;

	count_saved(r);
	small = r->saved / SMALL_SHARE;
	for (int32_t v = 0; v < r->n; v++)
		r->is_kept[v] = r->is_kept[v] || r->bytes[v] < small;
	count_saved(r);
	for (int32_t v = 0; v < r->n; v++) {
		if (r->made_at[v] == NEVER || !r->bytes[v])
			continue;
		for (int32_t at = r->made_at[v]; at < r->read_at[v]; at++)
			r->crossing[at] += r->bytes[v];
	}
}

/* What a node takes, in time and beside its operands, as its kernel says. */
static enum err_code find_cost(struct recompute *r, int32_t i, struct err *err)
{
	const struct plan_options *options = &r->p->plan->options;
	const struct graph_node *node = &r->graph->node[i];
	struct kernel_query query;
	struct kernel_setup setup;
	const struct kernel *kernel;
	enum err_code rc = plan_query(r->p, node, r->p->arena, &query, err);

	if (rc)
		return rc;
	rc = tuner_prepare(options->tuner, &query, &kernel, &setup, err);
	if (rc)
		return err_prefix(err, "node '%s' (%s)", node->name,
				  node->op->name);
	r->cost[i] = kernel_cost(kernel, &query);
	r->scratch[i] =
	    plan_round(setup.scratch_bytes) *
	    plan_scratches(r->p, setup.n_slices ? setup.n_slices : 1);
	if (kernel->finish && setup.state)
		kernel->finish(setup.state);
	return ERR_NONE;
}

static enum err_code find_costs(struct recompute *r, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < r->graph->n_node && !rc; i++) {
		const struct graph_node *node = &r->graph->node[i];

		if (!is_another_shape(r->p, node) &&
		    !is_outer_concat(r->p, node))
			rc = find_cost(r, i, err);
	}
	return rc;
}

/* --- the graph --- */

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
}

/* A clone's operands are those of the second run where there are any. */
static void read_again(struct recompute *r, int32_t number,
		       const int32_t *again)
{
	struct graph *graph = r->graph;
	int32_t *edge = graph->edge + graph->node[number].first_in;

	for (int32_t j = 0; j < graph->node[number].n_in; j++)
		if (edge[j] != VALUE_NONE && edge[j] < r->n &&
		    again[edge[j]] != VALUE_NONE)
			edge[j] = again[edge[j]];
}

static enum err_code clone(struct recompute *r, int32_t number, int32_t *again,
			   struct err *err)
{
	struct graph *graph = r->graph;
	const struct graph_node node = graph->node[number];
	const size_t n_in = (size_t)node.n_in, n_out = (size_t)node.n_out;
	int32_t *in = arena_array(r->p->arena, n_in + n_out + 1, sizeof(*in));
	int32_t *out = in ? in + n_in : NULL, *edge;
	enum err_code rc;

	if (!in)
		return no_memory(err);
	memcpy(in, graph_in(graph, &node), n_in * sizeof(*in));
	rc = graph_add_node(graph, node.op, node.name, node.attrs, in,
			    node.n_in, out, node.n_out, err);
	if (rc)
		return rc;
	graph->node[graph->n_node - 1].attrs = node.attrs;
	graph->node[graph->n_node - 1].epoch = node.epoch + 1;
	read_again(r, graph->n_node - 1, again);
	edge = graph->edge + graph->node[graph->n_node - 1].first_out;
	for (size_t j = 0; j < n_out && !rc; j++) {
		const int32_t old = graph_out(graph, &graph->node[number])[j];
		struct fact fact;

		if (old == VALUE_NONE) {
			edge[j] = VALUE_NONE;
			continue;
		}
		fact = r->p->facts->fact[old];
		graph->value[out[j]].type = graph->value[old].type;
		rc = facts_set(r->p->facts, out[j], &fact, err);
		if (recompute_is_again(r, old))
			again[old] = out[j];
	}
	return rc;
}

/* Nodes in the order of the items; clones have the numbers from `n_before` on,
 * in theirs. */
static enum err_code sort_nodes(struct recompute *r, int32_t n_before,
				struct err *err)
{
	struct graph *graph = r->graph;
	const size_t n = (size_t)graph->n_node;
	struct graph_node *node =
	    arena_array(r->p->arena, n + 1, sizeof(*node));
	int32_t *to = arena_array(r->p->arena, n + 1, sizeof(*to));

	if (!node || !to)
		return no_memory(err);
	for (int32_t t = 0; t < r->n_items; t++) {
		const int32_t i = r->item[t] < 0 ? n_before++ : r->item[t];

		node[t] = graph->node[i];
		to[i] = t;
	}
	memcpy(graph->node, node, n * sizeof(*node));
	for (int32_t v = 0; v < graph->n_value; v++)
		if (recompute_maker(graph, v) >= 0)
			graph->value[v].source = to[graph->value[v].source];
	return ERR_NONE;
}

static enum err_code rewrite(struct recompute *r, struct err *err)
{
	struct plan_report *report = &r->p->plan->report;
	const int32_t n_before = r->graph->n_node;
	int32_t *again =
	    arena_array(r->p->arena, (size_t)r->n + 1, sizeof(*again));
	enum err_code rc = again ? ERR_NONE : no_memory(err);

	for (int32_t v = 0; v < r->n && !rc; v++)
		again[v] = VALUE_NONE;
	for (int32_t t = 0; t < r->n_items && !rc; t++) {
		const int32_t item = r->item[t];

		if (item < 0)
			rc = clone(r, ~item, again, err);
		else if (!r->is_forward[item])
			read_again(r, item, again);
	}
	if (rc)
		return rc;
	report->n_recomputed = (size_t)(r->graph->n_node - n_before);
	report->recomputed_us = r->us;
	rc = sort_nodes(r, n_before, err);
	return rc ? rc : plan_order(r->p, err);
}

enum err_code plan_recompute(struct planner *p, struct err *err)
{
	struct recompute r = { .p = p,
			       .graph = p->graph,
			       .n = p->graph->n_value };
	struct recompute_choice best = { 0 };
	enum err_code rc;

	if (p->graph->n_output < 1)
		return ERR_NONE;
	if (p->n_order != p->graph->n_node)
		return err_set(err, ERR_INTERNAL, "plan: nodes without order");
	best.is_cut =
	    arena_array(p->arena, (size_t)p->graph->n_node + 1, sizeof(bool));
	if (!allocate(&r) || !best.is_cut)
		return no_memory(err);
	plan_roots(p, r.root, r.bytes);
	find_forward(&r);
	find_saved(&r);
	find_wholes(&r);
	find_crossing(&r);
	rc = find_costs(&r, err);
	if (rc || !recompute_choose(&r, &best))
		return rc;
	return rewrite(&r, err);
}
