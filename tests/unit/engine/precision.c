/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Precision: what graphs become, and that they still mean nearly the same, by
 * the interpreter and by plans.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/plan_priv.h"
#include "engine/precision/precision.h"
#include "tests/unit/engine/text_constants.h"

enum { TEXT = 1 << 18, ROWS = 3 };

/* A graph and rows for its one input. */
struct sample {
	struct graph *graph;
	struct fact *facts;
	struct tensor_view view[ROWS];
	const struct tensor_view *row[ROWS];
	struct arena *arena;
};

static void fill(const struct tensor_view *view, unsigned seed)
{
	float *x = view->data;

	for (int64_t i = 0; i < shape_count(&view->shape); i++)
		x[i] = (float)sin((double)i * 1.7 + seed);
}

static void begin(const char *text, struct sample *ret)
{
	struct buf buf;
	struct err err;

	ret->arena = arena_create(1 << 24);
	buf_init(&buf, TEXT);
	text_with_constants(text, &buf);
	cr_assert_eq(buf_check(&buf, "the text", &err), ERR_NONE);
	cr_assert_eq(graph_text_parse(buf.data, &ret->graph, &ret->facts, &err),
		     ERR_NONE, "%s: %s", text, err.msg);
	buf_finish(&buf);
	cr_assert_eq(ret->graph->n_input, 1);
	for (unsigned i = 0; i < ROWS; i++) {
		struct tensor_view *view = &ret->view[i];

		view->dtype = DTYPE_F32;
		view->shape = ret->facts[0].shape;
		view->data = arena_aligned(
		    ret->arena, tensor_bytes(DTYPE_F32, &view->shape));
		fill(view, i);
		ret->row[i] = view;
	}
}

static void end(struct sample *s)
{
	graph_destroy(s->graph);
	arena_destroy(s->arena);
}

static enum err_code narrow(const struct sample *s,
			    struct precision_options *options,
			    struct precision_report *ret, struct err *err)
{
	options->n_rows = options->n_rows ? options->n_rows : ROWS;
	options->row = s->row;
	return precision_apply(s->graph, options, ret, err);
}

static int count(const struct graph *graph, const char *op)
{
	int n = 0;

	for (int32_t i = 0; i < graph->n_node; i++)
		n += graph->node[i].op && !strcmp(graph->node[i].op->name, op);
	return n;
}

