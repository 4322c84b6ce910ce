/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/interpreter.h"
#include "engine/op.h"
#include "models/wire.h"
#include "tests/unit/models/make_onnx.h"

/* y = Relu(x + w), and what came of reading it. */
struct fixture {
	struct make m;
	struct graph *graph;
	struct model_signature signature;
	struct err err;
	enum err_code rc;
};

static void read_with(struct fixture *f, const struct onnx_options *options)
{
	f->graph = NULL;
	f->rc = onnx_read(f->m.buf.data, f->m.buf.len, "m.onnx", options,
			  &f->graph, &f->signature, &f->err);
}

static void finish_and_read(struct fixture *f)
{
	const struct onnx_options options = { 0 };

	make_end(&f->m);
	read_with(f, &options);
}

static void end(struct fixture *f)
{
	graph_destroy(f->graph);
	make_finish(&f->m);
}

static void put_ports(struct make *m)
{
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, "N 2");
}

static void expect_refusal(struct fixture *f, enum err_code want,
			   const char *says, const char *what)
{
	cr_expect_eq(f->rc, want, "%s: %d %s", what, f->rc, f->err.msg);
	cr_expect(strstr(f->err.msg, says) != NULL, "%s: %s", what, f->err.msg);
	end(f);
}

static const float two[] = { 1, -2 };

Test(onnx_read, gives_graph_names_and_signature)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Add", "x w", "sum");
	make_node(&f.m, "Relu", "sum", "y");
	make_floats(&f.m, "w", "2", two, 2);
	put_ports(&f.m);
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.graph->n_node, 2);
	cr_assert_str_eq(f.graph->node[0].op->name, "Add");
	cr_assert_neq(graph_find_value(f.graph, "sum"), VALUE_NONE);
	cr_assert_neq(graph_find_value(f.graph, "w"), VALUE_NONE);
	cr_assert_eq(f.graph->n_constant, 1);
	cr_assert_eq(f.signature.n_inputs, 1);
	cr_assert_str_eq(f.signature.input[0].name, "x");
	cr_assert_str_eq(f.signature.output[0].name, "y");
	cr_assert_eq(f.signature.output[0].dtype, DTYPE_F32);
	cr_assert_str_eq(f.signature.input[0].dim[0].symbol, "N");
	cr_assert_eq(f.signature.input[0].dim[1].extent, 2);
	cr_assert(f.signature.may_batch);
	end(&f);
}

Test(onnx_read, gives_what_the_file_computes)
{
	struct fixture f = { 0 };
	float x[4] = { 1, 1, -3, 5 };
	const struct tensor_view input = { x, DTYPE_F32, { 2, { 2, 2 } } };
	const struct interpreter_options options = { .max_bytes = 1 << 20 };
	struct interpreter_result result;
	const float *y;

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Relu", "sum", "y"); /* before what it reads */
	make_node(&f.m, "Add", "x w", "sum");
	make_floats(&f.m, "w", "2", two, 2);
	put_ports(&f.m);
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(interpret(f.graph, &input, &options, &result, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	y = result.value[f.graph->output[0]].data;
	cr_assert(y[0] == 2 && y[1] == 0 && y[2] == 0 && y[3] == 3);
	interpreter_result_finish(&result);
	end(&f);
}

Test(onnx_read, takes_an_initializer_that_is_an_input_as_a_constant)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 3, 8);
	make_node(&f.m, "Add", "x w", "y");
	make_floats(&f.m, "w", "2", two, 2);
	make_port(&f.m, MAKE_INPUT, "w", DTYPE_F32, "2");
	put_ports(&f.m);
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.signature.n_inputs, 1);
	cr_assert_str_eq(f.signature.input[0].name, "x");
	end(&f);
}

Test(onnx_read, keeps_inputs_that_nobody_reads)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Relu", "x", "y");
	make_port(&f.m, MAKE_INPUT, "idle", DTYPE_I64, "?");
	put_ports(&f.m);
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.signature.n_inputs, 2);
	cr_assert_str_eq(f.signature.input[0].name, "idle");
	cr_assert_null(f.signature.input[0].dim[0].symbol);
	cr_assert_not(f.signature.may_batch);
	end(&f);
}

Test(onnx_read, leaves_optional_inputs_out)
{
	struct fixture f = { 0 };
	const float limit[] = { 1 };

	make_begin(&f.m, 8, 13);
	make_node(&f.m, "Clip", "x - limit", "y");
	make_floats(&f.m, "limit", "", limit, 1);
	put_ports(&f.m);
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(graph_in(f.graph, f.graph->node)[1], VALUE_NONE);
	cr_assert_eq(f.graph->node[0].n_in, 3);
	end(&f);
}

