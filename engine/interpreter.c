/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interpreter.h"

#include <string.h>

#include "base/mem.h"
#include "engine/body_plans.h"
#include "engine/evaluate.h"
#include "engine/node_call.h"

/* What all frames of one run share. */
struct run {
	const struct interpreter_options *options;
	struct run_heap heap;
	uint64_t n_steps;
};

struct frame {
	struct run *run;
	const struct graph *graph;
	unsigned depth; /* bodies around it */
	bool frees;
	/* by value */
	struct fact *fact; /* `value` is where the elements lie */
	struct run_block **owner;
	bool *is_constant;
	int32_t *last; /* number of the last node that reads it */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "interpreter: out of memory");
}

/* ---- values -------------------------------------------------------------- */

static struct item item_of(const struct frame *frame, int32_t value)
{
	if (value == VALUE_NONE || !frame->fact)
		return (struct item){ 0 };
	return (struct item){ .fact = frame->fact[value],
			      .owner = frame->owner[value],
			      .is_constant = frame->is_constant &&
					     frame->is_constant[value] };
}

static void drop(struct frame *frame, int32_t value)
{
	struct item item = item_of(frame, value);

	item_drop(&frame->run->heap, &item);
	frame->fact[value] = (struct fact){ 0 };
	frame->owner[value] = NULL;
}

static void put(struct frame *frame, int32_t value, const struct item *item)
{
	frame->fact[value] = item->fact;
	frame->owner[value] = item->owner;
	frame->is_constant[value] = item->is_constant;
}

static struct fact view_fact(const struct tensor_view *view)
{
	return (struct fact){
		.type = { .elem = view->dtype },
		.shape = view->shape,
		.has_shape = true,
		.value = view->data ? view->data : "", /* of no elements */
	};
}

static void know_sources(struct frame *frame)
{
	const struct graph *graph = frame->graph;

	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct graph_value *value = &graph->value[i];

		frame->is_constant[i] = value->origin == ORIGIN_CONST;
		if (value->origin == ORIGIN_CONST)
			frame->fact[i] =
			    view_fact(&graph->constant[value->source]);
		else if (value->origin == ORIGIN_VARIABLE)
			frame->fact[i] =
			    view_fact(&graph->variable[value->source].view);
	}
}

/* Outputs are read by the caller, constants for ever. */
static void find_last(struct frame *frame)
{
	const struct graph *graph = frame->graph;

	for (int32_t i = 0; i < graph->n_value; i++)
		frame->last[i] = -1;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; node->op && j < node->n_in; j++)
			if (graph_in(graph, node)[j] != VALUE_NONE)
				frame->last[graph_in(graph, node)[j]] = i;
		for (int32_t j = 0; node->op && j < node->n_out; j++)
			if (graph_out(graph, node)[j] != VALUE_NONE)
				frame->last[graph_out(graph, node)[j]] = i;
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		frame->last[graph->output[i]] = -1;
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin == ORIGIN_CONST ||
		    graph->value[i].origin == ORIGIN_VARIABLE)
			frame->last[i] = -1;
}

static void free_dead(struct frame *frame, int32_t number)
{
	const struct graph *graph = frame->graph;
	const struct graph_node *node = &graph->node[number];

	for (int32_t i = 0; i < node->n_in + node->n_out; i++) {
		const int32_t value =
		    i < node->n_in ? graph_in(graph, node)[i]
				   : graph_out(graph, node)[i - node->n_in];

		if (value != VALUE_NONE && frame->last[value] == number)
			drop(frame, value);
	}
}

/* ---- nodes --------------------------------------------------------------- */

static enum err_code run_call(struct frame *frame, struct node_call *call,
			      struct item *out, struct err *err)
{
	struct run *run = frame->run;
	const struct node_call_options options = {
		.reference = run->options && run->options->reference,
		.arena = run->heap.text,
	};
	void **data = mem_array(call->n_out + 1, sizeof(*data));
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
		out[i].fact = call->out[i];
		rc = item_alloc(&run->heap, &out[i], err);
		data[i] = item_data(&out[i]);
		call->out[i].value = out[i].fact.value;
	}
	if (!rc)
		rc = node_call_run(call, data, &options, err);
	mem_free(data);
	return rc;
}