/* Output 0 of a run of row 1. */
static const float *run_plan(const struct sample *s, struct plan **ret_plan)
{
	const struct plan_options options = { .threads = 1 };
	const struct signature signature = { 1, s->facts };
	struct instance *instance;
	struct tensor_view out;
	struct err err;
	float *copy;

	cr_assert_eq(
	    plan_create(s->graph, &signature, &options, ret_plan, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(instance_create(*ret_plan, &instance, &err), ERR_NONE,
		     "%s", err.msg);
	memcpy(instance_input(instance, 0).data, s->view[1].data,
	       tensor_bytes(DTYPE_F32, &s->view[1].shape));
	cr_assert_eq(instance_run(instance, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	out = instance_output(instance, 0);
	copy =
	    arena_copy(s->arena, out.data, tensor_bytes(out.dtype, &out.shape));
	instance_destroy(instance);
	return copy;
}

static const float *run_plainly(const struct sample *s, int64_t *ret_n)
{
	struct interpreter_result result;
	const struct tensor_view *out;
	struct err err;
	float *copy;

	cr_assert_eq(interpret(s->graph, &s->view[1], NULL, &result, &err),
		     ERR_NONE, "%s", err.msg);
	out = &result.value[s->graph->output[0]];
	*ret_n = shape_count(&out->shape);
	copy = arena_copy(s->arena, out->data,
			  tensor_bytes(out->dtype, &out->shape));
	interpreter_result_finish(&result);
	return copy;
}

static double distance(const float *a, const float *b, int64_t n)
{
	double most = 0;

	for (int64_t i = 0; i < n; i++)
		most = fmax(most, fabs((double)a[i] - (double)b[i]));
	return most;
}

static double largest(const float *a, int64_t n)
{
	double most = 0;

	for (int64_t i = 0; i < n; i++)
		most = fmax(most, fabs((double)a[i]));
	return most;
}

/* What each text must become: operators of its plan in int8. */
struct want {
	const char *name, *text;
	int convs, rounds, widens, moves, n_steps;
};

static const struct want wants[] = {
	{ "a convolution of an image",
	  "y = Relu(Conv<pads=[1,1,1,1]>(x:float[2,3,9,9], w:#[16,3,3,3], "
	  "b:#[16]))",
	  1, 1, 0, 1, 3 },
	{ "values stay bytes from one to the next",
	  "a = Relu(Conv<pads=[1,1,1,1]>(x:float[1,8,7,6], w:#[16,8,3,3]))\n"
	  "y = Conv(a, v:#[16,16,1,1], b:#[16])",
	  2, 1, 0, 1, 4 },
	{ "a residual block",
	  "a = Relu(Conv<pads=[1,1,1,1]>(x:float[1,8,7,6], w:#[16,8,3,3]))\n"
	  "b = Relu(Conv<pads=[1,1,1,1]>(a, v:#[16,16,3,3], t:#[16]))\n"
	  "c = Relu(Add(Conv(b, u:#[16,16,1,1], s:#[16]), a))\n"
	  "y = Conv(c, q:#[8,16,1,1])",
	  4, 1, 0, 1, 6 },
	{ "a sum of two convolutions",
	  "a = Conv(x:float[1,8,7,6], w:#[16,8,1,1])\n"
	  "c = Relu(Add(Conv(x, u:#[16,8,1,1], s:#[16]), a))\n"
	  "y = Conv(c, q:#[8,16,1,1])",
	  3, 1, 0, 2, 6 },
	{ "pools, a mean and a product",
	  "a = Relu(Conv(x:float[2,3,11,11], w:#[16,3,3,3]))\n"
	  "c = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(a)\n"
	  "d = Clip(Conv(c, v:#[24,16,1,1]), l:float[]={0}, h:float[]={6})\n"
	  "y = Gemm<transB=1>(Flatten(GlobalAveragePool(d)), u:#[10,24], "
	  "b:#[10])",
	  3, 2, 0, 0, 7 },
	{ "a channel a group",
	  "a = HardSwish(Conv<group=16, pads=[1,1,1,1]>(x:float[1,16,8,8], "
	  "w:#[16,1,3,3]))\n"
	  "y = Conv(a, v:#[8,16,1,1])",
	  2, 1, 0, 1, 4 },
	{ "joined channels have one scale",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[8,8,1,1]))\n"
	  "b = Conv(x, v:#[16,8,1,1])\n"
	  "y = Conv(Concat<axis=1>(a, b), u:#[8,24,1,1])",
	  3, 1, 0, 2, 7 },
	{ "a gate a channel",
	  "a = Relu(Conv(x:float[2,8,5,6], w:#[16,8,1,1]))\n"
	  "g = Sigmoid(Conv(GlobalAveragePool(a), v:#[16,16,1,1]))\n"
	  "y = Conv(Mul(a, g), u:#[8,16,1,1])",
	  3, 3, 0, 1, 9 },
	{ "products in a row",
	  "a = Relu(Gemm(x:float[5,40], w:#[40,64], b:#[64]))\n"
	  "y = MatMul(a, v:#[64,10])",
	  2, 1, 0, 0, 3 },
	{ "products of a sequence, with a row added",
	  "a = Add(MatMul(x:float[2,5,40], w:#[40,64]), b:#[64])\n"
	  "y = MatMul(Sigmoid(a), v:#[64,10])",
	  2, 2, 0, 0, 5 },
	{ "a sequence of channels",
	  "y = Conv(Relu(Conv<pads=[1,1]>(x:float[2,8,13], w:#[8,8,3])), "
	  "v:#[8,8,1])",
	  2, 1, 0, 1, 4 },
	{ "a sum with floats goes into a product",
	  "a = MatMul(x:float[2,5,40], w:#[40,64])\n"
	  "y = Add(MatMul(Softmax(a), v:#[64,64]), a)",
	  2, 2, 0, 0, 5 },
	{ "values that others read as floats stay so for them",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[8,8,1,1]))\n"
	  "y = Add(Conv(a, v:#[8,8,1,1]), Softmax<axis=1>(a))",
	  2, 2, 0, 3, 9 },
};

