/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/body_plans.h"

#include <string.h>

#include "base/mem.h"
#include "engine/instance.h"
#include "engine/node_call.h"
#include "engine/plan_priv.h"

/* A signature of a body, met so many times; instance NULL: not planned yet. */
struct body_plan {
	struct fact *input; /* type, shape; value: of constants, else NULL */
	unsigned n_turns;
	bool is_unfit;
	struct graph *graph; /* the body with its constants inside */
	struct plan *plan;
	struct instance *instance;
};

struct body {
	struct body *next;
	const struct graph *graph;
	bool is_unfit;
	unsigned n;
	struct body_plan plan[BODY_PLANS_SIGNATURES];
};

struct body_plans {
	struct plan_options options;
	struct body *first;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "body plans: out of memory");
}

enum err_code body_plans_create(const struct plan_options *options,
				struct body_plans **ret_plans, struct err *err)
{
	struct body_plans *plans = mem_zero(sizeof(*plans));

	if (!plans)
		return no_memory(err);
	plans->options = *options;
	/* before a body gets a plan it is interpreted, which rounds nothing */
	plans->options.products = PRODUCTS_F32;
	*ret_plans = plans;
	return ERR_NONE;
}

static void plan_finish(struct body_plan *plan)
{
	instance_destroy(plan->instance);
	if (plan->plan)
		plan_unref(plan->plan);
	graph_destroy(plan->graph);
	mem_free(plan->input);
	*plan = (struct body_plan){ 0 };
}

void body_plans_destroy(struct body_plans *plans)
{
	struct body *body = plans ? plans->first : NULL, *next;

	for (; body; body = next) {
		next = body->next;
		for (unsigned i = 0; i < body->n; i++)
			plan_finish(&body->plan[i]);
		mem_free(body);
	}
	mem_free(plans);
}

/* What no plan runs, whatever the shapes. */
static bool is_unfit(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct type *type = &graph->value[i].type;

		if (type->is_sequence || type->is_optional ||
		    type->elem == DTYPE_STRING || type->elem == DTYPE_NONE)
			return true;
	}
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (node->op && (node->n_body || node->op->evaluate ||
				 node->op->flags & OP_IMPURE))
			return true;
	}
	return graph->n_variable || graph->n_assign;
}

static enum err_code find_body(struct body_plans *plans,
			       const struct graph *graph, struct body **ret,
			       struct err *err)
{
	struct body *body = plans->first;

	while (body && body->graph != graph)
		body = body->next;
	if (!body) {
		body = mem_zero(sizeof(*body));
		if (!body)
			return no_memory(err);
		body->graph = graph;
		body->is_unfit = is_unfit(graph);
		body->next = plans->first;
		plans->first = body;
	}
	*ret = body;
	return ERR_NONE;
}

static bool is_of(const struct body_plan *plan, const struct item *in,
		  int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		const struct fact *a = &plan->input[i], *b = &in[i].fact;

		if (a->type.elem != b->type.elem ||
		    !shape_equal(&a->shape, &b->shape) ||
		    a->value != (in[i].is_constant ? b->value : NULL))
			return false;
	}
	return true;
}

static size_t copied_bytes(const struct item *in, int32_t n)
{
	size_t bytes = 0;

	for (int32_t i = 0; i < n; i++)
		if (!in[i].is_constant)
			bytes += fact_data_bytes(&in[i].fact);
	return bytes;
}

/* The plan of that signature, a new one where it has not been met; NULL:
 * there is none, and none will be. */
static enum err_code find_plan(struct body *body, const struct item *in,
			       struct body_plan **ret, struct err *err)
{
	const int32_t n = body->graph->n_input;
	struct body_plan *plan;

	for (unsigned i = 0; i < body->n; i++)
		if (is_of(&body->plan[i], in, n)) {
			*ret = &body->plan[i];
			return ERR_NONE;
		}
	*ret = NULL;
	if (body->n == BODY_PLANS_SIGNATURES)
		return ERR_NONE;
	plan = &body->plan[body->n];
	plan->input = mem_array((size_t)n + 1, sizeof(*plan->input));
	if (!plan->input)
		return no_memory(err);
	for (int32_t i = 0; i < n; i++) {
		plan->input[i] = in[i].fact;
		plan->input[i].has_shape = true;
		if (!in[i].is_constant)
			plan->input[i].value = NULL;
	}
	plan->is_unfit = copied_bytes(in, n) > BODY_PLANS_BYTES;
	body->n++;
	*ret = plan;
	return ERR_NONE;
}

