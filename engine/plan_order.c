/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Order: the one that came in, or one that needs less memory.
 *
 * Two candidates are measured. In the second a node that frees more bytes than
 * it makes runs as soon as it can: weight gradients, which free a saved
 * activation, are such. In both the nodes that make the new values of
 * variables run last, so that they may write over memory that others read
 * under another name: the flat parameters of a training step.
 */
#include "engine/planner_priv.h"

struct heap {
	int32_t *node, n; /* lowest number first */
};

/** Nodes that read each value (or root): reader[first[v]] to first[v + 1]. */
struct readers {
	int32_t *first, *node;
};

struct order {
	struct planner *p;
	const struct graph *graph;
	/* by value; values that share bytes have one root, which counts */
	int32_t *root;
	size_t *bytes; /* 0: not in the block */
	int32_t *all_uses, *uses, *stamp;
	bool *is_live;
	/* by node */
	bool *is_last, *has_run;
	int32_t *pending; /* inputs that are not made yet */
	struct readers by_value, by_root;
	struct heap ready, early;
	int32_t *list, n; /* the order so far */
	size_t live, peak;
};

static void heap_push(struct heap *heap, int32_t node)
{
	int32_t i = heap->n++;

	for (; i && heap->node[(i - 1) / 2] > node; i = (i - 1) / 2)
		heap->node[i] = heap->node[(i - 1) / 2];
	heap->node[i] = node;
}

static int32_t heap_pop(struct heap *heap)
{
	const int32_t top = heap->node[0], last = heap->node[--heap->n];
	int32_t i = 0;

	for (int32_t child = 1; child < heap->n; child = 2 * i + 1) {
		if (child + 1 < heap->n &&
		    heap->node[child + 1] < heap->node[child])
			child++;
		if (heap->node[child] >= last)
			break;
		heap->node[i] = heap->node[child];
		i = child;
	}
	heap->node[i] = last;
	return top;
}

int32_t plan_root_of(int32_t *root, int32_t value)
{
	while (root[value] != value) {
		root[value] = root[root[value]];
		value = root[value];
	}
	return value;
}

static int32_t root_of(const struct order *o, int32_t value)
{
	return plan_root_of(o->root, value);
}

static bool is_made(const struct graph *graph, int32_t value)
{
	return value != VALUE_NONE && graph->value[value].origin == ORIGIN_NODE;
}

void plan_roots(const struct planner *p, int32_t *root, size_t *bytes)
{
	const struct graph *graph = p->graph;

	for (int32_t v = 0; v < graph->n_value; v++)
		root[v] = v;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		const int32_t *in = graph_in(graph, node);
		const int32_t out = graph_out(graph, node)[0];

		if (out == VALUE_NONE)
			continue;
		if (is_another_shape(p, node))
			root[out] = plan_root_of(root, in[0]);
		if (!is_outer_concat(p, node))
			continue;
		for (int32_t j = 0; j < node->n_in; j++)
			if (is_made(graph, plan_root_of(root, in[j])))
				root[plan_root_of(root, in[j])] = out;
	}
	for (int32_t v = 0; v < graph->n_value; v++)
		bytes[v] = is_made(graph, v) && plan_root_of(root, v) == v
			       ? plan_round(fact_bytes(p, v))
			       : 0;
	/* made in the variable's memory, but for a few */
	for (int32_t i = 0; i < graph->n_assign; i++)
		bytes[plan_root_of(root, graph->assign[i].value)] = 0;
}

/** Counting sort of (value or root, node) pairs. */
static void list_readers(struct order *o, bool by_root, struct readers *ret)
{
	const struct graph *graph = o->graph;

	for (int pass = 0; pass < 2; pass++) {
		for (int32_t i = 0; i < graph->n_node; i++) {
			const struct graph_node *node = &graph->node[i];

			for (int32_t j = 0; j < node->n_in; j++) {
				int32_t v = graph_in(graph, node)[j];

				if (v == VALUE_NONE)
					continue;
				v = by_root ? root_of(o, v) : v;
				if (pass == 0)
					ret->first[v + 2]++;
				else
					ret->node[ret->first[v + 1]++] = i;
			}
		}
		for (int32_t v = 0; pass == 0 && v < graph->n_value; v++)
			ret->first[v + 1] += ret->first[v];
	}
}