static void check(const struct want *want)
{
	struct precision_options options = { .precision = PRECISION_INT8,
					     .cpu = precision_cpu() };
	struct precision_report report;
	const float *fp32, *plain, *planned;
	struct plan *plan;
	struct sample s;
	struct err err;
	double most;
	int64_t n;

	begin(want->text, &s);
	fp32 = run_plainly(&s, &n);
	most = largest(fp32, n);
	cr_assert_eq(narrow(&s, &options, &report, &err), ERR_NONE, "%s: %s",
		     want->name, err.msg);
	cr_expect_eq(report.n_layers, (unsigned)want->convs, "%s", want->name);
	cr_expect_eq(report.n_narrow, (unsigned)want->convs, "%s", want->name);
	plain = run_plainly(&s, &n);
	planned = run_plan(&s, &plan);
	cr_expect_eq(count(plan->graph, "ConvNarrow"), want->convs, "%s: %d",
		     want->name, count(plan->graph, "ConvNarrow"));
	cr_expect_eq(count(plan->graph, "QuantizeLinear"), want->rounds,
		     "%s: %d rounds", want->name,
		     count(plan->graph, "QuantizeLinear"));
	cr_expect_eq(count(plan->graph, "DequantizeLinear"), want->widens,
		     "%s: %d widens", want->name,
		     count(plan->graph, "DequantizeLinear"));
	cr_expect_eq(count(plan->graph, "Transpose"), want->moves,
		     "%s: %d moves", want->name,
		     count(plan->graph, "Transpose"));
	cr_expect_eq((int)plan->report.n_steps, want->n_steps, "%s: %zu steps",
		     want->name, plan->report.n_steps);
	/* a byte here and there, where a float is rounded otherwise */
	cr_expect_lt(distance(plain, planned, n), 0.01 * most, "%s: %g",
		     want->name, distance(plain, planned, n) / most);
	cr_expect_lt(distance(fp32, plain, n), 0.05 * most, "%s: %g",
		     want->name, distance(fp32, plain, n) / most);
	cr_expect_geq(report.deviation, 0.999 * distance(fp32, planned, n),
		      "%s", want->name);
	cr_expect_leq(report.deviation, 0.05 * report.largest, "%s",
		      want->name);
	plan_unref(plan);
	end(&s);
}

Test(precision, graphs_become_bytes_and_mean_nearly_the_same)
{
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		check(&wants[i]);
}

static const char *const block =
    "a = Relu(Conv<pads=[1,1,1,1]>(x:float[1,8,7,6], w:#[16,8,3,3]))\n"
    "c = Relu(Add(Conv(a, u:#[16,16,1,1], s:#[16]), a))\n"
    "y = Conv(c, q:#[8,16,1,1])";

/* Without VNNI weights must not be as large, and even beside int8. */
Test(precision, weights_suit_the_cpu)
{
	struct precision_options options = { .precision = PRECISION_INT8 };
	struct precision_report report;
	struct sample s;
	struct err err;
	int n_odd = 0;

	begin(block, &s);
	cr_assert_eq(narrow(&s, &options, &report, &err), ERR_NONE, "%s",
		     err.msg);
	for (int32_t i = 0; i < s.graph->n_constant; i++) {
		const struct tensor_view *c = &s.graph->constant[i];
		const int8_t *w = c->data;
		const bool is_first =
		    c->shape.rank == 4 && c->shape.dim[1] == 8;

		if (c->dtype != DTYPE_I8 || c->shape.rank != 4)
			continue;
		for (int64_t k = 0; k < shape_count(&c->shape); k++) {
			cr_assert_leq(abs(w[k]), is_first ? 126 : 63);
			cr_assert(!is_first || w[k] % 2 == 0);
			n_odd += w[k] & 1;
		}
	}
	cr_expect_gt(n_odd, 0);
	end(&s);
}

Test(precision, bf16_keeps_values_narrow_where_the_cpu_has_it)
{
	struct precision_options options = { .precision = PRECISION_BF16,
					     .cpu = { .has_bf16 = true } };
	struct precision_report report;
	const float *fp32, *planned;
	struct plan *plan;
	struct sample s;
	struct err err;
	int64_t n;

	begin(block, &s);
	fp32 = run_plainly(&s, &n);
	cr_assert_eq(narrow(&s, &options, &report, &err), ERR_NONE, "%s",
		     err.msg);
	cr_expect(report.is_narrow);
	planned = run_plan(&s, &plan);
	cr_expect_eq(count(plan->graph, "ConvNarrow"), 3);
	cr_expect_eq(count(plan->graph, "Cast"), 1);
	cr_expect_lt(distance(fp32, planned, n), 0.02 * largest(fp32, n));
	cr_expect_gt(distance(fp32, planned, n), 0);
	plan_unref(plan);
	end(&s);
}

