/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Training forms: recurrent layers. Those of Dropout and BatchNormalization
 * are in train_step.c.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/graph_text.h"
#include "engine/ops/loss.h"
#include "engine/ops/optimizer.h"
#include "engine/train_step.h"

static const char layer[] =
    "y, h = LSTM(x:float[5,3,4], w:float[1,8,4]!, r:float[1,8,2]!);"
    "z = Squeeze(h, a:int64[1]={0}); return z";

static struct fact fact_of(enum dtype elem, struct shape shape)
{
	return (struct fact){ .type = { .elem = elem },
			      .shape = shape,
			      .has_shape = true };
}

static int count(const struct graph *graph, const char *op)
{
	int n = 0;

	for (int32_t i = 0; i < graph->n_node; i++)
		n += !strcmp(graph->node[i].op->name, op);
	return n;
}

/* As files have it that need no more than the last state. */
static void leave_out_y(struct graph *graph)
{
	const struct graph_node *node = &graph->node[0];

	cr_assert_str_eq(node->op->name, "LSTM");
	graph->edge[node->first_out] = VALUE_NONE;
}

Test(train_forms, a_layer_without_its_sequence_is_run_once)
{
	static const struct cross_entropy_attrs loss = { .ignore_index = -100 };
	static const struct optimizer_attrs attrs = { .momentum = 0 };
	const struct train_step_options options = {
		.loss = { .op = "SoftmaxCrossEntropy",
			  .attrs = &loss,
			  .target = { .elem = DTYPE_I64 } },
		.optimizer = "Sgd",
		.optimizer_attrs = &attrs,
		.n_groups = 1,
	};
	struct fact input[2], *given = NULL;
	struct train_memory *memory = NULL;
	struct graph *base = NULL, *step = NULL;
	struct err err;

	cr_assert_eq(graph_text_parse(layer, &base, &given, &err), ERR_NONE,
		     "%s", err.msg);
	leave_out_y(base);
	cr_assert_eq(facts_type_graph(base, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(train_memory_create(base, 0, false, &memory, &err),
		     ERR_NONE);
	input[0] = given[0];
	input[1] = fact_of(DTYPE_I64, (struct shape){ 1, { 3 } });
	cr_assert_eq(
	    train_step_build(base, memory, &options, input, &step, &err),
	    ERR_NONE, "%s", err.msg);
	cr_expect_eq(count(step, "LSTM"), 1);
	cr_expect_eq(count(step, "LSTMGrad"), 1);
	graph_destroy(step);
	train_memory_destroy(memory);
	graph_destroy(base);
}
