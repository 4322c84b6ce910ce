/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Training forms of operators that behave otherwise in evaluation.
 */
#include <string.h>

#include "engine/ops/dropout.h"
#include "engine/ops/norm.h"
#include "engine/train_step_priv.h"

struct forms {
	struct train_work *work;
	int32_t *to;	  /* by value of the base graph: what stands for it */
	int32_t *readers; /* by value */
};

static bool is_unused(const struct forms *forms, int32_t value)
{
	return value == VALUE_NONE || !forms->readers[value];
}

/** The variable that a value is, when training may write it; else -1. */
static int32_t state_of(const struct forms *forms, int32_t value)
{
	const struct graph_value *row = &forms->work->graph->value[value];

	if (row->origin != ORIGIN_VARIABLE ||
	    train_is_frozen(forms->work, row->source))
		return -1;
	return row->source;
}

static enum err_code batch_norm(struct forms *forms, int32_t number,
				struct err *err)
{
	struct train_work *work = forms->work;
	struct graph *graph = work->graph;
	const struct graph_node node = graph->node[number];
	const struct batch_norm_attrs *attrs = node.attrs;
	const struct batch_norm_train_attrs train = {
		.epsilon = attrs->epsilon,
		.momentum = 1 - attrs->momentum,
	};
	int32_t in[5], out[5], old[3] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };
	int32_t mean, var;
	enum err_code rc;

	memcpy(in, graph_in(graph, &node), sizeof(in));
	memcpy(old, graph_out(graph, &node), (size_t)node.n_out * sizeof(*old));
	mean = state_of(forms, in[3]);
	var = state_of(forms, in[4]);
	if (mean < 0 || var < 0)
		return ERR_NONE;
	if (!is_unused(forms, old[1]) || !is_unused(forms, old[2]))
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (BatchNormalization): its running "
			       "statistics are read, which training keeps to "
			       "itself",
			       node.name);
	build_nodes(&work->build, "BatchNormTrain", &train, in, 5, out, 5);
	rc = build_check(&work->build, err);
	if (!rc)
		rc = graph_add_assign(graph, mean, out[3], err);
	if (!rc)
		rc = graph_add_assign(graph, var, out[4], err);
	forms->to[old[0]] = out[0];
	graph->node[number].op = NULL;
	return rc;
}

/** The probability of 0 that a Dropout node was given. */
static enum err_code dropout_ratio(const struct train_work *work,
				   const struct graph_node *node,
				   double *ret_ratio, struct err *err)
{
	const int32_t *in = graph_in(work->graph, node);
	const struct fact *fact;

	*ret_ratio = 0.5;
	if (node->n_in < 2 || in[1] == VALUE_NONE)
		return ERR_NONE;
	fact = build_fact(&work->build, in[1]);
	if (!fact->value || shape_count(&fact->shape) != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (Dropout): input 'ratio' is not "
			       "known before a run",
			       node->name);
	dtype_convert(fact->type.elem, fact->value, DTYPE_F64, ret_ratio, 1,
		      false);
	if (!(*ret_ratio >= 0 && *ret_ratio < 1))
		return err_set(err, ERR_INVALID,
			       "node '%s' (Dropout): input 'ratio' expected 0 "
			       "or more and less than 1, got %g",
			       node->name, *ret_ratio);
	return ERR_NONE;
}

static enum err_code dropout(struct forms *forms, int32_t number,
			     struct err *err)
{
	struct train_work *work = forms->work;
	struct graph *graph = work->graph;
	const struct graph_node node = graph->node[number];
	struct dropout_mask_attrs attrs = {
		.seed = (int64_t)work->options->seed,
		.stream = number,
	};
	const int32_t in[2] = { graph_in(graph, &node)[0], work->step };
	const int32_t out = graph_out(graph, &node)[0];
	enum err_code rc = dropout_ratio(work, &node, &attrs.ratio, err);

	if (rc)
		return rc;
	if (node.n_out > 1 && !is_unused(forms, graph_out(graph, &node)[1]))
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (Dropout): its mask is read, which "
			       "training draws only in passing",
			       node.name);
	forms->to[out] =
	    attrs.ratio > 0
		? build_node(&work->build, "DropoutTrain", &attrs, in, 2)
		: in[0];
	graph->node[number].op = NULL;
	return build_check(&work->build, err);
}

