/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The training form of an LSTM: one product of all steps' inputs, then the
 * steps, which keep what the way back needs.
 *
 * Where the inputs are rows of a table (an embedding) and there are more of
 * them than the table has, the table is multiplied in their place and its
 * products are looked up: x = E[i] gives x W^T = (E W^T)[i]. Biases are added
 * to the table too, so that their gradient is a sum of its few rows.
 */
#include <string.h>

#include "engine/ops/recurrent.h"
#include "engine/ops/reshape.h"
#include "engine/train_step_priv.h"

/* Sigmoid, then tanh twice, forwards through all steps, and no more. */
static bool is_usual(const struct recurrent *r)
{
	static const char *const usual[] = { "Sigmoid", "Tanh", "Tanh" };

	if (r->kind != RECURRENT_LSTM || r->n_directions != 1 ||
	    r->is_reverse[0] || r->batch_first || r->input_forget ||
	    r->clip > 0)
		return false;
	for (unsigned i = 0; i < RECURRENT_BENDS; i++)
		if (r->bend[0][i].form != BEND_LOOP || !r->bend[0][i].loop ||
		    strcmp(r->bend[0][i].loop, usual[i]) != 0)
			return false;
	return true;
}

static bool is_given(const struct graph_node *node, const int32_t *in, int i)
{
	return i < node->n_in && in[i] != VALUE_NONE;
}

static bool read_layer(const struct train_work *work,
		       const struct graph_node *node, struct recurrent *ret)
{
	const int32_t *in = graph_in(work->graph, node);
	struct fact fact[RECURRENT_P + 1] = { 0 };

	if (is_given(node, in, RECURRENT_LENGTHS) ||
	    is_given(node, in, RECURRENT_P))
		return false;
	for (int i = 0; i < node->n_in && i <= RECURRENT_P; i++) {
		if (!is_given(node, in, i))
			continue;
		fact[i] = *build_fact(&work->build, in[i]);
		if (!fact[i].has_shape)
			return false;
	}
	return fact[RECURRENT_X].type.elem == DTYPE_F32 &&
	       !recurrent_init(node->op->name, node->attrs, fact,
			       (unsigned)node->n_in, ret, NULL) &&
	       is_usual(ret) && ret->n_in > 0;
}

/* The node that looks X up in a smaller table, or NULL. */
static const struct graph_node *
find_lookup(const struct train_work *work, int32_t x, const struct recurrent *r)
{
	const struct graph *graph = work->graph;
	const struct graph_value *value = &graph->value[x];
	const struct graph_node *node;
	const struct fact *table;

	if (value->origin != ORIGIN_NODE)
		return NULL;
	node = &graph->node[value->source];
	if (!node->op || *node->op->domain ||
	    strcmp(node->op->name, "Gather") != 0)
		return NULL;
	table = build_fact(&work->build, graph_in(graph, node)[0]);
	/* rank 2 and the extent say that the axis is 0 */
	if (!table->has_shape || table->shape.rank != 2 ||
	    table->shape.dim[1] != r->n_in ||
	    build_fact(&work->build, graph_in(graph, node)[1])->shape.rank !=
		2 ||
	    table->shape.dim[0] > r->n_steps * r->n_batch / 2)
		return NULL;
	return node;
}

/* [1, 2 width] as the sum of its halves, or VALUE_NONE. */
static int32_t both_biases(struct build *build, int32_t bias, int64_t width)
{
	const struct shape halves = { 2, { 2, width } };
	struct build_name in = { "b", VALUE_NONE }, out = { "y", VALUE_NONE };

	if (bias == VALUE_NONE)
		return VALUE_NONE;
	in.value = build_reshape(build, bias, &halves);
	build_text(build, "y = ReduceSum<keepdims=0>(b, axes:int64[1]={0})",
		   &in, 1, NULL, &out, 1);
	return out.value;
}

/* X W^T as [steps, rows, gates]. *bias is VALUE_NONE afterwards where it is
 * in. */
static int32_t input_products(struct train_work *work,
			      const struct graph_node *node,
			      const struct recurrent *r, int32_t *bias)
{
	static const char text[] = "y = Gemm<transB=1>(a, b)";
	static const char with_bias[] = "y = Gemm<transB=1>(a, b, c)";
	struct build *build = &work->build;
	const int32_t *in = graph_in(work->graph, node);
	const int64_t width = r->n_gates * r->n_hidden;
	const struct shape rows = { 2, { r->n_steps * r->n_batch, r->n_in } };
	const struct shape weight = { 2, { width, r->n_in } };
	const struct shape whole = { 3, { r->n_steps, r->n_batch, width } };
	const struct graph_node *lookup = find_lookup(work, in[RECURRENT_X], r);
	const int32_t w = in[RECURRENT_W], x = in[RECURRENT_X];
	int32_t ids = VALUE_NONE;
	bool has_bias;
	struct build_name bound[3] = { { "a", x }, { "b", w }, { "c", w } };
	struct build_name want = { "y", VALUE_NONE };

	if (lookup) {
		bound[0].value = graph_in(work->graph, lookup)[0];
		ids = graph_in(work->graph, lookup)[1];
	} else {
		bound[0].value = build_reshape(build, x, &rows);
	}
	bound[1].value = build_reshape(build, w, &weight);
	bound[2].value = lookup ? both_biases(build, *bias, width) : VALUE_NONE;
	has_bias = bound[2].value != VALUE_NONE;
	build_text(build, has_bias ? with_bias : text, bound, has_bias ? 3 : 2,
		   NULL, &want, 1);
	if (has_bias)
		*bias = VALUE_NONE;
	return lookup ? build_2(build, "Gather", want.value, ids)
		      : build_reshape(build, want.value, &whole);
}

enum err_code train_lstm(struct train_work *work, const struct graph_node *node,
			 int32_t ret_out[3], bool *ret_did, struct err *err)
{
	enum { OUTPUTS = 4 };
	int32_t in[5], out[OUTPUTS], old[RECURRENT_P + 1];
	struct recurrent r;

	*ret_did = false;
	if (!read_layer(work, node, &r))
		return ERR_NONE;
	memcpy(old, graph_in(work->graph, node),
	       (size_t)node->n_in * sizeof(*old));
	for (int i = node->n_in; i <= RECURRENT_P; i++)
		old[i] = VALUE_NONE;
	in[2] = old[RECURRENT_B];
	in[0] = input_products(work, node, &r, &in[2]);
	in[1] = old[RECURRENT_R];
	in[3] = old[RECURRENT_H0];
	in[4] = old[RECURRENT_C0];
	build_nodes(&work->build, "LSTMSteps", NULL, in, 5, out, OUTPUTS);
	memcpy(ret_out, out, 3 * sizeof(*out));
	*ret_did = true;
	return build_check(&work->build, err);
}
