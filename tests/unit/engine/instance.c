/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instance.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/flush.h"
#include "plan_help.h"

/* Several slices in most steps; Softmax and the sums go over rows. */
static const char wide[] = "a = MatMul(x:float[96,80], w:float[80,112]!)\n"
			   "b = Relu(Add(a, c:float[112]!))\n"
			   "d = Softmax(MatMul(b, Transpose<perm=[1,0]>(b)))\n"
			   "e, f = Split<axis=0>(d, k:int64[2]={32,64})\n"
			   "g = Concat<axis=0>(Tanh(f), Sigmoid(e), d)\n"
			   "h = ReduceSum<keepdims=0>(g, k2:int64[1]={1})\n"
			   "n = Sub(w, Mul(w, ReduceMean<keepdims=0>(h)))\n"
			   "assign w = n\n"
			   "return g, h";

static void fill_variables(struct bench *bench)
{
	for (int32_t i = 0; i < bench->graph->n_variable; i++) {
		const struct tensor_view *view =
		    &bench->graph->variable[i].view;
		float *w = view->data;

		for (int64_t j = 0; j < shape_count(&view->shape); j++)
			w[j] = (float)(j * 37 % 101 - 50) / 200;
	}
}

Test(instance, any_number_of_threads_gives_the_same_bits)
{
	float *want = NULL;
	size_t bytes = 0;

	for (unsigned threads = 1; threads <= 4; threads++) {
		const struct plan_options options = { .threads = threads,
						      .numerics =
							  NUMERICS_REPEATABLE };
		struct tensor_view y;
		struct bench bench;
		struct pool *pool = NULL;
		struct team team;
		unsigned most = 0;

		cr_assert_eq(pool_create(threads, &pool, NULL), ERR_NONE);
		bench_parse(&bench, wide);
		fill_variables(&bench);
		bench_plan(&bench, &options);
		instance_call_always(bench.instance);
		instance_poison(bench.instance);
		bench_fill(&bench, 1);
		for (size_t i = 0; i < bench.plan->report.n_steps; i++)
			if (most < bench.plan->step[i].n_slices)
				most = bench.plan->step[i].n_slices;
		cr_assert(threads == 1 || most > 1, "nothing to share");
		for (int run = 0; run < 20; run++) {
			team_borrow(pool, threads - 1, &team);
			cr_assert_eq(instance_run(bench.instance, &team, NULL),
				     ERR_NONE);
			team_return(&team);
		}
		y = instance_output(bench.instance, 0);
		if (!want) {
			bytes = tensor_bytes(y.dtype, &y.shape);
			want = mem_zero(bytes);
			memcpy(want, y.data, bytes);
		}
		cr_assert(!memcmp(want, y.data, bytes), "%u threads", threads);
		bench_finish(&bench);
		pool_destroy(pool);
	}
	mem_free(want);
}

/* Work for more than FOLLOW_FROM_US and less than TEAM_FROM_US, in parts. */
static const char small[] =
    "y = Relu(MatMul(x:float[1,1024], w:float[1024,1024]!))";

Test(instance, small_runs_in_a_row_give_the_bits_of_one_alone)
{
	const struct plan_options options = { .threads = 2 };
	struct pool *pool = NULL;
	struct tensor_view y;
	struct bench bench;
	struct team team;
	size_t bytes;
	void *want;

	cr_assert_eq(pool_create(1, &pool, NULL), ERR_NONE);
	bench_parse(&bench, small);
	fill_variables(&bench);
	bench_plan(&bench, &options);
	cr_assert(plan_report(bench.plan)->cost_us > 30 &&
		      plan_report(bench.plan)->cost_us < 100,
		  "%g us", plan_report(bench.plan)->cost_us);
	cr_assert_gt(plan_step_info(bench.plan, 0).n_slices, 1);
	bench_fill(&bench, 1);
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	y = instance_output(bench.instance, 0);
	bytes = tensor_bytes(y.dtype, &y.shape);
	want = mem_alloc(bytes);
	cr_assert_not_null(want);
	memcpy(want, y.data, bytes);
	for (int run = 0; run < 500; run++) {
		memset(y.data, 0xFF, bytes);
		team_borrow(pool, 1, &team);
		cr_assert_eq(instance_run(bench.instance, &team, NULL),
			     ERR_NONE);
		team_return(&team);
		cr_assert(!memcmp(want, y.data, bytes), "run %d", run);
	}
	mem_free(want);
	bench_finish(&bench);
	pool_destroy(pool);
}

