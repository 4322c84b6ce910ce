/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graphs by chance: the planner against the interpreter.
 *
 * The same kernels must give the same bits whatever is folded, aliased and
 * placed, and for any number of threads; the best kernels must come near.
 * RANDOM_GRAPHS=n tries so many seeds, RANDOM_SEED=s begins with another.
 */
#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/flush.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/passes/pass.h"
#include "engine/plan_priv.h"
#include "op_case.h"
#include "plan_check.h"
#include "random_graph.h"

enum { SEEDS = 150, MIN_NODES = 5, MAX_NODES = 40, WHY = 2048 };

/* One graph and what it must give. */
struct trial {
	struct random_graph graph;
	struct interpreter_result want;
	enum err_code want_code;
	struct pool *pool;
	unsigned n_run, n_sure; /* graphs without a bad value; sure outputs */
	char why[WHY];
};

/* The outputs of one run, by graph output, texts and all. */
struct outputs {
	enum err_code code;
	int32_t n;
	struct arena *arena;
	void **data;
};

static void outputs_finish(struct outputs *outputs)
{
	arena_destroy(outputs->arena);
	memset(outputs, 0, sizeof(*outputs));
}

static const struct fact *output_fact(const struct trial *trial, int32_t i)
{
	const struct graph *graph = trial->graph.graph;

	return &trial->graph.facts->fact[graph->output[i]];
}

static void *copy_view(struct arena *arena, const struct tensor_view *view)
{
	const size_t bytes = tensor_bytes(view->dtype, &view->shape);
	void *copy = arena_alloc(arena, bytes + 1);
	struct str *text = copy;

	if (bytes)
		memcpy(copy, view->data, bytes);
	for (int64_t i = 0;
	     view->dtype == DTYPE_STRING && i < shape_count(&view->shape); i++)
		text[i].bytes =
		    arena_strndup(arena, text[i].bytes, text[i].len);
	return copy;
}

static void outputs_take(struct outputs *outputs, const struct trial *trial,
			 struct instance *instance)
{
	outputs->n = trial->graph.graph->n_output;
	outputs->arena = arena_create(SIZE_MAX / 2);
	outputs->data =
	    arena_array(outputs->arena, (size_t)outputs->n + 1, sizeof(void *));
	for (int32_t i = 0; i < outputs->n; i++) {
		const struct tensor_view view =
		    instance_output(instance, (unsigned)i);

		outputs->data[i] = copy_view(outputs->arena, &view);
	}
}

static void run_instance(struct trial *trial, struct instance *instance,
			 struct team *team, struct outputs *outputs)
{
	const struct graph *graph = trial->graph.graph;
	struct err err;

	instance_poison(instance);
	instance_call_always(instance);
	for (int32_t i = 0; i < graph->n_input; i++) {
		const struct tensor_view view =
		    instance_input(instance, (unsigned)i);
		const size_t bytes = tensor_bytes(view.dtype, &view.shape);

		if (bytes)
			memcpy(view.data, trial->graph.data[i].data, bytes);
	}
	outputs->code = instance_run(instance, team, &err);
	if (!outputs->code)
		outputs_take(outputs, trial, instance);
}

static bool fail(struct trial *trial, const char *what, const char *why)
{
	snprintf(trial->why, sizeof(trial->why), "%.100s: %.1023s", what, why);
	return false;
}

static bool run_plan(struct trial *trial, struct plan *plan, const char *what,
		     struct outputs *outputs)
{
	struct instance *instance;
	struct team team = { .n = 0 };
	struct err err;
	char text[256];

	if (!plan_check(plan, text, sizeof(text)))
		return fail(trial, what, text);
	if (instance_create(plan, &instance, &err))
		return fail(trial, what, err.msg);
	team_borrow(trial->pool, plan->options.threads - 1, &team);
	run_instance(trial, instance, &team, outputs);
	team_return(&team);
	instance_destroy(instance);
	return true;
}

static bool plan_graph(struct trial *trial, const struct graph *graph,
		       const struct plan_options *options, const char *what,
		       struct outputs *outputs)
{
	const struct signature signature = {
		.n = (unsigned)trial->graph.graph->n_input,
		.input = trial->graph.input,
	};
	struct plan *plan;
	struct err err;
	bool good;

	memset(outputs, 0, sizeof(*outputs));
	if (plan_create(graph, &signature, options, &plan, &err))
		return fail(trial, what, err.msg);
	good = run_plan(trial, plan, what, outputs);
	plan_unref(plan);
	return good;
}

static bool plan_and_run(struct trial *trial,
			 const struct plan_options *options, const char *what,
			 struct outputs *outputs)
{
	return plan_graph(trial, trial->graph.graph, options, what, outputs);
}

static bool is_near(double a, double b, double distance)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b);
	/* folding keeps denormals, runs flush them */
	return a == b || fabs(a - b) <= distance ||
	       fabs(a - b) < (double)FLT_MIN;
}

