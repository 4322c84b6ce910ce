/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recomputation: the same bits in fewer bytes. The network is residual, with
 * convolutions, batch norm and dropout in every block.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/ops/loss.h"
#include "engine/ops/optimizer.h"
#include "engine/plan_priv.h"
#include "engine/train_step.h"
#include "plan_check.h"

enum { BLOCKS = 8, ROWS = 4, SIDE = 8, CHANNELS = 8, CLASSES = 3, STEPS = 4 };
enum { TEXT_MAX = 32768, HYPER = 4 };

/* One network in training. */
struct run {
	struct graph *base, *step;
	struct train_memory *memory;
	struct plan *plan;
	struct instance *instance;
	struct optimizer_attrs attrs;
	enum products products;
	struct fact input[5];
	float loss[STEPS];
	struct err err;
};

static void write_block(struct buf *text, int i)
{
	buf_printf(text,
		   "k%d:float[8,8,3,3]!\ns%d:float[8]!\nb%d:float[8]!\n"
		   "m%d:float[8]!state\nv%d:float[8]!state\n",
		   i, i, i, i, i);
	buf_printf(text,
		   "c%d = Conv<pads=[1,1,1,1]>(x%d, k%d)\n"
		   "n%d = BatchNormalization(c%d, s%d, b%d, m%d, v%d)\n",
		   i, i, i, i, i, i, i, i, i);
	buf_printf(text,
		   "d%d = Dropout(Relu(n%d), p%d:float[]={0.25})\n"
		   "x%d = Add(x%d, d%d)\n",
		   i, i, i, i + 1, i, i);
}

static void write_network(struct buf *text)
{
	buf_init(text, TEXT_MAX);
	buf_printf(text, "k:float[8,3,3,3]!\nw:float[512,3]!\n"
			 "x0 = Conv<pads=[1,1,1,1]>(x:float[4,3,8,8], k)\n");
	for (int i = 0; i < BLOCKS; i++)
		write_block(text, i);
	buf_printf(text, "y = MatMul(Flatten(x%d), w)\nreturn y", BLOCKS);
	cr_assert_eq(buf_check(text, "the network", NULL), ERR_NONE);
}

static struct fact fact_of(enum dtype elem, unsigned rank, int64_t a, int64_t b)
{
	return (struct fact){ .type = { .elem = elem },
			      .shape = { rank, { a, b } },
			      .has_shape = true };
}

static void fill_variables(struct run *run)
{
	for (int32_t i = 0; i < run->base->n_variable; i++) {
		const struct variable *variable = &run->base->variable[i];
		float *to = variable->view.data;

		for (int64_t j = 0; j < shape_count(&variable->view.shape); j++)
			to[j] =
			    variable->name[0] == 'v' || variable->name[0] == 's'
				? 1
				: (float)((j * 7 + i * 5) % 11 - 5) / 40;
	}
}

static void begin(struct run *run)
{
	static const struct cross_entropy_attrs loss = { .ignore_index = -100 };
	const struct train_step_options options = {
		.loss = { .op = "SoftmaxCrossEntropy",
			  .attrs = &loss,
			  .target = { .elem = DTYPE_I64 } },
		.optimizer = "Adam",
		.optimizer_attrs = &run->attrs,
		.seed = 5,
		.n_groups = 1,
	};
	struct buf text;
	struct fact *given = NULL;

	*run = (struct run){ 0 };
	write_network(&text);
	cr_assert_eq(graph_text_parse(text.data, &run->base, &given, &run->err),
		     ERR_NONE, "%s", run->err.msg);
	buf_finish(&text);
	cr_assert_eq(facts_type_graph(run->base, &run->err), ERR_NONE);
	fill_variables(run);
	run->input[0] = given[0];
	run->input[1] = fact_of(DTYPE_I64, 1, ROWS, 0);
	run->input[2] = fact_of(DTYPE_I64, 0, 0, 0);
	run->input[3] = fact_of(DTYPE_F32, 2, 1, OPTIMIZER_HYPER);
	cr_assert_eq(
	    train_memory_create(run->base, 2, false, &run->memory, &run->err),
	    ERR_NONE);
	cr_assert_eq(train_step_build(run->base, run->memory, &options,
				      run->input, &run->step, &run->err),
		     ERR_NONE, "%s", run->err.msg);
}

static void make_plan(struct run *run, size_t goal)
{
	const struct signature signature = { HYPER, run->input };
	const struct plan_options options = { .arena_goal = goal,
					      .numerics = NUMERICS_REPEATABLE,
					      .products = run->products };
	char text[256];

	cr_assert_eq(
	    plan_create(run->step, &signature, &options, &run->plan, &run->err),
	    ERR_NONE, "%s", run->err.msg);
	cr_assert(plan_check(run->plan, text, sizeof(text)), "%s", text);
}

