/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A residual network of 1,000 layers: nothing recurses, memory is bounded, and
 * its gradients are right.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/ops/loss.h"
#include "engine/ops/optimizer.h"
#include "engine/train_step.h"

enum { LAYERS = 1000, WIDTH = 8, ROWS = 4, STEPS = 5, STACK = 256 << 10 };

struct network {
	struct graph *graph;
	struct facts *facts;
	struct build build;
	enum dtype elem;
	int32_t x, y;
	int32_t weight[LAYERS];
	struct err err;
};

static struct fact rows_of(enum dtype elem)
{
	return (struct fact){ .type = { .elem = elem },
			      .shape = { 2, { ROWS, WIDTH } },
			      .has_shape = true };
}

static void put(enum dtype elem, void *to, int64_t at, double value)
{
	if (elem == DTYPE_F32)
		((float *)to)[at] = (float)value;
	else
		((double *)to)[at] = value;
}

static int32_t add_weight(struct network *net, int layer)
{
	struct tensor_view view = { .dtype = net->elem,
				    .shape = { 2, { WIDTH, WIDTH } } };
	int32_t value = VALUE_NONE;

	view.data = arena_aligned(net->graph->arena,
				  tensor_bytes(view.dtype, &view.shape));
	for (int64_t i = 0; i < (int64_t)WIDTH * WIDTH; i++)
		put(net->elem, view.data, i,
		    0.02 * sin((double)(i * 31 + layer * 7)));
	cr_assert_eq(graph_add_variable(net->graph, NULL, ROLE_PARAM, &view,
					&value, &net->err),
		     ERR_NONE);
	return value;
}

/* x + tanh(x W), 1,000 times */
static void create(struct network *net, enum dtype elem)
{
	struct fact x = rows_of(elem);

	memset(net, 0, sizeof(*net));
	net->elem = elem;
	cr_assert_eq(graph_create(1 << 28, &net->graph, &net->err), ERR_NONE);
	cr_assert_eq(facts_create_empty(&net->facts, &net->err), ERR_NONE);
	build_init(&net->build, net->graph, net->facts);
	cr_assert_eq(
	    graph_add_input(net->graph, "x", x.type, &net->x, &net->err),
	    ERR_NONE);
	cr_assert_eq(facts_set(net->facts, net->x, &x, &net->err), ERR_NONE);
	net->y = net->x;
	for (int i = 0; i < LAYERS; i++) {
		struct build *b = &net->build;

		net->weight[i] = add_weight(net, i);
		net->y = build_2(
		    b, "Add", net->y,
		    build_1(b, "Tanh",
			    build_2(b, "MatMul", net->y, net->weight[i])));
	}
	cr_assert_eq(build_check(&net->build, &net->err), ERR_NONE, "%s",
		     net->err.msg);
}

static void destroy(struct network *net)
{
	facts_destroy(net->facts);
	graph_destroy(net->graph);
}

