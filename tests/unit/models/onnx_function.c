/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Functions of the model, from the file to a run. Files of the table have the
 * inputs x:float[2] and c:bool, and the output y.
 */
#include <criterion/criterion.h>

#include "models/wire.h"
#include "tests/unit/models/run_onnx.h"

static void put_ports(struct make *m)
{
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "2");
	make_port(m, MAKE_INPUT, "c", DTYPE_BOOL, "");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, NULL);
	make_end(m);
}

/* One node of the graph, which makes y. */
static void begin_with(struct make *m, const char *op, const char *in)
{
	make_begin(m, 10, 17);
	make_node(m, op, in, "y");
	put_ports(m);
}

/* sum = a * b + a */
static void put_product(struct make *m)
{
	make_function_open(m, "l:Product", "a b", "sum", 17);
	make_node(m, "Mul", "a b", "t");
	make_node(m, "Add", "t a", "sum");
	make_function_close(m);
}

static void call_twice(struct make *m)
{
	make_begin(m, 10, 17);
	make_node(m, "l:Product", "x x", "t");
	make_node(m, "l:Product", "t x", "y");
	put_ports(m);
	put_product(m);
}

static void call_in_function(struct make *m)
{
	begin_with(m, "l:Outer", "x");
	make_function_open(m, "l:Outer", "b", "t", 17);
	make_node(m, "l:Product", "b b", "a");
	make_node(m, "Sub", "a b", "t");
	make_function_close(m);
	put_product(m);
}

/* alpha is given to Outer, which hands it on under another name */
static void give_attribute(struct make *m)
{
	make_begin(m, 10, 17);
	make_node_open(m, "l:Outer", "x", "y");
	make_attr_float(m, "slope", 3);
	make_node_close(m);
	put_ports(m);
	make_function_open(m, "l:Outer", "a", "b", 17);
	make_node_open(m, "l:Leaky", "a", "b");
	make_attr_ref(m, "alpha", "slope");
	make_node_close(m);
	make_function_close(m);
	make_function_open(m, "l:Leaky", "a", "b", 17);
	make_node_open(m, "LeakyRelu", "a", "b");
	make_attr_ref(m, "alpha", "alpha");
	make_node_close(m);
	make_function_default(m, "alpha", 7);
	make_function_close(m);
}

static void take_default(struct make *m)
{
	begin_with(m, "l:Leaky", "x");
	make_function_open(m, "l:Leaky", "a", "b", 17);
	make_node_open(m, "LeakyRelu", "a", "b");
	make_attr_ref(m, "alpha", "alpha");
	make_node_close(m);
	make_function_default(m, "alpha", 7);
	make_function_close(m);
}

/* ... and then the operator's own default is taken */
static void leave_attribute_out(struct make *m)
{
	begin_with(m, "l:Leaky", "x");
	make_function_open(m, "l:Leaky", "a", "b", 17);
	make_node_open(m, "LeakyRelu", "a", "b");
	make_attr_ref(m, "alpha", "alpha");
	make_node_close(m);
	make_function_close(m);
}

static void leave_input_out(struct make *m)
{
	make_begin(m, 10, 17);
	make_floats(m, "two", "", (float[]){ 2 }, 1);
	make_node(m, "l:Limit", "x - two", "y");
	put_ports(m);
	make_function_open(m, "l:Limit", "a low high more", "b", 17);
	make_node(m, "Clip", "a low high", "b");
	make_function_close(m);
}

/* axes of Squeeze became an input with opset 13 */
static void use_own_opset(struct make *m)
{
	begin_with(m, "l:Old", "x");
	make_function_open(m, "l:Old", "a", "b", 11);
	make_node_open(m, "Unsqueeze", "a", "wide");
	make_attr_ints(m, "axes", (int64_t[]){ 0 }, 1);
	make_node_close(m);
	make_node_open(m, "Squeeze", "wide", "b");
	make_attr_ints(m, "axes", (int64_t[]){ 0 }, 1);
	make_node_close(m);
	make_function_close(m);
}

static void use_the_models_opset(struct make *m)
{
	begin_with(m, "l:Bare", "x");
	make_function_open(m, "l:Bare", "a", "b", 0);
	make_node(m, "Neg", "a", "b");
	make_function_close(m);
}

