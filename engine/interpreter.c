/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interpreter.h"

#include <string.h>

#include "engine/node_call.h"

struct run {
	const struct graph *graph;
	const struct interpreter_options *options;
	struct arena *arena;
	struct fact *fact; /* by value; `value` is where the elements lie */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "interpreter: out of memory");
}

static struct fact view_fact(const struct tensor_view *view)
{
	return (struct fact){
		.type = { .elem = view->dtype },
		.shape = view->shape,
		.layout = view->layout,
		.has_shape = true,
		.value = view->data ? view->data : "", /* of no elements */
	};
}

static enum err_code
know_inputs(struct run *run, const struct tensor_view *input, struct err *err)
{
	const struct graph *graph = run->graph;

	for (int32_t i = 0; i < graph->n_input; i++) {
		const struct graph_value *value =
		    &graph->value[graph->input[i]];

		if (value->type.elem != DTYPE_NONE &&
		    value->type.elem != input[i].dtype)
			return err_set(
			    err, ERR_INVALID, "input '%s': expected %s, got %s",
			    value->name, dtype_info(value->type.elem)->name,
			    dtype_info(input[i].dtype)->name);
		run->fact[graph->input[i]] = view_fact(&input[i]);
	}
	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct graph_value *value = &graph->value[i];

		if (value->origin == ORIGIN_CONST)
			run->fact[i] =
			    view_fact(&graph->constant[value->source]);
		else if (value->origin == ORIGIN_VARIABLE)
			run->fact[i] =
			    view_fact(&graph->variable[value->source].view);
	}
	return ERR_NONE;
}

static enum err_code run_call(struct run *run, struct node_call *call,
			      struct err *err)
{
	const struct node_call_options options = {
		.reference = run->options && run->options->reference,
		.arena = run->arena,
	};
	void **data = arena_array(run->arena, call->n_out + 1, sizeof(*data));
	bool known;
	enum err_code rc;

	if (!data)
		return no_memory(err);
	rc = node_call_infer(call, &known, err);
	if (!rc && !known)
		rc = err_set(err, ERR_INTERNAL,
			     NODE_TEXT ": an input was not made",
			     NODE_ARGS(call->node));
	for (unsigned i = 0; i < call->n_out && !rc; i++) {
		if (call->out[i].type.elem == DTYPE_NONE)
			continue;
		data[i] = arena_aligned(run->arena,
					fact_data_bytes(&call->out[i]) + 1);
		if (!data[i])
			rc = no_memory(err);
		call->out[i].value = data[i];
	}
	return rc ? rc : node_call_run(call, data, &options, err);
}

static enum err_code run_node(struct run *run, const struct graph_node *node,
			      struct err *err)
{
	const int32_t *out = graph_out(run->graph, node);
	struct node_call call;
	enum err_code rc;

	if (node->n_body > 0)
		return err_set(err, ERR_UNSUPPORTED,
			       NODE_TEXT ": bodies are not interpreted",
			       NODE_ARGS(node));
	rc = node_call_init(&call, run->graph, node, run->fact, err);
	if (!rc)
		rc = run_call(run, &call, err);
	for (unsigned i = 0; i < call.n_out && !rc; i++)
		if (out[i] != VALUE_NONE)
			run->fact[out[i]] = call.out[i];
	node_call_finish(&call);
	return rc;
}

/* A copy that assignments do not reach. */
static enum err_code keep(struct run *run, int32_t value, struct err *err)
{
	struct fact *fact = &run->fact[value];
	const size_t bytes = fact_data_bytes(fact);
	void *copy = arena_aligned(run->arena, bytes + 1);

	if (!copy)
		return no_memory(err);
	if (bytes)
		memcpy(copy, fact->value, bytes);
	fact->value = copy;
	return ERR_NONE;
}

/* Values that are variables are read before any variable is written. */
static enum err_code write_variables(struct run *run, struct err *err)
{
	const struct graph *graph = run->graph;
	enum err_code rc = ERR_NONE;

	if (graph->n_assign == 0)
		return ERR_NONE;
	for (int32_t i = 0; i < graph->n_value && !rc; i++)
		if (graph->value[i].origin == ORIGIN_VARIABLE)
			rc = keep(run, i, err);
	for (int32_t i = 0; i < graph->n_assign && !rc; i++) {
		const struct assign *assign = &graph->assign[i];
		const struct tensor_view *to =
		    &graph->variable[assign->variable].view;
		const struct fact *from = &run->fact[assign->value];

		if (from->type.elem != to->dtype ||
		    !shape_equal(&from->shape, &to->shape))
			return err_set(
			    err, ERR_SHAPE,
			    "variable '%s': its new value has another "
			    "type or shape",
			    graph->variable[assign->variable].name);
		if (fact_data_bytes(from))
			memcpy(to->data, from->value, fact_data_bytes(from));
	}
	return rc;
}

static enum err_code run_graph(struct run *run, const struct tensor_view *input,
			       struct err *err)
{
	const struct graph *graph = run->graph;
	enum err_code rc = know_inputs(run, input, err);

	for (int32_t i = 0; i < graph->n_node && !rc; i++)
		if (graph->node[i].op)
			rc = run_node(run, &graph->node[i], err);
	return rc ? rc : write_variables(run, err);
}

enum err_code interpret(const struct graph *graph,
			const struct tensor_view *input,
			const struct interpreter_options *options,
			struct interpreter_result *ret, struct err *err)
{
	const size_t max = options ? options->max_bytes : 0;
	const size_t n = (size_t)graph->n_value + 1;
	struct run run = { .graph = graph, .options = options };
	struct tensor_view *value = NULL;
	enum err_code rc = ERR_NO_MEMORY;

	run.arena = arena_create(max ? max : SIZE_MAX / 2);
	if (run.arena) {
		run.fact = arena_array(run.arena, n, sizeof(*run.fact));
		value = arena_array(run.arena, n, sizeof(*value));
	}
	if (!run.fact || !value)
		rc = no_memory(err);
	else
		rc = run_graph(&run, input, err);
	if (rc) {
		arena_destroy(run.arena);
		return rc;
	}
	for (int32_t i = 0; i < graph->n_value; i++)
		value[i] = fact_view(&run.fact[i]);
	ret->arena = run.arena;
	ret->value = value;
	return ERR_NONE;
}

void interpreter_result_finish(struct interpreter_result *result)
{
	arena_destroy(result->arena);
	*result = (struct interpreter_result){ NULL, NULL };
}