static enum err_code run_kernels(struct frame *frame,
				 const struct graph_node *node,
				 struct item *out, struct err *err)
{
	struct node_call call;
	enum err_code rc =
	    node_call_init(&call, frame->graph, node, frame->fact, err);

	if (!rc)
		rc = run_call(frame, &call, out, err);
	node_call_finish(&call);
	return rc;
}

/* in: room for all operands */
static enum err_code evaluate(struct frame *frame,
			      const struct graph_node *node, struct item *in,
			      struct item *out, struct err *err)
{
	const struct graph *graph = frame->graph;
	struct evaluate call = {
		.run = frame->run,
		.heap = &frame->run->heap,
		.depth = frame->depth,
		.node = node,
		.in = in,
		.out = out,
		.n_in = (unsigned)node->n_in,
		.n_out = (unsigned)node->n_out,
	};
	enum err_code rc;

	for (int32_t i = 0; i < node->n_in; i++)
		in[i] = item_of(frame, graph_in(graph, node)[i]);
	for (int32_t i = 0; i < node->n_out; i++)
		if (graph_out(graph, node)[i] != VALUE_NONE)
			out[i].fact.type =
			    graph->value[graph_out(graph, node)[i]].type;
	rc = node->op->evaluate(&call, err);
	return rc ? err_prefix(err, NODE_TEXT, NODE_ARGS(node)) : ERR_NONE;
}

static bool is_wrapped(const struct frame *frame, int32_t value)
{
	return value != VALUE_NONE && (frame->fact[value].type.is_sequence ||
				       frame->fact[value].type.is_optional);
}

/* Identity of a sequence: kernels see tensors only. */
static enum err_code pass_on(struct frame *frame, const struct graph_node *node,
			     struct item *out, struct err *err)
{
	const int32_t value = graph_in(frame->graph, node)[0];
	const struct item item = item_of(frame, value);

	if (!(node->op->flags & OP_VIEW) || node->n_out != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       NODE_TEXT ": it takes no sequences",
			       NODE_ARGS(node));
	out[0] = item_share(&item);
	return ERR_NONE;
}

static enum err_code count_step(struct run *run, struct err *err)
{
	if (run->n_steps++ < EVALUATE_MAX_STEPS)
		return ERR_NONE;
	return err_set(err, ERR_TOO_LARGE,
		       "a run takes more than %d steps; does a loop end?",
		       EVALUATE_MAX_STEPS);
}

static enum err_code run_node(struct frame *frame, int32_t number,
			      struct err *err)
{
	const struct graph_node *node = &frame->graph->node[number];
	const size_t n = (size_t)node->n_in + (size_t)node->n_out;
	const int32_t *value = graph_out(frame->graph, node);
	struct item few[NODE_CALL_FEW], *item = few, *out;
	enum err_code rc = count_step(frame->run, err);

	if (rc)
		return rc;
	memset(few, 0, sizeof(few));
	if (n > NODE_CALL_FEW)
		item = mem_array(n, sizeof(*item));
	if (!item)
		return no_memory(err);
	out = item + node->n_in;
	if (node->op->evaluate)
		rc = evaluate(frame, node, item, out, err);
	else if (node->n_in &&
		 is_wrapped(frame, graph_in(frame->graph, node)[0]))
		rc = pass_on(frame, node, out, err);
	else
		rc = run_kernels(frame, node, out, err);
	for (int32_t i = 0; i < node->n_out; i++) {
		if (!rc && value[i] != VALUE_NONE)
			put(frame, value[i], &out[i]);
		else
			item_drop(&frame->run->heap, &out[i]);
	}
	if (item != few)
		mem_free(item);
	if (!rc && frame->frees)
		free_dead(frame, number);
	return rc;
}

static enum err_code run_nodes(struct frame *frame, struct err *err)
{
	const struct graph *graph = frame->graph;
	const struct interpreter_options *options = frame->run->options;
	const struct observer *observer = options ? options->observer : NULL;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < graph->n_node && !rc; i++) {
		const struct graph_node *node = &graph->node[i];

		if (!node->op)
			continue;
		if (observer)
			observer->node(observer->data, node, frame->depth,
				       false);
		rc = run_node(frame, i, err);
		if (observer)
			observer->node(observer->data, node, frame->depth,
				       true);
	}
	return rc;
}