static void hide_an_operator(struct make *m)
{
	begin_with(m, "Relu", "x");
	make_function_open(m, "ai.onnx:Relu", "a", "b", 17);
	make_node(m, "Neg", "a", "b");
	make_function_close(m);
}

static void choose_overload(struct make *m)
{
	make_begin(m, 10, 17);
	make_node_open(m, "l:F", "x", "y");
	make_node_overload(m, "second");
	make_node_close(m);
	put_ports(m);
	make_function_open(m, "l:F", "a", "b", 17);
	make_function_overload(m, "first");
	make_node(m, "Relu", "a", "b");
	make_function_close(m);
	make_function_open(m, "l:F", "a", "b", 17);
	make_function_overload(m, "second");
	make_node(m, "Neg", "a", "b");
	make_function_close(m);
}

/* y is an input of the function, and one output is left out */
static void pass_input_through(struct make *m)
{
	make_begin(m, 10, 17);
	make_node(m, "l:F", "x", "- y same");
	make_node(m, "Neg", "same", "unread");
	put_ports(m);
	make_function_open(m, "l:F", "a", "b a a", 17);
	make_node(m, "Neg", "a", "b");
	make_function_close(m);
}

/* Bodies read the function's input a and its inner t, and call functions. */
static void put_choice(struct make *m)
{
	struct make_body body;

	make_node(m, "Neg", "a", "t");
	make_node_open(m, "If", "d", "b");
	body = make_body_open(m, "then_branch");
	make_node(m, "l:Product", "a t", "o");
	make_port(m, MAKE_OUTPUT, "o", DTYPE_F32, NULL);
	make_body_close(m, body);
	body = make_body_open(m, "else_branch");
	make_node(m, "Mul", "t t", "o");
	make_port(m, MAKE_OUTPUT, "o", DTYPE_F32, NULL);
	make_body_close(m, body);
	make_node_close(m);
}

static void choose_in_function(struct make *m)
{
	begin_with(m, "l:Choice", "x c");
	make_function_open(m, "l:Choice", "a d", "b", 17);
	put_choice(m);
	make_function_close(m);
	put_product(m);
}

/* The loop's body calls its own value as the function calls its input. */
static void shadow_an_input(struct make *m)
{
	struct make_body body;

	make_begin(m, 10, 17);
	make_ints(m, "n", "", (int64_t[]){ 3 }, 1);
	make_node(m, "l:Sums", "x n x", "y");
	put_ports(m);
	make_function_open(m, "l:Sums", "a n k", "b", 17);
	make_node_open(m, "Loop", "n - a", "b");
	body = make_body_open(m, "body");
	make_node(m, "Add", "a k", "next");
	make_node(m, "Identity", "go", "on");
	make_port(m, MAKE_INPUT, "i", DTYPE_I64, "");
	make_port(m, MAKE_INPUT, "go", DTYPE_BOOL, "");
	make_port(m, MAKE_INPUT, "a", DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "on", DTYPE_BOOL, "");
	make_port(m, MAKE_OUTPUT, "next", DTYPE_F32, NULL);
	make_body_close(m, body);
	make_node_close(m);
	make_function_close(m);
}

/* The call gives a body, which reads t of the graph; the function has a t of
 * its own. */
static void give_body(struct make *m)
{
	struct make_body body;

	make_begin(m, 10, 17);
	make_node(m, "Abs", "x", "t");
	make_node_open(m, "l:Choice", "x c", "y");
	body = make_body_open(m, "other");
	make_node(m, "l:Product", "t t", "o");
	make_port(m, MAKE_OUTPUT, "o", DTYPE_F32, NULL);
	make_body_close(m, body);
	make_node_close(m);
	put_ports(m);
	make_function_open(m, "l:Choice", "a d", "b", 17);
	make_node(m, "Neg", "a", "t");
	make_node_open(m, "If", "d", "b");
	make_attr_ref(m, "then_branch", "other");
	make_attr_ref(m, "else_branch", "other");
	make_node_close(m);
	make_function_close(m);
	put_product(m);
}

