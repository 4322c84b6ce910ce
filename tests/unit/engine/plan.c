/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "plan_check.h"
#include "plan_help.h"

static size_t steps(const struct bench *bench)
{
	return plan_report(bench->plan)->n_steps;
}

static size_t arena(const struct bench *bench)
{
	return plan_report(bench->plan)->arena;
}

Test(plan, random_graphs_give_the_interpreters_bits_whatever_is_shared)
{
	const struct plan_options options[] = {
		{ .quick = true }, { .quick = true, .keep_all = true }
	};
	char text[8192];

	for (unsigned seed = 0; seed < 300; seed++) {
		struct bench bench;

		bench_random(seed, 3 + (int)seed % 30, text, sizeof(text));
		bench_parse(&bench, text);
		for (size_t i = 0; i < 2; i++) {
			bench_plan(&bench, &options[i]);
			instance_poison(bench.instance);
			bench_fill(&bench, seed);
			bench_compare(&bench, NULL);
			bench_compare(&bench, NULL);
		}
		bench_finish(&bench);
	}
}

Test(plan, the_arena_is_near_its_lower_bound)
{
	char text[8192];

	for (unsigned seed = 0; seed < 100; seed++) {
		struct bench bench;
		const struct plan_report *report;

		bench_random(seed, 40, text, sizeof(text));
		bench_parse(&bench, text);
		bench_plan(&bench, &(struct plan_options){ .quick = true });
		report = plan_report(bench.plan);
		cr_assert(report->arena >= report->arena_lower_bound);
		cr_assert(report->arena <= report->arena_lower_bound * 5 / 4,
			  "seed %u: %zu of %zu", seed, report->arena,
			  report->arena_lower_bound);
		bench_finish(&bench);
	}
}

Test(plan, a_chain_of_elementwise_nodes_works_in_place)
{
	struct bench bench;

	bench_parse(&bench, "y = Relu(Tanh(Sigmoid(Relu(x:float[100,10]))))");
	bench_plan(&bench, NULL);
	cr_assert_eq(steps(&bench), 4);
	/* the input stays, so there are two tensors of 4000 bytes */
	cr_assert_eq(arena(&bench), 2U * 4032);
	bench_finish(&bench);
}

