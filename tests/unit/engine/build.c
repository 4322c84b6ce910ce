/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"

static const struct type float_type = { .elem = DTYPE_F32 };

struct fixture {
	struct graph *graph;
	struct build build;
	int32_t x;
};

static struct fixture make(void)
{
	struct fixture f = { .x = VALUE_NONE };

	cr_assert_eq(graph_create(1 << 22, &f.graph, NULL), ERR_NONE);
	cr_assert_eq(graph_add_input(f.graph, "x", float_type, &f.x, NULL),
		     ERR_NONE);
	return f;
}

Test(build, names_find_rows_of_both_domains)
{
	cr_assert_eq(build_find("Add"), op_find("", "Add"));
	cr_assert_eq(build_find("ai.onnx.Add"), op_find("", "Add"));
	cr_assert_eq(build_find("SumTo"), op_find("predictd", "SumTo"));
	cr_assert_eq(build_find("predictd.SumTo"),
		     op_find("predictd", "SumTo"));
	cr_assert_null(build_find("Nothing"));
	cr_assert_null(build_find("a.b.Nothing"));
}

Test(build, the_first_failure_sticks)
{
	struct fixture f = make();
	struct err err;
	int32_t y;

	build_init(&f.build, f.graph, NULL);
	y = build_1(&f.build, "Relu", f.x);
	cr_assert_neq(y, VALUE_NONE);
	cr_assert_eq(build_1(&f.build, "Nonsense", f.x), VALUE_NONE);
	cr_assert_eq(build_1(&f.build, "Relu", f.x), VALUE_NONE);
	cr_assert_eq(build_scalar(&f.build, DTYPE_F32, 1), VALUE_NONE);
	cr_assert_eq(build_check(&f.build, &err), ERR_UNSUPPORTED);
	cr_assert_str_eq(err.msg, "there is no operator 'Nonsense'");
	cr_assert_eq(f.graph->n_node, 1);
	graph_destroy(f.graph);
}

Test(build, a_number_is_no_string)
{
	struct graph *graph = NULL;
	struct build build;
	struct err err = { 0 };

	cr_assert_eq(graph_create(1 << 20, &graph, &err), ERR_NONE);
	build_init(&build, graph, NULL);
	cr_assert_eq(build_scalar(&build, DTYPE_STRING, 1), VALUE_NONE);
	cr_assert_eq(build_check(&build, &err), ERR_INVALID);
	graph_destroy(graph);
}

Test(build, nodes_are_named_by_prefix_operator_and_number)
{
	struct fixture f = make();

	build_init(&f.build, f.graph, NULL);
	f.build.prefix = "grad/";
	build_2(&f.build, "Add", f.x, f.x);
	cr_assert_str_eq(f.graph->node[0].name, "grad/Add_0");
	graph_destroy(f.graph);
}

Test(build, constants_are_typed_and_copied)
{
	struct fixture f = make();
	int64_t list[] = { 3, -1 };
	int32_t half, ints;

	build_init(&f.build, f.graph, NULL);
	half = build_scalar(&f.build, DTYPE_F16, 0.5);
	ints = build_ints(&f.build, list, 2);
	list[0] = 7;
	cr_assert_eq(f.graph->value[half].type.elem, DTYPE_F16);
	cr_assert_eq(*(uint16_t *)f.graph->constant[0].data, 0x3800);
	cr_assert_eq(f.graph->value[ints].type.elem, DTYPE_I64);
	cr_assert_eq(((int64_t *)f.graph->constant[1].data)[0], 3);
	cr_assert_eq(build_ints(&f.build, NULL, 0), ints + 1);
	cr_assert_eq(f.graph->constant[2].shape.dim[0], 0);
	graph_destroy(f.graph);
}

Test(build, text_reads_bound_names_and_answers_wanted_ones)
{
	struct fixture f = make();
	struct build_name bound[] = { { "X", 0 }, { "dY", 0 } };
	struct build_name want[] = { { "dX", 5 }, { "dW", 5 } };

	build_init(&f.build, f.graph, NULL);
	build_text(&f.build, "s = Sigmoid(X); dX = Mul(dY, Mul(s, Sub(1, s)))",
		   bound, 2, NULL, want, 2);
	cr_assert_eq(f.build.code, ERR_NONE, "%s", f.build.err.msg);
	cr_assert_neq(want[0].value, VALUE_NONE);
	cr_assert_eq(want[1].value, VALUE_NONE, "the text does not define it");
	cr_assert_eq(f.graph->n_node, 4);
	cr_assert_str_eq(graph_producer(f.graph, want[0].value)->op->name,
			 "Mul");
	graph_destroy(f.graph);
}

