/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/graph_body.h"
#include "engine/op.h"

static const struct type float_type = { .elem = DTYPE_F32 };

static struct graph *make_graph(void)
{
	struct graph *graph = NULL;

	cr_assert_eq(graph_create(64 << 20, &graph, NULL), ERR_NONE);
	return graph;
}

static int32_t add_input(struct graph *graph, const char *name)
{
	int32_t value = VALUE_NONE;

	cr_assert_eq(graph_add_input(graph, name, float_type, &value, NULL),
		     ERR_NONE);
	return value;
}

static int32_t add_node(struct graph *graph, const char *op, const char *name,
			int32_t a, int32_t b)
{
	int32_t in[] = { a, b }, out = VALUE_NONE;
	struct err err = { 0 };

	cr_assert_eq(graph_add_node(graph, op_find("", op), name, NULL, in,
				    b == VALUE_NONE ? 1 : 2, &out, 1, &err),
		     ERR_NONE, "%s", err.msg);
	return out;
}

Test(graph, values_know_where_they_come_from)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t y = add_node(graph, "Relu", "act", x, VALUE_NONE);

	cr_assert_str_eq(graph->value[x].name, "x");
	cr_assert_str_eq(graph->value[y].name, "v1");
	cr_assert_eq(graph->value[y].type.elem, DTYPE_F32);
	cr_assert_null(graph_producer(graph, x));
	cr_assert_str_eq(graph_producer(graph, y)->name, "act");
	cr_assert_eq(graph_find_value(graph, "v1"), y);
	cr_assert_eq(graph_find_value(graph, "nobody"), VALUE_NONE);
	cr_assert_eq(graph_rename(graph, y, "out", NULL), ERR_NONE);
	cr_assert_eq(graph_find_value(graph, "out"), y);
	graph_destroy(graph);
}

Test(graph, operands_of_two_types_are_refused_by_name)
{
	struct graph *graph = make_graph();
	struct type whole = { .elem = DTYPE_I64 };
	int32_t in[2], out, n_value;
	struct err err;

	in[0] = add_input(graph, "x");
	cr_assert_eq(graph_add_input(graph, "i", whole, &in[1], NULL),
		     ERR_NONE);
	n_value = graph->n_value;
	cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "sum", NULL, in,
				    2, &out, 1, &err),
		     ERR_INVALID);
	cr_assert_str_eq(err.msg,
			 "node 'sum' (Add): 'B' must be float like the "
			 "operands before it, but is int64");
	cr_assert_eq(graph->n_value, n_value, "nothing is left behind");
	cr_assert_eq(graph->n_node, 0);
	graph_destroy(graph);
}

Test(graph, counts_of_operands_are_checked)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t in[] = { x, x, x }, out[2];
	struct err err;

	cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "sum", NULL, in,
				    3, out, 1, &err),
		     ERR_INVALID);
	cr_assert_str_eq(err.msg,
			 "node 'sum' (Add) has 3 inputs; at most 2 are "
			 "allowed");
	cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "sum", NULL, in,
				    1, out, 1, &err),
		     ERR_INVALID);
	cr_assert_str_eq(err.msg, "node 'sum' (Add): input 'B' is missing");
	cr_assert_eq(graph_add_node(graph, op_find("", "Add"), "sum", NULL, in,
				    2, out, 2, &err),
		     ERR_INVALID);
	graph_destroy(graph);
}

Test(graph, a_body_reads_values_that_are_there)
{
	struct graph *graph = make_graph(), *body = NULL;
	struct tensor_view yes = { .dtype = DTYPE_BOOL,
				   .data = &(bool){ true } };
	int32_t in[2] = { VALUE_NONE, VALUE_NONE }, out, own;
	struct err err = { 0 };

	cr_assert_eq(graph_create_body(graph, &body, &err), ERR_NONE);
	cr_assert_eq(graph_add_input(body, "v0", float_type, &own, &err),
		     ERR_NONE);
	cr_assert_eq(graph_add_output(body, own, &err), ERR_NONE);
	cr_assert_eq(graph_add_constant(graph, "c", &yes, &in[0], &err),
		     ERR_NONE);
	cr_assert_eq(graph_add_node(graph, op_find("", "If"), "choice", NULL,
				    in, 2, &out, 1, &err),
		     ERR_NONE);
	cr_assert_eq(
	    graph_set_bodies(graph, (struct graph *[]){ body, body }, 1, &err),
	    ERR_INVALID);
	cr_assert_str_eq(err.msg, "node 'choice' (If): input 1, which its "
				  "bodies read, is missing");
	graph_destroy(graph);
}

