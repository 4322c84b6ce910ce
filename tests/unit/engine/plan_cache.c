/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_cache.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/graph_text.h"

struct bench {
	struct graph *graph;
	struct fact *input;
	struct plan_cache *cache;
	struct err err;
};

static void begin(struct bench *bench, const char *text,
		  const struct plan_cache_options *options)
{
	cr_assert_eq(
	    graph_text_parse(text, &bench->graph, &bench->input, &bench->err),
	    ERR_NONE, "%s", bench->err.msg);
	cr_assert_eq(facts_type_graph(bench->graph, &bench->err), ERR_NONE);
	cr_assert_eq(plan_cache_create(bench->graph, options, &bench->cache,
				       &bench->err),
		     ERR_NONE);
}

static void end(struct bench *bench)
{
	plan_cache_destroy(bench->cache);
	graph_destroy(bench->graph);
}

/** An instance for rows x 4 of input 0. */
static struct instance *acquire(struct bench *bench, int64_t rows)
{
	const struct signature signature = {
		.n = (unsigned)bench->graph->n_input,
		.input = bench->input,
	};
	struct instance *instance = NULL;

	bench->input[0].shape.dim[0] = rows;
	cr_assert_eq(plan_cache_acquire(bench->cache, &signature, &instance,
					&bench->err),
		     ERR_NONE, "%s", bench->err.msg);
	return instance;
}

static struct plan_cache_stats stats(const struct bench *bench)
{
	struct plan_cache_stats stats;

	plan_cache_stats(bench->cache, &stats);
	return stats;
}

Test(plan_cache, a_signature_is_planned_once)
{
	struct bench bench;
	struct instance *a, *b;

	begin(&bench, "y = Relu(x:float[1,4])", NULL);
	a = acquire(&bench, 1);
	plan_cache_release(bench.cache, a);
	b = acquire(&bench, 1);
	cr_assert_eq(a, b);
	plan_cache_release(bench.cache, b);
	b = acquire(&bench, 2);
	cr_assert_neq(instance_plan(a), instance_plan(b));
	cr_assert_eq(instance_output(b, 0).shape.dim[0], 2);
	plan_cache_release(bench.cache, b);
	cr_assert_eq(stats(&bench).n_misses, 2U);
	cr_assert_eq(stats(&bench).n_hits, 1U);
	cr_assert_eq(stats(&bench).n_plans, 2U);
	cr_assert_eq(stats(&bench).n_idle, 2U);
	end(&bench);
}

Test(plan_cache, instances_that_are_out_at_once_are_different)
{
	struct bench bench;
	struct instance *lent[PLAN_CACHE_IDLE + 3];
	const size_t n = sizeof(lent) / sizeof(lent[0]);

	begin(&bench, "y = Relu(x:float[1,4])", NULL);
	for (size_t i = 0; i < n; i++) {
		lent[i] = acquire(&bench, 3);
		for (size_t j = 0; j < i; j++)
			cr_assert_neq(lent[i], lent[j]);
		cr_assert_eq(instance_plan(lent[i]), instance_plan(lent[0]));
	}
	cr_assert_eq(stats(&bench).n_lent, n);
	cr_assert_eq(stats(&bench).n_grown, n - 1);
	for (size_t i = 0; i < n; i++)
		plan_cache_release(bench.cache, lent[i]);
	cr_assert_eq(stats(&bench).n_lent, 0U);
	cr_assert_eq(stats(&bench).lent_bytes, 0U);
	cr_assert_eq(stats(&bench).n_idle, (size_t)PLAN_CACHE_IDLE);
	end(&bench);
}