/* The tensor of a call's attribute must live as long as the graph. */
static void give_tensor(struct make *m)
{
	size_t attr, tensor;
	const float v[] = { 5, 6 };

	make_begin(m, 10, 17);
	make_node_open(m, "l:Fixed", "x", "y");
	attr = wire_begin(&m->buf, 5);
	wire_put_text(&m->buf, 1, "v");
	tensor = wire_begin(&m->buf, 5);
	wire_put_varint(&m->buf, 1, 2);
	wire_put_varint(&m->buf, 2, DTYPE_F32);
	wire_put_float(&m->buf, 4, v[0]);
	wire_put_float(&m->buf, 4, v[1]);
	wire_end(&m->buf, tensor);
	wire_put_varint(&m->buf, 20, 4);
	wire_end(&m->buf, attr);
	make_node_close(m);
	put_ports(m);
	make_function_open(m, "l:Fixed", "a", "b", 17);
	make_node_open(m, "Constant", "", "k");
	make_attr_ref(m, "value", "v");
	make_node_close(m);
	make_node(m, "Add", "a k", "b");
	make_function_close(m);
}

/* x = { -1, 3 }; c is true */
static const struct {
	const char *name;
	void (*make)(struct make *m);
	float want[2];
} rows[] = {
	{ "two calls", call_twice, { 0, 48 } },
	{ "a call in a function", call_in_function, { 1, 9 } },
	{ "an attribute that is given", give_attribute, { -3, 3 } },
	{ "a default", take_default, { -7, 3 } },
	{ "an attribute left out", leave_attribute_out, { -0.01F, 3 } },
	{ "an input left out", leave_input_out, { -1, 2 } },
	{ "its own opset", use_own_opset, { -1, 3 } },
	{ "the model's opset", use_the_models_opset, { 1, -3 } },
	{ "the name of an operator", hide_an_operator, { 1, -3 } },
	{ "overloads", choose_overload, { 1, -3 } },
	{ "an input as output", pass_input_through, { -1, 3 } },
	{ "bodies", choose_in_function, { -2, -6 } },
	{ "a body's own name", shadow_an_input, { -4, 12 } },
	{ "a body that is given", give_body, { 2, 12 } },
	{ "a tensor that is given", give_tensor, { 4, 9 } },
};

Test(onnx_function, becomes_its_nodes)
{
	const float x[] = { -1, 3 };
	const bool c = true;
	const struct fact input[] = { run_known(DTYPE_F32, 1, 2, x),
				      run_known(DTYPE_BOOL, 0, 0, &c) };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct run f = { 0 };

		rows[i].make(&f.m);
		cr_assert_eq(run_read(&f), ERR_NONE, "%s: %s", rows[i].name,
			     f.err.msg);
		cr_assert_eq(run_plan(&f, input, false), ERR_NONE, "%s: %s",
			     rows[i].name, f.err.msg);
		run_expect_floats(&f, 0, rows[i].want, 2);
		run_end(&f);
	}
}

