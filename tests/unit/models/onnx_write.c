/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/attr.h"
#include "engine/graph_text.h"
#include "engine/interpreter.h"
#include "models/onnx.h"
#include "models/wire.h"

static struct signature_port port(const char *name, unsigned rank,
				  int64_t second)
{
	return (struct signature_port){
		.name = name,
		.dtype = DTYPE_F32,
		.has_rank = true,
		.rank = rank,
		.dim = { { -1, "batch" }, { second, NULL } },
	};
}

static const struct onnx_write_options options = { "1.2.3", "test" };
static const struct onnx_options reading = { .trainable = true };

/* The graph of a text, written and read back. */
static struct graph *round_trip(const struct graph *graph,
				const struct model_signature *signature,
				struct model_signature *ret_signature,
				struct buf *buf)
{
	struct graph *again = NULL;
	struct err err = { 0 };

	buf_init(buf, 1 << 20);
	cr_assert_eq(onnx_write(graph, signature, &options, buf, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(onnx_read(buf->data, buf->len, "again", &reading, &again,
			       ret_signature, &err),
		     ERR_NONE, "%s", err.msg);
	return again;
}

static struct graph *parse(const char *text)
{
	struct graph *graph = NULL;
	struct fact *input;
	struct err err = { 0 };

	cr_assert_eq(graph_text_parse(text, &graph, &input, &err), ERR_NONE,
		     "%s", err.msg);
	return graph;
}

static void run(const struct graph *graph, const struct tensor_view *input,
		float *out, size_t n)
{
	const struct interpreter_options run_options = { .max_bytes = 1 << 22 };
	struct interpreter_result result;
	struct err err = { 0 };

	cr_assert_eq(interpret(graph, input, &run_options, &result, &err),
		     ERR_NONE, "%s", err.msg);
	memcpy(out, result.value[graph->output[0]].data, n * sizeof(*out));
	interpreter_result_finish(&result);
}

Test(onnx_write, is_read_back_with_the_same_meaning)
{
	struct graph *graph = parse("h = Gemm<transB=1, alpha=0.5>("
				    "x:float[2,3], "
				    "w:float[4,3]={1,2,3,4,5,6,7,8,9,1,2,3}, "
				    "b:float[4]={1,-100,3,-4})\n"
				    "y = LeakyRelu<alpha=0.25>(h)");
	struct signature_port in = port("x", 2, 3), out = port("y", 2, 4);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct model_signature back;
	float x[6] = { 1, -2, 3, 0, 5, 1 }, first[8], second[8];
	const struct tensor_view input = { x, DTYPE_F32, { 2, { 2, 3 } } };
	struct buf buf;
	struct graph *again = round_trip(graph, &s, &back, &buf);

	run(graph, &input, first, 8);
	run(again, &input, second, 8);
	cr_assert(!memcmp(first, second, sizeof(first)));
	cr_assert_eq(again->n_node, 2);
	cr_assert_neq(graph_find_value(again, "h"), VALUE_NONE);
	cr_assert_neq(graph_find_value(again, "w"), VALUE_NONE);
	cr_assert_str_eq(back.input[0].name, "x");
	cr_assert_str_eq(back.output[0].dim[0].symbol, "batch");
	cr_assert(back.may_batch);
	graph_destroy(graph);
	graph_destroy(again);
	buf_finish(&buf);
}

Test(onnx_write, writes_variables_as_initializers)
{
	struct graph *graph = parse("y = MatMul(x:float[2,2], w:float[2,2]!)");
	struct signature_port in = port("x", 2, 2), out = port("y", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct model_signature back;
	float w[4] = { 1, 2, 3, 4 };
	struct buf buf;
	struct graph *again;

	graph->variable[0].view.data = w;
	again = round_trip(graph, &s, &back, &buf);
	cr_assert_eq(again->n_variable, 1);
	cr_assert_str_eq(again->variable[0].name, "w");
	cr_assert_eq(((float *)again->variable[0].view.data)[3], 4);
	graph_destroy(graph);
	graph_destroy(again);
	buf_finish(&buf);
}

/* The number of a field of the file's messages, by path. */
static uint64_t number_in(const struct buf *buf, uint32_t outer,
			  uint32_t number)
{
	struct wire wire, child;
	struct wire_field field;
	uint64_t found = 0;

	wire_init(&wire, buf->data, buf->len, "file");
	for (;;) {
		cr_assert_eq(wire_next(&wire, &field, NULL), ERR_NONE);
		if (!field.number)
			return found;
		if (!outer && field.number == number)
			found = field.value;
		if (!outer || field.number != outer)
			continue;
		cr_assert_eq(wire_enter(&wire, &field, "", &child, NULL),
			     ERR_NONE);
		while (!wire_next(&child, &field, NULL) && field.number) {
			if (field.number == number)
				found = field.value;
		}
	}
}

Test(onnx_write, says_ir_version_and_operator_set)
{
	struct graph *graph = parse("y = Relu(x:float[2,2])");
	struct signature_port in = port("x", 2, 2), out = port("y", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	cr_assert_eq(onnx_write(graph, &s, &options, &buf, &err), ERR_NONE);
	cr_assert_eq(number_in(&buf, 0, 1), 8);
	cr_assert_eq(number_in(&buf, 8, 2), 17);
	graph_destroy(graph);
	graph = parse("y = ReduceMean(x:float[2,2], a:int64[1]={1})");
	buf_reset(&buf);
	cr_assert_eq(onnx_write(graph, &s, &options, &buf, &err), ERR_NONE);
	cr_assert_eq(number_in(&buf, 8, 2), 18, "axes are an input since 18");
	graph_destroy(graph);
	buf_finish(&buf);
}

Test(onnx_write, makes_names_unique)
{
	struct graph *graph = parse("a = Relu(x:float[2,2])\n"
				    "b = Neg(a)\n"
				    "y = Exp(b)");
	struct signature_port in = port("x", 2, 2), out = port("a", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct model_signature back;
	struct buf buf;
	struct graph *again;

	/* the output is called "a", and two values "b" */
	graph->value[graph->output[0]].name = "b";
	again = round_trip(graph, &s, &back, &buf);
	cr_assert_str_eq(back.output[0].name, "a");
	cr_assert_eq(again->n_node, 3);
	for (int32_t i = 0; i < again->n_value; i++) {
		for (int32_t j = 0; j < i; j++)
			cr_expect_str_neq(again->value[i].name,
					  again->value[j].name);
	}
	graph_destroy(graph);
	graph_destroy(again);
	buf_finish(&buf);
}

Test(onnx_write, gives_outputs_that_are_inputs_a_node)
{
	struct graph *graph = parse("y = Relu(x:float[2,2])");
	struct signature_port in = port("x", 2, 2);
	struct signature_port out[3] = { port("y", 2, 2), port("same", 2, 2),
					 port("twice", 2, 2) };
	const struct model_signature s = { .input = &in,
					   .output = out,
					   .n_inputs = 1,
					   .n_outputs = 3,
					   .may_batch = true };
	struct model_signature back;
	struct buf buf;
	struct graph *again;
	struct err err;

	cr_assert_eq(graph_add_output(graph, graph->input[0], &err), ERR_NONE);
	cr_assert_eq(graph_add_output(graph, graph->output[0], &err), ERR_NONE);
	again = round_trip(graph, &s, &back, &buf);
	cr_assert_eq(back.n_outputs, 3);
	cr_assert_str_eq(back.output[1].name, "same");
	cr_assert_str_eq(back.output[2].name, "twice");
	graph_destroy(graph);
	graph_destroy(again);
	buf_finish(&buf);
}

Test(onnx_write, refuses_operators_of_our_own)
{
	struct graph *graph = parse("y = SumTo(x:float[2,2], z:float[1,2])");
	struct signature_port in[2] = { port("x", 2, 2), port("z", 2, 2) };
	struct signature_port out = port("y", 2, 2);
	const struct model_signature s = { .input = in,
					   .output = &out,
					   .n_inputs = 2,
					   .n_outputs = 1,
					   .may_batch = true };
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	cr_assert_eq(onnx_write(graph, &s, &options, &buf, &err),
		     ERR_UNSUPPORTED);
	cr_assert(strstr(err.msg, "SumTo") != NULL, "%s", err.msg);
	graph_destroy(graph);
	buf_finish(&buf);
}

Test(onnx_write, refuses_two_ports_of_one_name)
{
	struct graph *graph = parse("y = Relu(x:float[2,2])");
	struct signature_port in = port("x", 2, 2), out = port("x", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	cr_assert_eq(onnx_write(graph, &s, &options, &buf, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "'x'") != NULL, "%s", err.msg);
	graph_destroy(graph);
	buf_finish(&buf);
}

Test(onnx_write, says_when_the_file_has_no_room)
{
	struct graph *graph = parse("y = Relu(x:float[2,2])");
	struct signature_port in = port("x", 2, 2), out = port("y", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	struct err err = { 0 };
	struct buf buf;

	for (size_t room = 1; room < 64; room++) {
		buf_init(&buf, room);
		cr_assert_eq(onnx_write(graph, &s, &options, &buf, &err),
			     ERR_TOO_LARGE, "%zu", room);
		buf_finish(&buf);
	}
	graph_destroy(graph);
}

Test(onnx_write, survives_every_failed_allocation)
{
	struct graph *graph = parse("y = Relu(x:float[2,2])");
	struct signature_port in = port("x", 2, 2), out = port("y", 2, 2);
	const struct model_signature s = { .input = &in,
					   .output = &out,
					   .n_inputs = 1,
					   .n_outputs = 1,
					   .may_batch = true };
	enum err_code rc = ERR_NO_MEMORY;

	for (unsigned long n = 1; rc == ERR_NO_MEMORY; n++) {
		struct err err = { 0 };
		struct buf buf;

		buf_init(&buf, 1 << 16);
		mem_fail_at(n);
		rc = onnx_write(graph, &s, &options, &buf, &err);
		mem_fail_at(0);
		buf_finish(&buf);
		cr_assert_lt(n, 1000);
	}
	cr_assert_eq(rc, ERR_NONE);
	graph_destroy(graph);
}
