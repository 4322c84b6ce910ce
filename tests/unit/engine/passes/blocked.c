/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `blocked`: plans with it give what the graph means, with as many
 * convolutions and reorders as there must be.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/plan_priv.h"
#include "tests/unit/engine/text_constants.h"

enum { TEXT = 1 << 16 };

static int count(const struct plan *plan, const char *op)
{
	const struct graph *graph = plan->graph;
	int n = 0;

	for (int32_t i = 0; i < graph->n_node; i++)
		n += strcmp(graph->node[i].op->name, op) == 0;
	return n;
}

static void fill(const struct tensor_view *view, unsigned seed)
{
	float *x = view->data;

	for (int64_t i = 0; i < shape_count(&view->shape); i++)
		x[i] = (float)sin((double)i * 1.7 + seed);
}

/* What each text must become: the numbers of operators in its plan. */
struct want {
	const char *name, *text;
	int convs, blocks, unblocks, n_steps;
};

static const struct want wants[] = {
	{ "a thin image, and what follows it, is one step and one reorder",
	  "y = Relu(Conv<pads=[1,1,1,1]>(x:float[2,3,9,9], w:#[16,3,3,3], "
	  "b:#[16]))",
	  1, 0, 1, 2 },
	{ "few channels out of long rows stay plain",
	  "y = Relu(Conv<pads=[1,1,1,1]>(x:float[1,16,5,70], w:#[3,16,3,3], "
	  "b:#[3]))",
	  0, 0, 0, 2 },
	{ "rows between parts of themselves",
	  "a = Relu(Conv(x:float[1,8,20], w:#[11,8,3]))\n"
	  "l = Slice(a, s:int64[1]={0}, e:int64[1]={2}, i:int64[1]={2})\n"
	  "r = Slice(a, t:int64[1]={-3}, f:int64[1]={99}, j:int64[1]={-1}, "
	  "p:int64[1]={2})\n"
	  "y = Conv(Concat<axis=-1>(l, a, r), v:#[8,11,3])",
	  2, 1, 1, 7 },
	{ "numbers that leave zero alone",
	  "a = Max(Conv(x:float[1,8,9,9], w:#[9,8,3,3]), l:float[1]={-0.5})\n"
	  "b = Min(h:float[]={0.75}, a)\n"
	  "y = Conv(Mul(b, s:float[1,1,1,1]={3}), v:#[8,9,1,1])",
	  2, 1, 1, 5 },
	{ "a number that moves zero, between parts of blocks",
	  "a = Max(Conv(x:float[1,8,9,9], w:#[9,8,3,3]), l:float[1]={0.5})\n"
	  "y = Conv(a, v:#[8,9,1,1])",
	  2, 2, 2, 7 },
	{ "a number before the image",
	  "y = Conv(Sub(m:float[1]={2}, Conv(x:float[1,8,9,9], w:#[9,8,3,3])), "
	  "v:#[8,9,1,1])",
	  2, 2, 2, 7 },
	{ "a slice of channels is plain",
	  "a = Conv(x:float[1,8,20], w:#[16,8,3])\n"
	  "y = Slice(a, s:int64[2]={0,1}, e:int64[2]={8,9}, i:int64[2]={1,2})",
	  1, 1, 1, 4 },
	{ "a residual block",
	  "a = Relu(Conv<pads=[1,1,1,1]>(x:float[1,16,7,6], w:#[16,16,3,3]))\n"
	  "y = Relu(Add(Conv<pads=[1,1,1,1]>(a, v:#[16,16,3,3], b:#[16]), a))",
	  2, 1, 1, 4 },
	{ "a value with two readers is not joined to one",
	  "a = Conv(x:float[1,8,5,5], w:#[8,8,1,1])\n"
	  "y = Relu(a)\nz = Sigmoid(a)",
	  1, 1, 2, 6 },
	{ "a value that is an output is not joined",
	  "y = Conv(x:float[1,8,5,5], w:#[8,8,1,1])\nz = Relu(y)\nreturn y, z",
	  1, 1, 2, 5 },
	{ "limits join",
	  "y = Clip(Conv<group=8>(x:float[1,8,5,5], w:#[8,1,3,3]), "
	  "l:float[]={0}, h:float[]={0.5})",
	  1, 1, 1, 3 },
	{ "an activation that moves zero does not join parts of blocks",
	  "y = Conv(Sigmoid(Conv(x:float[1,8,5,5], w:#[9,8,1,1])), "
	  "v:#[8,9,1,1])",
	  2, 2, 2, 7 },
	{ "pools between convolutions",
	  "a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(Conv(x:float[1,3,9,9]"
	  ", w:#[12,3,2,2]))\n"
	  "y = GlobalAveragePool(Conv(a, v:#[8,12,2,2]))",
	  2, 0, 0, 4 },
	{ "an average over the plane",
	  "a = Conv(x:float[2,8,5,6], w:#[16,8,1,1])\n"
	  "y = ReduceMean(a, axes:int64[2]={2,-1})",
	  1, 1, 0, 3 },
	{ "a gate a channel",
	  "a = Conv(x:float[2,8,5,6], w:#[16,8,1,1])\n"
	  "g = Sigmoid(Conv(GlobalAveragePool(a), v:#[16,16,1,1]))\n"
	  "y = Mul(a, g)",
	  2, 1, 1, 6 },
	{ "constants a channel, of lower rank",
	  "y = Add(Mul(Conv(x:float[1,8,4,4], w:#[11,8,1,1]), s:#[11,1,1]), "
	  "t:#[1,11,1,1])",
	  1, 1, 1, 4 },
	{ "joined channels",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[8,8,1,1]))\n"
	  "b = Relu(Conv(x, v:#[16,8,1,1]))\n"
	  "y = Conv(Concat<axis=1>(a, b), u:#[8,24,1,1])",
	  3, 1, 1, 5 },
	{ "channels that do not fill their blocks are not joined",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[9,8,1,1]))\n"
	  "b = Relu(Conv(x, v:#[16,8,1,1]))\n"
	  "y = Concat<axis=1>(a, b)",
	  2, 1, 2, 5 },
	{ "padding of the plane",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[16,8,1,1]))\n"
	  "y = Conv(Pad(a, p:int64[8]={0,0,1,2,0,0,0,1}, c:float[]={0.5}), "
	  "v:#[8,16,2,2])",
	  2, 1, 1, 5 },
	{ "padding of channels stays",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[16,8,1,1]))\n"
	  "y = Pad(a, p:int64[8]={0,1,1,2,0,0,0,1})",
	  1, 1, 1, 4 },
	{ "a larger plane",
	  "a = Relu(Conv(x:float[1,8,4,4], w:#[9,8,1,1]))\n"
	  "y = Resize<mode=\"linear\">(a, , s:float[4]={1,1,2,1.5})",
	  1, 1, 1, 4 },
	{ "groups that no block holds stay",
	  "y = Conv<group=2>(x:float[1,8,4,4], w:#[8,4,1,1])", 0, 0, 0, 1 },
	{ "weights that only a run knows stay",
	  "y = Conv(x:float[1,8,4,4], w:float[8,8,1,1])", 0, 0, 0, 1 },
	{ "a sequence",
	  "y = Relu(Conv<pads=[1,1]>(x:float[2,8,13], w:#[8,8,3]))", 1, 1, 1,
	  3 },
};

