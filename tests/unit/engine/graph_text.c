/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph_text.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/attr.h"

static struct graph *parse(const char *text, struct fact **ret_input)
{
	struct graph *graph = NULL;
	struct err err = { 0 };

	cr_assert_eq(graph_text_parse(text, &graph, ret_input, &err), ERR_NONE,
		     "%s: %s", text, err.msg);
	return graph;
}

static struct attr_value attr(const struct graph_node *node, const char *name)
{
	struct attr_value value = { 0 };
	const struct op_attr *row = op_attr_find(node->op->attrs, name);

	cr_assert_not_null(row);
	op_attr_get(row, node->attrs, &value);
	return value;
}

Test(graph_text, reads_a_call_with_declared_operands)
{
	struct fact *input = NULL;
	struct graph *graph =
	    parse("y = Add(x:float[2,3], w:float[3]!)", &input);

	cr_assert_eq(graph->n_node, 1);
	cr_assert_eq(graph->n_input, 1);
	cr_assert_eq(graph->n_variable, 1);
	cr_assert_eq(graph->n_output, 1);
	cr_assert_str_eq(graph->value[graph->input[0]].name, "x");
	cr_assert_str_eq(graph->variable[0].name, "w");
	cr_assert_eq(graph->variable[0].role, ROLE_PARAM);
	cr_assert_eq(graph->variable[0].view.shape.dim[0], 3);
	cr_assert_str_eq(graph->value[graph->output[0]].name, "y");
	cr_assert(input[0].has_shape);
	cr_assert_eq(input[0].shape.rank, 2U);
	cr_assert_eq(input[0].shape.dim[1], 3);
	graph_destroy(graph);
}

Test(graph_text, nested_calls_and_reuse_share_values)
{
	struct graph *graph = parse("a = Exp(x:float[2])\n"
				    "b = Mul(Add(a, x), Neg(Relu(a)))",
				    NULL);

	cr_assert_eq(graph->n_node, 5);
	cr_assert_eq(graph->n_input, 1);
	cr_assert_eq(graph->n_output, 1, "a was read");
	cr_assert_eq(graph_in(graph, &graph->node[1])[0],
		     graph_out(graph, &graph->node[0])[0]);
	cr_assert_str_eq(graph->node[4].op->name, "Mul");
	graph_destroy(graph);
}

Test(graph_text, numbers_take_the_type_of_their_call)
{
	struct graph *graph = parse("a = Mul(2, x:double[2]); b = Add(a, 0.5)\n"
				    "c = Mul(i:int64[1], 9007199254740993)",
				    NULL);

	cr_assert_eq(graph->constant[0].dtype, DTYPE_F64);
	cr_assert_eq(*(double *)graph->constant[0].data, 2.0);
	cr_assert_eq(*(double *)graph->constant[1].data, 0.5);
	cr_assert_eq(graph->constant[2].dtype, DTYPE_I64);
	cr_assert_eq(*(int64_t *)graph->constant[2].data, 9007199254740993);
	graph_destroy(graph);
}

Test(graph_text, constants_have_their_values)
{
	struct graph *graph =
	    parse("a:int64[2]={1,-2}; b:float[]={-inf}; c:bool[2]={true,0}\n"
		  "d:string[2]={\"x\\\"y\", \"\"}; e:float[0]={}\n"
		  "f:uint64[1]={18446744073709551615}",
		  NULL);
	const struct tensor_view *c = graph->constant;

	cr_assert_eq(graph->n_constant, 6);
	cr_assert_eq(((int64_t *)c[0].data)[1], -2);
	cr_assert_eq(*(float *)c[1].data, -INFINITY);
	cr_assert_eq(c[1].shape.rank, 0U);
	cr_assert_eq(((uint8_t *)c[2].data)[0], 1);
	cr_assert_eq(((uint8_t *)c[2].data)[1], 0);
	cr_assert_str_eq(((struct str *)c[3].data)[0].bytes, "x\"y");
	cr_assert_eq(c[4].shape.dim[0], 0);
	cr_assert_eq(*(uint64_t *)c[5].data, UINT64_MAX);
	graph_destroy(graph);
}

Test(graph_text, attributes_of_every_kind_are_read)
{
	struct graph *graph =
	    parse("a = Transpose<perm=[1, 0]>(x:float[2,3])\n"
		  "b = Cast<to=int64>(x)\n"
		  "c = LeakyRelu<alpha=0.25>(x)\n"
		  "d = Softmax<axis=-1>(x)\n"
		  "e = ConstantOfShape<value=float[1]{7}>(s:int64[1]={2})",
		  NULL);
	struct attr_value perm = attr(&graph->node[0], "perm");

	cr_assert_eq(perm.ints.n, 2U);
	cr_assert_eq(perm.ints.v[0], 1);
	cr_assert_eq(attr(&graph->node[1], "to").i, DTYPE_I64);
	cr_assert_eq(
	    graph->value[graph_out(graph, &graph->node[1])[0]].type.elem,
	    DTYPE_I64);
	cr_assert_eq(attr(&graph->node[2], "alpha").f, 0.25);
	cr_assert_eq(attr(&graph->node[3], "axis").i, -1);
	cr_assert_eq(*(float *)attr(&graph->node[4], "value").t->data, 7.0F);
	graph_destroy(graph);
}

