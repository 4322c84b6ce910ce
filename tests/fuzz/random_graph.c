/* SPDX-License-Identifier: Apache-2.0 */
/* A random graph over all operators: types, shapes, a plan, and where there is
 * little to compute, runs of the plan and of the interpreter, which must agree.
 * What can be written as ONNX must be readable. */
#include "tests/fuzz/fuzz.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/flush.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "models/onnx.h"
#include "tests/fuzz/graph_draw.h"

/* BYTES_MAX: values of a run; PLANNED_MAX: elements of what is planned;
 * ELEMENTS_MAX and WORK_MAX: what is run at all, work being elements read
 * times elements made. */
enum {
	BYTES_MAX = 1 << 22,
	ELEMENTS_MAX = 1 << 16,
	PLANNED_MAX = 1 << 22,
	WORK_MAX = 1 << 24,
	PRINT_MAX = 1 << 16,
	ONNX_MAX = 1 << 24,
	MEMORY_MAX = 64 << 20
};

/* What a plan may round elsewhere than the interpreter does. */
#define ROUNDING "-attention,-batch_norm_parts"

struct trial {
	struct drawn drawn;
	struct facts *facts;
	struct plan *plan;
	struct plan_options options;
};

static void blame(const struct trial *trial, const char *what, const char *why)
{
	struct buf text;

	buf_init(&text, PRINT_MAX);
	graph_text_print(trial->drawn.graph, &text);
	(void)fprintf(stderr, "%s: %s\n%s\n", what, why,
		      text.len ? text.data : "");
	for (int32_t i = 0; i < trial->drawn.graph->n_input; i++) {
		const struct tensor_view *view = &trial->drawn.data[i];
		char shape[160];

		(void)fprintf(stderr, "input %d: %s%s\n", i,
			      dtype_info(view->dtype)->name,
			      shape_text(&view->shape, shape, sizeof(shape)));
	}
	buf_finish(&text);
	abort();
}

/* ---- what is worth a run ------------------------------------------------- */

static int64_t count_of(const struct facts *facts, int32_t value)
{
	const struct fact *fact = value >= 0 ? &facts->fact[value] : NULL;

	return fact && fact->has_shape ? shape_count(&fact->shape) : 0;
}

/* A plan may take time in the extents of what is there. */
static bool may_plan(const struct trial *trial)
{
	int64_t elements = 0;

	for (int32_t i = 0; i < trial->drawn.graph->n_value; i++) {
		elements += count_of(trial->facts, i);
		if (elements > PLANNED_MAX)
			return false;
	}
	return true;
}

static bool is_small(const struct trial *trial)
{
	const struct graph *graph = trial->drawn.graph;
	int64_t elements = 0, work = 0;

	if (trial->drawn.is_huge)
		return false;
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		int64_t in = 1, out = 1;

		for (int32_t j = 0; j < node->n_in; j++)
			in += count_of(trial->facts, graph_in(graph, node)[j]);
		for (int32_t j = 0; j < node->n_out; j++)
			out +=
			    count_of(trial->facts, graph_out(graph, node)[j]);
		if (in > ELEMENTS_MAX || out > ELEMENTS_MAX)
			return false;
		elements += out;
		work += in * out;
	}
	return elements <= ELEMENTS_MAX && work <= WORK_MAX;
}

/* Halves are rounded at other places by plans, and random numbers differ. */
static bool is_sure(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_value; i++) {
		const enum dtype elem = graph->value[i].type.elem;

		if (elem != DTYPE_NONE && dtype_info(elem)->arith != elem)
			return false;
	}
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].n_body ||
		    graph->node[i].op->flags & OP_IMPURE)
			return false;
	return true;
}

static bool has_gradient(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (!strcmp(graph->node[i].op->name, "Gradient"))
			return true;
	return false;
}

/* ---- runs ---------------------------------------------------------------- */

