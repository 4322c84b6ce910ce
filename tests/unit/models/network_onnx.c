/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Networks from files: what a job may train further, and what it refuses.
 */
#include "models/network.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "engine/interpreter.h"
#include "engine/op.h"
#include "make_onnx.h"
#include "scratch.h"

enum { CONV = 3 * 2 * 3 * 3, BODY = 12, WIDTH = 5, ROW = 2 * 4 * 4 };

struct fixture {
	struct scratch scratch;
	struct arena *arena;
	struct network_port in;
	struct network_target out;
	struct network_places places;
	const char *roots[1];
	struct network_request request;
	struct network network;
	struct err err;
	struct make make;
};

static const float *numbers(float seed)
{
	static float list[200];

	for (int i = 0; i < 200; i++)
		list[i] = sinf((float)i * 1.7f + seed);
	return list;
}

/* The file's nodes from x of one row on; `rows` as the ports say. */
static void make_cnn(struct make *m, const char *x, const char *probs)
{
	static const int64_t flat[] = { 1, BODY };

	make_begin(m, 8, 13);
	make_floats(m, "w", "3 2 3 3", numbers(1), CONV);
	make_floats(m, "b", "3", numbers(2), 3);
	make_floats(m, "m", "12 5", numbers(3), (size_t)BODY * WIDTH);
	make_floats(m, "c", "5", numbers(4), WIDTH);
	make_ints(m, "flat", "2", flat, 2);
	make_node(m, "Conv", "x w b", "conv");
	make_node(m, "Relu", "conv", "relu");
	make_node(m, "Reshape", "relu flat", "row");
	make_node(m, "MatMul", "row m", "product");
	make_node(m, "Add", "product c", "logits");
	make_node(m, "Softmax", "logits", "probs");
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, x);
	make_port(m, MAKE_OUTPUT, "probs", DTYPE_F32, probs);
	make_end(m);
}

static void publish(struct fixture *f, const char *path)
{
	char file[64];

	scratch_dir(&f->scratch, path);
	(void)snprintf(file, sizeof(file), "%s/model.onnx", path);
	scratch_file(&f->scratch, file, f->make.buf.data, f->make.buf.len);
	make_finish(&f->make);
}

static void begin_empty(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	scratch_begin(&f->scratch);
	f->arena = arena_create(1 << 20);
	f->in = (struct network_port){ .name = "image",
				       .dtype = DTYPE_F32,
				       .row = { 3, { 2, 4, 4 } } };
	f->out = (struct network_target){ "label", WIDTH, false };
	f->roots[0] = f->scratch.path;
	f->places = (struct network_places){ f->scratch.path, f->roots, 1 };
	f->request = (struct network_request){ .in = &f->in,
					       .n_in = 1,
					       .out = &f->out,
					       .n_out = 1,
					       .seed = 1,
					       .places = &f->places };
}

static void begin(struct fixture *f)
{
	begin_empty(f);
	make_cnn(&f->make, "1 2 4 4", "1 5");
	publish(f, "cnn/2");
}

static enum err_code build(struct fixture *f, const char *yaml)
{
	struct doc *doc = NULL;

	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "job", f->arena, &doc, &f->err),
	    ERR_NONE, "%s", f->err.msg);
	f->request.model = doc;
	graph_destroy(f->network.graph);
	f->network.graph = NULL;
	return network_build(&f->request, &f->network, &f->err);
}

static void end(struct fixture *f)
{
	graph_destroy(f->network.graph);
	arena_destroy(f->arena);
	scratch_end(&f->scratch);
}

static const struct variable *variable(const struct fixture *f,
				       const char *name)
{
	const struct graph *graph = f->network.graph;

	for (int32_t i = 0; i < graph->n_variable; i++)
		if (!strcmp(graph->variable[i].name, name))
			return &graph->variable[i];
	return NULL;
}

static bool has_node(const struct fixture *f, const char *op)
{
	const struct graph *graph = f->network.graph;

	for (int32_t i = 0; i < graph->n_node; i++)
		if (!strcmp(graph->node[i].op->name, op))
			return true;
	return false;
}

/* Rows of the input's extents, `width` numbers each. */
static void run(const struct fixture *f, float *x, int64_t rows, float *out,
		int64_t width)
{
	const struct interpreter_options options = { .max_bytes = 1 << 26 };
	const struct tensor_view input = { x,
					   DTYPE_F32,
					   { 4, { rows, 2, 4, 4 } } };
	struct interpreter_result result;
	const struct tensor_view *y;
	struct err err = { 0 };

	cr_assert_eq(
	    interpret(f->network.graph, &input, &options, &result, &err),
	    ERR_NONE, "%s", err.msg);
	y = &result.value[f->network.graph->output[0]];
	cr_assert(
	    shape_equal(&y->shape, &(struct shape){ 2, { rows, width } }));
	memcpy(out, y->data, (size_t)(rows * width) * sizeof(*out));
	interpreter_result_finish(&result);
}

