/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Layers and losses against PyTorch: forward values and every gradient, run
 * node by node (reference kernels, then the fast ones) and through plans: one
 * of strict numerics, and one that may take shortcuts.
 *
 * A case's operands are named as in the file, inputs and parameters alike.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "engine/autodiff.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "reference.h"

enum { MAX_OPERANDS = 32, MAX_BYTES = 1 << 26 };

/* graph: its first output is the file's */
struct layer {
	const char *name, *graph;
};

/* clang-format off */
#define IMAGE "x:float[2,3,8,8], weight:float[4,3,3,3], bias:float[4]"
#define ACTIVATION(name, text) { "activation_" name, "y = " text }

/* Rows of gates as ONNX has them, from PyTorch's i, f, g, o and r, z, n of 5. */
#define ORDER(list) "zero = Identity(z:int64[1]={0})\nat = Identity(" list ")\n"
#define LSTM_ORDER ORDER("o:int64[20]={0,1,2,3,4, 15,16,17,18,19, 5,6,7,8,9, 10,11,12,13,14}")
#define GRU_ORDER ORDER("o:int64[15]={5,6,7,8,9, 0,1,2,3,4, 10,11,12,13,14}")
#define RNN_ORDER ORDER("o:int64[5]={0,1,2,3,4}")
#define GATES(p, shape) p "_x = Unsqueeze(Gather(" p ":float" shape ", at), zero)\n"
/* W, R and both biases of a layer or direction s */
#define WEIGHTS(s, n, k) \
	GATES("weight_ih_" s, "[" n "," k "]") GATES("weight_hh_" s, "[" n ",5]") \
	GATES("bias_ih_" s, "[" n "]") GATES("bias_hh_" s, "[" n "]") \
	"b_" s " = Concat<axis=1>(bias_ih_" s "_x, bias_hh_" s "_x)\n"
#define LAYER(op, x, s) op "(" x ", weight_ih_" s "_x, weight_hh_" s "_x, b_" s ")"
#define BOTH_WEIGHTS(s, n, k) \
	WEIGHTS(s, n, k) WEIGHTS(s "_reverse", n, k) \
	"w2_" s " = Concat<axis=0>(weight_ih_" s "_x, weight_ih_" s "_reverse_x)\n" \
	"u2_" s " = Concat<axis=0>(weight_hh_" s "_x, weight_hh_" s "_reverse_x)\n" \
	"b2_" s " = Concat<axis=0>(b_" s ", b_" s "_reverse)\n"
#define BOTH(x, s) \
	"LSTM<layout=1, direction=\"bidirectional\">(" x ", w2_" s ", u2_" s ", b2_" s ")"
#define ROWS(from, to, n) to " = Reshape(" from ", " to "_shape:int64[3]={3,6," n "})\n"
#define GRU "GRU<layout=1, linear_before_reset=1>"

