/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/widen.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"

static struct graph *widened(const char *text)
{
	struct graph *graph;
	struct err err;

	cr_assert_eq(graph_text_parse(text, &graph, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(graph_widen(graph, &err), ERR_NONE, "%s", err.msg);
	return graph;
}

static int count(const struct graph *graph, const char *op)
{
	int n = 0;

	for (int32_t i = 0; i < graph->n_node; i++)
		n += strcmp(graph->node[i].op->name, op) == 0;
	return n;
}

Test(widen, half_types_stay_wide_between_nodes)
{
	struct graph *graph = widened(
	    "y = Relu(Add(Mul(x:float16[2]={1,2}, w:float16[2]={3,4}), w))");
	struct interpreter_result result;
	const uint16_t *y;
	struct err err;

	/* x and w in, y out */
	cr_assert_eq(count(graph, "Cast"), 3);
	cr_assert_eq(graph->n_node, 6);
	cr_assert_eq(graph->value[graph->output[0]].type.elem, DTYPE_F16);
	cr_assert_eq(interpret(graph, NULL, NULL, &result, &err), ERR_NONE,
		     "%s", err.msg);
	y = result.value[graph->output[0]].data;
	cr_assert_float_eq(dtype_f16_to_f32(y[1]), 12, 0);
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(widen, what_moves_keeps_its_type)
{
	struct graph *graph = widened("y = Neg(Transpose(x:float16[2,3]))");

	cr_assert_eq(count(graph, "Cast"), 2);
	cr_assert_str_eq(graph->node[0].op->name, "Transpose");
	graph_destroy(graph);
}

Test(widen, what_was_made_wide_moves_wide)
{
	struct graph *graph =
	    widened("a = Relu(x:float16[2,3])\n"
		    "y = Neg(Concat<axis=0>(Transpose(a), Transpose(Exp(x))))");

	/* x in, y out */
	cr_assert_eq(count(graph, "Cast"), 2);
	graph_destroy(graph);
}

Test(widen, results_of_other_types_are_not_cast)
{
	struct graph *graph = widened("y = Less(x:int8[3], z:int8[3])");

	cr_assert_eq(count(graph, "Cast"), 2);
	cr_assert_eq(graph->value[graph->output[0]].type.elem, DTYPE_BOOL);
	graph_destroy(graph);
}

Test(widen, wide_graphs_stay_as_they_are)
{
	struct graph *graph = widened("y = Relu(Add(x:float[2], 1))");

	cr_assert_eq(graph->n_node, 2);
	graph_destroy(graph);
}

Test(widen, a_result_read_in_both_types_is_cast_once)
{
	struct graph *graph = widened("a = Neg(x:float16[2]); b = Neg(a);"
				      "c = Transpose(a); return a, b, c");

	/* x in; a, b and c out */
	cr_assert_eq(count(graph, "Cast"), 4);
	graph_destroy(graph);
}