Test(network_onnx, a_file_of_one_row_takes_any_number)
{
	float x[3 * ROW], all[3 * WIDTH], one[WIDTH];
	struct fixture f;

	begin(&f);
	cr_assert_eq(build(&f, "{onnx: cnn}"), ERR_NONE, "%s", f.err.msg);
	for (int i = 0; i < 3 * ROW; i++)
		x[i] = cosf((float)i);
	run(&f, x, 3, all, WIDTH);
	for (int i = 0; i < 3; i++) {
		run(&f, x + (size_t)i * ROW, 1, one, WIDTH);
		for (int j = 0; j < WIDTH; j++)
			cr_expect_float_eq(one[j], all[i * WIDTH + j], 1e-5);
	}
	cr_expect(f.network.signature.may_batch);
	cr_expect_eq(f.network.signature.input[0].dim[0].extent, -1);
	cr_expect_str_eq(f.network.signature.input[0].name, "image");
	cr_expect_str_eq(f.network.signature.output[0].name, "label");
	end(&f);
}

Test(network_onnx, weights_are_parameters_and_the_softmax_goes)
{
	struct fixture f;

	begin(&f);
	cr_assert_eq(build(&f, "{onnx: cnn/2}"), ERR_NONE, "%s", f.err.msg);
	cr_expect(!has_node(&f, "Softmax"));
	cr_assert_eq(f.network.graph->n_variable, 4);
	cr_expect_eq(variable(&f, "w")->role, ROLE_PARAM);
	cr_expect(!memcmp(variable(&f, "w")->view.data, numbers(1),
			  CONV * sizeof(float)));
	cr_assert_eq(f.network.summary.n, 3);
	cr_expect_eq(f.network.summary.n_params, CONV + 3 + 60 + WIDTH);
	cr_expect_str_eq(f.network.summary.layer[0].type, "Conv");
	end(&f);
}