Test(plan_cache, the_plan_used_longest_ago_goes)
{
	struct bench bench;
	struct instance *kept;

	begin(&bench, "y = Relu(x:float[1,4])",
	      &(struct plan_cache_options){ .max_plans = 2 });
	kept = acquire(&bench, 1);
	((float *)instance_input(kept, 0).data)[0] = 3;
	for (int64_t rows = 2; rows < 5; rows++)
		plan_cache_release(bench.cache, acquire(&bench, rows));
	cr_assert_eq(stats(&bench).n_evicted, 2U);
	cr_assert_eq(stats(&bench).n_plans, 2U);
	/* lent all the while: it still works, and is then forgotten */
	cr_assert_eq(instance_run(kept, NULL, NULL), ERR_NONE);
	cr_assert_eq(((float *)instance_output(kept, 0).data)[0], 3.0f);
	plan_cache_release(bench.cache, kept);
	cr_assert_eq(stats(&bench).n_idle, 2U);
	plan_cache_release(bench.cache, acquire(&bench, 3));
	plan_cache_release(bench.cache, acquire(&bench, 4));
	cr_assert_eq(stats(&bench).n_hits, 2U);
	end(&bench);
}

Test(plan_cache, idle_instances_stay_under_a_ceiling)
{
	struct bench bench;
	struct instance *a, *b, *c;

	/* 2 tensors of 100 rows: 3,200 bytes an instance */
	begin(&bench, "y = Relu(x:float[1,4])",
	      &(struct plan_cache_options){ .max_bytes = 7000 });
	a = acquire(&bench, 100);
	b = acquire(&bench, 100);
	c = acquire(&bench, 101);
	plan_cache_release(bench.cache, a);
	plan_cache_release(bench.cache, b);
	cr_assert_eq(stats(&bench).n_idle, 2U);
	plan_cache_release(bench.cache, c);
	cr_assert_eq(stats(&bench).n_idle, 2U);
	cr_assert(stats(&bench).idle_bytes <= 7000);
	end(&bench);
}

Test(plan_cache, only_values_that_decide_shapes_count)
{
	struct bench bench;
	int64_t shape[2] = { 2, 6 };
	float x[12] = { 0 };
	struct instance *a, *b;

	begin(&bench,
	      "y = Relu(Reshape(x:float[3,4], Neg(s:int64[2])))\n"
	      "z = Shape(x)",
	      NULL);
	cr_assert(!plan_cache_wants_value(bench.cache, 0));
	cr_assert(plan_cache_wants_value(bench.cache, 1));
	cr_assert(!plan_cache_wants_value(bench.cache, 2));
	bench.input[0].value = x;
	bench.input[1].value = shape;
	shape[0] = -2;
	shape[1] = -6;
	a = acquire(&bench, 3);
	cr_assert_eq(instance_output(a, 0).shape.dim[1], 6);
	plan_cache_release(bench.cache, a);
	x[0] = 1;
	b = acquire(&bench, 3);
	cr_assert_eq(a, b);
	plan_cache_release(bench.cache, b);
	shape[0] = -4;
	shape[1] = -3;
	b = acquire(&bench, 3);
	cr_assert_eq(instance_output(b, 0).shape.dim[1], 3);
	plan_cache_release(bench.cache, b);
	cr_assert_eq(stats(&bench).n_plans, 2U);
	end(&bench);
}

/* Scales of a request: y has 3 * scale columns. */
static void resize_by(struct bench *bench, float scale, struct instance *with)
{
	const float scales[] = { 1, scale };
	const struct tensor_view x = instance_input(with, 0);
	struct tensor_view y;

	memcpy(x.data, (float[]){ 1, 2, 3 }, 3 * sizeof(float));
	memcpy(instance_input(with, 1).data, scales, sizeof(scales));
	cr_assert_eq(instance_run(with, NULL, &bench->err), ERR_NONE, "%s",
		     bench->err.msg);
	y = instance_output(with, 0);
	cr_assert_eq(y.shape.dim[1], (int64_t)(3 * scale));
	cr_assert_eq(((float *)y.data)[y.shape.dim[1] - 1], 3.0f);
}