/* ---- frames -------------------------------------------------------------- */

static enum err_code frame_new(struct run *run, const struct graph *graph,
			       struct frame **ret_frame, struct err *err)
{
	const size_t n = (size_t)graph->n_value + 1;
	struct frame *frame = mem_zero(sizeof(*frame));

	if (frame) {
		frame->run = run;
		frame->graph = graph;
		frame->fact = mem_array(n, sizeof(*frame->fact));
		frame->owner = mem_array(n, sizeof(struct run_block *));
		frame->last = mem_array(n, sizeof(*frame->last));
		frame->is_constant = mem_array(n, sizeof(bool));
	}
	if (!frame || !frame->fact || !frame->owner || !frame->last ||
	    !frame->is_constant) {
		frame_destroy(frame);
		return no_memory(err);
	}
	know_sources(frame);
	find_last(frame);
	*ret_frame = frame;
	return ERR_NONE;
}

enum err_code frame_create(const struct evaluate *call,
			   const struct graph *body, struct frame **ret_frame,
			   struct err *err)
{
	enum err_code rc;

	if (call->depth >= EVALUATE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "bodies nest deeper than %d",
			       EVALUATE_MAX_DEPTH);
	rc = frame_new(call->run, body, ret_frame, err);
	if (rc)
		return rc;
	(*ret_frame)->depth = call->depth + 1;
	(*ret_frame)->frees = true;
	return ERR_NONE;
}

static void drop_all(struct frame *frame)
{
	for (int32_t i = 0; frame->owner && i < frame->graph->n_value; i++)
		if (frame->owner[i])
			drop(frame, i);
}

void frame_destroy(struct frame *frame)
{
	if (!frame)
		return;
	if (frame->owner && frame->fact)
		drop_all(frame);
	mem_free(frame->fact);
	mem_free(frame->owner);
	mem_free(frame->is_constant);
	mem_free(frame->last);
	mem_free(frame);
}

static enum err_code check_input(const struct graph_value *value,
				 struct type type, struct err *err)
{
	if (value->type.elem == DTYPE_NONE ||
	    (value->type.elem == type.elem &&
	     value->type.is_sequence == type.is_sequence &&
	     value->type.is_optional == type.is_optional))
		return ERR_NONE;
	return err_set(err, ERR_INVALID, "input '%s': expected %s%s, got %s%s",
		       value->name, value->type.is_sequence ? "seq of " : "",
		       dtype_info(value->type.elem)->name,
		       type.is_sequence ? "seq of " : "",
		       dtype_info(type.elem)->name);
}

/* A loop may begin with an optional and go on with what it holds. */
static enum err_code make_optional(struct frame *frame, struct item *item,
				   struct err *err)
{
	struct item wrapped = { .fact.type = item->fact.type };
	struct sequence *sequence = NULL;
	enum err_code rc;

	wrapped.fact.type.is_optional = true;
	if (item->fact.type.is_optional || item->fact.type.is_sequence) {
		item->fact.type.is_optional = true;
		return ERR_NONE;
	}
	rc = item_sequence(&frame->run->heap, 1, &wrapped, &sequence, err);
	if (rc)
		return rc;
	sequence->item[0] = *item;
	*item = wrapped;
	return ERR_NONE;
}

enum err_code frame_run(struct frame *frame, const struct item *in,
			struct item *out, struct err *err)
{
	const struct graph *graph = frame->graph;
	const struct body_turn turn = { graph, in, out, &frame->run->heap };
	size_t n_steps = 0;
	enum err_code rc = count_step(frame->run, err);

