/* SPDX-License-Identifier: Apache-2.0 */
#include "spelling_row.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"

enum { ELEMENTS = 3 };

static const char domain[] = "ai.onnx.ml";

/* clang-format off */
#define A { "a", 1 }
/* clang-format on */

static enum err_code lower(const struct row *row, struct graph *graph,
			   int32_t *ret_out, struct err *err)
{
	struct attr_list list = { row->attr, 0 };
	struct attr_source source = { &list, 0, attr_list_at };
	const int32_t in[] = { 0 };
	struct build build;
	struct spelling_node node = {
		.domain = domain,
		.name = row->name + sizeof(domain),
		.opset = row->opset,
		.node_name = "old",
		.attrs = &source,
		.in = in,
		.n_in = 1,
		.out = ret_out,
		.n_out = 1,
	};

	while (list.n < ATTRS_MAX && row->attr[list.n].name)
		list.n++;
	source.n = list.n;
	build_init(&build, graph, NULL);
	return spelling_lower(&build, &node, err);
}

static struct graph *parse(const char *text)
{
	struct graph *graph = NULL;
	struct fact *input = NULL;
	struct err err = { 0 };

	cr_assert_eq(graph_text_parse(text, &graph, &input, &err), ERR_NONE,
		     "%s: %s", text, err.msg);
	return graph;
}

static void run(const struct graph *graph, struct interpreter_result *ret)
{
	static struct str text[ELEMENTS] = { { "b", 1 }, { "zz", 2 }, A };
	static int64_t whole[ELEMENTS] = { 1, 7, 5 };
	const bool is_text =
	    graph->value[graph->input[0]].type.elem == DTYPE_STRING;
	struct tensor_view view = {
		.data = is_text ? (void *)text : (void *)whole,
		.dtype = is_text ? DTYPE_STRING : DTYPE_I64,
		.shape = { 1, { ELEMENTS } },
	};
	struct err err = { 0 };

	cr_assert_eq(interpret(graph, &view, NULL, ret, &err), ERR_NONE, "%s",
		     err.msg);
}

static void check_row(const struct row *row)
{
	struct graph *old = parse(row->inputs), *new = parse(row->canonical);
	struct interpreter_result got, want;
	const struct tensor_view *a, *b;
	struct err err = { 0 };
	int32_t out = VALUE_NONE;

	cr_assert_eq(lower(row, old, &out, &err), ERR_NONE, "%s: %s", row->name,
		     err.msg);
	cr_assert_eq(graph_add_output(old, out, NULL), ERR_NONE);
	run(old, &got);
	run(new, &want);
	a = &got.value[old->output[0]];
	b = &want.value[new->output[0]];
	cr_assert_eq(a->dtype, b->dtype, "%s", row->name);
	for (int i = 0; i < ELEMENTS; i++) {
		if (a->dtype == DTYPE_STRING)
			cr_assert_str_eq(((struct str *)a->data)[i].bytes,
					 ((struct str *)b->data)[i].bytes);
		else
			cr_assert_eq(((int64_t *)a->data)[i],
				     ((int64_t *)b->data)[i]);
	}
	interpreter_result_finish(&got);
	interpreter_result_finish(&want);
	graph_destroy(old);
	graph_destroy(new);
}

Test(spelling_ml, means_the_canonical_form)
{
	for (const struct row *row = spelling_ml_rows; row->name; row++)
		check_row(row);
}

Test(spelling_ml, every_spelling_has_a_row_here)
{
	for (size_t i = 0; spelling_at(i); i++) {
		const struct spelling *spelling = spelling_at(i);
		bool found = strcmp(spelling->domain, domain) != 0;

		for (const struct row *row = spelling_ml_rows; row->name; row++)
			found = found || (!strcmp(row->name + sizeof(domain),
						  spelling->name) &&
					  row->opset >= spelling->from &&
					  row->opset <= spelling->to);
		cr_assert(found, "%s", spelling->name);
	}
}

Test(spelling_ml, only_strings_and_integers_are_mapped)
{
	const struct row row = {
		.name = "ai.onnx.ml.CategoryMapper",
		.opset = 1,
	};
	struct graph *graph = parse("x:float[3]");
	struct err err = { 0 };
	int32_t out;

	cr_assert_eq(lower(&row, graph, &out, &err), ERR_INVALID);
	cr_assert_not_null(strstr(err.msg, "strings or int64"), "%s", err.msg);
	graph_destroy(graph);
}
