/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Marks: which nodes are layers, and which values should be narrow for them.
 *
 * What a layer reads is wanted narrow, and then also what a pool, a Concat or
 * a move reads that makes it; these share one scale. Of an Add that is behind a
 * layer the other summand is wanted, so that the sum can go into the layer,
 * where it is wanted anyway or comes from a layer itself.
 */
#include <string.h>

#include "engine/ops/product.h"
#include "engine/precision/precision_priv.h"

static const struct tensor_view *constant(const struct graph *graph,
					  int32_t value)
{
	const struct graph_value *v;

	if (value == VALUE_NONE)
		return NULL;
	v = &graph->value[value];
	return v->origin == ORIGIN_CONST ? &graph->constant[v->source] : NULL;
}

static int32_t input(const struct graph *graph, const struct graph_node *node,
		     int32_t i)
{
	return i < node->n_in ? graph_in(graph, node)[i] : VALUE_NONE;
}

static bool is_op(const struct graph_node *node, const char *domain,
		  const char *name)
{
	return node->op && !strcmp(node->op->domain, domain) &&
	       !strcmp(node->op->name, name);
}

/* ---- layers -------------------------------------------------------------- */

/* m numbers, whatever axes of 1 stand before them */
static bool is_row(const struct tensor_view *view, int64_t m)
{
	return view && view->dtype == DTYPE_F32 && view->shape.rank >= 1 &&
	       shape_count(&view->shape) == m &&
	       view->shape.dim[view->shape.rank - 1] == m;
}

static bool conv_layer(const struct graph *graph, const struct graph_node *node,
		       const struct tensor_view *w, struct layer *ret)
{
	(void)graph;
	if (!is_op(node, "", "Conv") || w->shape.rank < 3)
		return false;
	ret->is_conv = true;
	ret->m = w->shape.dim[0];
	ret->depth = shape_range(&w->shape, 1, w->shape.rank);
	return true;
}

static bool product_layer(const struct graph *graph,
			  const struct graph_node *node,
			  const struct tensor_view *w, struct layer *ret)
{
	bool is_turned = true;

	(void)graph;
	if (w->shape.rank != 2)
		return false;
	if (is_op(node, "", "Gemm")) {
		const struct gemm_attrs *attrs = node->attrs;

		if (attrs->transA)
			return false;
		is_turned = !attrs->transB;
		ret->alpha = attrs->alpha;
		ret->beta = attrs->beta;
	} else if (is_op(node, "predictd", "MatMulT")) {
		const struct matmul_attrs *attrs = node->attrs;

		if (attrs->trans_a)
			return false;
		is_turned = !attrs->trans_b;
	} else if (!is_op(node, "", "MatMul")) {
		return false;
	}
	ret->is_turned = is_turned;
	ret->m = w->shape.dim[is_turned ? 1 : 0];
	ret->depth = w->shape.dim[is_turned ? 0 : 1];
	return true;
}

static struct layer layer_of(const struct graph *graph,
			     const struct graph_node *node)
{
	const struct layer none = { 0 };
	struct layer layer = { .alpha = 1, .beta = 1 };
	const struct tensor_view *w;

	if (!node->op)
		return none;
	layer.x = input(graph, node, 0);
	layer.w = input(graph, node, 1);
	layer.bias = input(graph, node, 2);
	w = constant(graph, layer.w);
	if (!w || w->dtype != DTYPE_F32 || !shape_count(&w->shape) ||
	    layer.x == VALUE_NONE || constant(graph, layer.x) ||
	    graph->value[layer.x].type.elem != DTYPE_F32)
		return none;
	if (!conv_layer(graph, node, w, &layer) &&
	    !product_layer(graph, node, w, &layer))
		return none;
	if (layer.bias != VALUE_NONE &&
	    !is_row(constant(graph, layer.bias), layer.m))
		return none;
	return layer;
}

/* ---- what is wanted ------------------------------------------------------ */

int32_t marks_root(const struct work *work, int32_t value)
{
	while (work->kin[value] != value)
		value = work->kin[value];
	return value;
}

static void join(struct work *work, int32_t a, int32_t b)
{
	a = marks_root(work, a);
	b = marks_root(work, b);
	/* the lower number is the root, whatever the order */
	if (a < b)
		work->kin[b] = a;
	else
		work->kin[a] = b;
}

/* The second result of MaxPool has no readers, or is absent. */
static bool is_single(const struct work *work, const struct graph_node *node)
{
	const int32_t *out = graph_out(work->graph, node);

	for (int32_t i = 1; i < node->n_out; i++)
		if (out[i] != VALUE_NONE)
			return false;
	return true;
}

