/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A graph from text, run once by the interpreter.
 */
#ifndef TESTS_UNIT_ENGINE_OPS_RUN_TEXT_H
#define TESTS_UNIT_ENGINE_OPS_RUN_TEXT_H

#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"

struct run_text {
	struct graph *graph;
	struct interpreter_result result;
	struct err err;
	enum err_code rc; /**< of the run; parsing must succeed */
};

/** data[i]: elements of graph input i. */
static inline void run_text(struct run_text *run, const char *text,
			    void *const *data)
{
	const struct interpreter_options options = { .max_bytes = 1 << 28 };
	struct tensor_view in[8] = { { 0 } };
	struct fact *input = NULL;

	*run = (struct run_text){ .rc = ERR_NONE };
	run->rc = graph_text_parse(text, &run->graph, &input, &run->err);
	cr_assert_eq(run->rc, ERR_NONE, "%s", run->err.msg);
	cr_assert_leq(run->graph->n_input, 8);
	for (int32_t i = 0; i < run->graph->n_input; i++)
		in[i] = (struct tensor_view){ .data = data[i],
					      .dtype = input[i].type.elem,
					      .shape = input[i].shape };
	run->rc = interpret(run->graph, in, &options, &run->result, &run->err);
}

static inline const void *run_text_output(const struct run_text *run, int i)
{
	cr_assert_eq(run->rc, ERR_NONE, "%s", run->err.msg);
	return run->result.value[run->graph->output[i]].data;
}

static inline void run_text_finish(struct run_text *run)
{
	if (!run->rc)
		interpreter_result_finish(&run->result);
	graph_destroy(run->graph);
}

#endif
