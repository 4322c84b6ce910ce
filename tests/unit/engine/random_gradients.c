/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradients of random graphs, in double: along a random direction of each
 * tensor, against differences of the loss.
 *
 * Where the differences to both sides disagree the loss bends or jumps, and
 * nothing is compared there.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/autodiff.h"
#include "engine/interpreter.h"
#include "op_case.h"
#include "random_graph.h"

enum { SEEDS = 240, MIN_NODES = 5, MAX_NODES = 40, MAX_WRT = 64 };
enum { LARGEST = 10000 };

static const double step = 1e-6, relative = 1e-3, absolute = 1e-5;

struct trial {
	struct random_graph random;
	struct graph *forward; /* gives the loss alone */
	int32_t loss, wrt[MAX_WRT], grad[MAX_WRT];
	size_t n_wrt;
	unsigned n_compared, n_bent;
	char text[400];
};

static bool is_double(const struct graph *graph, int32_t value)
{
	return graph->value[value].type.elem == DTYPE_F64;
}

/* All its elements are of a size that differences can tell. */
static bool is_usable(const struct tensor_view *view)
{
	const int64_t n = shape_count(&view->shape);

	for (int64_t i = 0; i < n; i++)
		if (!(fabs(((const double *)view->data)[i]) <= LARGEST))
			return false;
	return true;
}

/* Outputs that are of use alone; false where there is none. */
static bool keep_usable(const struct trial *trial)
{
	const struct interpreter_options options = { .reference = true };
	struct graph *graph = trial->random.graph;
	struct interpreter_result result;
	int32_t n = 0;

	if (interpret(graph, trial->random.data, &options, &result, NULL))
		return false;
	for (int32_t i = 0; i < graph->n_output && n < CASE_MAX_VALUES; i++) {
		const int32_t value = graph->output[i];

		if (is_double(graph, value) && is_usable(&result.value[value]))
			graph->output[n++] = value;
	}
	interpreter_result_finish(&result);
	graph->n_output = n;
	return n > 0;
}

/* The sum of all outputs, each times numbers of its own. */
static int32_t add_loss(struct build *b)
{
	struct graph *graph = b->graph;
	int32_t part[CASE_MAX_VALUES];
	unsigned n = 0;

	for (int32_t i = 0; i < graph->n_output; i++) {
		const struct fact *fact = build_fact(b, graph->output[i]);
		struct tensor_view view = { .dtype = DTYPE_F64,
					    .shape = fact->shape };

		view.data =
		    mem_aligned(tensor_bytes(view.dtype, &view.shape) + 1);
		case_draw(view.dtype, view.data, shape_count(&view.shape), 0.2,
			  (uint32_t)i + 900);
		part[n++] = build_2(
		    b, "SumTo",
		    build_2(b, "Mul", graph->output[i], build_const(b, &view)),
		    build_scalar(b, DTYPE_F64, 0));
		mem_free(view.data);
	}
	return build_node(b, "Sum", NULL, part, n);
}

static void find_wrt(struct trial *trial)
{
	const struct graph *graph = trial->random.graph;

	trial->n_wrt = 0;
	for (int32_t i = 0; i < graph->n_value && trial->n_wrt < MAX_WRT; i++)
		if (is_double(graph, i) &&
		    (graph->value[i].origin == ORIGIN_INPUT ||
		     graph->value[i].origin == ORIGIN_VARIABLE))
			trial->wrt[trial->n_wrt++] = i;
}

static enum err_code set_outputs(struct graph *graph, const int32_t *value,
				 size_t n, struct err *err)
{
	enum err_code rc = ERR_NONE;

	graph->n_output = 0;
	for (size_t i = 0; i < n && !rc; i++)
		if (value[i] != VALUE_NONE)
			rc = graph_add_output(graph, value[i], err);
	return rc ? rc : graph_tidy(graph, err);
}

/* False: there is nothing to differentiate. */
static bool differentiate(struct trial *trial, struct err *err)
{
	struct graph *graph = trial->random.graph;
	struct build build;
	enum err_code rc;

	find_wrt(trial);
	if (!keep_usable(trial) || !trial->n_wrt)
		return false;
	build_init(&build, graph, trial->random.facts);
	trial->loss = add_loss(&build);
	rc = build_check(&build, err);
	if (!rc)
		rc = graph_clone(graph, &trial->forward, err);
	if (!rc)
		rc = set_outputs(trial->forward, &trial->loss, 1, err);
	if (!rc)
		rc = autodiff(&build, trial->loss, VALUE_NONE, trial->wrt,
			      trial->n_wrt, trial->grad, err);
	if (!rc)
		rc = set_outputs(graph, trial->grad, trial->n_wrt, err);
	/* a rule may refuse shapes that infer() took */
	if (rc == ERR_UNSUPPORTED)
		return false;
	cr_assert_eq(rc, ERR_NONE, "%s", err->msg);
	return true;
}

static double *elements(const struct trial *trial, int32_t value)
{
	const struct graph *graph = trial->random.graph;
	const struct graph_value *v = &graph->value[value];

	return v->origin == ORIGIN_INPUT ? trial->random.data[v->source].data
					 : graph->variable[v->source].view.data;
}

static double loss_of(const struct trial *trial)
{
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result result;
	double loss = (double)NAN;

	if (interpret(trial->forward, trial->random.data, &options, &result,
		      NULL))
		return loss;
	loss = *(const double *)result.value[trial->loss].data;
	interpreter_result_finish(&result);
	return loss;
}