Test(plan_cache, values_that_always_change_share_a_plan)
{
	struct bench bench;
	float scales[2] = { 1, 0 };

	begin(&bench, "y = Relu(Resize(x:float[1,3], , s:float[2]))",
	      &(struct plan_cache_options){ .max_plans = 8 });
	bench.input[1].value = scales;
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 1; i <= 20; i++) {
			struct instance *a;

			scales[1] = (float)i;
			a = acquire(&bench, 1);
			resize_by(&bench, scales[1], a);
			plan_cache_release(bench.cache, a);
		}
	}
	/* the first four have plans of their own, and one serves the others */
	cr_assert_eq(stats(&bench).n_plans, 5U);
	cr_assert_eq(stats(&bench).n_misses, 5U);
	cr_assert_eq(stats(&bench).n_evicted, 0U);
	cr_assert_eq(stats(&bench).n_hits, 35U);
	end(&bench);
}

Test(plan_cache, a_refused_signature_leaves_nothing_behind)
{
	struct bench bench;
	struct signature signature;
	struct instance *instance = NULL;

	begin(&bench, "y = MatMul(x:float[1,4], w:float[4,2]!)", NULL);
	signature = (struct signature){ 1, bench.input };
	bench.input[0].shape.dim[1] = 5;
	cr_assert_eq(
	    plan_cache_acquire(bench.cache, &signature, &instance, &bench.err),
	    ERR_SHAPE);
	signature.n = 0;
	cr_assert_eq(
	    plan_cache_acquire(bench.cache, &signature, &instance, &bench.err),
	    ERR_INVALID);
	cr_assert_eq(stats(&bench).n_plans, 0U);
	cr_assert_eq(stats(&bench).n_lent, 0U);
	bench.input[0].shape.dim[1] = 4;
	plan_cache_release(bench.cache, acquire(&bench, 7));
	end(&bench);
}

Test(plan_cache, running_out_of_memory_is_an_error_at_any_place)
{
	struct bench bench;
	struct signature signature;
	enum err_code rc = ERR_NO_MEMORY;
	unsigned long n = 1;

	begin(&bench, "y = Relu(x:float[1,4])", NULL);
	signature = (struct signature){ 1, bench.input };
	for (; rc; n++) {
		struct instance *instance = NULL;

		mem_fail_at(n);
		rc = plan_cache_acquire(bench.cache, &signature, &instance,
					&bench.err);
		mem_fail_at(0);
		cr_assert(!rc || rc == ERR_NO_MEMORY, "allocation %lu", n);
		plan_cache_release(bench.cache, instance);
	}
	cr_assert(n > 5);
	cr_assert_eq(stats(&bench).n_misses, 1U);
	cr_assert_eq(stats(&bench).n_idle, 1U);
	end(&bench);
}

Test(plan_cache, one_follows_another_with_all_its_plans)
{
	struct bench old, new;
	unsigned n;

	begin(&old, "y = Relu(x:float[1,4])", NULL);
	begin(&new, "y = Neg(x:float[1,4])", NULL);
	for (int64_t rows = 1; rows < 4; rows++)
		plan_cache_release(old.cache, acquire(&old, rows));
	n = plan_cache_follow(new.cache, old.cache);
	cr_assert_eq(n, 3U);
	cr_assert_eq(stats(&new).n_misses, 3U);
	for (int64_t rows = 1; rows < 4; rows++)
		plan_cache_release(new.cache, acquire(&new, rows));
	cr_assert_eq(stats(&new).n_misses, 3U);
	cr_assert_eq(stats(&new).n_hits, 3U);
	end(&old);
	end(&new);
}

Test(plan_cache, what_the_follower_cannot_plan_is_left_out)
{
	struct bench old, new;

	begin(&old, "y = Relu(x:float[1,4])", NULL);
	begin(&new, "y = Add(x:float[1,4], w:float[2,4])", NULL);
	plan_cache_release(old.cache, acquire(&old, 1));
	/* another number of inputs */
	cr_assert_eq(plan_cache_follow(new.cache, old.cache), 0U);
	end(&new);
	begin(&new, "y = MatMul(x:float[1,5], w:float[5,1]={1,1,1,1,1})", NULL);
	cr_assert_eq(plan_cache_follow(new.cache, old.cache), 0U);
	end(&new);
	end(&old);
}