	if (!rc && frame->run->options && frame->run->options->bodies)
		rc = body_plans_run(frame->run->options->bodies, &turn,
				    &n_steps, err);
	frame->run->n_steps += n_steps;
	if (rc || n_steps)
		return rc;
	for (int32_t i = 0; i < graph->n_input && !rc; i++) {
		const int32_t value = graph->input[i];
		struct item item = item_share(&in[i]);

		if (graph->value[value].type.is_optional)
			rc = make_optional(frame, &item, err);
		put(frame, value, &item);
		if (!rc)
			rc = check_input(&graph->value[value], item.fact.type,
					 err);
	}
	if (!rc)
		rc = run_nodes(frame, err);
	for (int32_t i = 0; i < graph->n_output && !rc; i++) {
		const struct item item = item_of(frame, graph->output[i]);

		out[i] = item_share(&item);
	}
	drop_all(frame);
	return rc;
}

/* ---- the whole ----------------------------------------------------------- */

static enum err_code know_inputs(struct frame *frame,
				 const struct tensor_view *input,
				 struct err *err)
{
	const struct graph *graph = frame->graph;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < graph->n_input && !rc; i++) {
		struct fact *fact = &frame->fact[graph->input[i]];
		const struct type type = graph->value[graph->input[i]].type;

		*fact = view_fact(&input[i]);
		fact->type.is_sequence = type.is_sequence;
		fact->type.is_optional = type.is_optional;
		rc = check_input(&graph->value[graph->input[i]], fact->type,
				 err);
	}
	return rc;
}

/* A copy that assignments do not reach. */
static enum err_code keep(struct frame *frame, int32_t value, struct err *err)
{
	struct item copy = { .fact = frame->fact[value] };
	const void *from = copy.fact.value;
	enum err_code rc = item_alloc(&frame->run->heap, &copy, err);

	if (rc)
		return rc;
	if (fact_data_bytes(&copy.fact))
		memcpy(item_data(&copy), from, fact_data_bytes(&copy.fact));
	put(frame, value, &copy);
	return ERR_NONE;
}

/* Values that are variables are read before any variable is written. */
static enum err_code write_variables(struct frame *frame, struct err *err)
{
	const struct graph *graph = frame->graph;
	enum err_code rc = ERR_NONE;

	if (graph->n_assign == 0)
		return ERR_NONE;
	for (int32_t i = 0; i < graph->n_value && !rc; i++)
		if (graph->value[i].origin == ORIGIN_VARIABLE)
			rc = keep(frame, i, err);
	for (int32_t i = 0; i < graph->n_assign && !rc; i++) {
		const struct assign *assign = &graph->assign[i];
		const struct tensor_view *to =
		    &graph->variable[assign->variable].view;
		const struct fact *from = &frame->fact[assign->value];

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

static enum err_code run_graph(struct frame *frame,
			       const struct tensor_view *input,
			       struct tensor_view *value, struct err *err)
{
	const struct graph *graph = frame->graph;
	enum err_code rc = know_inputs(frame, input, err);

	if (!rc)
		rc = run_nodes(frame, err);
	if (!rc)
		rc = write_variables(frame, err);
	for (int32_t i = 0; i < graph->n_value && !rc; i++)
		value[i] = fact_view(&frame->fact[i]);
	return rc;
}

enum err_code interpret(const struct graph *graph,
			const struct tensor_view *input,
			const struct interpreter_options *options,
			struct interpreter_result *ret, struct err *err)
{
	struct interpreter_result result = { 0 };
	enum err_code rc;

	result.run = mem_zero(sizeof(*result.run));
	result.value =
	    mem_array((size_t)graph->n_value + 1, sizeof(*result.value));
	if (!result.run || !result.value) {
		rc = no_memory(err);
		goto out;
	}
	result.run->options = options;
	rc = run_heap_init(&result.run->heap, options ? options->max_bytes : 0,
			   err);
	if (!rc)
		rc = frame_new(result.run, graph, &result.frame, err);
	if (rc)
		goto out;
	result.frame->frees = options && options->frees && graph->n_assign == 0;
	rc = run_graph(result.frame, input, result.value, err);
	/* the caller's options end with the call */
	result.run->options = NULL;
	if (rc)
		goto out;
	*ret = result;
	return ERR_NONE;
out:
	interpreter_result_finish(&result);
	return rc;
}

void interpreter_result_finish(struct interpreter_result *result)
{
	frame_destroy(result->frame);
	if (result->run)
		run_heap_finish(&result->run->heap);
	mem_free(result->run);
	mem_free(result->value);
	*result = (struct interpreter_result){ 0 };
}