static const struct layer layers[] = {
	{ "linear", "y = Gemm<transB=1>(x:float[6,5], weight:float[4,5], bias:float[4])" },
	{ "matmul_batched", "y = MatMul(a:float[2,3,4,5], b:float[2,3,5,6])" },
	{ "matmul_broadcast", "y = MatMul(a:float[2,3,4,5], b:float[5,6])" },
	{ "conv2d_plain", "y = Conv(" IMAGE ")" },
	{ "conv2d_stride2_pad1", "y = Conv<strides=[2,2], pads=[1,1,1,1]>(x:float[2,3,9,9], "
	  "weight:float[4,3,3,3], bias:float[4])" },
	{ "conv2d_dilated", "y = Conv<dilations=[2,2], pads=[2,2,2,2]>(" IMAGE ")" },
	{ "conv2d_depthwise", "y = Conv<group=4, pads=[1,1,1,1]>(x:float[2,4,8,8], "
	  "weight:float[4,1,3,3], bias:float[4])" },
	{ "conv2d_grouped", "y = Conv<group=2>(x:float[2,4,8,8], weight:float[6,2,3,3], "
	  "bias:float[6])" },
	{ "conv2d_pointwise",
	  "y = Conv(x:float[2,3,5,7], weight:float[4,3,1,1], bias:float[4])" },
	{ "conv1d", "y = Conv<pads=[2,2]>(x:float[2,3,16], weight:float[4,3,5], bias:float[4])" },
	{ "conv3d", "y = Conv<pads=[1,1,1,1,1,1]>(x:float[1,2,4,5,5], weight:float[3,2,3,3,3], "
	  "bias:float[3])" },
	{ "conv_transpose2d", "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], "
	  "output_padding=[1,1]>(x:float[2,4,5,5], weight:float[4,3,3,3], bias:float[3])" },
	{ "max_pool2d", "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>"
	  "(x:float[2,3,9,9])" },
	{ "avg_pool2d", "y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x:float[2,3,8,8])" },
	{ "adaptive_avg_pool2d_1", "y = GlobalAveragePool(x:float[2,3,7,5])" },
	{ "upsample_nearest2x", "y = Resize<mode=\"nearest\", "
	  "coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\">"
	  "(x:float[1,2,4,4], , scales:float[4]={1,1,2,2})" },
	{ "upsample_bilinear2x", "y = Resize<mode=\"linear\">(x:float[1,2,4,4], , "
	  "scales:float[4]={1,1,2,2})" },
	{ "batch_norm2d_train", "y = predictd.BatchNormTrain(x:float[4,3,5,5], weight:float[3], "
	  "bias:float[3], m:float[3]={0,0,0}, v:float[3]={1,1,1})" },
	{ "batch_norm1d_train", "y = predictd.BatchNormTrain(x:float[8,6], weight:float[6], "
	  "bias:float[6], m:float[6]={0,0,0,0,0,0}, v:float[6]={1,1,1,1,1,1})" },
	{ "layer_norm", "y = LayerNormalization(x:float[2,5,6], weight:float[6], bias:float[6])" },
	{ "group_norm", "y = GroupNormalization<num_groups=2>(x:float[2,4,3,3], weight:float[4], "
	  "bias:float[4])" },
	{ "instance_norm2d", "y = InstanceNormalization(x:float[2,3,5,5], weight:float[3], "
	  "bias:float[3])" },
	{ "embedding", "y = Gather(weight:float[10,4], index:int64[3,7])" },
	ACTIVATION("relu", "Relu(x:float[3,7])"),
	ACTIVATION("leaky_relu", "LeakyRelu<alpha=0.1>(x:float[3,7])"),
	ACTIVATION("sigmoid", "Sigmoid(x:float[3,7])"),
	ACTIVATION("tanh", "Tanh(x:float[3,7])"),
	ACTIVATION("gelu", "Gelu(x:float[3,7])"),
	ACTIVATION("gelu_tanh", "Gelu<approximate=\"tanh\">(x:float[3,7])"),
	ACTIVATION("silu", "Swish(x:float[3,7])"),
	ACTIVATION("mish", "Mish(x:float[3,7])"),
	ACTIVATION("elu", "Elu(x:float[3,7])"),
	ACTIVATION("selu", "Selu(x:float[3,7])"),
	ACTIVATION("softplus", "Softplus(x:float[3,7])"),
	ACTIVATION("hardswish", "HardSwish(x:float[3,7])"),
	ACTIVATION("softmax", "Softmax(x:float[3,7])"),
	ACTIVATION("log_softmax", "LogSoftmax(x:float[3,7])"),
	{ "attention_causal",
	  "s = Mul(MatMul(q:float[2,2,5,4], Transpose<perm=[0,1,3,2]>(k:float[2,2,5,4])), 0.5)\n"
	  "m = Add(s, mask:float[5,5]={0,-1e9,-1e9,-1e9,-1e9, 0,0,-1e9,-1e9,-1e9, "
	  "0,0,0,-1e9,-1e9, 0,0,0,0,-1e9, 0,0,0,0,0})\n"
	  "y = MatMul(Softmax(m), v:float[2,2,5,4])" },
	{ "rnn_tanh", RNN_ORDER WEIGHTS("l0", "5", "4")
	  "t = " LAYER("RNN<layout=1>", "x:float[3,6,4]", "l0") "\n" ROWS("t", "y", "5") },
	{ "lstm", LSTM_ORDER WEIGHTS("l0", "20", "4")
	  "t = " LAYER("LSTM<layout=1>", "x:float[3,6,4]", "l0") "\n" ROWS("t", "y", "5") },
	{ "gru", GRU_ORDER WEIGHTS("l0", "15", "4")
	  "t = " LAYER(GRU, "x:float[3,6,4]", "l0") "\n" ROWS("t", "y", "5") },
	{ "lstm_bidirectional_2layer",
	  LSTM_ORDER BOTH_WEIGHTS("l0", "20", "4") BOTH_WEIGHTS("l1", "20", "10")
	  "t = " BOTH("x:float[3,6,4]", "l0") "\n" ROWS("t", "h", "10")
	  "v = " BOTH("h", "l1") "\n" ROWS("v", "y", "10") },
	{ "gru_2layer", GRU_ORDER WEIGHTS("l0", "15", "4") WEIGHTS("l1", "15", "5")
	  "t = " LAYER(GRU, "x:float[3,6,4]", "l0") "\n" ROWS("t", "h", "5")
	  "v = " LAYER(GRU, "h", "l1") "\n" ROWS("v", "y", "5") },
	{ "loss_mse", "y = predictd.MeanSquaredError(x:float[4,3], t:float[4,3])" },
	{ "loss_l1", "y = predictd.MeanAbsoluteError(x:float[4,3], t:float[4,3])" },
	{ "loss_huber", "y = predictd.HuberLoss<delta=0.7>(x:float[4,3], t:float[4,3])" },
	{ "loss_smooth_l1", "y = predictd.SmoothL1Loss<delta=0.5>(x:float[4,3], t:float[4,3])" },
	{ "loss_cross_entropy", "y = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[6])" },
	{ "loss_cross_entropy_smooth", "y = predictd.SoftmaxCrossEntropy<label_smoothing=0.1>"
	  "(x:float[6,5], t:int64[6])" },
	{ "loss_cross_entropy_weighted",
	  "y = predictd.SoftmaxCrossEntropy(x:float[6,5], t:int64[6], "
	  "w:float[5]={1,2,0.5,1,3})" },
	{ "loss_cross_entropy_ignore", "y = predictd.SoftmaxCrossEntropy<ignore_index=-100>"
	  "(x:float[6,5], t:int64[6])" },
	{ "loss_cross_entropy_pixelwise", "y = predictd.SoftmaxCrossEntropy(x:float[2,3,4,4], "
	  "t:int64[2,4,4])" },
	{ "loss_bce_with_logits", "y = predictd.BinaryCrossEntropyWithLogits(x:float[6,2], "
	  "t:float[6,2])" },
	{ "loss_kl_div",
	  "d = Sub(LogSoftmax(t:float[4,5]), LogSoftmax(x:float[4,5]))\n"
	  "y = Div(ReduceSum<keepdims=0>(Mul(Softmax(t), d)), 4)" },
};
/* clang-format on */