Test(instance, random_graphs_give_the_same_bits_with_helpers)
{
	struct pool *pool = NULL;
	struct team team;
	char text[8192];

	cr_assert_eq(pool_create(2, &pool, NULL), ERR_NONE);
	for (unsigned seed = 1000; seed < 1100; seed++) {
		const struct plan_options options = { .quick = true,
						      .threads = 3 };
		struct bench bench;

		bench_random(seed, 20, text, sizeof(text));
		bench_parse(&bench, text);
		bench_plan(&bench, &options);
		instance_call_always(bench.instance);
		instance_poison(bench.instance);
		bench_fill(&bench, seed);
		team_borrow(pool, 2, &team);
		bench_compare(&bench, &team);
		team_return(&team);
		bench_finish(&bench);
	}
	pool_destroy(pool);
}

Test(instance, a_run_does_not_allocate)
{
	struct bench bench;
	struct pool *pool = NULL;
	struct team team;
	enum err_code rc;
	void *block;

	cr_assert_eq(pool_create(1, &pool, NULL), ERR_NONE);
	bench_parse(&bench, wide);
	fill_variables(&bench);
	bench_plan(&bench, &(struct plan_options){ .threads = 2 });
	instance_call_always(bench.instance);
	bench_fill(&bench, 1);
	mem_fail_at(1);
	team_borrow(pool, 1, &team);
	rc = instance_run(bench.instance, &team, NULL);
	team_return(&team);
	block = mem_alloc(1);
	mem_fail_at(0);
	cr_assert_eq(rc, ERR_NONE);
	cr_assert_null(block, "the fuse was still there");
	bench_finish(&bench);
	pool_destroy(pool);
}

Test(instance, inputs_stay_and_instances_share_a_plan)
{
	struct bench bench;
	struct instance *other = NULL;
	float *x, *z;

	bench_parse(&bench, "y = Relu(Tanh(x:float[8]))");
	bench_plan(&bench, NULL);
	cr_assert_eq(instance_create(bench.plan, &other, NULL), ERR_NONE);
	cr_assert_eq(instance_plan(other), bench.plan);
	x = instance_input(bench.instance, 0).data;
	z = instance_input(other, 0).data;
	cr_assert_neq(x, z);
	x[3] = 0.5f;
	z[3] = 0.25f;
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(instance_run(bench.instance, NULL, NULL),
			     ERR_NONE);
		cr_assert_eq(instance_run(other, NULL, NULL), ERR_NONE);
		cr_assert_float_eq(bench_floats(&bench, 0)[3], 0.46211717,
				   1e-6);
		cr_assert_eq(x[3], 0.5f);
	}
	cr_assert_float_eq(((const float *)instance_output(other, 0).data)[3],
			   0.24491866, 1e-6);
	instance_destroy(other);
	bench_finish(&bench);
}

Test(instance, a_bad_value_is_refused_and_forgotten)
{
	struct bench bench;
	int64_t *index;

	bench_parse(&bench, "y = Gather(x:float[3,2], i:int64[2])");
	bench_plan(&bench, NULL);
	index = instance_input(bench.instance, 1).data;
	index[1] = 3;
	cr_assert_eq(instance_run(bench.instance, NULL, &bench.err),
		     ERR_INVALID);
	cr_assert_not_null(strstr(bench.err.msg, "(Gather): bad value"), "%s",
			   bench.err.msg);
	index[1] = -1;
	cr_assert_eq(instance_run(bench.instance, NULL, &bench.err), ERR_NONE);
	bench_finish(&bench);
}

Test(instance, denormal_numbers_are_zero_in_a_run_only)
{
	volatile float tiny = 1.2e-38f;
	struct bench bench;
	float *x;

	bench_parse(&bench, "y = Mul(x:float[3], x)");
	bench_plan(&bench, NULL);
	x = instance_input(bench.instance, 0).data;
	x[0] = 1e-20f;
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(bench_floats(&bench, 0)[0], 0.0f);
	cr_assert(tiny * 0.5f > 0.0f);
	bench_finish(&bench);
}

Test(instance, running_out_of_memory_is_an_error_at_any_place)
{
	struct bench bench;
	struct signature signature;
	enum err_code rc = ERR_NO_MEMORY;
	unsigned long n = 1;

	bench_parse(&bench, wide);
	fill_variables(&bench);
	signature = (struct signature){ 1, bench.input };
	for (; rc; n++) {
		struct plan *plan = NULL;
		struct instance *instance = NULL;

		mem_fail_at(n);
		rc = plan_create(bench.graph, &signature, NULL, &plan,
				 &bench.err);
		if (!rc)
			rc = instance_create(plan, &instance, &bench.err);
		mem_fail_at(0);
		cr_assert(!rc || rc == ERR_NO_MEMORY, "allocation %lu: %s", n,
			  bench.err.msg);
		instance_destroy(instance);
		plan_unref(plan);
		cr_assert(n < 10000);
	}
	cr_assert(n > 20);
	bench_finish(&bench);
}

