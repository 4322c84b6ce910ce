/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spelling.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"

enum { ATTRS_MAX = 5, ELEMENTS = 3 };

/* A node of ai.onnx.ml over x, and the graph text that means the same. */
struct row {
	const char *name;
	unsigned opset;
	struct attr_named attr[ATTRS_MAX];
	const char *input, *canonical;
};

/* clang-format off */
#define INT(label, number) { label, { .kind = ATTR_INT, .i = (number) } }
#define TEXT(label, text)                                                      \
	{ label, { .kind = ATTR_STRING, .s = { text, sizeof(text) - 1 } } }
#define INTS(label, ...)                                                       \
	{ label, { .kind = ATTR_INTS,                                          \
		   .ints = { sizeof((int64_t[]){ __VA_ARGS__ }) / 8,           \
			     (const int64_t[]){ __VA_ARGS__ } } } }
#define STRS(label, ...)                                                       \
	{ label, { .kind = ATTR_STRINGS,                                       \
		   .strings = { sizeof((struct str[]){ __VA_ARGS__ }) /        \
				    sizeof(struct str),                        \
				(const struct str[]){ __VA_ARGS__ } } } }
#define A { "a", 1 }
#define B { "b", 1 }

static const struct row rows[] = {
	{ "LabelEncoder", 1, { STRS("classes_strings", A, B), INT("default_int64", 9) },
	  "x:string[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_strings=[\"a\",\"b\"], "
	  "values_int64s=[0,1], default_int64=9>(x:string[3])" },
	{ "LabelEncoder", 1, { STRS("classes_strings", A, B), TEXT("default_string", "?") },
	  "x:int64[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_int64s=[0,1], "
	  "values_strings=[\"a\",\"b\"], default_string=\"?\">(x:int64[3])" },
	{ "CategoryMapper", 1, { STRS("cats_strings", A, B), INTS("cats_int64s", 7, 1) },
	  "x:string[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_strings=[\"a\",\"b\"], "
	  "values_int64s=[7,1]>(x:string[3])" },
	{ "CategoryMapper", 3, { STRS("cats_strings", A, B), INTS("cats_int64s", 7, 1) },
	  "x:int64[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_int64s=[7,1], "
	  "values_strings=[\"a\",\"b\"]>(x:int64[3])" },
};
/* clang-format on */
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static enum err_code lower(const struct row *row, struct graph *graph,
			   int32_t *ret_out, struct err *err)
{
	struct attr_list list = { row->attr, 0 };
	struct attr_source source = { &list, 0, attr_list_at };
	const int32_t in[] = { 0 };
	struct build build;
	struct spelling_node node = {
		.domain = "ai.onnx.ml",
		.name = row->name,
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
	struct graph *old = parse(row->input), *new = parse(row->canonical);
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
	for (size_t i = 0; i < N_ROWS; i++)
		check_row(&rows[i]);
}

Test(spelling_ml, every_spelling_has_a_row_here)
{
	for (size_t i = 0; spelling_at(i); i++) {
		const struct spelling *spelling = spelling_at(i);
		bool found = strcmp(spelling->domain, "ai.onnx.ml") != 0;

		for (size_t j = 0; j < N_ROWS; j++)
			found =
			    found || (!strcmp(rows[j].name, spelling->name) &&
				      rows[j].opset >= spelling->from &&
				      rows[j].opset <= spelling->to);
		cr_assert(found, "%s", spelling->name);
	}
}

Test(spelling_ml, only_strings_and_integers_are_mapped)
{
	const struct row row = {
		.name = "CategoryMapper",
		.opset = 1,
	};
	struct graph *graph = parse("x:float[3]");
	struct err err = { 0 };
	int32_t out;

	cr_assert_eq(lower(&row, graph, &out, &err), ERR_INVALID);
	cr_assert_not_null(strstr(err.msg, "strings or int64"), "%s", err.msg);
	graph_destroy(graph);
}
