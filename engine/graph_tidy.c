/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "engine/graph.h"
#include "engine/op.h"

/* One block of memory for the walk: everything is counted in nodes. */
struct tidy {
	struct graph *graph;
	bool *is_needed;
	int32_t *stack;	       /* nodes whose inputs are to be marked */
	int32_t *pending;      /* inputs that are not made yet */
	int32_t *first_reader; /* by node: its range of `reader` */
	int32_t *reader;
	int32_t *heap; /* nodes that can run, lowest old number first */
	int32_t *new_number;
	int32_t n_stack, n_heap;
};

static void tidy_finish(struct tidy *tidy)
{
	mem_free(tidy->is_needed);
	mem_free(tidy->stack);
	mem_free(tidy->pending);
	mem_free(tidy->first_reader);
	mem_free(tidy->reader);
	mem_free(tidy->heap);
	mem_free(tidy->new_number);
}

static enum err_code tidy_init(struct tidy *tidy, struct graph *graph,
			       struct err *err)
{
	size_t n = (size_t)graph->n_node + 2, n_edge = (size_t)graph->n_edge;

	*tidy = (struct tidy){ .graph = graph };
	tidy->is_needed = mem_array(n, sizeof(bool));
	tidy->stack = mem_array(n, sizeof(int32_t));
	tidy->pending = mem_array(n, sizeof(int32_t));
	tidy->first_reader = mem_array(n, sizeof(int32_t));
	tidy->reader = mem_array(n_edge + 1, sizeof(int32_t));
	tidy->heap = mem_array(n, sizeof(int32_t));
	tidy->new_number = mem_array(n, sizeof(int32_t));
	if (tidy->is_needed && tidy->stack && tidy->pending &&
	    tidy->first_reader && tidy->reader && tidy->heap &&
	    tidy->new_number)
		return ERR_NONE;
	tidy_finish(tidy);
	return err_set(err, ERR_NO_MEMORY, "graph: out of memory");
}

/* number of the node that makes a value, or -1 */
static int32_t maker(const struct graph *graph, int32_t value)
{
	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_NODE)
		return -1;
	return graph->value[value].source;
}

static enum err_code need(struct tidy *tidy, int32_t value, const char *reader,
			  struct err *err)
{
	const struct graph *graph = tidy->graph;
	int32_t node = maker(graph, value);

	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_NODE)
		return ERR_NONE;
	if (node < 0 || !graph->node[node].op)
		return err_set(err, ERR_INVALID,
			       "%s reads value '%s', whose node was dropped",
			       reader, graph->value[value].name);
	if (tidy->is_needed[node])
		return ERR_NONE;
	tidy->is_needed[node] = true;
	tidy->stack[tidy->n_stack++] = node;
	return ERR_NONE;
}

static enum err_code mark_needed(struct tidy *tidy, struct err *err)
{
	const struct graph *graph = tidy->graph;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < graph->n_output && !rc; i++)
		rc = need(tidy, graph->output[i], "an output", err);
	for (int32_t i = 0; i < graph->n_assign && !rc; i++)
		rc = need(tidy, graph->assign[i].value, "an assignment", err);
	while (tidy->n_stack && !rc) {
		const struct graph_node *node =
		    &graph->node[tidy->stack[--tidy->n_stack]];

		for (int32_t j = 0; j < node->n_in && !rc; j++)
			rc = need(tidy, graph_in(graph, node)[j], node->name,
				  err);
	}
	return rc;
}

static void count_edge(struct tidy *tidy, int32_t from, int32_t to)
{
	tidy->first_reader[from + 2]++;
	tidy->pending[to]++;
}

static void place_edge(struct tidy *tidy, int32_t from, int32_t to)
{
	tidy->reader[tidy->first_reader[from + 1]++] = to;
}