Test(plan, a_sum_may_be_written_over_its_second_term)
{
	struct bench bench;

	bench_parse(&bench, "a = Relu(x:float[16])\n"
			    "b = Tanh(a)\n"
			    "c = Sub(a, b)\n"
			    "d = Add(a, c)\n"
			    "e = Mul(d, a)\n"
			    "return e");
	bench_plan(&bench, NULL);
	/* x, a, b or c or d or e */
	cr_assert_eq(arena(&bench), 4U * 64);
	bench_fill(&bench, 1);
	instance_poison(bench.instance);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, views_and_concats_on_the_outermost_axis_need_no_step)
{
	struct bench bench;

	bench_parse(
	    &bench,
	    "a = Relu(x:float[1,4,8])\n"
	    "b, c = Split<axis=1>(a, k1:int64[2]={1,3})\n"
	    "d = Reshape(c, k2:int64[2]={8,3})\n"
	    "e = Tanh(d)\n"
	    "f = Slice(e, k3:int64[1]={2}, k4:int64[1]={6}, k5:int64[1]={0})\n"
	    "g = Sigmoid(Reshape(f, k6:int64[2]={1,12}))\n"
	    "h = Relu(Reshape(b, k7:int64[2]={1,8}))\n"
	    "y = Concat<axis=1>(g, h)\n"
	    "return y");
	bench_plan(&bench, NULL);
	cr_assert_eq(steps(&bench), 4);
	bench_fill(&bench, 1);
	instance_poison(bench.instance);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, a_transpose_of_axes_of_one_element_needs_no_step)
{
	struct bench bench;

	bench_parse(&bench, "a = Relu(x:float[4,1,3,8])\n"
			    "b = Tanh(Transpose<perm=[0,2,1,3]>(a))\n"
			    "c = Sigmoid(Transpose<perm=[2,1,0,3]>(b))\n"
			    "d = Relu(Reshape(c, k:int64[4]={1,1,12,8}))\n"
			    "y = Exp(Transpose<perm=[2,0,3,1]>(d))\n"
			    "return y");
	bench_plan(&bench, NULL);
	/* the second one moves an axis of 3 over one of 4 */
	cr_assert_eq(steps(&bench), 6);
	bench_fill(&bench, 1);
	instance_poison(bench.instance);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, outputs_that_are_no_results_are_copies)
{
	struct bench bench;
	float *x;

	bench_parse(&bench, "w:float[2]!\n"
			    "y = Identity(x:float[2])\n"
			    "c = Identity(k8:float[2]={5,6})\n"
			    "v = Reshape(w, k9:int64[2]={1,2})\n"
			    "n = Add(w, x)\n"
			    "assign w = n\n"
			    "return y, c, v, w, n");
	((float *)bench.graph->variable[0].view.data)[0] = 7;
	bench_plan(&bench, NULL);
	x = instance_input(bench.instance, 0).data;
	x[0] = 1;
	x[1] = 2;
	instance_poison(bench.instance);
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(bench_floats(&bench, 0)[1], 2.0f);
	cr_assert_neq(bench_floats(&bench, 0), x);
	cr_assert_eq(bench_floats(&bench, 1)[0], 5.0f);
	cr_assert_eq(bench_floats(&bench, 2)[0], 7.0f);
	cr_assert_eq(bench_floats(&bench, 3)[0], 7.0f);
	cr_assert_eq(bench_floats(&bench, 4)[0], 8.0f);
	cr_assert_eq(((float *)bench.graph->variable[0].view.data)[0], 8.0f);
	bench_finish(&bench);
}

Test(plan, a_new_value_is_made_in_its_variable)
{
	struct bench bench;
	float *w;

	bench_parse(&bench, "w:float[64]!\n"
			    "y = Mul(w, x:float[64])\n"
			    "assign w = Sub(w, Mul(y, 0.5))\n"
			    "return y");
	w = bench.graph->variable[0].view.data;
	for (int i = 0; i < 64; i++)
		w[i] = (float)i;
	bench_plan(&bench, NULL);
	cr_assert_eq(steps(&bench), 3, "no copy at the end");
	bench_fill(&bench, 3);
	instance_poison(bench.instance);
	for (int i = 0; i < 3; i++)
		bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, a_variable_that_is_still_read_is_written_at_the_end)
{
	struct bench bench;

	/* the new value is not the last reader: Tanh comes later */
	bench_parse(&bench, "w:float[64]!\n"
			    "n = Add(w, x:float[64])\n"
			    "m = Relu(n)\n"
			    "y = Add(Tanh(w), m)\n"
			    "assign w = n\n"
			    "return y");
	((float *)bench.graph->variable[0].view.data)[5] = 7;
	bench_plan(&bench, NULL);
	bench_fill(&bench, 3);
	instance_poison(bench.instance);
	for (int i = 0; i < 3; i++)
		bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, variables_may_change_places)
{
	struct bench bench;
	float *a, *b;

	bench_parse(&bench, "a:float[1]!\nb:float[1]!\n"
			    "y = Relu(x:float[1])\n"
			    "assign a = b\nassign b = a\nreturn y");
	a = bench.graph->variable[0].view.data;
	b = bench.graph->variable[1].view.data;
	*a = 1;
	*b = 2;
	bench_plan(&bench, NULL);
	instance_poison(bench.instance);
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(*a, 2.0f);
	cr_assert_eq(*b, 1.0f);
	bench_finish(&bench);
}

/* The shape of a training step: single parameters are ranges of a flat one,
 * which the optimizer updates, in the text before they are all read. */