/** How many nodes read each root; outputs and assigns read for ever. */
static void count_uses(struct order *o)
{
	const struct graph *graph = o->graph;

	for (int32_t v = 0; v < graph->n_value; v++)
		o->stamp[v] = -1;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; j < node->n_in; j++) {
			int32_t v = graph_in(graph, node)[j];
			int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

			if (root < 0 || o->stamp[root] == i)
				continue;
			o->stamp[root] = i;
			o->all_uses[root]++;
		}
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		o->all_uses[root_of(o, graph->output[i])]++;
	for (int32_t i = 0; i < graph->n_assign; i++)
		o->all_uses[root_of(o, graph->assign[i].value)]++;
}

/** A node that makes a new value of a variable, and whose results only such
 * nodes read. */
static void find_last(struct order *o, bool *is_assigned)
{
	const struct graph *graph = o->graph;
	const struct readers *r = &o->by_value;

	for (int32_t i = 0; i < graph->n_assign; i++)
		is_assigned[graph->assign[i].value] = true;
	for (int32_t i = graph->n_node - 1; i >= 0; i--) {
		const struct graph_node *node = &graph->node[i];
		bool assigns = false, is_read = false;

		for (int32_t j = 0; j < node->n_out; j++) {
			int32_t v = graph_out(graph, node)[j];

			if (v == VALUE_NONE)
				continue;
			assigns = assigns || is_assigned[v];
			for (int32_t k = r->first[v]; k < r->first[v + 1]; k++)
				is_read = is_read || !o->is_last[r->node[k]];
		}
		o->is_last[i] = assigns && !is_read;
	}
}

static void reset(struct order *o, int32_t *list)
{
	const struct graph *graph = o->graph;

	o->list = list;
	o->n = 0;
	o->live = o->peak = 0;
	memset(o->has_run, 0, (size_t)graph->n_node * sizeof(bool));
	for (int32_t v = 0; v < graph->n_value; v++) {
		o->uses[v] = o->all_uses[v];
		o->is_live[v] = false;
		o->stamp[v] = -1;
	}
}

/** Appends a node and follows what lives. */
static void run(struct order *o, int32_t i)
{
	const struct graph_node *node = &o->graph->node[i];

	o->list[o->n++] = i;
	o->has_run[i] = true;
	for (int32_t j = 0; j < node->n_out; j++) {
		int32_t v = graph_out(o->graph, node)[j];
		int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

		if (root < 0 || o->is_live[root] || !o->uses[root])
			continue;
		o->is_live[root] = true;
		o->live += o->bytes[root];
	}
	if (o->peak < o->live)
		o->peak = o->live;
	for (int32_t j = 0; j < node->n_in; j++) {
		int32_t v = graph_in(o->graph, node)[j];
		int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

		if (root < 0 || o->stamp[root] == i)
			continue;
		o->stamp[root] = i;
		if (--o->uses[root] == 0 && o->is_live[root]) {
			o->is_live[root] = false;
			o->live -= o->bytes[root];
		}
	}
}

/** Bytes that node would make and free if it ran now. */
static bool frees_more(struct order *o, int32_t i)
{
	const struct graph_node *node = &o->graph->node[i];
	size_t makes = 0, frees = 0;

	for (int32_t j = 0; j < node->n_out; j++) {
		int32_t v = graph_out(o->graph, node)[j];
		int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

		if (root >= 0 && !o->is_live[root] && o->uses[root])
			makes += o->bytes[root];
	}
	for (int32_t j = 0; j < node->n_in; j++) {
		int32_t v = graph_in(o->graph, node)[j];
		int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

		/* an input given twice counts twice: a guess good enough */
		if (root >= 0 && o->is_live[root] && o->uses[root] == 1)
			frees += o->bytes[root];
	}
	return frees > makes;
}

static void offer(struct order *o, int32_t i, bool is_new)
{
	if (o->is_last[i] || o->has_run[i] || o->pending[i])
		return;
	if (frees_more(o, i))
		heap_push(&o->early, i);
	else if (is_new)
		heap_push(&o->ready, i);
}