Test(onnx_read, takes_constants_and_older_forms)
{
	struct fixture f = { 0 };
	const int64_t axes[] = { 1 };

	make_begin(&f.m, 7, 11); /* axes were an attribute until 13 */
	make_node_open(&f.m, "ReduceSum", "x", "y");
	make_attr_ints(&f.m, "axes", axes, 1);
	make_attr_int(&f.m, "keepdims", 1);
	make_node_close(&f.m);
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "N 1");
	finish_and_read(&f);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_str_eq(f.graph->node[0].op->name, "ReduceSum");
	cr_assert_eq(f.graph->node[0].n_in, 2);
	end(&f);
}

/* --- refusals --- */

Test(onnx_read, lists_every_operator_that_is_missing)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Frobnicate", "x", "a");
	make_node(&f.m, "Frobnicate", "a", "b");
	make_node(&f.m, "com.example:Other", "b", "c");
	make_node_open(&f.m, "Relu", "c", "d");
	make_attr_graph(&f.m, "then_branch");
	make_node_close(&f.m);
	make_node(&f.m, "predictd:SumTo", "d x", "y");
	put_ports(&f.m);
	finish_and_read(&f);
	cr_expect(strstr(f.err.msg, "Frobnicate (nodes 'a', 'b')") != NULL,
		  "%s", f.err.msg);
	cr_expect(strstr(f.err.msg, "com.example.Other (node 'c')") != NULL,
		  "%s", f.err.msg);
	cr_expect(strstr(f.err.msg, "Relu (with a subgraph, node 'd')") != NULL,
		  "%s", f.err.msg);
	expect_refusal(&f, ERR_UNSUPPORTED, "predictd.SumTo", "the last");
}

static void two_of(struct make *m, int which)
{
	if (which == 0)
		make_node(m, "Relu", "x", "y");
	else if (which == 1)
		make_floats(m, "y", "2", two, 2);
	else
		make_port(m, MAKE_INPUT, "y", DTYPE_F32, "N 2");
}

Test(onnx_read, refuses_a_name_that_is_defined_twice)
{
	for (int i = 0; i < 3; i++) {
		struct fixture f = { 0 };

		make_begin(&f.m, 8, 17);
		make_node(&f.m, "Relu", "x", "y");
		two_of(&f.m, i);
		put_ports(&f.m);
		finish_and_read(&f);
		expect_refusal(&f, ERR_FORMAT, "'y' is defined twice", "twice");
	}
}

Test(onnx_read, refuses_a_name_that_nothing_defines)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Add", "x nowhere", "y");
	put_ports(&f.m);
	finish_and_read(&f);
	expect_refusal(&f, ERR_FORMAT, "'nowhere', which nothing defines",
		       "input");
	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Relu", "x", "z");
	put_ports(&f.m);
	finish_and_read(&f);
	expect_refusal(&f, ERR_FORMAT, "nothing defines the output 'y'",
		       "output");
}

Test(onnx_read, refuses_a_cycle)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Relu", "x", "ready");
	make_node(&f.m, "Add", "x b", "a");
	make_node(&f.m, "Add", "x a", "b");
	make_node(&f.m, "Add", "b ready", "y");
	put_ports(&f.m);
	finish_and_read(&f);
	expect_refusal(&f, ERR_FORMAT, "node 'a'", "cycle");
	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Add", "x y", "y");
	put_ports(&f.m);
	finish_and_read(&f);
	expect_refusal(&f, ERR_FORMAT, "node 'y'", "itself");
}

Test(onnx_read, refuses_versions_that_it_does_not_know)
{
	static const struct {
		unsigned ir, opset;
		enum err_code want;
	} rows[] = {
		{ 2, 17, ERR_UNSUPPORTED }, { 3, 17, ERR_NONE },
		{ 14, 17, ERR_NONE },	    { 15, 17, ERR_UNSUPPORTED },
		{ 8, 0, ERR_FORMAT },	    { 8, 1000, ERR_NONE },
		{ 8, 70000, ERR_FORMAT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f = { 0 };

		make_begin(&f.m, rows[i].ir, rows[i].opset);
		make_node(&f.m, "Relu", "x", "y");
		put_ports(&f.m);
		finish_and_read(&f);
		cr_expect_eq(f.rc, rows[i].want, "ir %u opset %u: %s",
			     rows[i].ir, rows[i].opset, f.err.msg);
		end(&f);
	}
}

Test(onnx_read, refuses_an_output_of_another_type_than_declared)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Relu", "x", "y");
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_I64, "N 2");
	finish_and_read(&f);
	expect_refusal(&f, ERR_FORMAT, "declared as int64", "type");
}