Test(plan, a_flat_variable_is_updated_after_its_parts_were_read)
{
	struct bench bench;
	float flat[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct variable *variable;

	bench_parse(&bench, "a:float[4]!\nb:float[4]!\nall:float[8]!\n"
			    "ga = Mul(a, x:float[4])\n"
			    "gb = Mul(b, ga)\n"
			    "g = Concat<axis=0>(ga, gb)\n"
			    "n = Sub(all, g)\n"
			    "y = Add(Tanh(a), b)\n"
			    "assign all = n\nreturn y");
	variable = bench.graph->variable;
	variable[0].view.data = flat;
	variable[1].view.data = flat + 4;
	variable[2].view.data = flat;
	bench_plan(&bench, NULL);
	cr_assert_eq(steps(&bench), 5, "no copies");
	bench_fill(&bench, 4);
	instance_poison(bench.instance);
	for (int i = 0; i < 3; i++)
		bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, a_wrong_new_value_is_refused)
{
	struct bench bench;
	struct signature signature = { 0 };

	bench_parse(&bench, "w:float[4]!\ny = Relu(x:float[2])\n"
			    "assign w = y\nreturn y");
	signature.n = 1;
	signature.input = bench.input;
	cr_assert_eq(
	    plan_create(bench.graph, &signature, NULL, &bench.plan, &bench.err),
	    ERR_SHAPE);
	cr_assert_str_eq(bench.err.msg,
			 "variable 'w' expected a new value of type float[4], "
			 "got float[2]");
	signature.n = 0;
	cr_assert_eq(
	    plan_create(bench.graph, &signature, NULL, &bench.plan, &bench.err),
	    ERR_INVALID);
	bench_finish(&bench);
}

Test(plan, a_memory_limit_is_kept)
{
	struct bench bench;
	struct signature signature;

	bench_parse(&bench, "y = MatMul(x:float[64,64], x)");
	signature = (struct signature){ 1, bench.input };
	cr_assert_eq(
	    plan_create(bench.graph, &signature,
			&(struct plan_options){ .memory_limit = 20000 },
			&bench.plan, &bench.err),
	    ERR_TOO_LARGE, "two tensors of 16 KiB");
	bench_plan(&bench, &(struct plan_options){ .memory_limit = 1 << 20 });
	bench_finish(&bench);
}

Test(plan, what_is_known_is_folded)
{
	struct bench bench;

	bench_parse(&bench, "c = Mul(Add(k10:float[2]={1,2}, 1), 2)\n"
			    "s = Shape(x:float[2])\n"
			    "y = Add(Identity(x), Reshape(c, s))");
	bench_plan(&bench, NULL);
	cr_assert_eq(steps(&bench), 1);
	bench_fill(&bench, 5);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, narrow_types_are_widened)
{
	struct bench bench;

	bench_parse(&bench, "a = Add(x:float16[3,5], y:float16[3,5])\n"
			    "b = Sigmoid(Mul(a, x))\n"
			    "c = Concat<axis=0>(b, x)\n"
			    "d = Add(i:int8[4], Mul(i, j:int8[4]))\n"
			    "return c, d");
	bench_plan(&bench, NULL);
	instance_poison(bench.instance);
	bench_fill(&bench, 6);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, scalars_and_tensors_without_elements_are_tensors)
{
	struct bench bench;

	bench_parse(&bench, "a = Add(x:float[], y:float[0,3])\n"
			    "b = Concat<axis=0>(a, z:float[2,3])\n"
			    "c = Relu(x)\n"
			    "d = Reshape(a, k11:int64[1]={0})\n"
			    "return a, b, c, d");
	bench_plan(&bench, NULL);
	instance_poison(bench.instance);
	bench_fill(&bench, 7);
	bench_compare(&bench, NULL);
	cr_assert_not_null(instance_output(bench.instance, 0).data);
	bench_finish(&bench);
}

Test(plan, strings_are_borrowed_for_the_run)
{
	struct bench bench;
	struct str *x;
	const struct str *y;

	bench_parse(&bench, "y = Concat<axis=0>(x:string[2], x)");
	bench_plan(&bench, NULL);
	x = instance_input(bench.instance, 0).data;
	x[0] = (struct str){ "ab", 2 };
	x[1] = (struct str){ "c", 1 };
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	y = instance_output(bench.instance, 0).data;
	cr_assert_eq(y[2].bytes, x[0].bytes);
	cr_assert_eq(y[3].len, 1U);
	bench_finish(&bench);
}

Test(plan, a_node_that_frees_more_than_it_makes_goes_early)
{
	struct bench bench;

	/* the sums of a and b can be made at once, so that only one of the
	 * large tensors lives at a time */
	bench_parse(&bench, "a = MatMul(x:float[64,1], y:float[1,64])\n"
			    "b = MatMul(Tanh(x), y)\n"
			    "c = MatMul(Sigmoid(x), y)\n"
			    "p = ReduceSum<keepdims=0>(a)\n"
			    "q = ReduceSum<keepdims=0>(b)\n"
			    "r = ReduceSum<keepdims=0>(c)\n"
			    "return p, q, r");
	bench_plan(&bench, NULL);
	cr_assert(arena(&bench) < 2 * 64 * 64 * sizeof(float), "%zu",
		  arena(&bench));
	bench_fill(&bench, 8);
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, what_only_a_run_can_shape_is_its_tail)
{
	struct bench bench;
	struct tensor_view y;
	int64_t *shape;

	bench_parse(&bench, "y = Relu(Reshape(x:float[6], s:int64[2]))");
	bench_plan(&bench, NULL);
	cr_assert(!plan_output(bench.plan, 0)->has_shape);
	bench_fill(&bench, 9);
	shape = instance_input(bench.instance, 1).data;
	shape[0] = 2;
	shape[1] = 3;
	bench_compare(&bench, NULL);
	y = instance_output(bench.instance, 0);
	cr_assert_eq(y.shape.dim[1], 3);
	shape[0] = 4;
	cr_assert_neq(instance_run(bench.instance, NULL, &bench.err), ERR_NONE);
	shape[0] = 6;
	shape[1] = 1;
	bench_compare(&bench, NULL);
	bench_finish(&bench);
}

Test(plan, only_what_is_behind_an_unknown_shape_is_the_tail)
{
	struct bench bench;
	struct tensor_view z;

	bench_parse(&bench,
		    "a = Relu(x:float[2,3]); p = NonZero(a)\n"
		    "q = Add(Transpose<perm=[1,0]>(p), one:int64[]={1})\n"
		    "s = Shape(a); r = Mul(Sigmoid(a), a)\n"
		    "return q, r, s, x, p");
	bench_plan(&bench, NULL);
	cr_assert_not_null(bench.plan->tail);
	cr_assert_eq(bench.plan->tail->n_node, 3);
	cr_assert_eq(steps(&bench), 5); /* three nodes, s and x copied */
	cr_assert(!plan_output(bench.plan, 0)->has_shape);
	cr_assert(plan_output(bench.plan, 1)->has_shape);
	bench_fill(&bench, 9);
	bench_compare(&bench, NULL);
	bench_fill(&bench, 10);
	bench_compare(&bench, NULL);
	z = instance_output(bench.instance, 4);
	cr_assert_eq(z.shape.rank, 2);
	cr_assert_eq(z.shape.dim[0], 2);
	bench_finish(&bench);
}

Test(plan, a_value_in_the_signature_shapes_a_plan)
{
	const int64_t shape[2] = { 3, 2 };
	struct bench bench;

	bench_parse(&bench, "y = Relu(Reshape(x:float[6], s:int64[2]))");
	bench.input[1].value = shape;
	bench_plan(&bench, NULL);
	cr_assert_eq(plan_output(bench.plan, 0)->shape.dim[0], 3);
	cr_assert_eq(steps(&bench), 1);
	bench_finish(&bench);
}

Test(plan, tells_what_a_run_takes)
{
	static const char text[] = "y = Conv<pads=[1,1,1,1]>"
				   "(x:float[1,32,9,9], w:float[64,32,3,3])";
	const size_t values = (size_t)(32 + 64) * 9 * 9 * sizeof(float);
	const struct plan_report *report;
	struct bench bench;

	bench_parse(&bench, text);
	bench_plan_known(&bench, NULL, 1);
	report = plan_report(bench.plan);
	/* in whatever form: no smaller than the weights are */
	cr_expect_geq(report->packs, 64 * 32 * 9 * sizeof(float));
	cr_expect_geq(report->arena, values);
	cr_expect_eq(report->peak, report->constants + report->packs +
				       report->variables + report->arena);
	bench_finish(&bench);
}

Test(plan, a_plan_can_be_read)
{
	struct bench bench;
	struct buf buf;

	bench_parse(&bench, "y = Relu(MatMul(x:float[4,8], w:float[8,2]!))");
	bench_plan(&bench, NULL);
	buf_init(&buf, 65536);
	plan_print(bench.plan, &buf);
	cr_assert_not_null(strstr(buf.data, "us"));
	cr_assert_not_null(strstr(buf.data, "32 bytes"));
	buf_finish(&buf);
	cr_assert_eq(plan_report(bench.plan)->variables, 64U);
	bench_finish(&bench);
}

/** Blocks of four nodes with a sum around them, as in a residual network. */
static struct graph *deep_graph(int n_nodes)
{
	struct type type = { .elem = DTYPE_F32 };
	struct graph *graph = NULL;
	int32_t x;

	cr_assert_eq(graph_create(1u << 30, &graph, NULL), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x", type, &x, NULL), ERR_NONE);
	for (int i = 0; i < n_nodes; i += 4) {
		int32_t in[2] = { x, x }, a, b, c;

		cr_assert_eq(graph_add_node(graph, op_find("", "Sigmoid"), "",
					    NULL, in, 1, &a, 1, NULL),
			     ERR_NONE);
		in[0] = in[1] = a;
		cr_assert_eq(graph_add_node(graph, op_find("", "MatMul"), "",
					    NULL, in, 2, &b, 1, NULL),
			     ERR_NONE);
		in[1] = b;
		cr_assert_eq(graph_add_node(graph, op_find("", "Mul"), "", NULL,
					    in, 2, &c, 1, NULL),
			     ERR_NONE);
		in[0] = x;
		in[1] = c;
		cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "", NULL,
					    in, 2, &x, 1, NULL),
			     ERR_NONE);
		if (i % 40 == 0 || i + 4 >= n_nodes)
			cr_assert_eq(graph_add_output(graph, x, NULL),
				     ERR_NONE);
	}
	return graph;
}

Test(plan, ten_thousand_nodes_are_planned)
{
	const struct fact x = {
		.type = { .elem = DTYPE_F32 },
		.shape = { 2, { 16, 16 } },
		.has_shape = true,
	};
	const struct plan_options options = { .passes.off = ~(uint64_t)0 };
	const int n_nodes[] = { 1000, 10000 };

	for (int i = 0; i < 2; i++) {
		struct bench bench = { .graph = deep_graph(n_nodes[i]) };
		const struct signature signature = { 1, &x };
		int64_t start = clock_monotonic_ns();

		cr_assert_eq(plan_create(bench.graph, &signature, &options,
					 &bench.plan, NULL),
			     ERR_NONE);
		printf("%d nodes planned in %.3f s\n", n_nodes[i],
		       (double)(clock_monotonic_ns() - start) / 1e9);
		cr_assert_eq(steps(&bench), (size_t)n_nodes[i]);
		cr_assert(arena(&bench) * 10 <=
			  plan_report(bench.plan)->arena_lower_bound * 11);
		bench_finish(&bench);
	}
}