Test(graph_text, holes_are_optional_inputs_left_out)
{
	struct graph *graph = parse("y = Clip(x:float[2], , hi:float[])", NULL);
	const int32_t *in = graph_in(graph, &graph->node[0]);

	cr_assert_eq(graph->node[0].n_in, 3);
	cr_assert_eq(in[1], VALUE_NONE);
	cr_assert_neq(in[2], VALUE_NONE);
	graph_destroy(graph);
}

Test(graph_text, several_results_have_names_of_their_own)
{
	struct graph *graph =
	    parse("a, b = Split<axis=0>(x:float[4], s:int64[2]={1,3})\n"
		  "c = Relu(b)",
		  NULL);

	cr_assert_eq(graph->node[0].n_out, 2);
	cr_assert_eq(graph->n_output, 2);
	cr_assert_str_eq(graph->value[graph->output[0]].name, "a");
	cr_assert_str_eq(graph->value[graph->output[1]].name, "c");
	graph_destroy(graph);
}

Test(graph_text, return_and_assign_end_a_graph)
{
	struct graph *graph = parse("w:float[2]!state\n"
				    "y = Add(w, 1)\n"
				    "assign w = Mul(y, 2)\n"
				    "return y, w",
				    NULL);

	cr_assert_eq(graph->n_output, 2);
	cr_assert_eq(graph->n_assign, 1);
	cr_assert_eq(graph->variable[0].role, ROLE_STATE);
	cr_assert_str_eq(
	    graph_producer(graph, graph->assign[0].value)->op->name, "Mul");
	graph_destroy(graph);
}

Test(graph_text, odd_names_stand_in_quotes)
{
	struct graph *graph =
	    parse("\"a b\" = Relu(\"12:0\":float[1]) # a comment\n"
		  "/x/y.z = Relu(\"a b\")",
		  NULL);

	cr_assert_neq(graph_find_value(graph, "a b"), VALUE_NONE);
	cr_assert_neq(graph_find_value(graph, "12:0"), VALUE_NONE);
	cr_assert_neq(graph_find_value(graph, "/x/y.z"), VALUE_NONE);
	graph_destroy(graph);
}

Test(graph_text, what_is_wrong_is_said_with_its_line)
{
	static const struct {
		const char *text, *want;
		enum err_code code;
	} rows[] = {
		{ "y = Relu(x)", "line 1: 'x' is not defined", ERR_INVALID },
		{ "x:float\n\ny = Foo(x)", "line 3: there is no operator 'Foo'",
		  ERR_UNSUPPORTED },
		{ "y = Relu(x:float", "expected ',', but the statement ends",
		  ERR_INVALID },
		{ "y = Relu x", "'Relu' is not defined", ERR_INVALID },
		{ "x:float; x:float", "'x' is defined twice", ERR_INVALID },
		{ "y = Relu(x:flat[2])", "expected a type such as float",
		  ERR_INVALID },
		{ "x:float[2]={1}", "shape [2] needs 2 values", ERR_INVALID },
		{ "x:float[1]={1,2}", "shape [1] needs 1 values", ERR_INVALID },
		{ "x:float[99999999]={1}", "needs 99999999 values",
		  ERR_INVALID },
		{ "x:float[-1]", "extent -1", ERR_SHAPE },
		{ "x:float[1,1,1,1,1,1,1,1,1]", "at most 8 extents",
		  ERR_INVALID },
		{ "y = Softmax<axes=1>(x:float[2])",
		  "unknown attribute 'axes'; did you mean 'axis'?",
		  ERR_INVALID },
		{ "y = Softmax<axis=1, axis=1>(x:float[2])", "given twice",
		  ERR_INVALID },
		{ "y = Softmax<axis=\"a\">(x:float[2])",
		  "attribute 'axis' must be an integer, but is a text",
		  ERR_INVALID },
		{ "a, b = Relu(x:float[2])", "has 2 outputs", ERR_INVALID },
		{ "a, b = x:float", "as many results", ERR_INVALID },
		{ "y = \"abc", "a quote is not closed", ERR_INVALID },
		{ "y = 1e999", "is no number", ERR_INVALID },
		{ "y = Add(x:float[2], i:int64[2])", "'B' must be float",
		  ERR_INVALID },
		{ "y = Relu(x:float[2]))", "expected the end", ERR_INVALID },
		{ "return y", "expected a defined name", ERR_INVALID },
		{ "y = Relu(x:float[2]$)", "the byte 36", ERR_INVALID },
		{ "y = Cast(x:float[2])", "attribute 'to' is missing",
		  ERR_INVALID },
		{ "y = Softmax<axis=@axis>(x:float)",
		  "the name of an attribute of the node", ERR_INVALID },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct graph *graph = NULL;
		struct err err = { 0 };

		cr_assert_eq(graph_text_parse(rows[i].text, &graph, NULL, &err),
			     rows[i].code, "%s: %s", rows[i].text, err.msg);
		cr_assert_not_null(strstr(err.msg, rows[i].want), "%s: %s",
				   rows[i].text, err.msg);
		cr_assert_null(graph);
	}
}