int32_t marks_hands_on(const struct work *work, const struct graph_node *node)
{
	static const char *const moves[] = { "Reshape", "Flatten", "Squeeze",
					     "Unsqueeze", "Transpose" };
	const bool is_int8 = work->options->precision == PRECISION_INT8;

	if (!node->op || !is_single(work, node))
		return 0;
	/* kernels of pools do not know bfloat16 */
	if (is_op(node, "", "MaxPool"))
		return is_int8 ? 1 : 0;
	if (is_op(node, "", "Concat"))
		return node->n_in;
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (is_op(node, "", moves[i]))
			return 1;
	return 0;
}

static void mark_handed_on(struct work *work, const struct graph_node *node)
{
	const int32_t out = graph_out(work->graph, node)[0];
	const int32_t n = marks_hands_on(work, node);
	const int32_t *in = graph_in(work->graph, node);

	if (!n || !work->is_wanted[out])
		return;
	for (int32_t i = 0; i < n; i++)
		if (work->graph->value[in[i]].type.elem != DTYPE_F32)
			return;
	for (int32_t i = 0; i < n; i++) {
		work->is_wanted[in[i]] = true;
		join(work, in[i], out);
	}
}

/* The number of the layer that makes a value for one reader, or -1. */
static int32_t layer_behind(const struct work *work, const int32_t *readers,
			    int32_t value)
{
	const struct graph_value *v = &work->graph->value[value];

	if (v->origin != ORIGIN_NODE || readers[value] != 1 ||
	    !work->layer[v->source].m || work->layer[v->source].stays)
		return -1;
	return v->source;
}

/* Of two layers the later one takes the sum. */
static int32_t summand_of(const struct work *work, const int32_t *readers,
			  const struct graph_node *node)
{
	const int32_t *in = graph_in(work->graph, node);
	int32_t a, b, other;

	if (!is_op(node, "", "Add") || in[0] == in[1] ||
	    constant(work->graph, in[0]) || constant(work->graph, in[1]))
		return VALUE_NONE;
	a = layer_behind(work, readers, in[0]);
	b = layer_behind(work, readers, in[1]);
	if (a < 0 && b < 0)
		return VALUE_NONE;
	other = a > b ? in[1] : in[0];
	/* it is narrow without us, or a layer can make it so */
	return work->is_wanted[other] || layer_behind(work, readers, other) >= 0
		   ? other
		   : VALUE_NONE;
}

static void sweep(struct work *work, const int32_t *readers)
{
	for (int32_t i = work->n_node; i-- > 0;) {
		const struct graph_node *node = &work->graph->node[i];

		if (!node->op)
			continue;
		if (work->layer[i].m && !work->layer[i].stays)
			work->is_wanted[work->layer[i].x] = true;
		if (readers)
			work->summand[i] = summand_of(work, readers, node);
		if (work->summand[i] != VALUE_NONE)
			work->is_wanted[work->summand[i]] = true;
		mark_handed_on(work, node);
	}
}

void marks_make(struct work *work)
{
	const struct graph *graph = work->graph;
	/* made once, when the graph is as it was */
	int32_t *readers = arena_array(work->arena, (size_t)work->n_value + 1,
				       sizeof(*readers));

	memset(work->is_wanted, 0, (size_t)work->n_value * sizeof(bool));
	for (int32_t i = 0; i < work->n_value; i++)
		work->kin[i] = i;
	for (int32_t i = 0; i < work->n_node; i++)
		work->summand[i] = VALUE_NONE;
	/* sums are looked at when all that layers want is known */
	sweep(work, NULL);
	if (!readers)
		return;
	graph_count_readers(graph, readers);
	sweep(work, readers);
}

enum err_code marks_init(struct work *work, struct err *err)
{
	const struct graph *graph = work->graph;
	const size_t n_value = (size_t)graph->n_value + 1;
	const size_t n_node = (size_t)graph->n_node + 1;

	work->n_value = graph->n_value;
	work->n_node = graph->n_node;
	work->layer = arena_array(work->arena, n_node, sizeof(*work->layer));
	work->summand = arena_array(work->arena, n_node, sizeof(int32_t));
	work->is_wanted = arena_array(work->arena, n_value, sizeof(bool));
	work->kin = arena_array(work->arena, n_value, sizeof(int32_t));
	work->range = arena_array(work->arena, n_value, sizeof(*work->range));
	if (!work->layer || !work->summand || !work->is_wanted || !work->kin ||
	    !work->range)
		return err_set(err, ERR_NO_MEMORY, "precision: out of memory");
	for (int32_t i = 0; i < work->n_node; i++)
		work->layer[i] = layer_of(graph, &graph->node[i]);
	memset(work->range, 0, n_value * sizeof(*work->range));
	marks_make(work);
	return ERR_NONE;
}