Test(onnx_read, refuses_unknown_attributes)
{
	struct fixture f = { 0 };

	make_begin(&f.m, 8, 17);
	make_node_open(&f.m, "LeakyRelu", "x", "y");
	make_attr_float(&f.m, "alpa", 0.5f);
	make_node_close(&f.m);
	put_ports(&f.m);
	finish_and_read(&f);
	expect_refusal(&f, f.rc ? f.rc : ERR_INVALID, "alpha", "attribute");
}

/* GraphProto in AttributeProto in NodeProto in GraphProto ... */
static void nest(struct buf *buf, unsigned depth)
{
	struct buf inner;

	buf_init(buf, 1 << 24);
	for (unsigned i = 0; i < depth; i++) {
		buf_init(&inner, 1 << 24);
		/* node { op_type: "If" attribute { g: ... } } */
		size_t node = wire_begin(&inner, 1), attr;

		attr = wire_begin(&inner, 5);
		wire_put_bytes(&inner, 6, buf->data ? buf->data : "", buf->len);
		wire_end(&inner, attr);
		wire_end(&inner, node);
		buf_finish(buf);
		*buf = inner;
	}
}

Test(onnx_read, refuses_ten_thousand_nested_graphs_at_once)
{
	const struct onnx_options options = { 0 };
	struct model_signature signature;
	struct graph *graph;
	struct buf body, file;
	struct err err = { 0 };

	nest(&body, 3600);
	buf_init(&file, 1 << 24);
	wire_put_varint(&file, 1, 8);
	wire_put_bytes(&file, 7, body.data, body.len);
	cr_assert_gt(file.len, 34000);
	cr_assert_neq(onnx_read(file.data, file.len, "deep.onnx", &options,
				&graph, &signature, &err),
		      ERR_NONE);
	buf_finish(&body);
	buf_finish(&file);
}

/* --- trainable --- */

static const struct variable *find_variable(const struct graph *graph,
					    const char *name)
{
	for (int32_t i = 0; i < graph->n_variable; i++) {
		if (!strcmp(graph->variable[i].name, name))
			return &graph->variable[i];
	}
	return NULL;
}

Test(onnx_read, makes_parameters_and_statistics_of_initializers)
{
	const struct onnx_options options = { .trainable = true };
	static const float ones[] = { 1, 1, 1, 1 };
	struct fixture f = { 0 };
	const struct variable *scale;

	make_begin(&f.m, 8, 17);
	make_node(&f.m, "BatchNormalization", "x s b m v", "n");
	make_node(&f.m, "Gemm", "n w s", "g");
	make_node(&f.m, "Add", "g tiny", "y");
	make_floats(&f.m, "s", "2", two, 2);
	make_floats(&f.m, "b", "2", two, 2);
	make_floats(&f.m, "m", "2", two, 2);
	make_floats(&f.m, "v", "2", ones, 2);
	make_floats(&f.m, "w", "2 2", ones, 4);
	make_floats(&f.m, "tiny", "", ones, 1);
	put_ports(&f.m);
	make_end(&f.m);
	read_with(&f, &options);
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.graph->n_variable, 5);
	cr_assert_eq(find_variable(f.graph, "w")->role, ROLE_PARAM);
	cr_assert_eq(find_variable(f.graph, "m")->role, ROLE_STATE);
	cr_assert_eq(find_variable(f.graph, "v")->role, ROLE_STATE);
	cr_assert_null(find_variable(f.graph, "tiny"));
	/* read twice, and one variable */
	scale = find_variable(f.graph, "s");
	cr_assert_eq(((float *)scale->view.data)[1], -2);
	((float *)scale->view.data)[1] = 7; /* its own copy */
	end(&f);
}

Test(onnx_read, borrows_or_copies_elements_as_asked)
{
	struct onnx_options options = { 0 };

	for (int copy = 0; copy < 2; copy++) {
		struct fixture f = { 0 };
		char *aligned;
		const char *data;
		bool inside;

		make_begin(&f.m, 8, 17);
		make_node(&f.m, "Add", "x w", "y");
		make_floats(&f.m, "w", "2", two, 2);
		put_ports(&f.m);
		make_end(&f.m);
		options.copy = copy;
		/* one of four places puts the floats at a multiple of 4 */
		aligned = mem_alloc(f.m.buf.len + 4);
		for (size_t at = 0; at < 4; at++) {
			memcpy(aligned + at, f.m.buf.data, f.m.buf.len);
			f.rc =
			    onnx_read(aligned + at, f.m.buf.len, "m", &options,
				      &f.graph, &f.signature, &f.err);
			cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
			data = f.graph->constant[0].data;
			inside = data >= aligned &&
				 data < aligned + f.m.buf.len + at;
			cr_expect_eq((uintptr_t)data % 4, 0);
			cr_expect(!copy || !inside);
			cr_expect_eq(
			    ((const float *)f.graph->constant[0].data)[1], -2);
			graph_destroy(f.graph);
		}
		mem_free(aligned);
		make_finish(&f.m);
	}
}