static void train(struct run *run)
{
	const struct optimizer_setting setting = {
		.rate = 0.01, .momentum = 0.9, .square = 0.99, .eps = 1e-5
	};
	const struct op *op = op_find("predictd", "Adam");

	cr_assert_eq(instance_create(run->plan, &run->instance, &run->err),
		     ERR_NONE, "%s", run->err.msg);
	instance_poison(run->instance);
	for (int t = 0; t < STEPS; t++) {
		float *x = instance_input(run->instance, 0).data;
		int64_t *target = instance_input(run->instance, 1).data;

		for (int i = 0; i < ROWS * 3 * SIDE * SIDE; i++)
			x[i] = (float)((i * 13 + t * 5) % 17 - 8) / 8;
		for (int i = 0; i < ROWS; i++)
			target[i] = (i + t) % CLASSES;
		*(int64_t *)instance_input(run->instance, 2).data = t + 1;
		optimizer_hyper_fill(op, &run->attrs, &setting, (uint64_t)t + 1,
				     instance_input(run->instance, 3).data);
		cr_assert_eq(instance_run(run->instance, NULL, &run->err),
			     ERR_NONE, "%s", run->err.msg);
		run->loss[t] =
		    *(const float *)instance_output(run->instance, 0).data;
	}
}

static void end(struct run *run)
{
	instance_destroy(run->instance);
	plan_unref(run->plan);
	graph_destroy(run->step);
	train_memory_destroy(run->memory);
	graph_destroy(run->base);
}

static void expect_equal(const struct run *a, const struct run *b)
{
	for (int t = 0; t < STEPS; t++)
		cr_expect(!memcmp(&a->loss[t], &b->loss[t], sizeof(float)),
			  "step %d: loss %.9g and %.9g", t, (double)a->loss[t],
			  (double)b->loss[t]);
	for (int32_t i = 0; i < a->base->n_variable; i++) {
		const struct variable *x = &a->base->variable[i];
		const struct variable *y = &b->base->variable[i];

		cr_expect(!memcmp(x->view.data, y->view.data,
				  tensor_bytes(x->view.dtype, &x->view.shape)),
			  "'%s' is another", x->name);
	}
}

static int count(const struct plan *plan, const char *op, bool clones)
{
	int n = 0;

	for (int32_t i = 0; i < plan->graph->n_node; i++)
		n += !strcmp(plan->graph->node[i].op->name, op) &&
		     (plan->graph->node[i].epoch > 0) == clones;
	return n;
}

Test(plan_recompute, a_step_in_half_of_the_memory_has_the_same_bits)
{
	struct run whole, half, least;
	size_t arena;

	begin(&whole);
	make_plan(&whole, 0);
	arena = plan_report(whole.plan)->arena;
	cr_expect_eq(plan_report(whole.plan)->n_recomputed, 0);
	begin(&half);
	/* goals are of values: kernels' scratch and gaps come on top */
	make_plan(&half, arena / 100 * 45);
	begin(&least);
	make_plan(&least, 1);
	cr_expect_leq(plan_report(half.plan)->arena, arena / 2,
		      "%zu bytes of %zu", plan_report(half.plan)->arena, arena);
	cr_expect_leq(plan_report(least.plan)->arena,
		      plan_report(half.plan)->arena);
	train(&whole);
	train(&half);
	train(&least);
	expect_equal(&whole, &half);
	expect_equal(&whole, &least);
	cr_expect_neq(whole.loss[0], whole.loss[STEPS - 1]);
	end(&whole);
	end(&half);
	end(&least);
}

Test(plan_recompute, so_has_one_with_rounded_operands)
{
	struct run whole, least;

	begin(&whole);
	begin(&least);
	whole.products = least.products = PRODUCTS_BF16;
	make_plan(&whole, 0);
	make_plan(&least, 1);
	cr_expect_lt(plan_report(least.plan)->arena,
		     plan_report(whole.plan)->arena);
	train(&whole);
	train(&least);
	expect_equal(&whole, &least);
	end(&whole);
	end(&least);
}

Test(plan_recompute, draws_and_norms_are_made_again_and_counted_once)
{
	struct run run;

	begin(&run);
	make_plan(&run, 1);
	cr_expect_gt(plan_report(run.plan)->n_recomputed, 0);
	cr_expect_gt(plan_report(run.plan)->recomputed_us, 0);
	cr_expect_gt(count(run.plan, "BatchNormTrain", true), 0);
	cr_expect_gt(count(run.plan, "DropoutTrain", true), 0);
	/* the last segment's are not */
	cr_expect_lt(count(run.plan, "BatchNormTrain", true), BLOCKS);
	cr_expect_eq(count(run.plan, "BatchNormTrain", false), BLOCKS);
	cr_expect_eq(run.plan->graph->n_assign, 2 * BLOCKS + 3);
	end(&run);
}

Test(plan_recompute, a_goal_that_is_met_changes_nothing)
{
	struct run run;
	size_t arena;

	begin(&run);
	make_plan(&run, 0);
	arena = plan_report(run.plan)->arena;
	plan_unref(run.plan);
	make_plan(&run, 4 * arena);
	cr_expect_eq(plan_report(run.plan)->n_recomputed, 0);
	cr_expect_leq(plan_report(run.plan)->arena, arena);
	end(&run);
}