/* One case as a graph that gives the value and every gradient. */
struct bench {
	const struct layer *layer;
	const struct reference *reference;
	struct graph *graph;
	struct facts *facts;
	struct fact *input;		       /* of the text's operands */
	struct tensor_view data[MAX_OPERANDS]; /* by graph input */
	int32_t wrt[MAX_OPERANDS], grad[MAX_OPERANDS];
	size_t n_wrt;
};

static const struct tensor_view *find_operand(const struct bench *bench,
					      const char *name)
{
	const struct tensor_view *view = reference_find(
	    bench->reference, "%s.in.%s", bench->layer->name, name);

	return view ? view
		    : reference_get(bench->reference, "%s.param.%s",
				    bench->layer->name, name);
}

static void take_operands(struct bench *bench)
{
	const struct graph *graph = bench->graph;

	cr_assert_leq(graph->n_input, MAX_OPERANDS);
	for (int32_t i = 0; i < graph->n_input; i++) {
		const char *name = graph->value[graph->input[i]].name;
		char text[64];

		bench->data[i] = *find_operand(bench, name);
		cr_assert(
		    shape_equal(&bench->data[i].shape, &bench->input[i].shape),
		    "%s: '%s' is %s in the file", bench->layer->name, name,
		    shape_text(&bench->data[i].shape, text, sizeof(text)));
		if (reference_find(bench->reference, "%s.grad.%s",
				   bench->layer->name, name))
			bench->wrt[bench->n_wrt++] = graph->input[i];
	}
}