/* The loss where a tensor has gone `by` along the direction. */
static double loss_along(const struct trial *trial, double *x,
			 const double *direction, int64_t n, double by)
{
	double *before = mem_array((size_t)n + 1, sizeof(*before));
	double loss;

	memcpy(before, x, (size_t)n * sizeof(*x));
	for (int64_t i = 0; i < n; i++)
		x[i] += by * direction[i];
	loss = loss_of(trial);
	memcpy(x, before, (size_t)n * sizeof(*x));
	mem_free(before);
	return loss;
}

/* Forward and backward differences agree where the loss is smooth. */
static bool compare(struct trial *trial, size_t i, double here,
		    const double *grad, int64_t n)
{
	double *x = elements(trial, trial->wrt[i]), got = 0, above, below, want;
	double *direction = mem_array((size_t)n + 1, sizeof(*direction));
	double sizes = 0, slack;

	case_draw(DTYPE_F64, direction, n, 0, 70 + (uint32_t)i);
	for (int64_t j = 0; j < n; j++) {
		const double part = grad ? grad[j] * direction[j] : 0;

		got += part;
		sizes += fabs(part);
	}
	above = loss_along(trial, x, direction, n, step);
	below = loss_along(trial, x, direction, n, -step);
	mem_free(direction);
	want = (above - below) / (2 * step);
	/* rounding of the loss, divided by the step */
	slack = absolute + 1e-8 * fabs(here) + relative * sizes;
	if (!(fabs((above - here) - (here - below)) <= step * slack) ||
	    !isfinite(got)) {
		trial->n_bent++;
		return true;
	}
	trial->n_compared++;
	if (fabs(want - got) <= slack)
		return true;
	(void)snprintf(trial->text, sizeof(trial->text),
		       "along '%s' the gradient is %.9g, differences give "
		       "%.9g",
		       trial->random.graph->value[trial->wrt[i]].name, got,
		       want);
	return false;
}

/* True when there is no such graph, or it is right. */
static bool try_graph(const struct stencils *stencils, uint64_t seed,
		      unsigned n_nodes, struct trial *trial)
{
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result result;
	struct err err;
	bool good = true;
	double here;

	trial->forward = NULL;
	if (!random_graph_create(stencils, seed, n_nodes, false,
				 &trial->random) ||
	    !differentiate(trial, &err))
		return true;
	here = loss_of(trial);
	if (!isfinite(here) ||
	    interpret(trial->random.graph, trial->random.data, &options,
		      &result, &err))
		return true;
	for (size_t i = 0; i < trial->n_wrt && good; i++) {
		const int32_t grad = trial->grad[i];
		const struct fact *fact =
		    &trial->random.facts->fact[trial->wrt[i]];

		good =
		    compare(trial, i, here,
			    grad == VALUE_NONE ? NULL : result.value[grad].data,
			    shape_count(&fact->shape));
	}
	interpreter_result_finish(&result);
	return good;
}

static void finish(struct trial *trial)
{
	graph_destroy(trial->forward);
	random_graph_finish(&trial->random);
}

/* The fewest nodes that still fail. */
static void report(const struct stencils *stencils, uint64_t seed,
		   unsigned n_nodes)
{
	struct trial trial = { .loss = 0 };
	unsigned least = n_nodes;
	struct buf text;

	for (unsigned n = 1; n < n_nodes && least == n_nodes; n++) {
		if (!try_graph(stencils, seed, n, &trial))
			least = n;
		finish(&trial);
	}
	(void)try_graph(stencils, seed, least, &trial);
	buf_init(&text, 1 << 24);
	graph_text_print(trial.forward, &text);
	fprintf(stderr, "seed %llu, %u nodes: %s\n", (unsigned long long)seed,
		least, trial.text);
	for (const char *line = text.data; line && *line;) {
		fprintf(stderr, "  %.*s\n", (int)strcspn(line, "{\n"), line);
		line = strchr(line, '\n');
		line += line != NULL;
	}
	cr_expect(false, "seed %llu", (unsigned long long)seed);
	buf_finish(&text);
	finish(&trial);
}

static int64_t setting(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t value;

	return text && str_parse_int64(text, &value) ? value : otherwise;
}

Test(random_gradients, agree_with_differences, .timeout = 900)
{
	const uint64_t first = (uint64_t)setting("RANDOM_SEED", 1);
	const uint64_t n = (uint64_t)setting("RANDOM_GRAPHS", SEEDS);
	struct stencils *stencils = stencils_create_smooth();
	struct trial trial = { .loss = 0 };
	unsigned n_failed = 0, n_graphs = 0;

	cr_assert_gt(stencils_count(stencils), 300);
	for (uint64_t seed = first; seed < first + n && n_failed < 5; seed++) {
		const unsigned n_nodes =
		    MIN_NODES +
		    (unsigned)(seed * 7919 % (MAX_NODES - MIN_NODES + 1));
		const unsigned before = trial.n_compared;
		const bool good = try_graph(stencils, seed, n_nodes, &trial);

		finish(&trial);
		n_graphs += trial.n_compared > before;
		if (!good) {
			report(stencils, seed, n_nodes);
			n_failed++;
		}
	}
	fprintf(stderr, "%u graphs, %u tensors compared, %u bent\n", n_graphs,
		trial.n_compared, trial.n_bent);
	cr_expect_geq(n_graphs, n * 5 / 6);
	cr_expect_gt(trial.n_compared, 10 * n);
	stencils_destroy(stencils);
}