/* tolerance 0: the same bits, but any NaN for a NaN. */
static bool is_same(const struct fact *fact, const void *a, const void *b,
		    double tolerance, int64_t *ret_at)
{
	const enum dtype elem = fact->type.elem;
	const int64_t n = shape_count(&fact->shape);
	double largest = 0;

	for (int64_t i = 0; i < n; i++) {
		const double x = fabs(case_element(elem, a, i));

		if (isfinite(x) && x > largest)
			largest = x;
	}
	for (*ret_at = 0; *ret_at < n; ++*ret_at)
		if (!is_near(case_element(elem, a, *ret_at),
			     case_element(elem, b, *ret_at),
			     dtype_is_float(elem) ? tolerance * largest : 0))
			return false;
	return true;
}

static bool compare(struct trial *trial, const char *what, int32_t i,
		    const void *want, const void *got, double tolerance)
{
	const struct fact *fact = output_fact(trial, i);
	const struct graph *graph = trial->graph.graph;
	int64_t at;

	if (is_same(fact, want, got, tolerance, &at))
		return true;
	snprintf(trial->why, sizeof(trial->why),
		 "%s: output '%s', element %lld is %.9g, expected %.9g", what,
		 graph->value[graph->output[i]].name, (long long)at,
		 case_element(fact->type.elem, got, at),
		 case_element(fact->type.elem, want, at));
	return false;
}

/* A run against the interpreter's. */
static bool check_run(struct trial *trial, const struct outputs *outputs,
		      const char *what, double tolerance)
{
	const struct graph *graph = trial->graph.graph;
	bool good = true;

	/* a plan leaves out a bad value that nobody needs */
	if (trial->want_code)
		return !outputs->code || outputs->code == trial->want_code ||
		       fail(trial, what, err_wire(outputs->code));
	if (outputs->code)
		return fail(trial, what, err_wire(outputs->code));
	for (int32_t i = 0; i < outputs->n && good; i++)
		good =
		    (tolerance > 0 && trial->graph.rough[graph->output[i]]) ||
		    compare(trial, what, i,
			    trial->want.value[graph->output[i]].data,
			    outputs->data[i], tolerance);
	return good;
}

/* A run against another one, bit by bit. */
static bool check_equal(struct trial *trial, const struct outputs *a,
			const struct outputs *b, const char *what)
{
	bool good = true;

	if (a->code != b->code)
		return fail(trial, what, err_wire(b->code));
	for (int32_t i = 0; i < a->n && good; i++)
		good = compare(trial, what, i, a->data[i], b->data[i], 0);
	return good;
}

/* Plans that differ in threads alone. */
static bool check_threads(struct trial *trial, bool quick,
			  const struct outputs *alone)
{
	static const unsigned threads[] = { 2, 3, 8 };
	struct outputs outputs;
	bool good = true;
	char what[64];

	for (int i = 0; i < 3 && good; i++) {
		const struct plan_options options = { .quick = quick,
						      .threads = threads[i] };

		snprintf(what, sizeof(what), "%s kernels, %u threads",
			 quick ? "quick" : "best", threads[i]);
		good = plan_and_run(trial, &options, what, &outputs) &&
		       check_equal(trial, alone, &outputs, what);
		outputs_finish(&outputs);
	}
	return good;
}

static bool check_quick(struct trial *trial)
{
	const struct plan_options shared = { .quick = true, .threads = 1 };
	const struct plan_options apart = { .quick = true,
					    .keep_all = true,
					    .threads = 1 };
	const double tolerance = trial->graph.has_narrow ? 0.05 : 0;
	struct outputs alone = { .n = 0 }, other = { .n = 0 };
	bool good;

	good = plan_and_run(trial, &shared, "quick", &alone);
	if (good)
		good = check_run(trial, &alone, "quick", tolerance);
	good = good && plan_and_run(trial, &apart, "keep_all", &other) &&
	       check_equal(trial, &alone, &other, "keep_all") &&
	       check_threads(trial, true, &alone);
	outputs_finish(&alone);
	outputs_finish(&other);
	return good;
}

static bool check_best(struct trial *trial)
{
	const struct plan_options options = { .threads = 1 };
	struct outputs alone = { .n = 0 };
	bool good;

	good = plan_and_run(trial, &options, "best", &alone);
	if (good)
		good = check_run(trial, &alone, "best",
				 trial->graph.has_narrow ? 0.05 : 1e-3);
	good = good && check_threads(trial, false, &alone);
	outputs_finish(&alone);
	return good;
}

