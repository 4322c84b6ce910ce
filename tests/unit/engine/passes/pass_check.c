/* SPDX-License-Identifier: Apache-2.0 */
#include "pass_check.h"

#include <criterion/criterion.h>

#include <math.h>

#include "../op_case.h"
#include "engine/attr.h"
#include "engine/passes/pass.h"

enum { MAX_INPUTS = 16 };

/* A graph under test; its variables have become constants. */
struct sample {
	struct case_graph graph;
	int rank[MAX_INPUTS];
};

static void positive(const struct tensor_view *view)
{
	float *x = view->data;

	for (int64_t i = 0; i < shape_count(&view->shape); i++)
		x[i] = fabsf(x[i]) + 0.5f;
}

/* "w:float[3]!" is a constant of random numbers, "!state" of positive ones. */
static void make_constants(struct graph *graph)
{
	struct err err;

	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct variable *variable;
		int32_t value = VALUE_NONE;

		if (graph->value[i].origin != ORIGIN_VARIABLE)
			continue;
		variable = &graph->variable[graph->value[i].source];
		if (variable->role == ROLE_STATE)
			positive(&variable->view);
		cr_assert_eq(graph_add_constant(graph, graph->value[i].name,
						&variable->view, &value, &err),
			     ERR_NONE, "%s", err.msg);
		graph_replace_uses(graph, i, value);
	}
}

static void sample_create(struct sample *sample, const char *text)
{
	struct graph *graph;
	struct err err;

	cr_assert_eq(case_graph_create(text, 0.01, &sample->graph, &err),
		     ERR_NONE, "%s\n%s", err.msg, text);
	graph = sample->graph.graph;
	cr_assert(graph->n_input <= MAX_INPUTS);
	for (int32_t i = 0; i < graph->n_input; i++)
		sample->rank[i] = sample->graph.input[i].has_shape
				      ? (int)sample->graph.input[i].shape.rank
				      : RANK_ANY;
}

/* --- structure --- */

/* Which value of one graph is which of the other. */
struct match {
	const struct pass_case *row;
	const struct graph *want, *got;
	int32_t *twin; /* by value of want; VALUE_NONE: not met */
	int32_t *stack, n_stack;
};

static bool same_constant(const struct graph *want, int32_t a,
			  const struct graph *got, int32_t b)
{
	const struct tensor_view *x, *y;

	y = &got->constant[got->value[b].source];
	if (want->value[a].origin == ORIGIN_VARIABLE) {
		x = &want->variable[want->value[a].source].view;
		return x->dtype == y->dtype &&
		       shape_equal(&x->shape, &y->shape);
	}
	x = &want->constant[want->value[a].source];
	if (x->dtype != y->dtype || !shape_equal(&x->shape, &y->shape))
		return false;
	for (int64_t i = 0; i < shape_count(&x->shape); i++) {
		const double p = case_element(x->dtype, x->data, i);

		if (fabs(p - case_element(y->dtype, y->data, i)) >
		    1e-5 * (fabs(p) + 1e-9))
			return false;
	}
	return true;
}

static void meet(struct match *match, int32_t want, int32_t got)
{
	const struct pass_case *row = match->row;
	const struct graph_value *a, *b;

	if (want == VALUE_NONE || got == VALUE_NONE) {
		cr_assert_eq(want, got, "%s: an operand more or less",
			     row->name);
		return;
	}
	a = &match->want->value[want];
	b = &match->got->value[got];
	if (match->twin[want] == got)
		return;
	cr_assert_eq(match->twin[want], VALUE_NONE, "%s: '%s' is two values",
		     row->name, a->name);
	match->twin[want] = got;
	if (a->origin == ORIGIN_CONST || a->origin == ORIGIN_VARIABLE) {
		cr_assert_eq(b->origin, ORIGIN_CONST, "%s: '%s' is no constant",
			     row->name, a->name);
		cr_assert(same_constant(match->want, want, match->got, got),
			  "%s: constant '%s' differs", row->name, a->name);
		return;
	}
	cr_assert_eq(a->origin, b->origin, "%s: '%s' comes from elsewhere",
		     row->name, a->name);
	if (a->origin == ORIGIN_NODE)
		match->stack[match->n_stack++] = want;
	else
		cr_assert_eq(a->source, b->source, "%s: '%s' is another input",
			     row->name, a->name);
}