/* What an observer was told. Slices may come from several threads. */
struct told {
	atomic_int begins[64][8], ends[64][8];
	int depth, n_nodes;
	bool is_disordered;
};

static void tell_slice(void *data, size_t step, unsigned slice, bool ends)
{
	struct told *told = data;

	if (step >= 64 || slice >= 8) {
		told->is_disordered = true;
		return;
	}
	if (ends && atomic_load(&told->begins[step][slice]) !=
			atomic_load(&told->ends[step][slice]) + 1)
		told->is_disordered = true;
	atomic_fetch_add(
	    ends ? &told->ends[step][slice] : &told->begins[step][slice], 1);
}

static void tell_node(void *data, const struct graph_node *node, unsigned depth,
		      bool ends)
{
	struct told *told = data;

	if (!node->op || told->depth != (int)depth + (ends ? 1 : 0))
		told->is_disordered = true;
	told->depth += ends ? -1 : 1;
	told->n_nodes += ends;
}

Test(instance, an_observer_is_told_of_every_slice_once)
{
	for (unsigned threads = 1; threads <= 3; threads++) {
		const struct plan_options options = { .threads = threads };
		struct told told = { 0 };
		const struct observer observer = { &told, tell_slice, NULL };
		struct bench bench;
		struct pool *pool = NULL;
		struct team team;

		cr_assert_eq(pool_create(threads, &pool, NULL), ERR_NONE);
		bench_parse(&bench, wide);
		fill_variables(&bench);
		bench_plan(&bench, &options);
		instance_call_always(bench.instance);
		bench_fill(&bench, 1);
		for (int run = 0; run < 3; run++) {
			/* the last run is nobody's business */
			instance_observe(bench.instance,
					 run < 2 ? &observer : NULL);
			team_borrow(pool, threads - 1, &team);
			cr_assert_eq(instance_run(bench.instance, &team, NULL),
				     ERR_NONE);
			team_return(&team);
		}
		cr_assert_not(told.is_disordered);
		for (size_t i = 0; i < 64; i++) {
			const bool is_step =
			    i < plan_report(bench.plan)->n_steps;
			const unsigned n =
			    is_step ? plan_step_info(bench.plan, i).n_slices
				    : 0;

			for (unsigned j = 0; j < 8; j++)
				cr_assert_eq(told.ends[i][j], j < n ? 2 : 0,
					     "step %zu, slice %u", i, j);
		}
		bench_finish(&bench);
		pool_destroy(pool);
	}
}

Test(instance, an_observer_is_told_of_interpreted_nodes)
{
	struct told told = { 0 };
	const struct observer observer = { &told, tell_slice, tell_node };
	struct bench bench;
	int64_t *shape;

	bench_parse(&bench, "z = Neg(x:float[6])\n"
			    "y = Relu(Reshape(z, s:int64[2]))\nreturn y, z");
	bench_plan(&bench, NULL);
	instance_observe(bench.instance, &observer);
	bench_fill(&bench, 3);
	shape = instance_input(bench.instance, 1).data;
	shape[0] = 2;
	shape[1] = 3;
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(told.n_nodes, 2);
	cr_assert_eq(told.ends[0][0], 1);
	shape[0] = 4; /* a node that fails ends too */
	cr_assert_neq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(told.n_nodes, 3);
	cr_assert_not(told.is_disordered);
	cr_assert_eq(told.depth, 0);
	bench_finish(&bench);
}

/* What is beside a 0 may be as large as it likes: no scratch, and no tables
 * of places. */
Test(instance, empty_results_cost_nothing, .timeout = 20)
{
	static const char *const texts[] = {
		"y = GlobalAveragePool(x:float[0,2147483647,3])",
		"y = Softmax<axis=1>(x:float[0,2147483647])",
		"y = Resize<mode=\"linear\">(x:float[0,1,1000000000,3], , "
		"s:float[4]={1,1,2,1})",
		"y = Add(GlobalAveragePool(x:float16[0,2147483647,3]), 1)",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct bench bench;

		bench_parse(&bench, texts[i]);
		bench_plan(&bench, NULL);
		cr_assert_eq(plan_report(bench.plan)->scratch, 0);
		bench_compare(&bench, NULL);
		bench_finish(&bench);
	}
}