/* All passes but one, over a copy of the graph. */
static bool check_passes(struct trial *trial, uint64_t seed)
{
	const struct random_graph *random = &trial->graph;
	unsigned n = 0;
	struct plan_options options = { .quick = true, .threads = 1 };
	struct outputs outputs = { .n = 0 };
	struct graph *graph = NULL;
	int *rank =
	    mem_array((size_t)random->graph->n_input + 1, sizeof(*rank));
	struct err err;
	char what[64];
	bool good;

	while (pass_at(n))
		n++;
	options.passes.off = (uint64_t)1 << seed % n;
	snprintf(what, sizeof(what), "without %s",
		 pass_at((unsigned)(seed % n))->name);
	for (int32_t i = 0; i < random->graph->n_input; i++)
		rank[i] = (int)random->input[i].shape.rank;
	if (graph_clone(random->graph, &graph, &err) ||
	    passes_load(graph, rank, options.passes, &err))
		good = fail(trial, what, err.msg);
	else
		good = plan_graph(trial, graph, &options, what, &outputs) &&
		       check_run(trial, &outputs, what,
				 random->has_narrow ? 0.05 : 1e-3);
	outputs_finish(&outputs);
	graph_destroy(graph);
	mem_free(rank);
	return good;
}

static bool check_text(struct trial *trial)
{
	struct buf first, second;
	struct graph *graph = NULL;
	struct err err;
	bool good = true;

	buf_init(&first, 1 << 22);
	buf_init(&second, 1 << 22);
	graph_text_print(trial->graph.graph, &first);
	/* the parser takes so much */
	if (first.len < (64 << 10)) {
		if (graph_text_parse(first.data, &graph, NULL, &err))
			good = fail(trial, "text", err.msg);
		else
			graph_text_print(graph, &second);
		if (good && strcmp(first.data, second.data) != 0)
			good = fail(trial, "text", "is not printed again");
		graph_destroy(graph);
	}
	buf_finish(&first);
	buf_finish(&second);
	return good;
}

/* True when there is no such graph, or it is right. */
static bool try_graph(const struct stencils *stencils, uint64_t seed,
		      unsigned n_nodes, struct trial *trial)
{
	const struct interpreter_options options = { .reference = false };
	struct err err;
	uint64_t old;
	bool good;

	if (!random_graph_create(stencils, seed, n_nodes, seed % 3 == 2,
				 &trial->graph))
		return true;
	old = flush_begin();
	trial->want_code = interpret(trial->graph.graph, trial->graph.data,
				     &options, &trial->want, &err);
	flush_end(old);
	trial->n_run += trial->want_code == ERR_NONE;
	for (int32_t i = 0; i < trial->graph.graph->n_output; i++)
		trial->n_sure +=
		    !trial->graph.rough[trial->graph.graph->output[i]];
	if (trial->want_code && trial->want_code != ERR_INVALID)
		good = fail(trial, "interpreter", err.msg);
	else
		good = check_quick(trial) && check_best(trial) &&
		       check_passes(trial, seed) && check_text(trial);
	if (!trial->want_code)
		interpreter_result_finish(&trial->want);
	return good;
}

/* The fewest nodes that still fail. */
static void report(const struct stencils *stencils, uint64_t seed,
		   unsigned n_nodes, struct pool *pool)
{
	struct trial trial = { .pool = pool };
	unsigned least = n_nodes;
	struct buf text;

	for (unsigned n = 1; n < n_nodes && least == n_nodes; n++) {
		if (!try_graph(stencils, seed, n, &trial))
			least = n;
		random_graph_finish(&trial.graph);
	}
	(void)try_graph(stencils, seed, least, &trial);
	buf_init(&text, 1 << 22);
	graph_text_print(trial.graph.graph, &text);
	if (text.len > 6000)
		text.data[6000] = '\0';
	cr_expect(false, "seed %llu, %u nodes: %s\n%s",
		  (unsigned long long)seed, least, trial.why, text.data);
	buf_finish(&text);
	random_graph_finish(&trial.graph);
}

static int64_t setting(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t value;

	return text && str_parse_int64(text, &value) ? value : otherwise;
}

Test(random_graphs, plans_give_what_the_interpreter_gives, .timeout = 900)
{
	const uint64_t first = (uint64_t)setting("RANDOM_SEED", 1);
	const uint64_t n = (uint64_t)setting("RANDOM_GRAPHS", SEEDS);
	struct stencils *stencils = stencils_create();
	struct trial trial = { .pool = NULL };
	unsigned n_failed = 0;
	struct err err;

	cr_assert_eq(pool_create(7, &trial.pool, &err), ERR_NONE);
	cr_assert_gt(stencils_count(stencils), 100);
	for (uint64_t seed = first; seed < first + n && n_failed < 5; seed++) {
		const unsigned n_nodes =
		    MIN_NODES +
		    (unsigned)(seed * 7919 % (MAX_NODES - MIN_NODES + 1));
		const bool good = try_graph(stencils, seed, n_nodes, &trial);

		random_graph_finish(&trial.graph);
		if (!good) {
			report(stencils, seed, n_nodes, trial.pool);
			n_failed++;
		}
	}
	cr_expect_gt(trial.n_run, n / 2, "%u of %llu graphs ran", trial.n_run,
		     (unsigned long long)n);
	cr_expect_gt(trial.n_sure, n, "%u sure outputs", trial.n_sure);
	pool_destroy(trial.pool);
	stencils_destroy(stencils);
}