Test(precision, bf16_rounds_weights_where_the_cpu_has_no_such_arithmetic)
{
	struct precision_options options = { .precision = PRECISION_BF16 };
	struct precision_report report;
	struct sample s;
	struct err err;

	begin(block, &s);
	cr_assert_eq(narrow(&s, &options, &report, &err), ERR_NONE, "%s",
		     err.msg);
	cr_expect(!report.is_narrow);
	cr_expect_eq(report.n_narrow, 3);
	cr_expect_eq(count(s.graph, "ConvNarrow"), 0);
	cr_expect_eq(count(s.graph, "Cast"), 0);
	cr_expect_gt(report.deviation, 0);
	cr_expect_lt(report.deviation, 0.02 * report.largest);
	end(&s);
}

Test(precision, what_rows_do_not_tell_stays)
{
	/* one value of 1000 beside thousands of 1 leaves too little for them */
	const char *text = "a = Conv(x:float[1,2,40,40], w:#[4,2,1,1])\n"
			   "b = MatMul(a, v:#[40,8])\n"
			   "y = Relu(b)";
	struct precision_options options = { .precision = PRECISION_INT8,
					     .cpu = precision_cpu() };
	struct precision_report report;
	struct sample s;
	struct err err;

	begin(text, &s);
	for (unsigned i = 0; i < ROWS; i++)
		((float *)s.view[i].data)[0] = 1e4F;
	cr_assert_neq(narrow(&s, &options, &report, &err), ERR_NONE);
	cr_expect(strstr(err.msg, "no layer's input fits"), "%s", err.msg);
	end(&s);
}

Test(precision, refuses_what_has_nothing_to_narrow)
{
	struct precision_options options = { .precision = PRECISION_INT8 };
	struct precision_report report;
	struct sample s;
	struct err err;

	begin("y = Relu(x:float[3,4])", &s);
	cr_expect_eq(narrow(&s, &options, &report, &err), ERR_UNSUPPORTED);
	cr_expect(strstr(err.msg, "nothing that could be quantized"), "%s",
		  err.msg);
	end(&s);
}

Test(precision, names_the_nearest)
{
	enum precision precision = PRECISION_FP32;
	struct err err;

	cr_assert_eq(precision_parse("int8", &precision, &err), ERR_NONE);
	cr_expect_eq(precision, PRECISION_INT8);
	cr_expect_eq(precision_parse("bf61", &precision, &err), ERR_INVALID);
	cr_expect(strstr(err.msg, "did you mean 'bf16'?"), "%s", err.msg);
}

Test(precision, a_report_is_one_line)
{
	const struct precision_report int8 = { .precision = PRECISION_INT8,
					       .is_narrow = true,
					       .n_layers = 4,
					       .n_narrow = 3,
					       .n_rows = 1,
					       .deviation = 0.5,
					       .largest = 10 };
	struct buf buf;

	buf_init(&buf, 1024);
	precision_print(&int8, &buf);
	cr_expect_str_eq(
	    buf.data, "precision int8: 3 of 4 layers; largest deviation from "
		      "fp32 0.5 (5% of the largest output) on 1 row");
	buf_finish(&buf);
}

/* A model that came quantized takes the same way. */
Test(precision, symmetric_qlinear_convolutions_keep_bytes_channels_last)
{
	const char *text =
	    "q = QuantizeLinear(x:float[1,3,9,9], s:float[]={0.01}, "
	    "z:int8[]={0})\n"
	    "a = QLinearConv<pads=[1,1,1,1]>(q, s, z, "
	    "Cast<to=3>(Mul(w:#[8,3,3,3], "
	    "100.)), u:float[]={0.02}, z, r:float[]={0.01}, n:uint8[]={0}, "
	    "b:int32[8]={1,2,3,4,5,6,7,8})\n"
	    "p = QLinearConv(MaxPool<kernel_shape=[2,2], strides=[2,2]>(a), r, "
	    "n, "
	    "Cast<to=3>(Mul(v:#[4,8,1,1], 100.)), "
	    "t:float[4]={0.02,0.01,0.03,0.02}, "
	    "z, r, n)\n"
	    "y = DequantizeLinear(p, r, n)";
	const float *plain, *planned;
	struct plan *plan;
	struct sample s;
	int64_t n;

	begin(text, &s);
	plain = run_plainly(&s, &n);
	planned = run_plan(&s, &plan);
	cr_expect_eq(count(plan->graph, "ConvNarrow"),
		     precision_cpu().has_bytes ? 2 : 0);
	/* a byte here and there */
	cr_expect_leq(distance(plain, planned, n), 0.0101);
	plan_unref(plan);
	end(&s);
}