Test(graph, untyped_operands_leave_outputs_untyped)
{
	struct graph *graph = make_graph();
	int32_t x = VALUE_NONE, y;

	cr_assert_eq(graph_add_input(graph, "x", (struct type){ 0 }, &x, NULL),
		     ERR_NONE);
	y = add_node(graph, "Relu", "r", x, VALUE_NONE);
	cr_assert_eq(graph->value[y].type.elem, DTYPE_NONE);
	graph_destroy(graph);
}

Test(graph, constants_are_borrowed_or_copied)
{
	struct graph *graph = make_graph();
	float data[2] = { 1, 2 };
	struct tensor_view view = { .data = data,
				    .dtype = DTYPE_F32,
				    .shape = { 1, { 2 } } };
	int32_t lent, own;

	cr_assert_eq(graph_add_constant(graph, "a", &view, &lent, NULL),
		     ERR_NONE);
	cr_assert_eq(graph_copy_constant(graph, "b", &view, &own, NULL),
		     ERR_NONE);
	data[0] = 9;
	cr_assert_eq(*(float *)graph->constant[0].data, 9.0F);
	cr_assert_eq(*(float *)graph->constant[1].data, 1.0F);
	view.shape.dim[0] = -1;
	cr_assert_eq(graph_add_constant(graph, "c", &view, &lent, NULL),
		     ERR_SHAPE);
	graph_destroy(graph);
}

Test(graph, tidy_drops_what_nobody_needs)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t unused = add_node(graph, "Exp", "unused", x, VALUE_NONE);
	int32_t y = add_node(graph, "Relu", "kept", x, VALUE_NONE);
	int32_t readers[8];

	cr_assert_eq(graph_add_output(graph, y, NULL), ERR_NONE);
	graph_count_readers(graph, readers);
	cr_assert_eq(readers[x], 2);
	cr_assert_eq(readers[y], 1);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->n_node, 1);
	cr_assert_str_eq(graph->node[0].name, "kept");
	cr_assert_str_eq(graph_producer(graph, y)->name, "kept");
	cr_assert_null(graph_producer(graph, unused));
	graph_destroy(graph);
}

Test(graph, tidy_restores_an_order_that_can_run)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t a = add_node(graph, "Relu", "a", x, VALUE_NONE);
	int32_t b = add_node(graph, "Exp", "b", a, VALUE_NONE);
	int32_t c = add_node(graph, "Sqrt", "c", b, VALUE_NONE);
	int32_t late = add_node(graph, "Neg", "late", x, VALUE_NONE);

	cr_assert_eq(graph_add_output(graph, c, NULL), ERR_NONE);
	graph_replace_uses(graph, a, late);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->n_node, 3);
	cr_assert_str_eq(graph->node[0].name, "late");
	cr_assert_str_eq(graph->node[1].name, "b");
	cr_assert_str_eq(graph->node[2].name, "c");
	cr_assert_eq(graph_producer(graph, late), &graph->node[0]);
	graph_destroy(graph);
}

Test(graph, tidy_keeps_the_old_order_where_it_can)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x"), value[20];

	for (int i = 0; i < 20; i++)
		value[i] = add_node(graph, "Add", i % 2 ? "odd" : "even",
				    i ? value[i / 2] : x, x);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(graph_add_output(graph, value[i], NULL), ERR_NONE);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(graph_out(graph, &graph->node[i])[0], value[i]);
	graph_destroy(graph);
}

Test(graph, a_cycle_is_named)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t a = add_node(graph, "Relu", "first", x, VALUE_NONE);
	int32_t b = add_node(graph, "Exp", "second", a, VALUE_NONE);
	struct err err;

	cr_assert_eq(graph_add_output(graph, b, NULL), ERR_NONE);
	graph_replace_uses(graph, x, b);
	cr_assert_eq(graph_tidy(graph, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg,
			 "node 'first' (Relu) waits for its own result");
	graph_destroy(graph);
}