/* --- bytes that are not a model --- */

static void make_sample(struct make *m)
{
	static const int64_t pads[] = { 1, 1 };

	make_begin(m, 8, 17);
	make_node(m, "Add", "x w", "a");
	make_node_open(m, "LeakyRelu", "a", "y");
	make_attr_float(m, "alpha", 0.5f);
	make_node_close(m);
	make_floats(m, "w", "2", two, 2);
	make_ints(m, "unused", "2", pads, 2);
	put_ports(m);
	make_end(m);
}

Test(onnx_read, survives_every_cut_and_every_changed_byte)
{
	const struct onnx_options options = { 0 };
	struct model_signature signature;
	struct graph *graph;
	struct make m;
	struct err err;

	make_sample(&m);
	for (size_t n = 0; n < m.buf.len; n++) {
		char *copy = mem_alloc(n + 1);

		memcpy(copy, m.buf.data, n);
		if (!onnx_read(copy, n, "cut", &options, &graph, &signature,
			       &err))
			graph_destroy(graph);
		mem_free(copy);
	}
	for (size_t i = 0; i < m.buf.len; i++) {
		static const unsigned char masks[] = { 0x01, 0x80, 0x7f, 0xff };

		for (size_t k = 0; k < sizeof(masks); k++) {
			m.buf.data[i] = (char)(m.buf.data[i] ^ masks[k]);
			if (!onnx_read(m.buf.data, m.buf.len, "changed",
				       &options, &graph, &signature, &err))
				graph_destroy(graph);
			m.buf.data[i] = (char)(m.buf.data[i] ^ masks[k]);
		}
	}
	make_finish(&m);
}

Test(onnx_read, survives_every_failed_allocation)
{
	const struct onnx_options options = { .trainable = true };
	struct model_signature signature;
	struct graph *graph = NULL;
	struct make m;
	enum err_code rc = ERR_NO_MEMORY;

	make_sample(&m);
	for (unsigned long n = 1; rc == ERR_NO_MEMORY; n++) {
		struct err err = { 0 };

		mem_fail_at(n);
		rc = onnx_read(m.buf.data, m.buf.len, "oom", &options, &graph,
			       &signature, &err);
		mem_fail_at(0);
		cr_assert_lt(n, 10000);
	}
	cr_assert_eq(rc, ERR_NONE);
	graph_destroy(graph);
	make_finish(&m);
}

/* An output of seq(map(int64, float)). */
static void put_maps(struct make *m, const char *name)
{
	const size_t port = wire_begin(&m->buf, MAKE_OUTPUT);
	size_t type, sequence, element;

	wire_put_text(&m->buf, 1, name);
	type = wire_begin(&m->buf, 2);
	sequence = wire_begin(&m->buf, 4);
	element = wire_begin(&m->buf, 1);
	wire_put_bytes(&m->buf, 5, "", 0);
	wire_end(&m->buf, element);
	wire_end(&m->buf, sequence);
	wire_end(&m->buf, type);
	wire_end(&m->buf, port);
}

Test(onnx_read, gives_values_and_keys_of_maps)
{
	static const int64_t labels[] = { 7, 5 };
	struct fixture f = { 0 };
	size_t at;

	make_begin(&f.m, 8, 17);
	make_node_open(&f.m, "ai.onnx.ml:ZipMap", "x", "z");
	make_attr_ints(&f.m, "classlabels_int64s", labels, 2);
	make_node_close(&f.m);
	make_node(&f.m, "Relu", "x", "y");
	put_maps(&f.m, "z");
	put_ports(&f.m);
	make_end(&f.m);
	at = wire_begin(&f.m.buf, 8);
	wire_put_text(&f.m.buf, 1, "ai.onnx.ml");
	wire_put_varint(&f.m.buf, 2, 1);
	wire_end(&f.m.buf, at);
	read_with(&f, &(struct onnx_options){ 0 });
	cr_assert_eq(f.rc, ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.signature.n_outputs, 3);
	cr_assert_str_eq(f.signature.output[0].name, "z");
	cr_assert_eq(f.signature.output[0].dtype, DTYPE_F32);
	cr_assert_str_eq(f.signature.output[1].name, "y");
	cr_assert_str_eq(f.signature.output[2].name, "z_keys");
	cr_assert_eq(f.signature.output[2].dtype, DTYPE_I64);
	cr_assert_eq(f.signature.output[2].rank, 2);
	cr_assert_eq(f.signature.output[2].dim[1].extent, 2);
	cr_assert(f.signature.may_batch, "rows lead with the inputs' symbol");
	end(&f);
}