/* Everything with little room on the stack. */
static void with_little_stack(void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	cr_assert_eq(pthread_attr_init(&attr), 0);
	cr_assert_eq(pthread_attr_setstacksize(&attr, STACK), 0);
	cr_assert_eq(pthread_create(&thread, &attr, run, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	(void)pthread_attr_destroy(&attr);
}

/* --- training --- */

struct training {
	struct network net;
	struct optimizer_attrs attrs;
	struct optimizer_setting setting;
	struct train_memory *memory;
	struct graph *step;
	struct plan *plan;
	struct instance *instance;
};

static void make_step(struct training *t)
{
	static const struct cross_entropy_attrs loss = { .ignore_index = -100 };
	const struct train_step_options options = {
		.loss = { .op = "SoftmaxCrossEntropy",
			  .attrs = &loss,
			  .target = { .elem = DTYPE_I64 } },
		.optimizer = "Sgd",
		.optimizer_attrs = &t->attrs,
		.n_groups = 1,
	};
	struct fact input[4] = {
		rows_of(DTYPE_F32),
		{ .type = { .elem = DTYPE_I64 },
		  .shape = { 1, { ROWS } },
		  .has_shape = true },
		{ .type = { .elem = DTYPE_I64 }, .has_shape = true },
		{ .type = { .elem = DTYPE_F32 },
		  .shape = { 2, { 1, OPTIMIZER_HYPER } },
		  .has_shape = true },
	};
	const struct signature signature = { 4, input };
	struct err *err = &t->net.err;
	enum err_code rc;

	rc = graph_add_output(t->net.graph, t->net.y, err);
	if (!rc)
		rc = train_memory_create(t->net.graph, 0, false, &t->memory,
					 err);
	if (!rc)
		rc = train_step_build(t->net.graph, t->memory, &options, input,
				      &t->step, err);
	if (!rc)
		rc = plan_create(t->step, &signature, NULL, &t->plan, err);
	if (!rc)
		rc = instance_create(t->plan, &t->instance, err);
	cr_assert_eq(rc, ERR_NONE, "%s", err->msg);
}

static float take_step(struct training *t, int64_t number)
{
	const struct op *op = op_find("predictd", "Sgd");
	float *x = instance_input(t->instance, 0).data;
	int64_t *target = instance_input(t->instance, 1).data;

	for (int i = 0; i < ROWS * WIDTH; i++)
		x[i] = cosf((float)i);
	for (int i = 0; i < ROWS; i++)
		target[i] = i;
	*(int64_t *)instance_input(t->instance, 2).data = number;
	optimizer_hyper_fill(op, &t->attrs, &t->setting, (uint64_t)number,
			     instance_input(t->instance, 3).data);
	cr_assert_eq(instance_run(t->instance, NULL, &t->net.err), ERR_NONE,
		     "%s", t->net.err.msg);
	return *(const float *)instance_output(t->instance, 0).data;
}

static void *train(void *unused)
{
	/* what a layer keeps: h, its tanh and their gradients in passing */
	const size_t bound =
	    (size_t)LAYERS * (4 * ROWS + WIDTH) * WIDTH * sizeof(float);
	struct training t;
	float loss[STEPS];

	memset(&t, 0, sizeof(t));
	create(&t.net, DTYPE_F32);
	t.setting = (struct optimizer_setting){ .rate = 1e-3 };
	make_step(&t);
	cr_expect_lt(t.step->n_node, 9 * LAYERS);
	cr_expect_lt(plan_report(t.plan)->arena, 2 * bound);
	for (int i = 0; i < STEPS; i++) {
		loss[i] = take_step(&t, i + 1);
		cr_expect(isfinite(loss[i]) && (!i || loss[i] < loss[i - 1]),
			  "step %d: %g", i, (double)loss[i]);
	}
	instance_destroy(t.instance);
	plan_unref(t.plan);
	graph_destroy(t.step);
	train_memory_destroy(t.memory);
	destroy(&t.net);
	return unused;
}

Test(train_deep, a_thousand_layers_learn_in_five_steps, .timeout = 60)
{
	with_little_stack(train);
}

/* --- gradients --- */

enum { SAMPLE = 10 };

static double loss_of(const struct network *net, int32_t loss, double *x)
{
	const struct interpreter_options options = { .reference = true };
	const struct tensor_view in = { x, DTYPE_F64, { 2, { ROWS, WIDTH } } };
	struct interpreter_result result;
	double value;

	cr_assert_eq(interpret(net->graph, &in, &options, &result, NULL),
		     ERR_NONE);
	value = *(const double *)result.value[loss].data;
	interpreter_result_finish(&result);
	return value;
}

static void *check_gradients(void *unused)
{
	const struct interpreter_options options = { .reference = true };
	double x[ROWS * WIDTH], got[SAMPLE];
	int32_t wrt[SAMPLE], grad[SAMPLE], loss;
	struct tensor_view in = { x, DTYPE_F64, { 2, { ROWS, WIDTH } } };
	struct interpreter_result result;
	struct network net;

	create(&net, DTYPE_F64);
	for (int i = 0; i < ROWS * WIDTH; i++)
		x[i] = cos((double)i);
	loss = build_2(&net.build, "SumTo",
		       build_2(&net.build, "Mul", net.y, net.y),
		       build_scalar(&net.build, DTYPE_F64, 0));
	for (int i = 0; i < SAMPLE; i++)
		wrt[i] = net.weight[i * (LAYERS - 1) / (SAMPLE - 1)];
	cr_assert_eq(
	    autodiff(&net.build, loss, VALUE_NONE, wrt, SAMPLE, grad, &net.err),
	    ERR_NONE, "%s", net.err.msg);
	cr_assert_eq(interpret(net.graph, &in, &options, &result, &net.err),
		     ERR_NONE);
	for (int i = 0; i < SAMPLE; i++)
		got[i] = ((const double *)result.value[grad[i]].data)[i];
	interpreter_result_finish(&result);
	for (int i = 0; i < SAMPLE; i++) {
		const int32_t variable = net.graph->value[wrt[i]].source;
		double *w = net.graph->variable[variable].view.data;
		double above, below, want;

		w[i] += 1e-6;
		above = loss_of(&net, loss, x);
		w[i] -= 2e-6;
		below = loss_of(&net, loss, x);
		w[i] += 1e-6;
		want = (above - below) / 2e-6;
		cr_expect(fabs(want - got[i]) <= 1e-4 + 1e-3 * fabs(want),
			  "weight %d: %.9g, expected %.9g", i, got[i], want);
	}
	destroy(&net);
	return unused;
}

Test(train_deep, gradients_of_a_thousand_layers_are_right, .timeout = 60)
{
	with_little_stack(check_gradients);
}