Test(graph, reading_a_dead_nodes_value_is_refused)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x");
	int32_t a = add_node(graph, "Relu", "a", x, VALUE_NONE);
	int32_t b = add_node(graph, "Exp", "b", a, VALUE_NONE);

	cr_assert_eq(graph_add_output(graph, b, NULL), ERR_NONE);
	graph->node[0].op = NULL;
	cr_assert_eq(graph_tidy(graph, NULL), ERR_INVALID);
	graph_destroy(graph);
}

Test(graph, many_values_are_forwarded_at_once)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x"), forward[8];
	int32_t a = add_node(graph, "Relu", "a", x, VALUE_NONE);
	int32_t b = add_node(graph, "Exp", "b", a, VALUE_NONE);
	int32_t c = add_node(graph, "Neg", "c", b, VALUE_NONE);

	cr_assert_eq(graph_add_output(graph, c, NULL), ERR_NONE);
	for (int32_t i = 0; i < graph->n_value; i++)
		forward[i] = i;
	forward[b] = a;
	forward[a] = x; /* a chain */
	graph_forward_uses(graph, forward);
	cr_assert_eq(graph_in(graph, &graph->node[2])[0], x);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->n_node, 1);
	graph_destroy(graph);
}

Test(graph, assignments_keep_nodes_alive)
{
	struct graph *graph = make_graph();
	float data[1] = { 0 };
	struct tensor_view view = { .data = data, .dtype = DTYPE_F32 };
	int32_t w, y;

	cr_assert_eq(
	    graph_add_variable(graph, "w", ROLE_STATE, &view, &w, NULL),
	    ERR_NONE);
	y = add_node(graph, "Exp", "grow", w, VALUE_NONE);
	cr_assert_eq(graph_add_assign(graph, 0, y, NULL), ERR_NONE);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->n_node, 1);
	cr_assert_str_eq(graph->variable[0].name, "w");
	graph_destroy(graph);
}

Test(graph, a_clone_changes_on_its_own)
{
	struct graph *graph = make_graph(), *copy = NULL;
	int32_t x = add_input(graph, "x");
	int32_t y = add_node(graph, "Relu", "a", x, VALUE_NONE);

	cr_assert_eq(graph_add_output(graph, y, NULL), ERR_NONE);
	cr_assert_eq(graph_clone(graph, &copy, NULL), ERR_NONE);
	add_node(copy, "Exp", "more", y, VALUE_NONE);
	graph_replace_uses(copy, x, y);
	cr_assert_eq(graph->n_node, 1);
	cr_assert_eq(graph->n_value, 2);
	cr_assert_eq(graph_in(graph, &graph->node[0])[0], x);
	cr_assert_eq(copy->n_node, 2);
	graph_destroy(copy);
	graph_destroy(graph);
}

Test(graph, ten_thousand_nodes_are_tidied_at_once)
{
	struct graph *graph = make_graph();
	int32_t x = add_input(graph, "x"), y = x;

	for (int i = 0; i < 10000; i++)
		y = add_node(graph, "Add", "n", y, x);
	cr_assert_eq(graph_add_output(graph, y, NULL), ERR_NONE);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->n_node, 10000);
	graph_destroy(graph);
}

Test(graph, its_ceiling_is_an_error_and_not_a_crash)
{
	struct graph *graph = NULL;
	enum err_code rc = ERR_NONE;
	int32_t value;

	cr_assert_eq(graph_create(8192, &graph, NULL), ERR_NONE);
	for (int i = 0; i < 1000 && !rc; i++)
		rc = graph_add_input(graph, NULL, float_type, &value, NULL);
	cr_assert_eq(rc, ERR_NO_MEMORY);
	graph_destroy(graph);
	graph_destroy(NULL);
}

Test(graph, every_failing_allocation_is_survived)
{
	for (unsigned long n = 1; n < 20; n++) {
		struct graph *graph = make_graph();
		int32_t x = add_input(graph, "x");
		int32_t y = add_node(graph, "Relu", "a", x, VALUE_NONE);
		enum err_code rc;

		cr_assert_eq(graph_add_output(graph, y, NULL), ERR_NONE);
		mem_fail_at(n);
		rc = graph_tidy(graph, NULL);
		mem_fail_at(0);
		cr_assert(rc == ERR_NONE || rc == ERR_NO_MEMORY);
		cr_assert_eq(graph->n_node, 1);
		graph_destroy(graph);
	}
}