Test(build, text_may_name_a_bound_value_anew)
{
	struct fixture f = make();
	struct build_name bound[] = { { "dY", 0 } }, want[] = { { "dX", 5 } };

	build_init(&f.build, f.graph, NULL);
	build_text(&f.build, "dX = dY", bound, 1, NULL, want, 1);
	cr_assert_eq(f.build.code, ERR_NONE);
	cr_assert_eq(want[0].value, 0);
	cr_assert_str_eq(f.graph->value[0].name, "x", "names stay");
	graph_destroy(f.graph);
}

Test(build, text_copies_attributes_of_the_rules_node)
{
	struct fixture f = make();
	struct build_name bound[] = { { "X", 0 } }, want[] = { { "Y", 0 } };
	const struct op *op = op_find("", "Transpose");
	struct attr_ints perm = { 0, NULL };
	struct graph_node node;
	int64_t order[] = { 1, 0 };
	struct build b;

	build_init(&b, f.graph, NULL);
	build_text(&b, "Y = Transpose<perm=[1,0]>(X)", bound, 1, NULL, want, 1);
	cr_assert_eq(b.code, ERR_NONE, "%s", b.err.msg);
	node = *graph_producer(f.graph, want[0].value);
	build_text(&b, "Y = Transpose<perm=@perm>(X)", bound, 1, &node, want,
		   1);
	cr_assert_eq(b.code, ERR_NONE, "%s", b.err.msg);
	memcpy(&perm,
	       (const char *)graph_producer(f.graph, want[0].value)->attrs +
		   op->attrs[0].offset,
	       sizeof(perm));
	cr_assert_eq(perm.n, 2U);
	cr_assert_arr_eq(perm.v, order, sizeof(order));
	build_text(&b, "Y = Transpose<perm=@axes>(X)", bound, 1, &node, want,
		   1);
	cr_assert_eq(b.code, ERR_INVALID);
	graph_destroy(f.graph);
}

Test(build, text_takes_numbers_from_the_rules_node)
{
	struct fixture f = make();
	struct build_name bound[] = { { "X", 0 } }, want[] = { { "Y", 0 } };
	struct graph_node node;
	struct build b;

	build_init(&b, f.graph, NULL);
	build_text(&b, "Y = LeakyRelu<alpha=0.25>(X)", bound, 1, NULL, want, 1);
	node = *graph_producer(f.graph, want[0].value);
	build_text(&b, "Y = Mul(X, @alpha)", bound, 1, &node, want, 1);
	cr_assert_eq(b.code, ERR_NONE, "%s", b.err.msg);
	cr_assert_eq(*(float *)f.graph->constant[0].data, 0.25F);
	graph_destroy(f.graph);
}

Test(build, text_declares_constants_but_no_inputs)
{
	struct fixture f = make();
	struct build_name bound[] = { { "X", 0 } }, want[] = { { "Y", 0 } };

	build_init(&f.build, f.graph, NULL);
	build_text(&f.build, "Y = Add(X, c:float[2]={1, 2})", bound, 1, NULL,
		   want, 1);
	cr_assert_eq(f.build.code, ERR_NONE, "%s", f.build.err.msg);
	build_text(&f.build, "Y = Add(X, z:float[2])", bound, 1, NULL, want, 1);
	cr_assert_eq(f.build.code, ERR_INVALID);
	graph_destroy(f.graph);
}

Test(build, facts_follow_every_node)
{
	struct fixture f = make();
	struct facts *facts = NULL;
	struct fact fact = { .type = float_type,
			     .shape = { 2, { 3, 4 } },
			     .has_shape = true };
	struct build_name bound[] = { { "X", 0 } }, want[] = { { "Y", 0 } };
	int32_t sum;

	cr_assert_eq(facts_create_empty(&facts, NULL), ERR_NONE);
	cr_assert_eq(facts_set(facts, f.x, &fact, NULL), ERR_NONE);
	build_init(&f.build, f.graph, facts);
	build_text(&f.build, "Y = Add(Relu(X), 1)", bound, 1, NULL, want, 1);
	cr_assert_eq(f.build.code, ERR_NONE, "%s", f.build.err.msg);
	cr_assert(build_fact(&f.build, want[0].value)->has_shape);
	cr_assert_eq(build_fact(&f.build, want[0].value)->shape.dim[1], 4);
	cr_assert_not(build_fact(&f.build, VALUE_NONE)->has_shape);
	sum = build_2(&f.build, "Add", f.x,
		      build_ints(&f.build, (int64_t[]){ 1 }, 1));
	cr_assert_eq(sum, VALUE_NONE, "types differ");
	facts_destroy(facts);
	graph_destroy(f.graph);
}