Test(onnx_function, gives_inner_values_names_of_their_own)
{
	struct run f = { 0 };

	call_twice(&f.m);
	cr_assert_eq(run_read(&f), ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(f.graph->n_node, 4);
	cr_expect_geq(graph_find_value(f.graph, "t"), 0);
	cr_expect_geq(graph_find_value(f.graph, "t#1/t"), 0);
	cr_expect_geq(graph_find_value(f.graph, "y#4/t"), 0);
	run_end(&f);
}

/* --- refusals --- */

static void name_the_missing(struct make *m)
{
	begin_with(m, "l:F", "x");
	make_function_open(m, "l:F", "a", "b", 17);
	make_node(m, "Nothing", "a", "t");
	make_node(m, "l:G", "t", "b");
	make_function_close(m);
}

static void call_itself(struct make *m)
{
	begin_with(m, "l:F", "x");
	make_function_open(m, "l:F", "a", "b", 17);
	make_node(m, "l:G", "a", "b");
	make_function_close(m);
	make_function_open(m, "l:G", "a", "b", 17);
	make_node(m, "l:F", "a", "b");
	make_function_close(m);
}

static void call_itself_in_a_body(struct make *m)
{
	struct make_body body;

	begin_with(m, "l:F", "x c");
	make_function_open(m, "l:F", "a d", "b", 17);
	make_node_open(m, "If", "d", "b");
	for (int i = 0; i < 2; i++) {
		body = make_body_open(m, i ? "then_branch" : "else_branch");
		make_node(m, "l:F", "a d", "o");
		make_port(m, MAKE_OUTPUT, "o", DTYPE_F32, NULL);
		make_body_close(m, body);
	}
	make_node_close(m);
	make_function_close(m);
}

/* Each function calls the next `times` times; the last one is empty. */
static void put_chain(struct make *m, int n, int times)
{
	begin_with(m, "l:F0", "x");
	for (int i = 0; i < n; i++) {
		char name[16], next[16];

		snprintf(name, sizeof(name), "l:F%d", i);
		snprintf(next, sizeof(next), "l:F%d", i + 1);
		make_function_open(m, name, "a", "b", 17);
		for (int j = 0; j < times && i + 1 < n; j++)
			make_node(m, next, "a", j ? "-" : "b");
		if (i + 1 == n && times == 1)
			make_node(m, "Neg", "a", "b");
		make_function_close(m);
	}
}

static void nest_33(struct make *m)
{
	put_chain(m, 33, 1);
}

static void double_30_times(struct make *m)
{
	put_chain(m, 30, 2);
}

static void give_too_much(struct make *m)
{
	begin_with(m, "l:Product", "x x x");
	put_product(m);
}

static void take_too_much(struct make *m)
{
	make_begin(m, 10, 17);
	make_node(m, "l:Product", "x x", "y z");
	put_ports(m);
	put_product(m);
}

static void name_an_input_twice(struct make *m)
{
	begin_with(m, "l:F", "x x");
	make_function_open(m, "l:F", "a a", "b", 17);
	make_node(m, "Neg", "a", "b");
	make_function_close(m);
}

static void pass_nothing_through(struct make *m)
{
	begin_with(m, "l:F", "x");
	make_function_open(m, "l:F", "b a", "a", 17);
	make_function_close(m);
}

static void define_twice(struct make *m)
{
	begin_with(m, "l:Product", "x x");
	put_product(m);
	put_product(m);
}

static void read_nothing(struct make *m)
{
	begin_with(m, "l:F", "x");
	make_function_open(m, "l:F", "a", "b", 17);
	make_node(m, "Add", "a y", "b");
	make_function_close(m);
}

static void refer_outside_of_functions(struct make *m)
{
	make_begin(m, 10, 17);
	make_node_open(m, "LeakyRelu", "x", "y");
	make_attr_ref(m, "alpha", "alpha");
	make_node_close(m);
	put_ports(m);
}

static const struct {
	void (*make)(struct make *m);
	const char *says;
} refusals[] = {
	{ name_the_missing, "Nothing (node 'y#1/t'), l.G (node 'y')" },
	{ call_itself, "calls the function 'F' of the model, which is within "
		       "itself" },
	{ call_itself_in_a_body, "which is within itself" },
	{ nest_33, "calls of functions nest deeper than 32" },
	{ double_30_times, "its functions become more than 131072 nodes" },
	{ give_too_much, "which has fewer inputs" },
	{ take_too_much, "which has fewer outputs" },
	{ name_an_input_twice, "which has two inputs of one name" },
	{ pass_nothing_through, "an output of which is an input that is left "
				"out" },
	{ define_twice, "the function 'Product' of domain 'l' is defined "
			"twice" },
	{ read_nothing, "reads 'y#1/y', which nothing defines" },
	{ refer_outside_of_functions, "'alpha' is of a kind that is not "
				      "supported" },
};

Test(onnx_function, is_refused_by_name)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct run f = { 0 };

		refusals[i].make(&f.m);
		run_expect_refusal(&f, refusals[i].says);
	}
}

Test(onnx_function, may_nest_32_deep)
{
	struct run f = { 0 };

	put_chain(&f.m, 32, 1);
	cr_assert_eq(run_read(&f), ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(f.graph->n_node, 1);
	run_end(&f);
}

Test(onnx_function, leaves_weights_trainable)
{
	const struct onnx_options options = { .trainable = true };
	const float w[] = { 1, 2, 3, 4 };
	struct run f = { 0 };

	make_begin(&f.m, 10, 17);
	make_floats(&f.m, "w", "2 2", w, 4);
	make_node(&f.m, "l:F", "x w", "y");
	put_ports(&f.m);
	make_function_open(&f.m, "l:F", "a b", "c", 17);
	make_node(&f.m, "MatMul", "a b", "c");
	make_function_close(&f.m);
	cr_assert_eq(onnx_read(f.m.buf.data, f.m.buf.len, "m.onnx", &options,
			       &f.graph, &f.signature, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.graph->n_variable, 1);
	cr_assert_eq(f.graph->variable[0].role, ROLE_PARAM);
	run_end(&f);
}