Test(network_onnx, a_new_head_takes_what_the_last_layer_took)
{
	struct fixture f;

	begin(&f);
	f.out.width = 3;
	cr_assert_eq(build(&f, "{onnx: cnn, replace_head: {hidden_sizes: [7], "
			       "dropout: 0.25}}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(variable(&f, "head.0.weight")->view.shape.dim[1], BODY);
	cr_expect_eq(variable(&f, "head.1.weight")->view.shape.dim[0], 3);
	cr_expect_null(variable(&f, "m"), "what nobody reads is gone");
	cr_expect_not_null(variable(&f, "w"));
	cr_expect(has_node(&f, "Dropout"));
	end(&f);
}

Test(network_onnx, a_head_averages_spatial_axes_or_keeps_them)
{
	struct fixture f;

	begin(&f);
	f.out.width = 3;
	cr_assert_eq(
	    build(&f, "{onnx: path:/cnn, replace_head: {after: relu}}"),
	    ERR_INVALID);
	cr_assert_eq(build(&f, "{onnx: cnn, replace_head: {after: relu}}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_expect(has_node(&f, "GlobalAveragePool"));
	cr_expect_eq(variable(&f, "head.0.weight")->view.shape.dim[1], 3);
	cr_assert_eq(build(&f, "{onnx: cnn, head: {after: relu, "
			       "pooling: none}}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_expect_not(has_node(&f, "GlobalAveragePool"));
	cr_expect_eq(variable(&f, "head.0.weight")->view.shape.dim[1], BODY);
	end(&f);
}

Test(network_onnx, a_path_beneath_a_data_root_will_do)
{
	struct fixture f;
	char yaml[200];

	begin(&f);
	(void)snprintf(yaml, sizeof(yaml),
		       "{onnx: \"path:%s/cnn/2/model.onnx\"}", f.scratch.path);
	cr_assert_eq(build(&f, yaml), ERR_NONE, "%s", f.err.msg);
	end(&f);
}

Test(network_onnx, a_weight_of_two_layers_stays_one)
{
	struct fixture f;
	struct make *m;

	begin_empty(&f);
	m = &f.make;
	make_begin(m, 8, 13);
	make_floats(m, "w", "4 4", numbers(1), 16);
	make_node(m, "MatMul", "x w", "a");
	make_node(m, "Relu", "a", "r");
	make_node(m, "MatMul", "r w", "y");
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "N 4");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, "N 4");
	make_end(m);
	publish(&f, "tied/1");
	f.in.row = (struct shape){ 1, { 4 } };
	f.out.width = 4;
	cr_assert_eq(build(&f, "{onnx: tied}"), ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(f.network.graph->n_variable, 1);
	cr_expect_eq(f.network.summary.n_params, 16);
	end(&f);
}

static const struct {
	const char *yaml;
	const char *rows; /* of the file's ports; NULL: one */
	struct shape row;
	int64_t width;
	const char *says;
} refusals[] = {
	{ "{onnx: cnn}", NULL, { 3, { 2, 4, 4 } }, 3, "replace_head would" },
	{ "{onnx: cnn, head: {}, replace_head: {}}",
	  NULL,
	  { 3, { 2, 4, 4 } },
	  3,
	  "are the same" },
	{ "{onnx: dog}", NULL, { 3, { 2, 4, 4 } }, 5, "no model 'dog'" },
	{ "{onnx: cnn/1}", NULL, { 3, { 2, 4, 4 } }, 5, "cnn" },
	{ "{onnx: cnn/x}", NULL, { 3, { 2, 4, 4 } }, 5, "MODEL/VERSION" },
	{ "{onnx: ../cnn}", NULL, { 3, { 2, 4, 4 } }, 5, "model.onnx" },
	{ "{onnx: \"path:/etc/passwd\"}",
	  NULL,
	  { 3, { 2, 4, 4 } },
	  5,
	  "not beneath a data root" },
	{ "{onnx: cnn}", NULL, { 3, { 1, 4, 4 } }, 5, "does not take rows of" },
	{ "{onnx: cnn}", "4", { 3, { 2, 4, 4 } }, 5, "takes 4 rows" },
	{ "{onnx: cnn, replace_hed: {}}",
	  NULL,
	  { 3, { 2, 4, 4 } },
	  5,
	  "did you mean 'replace_head'" },
	{ "{onnx: cnn, replace_head: {after: nowhere}}",
	  NULL,
	  { 3, { 2, 4, 4 } },
	  5,
	  "no node and no value 'nowhere'" },
	{ "{onnx: cnn, replace_head: {after: w}}",
	  NULL,
	  { 3, { 2, 4, 4 } },
	  5,
	  "no node and no value 'w'" },
};

Test(network_onnx, says_what_is_wrong)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		char x[32], y[32];
		struct fixture f;

		begin_empty(&f);
		(void)snprintf(x, sizeof(x), "%s 2 4 4",
			       refusals[i].rows ? refusals[i].rows : "1");
		(void)snprintf(y, sizeof(y), "%s 5",
			       refusals[i].rows ? refusals[i].rows : "1");
		make_cnn(&f.make, x, y);
		publish(&f, "cnn/2");
		f.in.row = refusals[i].row;
		f.out.width = refusals[i].width;
		cr_expect_neq(build(&f, refusals[i].yaml), ERR_NONE, "%s",
			      refusals[i].yaml);
		cr_expect(strstr(f.err.msg, refusals[i].says), "%s: %s",
			  refusals[i].yaml, f.err.msg);
		end(&f);
	}
}

Test(network_onnx, a_file_without_weights_is_refused)
{
	struct fixture f;

	begin_empty(&f);
	make_begin(&f.make, 8, 13);
	make_node(&f.make, "Relu", "x", "y");
	make_port(&f.make, MAKE_INPUT, "x", DTYPE_F32, "N 4");
	make_port(&f.make, MAKE_OUTPUT, "y", DTYPE_F32, "N 4");
	make_end(&f.make);
	publish(&f, "plain/1");
	f.in.row = (struct shape){ 1, { 4 } };
	f.out.width = 4;
	cr_assert_eq(build(&f, "{onnx: plain}"), ERR_INVALID);
	cr_expect(strstr(f.err.msg, "no float weights"), "%s", f.err.msg);
	end(&f);
}

Test(network_onnx, survives_every_failed_allocation)
{
	enum err_code rc = ERR_NO_MEMORY;
	struct fixture f;

	begin(&f);
	cr_assert_eq(build(&f, "{onnx: cnn, replace_head: {dropout: 0.5}}"),
		     ERR_NONE);
	graph_destroy(f.network.graph);
	f.network.graph = NULL;
	for (unsigned long n = 1; rc; n++) {
		mem_fail_at(n);
		rc = network_build(&f.request, &f.network, &f.err);
		mem_fail_at(0);
		cr_assert_lt(n, 10000);
	}
	end(&f);
}