static void meet_nodes(struct match *match, int32_t value)
{
	const struct graph_node *a = graph_producer(match->want, value);
	const struct graph_node *b =
	    graph_producer(match->got, match->twin[value]);

	cr_assert(a->op == b->op, "%s: '%s' is made by %s, expected %s",
		  match->row->name, match->want->value[value].name, b->op->name,
		  a->op->name);
	cr_assert(op_attrs_near(a->op, a->attrs, b->attrs, 1e-6),
		  "%s: attributes of %s", match->row->name, a->op->name);
	cr_assert_eq(a->n_in, b->n_in, "%s: inputs of %s", match->row->name,
		     a->op->name);
	for (int32_t i = 0; i < a->n_in; i++)
		meet(match, graph_in(match->want, a)[i],
		     graph_in(match->got, b)[i]);
}

static void check_structure(const struct pass_case *row,
			    const struct graph *want, const struct graph *got)
{
	struct arena *arena = arena_create(1 << 20);
	const size_t n = (size_t)want->n_value + 1;
	struct match match = {
		.row = row,
		.want = want,
		.got = got,
		.twin = arena_array(arena, n, sizeof(int32_t)),
		.stack = arena_array(arena, n, sizeof(int32_t)),
	};

	for (int32_t i = 0; i < want->n_value; i++)
		match.twin[i] = VALUE_NONE;
	cr_assert_eq(want->n_output, got->n_output, "%s", row->name);
	for (int32_t i = 0; i < want->n_output; i++)
		meet(&match, want->output[i], got->output[i]);
	while (match.n_stack)
		meet_nodes(&match, match.stack[--match.n_stack]);
	cr_assert_eq(want->n_node, got->n_node, "%s: %d nodes, expected %d",
		     row->name, (int)got->n_node, (int)want->n_node);
	arena_destroy(arena);
}

/* --- results --- */

static void run(struct sample *sample, struct interpreter_result *result)
{
	const struct interpreter_options options = { .reference = true };
	struct err err;

	cr_assert_eq(interpret(sample->graph.graph, sample->graph.data,
			       &options, result, &err),
		     ERR_NONE, "%s", err.msg);
}

static void compare(const struct pass_case *row, double tolerance,
		    const struct tensor_view *want,
		    const struct tensor_view *got)
{
	const int64_t n = shape_count(&want->shape);
	double largest = 0;

	cr_assert_eq(want->dtype, got->dtype, "%s", row->name);
	cr_assert(shape_equal(&want->shape, &got->shape), "%s: shapes differ",
		  row->name);
	for (int64_t i = 0; i < n; i++)
		largest = fmax(largest,
			       fabs(case_element(want->dtype, want->data, i)));
	for (int64_t i = 0; i < n; i++) {
		const double x = case_element(want->dtype, want->data, i);
		const double y = case_element(got->dtype, got->data, i);

		cr_assert((isnan(x) && isnan(y)) ||
			      fabs(x - y) <= tolerance * largest,
			  "%s: element %lld is %g, expected %g", row->name,
			  (long long)i, y, x);
	}
}

static void check_results(const struct pass_case *row, double tolerance,
			  const struct interpreter_result *want,
			  const int32_t *want_output, struct sample *sample)
{
	const struct graph *graph = sample->graph.graph;
	struct interpreter_result got;

	run(sample, &got);
	for (int32_t i = 0; i < graph->n_output; i++)
		compare(row, tolerance, &want->value[want_output[i]],
			&got.value[graph->output[i]]);
	interpreter_result_finish(&got);
}

void pass_check_near(const struct pass_case *row, double tolerance)
{
	struct pass_switch passes = { 0 };
	struct interpreter_result want;
	struct sample before = { 0 }, same = { 0 }, after = { 0 };
	struct err err;

	sample_create(&before, row->before);
	sample_create(&same, row->before);
	sample_create(&after, row->after ? row->after : row->before);
	make_constants(before.graph.graph);
	make_constants(same.graph.graph);
	if (!row->after)
		make_constants(after.graph.graph);
	cr_assert_eq(pass_switch_parse("-all", &passes, &err), ERR_NONE);
	cr_assert_eq(pass_switch_parse(row->pass, &passes, &err), ERR_NONE,
		     "%s", err.msg);
	run(&before, &want);
	cr_assert_eq(passes_load(same.graph.graph, same.rank, passes, &err),
		     ERR_NONE, "%s: %s", row->name, err.msg);
	check_structure(row, after.graph.graph, same.graph.graph);
	check_results(row, tolerance, &want, before.graph.graph->output, &same);
	interpreter_result_finish(&want);
	case_graph_finish(&before.graph);
	case_graph_finish(&same.graph);
	case_graph_finish(&after.graph);
}

void pass_check(const struct pass_case *row)
{
	pass_check_near(row, 1e-5);
}

void pass_check_all(const struct pass_case *rows)
{
	for (; rows->name; rows++)
		pass_check(rows);
}
