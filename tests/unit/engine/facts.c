/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/facts.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/build.h"
#include "engine/graph_text.h"

struct swept {
	struct graph *graph;
	struct fact *input;
	struct facts *facts;
};

static struct swept sweep(const char *text)
{
	struct swept swept;
	struct err err;

	cr_assert_eq(graph_text_parse(text, &swept.graph, &swept.input, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(facts_create(swept.graph, swept.input, &swept.facts, &err),
		     ERR_NONE, "%s", err.msg);
	return swept;
}

static const struct fact *fact_of(const struct swept *swept, const char *name)
{
	const int32_t value = graph_find_value(swept->graph, name);

	cr_assert_geq(value, 0, "there is no '%s'", name);
	return &swept->facts->fact[value];
}

static void finish(struct swept *swept)
{
	facts_destroy(swept->facts);
	graph_destroy(swept->graph);
}

static void expect_shape(const struct swept *swept, const char *name,
			 const char *want)
{
	char text[64];

	cr_assert(fact_of(swept, name)->has_shape, "'%s' has no shape", name);
	cr_assert_str_eq(
	    shape_text(&fact_of(swept, name)->shape, text, sizeof(text)), want);
}

Test(facts, a_chain_that_computes_a_shape_is_known_before_the_run)
{
	struct swept swept = sweep("s = Shape(x:float[2,3,4]);"
				   "b = Gather<axis=0>(s, i:int64[1]={0});"
				   "t = Concat<axis=0>(b, m:int64[1]={-1});"
				   "y = Reshape(x, t)");
	const int64_t *t = fact_of(&swept, "t")->value;

	cr_assert_not_null(t);
	cr_assert_eq(t[0], 2);
	cr_assert_eq(t[1], -1);
	expect_shape(&swept, "y", "[2,12]");
	cr_assert_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, known_operands_give_known_results)
{
	struct swept swept =
	    sweep("y = Mul(Add(a:float[3]={1,2,3}, b:float[]={0.5}), 2)");
	const float *y = fact_of(&swept, "y")->value;

	cr_assert_not_null(y);
	cr_assert_float_eq(y[0], 3, 0);
	cr_assert_float_eq(y[2], 7, 0);
	finish(&swept);
}

Test(facts, a_variable_has_a_shape_but_no_value)
{
	struct swept swept = sweep("y = Neg(w:float[4]!)");

	expect_shape(&swept, "y", "[4]");
	cr_assert_null(fact_of(&swept, "w")->value);
	cr_assert_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, a_missing_value_leaves_the_shape_open)
{
	struct swept swept =
	    sweep("y = Reshape(x:float[6], s:int64[2]); z = Relu(y)");

	cr_assert_not(fact_of(&swept, "y")->has_shape);
	cr_assert_not(fact_of(&swept, "z")->has_shape);
	cr_assert_eq(fact_of(&swept, "z")->type.elem, DTYPE_F32);
	finish(&swept);
}

Test(facts, a_large_result_of_small_operands_is_left_to_the_run)
{
	struct swept swept = sweep("y = Expand(a:float[]={1}, "
				   "s:int64[2]={3000,2000})");

	expect_shape(&swept, "y", "[3000,2000]");
	cr_assert_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, weights_made_of_a_shape_are_folded)
{
	struct swept swept = sweep("y = ConstantOfShape(s:int64[2]={300,200})");

	expect_shape(&swept, "y", "[300,200]");
	cr_assert_not_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, bytes_are_folded_into_floats)
{
	struct swept swept =
	    sweep("a = Expand(i:int8[]={1}, s:int64[2]={64,64})\n"
		  "b = Concat<axis=0>(a, a); c = Cast<to=float>(b)\n"
		  "y = Mul(c, 2)");

	cr_assert_not_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, a_bad_value_is_left_to_the_run)
{
	struct swept swept =
	    sweep("y = Div(a:int32[2]={1,2}, b:int32[2]={1,0})");

	expect_shape(&swept, "y", "[2]");
	cr_assert_null(fact_of(&swept, "y")->value);
	finish(&swept);
}

Test(facts, half_types_are_folded_as_half_types)
{
	struct swept swept =
	    sweep("y = Add(a:float16[1]={1}, b:float16[1]={2})");
	const uint16_t *y = fact_of(&swept, "y")->value;

	cr_assert_not_null(y);
	cr_assert_float_eq(dtype_f16_to_f32(y[0]), 3, 0);
	finish(&swept);
}

Test(facts, a_refused_shape_names_its_node)
{
	struct graph *graph;
	struct fact *input;
	struct facts *facts = NULL;
	struct err err;

	cr_assert_eq(graph_text_parse("y = Add(a:float[2], b:float[3])", &graph,
				      &input, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(facts_create(graph, input, &facts, &err), ERR_SHAPE);
	cr_assert(strstr(err.msg, "Add"), "%s", err.msg);
	cr_assert_null(facts);
	graph_destroy(graph);
}

/* What a file says of types is not to be believed. */
static struct graph *mistyped(void)
{
	struct graph *graph;
	struct fact *input;
	struct err err;

	cr_assert_eq(
	    graph_text_parse("u = Relu(x:float[2]); v = Neg(u); w = Tanh(v);"
			     "t = Sqrt(z:float[2])",
			     &graph, &input, &err),
	    ERR_NONE, "%s", err.msg);
	graph->value[graph_find_value(graph, "x")].type.elem = DTYPE_I32;
	graph->value[graph_find_value(graph, "z")].type.elem = DTYPE_BOOL;
	return graph;
}

Test(facts, all_refused_types_stand_in_one_message)
{
	struct graph *graph = mistyped();
	struct err err;
	const char *first;

	cr_assert_eq(facts_type_graph(graph, &err), ERR_INVALID);
	first = strstr(err.msg, "Relu");
	cr_assert(first && strstr(err.msg, "Sqrt"), "%s", err.msg);
	cr_assert_null(strstr(err.msg, "Tanh"), "%s", err.msg);
	graph_destroy(graph);
}

Test(facts, types_follow_from_sources)
{
	struct graph *graph;
	struct err err;
	struct fact *input;

	cr_assert_eq(graph_text_parse("y = Cast<to=7>(Relu(x:float[2]))",
				      &graph, &input, &err),
		     ERR_NONE, "%s", err.msg);
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin == ORIGIN_NODE)
			graph->value[i].type.elem = DTYPE_NONE;
	cr_assert_eq(facts_type_graph(graph, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(graph->value[graph->output[0]].type.elem, DTYPE_I64);
	graph_destroy(graph);
}

Test(facts, a_growing_graph_is_known_node_by_node)
{
	struct graph *graph;
	struct facts *facts;
	struct build build;
	struct err err;
	int32_t x;
	struct fact fact = { .type = { .elem = DTYPE_F32 },
			     .shape = { 2, { 2, 3 } },
			     .has_shape = true };

	cr_assert_eq(graph_create(1 << 28, &graph, &err), ERR_NONE);
	cr_assert_eq(facts_create_empty(&facts, &err), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x", fact.type, &x, &err),
		     ERR_NONE);
	cr_assert_eq(facts_set(facts, x, &fact, &err), ERR_NONE);
	build_init(&build, graph, facts);
	for (int i = 0; i < 10000; i++)
		x = build_1(&build, "Relu", x);
	cr_assert_eq(build_check(&build, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(build_fact(&build, x)->shape.dim[1], 3);
	facts_destroy(facts);
	graph_destroy(graph);
}

/* 8 MiB constants, one behind the other: folding all would take 800 MiB */
Test(facts, folding_stays_within_its_limits)
{
	enum { N = 1 << 21 };
	float *data = mem_array(N, sizeof(*data));
	const struct tensor_view view = { .data = data,
					  .dtype = DTYPE_F32,
					  .shape = { 1, { N } } };
	struct graph *graph;
	struct facts *facts;
	struct build build;
	struct err err;
	int32_t x, first;

	cr_assert_eq(graph_create(1 << 28, &graph, &err), ERR_NONE);
	cr_assert_eq(facts_create_empty(&facts, &err), ERR_NONE);
	build_init(&build, graph, facts);
	x = build_const(&build, &view);
	first = x = build_1(&build, "Neg", x);
	for (int i = 0; i < 100; i++)
		x = build_1(&build, "Neg", x);
	cr_assert_eq(build_check(&build, &err), ERR_NONE, "%s", err.msg);
	cr_assert_not_null(build_fact(&build, first)->value);
	cr_assert_null(build_fact(&build, x)->value);
	cr_assert_eq(build_fact(&build, x)->shape.dim[0], N);
	cr_assert_lt(arena_used(facts->arena) + facts->big_bytes,
		     (size_t)100 << 20);
	facts_destroy(facts);
	/* swept as a whole, each is forgotten once its reader has been run */
	cr_assert_eq(graph_add_output(graph, x, &err), ERR_NONE);
	cr_assert_eq(facts_create(graph, NULL, &facts, &err), ERR_NONE);
	cr_assert_not_null(facts->fact[x].value);
	cr_assert_null(facts->fact[first].value);
	cr_assert_eq(facts->big_bytes, N * sizeof(float));
	facts_destroy(facts);
	graph_destroy(graph);
	mem_free(data);
}