Test(graph_text, deep_nesting_is_refused_and_not_followed)
{
	char text[400] = "y = ";
	struct graph *graph = NULL;
	struct err err;
	size_t n = strlen(text);

	for (int i = 0; i < 33; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "Relu(");
	cr_assert_eq(graph_text_parse(text, &graph, NULL, &err), ERR_INVALID);
	cr_assert_not_null(strstr(err.msg, "more than 32 levels"), "%s",
			   err.msg);
}

Test(graph_text, long_text_is_refused)
{
	static char text[(64 << 10) + 2];
	struct graph *graph = NULL;

	memset(text, ' ', sizeof(text) - 1);
	cr_assert_eq(graph_text_parse(text, &graph, NULL, NULL), ERR_TOO_LARGE);
}

static void check_round_trip(const char *text)
{
	struct graph *graph = parse(text, NULL), *again;
	struct buf first, second;

	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	graph_text_print(graph, &first);
	cr_assert_eq(buf_check(&first, "text", NULL), ERR_NONE);
	again = parse(first.data, NULL);
	graph_text_print(again, &second);
	cr_assert_str_eq(second.data, first.data);
	cr_assert_eq(again->n_node, graph->n_node);
	cr_assert_eq(again->n_output, graph->n_output);
	buf_finish(&first);
	buf_finish(&second);
	graph_destroy(graph);
	graph_destroy(again);
}

Test(graph_text, printing_and_reading_agree)
{
	check_round_trip("y = Add(x:float[2,3], w:float[3]!)");
	check_round_trip("a, b = Split<axis=-1>(x:float[4], s:int64[2]={1,3})");
	check_round_trip("y = Clip(x:float[2], , 0.1)");
	check_round_trip("w:float[2]!moment; y = Add(w, 1); assign w = y");
	check_round_trip("\"a b\" = Relu(\"return\":float[1])");
	check_round_trip("y = Transpose<perm=[1,0]>(x:double[2,2]); z = y");
	check_round_trip(
	    "c:float16[3]={0.1,nan,-inf}; s:string[1]={\"a\\nb\"}");
	check_round_trip("c:float[2]={-0.0,0}");
	check_round_trip("y = ConstantOfShape<value=int8[1]{-3}>(i:int64[1])");
	check_round_trip("y = predictd.SumTo(x:float[2,3], b:float[3])");
	check_round_trip("v1 = Relu(x:float[2]); y = Relu(Relu(v1))");
}

Test(graph_text, every_failing_allocation_is_survived)
{
	const char *text =
	    "a, b = Split<axis=1>(x:float[2,4], s:int64[2]={1,3})\n"
	    "c:string[1]={\"x\"}; w:float[4]!; d = Add(a, 1)";
	enum err_code rc = ERR_NO_MEMORY;
	unsigned long n = 0;

	while (rc && n < 1000) {
		struct graph *graph = NULL;
		struct fact *input = NULL;

		mem_fail_at(++n);
		rc = graph_text_parse(text, &graph, &input, NULL);
		mem_fail_at(0);
		cr_assert(rc == ERR_NONE || rc == ERR_NO_MEMORY);
		graph_destroy(graph);
	}
	cr_assert_gt(n, 3UL);
	cr_assert_lt(n, 1000UL);
}

Test(graph_text, rows_of_cases_are_all_readable)
{
	for (size_t i = 0; op_at(i); i++)
		for (const struct op_case *c = op_at(i)->cases; c && c->name;
		     c++) {
			struct graph *graph = NULL;
			struct err err = { 0 };
			enum err_code rc =
			    graph_text_parse(c->graph, &graph, NULL, &err);

			cr_assert(!rc || rc == c->want, "%s, %s: %s",
				  op_at(i)->name, c->name, err.msg);
			graph_destroy(graph);
		}
}