/* Inputs that are constants become the body's own. input[i] follows. */
static enum err_code take_constants(struct graph *graph, struct fact *input,
				    struct err *err)
{
	const int32_t n = graph->n_input;
	int32_t kept = 0, constant;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < n && !rc; i++) {
		const int32_t value = graph->input[i];
		const struct tensor_view view = fact_view(&input[i]);

		if (!input[i].value) {
			graph->value[value].source = kept;
			graph->input[kept] = value;
			input[kept++] = input[i];
			continue;
		}
		rc = graph_add_constant(graph, graph->value[value].name, &view,
					&constant, err);
		if (!rc)
			graph_replace_uses(graph, value, constant);
		graph->value[value].origin = ORIGIN_NODE; /* nobody's */
		graph->value[value].source = -1;
	}
	graph->n_input = kept;
	return rc;
}

/* The input that output i of a body is as it came; -1: none. */
static int32_t passed_on(const struct graph *body, int32_t i)
{
	const struct graph_value *value = &body->value[body->output[i]];

	return value->origin == ORIGIN_INPUT ? value->source : -1;
}

/* What is passed on is no output of the plan. */
static void drop_passed(const struct graph *body, struct graph *graph)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < body->n_output; i++)
		if (passed_on(body, i) < 0)
			graph->output[kept++] = graph->output[i];
	graph->n_output = kept;
}

static enum err_code make_plan(const struct body_plans *plans,
			       const struct graph *body, struct body_plan *plan,
			       struct err *err)
{
	const size_t n = (size_t)body->n_input;
	struct fact *input = mem_array(n + 1, sizeof(*input));
	enum err_code rc = ERR_NONE;

	if (!input)
		return no_memory(err);
	if (n)
		memcpy(input, plan->input, n * sizeof(*input));
	rc = graph_clone(body, &plan->graph, err);
	if (!rc)
		drop_passed(body, plan->graph);
	if (!rc)
		rc = take_constants(plan->graph, input, err);
	if (!rc)
		rc = plan_create(plan->graph,
				 &(struct signature){
				     (unsigned)plan->graph->n_input, input },
				 &plans->options, &plan->plan, err);
	if (!rc && plan->plan->tail)
		rc = err_set(err, ERR_UNSUPPORTED, "only a run can shape it");
	if (!rc)
		rc = instance_create(plan->plan, &plan->instance, err);
	mem_free(input);
	return rc;
}

static void put_inputs(struct body_plan *plan, const struct item *in, int32_t n)
{
	unsigned to = 0;

	for (int32_t i = 0; i < n; i++) {
		const size_t bytes = fact_data_bytes(&in[i].fact);

		if (plan->input[i].value)
			continue;
		if (bytes && in[i].fact.value)
			memcpy(instance_input(plan->instance, to).data,
			       in[i].fact.value, bytes);
		to++;
	}
}

static enum err_code get_output(struct body_plan *plan, unsigned i,
				struct run_heap *heap, struct item *out,
				struct err *err)
{
	const struct tensor_view view = instance_output(plan->instance, i);
	const size_t bytes = tensor_bytes(view.dtype, &view.shape);
	enum err_code rc;

	out->fact = (struct fact){ .type = { .elem = view.dtype },
				   .shape = view.shape };
	rc = item_alloc(heap, out, err);
	if (!rc && bytes && view.data)
		memcpy(item_data(out), view.data, bytes);
	return rc;
}

static enum err_code get_outputs(struct body_plan *plan,
				 const struct body_turn *turn, struct err *err)
{
	unsigned made = 0;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < turn->body->n_output && !rc; i++) {
		const int32_t from = passed_on(turn->body, i);

		if (from >= 0)
			turn->out[i] = item_share(&turn->in[from]);
		else
			rc = get_output(plan, made++, turn->heap, &turn->out[i],
					err);
	}
	return rc;
}

/* The plan of a turn, made where it is time; NULL: it is to be interpreted. */
static enum err_code plan_of(struct body_plans *plans,
			     const struct graph *graph, const struct item *in,
			     struct body_plan **ret, struct err *err)
{
	struct body_plan *plan = NULL;
	struct body *body = NULL;
	struct err why;
	enum err_code rc = find_body(plans, graph, &body, err);

	*ret = NULL;
	if (!rc && body && !body->is_unfit)
		rc = find_plan(body, in, &plan, err);
	if (rc || !plan || plan->is_unfit || ++plan->n_turns < BODY_PLANS_TURNS)
		return rc;
	/* what cannot be planned is for the interpreter to run, or to refuse */
	if (!plan->instance && make_plan(plans, graph, plan, &why))
		plan->is_unfit = true;
	else
		*ret = plan;
	return ERR_NONE;
}

enum err_code body_plans_run(struct body_plans *plans,
			     const struct body_turn *turn, size_t *ret_steps,
			     struct err *err)
{
	struct body_plan *plan;
	enum err_code rc = plan_of(plans, turn->body, turn->in, &plan, err);

	*ret_steps = 0;
	if (rc || !plan)
		return rc;
	put_inputs(plan, turn->in, turn->body->n_input);
	rc = instance_run(plan->instance, NULL, err);
	if (!rc)
		rc = get_outputs(plan, turn, err);
	*ret_steps = 1 + plan_report(plan->plan)->n_steps;
	return rc;
}