static void check_result(struct graph *graph, struct instance *instance,
			 const char *name)
{
	struct tensor_view input = instance_input(instance, 0);
	struct tensor_view all[2] = { input };
	struct interpreter_result result;
	struct err err;

	if (graph->n_input > 1) {
		all[1] = instance_input(instance, 1);
		fill(&all[1], 2);
	}
	fill(&input, 1);
	cr_assert_eq(interpret(graph, all, NULL, &result, &err), ERR_NONE,
		     "%s: %s", name, err.msg);
	cr_assert_eq(instance_run(instance, NULL, &err), ERR_NONE, "%s: %s",
		     name, err.msg);
	for (int32_t i = 0; i < graph->n_output; i++) {
		const struct tensor_view got =
		    instance_output(instance, (unsigned)i);
		const struct tensor_view want = result.value[graph->output[i]];

		cr_assert(shape_equal(&got.shape, &want.shape), "%s", name);
		for (int64_t k = 0; k < shape_count(&got.shape); k++)
			cr_assert_float_eq(((float *)got.data)[k],
					   ((float *)want.data)[k], 1e-3F,
					   "%s: output %d, element %ld", name,
					   (int)i, (long)k);
	}
	interpreter_result_finish(&result);
}

static void check(const struct want *want)
{
	const struct plan_options options = { .threads = 2, .lanes = 8 };
	struct instance *instance;
	struct fact input[2] = { 0 };
	struct signature signature = { 1, input };
	struct graph *graph;
	struct plan *plan;
	struct fact *facts;
	struct err err;
	struct buf text;

	buf_init(&text, TEXT);
	text_with_constants(want->text, &text);
	cr_assert_eq(buf_check(&text, "the text", &err), ERR_NONE);
	cr_assert_eq(graph_text_parse(text.data, &graph, &facts, &err),
		     ERR_NONE, "%s: %s", want->name, err.msg);
	buf_finish(&text);
	signature.n = (unsigned)graph->n_input;
	memcpy(input, facts, signature.n * sizeof(*input));
	cr_assert_eq(plan_create(graph, &signature, &options, &plan, &err),
		     ERR_NONE, "%s: %s", want->name, err.msg);
	cr_expect_eq(count(plan, "ConvBlocked"), want->convs, "%s: %d",
		     want->name, count(plan, "ConvBlocked"));
	cr_expect_eq(count(plan, "Block"), want->blocks, "%s: %d blocks",
		     want->name, count(plan, "Block"));
	cr_expect_eq(count(plan, "Unblock"), want->unblocks, "%s: %d unblocks",
		     want->name, count(plan, "Unblock"));
	cr_expect_eq((int)plan->report.n_steps, want->n_steps, "%s: %zu steps",
		     want->name, plan->report.n_steps);
	cr_assert_eq(instance_create(plan, &instance, &err), ERR_NONE, "%s",
		     err.msg);
	check_result(graph, instance, want->name);
	instance_destroy(instance);
	plan_unref(plan);
	graph_destroy(graph);
}

Test(blocked, plans_become_what_they_must_and_mean_the_same)
{
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		check(&wants[i]);
}
