/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loss base: the network that losses are tried on.
 */
#ifndef TESTS_UNIT_TRAINING_LOSS_BASE_H
#define TESTS_UNIT_TRAINING_LOSS_BASE_H

#include <criterion/criterion.h>

#include "engine/graph.h"
#include "engine/op.h"

/** y = x + w with w[rows, width] of 0: its gradient is that of x. */
static inline struct graph *loss_base(int64_t rows, int64_t width, float *w)
{
	struct graph *graph;
	struct err err = { 0 };
	const struct tensor_view view = { .data = w,
					  .dtype = DTYPE_F32,
					  .shape = { 2, { rows, width } } };
	int32_t x, value, y;

	cr_assert_eq(graph_create(1 << 20, &graph, &err), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x",
				     (struct type){ .elem = DTYPE_F32 }, &x,
				     &err),
		     ERR_NONE);
	cr_assert_eq(
	    graph_add_variable(graph, "w", ROLE_PARAM, &view, &value, &err),
	    ERR_NONE);
	cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "", NULL,
				    (const int32_t[]){ x, value }, 2, &y, 1,
				    &err),
		     ERR_NONE);
	cr_assert_eq(graph_add_output(graph, y, &err), ERR_NONE);
	return graph;
}

#endif
