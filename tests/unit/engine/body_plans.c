/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/body_plans.h"

#include <criterion/criterion.h>
#include <string.h>

#include "engine/build.h"
#include "engine/graph_body.h"
#include "engine/instance.h"
#include "engine/interpreter.h"

enum { WIDTH = 5, TURNS = 9 };

/* v, p, s = Loop(m, , v, p): v = Tanh(MatMul(v, w)) with w from outside (as
 * often as `grow` says, joined to itself first), p stays, s collects v. */
struct rig {
	struct graph *graph;
	struct plan *plan;
	struct instance *instance;
	int n_inside; /* nodes of bodies that the interpreter ran */
	struct err err;
};

static float weights[WIDTH * WIDTH];

static int32_t add(struct rig *rig, struct graph *graph, const char *op,
		   const int32_t *in, int32_t n_in)
{
	int32_t out;

	cr_assert_eq(graph_add_node(graph, build_find(op), "", NULL, in, n_in,
				    &out, 1, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	return out;
}

static int32_t input(struct rig *rig, struct graph *graph, const char *name,
		     enum dtype elem)
{
	int32_t value;

	cr_assert_eq(graph_add_input(graph, name, (struct type){ .elem = elem },
				     &value, &rig->err),
		     ERR_NONE);
	return value;
}

static struct graph *make_body(struct rig *rig, bool grows)
{
	struct graph *body = NULL;
	int32_t in[5], v;

	cr_assert_eq(graph_create_body(rig->graph, &body, &rig->err), ERR_NONE);
	in[0] = input(rig, body, "turn", DTYPE_I64);
	in[1] = input(rig, body, "cond", DTYPE_BOOL);
	in[2] = input(rig, body, "v", DTYPE_F32);
	in[3] = input(rig, body, "p", DTYPE_F32);
	in[4] = input(rig, body, "w", DTYPE_F32);
	v = in[2];
	if (grows) { /* v, v */
		const int64_t axis = 0;
		int32_t out;

		cr_assert_eq(graph_add_node(body, build_find("Concat"), "",
					    &axis, (int32_t[]){ v, v }, 2, &out,
					    1, &rig->err),
			     ERR_NONE);
		v = out;
	}
	v = add(rig, body, "MatMul", (int32_t[]){ v, in[4] }, 2);
	v = add(rig, body, "Tanh", &v, 1);
	cr_assert_eq(graph_add_output(body, in[1], &rig->err), ERR_NONE);
	cr_assert_eq(graph_add_output(body, v, &rig->err), ERR_NONE);
	cr_assert_eq(graph_add_output(body, in[3], &rig->err), ERR_NONE);
	if (!grows)
		cr_assert_eq(graph_add_output(body, v, &rig->err), ERR_NONE);
	return body;
}

static void on_node(void *data, const struct graph_node *node, unsigned depth,
		    bool ends)
{
	struct rig *rig = data;

	(void)node;
	rig->n_inside += ends && depth > 0;
}

static void on_slice(void *data, size_t step, unsigned slice, bool ends)
{
	(void)data, (void)step, (void)slice, (void)ends;
}

static void rig_open(struct rig *rig, bool grows, enum products products)
{
	const struct plan_options options = { .products = products };
	const struct tensor_view w = { .data = weights,
				       .dtype = DTYPE_F32,
				       .shape = { 2, { WIDTH, WIDTH } } };
	struct fact fact[3] = {
		{ .type.elem = DTYPE_I64, .has_shape = true },
		{ .type.elem = DTYPE_F32,
		  .shape = { 2, { 1, WIDTH } },
		  .has_shape = true },
		{ .type.elem = DTYPE_F32,
		  .shape = { 1, { 3 } },
		  .has_shape = true },
	};
	int32_t in[5] = { 0, VALUE_NONE, 0, 0, 0 }, out[3];
	struct graph *body;

	*rig = (struct rig){ 0 };
	for (int i = 0; i < WIDTH * WIDTH; i++)
		weights[i] = (float)(i * 7 % 11 - 5) / 7;
	cr_assert_eq(graph_create(1 << 24, &rig->graph, &rig->err), ERR_NONE);
	in[0] = input(rig, rig->graph, "m", DTYPE_I64);
	in[2] = input(rig, rig->graph, "v0", DTYPE_F32);
	in[3] = input(rig, rig->graph, "p0", DTYPE_F32);
	cr_assert_eq(graph_add_constant(rig->graph, "w", &w, &in[4], &rig->err),
		     ERR_NONE);
	body = make_body(rig, grows);
	cr_assert_eq(graph_add_node(rig->graph, build_find("Loop"), "loop",
				    NULL, in, 5, out, grows ? 2 : 3, &rig->err),
		     ERR_NONE);
	cr_assert_eq(graph_set_bodies(rig->graph, &body, 1, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	for (int i = 0; i < (grows ? 2 : 3); i++)
		cr_assert_eq(graph_add_output(rig->graph, out[i], &rig->err),
			     ERR_NONE);
	cr_assert_eq(plan_create(rig->graph, &(struct signature){ 3, fact },
				 &options, &rig->plan, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	cr_assert_eq(instance_create(rig->plan, &rig->instance, &rig->err),
		     ERR_NONE);
}

static void rig_close(struct rig *rig)
{
	instance_destroy(rig->instance);
	plan_unref(rig->plan);
	graph_destroy(rig->graph);
}

/* A run, compared with the reference; returns the nodes interpreted inside. */
static int run(struct rig *rig, int64_t turns, float first)
{
	const struct observer observer = { rig, on_slice, on_node };
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result want;
	struct tensor_view view[3];

	for (unsigned i = 0; i < 3; i++)
		view[i] = instance_input(rig->instance, i);
	*(int64_t *)view[0].data = turns;
	for (int i = 0; i < WIDTH; i++)
		((float *)view[1].data)[i] = first + (float)i;
	memset(view[2].data, 0, 3 * sizeof(float));
	rig->n_inside = 0;
	instance_observe(rig->instance, &observer);
	cr_assert_eq(instance_run(rig->instance, NULL, &rig->err), ERR_NONE,
		     "%s", rig->err.msg);
	cr_assert_eq(interpret(rig->graph, view, &options, &want, &rig->err),
		     ERR_NONE);
	for (int32_t i = 0; i < rig->graph->n_output; i++) {
		const struct tensor_view *a =
		    &want.value[rig->graph->output[i]];
		const struct tensor_view b =
		    instance_output(rig->instance, (unsigned)i);

		cr_assert(shape_equal(&a->shape, &b.shape), "output %d", i);
		for (int64_t j = 0; j < shape_count(&b.shape); j++)
			cr_assert_float_eq(((float *)a->data)[j],
					   ((float *)b.data)[j], 1e-5,
					   "output %d", i);
	}
	interpreter_result_finish(&want);
	return rig->n_inside;
}

Test(body_plans, a_body_is_planned_after_some_turns_and_stays_so)
{
	struct rig rig;

	rig_open(&rig, false, PRODUCTS_F32);
	/* two nodes a turn, until the third */
	cr_assert_eq(run(&rig, TURNS, 0.5F), 2 * (BODY_PLANS_TURNS - 1));
	cr_assert_eq(run(&rig, TURNS, -0.25F), 0);
	cr_assert_eq(run(&rig, 1, 0.1F), 0);
	cr_assert_eq(run(&rig, 0, 0.1F), 0);
	rig_close(&rig);
}

Test(body_plans, a_body_of_ever_other_shapes_is_interpreted)
{
	struct rig rig;

	rig_open(&rig, true, PRODUCTS_F32);
	/* each turn has a shape of its own; only the first ones are known */
	for (int i = 1; i <= 4; i++) {
		const int known =
		    i < BODY_PLANS_TURNS ? 0 : BODY_PLANS_SIGNATURES;

		cr_assert_eq(run(&rig, TURNS, 0.1F), 3 * (TURNS - known),
			     "run %d", i);
	}
	rig_close(&rig);
}

/* or else the third turn would be another than the first two */
Test(body_plans, a_body_rounds_no_operands_when_it_has_a_plan)
{
	struct rig rig;

	rig_open(&rig, false, PRODUCTS_BF16);
	cr_assert_eq(run(&rig, TURNS, 0.5F), 2 * (BODY_PLANS_TURNS - 1));
	cr_assert_eq(run(&rig, TURNS, -0.25F), 0);
	rig_close(&rig);
}
