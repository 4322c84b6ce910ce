/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interpreter.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"

static struct graph *parse(const char *text)
{
	struct graph *graph;
	struct err err;

	cr_assert_eq(graph_text_parse(text, &graph, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	return graph;
}

static const void *output(const struct graph *graph,
			  const struct interpreter_result *result, int32_t i)
{
	return result->value[graph->output[i]].data;
}

Test(interpreter, runs_a_graph_node_by_node)
{
	struct graph *graph = parse("y = Relu(Sub(x:float[3], 1))");
	float x[3] = { 0, 1, 3 };
	const struct tensor_view in = { .data = x,
					.dtype = DTYPE_F32,
					.shape = { 1, { 3 } } };
	struct interpreter_result result;
	struct err err;
	const float *y;

	cr_assert_eq(interpret(graph, &in, NULL, &result, &err), ERR_NONE, "%s",
		     err.msg);
	y = output(graph, &result, 0);
	cr_assert_float_eq(y[0], 0, 0);
	cr_assert_float_eq(y[2], 2, 0);
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(interpreter, shapes_follow_from_values_of_the_run)
{
	struct graph *graph = parse("y = Reshape(x:float[6], s:int64[2])");
	float x[6] = { 1, 2, 3, 4, 5, 6 };
	int64_t s[2] = { 3, -1 };
	const struct tensor_view in[] = {
		{ .data = x, .dtype = DTYPE_F32, .shape = { 1, { 6 } } },
		{ .data = s, .dtype = DTYPE_I64, .shape = { 1, { 2 } } },
	};
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(interpret(graph, in, NULL, &result, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(result.value[graph->output[0]].shape.dim[1], 2);
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(interpreter, a_bad_value_names_its_node)
{
	struct graph *graph =
	    parse("y = Div(a:int32[2]={1,2}, b:int32[2]={1,0})");
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(interpret(graph, NULL, NULL, &result, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "Div") && strstr(err.msg, "bad value"), "%s",
		  err.msg);
	graph_destroy(graph);
}

Test(interpreter, an_input_of_another_type_is_refused)
{
	struct graph *graph = parse("y = Relu(x:float[1])");
	int32_t x = 1;
	const struct tensor_view in = { .data = &x,
					.dtype = DTYPE_I32,
					.shape = { 1, { 1 } } };
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(interpret(graph, &in, NULL, &result, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "'x'"), "%s", err.msg);
	graph_destroy(graph);
}

Test(interpreter, variables_are_written_at_the_end)
{
	struct graph *graph = parse("w:float[2]!; v:float[2]!;"
				    "s = Add(w, 1); d = Add(s, w);"
				    "assign w = s; assign v = w;"
				    "return d, w");
	float *w = graph->variable[0].view.data;
	float *v = graph->variable[1].view.data;
	struct interpreter_result result;
	const float *d, *old;
	struct err err;

	w[0] = 10;
	w[1] = 20;
	cr_assert_eq(interpret(graph, NULL, NULL, &result, &err), ERR_NONE,
		     "%s", err.msg);
	d = output(graph, &result, 0);
	old = output(graph, &result, 1);
	cr_assert_float_eq(d[0], 21, 0);
	cr_assert_float_eq(w[1], 21, 0);
	cr_assert_float_eq(v[1], 20, 0, "it takes the old value");
	cr_assert_float_eq(old[1], 20, 0);
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(interpreter, half_types_run_in_float)
{
	struct graph *graph =
	    parse("y = Mul(a:float16[2]={1.5,2}, b:float16[]={3})");
	struct interpreter_result result;
	const uint16_t *y;
	struct err err;

	cr_assert_eq(interpret(graph, NULL, NULL, &result, &err), ERR_NONE,
		     "%s", err.msg);
	y = output(graph, &result, 0);
	cr_assert_eq(result.value[graph->output[0]].dtype, DTYPE_F16);
	cr_assert_float_eq(dtype_f16_to_f32(y[0]), 4.5, 0);
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(interpreter, texts_outlive_the_kernel_that_made_them)
{
	struct graph *graph = parse("y = Cast<to=8>(a:float[3]={1.5,-2,1e20})");
	struct interpreter_result result;
	const struct str *y;
	struct err err;

	cr_assert_eq(interpret(graph, NULL, NULL, &result, &err), ERR_NONE,
		     "%s", err.msg);
	y = output(graph, &result, 0);
	cr_assert_str_eq(y[0].bytes, "1.5");
	cr_assert_str_eq(y[1].bytes, "-2");
	cr_assert_str_eq(y[2].bytes, "1e+20");
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(interpreter, the_ceiling_holds)
{
	struct graph *graph = parse("y = Expand(a:float[]={1}, "
				    "s:int64[2]={4096,4096})");
	const struct interpreter_options options = { .max_bytes = 1 << 20 };
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(interpret(graph, NULL, &options, &result, &err),
		     ERR_NO_MEMORY);
	graph_destroy(graph);
}
