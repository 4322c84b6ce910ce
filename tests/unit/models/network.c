/* SPDX-License-Identifier: Apache-2.0 */
#include "models/network.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/attr.h"
#include "engine/interpreter.h"
#include "engine/op.h"
#include "models/onnx.h"

struct fixture {
	struct arena *arena;
	struct network_port in[3];
	struct network_target out;
	struct network_request request;
	struct network network;
	struct err err;
};

static void begin(struct fixture *f, struct shape row, int64_t width)
{
	memset(f, 0, sizeof(*f));
	f->arena = arena_create(1 << 20);
	f->in[0] = (struct network_port){ .name = "image",
					  .dtype = DTYPE_F32,
					  .row = row };
	f->out = (struct network_target){ "label", width, false };
	f->request = (struct network_request){
		.in = f->in, .n_in = 1, .out = &f->out, .n_out = 1, .seed = 1
	};
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
}

static const struct variable *variable(const struct fixture *f,
				       const char *name)
{
	const struct graph *graph = f->network.graph;

	for (int32_t i = 0; i < graph->n_variable; i++) {
		if (!strcmp(graph->variable[i].name, name))
			return &graph->variable[i];
	}
	cr_assert(false, "no variable '%s'", name);
	return NULL;
}

static const float *values(const struct fixture *f, const char *name)
{
	return variable(f, name)->view.data;
}

/* Runs one batch and copies n numbers of the output. */
static void run(const struct fixture *f, float *x, int64_t rows, float *out,
		size_t n)
{
	const struct interpreter_options options = { .max_bytes = 1 << 26 };
	struct tensor_view input = { x, DTYPE_F32, { 0 } };
	const struct shape *row = &f->in[0].row;
	struct interpreter_result result;
	const struct tensor_view *y;
	struct err err = { 0 };

	input.shape.rank = row->rank + 1;
	input.shape.dim[0] = rows;
	memcpy(&input.shape.dim[1], row->dim, row->rank * sizeof(int64_t));
	cr_assert_eq(
	    interpret(f->network.graph, &input, &options, &result, &err),
	    ERR_NONE, "%s", err.msg);
	y = &result.value[f->network.graph->output[0]];
	cr_assert_eq((size_t)shape_count(&y->shape), n);
	memcpy(out, y->data, n * sizeof(*out));
	interpreter_result_finish(&result);
}

/* --- shapes and counts --- */

