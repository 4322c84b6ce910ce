/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Penalties of recurrent layers: large activations, and large changes of them
 * (Merity, Keskar and Socher 2017: AR and TAR).
 */
#include <string.h>

#include "engine/train_step_priv.h"

static bool is_recurrent(const struct graph_node *node)
{
	static const char *const names[] = { "GRU", "LSTM", "LSTMSteps",
					     "RNN" };

	for (size_t i = 0; node->op && i < sizeof(names) / sizeof(names[0]);
	     i++) {
		if (!strcmp(node->op->name, names[i]))
			return true;
	}
	return false;
}

/** All steps of the last recurrent layer: [steps, directions, rows, hidden]. */
static int32_t last_states(const struct graph *graph)
{
	for (int32_t i = graph->n_node; i-- > 0;) {
		const struct graph_node *node = &graph->node[i];

		if (is_recurrent(node) && node->n_out)
			return graph_out(graph, node)[0];
	}
	return VALUE_NONE;
}

static bool is_move(const char *name)
{
	static const char *const names[] = { "Transpose", "Reshape", "Squeeze",
					     "Unsqueeze" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

/** What dropout leaves of a value, past moves of its elements; itself where
 * there is none. */
static int32_t dropped(const struct graph *graph, int32_t value)
{
	int32_t at = value;

	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (!node->op || !node->n_in || graph_in(graph, node)[0] != at)
			continue;
		if (!strcmp(node->op->name, "DropoutTrain"))
			return graph_out(graph, node)[0];
		if (is_move(node->op->name))
			at = graph_out(graph, node)[0];
	}
	return value;
}

static void add(struct train_work *work, const char *text, double factor,
		int32_t value)
{
	struct build *build = &work->build;
	const struct build_name bound[] = {
		{ "y", value },
		{ "f", build_scalar(build, DTYPE_F32, factor) },
		{ "l", work->objective },
	};
	struct build_name want = { "o", VALUE_NONE };

	build_text(build, text, bound, 3, NULL, &want, 1);
	work->objective = want.value;
}

enum err_code train_penalty(struct train_work *work, struct err *err)
{
	static const char activation[] =
	    "o = Add(l, Mul(f, ReduceMean<keepdims=0>(Mul(y, y))))";
	static const char temporal[] =
	    "d = Sub(Slice(y, a:int64[1]={1}, b:int64[1]={2147483647}, "
	    "z:int64[1]={0}), Slice(y, z, c:int64[1]={-1}, z)); "
	    "o = Add(l, Mul(f, ReduceMean<keepdims=0>(Mul(d, d))))";
	const struct train_step_options *o = work->options;
	const int32_t states = last_states(work->graph);

	if (!(o->activation > 0) && !(o->temporal > 0))
		return ERR_NONE;
	if (states == VALUE_NONE)
		return err_set(err, ERR_INVALID,
			       "activation_regularization: the network has no "
			       "recurrent layer (rnn, gru, lstm)");
	if (o->activation > 0)
		add(work, activation, o->activation,
		    dropped(work->graph, states));
	if (o->temporal > 0 &&
	    build_fact(&work->build, states)->shape.dim[0] > 1)
		add(work, temporal, o->temporal, states);
	return build_check(&work->build, err);
}
