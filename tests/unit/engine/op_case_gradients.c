/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradients of a case: in double against central differences, in float
 * against double.
 *
 * The loss is the sum of every output and of every operand, each times numbers
 * of its own: gradients begin from something else than 1, and every operand is
 * used twice, so that a rule that stores instead of adding is seen.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/autodiff.h"
#include "op_case.h"

enum { MAX_WRT = 32, MAX_ELEMENTS = 40, UPSTREAM = 500 };

/* Rules may refuse outputs that nobody differentiates (saved statistics) and
 * operands that have none. What stays is then the first output, and the
 * operands that it alone gives a gradient to. */
struct loss {
	struct case_graph graph;
	bool first_output_only;
	uint32_t left_out; /* bit i: operand i */
	int32_t value;
	int32_t wrt[MAX_WRT], grad[MAX_WRT];
	size_t n_wrt;
	struct build build;
};

static const double step = 1e-6, relative = 1e-3, absolute = 1e-5;

static bool is_float(const struct graph *graph, int32_t value)
{
	const enum dtype elem = graph->value[value].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

/* One part of the loss: a value times drawn numbers, summed. */
static int32_t weigh(struct loss *loss, int32_t value, uint32_t stream)
{
	struct build *b = &loss->build;
	const struct fact *fact = build_fact(b, value);
	struct tensor_view view = { .dtype = fact->type.elem,
				    .shape = fact->shape };
	int32_t drawn;

	view.data = mem_aligned(tensor_bytes(view.dtype, &view.shape) + 1);
	case_draw(view.dtype, view.data, shape_count(&view.shape), 0.25,
		  stream);
	drawn = build_const(b, &view);
	mem_free(view.data);
	return build_2(b, "SumTo", build_2(b, "Mul", value, drawn),
		       build_scalar(b, view.dtype, 0));
}

static void find_wrt(struct loss *loss)
{
	const struct graph *graph = loss->graph.graph;
	unsigned n = 0;

	for (int32_t i = 0; i < graph->n_value; i++) {
		const enum origin origin = graph->value[i].origin;

		if ((origin == ORIGIN_INPUT || origin == ORIGIN_VARIABLE) &&
		    is_float(graph, i) && loss->n_wrt < MAX_WRT &&
		    !(loss->left_out >> (n++ % MAX_WRT) & 1))
			loss->wrt[loss->n_wrt++] = i;
	}
}

/* False: nothing to differentiate. */
static bool add_loss(struct loss *loss, struct err *err)
{
	struct graph *graph = loss->graph.graph;
	int32_t part[CASE_MAX_VALUES];
	unsigned n = 0;

	build_init(&loss->build, graph, loss->graph.facts);
	find_wrt(loss);
	for (int32_t i = 0; i < graph->n_output && i < 64; i++) {
		if (loss->first_output_only && i > 0)
			break;
		if (is_float(graph, graph->output[i]) &&
		    build_fact(&loss->build, graph->output[i])->has_shape)
			part[n++] = weigh(loss, graph->output[i],
					  UPSTREAM + (uint32_t)i);
	}
	if (n == 0 || loss->n_wrt == 0)
		return false;
	for (size_t i = 0; i < loss->n_wrt; i++)
		part[n++] =
		    weigh(loss, loss->wrt[i], 2 * UPSTREAM + (uint32_t)i);
	loss->value = build_node(&loss->build, "Sum", NULL, part, n);
	return build_check(&loss->build, err) == ERR_NONE;
}

static enum err_code add_gradients(struct loss *loss, struct err *err)
{
	struct graph *graph = loss->graph.graph;
	enum err_code rc;

	rc = autodiff(&loss->build, loss->value, VALUE_NONE, loss->wrt,
		      loss->n_wrt, loss->grad, err);
	graph->n_output = 0;
	for (size_t i = 0; i < loss->n_wrt && !rc; i++)
		if (loss->grad[i] != VALUE_NONE)
			rc = graph_add_output(graph, loss->grad[i], err);
	return rc ? rc : graph_tidy(graph, err);
}

/* Elements of an input or a variable, to be shifted. */
static double *elements(const struct loss *loss, int32_t value)
{
	const struct graph *graph = loss->graph.graph;
	const struct graph_value *v = &graph->value[value];

	return v->origin == ORIGIN_INPUT ? loss->graph.data[v->source].data
					 : graph->variable[v->source].view.data;
}

static bool evaluate(const struct loss *loss, double *ret_loss, struct err *err)
{
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result result;

	if (interpret(loss->graph.graph, loss->graph.data, &options, &result,
		      err))
		return false;
	*ret_loss = *(const double *)result.value[loss->value].data;
	interpreter_result_finish(&result);
	return true;
}

/* forward holds no gradients: it is what is shifted and run again. */
static void check_element(struct case_test *test, const struct loss *forward,
			  size_t i, int64_t at, double got)
{
	double *x = elements(forward, forward->wrt[i]) + at;
	const double here = *x;
	double above, below, want;
	struct err err;
	bool ran;

	*x = here + step;
	ran = evaluate(forward, &above, &err);
	*x = here - step;
	ran = ran && evaluate(forward, &below, &err);
	*x = here;
	if (!ran) {
		case_fail(test, "does not run in double: %s", err.msg);
		return;
	}
	want = (above - below) / (2 * step);
	if (!(fabs(want - got) <= absolute + relative * fabs(want)))
		case_fail(test,
			  "gradient of '%s', element %lld: %.9g, but "
			  "differences give %.9g",
			  forward->graph.graph->value[forward->wrt[i]].name,
			  (long long)at, got, want);
}

static void check_differences(struct case_test *test,
			      const struct loss *forward,
			      const struct loss *backward,
			      const struct interpreter_result *result)
{
	for (size_t i = 0; i < forward->n_wrt; i++) {
		const int32_t grad = backward->grad[i];
		const struct tensor_view *view;
		int64_t n, every;

		if (grad == VALUE_NONE) {
			case_fail(test, "operand %zu has no gradient", i);
			continue;
		}
		view = &result->value[grad];
		n = shape_count(&view->shape);
		every = n / MAX_ELEMENTS + 1;
		for (int64_t at = 0; at < n; at += every)
			check_element(
			    test, forward, i, at,
			    case_element(view->dtype, view->data, at));
	}
}

/* first_output_only and left_out stay as they are. */
static bool loss_create(struct case_test *test, const char *text,
			struct loss *loss, struct err *err)
{
	err->code = ERR_NONE;
	loss->n_wrt = 0;
	if (case_graph_create(text, test->row->kink, &loss->graph, err))
		return false;
	if (add_loss(loss, err))
		return true;
	case_graph_finish(&loss->graph);
	return false;
}

static enum err_code try_gradients(struct case_test *test, const char *text,
				   struct loss *loss, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (!loss_create(test, text, loss, err))
		return ERR_NONE;
	rc = add_gradients(loss, err);
	case_graph_finish(&loss->graph);
	return rc;
}

/* What the rule differentiates: everything, or less if it says so. */
static void find_extent(struct case_test *test, const char *text,
			struct loss *ret)
{
	struct loss loss = { .first_output_only = false };
	struct err err;
	uint32_t refused = 0;
	size_t n;

	if (try_gradients(test, text, &loss, &err) != ERR_UNSUPPORTED)
		return;
	ret->first_output_only = true;
	loss.first_output_only = true;
	if (try_gradients(test, text, &loss, &err) != ERR_UNSUPPORTED)
		return;
	n = loss.n_wrt;
	for (uint32_t i = 0; i < n; i++) {
		loss.left_out = ~(1U << i);
		if (try_gradients(test, text, &loss, &err) == ERR_UNSUPPORTED)
			refused |= 1U << i;
	}
	ret->left_out = refused;
}

/* Gradients of the same case in float, by the kernels that training uses. */
static void check_float(struct case_test *test, const struct loss *wide,
			const struct interpreter_result *want)
{
	const struct interpreter_options options = { .reference = false };
	const double tolerance = 10 * case_tolerance(test);
	struct interpreter_result result;
	struct loss loss = { .first_output_only = wide->first_output_only,
			     .left_out = wide->left_out };
	struct err err;
	char what[64];

	if (!loss_create(test, test->row->graph, &loss, &err))
		return;
	if (add_gradients(&loss, &err) ||
	    interpret(loss.graph.graph, loss.graph.data, &options, &result,
		      &err)) {
		case_fail(test, "gradients in float: %s", err.msg);
		case_graph_finish(&loss.graph);
		return;
	}
	for (size_t i = 0; i < loss.n_wrt && i < wide->n_wrt; i++) {
		const struct tensor_view *a = &want->value[wide->grad[i]];
		const struct tensor_view *b = &result.value[loss.grad[i]];
		const struct fact fact = { .type = { .elem = DTYPE_F64 },
					   .shape = a->shape };
		const int64_t n = shape_count(&a->shape);
		double *got = mem_array((size_t)n + 1, sizeof(*got));

		dtype_convert(b->dtype, b->data, DTYPE_F64, got, (size_t)n,
			      true);
		snprintf(what, sizeof(what), "gradient of operand %zu in float",
			 i);
		(void)case_compare(test, what, &fact, a->data, got, tolerance);
		mem_free(got);
	}
	interpreter_result_finish(&result);
	case_graph_finish(&loss.graph);
}

static void check_double(struct case_test *test, const char *text)
{
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result result;
	struct loss forward = { .first_output_only = false }, backward;
	struct err err;

	find_extent(test, text, &forward);
	backward = forward;
	if (!loss_create(test, text, &forward, &err))
		return; /* not in double, or nothing to differentiate */
	if (!loss_create(test, text, &backward, &err))
		goto out;
	if (add_gradients(&backward, &err) ||
	    interpret(backward.graph.graph, backward.graph.data, &options,
		      &result, &err)) {
		case_fail(test, "gradients in double: %s", err.msg);
	} else {
		test->n_gradients++;
		check_differences(test, &forward, &backward, &result);
		if (test->failures->len == 0)
			check_float(test, &backward, &result);
		interpreter_result_finish(&result);
	}
	case_graph_finish(&backward.graph);
out:
	case_graph_finish(&forward.graph);
}

void case_check_gradients(struct case_test *test)
{
	char *text;

	if (test->row->want != ERR_NONE)
		return;
	text = case_text_in_double(test->row->graph);
	check_double(test, text);
	mem_free(text);
}