Test(network, mlp_has_one_hidden_layer_of_128)
{
	struct fixture f;

	begin(&f, (struct shape){ 3, { 1, 28, 28 } }, 10);
	cr_assert_eq(build(&f, "type: mlp"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.summary.n_params, 784 * 128 + 128 + 1290);
	cr_assert_eq(f.network.summary.n, 4);
	cr_assert_str_eq(f.network.summary.layer[0].type, "flatten");
	cr_assert_eq(f.network.summary.layer[1].n_params, 784 * 128 + 128);
	cr_assert_eq(variable(&f, "1.weight")->view.shape.dim[0], 128);
	cr_assert_eq(variable(&f, "1.weight")->view.shape.dim[1], 784);
	cr_assert_eq(variable(&f, "3.bias")->view.shape.dim[0], 10);
	cr_assert_str_eq(f.network.signature.input[0].dim[0].symbol, "batch");
	cr_assert_eq(f.network.signature.output[0].dim[1].extent, 10);
	cr_assert(f.network.signature.may_batch);
	end(&f);
}

Test(network, mlp_takes_its_options)
{
	struct fixture f;

	begin(&f, (struct shape){ 1, { 6 } }, 2);
	cr_assert_eq(build(&f, "{type: mlp, hidden_sizes: [5, 4], dropout: 0.1,"
			       " batch_norm: true, activation: tanh}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.summary.n, 9);
	cr_assert_str_eq(f.network.summary.layer[2].type, "tanh");
	cr_assert_str_eq(f.network.summary.layer[3].type, "dropout");
	cr_assert_eq(variable(&f, "1.running_var")->role, ROLE_STATE);
	cr_assert_eq(variable(&f, "1.weight")->role, ROLE_PARAM);
	cr_assert_eq(f.network.summary.n_params,
		     6 * 5 + 5 + 10 + 5 * 4 + 4 + 8 + 4 * 2 + 2);
	cr_assert_eq(build(&f, "{type: mlp, hidden_sizes: []}"), ERR_NONE, "%s",
		     f.err.msg);
	end(&f);
}

static const char cnn_layers[] =
    "layers:\n"
    "  - {type: conv2d, out_channels: 32, kernel_size: 3, padding: 1}\n"
    "  - {type: batch_norm}\n"
    "  - {type: relu}\n"
    "  - {type: max_pool2d, kernel_size: 2}\n"
    "  - {type: conv2d, out_channels: 64, kernel_size: 3, padding: 1}\n"
    "  - {type: batch_norm}\n"
    "  - {type: relu}\n"
    "  - {type: max_pool2d, kernel_size: 2}\n"
    "  - {type: flatten}\n"
    "  - {type: linear, out_features: 128}\n"
    "  - {type: relu}\n"
    "  - {type: dropout, p: 0.25}\n"
    "  - {type: linear, out_features: 10}\n";

Test(network, cnn_is_the_network_that_its_layers_spell)
{
	struct fixture f, g;

	begin(&f, (struct shape){ 3, { 1, 28, 28 } }, 10);
	begin(&g, (struct shape){ 3, { 1, 28, 28 } }, 10);
	cr_assert_eq(build(&f, "type: cnn"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(build(&g, cnn_layers), ERR_NONE, "%s", g.err.msg);
	cr_assert_eq(f.network.summary.n_params, 421834);
	cr_assert_eq(g.network.summary.n_params, 421834);
	cr_assert_eq(f.network.graph->n_variable, g.network.graph->n_variable);
	for (int32_t i = 0; i < f.network.graph->n_variable; i++) {
		const struct variable *a = &f.network.graph->variable[i];
		const struct variable *b = &g.network.graph->variable[i];

		cr_expect_str_eq(a->name, b->name);
		cr_expect(!memcmp(a->view.data, b->view.data,
				  tensor_bytes(DTYPE_F32, &a->view.shape)));
	}
	cr_assert_eq(f.network.summary.layer[7].row.dim[0], 64);
	cr_assert_eq(f.network.summary.layer[7].row.dim[2], 7);
	end(&f);
	end(&g);
}

Test(network, resnet18_has_the_names_and_numbers_of_torchvision)
{
	struct fixture f;

	begin(&f, (struct shape){ 3, { 3, 224, 224 } }, 1000);
	f.request.dry = true;
	cr_assert_eq(build(&f, "type: resnet18"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.summary.n_params, 11689512);
	cr_assert_eq(variable(&f, "conv1.weight")->view.shape.dim[3], 7);
	cr_assert_eq(
	    variable(&f, "layer2.0.downsample.0.weight")->view.shape.dim[0],
	    128);
	cr_assert_eq(variable(&f, "layer4.1.bn2.running_mean")->role,
		     ROLE_STATE);
	cr_assert_eq(variable(&f, "fc.weight")->view.shape.dim[1], 512);
	/* 20 convolutions, 20 norms of four, the last layer's two */
	cr_assert_eq(f.network.graph->n_variable, 20 + 80 + 2);
	cr_assert_eq(f.network.summary.layer[3].row.dim[1], 56);
	end(&f);
}

Test(network, joins_features_that_are_numbers)
{
	struct fixture f;

	begin(&f, (struct shape){ 1, { 1 } }, 1);
	f.in[1] = (struct network_port){ .name = "b",
					 .dtype = DTYPE_F32,
					 .row = { 1, { 1 } } };
	f.in[2] = (struct network_port){ .name = "c",
					 .dtype = DTYPE_F32,
					 .row = { 1, { 1 } } };
	f.request.n_in = 3;
	cr_assert_eq(build(&f, "{layers: [{type: linear, out_features: 1}]}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.signature.n_inputs, 3);
	cr_assert_str_eq(f.network.signature.input[2].name, "c");
	cr_assert_eq(variable(&f, "0.weight")->view.shape.dim[1], 3);
	f.in[1].row = (struct shape){ 3, { 1, 8, 8 } };
	cr_assert_eq(build(&f, "{type: mlp}"), ERR_UNSUPPORTED);
	cr_assert(strstr(f.err.msg, "'b' gives [1,8,8] a row") != NULL, "%s",
		  f.err.msg);
	end(&f);
}

Test(network, tabular_embeds_categories_beside_numbers)
{
	struct fixture f;
	const struct shape *shape;

	begin(&f, (struct shape){ 1, { 1 } }, 2);
	f.in[1] = (struct network_port){ .name = "b",
					 .dtype = DTYPE_I64,
					 .n_indices = 21,
					 .embedding_size = 10 };
	f.in[2] = (struct network_port){ .name = "c",
					 .dtype = DTYPE_I64,
					 .n_indices = 100 };
	f.request.n_in = 3;
	cr_assert_eq(build(&f, "{type: tabular, dropout: 0.1}"), ERR_NONE, "%s",
		     f.err.msg);
	shape = &variable(&f, "embeds.0.weight")->view.shape;
	cr_assert_eq(shape->dim[0], 21);
	cr_assert_eq(shape->dim[1], 10);
	/* round(1.6 * 100^0.56) */
	cr_assert_eq(variable(&f, "embeds.1.weight")->view.shape.dim[1], 21);
	cr_assert_eq(variable(&f, "bn_cont.weight")->view.shape.dim[0], 1);
	cr_assert_eq(variable(&f, "layers.0.weight")->view.shape.dim[1], 32);
	cr_assert_eq(variable(&f, "layers.0.weight")->view.shape.dim[0], 200);
	cr_assert_eq(variable(&f, "layers.8.weight")->view.shape.dim[0], 2);
	cr_assert_eq(f.network.signature.input[1].dtype, DTYPE_I64);
	for (int i = 0; i < 21 * 10; i++)
		cr_assert_leq(fabsf(values(&f, "embeds.0.weight")[i]), 0.02F);
	cr_assert_eq(build(&f, "{type: mlp}"), ERR_UNSUPPORTED);
	cr_assert(strstr(f.err.msg, "'tabular' takes categories"), "%s",
		  f.err.msg);
	f.in[2].row = (struct shape){ 1, { 7 } };
	cr_assert_eq(build(&f, "{type: tabular}"), ERR_UNSUPPORTED);
	cr_assert(strstr(f.err.msg, "'c' is neither"), "%s", f.err.msg);
	end(&f);
}

/* --- what layers compute --- */

Test(network, linear_and_relu_are_what_they_say)
{
	struct fixture f;
	float x[6] = { 1, -2, 0.5f, 3, 1, -1 }, y[4];
	const float *w, *b;

	begin(&f, (struct shape){ 1, { 3 } }, 2);
	cr_assert_eq(build(&f, "{layers: [{type: linear, out_features: 2}, "
			       "{type: relu}]}"),
		     ERR_NONE, "%s", f.err.msg);
	w = values(&f, "0.weight");
	b = values(&f, "0.bias");
	run(&f, x, 2, y, 4);
	for (int r = 0; r < 2; r++) {
		for (int o = 0; o < 2; o++) {
			float want = b[o];

			for (int i = 0; i < 3; i++)
				want += w[o * 3 + i] * x[r * 3 + i];
			want = want > 0 ? want : 0;
			cr_expect_float_eq(y[r * 2 + o], want, 1e-6);
		}
	}
	end(&f);
}

Test(network, batch_norm_counts_the_share_of_the_old_as_onnx_does)
{
	const struct graph_node *node;
	struct attr_value value;
	struct fixture f;

	begin(&f, (struct shape){ 1, { 2 } }, 2);
	cr_assert_eq(build(&f, "{layers: [{type: batch_norm, momentum: 0.3}]}"),
		     ERR_NONE, "%s", f.err.msg);
	node = &f.network.graph->node[0];
	cr_assert(op_attr_get(op_attr_find(node->op->attrs, "momentum"),
			      node->attrs, &value));
	cr_assert_float_eq(value.f, 0.7, 1e-12);
	end(&f);
}

Test(network, batch_norm_takes_running_statistics_in_evaluation)
{
	struct fixture f;
	float x[2] = { 3, -1 }, y[2];

	begin(&f, (struct shape){ 1, { 2 } }, 2);
	cr_assert_eq(build(&f, "{layers: [{type: batch_norm, eps: 0.25}]}"),
		     ERR_NONE, "%s", f.err.msg);
	((float *)variable(&f, "0.running_mean")->view.data)[0] = 1;
	((float *)variable(&f, "0.running_var")->view.data)[0] = 3.75f;
	((float *)variable(&f, "0.weight")->view.data)[0] = 5;
	((float *)variable(&f, "0.bias")->view.data)[0] = -2;
	run(&f, x, 1, y, 2);
	cr_expect_float_eq(y[0], (3.0f - 1) / 2 * 5 - 2, 1e-6);
	cr_expect_float_eq(y[1], -1 / sqrtf(1.25f), 1e-6);
	end(&f);
}

struct one_layer {
	const char *layer;
	struct shape row, gives;
	float y[4]; /* for x = -2, -1, 0, 1 ... */
	size_t n;
};

static const struct one_layer one_layers[] = {
	{ "{type: sigmoid}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { 0.119203f, 0.268941f, 0.5f, 0.731059f },
	  4 },
	{ "{type: tanh}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -0.964028f, -0.761594f, 0, 0.761594f },
	  4 },
	{ "{type: silu}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -0.238406f, -0.268941f, 0, 0.731059f },
	  4 },
	{ "{type: leaky_relu, negative_slope: 0.5}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -1, -0.5f, 0, 1 },
	  4 },
	{ "{type: leaky_relu}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -0.02f, -0.01f, 0, 1 },
	  4 },
	{ "{type: softmax}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { 0.0320586f, 0.0871443f, 0.236883f, 0.643914f },
	  4 },
	{ "{type: dropout, p: 0.9}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -2, -1, 0, 1 },
	  4 },
	{ "{type: flatten}",
	  { 3, { 1, 2, 2 } },
	  { 1, { 4 } },
	  { -2, -1, 0, 1 },
	  4 },
	{ "{type: max_pool2d, kernel_size: 2}",
	  { 3, { 1, 2, 2 } },
	  { 3, { 1, 1, 1 } },
	  { 1 },
	  1 },
	{ "{type: avg_pool2d, kernel_size: [2, 1]}",
	  { 3, { 1, 2, 2 } },
	  { 3, { 1, 1, 2 } },
	  { -1, 0 },
	  2 },
	{ "{type: avg_pool2d, kernel_size: 2, stride: 2, padding: 1}",
	  { 3, { 1, 2, 2 } },
	  { 3, { 1, 2, 2 } },
	  { -0.5f, -0.25f, 0, 0.25f },
	  4 },
	{ "{type: avg_pool2d, kernel_size: 2, padding: 1, count_include_pad: "
	  "false}",
	  { 3, { 1, 2, 2 } },
	  { 3, { 1, 2, 2 } },
	  { -2, -1, 0, 1 },
	  4 },
	{ "{type: max_pool2d, kernel_size: 2, stride: 1, padding: 1, "
	  "ceil_mode: true}",
	  { 3, { 1, 1, 1 } },
	  { 3, { 1, 2, 2 } },
	  { -2, -2, -2, -2 },
	  4 },
	{ "{type: adaptive_avg_pool2d}",
	  { 3, { 2, 1, 2 } },
	  { 3, { 2, 1, 1 } },
	  { -1.5f, 0.5f },
	  2 },
	{ "{type: residual, layers: [{type: relu}]}",
	  { 1, { 4 } },
	  { 1, { 4 } },
	  { -2, -1, 0, 2 },
	  4 },
};

/* The layer, then a flatten, since outputs are rows of numbers. */
static void check_layer(const struct one_layer *l)
{
	float x[16], y[4];
	char yaml[256];
	struct fixture f;

	for (int i = 0; i < 16; i++)
		x[i] = (float)(i - 2);
	begin(&f, l->row, (int64_t)l->n);
	(void)snprintf(yaml, sizeof(yaml), "{layers: [%s, {type: flatten}]}",
		       l->layer);
	cr_assert_eq(build(&f, yaml), ERR_NONE, "%s: %s", l->layer, f.err.msg);
	cr_expect(shape_equal(&f.network.summary.layer[0].row, &l->gives) ||
		      f.network.summary.n > 2,
		  "%s", l->layer);
	run(&f, x, 1, y, l->n);
	for (size_t i = 0; i < l->n; i++)
		cr_expect_float_eq(y[i], l->y[i], 1e-5, "%s: y[%zu] = %g",
				   l->layer, i, (double)y[i]);
	end(&f);
}

Test(network, layers_give_what_pytorch_gives)
{
	for (size_t i = 0; i < sizeof(one_layers) / sizeof(*one_layers); i++)
		check_layer(&one_layers[i]);
}

Test(network, convolutions_have_pytorchs_shapes)
{
	struct fixture f;

	begin(&f, (struct shape){ 3, { 4, 9, 8 } }, 1);
	cr_assert_eq(build(&f, "{layers: [{type: conv2d, out_channels: 6, "
			       "kernel_size: [3, 1], stride: [2, 1], "
			       "padding: [1, 0], dilation: [2, 1], groups: 2, "
			       "bias: false}, {type: flatten}, "
			       "{type: linear, out_features: 1}]}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.summary.layer[0].n_params, 6 * 2 * 3);
	cr_assert_eq(f.network.summary.layer[0].row.dim[1], 4);
	cr_assert_eq(f.network.summary.layer[0].row.dim[2], 8);
	f.in[0].row = (struct shape){ 2, { 4, 10 } };
	cr_assert_eq(build(&f, "{layers: [{type: conv1d, out_channels: 3, "
			       "kernel_size: 4}, {type: flatten}, "
			       "{type: linear, out_features: 1}]}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.network.summary.layer[0].row.dim[1], 7);
	end(&f);
}

Test(network, names_layers_inside_a_residual_by_their_path)
{
	struct fixture f;

	begin(&f, (struct shape){ 1, { 4 } }, 4);
	cr_assert_eq(build(&f, "{layers: [{type: relu}, {type: residual, "
			       "layers: [{type: linear, out_features: 4}]}]}"),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(variable(&f, "1.0.weight")->view.shape.dim[0], 4);
	cr_assert_eq(f.network.summary.n, 3);
	cr_assert_eq(f.network.summary.layer[2].n_params, 0);
	end(&f);
}

/* --- refusals --- */

struct refusal {
	const char *yaml;
	struct shape row;
	int64_t width;
	const char *says;
};

static const struct refusal refusals[] = {
	{ "{layers: [{type: linear, out_features: 12}]}",
	  { 1, { 4 } },
	  10,
	  "model.layers: the last layer gives 12 values a row, output feature "
	  "'label' needs 10" },
	{ "{layers: [{type: relu}]}",
	  { 3, { 1, 2, 2 } },
	  4,
	  "the last layer gives [1,2,2] a row" },
	{ "{layers: [{type: linear}]}", { 1, { 4 } }, 1, "out_features" },
	{ "{layers: [{type: linear, out_feature: 1}]}",
	  { 1, { 4 } },
	  1,
	  "did you mean 'out_features'" },
	{ "{layers: [{type: linear, out_features: 0}]}",
	  { 1, { 4 } },
	  1,
	  "out_features" },
	{ "{layers: [{type: linaer, out_features: 1}]}",
	  { 1, { 4 } },
	  1,
	  "model.layers[0]: there is no layer 'linaer', did you mean "
	  "'linear'" },
	{ "{layers: [{type: relu}, {type: linear, out_features: 1}]}",
	  { 3, { 1, 2, 2 } },
	  1,
	  "model.layers[1] (linear)" },
	{ "{layers: [{out_features: 1}]}",
	  { 1, { 4 } },
	  1,
	  "'type' must name" },
	{ "{layers: [3]}", { 1, { 4 } }, 1, "model.layers[0]" },
	{ "{layers: []}", { 1, { 4 } }, 1, "expected a list of layers" },
	{ "{layers: 3}", { 1, { 4 } }, 1, "expected a list of layers" },
	{ "{layers: [{type: conv2d, out_channels: 3, kernel_size: 3}]}",
	  { 1, { 4 } },
	  1,
	  "[channels, height, width]" },
	{ "{layers: [{type: conv2d, out_channels: 3, kernel_size: [3, 3, 3]}]}",
	  { 3, { 1, 8, 8 } },
	  1,
	  "'kernel_size' has 3 numbers" },
	{ "{layers: [{type: conv2d, out_channels: 3, kernel_size: 9}]}",
	  { 3, { 1, 8, 8 } },
	  1,
	  "model.layers[0] (conv2d)" },
	{ "{layers: [{type: conv2d, out_channels: 3, kernel_size: 3, groups: "
	  "2}]}",
	  { 3, { 4, 8, 8 } },
	  1,
	  "2 groups" },
	{ "{layers: [{type: max_pool2d, kernel_size: 2, padding: 2}]}",
	  { 3, { 4, 8, 8 } },
	  1,
	  "half of" },
	{ "{layers: [{type: residual, layers: [{type: linear, out_features: "
	  "3}]}]}",
	  { 1, { 4 } },
	  4,
	  "must give the shape they get: they get [4] and give [3]" },
	{ "{layers: [{type: residual, layers: [{type: residual, layers: "
	  "[{type: relu}]}]}]}",
	  { 1, { 4 } },
	  4,
	  "another residual" },
	{ "{layers: [{type: residual, layers: [{type: linear}]}]}",
	  { 1, { 4 } },
	  4,
	  "model.layers[0].layers[0]" },
	{ "{layers: [{type: dropout, p: 1.5}]}", { 1, { 4 } }, 4, "p" },
	{ "{layers: [{type: linear, out_features: 65536}, {type: linear, "
	  "out_features: 65536}]}",
	  { 1, { 4 } },
	  1,
	  "more than 2147483648 parameters" },
	{ "{type: mpl}", { 1, { 4 } }, 1, "did you mean 'mlp'" },
	{ "{type: mlp, hidden_size: [1]}",
	  { 1, { 4 } },
	  1,
	  "did you mean 'hidden_sizes'" },
	{ "{type: mlp, activation: rleu}", { 1, { 4 } }, 1, "relu" },
	{ "{type: mlp, init: ones}", { 1, { 4 } }, 1, "init" },
	{ "{type: cnn}", { 1, { 4 } }, 1, "[channels, height, width]" },
	{ "{}", { 1, { 4 } }, 1, "'type' must name a network" },
	{ "{type: 3}", { 1, { 4 } }, 1, "must be the name" },
};

Test(network, says_what_is_wrong_with_a_model)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct fixture f;

		begin(&f, r->row, r->width);
		cr_expect_neq(build(&f, r->yaml), ERR_NONE, "%s", r->yaml);
		cr_expect(strstr(f.err.msg, r->says) != NULL, "%s: %s", r->yaml,
			  f.err.msg);
		end(&f);
	}
}

Test(network, refuses_features_that_it_cannot_take)
{
	struct fixture f;

	begin(&f, (struct shape){ 0 }, 2);
	f.in[0].dtype = DTYPE_I64;
	cr_assert_eq(build(&f, "type: mlp"), ERR_UNSUPPORTED);
	cr_assert(strstr(f.err.msg, "'image' gives int64") != NULL, "%s",
		  f.err.msg);
	f.request.n_in = 0;
	cr_assert_eq(build(&f, "type: mlp"), ERR_INVALID);
	f.request.n_in = 1;
	f.request.n_out = 2;
	cr_assert_eq(build(&f, "type: mlp"), ERR_UNSUPPORTED);
	end(&f);
}

/* --- as a file --- */

Test(network, is_written_as_pytorch_would_and_read_back)
{
	const struct onnx_write_options writing = { "1", "net" };
	const struct onnx_options reading = { .trainable = true };
	struct model_signature signature;
	struct fixture f;
	struct graph *again = NULL;
	float x[2 * 3 * 64], y[20], z[20];
	struct buf buf;

	begin(&f, (struct shape){ 3, { 3, 8, 8 } }, 10);
	cr_assert_eq(build(&f, cnn_layers), ERR_NONE, "%s", f.err.msg);
	for (size_t i = 0; i < sizeof(x) / sizeof(*x); i++)
		x[i] = sinf((float)i);
	run(&f, x, 2, y, 20);
	buf_init(&buf, 1 << 24);
	cr_assert_eq(onnx_write(f.network.graph, &f.network.signature, &writing,
				&buf, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(onnx_read(buf.data, buf.len, "net.onnx", &reading, &again,
			       &signature, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(again->n_variable, f.network.graph->n_variable);
	cr_assert(signature.may_batch);
	cr_assert_str_eq(signature.output[0].name, "label");
	graph_destroy(f.network.graph);
	f.network.graph = again;
	cr_assert_eq(variable(&f, "1.running_mean")->role, ROLE_STATE);
	cr_assert_eq(variable(&f, "9.weight")->role, ROLE_PARAM);
	run(&f, x, 2, z, 20);
	cr_assert(!memcmp(y, z, sizeof(y)));
	buf_finish(&buf);
	end(&f);
}

Test(network, survives_every_failed_allocation)
{
	enum err_code rc = ERR_NO_MEMORY;
	struct fixture f;

	begin(&f, (struct shape){ 1, { 4 } }, 2);
	cr_assert_eq(build(&f, "{type: mlp, batch_norm: true, dropout: 0.5}"),
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