static bool same_number(enum dtype elem, const char *a, const char *b)
{
	double x, y;

	if (!memcmp(a, b, dtype_info(elem)->size))
		return true;
	if (!dtype_is_float(elem))
		return false;
	dtype_convert(elem, a, DTYPE_F64, &x, 1, true);
	dtype_convert(elem, b, DTYPE_F64, &y, 1, true);
	return (isnan(x) && isnan(y)) || x == y ||
	       fabs(x - y) < (double)FLT_MIN;
}

/* The first element that differs, or -1. */
static int64_t find_other(const struct tensor_view *a,
			  const struct tensor_view *b)
{
	const int64_t n = shape_count(&a->shape);
	const size_t size = dtype_info(a->dtype)->size;

	for (int64_t i = 0; i < n; i++) {
		const char *x = (const char *)a->data + (size_t)i * size;
		const char *y = (const char *)b->data + (size_t)i * size;
		const struct str *s = (const struct str *)(const void *)x;
		const struct str *t = (const struct str *)(const void *)y;

		if (a->dtype == DTYPE_STRING
			? s->len != t->len ||
			      (s->len && memcmp(s->bytes, t->bytes, s->len))
			: !same_number(a->dtype, x, y))
			return i;
	}
	return -1;
}

static void blame_element(const struct trial *trial, const char *name,
			  const struct tensor_view *want,
			  const struct tensor_view *got, int64_t i)
{
	const size_t at = (size_t)i * dtype_info(want->dtype)->size;
	double x = 0, y = 0;
	char why[128];

	if (want->dtype != DTYPE_STRING) {
		dtype_convert(want->dtype, (const char *)want->data + at,
			      DTYPE_F64, &x, 1, true);
		dtype_convert(want->dtype, (const char *)got->data + at,
			      DTYPE_F64, &y, 1, true);
	}
	(void)snprintf(why, sizeof(why), "element %lld is %.9g, expected %.9g",
		       (long long)i, y, x);
	blame(trial, name, why);
}

static void compare(const struct trial *trial, struct instance *instance,
		    const struct interpreter_result *want)
{
	const struct graph *graph = trial->drawn.graph;
	const bool sure = trial->options.quick && is_sure(graph);

	for (int32_t i = 0; i < graph->n_output; i++) {
		const struct graph_value *value =
		    &graph->value[graph->output[i]];
		const struct tensor_view *a = &want->value[graph->output[i]];
		const struct tensor_view b =
		    instance_output(instance, (unsigned)i);
		int64_t at;

		if (value->type.is_sequence || value->type.is_optional)
			continue;
		if (a->dtype != b.dtype || !shape_equal(&a->shape, &b.shape))
			blame(trial, value->name, "another shape");
		at = sure ? find_other(a, &b) : -1;
		if (at >= 0)
			blame_element(trial, value->name, a, &b, at);
	}
}

static enum err_code run_plan(const struct trial *trial,
			      struct instance *instance, struct err *err)
{
	for (int32_t i = 0; i < trial->drawn.graph->n_input; i++) {
		const struct tensor_view to =
		    instance_input(instance, (unsigned)i);
		const size_t bytes = tensor_bytes(to.dtype, &to.shape);

		if (bytes)
			memcpy(to.data, trial->drawn.data[i].data, bytes);
	}
	return instance_run(instance, NULL, err);
}

static bool is_limit(enum err_code code)
{
	return code == ERR_NO_MEMORY || code == ERR_TOO_LARGE;
}

/* A plan leaves out a bad value that nobody needs. */
static void check_codes(const struct trial *trial, enum err_code want,
			enum err_code got, const struct err *err)
{
	if (got && !want && !is_limit(got) && !has_gradient(trial->drawn.graph))
		blame(trial, "the plan refuses", err->msg);
}

static void run(const struct trial *trial)
{
	const struct interpreter_options options = { .max_bytes = BYTES_MAX };
	struct interpreter_result want = { 0 };
	struct instance *instance = NULL;
	struct err err = { 0 };
	const uint64_t old = flush_begin();
	const enum err_code code = interpret(
	    trial->drawn.graph, trial->drawn.data, &options, &want, &err);
	enum err_code rc;

	flush_end(old);
	if (is_limit(code) || !trial->plan)
		goto out;
	rc = instance_create(trial->plan, &instance, &err);
	if (!rc)
		rc = run_plan(trial, instance, &err);
	check_codes(trial, code, rc, &err);
	if (!rc && !code)
		compare(trial, instance, &want);
out:
	instance_destroy(instance);
	if (!code)
		interpreter_result_finish(&want);
}

