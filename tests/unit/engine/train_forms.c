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

/* What makes the products that an LSTM's steps begin with. */
static const char *maker_of_products(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		int32_t value;

		if (strcmp(node->op->name, "LSTMSteps") != 0)
			continue;
		value = graph_in(graph, node)[0];
		return graph->node[graph->value[value].source].op->name;
	}
	return "nothing";
}

/* Counts operators of the step graph of a base graph. */
static void expect_counts(const char *text, const char *maker, bool without_y,
			  const char *const *op, const int *want)
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

	cr_assert_eq(graph_text_parse(text, &base, &given, &err), ERR_NONE,
		     "%s", err.msg);
	if (without_y)
		leave_out_y(base);
	cr_assert_eq(facts_type_graph(base, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(train_memory_create(base, 0, false, &memory, &err),
		     ERR_NONE);
	input[0] = given[0];
	input[1] = fact_of(DTYPE_I64, (struct shape){ 1, { 3 } });
	cr_assert_eq(
	    train_step_build(base, memory, &options, input, &step, &err),
	    ERR_NONE, "%s", err.msg);
	for (size_t i = 0; op[i]; i++)
		cr_expect_eq(count(step, op[i]), want[i], "%s", op[i]);
	cr_expect_str_eq(maker_of_products(step), maker);
	graph_destroy(step);
	train_memory_destroy(memory);
	graph_destroy(base);
}

Test(train_forms, a_usual_lstm_keeps_what_its_way_back_needs)
{
	static const char *const op[] = { "LSTM", "LSTMGrad", "LSTMSteps",
					  "LSTMStepsGrad", NULL };
	static const int want[] = { 0, 0, 1, 1 };

	expect_counts("y, h = LSTM(x:float[5,3,4], w:float[1,8,4]!, "
		      "r:float[1,8,2]!); z = Squeeze(h, a:int64[1]={0}); "
		      "return z",
		      "Reshape", true, op, want);
}

Test(train_forms, a_layer_without_its_sequence_is_run_once)
{
	static const char *const op[] = { "LSTM", "LSTMGrad", "LSTMSteps",
					  NULL };
	static const int want[] = { 1, 1, 0 };

	/* a clip is not usual */
	expect_counts("y, h = LSTM<clip=3>(x:float[5,3,4], w:float[1,8,4]!, "
		      "r:float[1,8,2]!); z = Squeeze(h, a:int64[1]={0}); "
		      "return z",
		      "nothing", true, op, want);
}

/* 15 rows of a table of 7: the table is multiplied, of one of 8 the rows. */
Test(train_forms,
     rows_of_a_small_table_are_multiplied_before_they_are_looked_up)
{
	static const char *const op[] = { "LSTMSteps", "Gather", NULL };
	static const int want[] = { 1, 1 };

	expect_counts("x = Gather(e:float[7,4]!, i:int64[5,3]); "
		      "y, h = LSTM(x, w:float[1,8,4]!, r:float[1,8,2]!); "
		      "z = Squeeze(h, a:int64[1]={0}); return z",
		      "Gather", false, op, want);
	expect_counts("x = Gather(e:float[8,4]!, i:int64[5,3]); "
		      "y, h = LSTM(x, w:float[1,8,4]!, r:float[1,8,2]!); "
		      "z = Squeeze(h, a:int64[1]={0}); return z",
		      "Reshape", false, op, want);
}

/* Of a table's rows the biases go with the table: one sum makes one of both,
 * and one gives their gradient. Elsewhere the steps add them. */
Test(train_forms, biases_go_with_the_table)
{
	static const char *const op[] = { "LSTMSteps", "Concat", NULL };
	static const int of_table[] = { 1, 1 }, of_rows[] = { 1, 2 };

	expect_counts("x = Gather(e:float[7,4]!, i:int64[5,3]); "
		      "y, h = LSTM(x, w:float[1,8,4]!, r:float[1,8,2]!, "
		      "b:float[1,16]!); "
		      "z = Squeeze(h, a:int64[1]={0}); return z",
		      "Gather", false, op, of_table);
	expect_counts("x = Gather(e:float[8,4]!, i:int64[5,3]); "
		      "y, h = LSTM(x, w:float[1,8,4]!, r:float[1,8,2]!, "
		      "b:float[1,16]!); "
		      "z = Squeeze(h, a:int64[1]={0}); return z",
		      "Reshape", false, op, of_rows);
}