static void each_edge(struct tidy *tidy,
		      void (*visit)(struct tidy *tidy, int32_t from,
				    int32_t to))
{
	const struct graph *graph = tidy->graph;

	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		int32_t n_in = tidy->is_needed[i] ? node->n_in : 0;

		for (int32_t j = 0; j < n_in; j++) {
			int32_t from = maker(graph, graph_in(graph, node)[j]);

			if (from >= 0)
				visit(tidy, from, i);
		}
	}
}

/* Readers of each node, as ranges of one list (counting sort): counts stand
 * two places up, their sums one, and placing moves them where they belong. */
static void list_readers(struct tidy *tidy)
{
	each_edge(tidy, count_edge);
	for (int32_t i = 0; i < tidy->graph->n_node; i++)
		tidy->first_reader[i + 1] += tidy->first_reader[i];
	each_edge(tidy, place_edge);
}

static void heap_push(struct tidy *tidy, int32_t node)
{
	int32_t *heap = tidy->heap, i = tidy->n_heap++;

	for (; i && heap[(i - 1) / 2] > node; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = node;
}

static int32_t heap_pop(struct tidy *tidy)
{
	int32_t *heap = tidy->heap, top = heap[0];
	int32_t last = heap[--tidy->n_heap], i = 0;

	for (int32_t child = 1; child < tidy->n_heap; child = 2 * i + 1) {
		if (child + 1 < tidy->n_heap && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= last)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

/* Kahn; fills new_number (-1: dropped) and returns how many nodes can run. */
static int32_t number_nodes(struct tidy *tidy)
{
	int32_t n = 0;

	for (int32_t i = 0; i < tidy->graph->n_node; i++) {
		tidy->new_number[i] = -1;
		if (tidy->is_needed[i] && tidy->pending[i] == 0)
			heap_push(tidy, i);
	}
	while (tidy->n_heap) {
		int32_t node = heap_pop(tidy);

		tidy->new_number[node] = n++;
		for (int32_t i = tidy->first_reader[node];
		     i < tidy->first_reader[node + 1]; i++)
			if (--tidy->pending[tidy->reader[i]] == 0)
				heap_push(tidy, tidy->reader[i]);
	}
	return n;
}

static enum err_code check_cycle(const struct tidy *tidy, struct err *err)
{
	const struct graph *graph = tidy->graph;

	for (int32_t i = 0; i < graph->n_node; i++)
		if (tidy->is_needed[i] && tidy->new_number[i] < 0)
			return err_set(
			    err, ERR_INVALID,
			    "node '%s' (%s) waits for its own result",
			    graph->node[i].name, graph->node[i].op->name);
	return ERR_NONE;
}

static enum err_code move_nodes(struct tidy *tidy, int32_t n, struct err *err)
{
	struct graph *graph = tidy->graph;
	struct graph_node *node = mem_array((size_t)n + 1, sizeof(*node));

	if (!node)
		return err_set(err, ERR_NO_MEMORY, "graph: out of memory");
	for (int32_t i = 0; i < graph->n_node; i++)
		if (tidy->new_number[i] >= 0)
			node[tidy->new_number[i]] = graph->node[i];
	for (int32_t i = 0; i < graph->n_value; i++) {
		struct graph_value *value = &graph->value[i];

		if (value->origin == ORIGIN_NODE && value->source >= 0)
			value->source = tidy->new_number[value->source];
	}
	if (n)
		memcpy(graph->node, node, (size_t)n * sizeof(*node));
	graph->n_node = n;
	mem_free(node);
	return ERR_NONE;
}

enum err_code graph_tidy(struct graph *graph, struct err *err)
{
	struct tidy tidy;
	enum err_code rc = tidy_init(&tidy, graph, err);
	int32_t n;

	if (rc)
		return rc;
	rc = mark_needed(&tidy, err);
	if (rc)
		goto out;
	list_readers(&tidy);
	n = number_nodes(&tidy);
	rc = check_cycle(&tidy, err);
	if (!rc)
		rc = move_nodes(&tidy, n, err);
out:
	tidy_finish(&tidy);
	return rc;
}