/** Offers who can run now and who has become the last reader of something. */
static void offer_next(struct order *o, int32_t i)
{
	const struct graph_node *node = &o->graph->node[i];
	const struct readers *r = &o->by_value;

	for (int32_t j = 0; j < node->n_out; j++) {
		int32_t v = graph_out(o->graph, node)[j];
		int32_t k = v == VALUE_NONE ? 0 : r->first[v];
		int32_t end = v == VALUE_NONE ? 0 : r->first[v + 1];

		for (; k < end; k++)
			if (--o->pending[r->node[k]] == 0)
				offer(o, r->node[k], true);
	}
	r = &o->by_root;
	for (int32_t j = 0; j < node->n_in; j++) {
		int32_t v = graph_in(o->graph, node)[j];
		int32_t root = v == VALUE_NONE ? -1 : root_of(o, v);

		/* a root comes down to 1 once, so this is linear in all */
		if (root < 0 || o->uses[root] != 1 || o->stamp[root] != i)
			continue;
		o->stamp[root] = -1;
		for (int32_t k = r->first[root]; k < r->first[root + 1]; k++)
			if (!o->has_run[r->node[k]])
				offer(o, r->node[k], false);
	}
}

static void run_last(struct order *o)
{
	for (int32_t i = 0; i < o->graph->n_node; i++)
		if (o->is_last[i])
			run(o, i);
}

static void order_as_given(struct order *o, int32_t *list)
{
	reset(o, list);
	for (int32_t i = 0; i < o->graph->n_node; i++)
		if (!o->is_last[i])
			run(o, i);
	run_last(o);
}

static void order_early(struct order *o, int32_t *list)
{
	reset(o, list);
	for (int32_t i = 0; i < o->graph->n_node; i++) {
		const struct graph_node *node = &o->graph->node[i];

		o->pending[i] = 0;
		for (int32_t j = 0; j < node->n_in; j++)
			o->pending[i] +=
			    is_made(o->graph, graph_in(o->graph, node)[j]);
	}
	for (int32_t i = 0; i < o->graph->n_node; i++)
		offer(o, i, true);
	while (o->early.n || o->ready.n) {
		int32_t i = heap_pop(o->early.n ? &o->early : &o->ready);

		if (o->has_run[i])
			continue;
		run(o, i);
		offer_next(o, i);
	}
	run_last(o);
}

static bool allocate(struct order *o, struct arena *arena)
{
	const size_t n_value = (size_t)o->graph->n_value + 3;
	const size_t n_node = (size_t)o->graph->n_node + 1;
	const size_t n_edge = (size_t)o->graph->n_edge + 1;

	o->root = arena_array(arena, n_value, sizeof(int32_t));
	o->bytes = arena_array(arena, n_value, sizeof(size_t));
	o->all_uses = arena_array(arena, n_value, sizeof(int32_t));
	o->uses = arena_array(arena, n_value, sizeof(int32_t));
	o->stamp = arena_array(arena, n_value, sizeof(int32_t));
	o->is_live = arena_array(arena, n_value, sizeof(bool));
	o->is_last = arena_array(arena, n_node, sizeof(bool));
	o->has_run = arena_array(arena, n_node, sizeof(bool));
	o->pending = arena_array(arena, n_node, sizeof(int32_t));
	o->by_value.first = arena_array(arena, n_value, sizeof(int32_t));
	o->by_value.node = arena_array(arena, n_edge, sizeof(int32_t));
	o->by_root.first = arena_array(arena, n_value, sizeof(int32_t));
	o->by_root.node = arena_array(arena, n_edge, sizeof(int32_t));
	o->ready.node = arena_array(arena, n_node + n_edge, sizeof(int32_t));
	o->early.node = arena_array(arena, n_node + n_edge, sizeof(int32_t));
	return o->root && o->bytes && o->all_uses && o->uses && o->stamp &&
	       o->is_live && o->is_last && o->has_run && o->pending &&
	       o->by_value.first && o->by_value.node && o->by_root.first &&
	       o->by_root.node && o->ready.node && o->early.node;
}

enum err_code plan_order(struct planner *p, struct err *err)
{
	struct order o = { .p = p, .graph = p->graph };
	const size_t n = (size_t)p->graph->n_node + 1;
	int32_t *given = arena_array(p->arena, n, sizeof(int32_t));
	int32_t *early = arena_array(p->arena, n, sizeof(int32_t));
	bool *is_assigned =
	    arena_array(p->arena, (size_t)p->graph->n_value + 1, sizeof(bool));
	size_t peak;

	if (!given || !early || !is_assigned || !allocate(&o, p->arena))
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	plan_roots(p, o.root, o.bytes);
	list_readers(&o, false, &o.by_value);
	list_readers(&o, true, &o.by_root);
	count_uses(&o);
	find_last(&o, is_assigned);
	order_as_given(&o, given);
	peak = o.peak;
	order_early(&o, early);
	p->order = o.peak < peak ? early : given;
	p->live = o.peak < peak ? o.peak : peak;
	p->n_order = o.n;
	return ERR_NONE;
}