/* ---- files --------------------------------------------------------------- */

static void fill_port(struct signature_port *port, const struct graph *graph,
		      int32_t value)
{
	*port =
	    (struct signature_port){ .name = graph->value[value].name,
				     .dtype = graph->value[value].type.elem };
}

static bool fill_signature(const struct graph *graph, struct model_signature *s)
{
	s->n_inputs = (unsigned)graph->n_input;
	s->n_outputs = (unsigned)graph->n_output;
	s->input =
	    arena_array(graph->arena, s->n_inputs + 1, sizeof(*s->input));
	s->output =
	    arena_array(graph->arena, s->n_outputs + 1, sizeof(*s->output));
	if (!s->input || !s->output)
		return false;
	for (int32_t i = 0; i < graph->n_input; i++)
		fill_port(&s->input[i], graph, graph->input[i]);
	for (int32_t i = 0; i < graph->n_output; i++)
		fill_port(&s->output[i], graph, graph->output[i]);
	return true;
}

/* The writer refuses our own operators; what it writes of a graph whose shapes
 * fit must be read. */
static void round_trip(const struct trial *trial)
{
	const struct onnx_write_options writing = { "1", "fuzz" };
	const struct onnx_options reading = { .max_bytes = MEMORY_MAX,
					      .any_values = true };
	struct model_signature signature = { 0 }, back;
	struct graph *again = NULL;
	struct err err = { 0 };
	struct buf buf;
	enum err_code rc = ERR_NONE;

	buf_init(&buf, ONNX_MAX);
	if (fill_signature(trial->drawn.graph, &signature) &&
	    !onnx_write(trial->drawn.graph, &signature, &writing, &buf, &err))
		rc = onnx_read(buf.data, buf.len, "again", &reading, &again,
			       &back, &err);
	if (rc && !is_limit(rc))
		blame(trial, "what was written is not read", err.msg);
	graph_destroy(again);
	buf_finish(&buf);
}

/* ---- the whole ----------------------------------------------------------- */

static void try_graph(struct trial *trial)
{
	const struct drawn *drawn = &trial->drawn;
	const struct signature signature = {
		.n = (unsigned)drawn->graph->n_input,
		.input = drawn->input,
	};
	struct err err = { 0 };
	enum err_code rc;

	if (graph_tidy(drawn->graph, &err) ||
	    facts_type_graph(drawn->graph, &err))
		blame(trial, "tidied or typed", err.msg);
	rc = facts_create(drawn->graph, drawn->input, &trial->facts, &err);
	if ((rc || may_plan(trial)) &&
	    plan_create(drawn->graph, &signature, &trial->options, &trial->plan,
			&err))
		trial->plan = NULL;
	if (!rc && is_small(trial))
		run(trial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct draw draw = { data, data + size };
	const struct seeds *seeds = seeds_get();
	struct trial trial = { .options = { .memory_limit = BYTES_MAX } };
	bool writes;

	if (!seeds)
		return 0;
	trial.options.quick = !draw_chance(&draw, 4);
	if (trial.options.quick &&
	    pass_switch_parse(ROUNDING, &trial.options.passes, NULL))
		abort();
	trial.options.threads = 1 + draw_below(&draw, 3);
	writes = draw_chance(&draw, 4);
	if (!graph_draw(&draw, seeds, &trial.drawn))
		return 0;
	if (trial.drawn.graph->n_output) {
		try_graph(&trial);
		if (writes && trial.facts)
			round_trip(&trial);
	}
	plan_unref(trial.plan);
	facts_destroy(trial.facts);
	drawn_finish(&trial.drawn);
	return 0;
}