/** The way back reads Y: a layer that was asked for its last states alone
 * gives it, too. */
static enum err_code recurrent(struct forms *forms, int32_t number,
			       struct err *err)
{
	enum { MAX_IN = 8, MAX_OUT = 3 };
	struct train_work *work = forms->work;
	struct graph *graph = work->graph;
	const struct graph_node node = graph->node[number];
	int32_t in[MAX_IN], old[MAX_OUT], out[MAX_OUT];

	if (node.n_in > MAX_IN || node.n_out > MAX_OUT ||
	    graph_out(graph, &node)[0] != VALUE_NONE)
		return ERR_NONE;
	memcpy(in, graph_in(graph, &node), (size_t)node.n_in * sizeof(*in));
	memcpy(old, graph_out(graph, &node), (size_t)node.n_out * sizeof(*old));
	build_row(&work->build, node.op, node.attrs, in, (unsigned)node.n_in,
		  out, (unsigned)node.n_out);
	for (int32_t i = 0; i < node.n_out; i++)
		if (old[i] != VALUE_NONE)
			forms->to[old[i]] = out[i];
	graph->node[number].op = NULL;
	return build_check(&work->build, err);
}

static enum err_code lstm(struct forms *forms, int32_t number, struct err *err)
{
	struct graph *graph = forms->work->graph;
	const struct graph_node node = graph->node[number];
	int32_t old[3] = { VALUE_NONE, VALUE_NONE, VALUE_NONE }, out[3];
	bool did;
	enum err_code rc;

	if (node.n_out > 3)
		return ERR_NONE;
	memcpy(old, graph_out(graph, &node), (size_t)node.n_out * sizeof(*old));
	rc = train_lstm(forms->work, &node, out, &did, err);
	if (rc || !did)
		return rc ? rc : recurrent(forms, number, err);
	for (int32_t i = 0; i < node.n_out; i++)
		if (old[i] != VALUE_NONE)
			forms->to[old[i]] = out[i];
	graph->node[number].op = NULL;
	return ERR_NONE;
}

static const struct {
	const char *op;
	enum err_code (*make)(struct forms *forms, int32_t number,
			      struct err *err);
} rules[] = {
	{ "BatchNormalization", batch_norm },
	{ "Dropout", dropout },
	{ "GRU", recurrent },
	{ "LSTM", lstm },
	{ "RNN", recurrent },
};

static enum err_code make(struct forms *forms, int32_t number, struct err *err)
{
	const struct graph_node *node = &forms->work->graph->node[number];

	if (!node->op || node->op->domain[0])
		return ERR_NONE;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(node->op->name, rules[i].op) != 0)
			continue;
		forms->work->build.prefix = node->name;
		return rules[i].make(forms, number, err);
	}
	return ERR_NONE;
}

enum err_code train_forms(struct train_work *work, struct err *err)
{
	struct graph *graph = work->graph;
	const size_t n_before = (size_t)graph->n_value;
	struct forms forms = { .work = work };
	int32_t *forward;
	enum err_code rc = ERR_NONE;

	forms.to = arena_array(graph->arena, n_before, sizeof(*forms.to));
	forms.readers =
	    arena_array(graph->arena, n_before, sizeof(*forms.readers));
	if (!forms.to || !forms.readers)
		return err_set(err, ERR_NO_MEMORY, "training: out of memory");
	graph_count_readers(graph, forms.readers);
	for (size_t i = 0; i < n_before; i++)
		forms.to[i] = (int32_t)i;
	for (int32_t i = 0; i < work->n_base_node && !rc; i++)
		rc = make(&forms, i, err);
	work->build.prefix = NULL;
	if (rc)
		return rc;
	forward =
	    arena_array(graph->arena, (size_t)graph->n_value, sizeof(*forward));
	if (!forward)
		return err_set(err, ERR_NO_MEMORY, "training: out of memory");
	for (int32_t i = 0; i < graph->n_value; i++)
		forward[i] = (size_t)i < n_before ? forms.to[i] : i;
	graph_forward_uses(graph, forward);
	return graph_tidy(graph, err);
}
