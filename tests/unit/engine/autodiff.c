/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/autodiff.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"

struct model {
	struct graph *graph;
	struct fact *input;
	struct facts *facts;
	struct build build;
};

static struct model model_create(const char *text)
{
	struct model model;
	struct err err;

	cr_assert_eq(graph_text_parse(text, &model.graph, &model.input, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(facts_create(model.graph, model.input, &model.facts, &err),
		     ERR_NONE, "%s", err.msg);
	build_init(&model.build, model.graph, model.facts);
	return model;
}

static void model_finish(struct model *model)
{
	facts_destroy(model->facts);
	graph_destroy(model->graph);
}

static int32_t find(const struct model *model, const char *name)
{
	const int32_t value = graph_find_value(model->graph, name);

	cr_assert_geq(value, 0, "there is no '%s'", name);
	return value;
}

/* The gradient of scalar 'loss' by constant or variable `name`; the caller
 * finishes the result. */
static const float *gradient(struct model *model, const char *name,
			     struct interpreter_result *result)
{
	int32_t wrt = find(model, name), grad;
	struct err err;

	cr_assert_eq(autodiff(&model->build, find(model, "loss"), VALUE_NONE,
			      &wrt, 1, &grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_neq(grad, VALUE_NONE);
	cr_assert_eq(interpret(model->graph, NULL, NULL, result, &err),
		     ERR_NONE, "%s", err.msg);
	return result->value[grad].data;
}

Test(autodiff, a_weight_shared_by_two_layers_gets_the_sum)
{
	struct model model =
	    model_create("h = Mul(x:float[2]={1,2}, w:float[2]={3,5});"
			 "y = Mul(h, w); loss = ReduceSum<keepdims=0>(y)");
	struct interpreter_result result;
	const float *grad = gradient(&model, "w", &result);

	cr_assert_float_eq(grad[0], 6, 1e-6); /* 2 x w */
	cr_assert_float_eq(grad[1], 20, 1e-6);
	interpreter_result_finish(&result);
	model_finish(&model);
}

Test(autodiff, an_operand_given_twice_gets_the_sum)
{
	struct model model = model_create(
	    "y = Mul(w:float[2]={3,5}, w); loss = ReduceSum<keepdims=0>(y)");
	struct interpreter_result result;
	const float *grad = gradient(&model, "w", &result);

	cr_assert_float_eq(grad[0], 6, 1e-6);
	cr_assert_float_eq(grad[1], 10, 1e-6);
	interpreter_result_finish(&result);
	model_finish(&model);
}

Test(autodiff, what_the_loss_does_not_depend_on_has_none)
{
	struct model model =
	    model_create("loss = ReduceSum<keepdims=0>(Neg(x:float[2]={1,2}));"
			 "z = Neg(w:float[2]={1,2}); return loss, z");
	int32_t wrt[2] = { find(&model, "w"), find(&model, "x") }, grad[2];
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "loss"), VALUE_NONE,
			      wrt, 2, grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(grad[0], VALUE_NONE);
	cr_assert_neq(grad[1], VALUE_NONE);
	model_finish(&model);
}

Test(autodiff, integers_and_steps_end_a_gradient)
{
	struct model model = model_create(
	    "a = Cast<to=1>(Cast<to=7>(w:float[2]={1,2}));"
	    "b = Floor(w); loss = ReduceSum<keepdims=0>(Add(a, b))");
	int32_t wrt = find(&model, "w"), grad;
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "loss"), VALUE_NONE,
			      &wrt, 1, &grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(grad, VALUE_NONE);
	model_finish(&model);
}

Test(autodiff, the_gradient_of_a_value_between_stands_for_itself)
{
	struct model model =
	    model_create("h = Mul(w:float[2]={3,5}, 2);"
			 "loss = ReduceSum<keepdims=0>(Mul(h, h))");
	int32_t wrt[2] = { find(&model, "h"), find(&model, "w") }, grad[2];
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "loss"), VALUE_NONE,
			      wrt, 2, grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(interpret(model.graph, NULL, NULL, &result, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_float_eq(((const float *)result.value[grad[0]].data)[1], 20,
			   1e-6);
	cr_assert_float_eq(((const float *)result.value[grad[1]].data)[1], 40,
			   1e-6);
	interpreter_result_finish(&result);
	model_finish(&model);
}

Test(autodiff, a_seed_is_the_gradient_handed_in)
{
	struct model model = model_create(
	    "y = Mul(w:float[2]={3,5}, 2); s = Neg(t:float[2]={-1,10});"
	    "return y, s");
	int32_t wrt = find(&model, "w"), grad;
	struct interpreter_result result;
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "y"),
			      find(&model, "s"), &wrt, 1, &grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(interpret(model.graph, NULL, NULL, &result, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_float_eq(((const float *)result.value[grad].data)[0], 2, 0);
	cr_assert_float_eq(((const float *)result.value[grad].data)[1], -20, 0);
	interpreter_result_finish(&result);
	model_finish(&model);
}

Test(autodiff, a_loss_of_several_elements_is_refused)
{
	struct model model = model_create("loss = Neg(w:float[2]={1,2})");
	int32_t wrt = find(&model, "w"), grad;
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "loss"), VALUE_NONE,
			      &wrt, 1, &grad, &err),
		     ERR_SHAPE);
	cr_assert(strstr(err.msg, "'loss'"), "%s", err.msg);
	model_finish(&model);
}

Test(autodiff, every_node_without_a_rule_is_told_at_once)
{
	/* gradients of gradients have no rules */
	struct model model = model_create(
	    "a = predictd.ReluGrad(w:float[2]={1,2}, v:float[2]={1,1});"
	    "b = predictd.TanhGrad(a, v); c = predictd.SigmoidGrad(v, v);"
	    "loss = ReduceSum<keepdims=0>(Add(b, c))");
	int32_t wrt = find(&model, "w"), grad;
	struct err err;

	cr_assert_eq(autodiff(&model.build, find(&model, "loss"), VALUE_NONE,
			      &wrt, 1, &grad, &err),
		     ERR_UNSUPPORTED);
	cr_assert(strstr(err.msg, "ReluGrad") && strstr(err.msg, "TanhGrad"),
		  "%s", err.msg);
	cr_assert(strstr(err.msg, "'w'"), "%s", err.msg);
	cr_assert(strstr(err.msg, "freezing"), "%s", err.msg);
	cr_assert_null(strstr(err.msg, "SigmoidGrad"), "%s", err.msg);
	model_finish(&model);
}

enum { LAYERS = 2000 };

Test(autodiff, two_thousand_layers_are_linear_and_iterative)
{
	struct model model = model_create("h = Mul(w:float[1]={1}, 1)");
	int32_t w = find(&model, "w"), x = find(&model, "h"), grad;
	struct interpreter_result result;
	struct err err;

	for (int i = 0; i < LAYERS; i++)
		x = build_2(&model.build, i % 2 ? "Add" : "Mul", x, w);
	cr_assert_eq(build_check(&model.build, &err), ERR_NONE);
	cr_assert_eq(autodiff(&model.build, x, VALUE_NONE, &w, 1, &grad, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_lt(model.graph->n_node, 8 * LAYERS);
	cr_assert_eq(interpret(model.graph, NULL, NULL, &result, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_float_eq(((const float *)result.value[x].data)[0], 1001, 0);
	/* x' = x + w per pair of layers: d = sum of 1 + x_i and one per Add */
	cr_assert_float_eq(((const float *)result.value[grad].data)[0],
			   1 + 1000.0 * 1001.0 / 2 + 1000, 1e-3);
	interpreter_result_finish(&result);
	model_finish(&model);
}