/* The gradient handed in becomes an input, those asked for outputs. */
static void add_gradients(struct bench *bench)
{
	struct graph *graph = bench->graph;
	const struct tensor_view *up = reference_get(
	    bench->reference, "%s.upstream.y", bench->layer->name);
	const struct fact fact = { .type = { .elem = DTYPE_F32 },
				   .shape = up->shape,
				   .has_shape = true };
	struct err err = { .code = ERR_NONE };
	struct build build;
	int32_t seed = VALUE_NONE;
	enum err_code rc;

	build_init(&build, graph, bench->facts);
	rc = graph_add_input(graph, "upstream", fact.type, &seed, &err);
	if (!rc)
		rc = facts_set(bench->facts, seed, &fact, &err);
	if (!rc)
		rc = autodiff(&build, graph->output[0], seed, bench->wrt,
			      bench->n_wrt, bench->grad, &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", bench->layer->name, err.msg);
	bench->data[graph->n_input - 1] = *up;
	graph->n_output = 1;
	for (size_t i = 0; i < bench->n_wrt; i++) {
		cr_assert_neq(bench->grad[i], VALUE_NONE);
		rc = graph_add_output(graph, bench->grad[i], &err);
		cr_assert_eq(rc, ERR_NONE, "%s", err.msg);
	}
	rc = graph_tidy(graph, &err);
	cr_assert_eq(rc, ERR_NONE, "%s", err.msg);
}

static void bench_create(struct bench *bench)
{
	struct err err = { .code = ERR_NONE };
	enum err_code rc;

	rc = graph_text_parse(bench->layer->graph, &bench->graph, &bench->input,
			      &err);
	if (!rc)
		rc = facts_create(bench->graph, bench->input, &bench->facts,
				  &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", bench->layer->name, err.msg);
	take_operands(bench);
	add_gradients(bench);
}

static void bench_finish(struct bench *bench)
{
	facts_destroy(bench->facts);
	graph_destroy(bench->graph);
}

/* How a case is run, and how near it must come. */
struct way {
	const char *name;
	double tolerance;
	enum numerics numerics; /* of a plan */
	bool reference;		/* kernels of the interpreter */
};
static const struct way by_nodes[] = {
	{ .name = "reference kernels", .tolerance = 1e-5, .reference = true },
	{ .name = "fast kernels", .tolerance = 1e-5 },
};
static const struct way by_plans[] = {
	{ .name = "strict plan",
	  .tolerance = 1e-5,
	  .numerics = NUMERICS_STRICT },
	{ .name = "plan", .tolerance = 1e-3, .numerics = NUMERICS_REPEATABLE },
};

/* Output 0 is y, the rest are gradients. */
static void compare(const struct bench *bench, const struct way *way, int32_t i,
		    const struct tensor_view *got)
{
	const char *layer = bench->layer->name;
	const struct tensor_view *want;
	char what[160];

	if (i == 0) {
		snprintf(what, sizeof(what), "%s, %s, y", layer, way->name);
		want = reference_get(bench->reference, "%s.out.y", layer);
	} else {
		const char *name = bench->graph->value[bench->wrt[i - 1]].name;

		snprintf(what, sizeof(what), "%s, %s, gradient of %s", layer,
			 way->name, name);
		want =
		    reference_get(bench->reference, "%s.grad.%s", layer, name);
	}
	cr_assert(shape_equal(&want->shape, &got->shape), "%s", what);
	reference_compare(what, want, got->data, way->tolerance);
}

static void run_nodes(const struct bench *bench, const struct way *way)
{
	const struct interpreter_options options = { .reference =
							 way->reference,
						     .max_bytes = MAX_BYTES };
	struct interpreter_result result;
	struct err err = { .code = ERR_NONE };
	enum err_code rc;

	rc = interpret(bench->graph, bench->data, &options, &result, &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", bench->layer->name, err.msg);
	for (int32_t i = 0; i < bench->graph->n_output; i++)
		compare(bench, way, i, &result.value[bench->graph->output[i]]);
	interpreter_result_finish(&result);
}

static void fill_inputs(const struct bench *bench, struct instance *instance)
{
	for (int32_t i = 0; i < bench->graph->n_input; i++) {
		const struct tensor_view to =
		    instance_input(instance, (unsigned)i);
		const struct tensor_view *from = &bench->data[i];

		memcpy(to.data, from->data,
		       tensor_bytes(from->dtype, &from->shape));
	}
}

static void run_plan(const struct bench *bench, const struct way *way)
{
	const struct plan_options options = { .numerics = way->numerics };
	struct fact fact[MAX_OPERANDS] = { 0 };
	const struct signature signature = { (unsigned)bench->graph->n_input,
					     fact };
	struct plan *plan = NULL;
	struct instance *instance = NULL;
	struct err err = { .code = ERR_NONE };
	enum err_code rc;

	for (int32_t i = 0; i < bench->graph->n_input; i++) {
		fact[i].type.elem = bench->data[i].dtype;
		fact[i].shape = bench->data[i].shape;
		fact[i].has_shape = true;
	}
	rc = plan_create(bench->graph, &signature, &options, &plan, &err);
	if (!rc)
		rc = instance_create(plan, &instance, &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", bench->layer->name, err.msg);
	for (int run = 0; run < 2; run++) {
		fill_inputs(bench, instance);
		rc = instance_run(instance, NULL, &err);
		cr_assert_eq(rc, ERR_NONE, "%s: %s", bench->layer->name,
			     err.msg);
	}
	for (int32_t i = 0; i < bench->graph->n_output; i++) {
		const struct tensor_view got =
		    instance_output(instance, (unsigned)i);

		compare(bench, way, i, &got);
	}
	instance_destroy(instance);
	plan_unref(plan);
}

static const struct layer *find_layer(const char *name)
{
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		if (!strcmp(layers[i].name, name))
			return &layers[i];
	}
	return NULL;
}

Test(layers, agree_with_pytorch, .timeout = 300)
{
	struct reference reference;

	reference_open("layers", &reference);
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		struct bench bench = { .layer = &layers[i],
				       .reference = &reference };

		bench_create(&bench);
		for (int way = 0; way < 2; way++)
			run_nodes(&bench, &by_nodes[way]);
		for (int way = 0; way < 2; way++)
			run_plan(&bench, &by_plans[way]);
		bench_finish(&bench);
	}
	reference_expect_all_seen(&reference);
	reference_close(&reference);
}

Test(layers, all_cases_of_the_file_are_known)
{
	struct reference reference;

	reference_open("layers", &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next)
		cr_expect(find_layer(at->key), "no test for '%s'", at->key);
	reference_close(&reference);
}
