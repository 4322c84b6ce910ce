/* SPDX-License-Identifier: Apache-2.0 */
#include "spelling_row.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "engine/graph_text.h"
#include "engine/interpreter.h"

enum { VALUES_MAX = 16, DOMAIN_MAX = 32 };

static const struct row *row_at(size_t i)
{
	static const struct row *const tables[] = {
		spelling_early_rows, spelling_more_rows, spelling_image_rows,
		spelling_index_rows, spelling_quantized_rows
	};

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct row *row = tables[t]; row->name; row++)
			if (i-- == 0)
				return row;
	return NULL;
}

static size_t count_attrs(const struct attr_named *attr)
{
	size_t n = 0;

	while (n < ATTRS_MAX && attr[n].name)
		n++;
	return n;
}

/* The part of a row's name before its last dot, into text, and the rest. */
static const char *split_name(const char *name, char domain[DOMAIN_MAX])
{
	const char *dot = strrchr(name, '.');

	(void)snprintf(domain, DOMAIN_MAX, "%.*s", dot ? (int)(dot - name) : 0,
		       name);
	return dot ? dot + 1 : name;
}

static enum err_code lower_as(const struct row *row, struct graph *graph,
			      int32_t *out, unsigned n_out, struct err *err)
{
	struct attr_list list = { row->attr, count_attrs(row->attr) };
	struct attr_source source = { &list, list.n, attr_list_at };
	char domain[DOMAIN_MAX];
	int32_t in[VALUES_MAX];
	struct build build;
	struct spelling_node node = {
		.domain = domain,
		.name = split_name(row->name, domain),
		.opset = row->opset,
		.node_name = "old",
		.attrs = &source,
		.in = in,
		.out = out,
		.n_out = n_out,
	};

	for (int32_t i = 0; i < graph->n_value; i++)
		in[node.n_in++] =
		    strncmp(graph->value[i].name, "hole", 4) ? i : VALUE_NONE;
	build_init(&build, graph, NULL);
	return spelling_lower(&build, &node, err);
}

static enum err_code lower(const char *name, unsigned opset,
			   const struct attr_named *attr, struct graph *graph,
			   int32_t *out, unsigned n_out, struct err *err)
{
	struct row row = { .name = name, .opset = opset };

	for (size_t i = 0; i < count_attrs(attr); i++)
		row.attr[i] = attr[i];
	return lower_as(&row, graph, out, n_out, err);
}

static struct graph *parse(const char *text, struct fact **ret_input)
{
	struct graph *graph = NULL;
	struct err err = { 0 };

	cr_assert_eq(graph_text_parse(text, &graph, ret_input, &err), ERR_NONE,
		     "%s: %s", text, err.msg);
	return graph;
}

/* The old node as a graph of its own. */
static struct graph *lower_row(const struct row *row, struct fact **ret_input)
{
	struct graph *graph = parse(row->inputs, ret_input);
	struct graph *canonical = parse(row->canonical, NULL);
	unsigned n_out = (unsigned)canonical->n_output;
	int32_t out[VALUES_MAX];
	struct err err = { 0 };

	cr_assert_eq(lower_as(row, graph, out, n_out, &err), ERR_NONE,
		     "%s-%u: %s", row->name, row->opset, err.msg);
	for (unsigned i = 0; i < n_out; i++)
		cr_assert_eq(graph_add_output(graph, out[i], NULL), ERR_NONE);
	cr_assert_eq(graph_tidy(graph, &err), ERR_NONE, "%s", err.msg);
	graph_destroy(canonical);
	return graph;
}

/* Input i of numbers that no rule makes special. */
static struct tensor_view make_input(const struct fact *fact, int i)
{
	struct tensor_view view = { .dtype = fact->type.elem,
				    .shape = fact->shape };
	size_t n = (size_t)shape_count(&fact->shape);
	size_t size = dtype_info(view.dtype)->size;

	view.data = mem_zero(n * size + 1);
	for (size_t j = 0; j < n; j++) {
		double value = sin((double)(j * 7 + (size_t)i * 3 + 1));

		if (!dtype_is_float(view.dtype))
			value = (double)((j + (size_t)i) % 2);
		dtype_convert(DTYPE_F64, &value, view.dtype,
			      (char *)view.data + j * size, 1, false);
	}
	return view;
}

static bool same_element(const struct tensor_view *a,
			 const struct tensor_view *b, size_t i)
{
	size_t size = dtype_info(a->dtype)->size;
	const char *x = (const char *)a->data + i * size;
	const char *y = (const char *)b->data + i * size;
	double p, q;

	if (a->dtype == DTYPE_STRING)
		return !strcmp(((const struct str *)a->data)[i].bytes,
			       ((const struct str *)b->data)[i].bytes);
	dtype_convert(a->dtype, x, DTYPE_F64, &p, 1, false);
	dtype_convert(b->dtype, y, DTYPE_F64, &q, 1, false);
	return (isnan(p) && isnan(q)) || fabs(p - q) <= 1e-6 * (1 + fabs(p));
}

static void check_same(const struct row *row, const struct tensor_view *got,
		       const struct tensor_view *want)
{
	size_t n = (size_t)shape_count(&want->shape);
	char a[160], b[160];

	cr_assert_eq(got->dtype, want->dtype, "%s-%u", row->name, row->opset);
	cr_assert(shape_equal(&got->shape, &want->shape), "%s-%u: %s, not %s",
		  row->name, row->opset, shape_text(&got->shape, a, sizeof(a)),
		  shape_text(&want->shape, b, sizeof(b)));
	for (size_t i = 0; i < n; i++)
		cr_assert(same_element(got, want, i), "%s-%u: element %zu",
			  row->name, row->opset, i);
}

static void run(const struct graph *graph, const struct tensor_view *input,
		struct interpreter_result *ret)
{
	struct interpreter_options options = { .reference = true,
					       .max_bytes = 1 << 24 };
	struct err err = { 0 };

	cr_assert_eq(interpret(graph, input, &options, ret, &err), ERR_NONE,
		     "%s", err.msg);
}

static void check_row(const struct row *row)
{
	struct fact *input = NULL;
	struct graph *old = lower_row(row, &input);
	struct graph *new = parse(row->canonical, NULL);
	struct tensor_view views[VALUES_MAX] = { { 0 } };
	struct interpreter_result got, want;

	cr_assert_eq(old->n_input, new->n_input, "%s", row->name);
	for (int32_t i = 0; i < old->n_input; i++)
		views[i] = make_input(&input[i], i);
	run(old, views, &got);
	run(new, views, &want);
	for (int32_t i = 0; i < old->n_output; i++)
		check_same(row, &got.value[old->output[i]],
			   &want.value[new->output[i]]);
	interpreter_result_finish(&got);
	interpreter_result_finish(&want);
	for (int32_t i = 0; i < old->n_input; i++)
		mem_free(views[i].data);
	graph_destroy(old);
	graph_destroy(new);
}

Test(spelling, old_forms_compute_what_their_canonical_text_does)
{
	for (size_t i = 0; row_at(i); i++)
		check_row(row_at(i));
}

Test(spelling, shapes_of_lowered_nodes_are_known_without_a_run)
{
	for (size_t i = 0; row_at(i); i++) {
		struct fact *input = NULL;
		struct graph *graph = lower_row(row_at(i), &input);
		struct facts *facts = NULL;
		struct err err = { 0 };

		cr_assert_eq(facts_create(graph, input, &facts, &err), ERR_NONE,
			     "%s", err.msg);
		for (int32_t j = 0; j < graph->n_output; j++)
			cr_assert(facts->fact[graph->output[j]].has_shape, "%s",
				  row_at(i)->name);
		facts_destroy(facts);
		graph_destroy(graph);
	}
}

static bool is_tested(const struct spelling *spelling)
{
	if (!strcmp(spelling->domain, "ai.onnx.ml"))
		return true; /* by spelling_ml.c */
	for (size_t i = 0; row_at(i); i++) {
		const struct row *row = row_at(i);
		char domain[DOMAIN_MAX];

		if (!strcmp(split_name(row->name, domain), spelling->name) &&
		    !strcmp(domain, spelling->domain) &&
		    row->opset >= spelling->from && row->opset <= spelling->to)
			return true;
	}
	return false;
}

/* The interpreter has no gradients: tests/unit/engine/plan_gradient.c. */
static bool is_for_plans(const struct spelling *spelling)
{
	return !strcmp(spelling->name, "Gradient");
}

Test(spelling, every_spelling_has_a_row_here)
{
	for (size_t i = 0; spelling_at(i); i++) {
		const struct spelling *row = spelling_at(i);
		const struct op *op = op_find(row->domain, row->name);

		/* bodies have no notation: tests/unit/models/onnx_body.c */
		cr_assert(is_tested(row) || (op && op->bodies) ||
			      is_for_plans(row),
			  "%s, opset %u to %u", row->name, row->from, row->to);
	}
}

Test(spelling, ranges_of_one_operator_do_not_meet)
{
	for (size_t i = 0; spelling_at(i); i++)
		for (size_t j = i + 1; spelling_at(j); j++) {
			const struct spelling *a = spelling_at(i);
			const struct spelling *b = spelling_at(j);

			cr_assert(strcmp(a->name, b->name) ||
				      strcmp(a->domain, b->domain) ||
				      a->to < b->from || b->to < a->from,
				  "%s", a->name);
		}
}

Test(spelling, every_spelling_ends_where_its_row_begins)
{
	for (size_t i = 0; spelling_at(i); i++) {
		const struct spelling *row = spelling_at(i);
		const struct op *op = op_find(row->domain, row->name);

		if (!op)
			continue;
		cr_assert(spelling_find(row->domain, row->name, row->to + 1U) ||
			      op->since <= row->to + 1U,
			  "%s: nothing at opset %u", row->name, row->to + 1U);
	}
}

static void check_refusal(const char *name, unsigned opset,
			  const struct attr_named *attr, const char *inputs,
			  const char *says)
{
	struct graph *graph = parse(inputs, NULL);
	int32_t out[VALUES_MAX];
	struct err err = { 0 };

	cr_assert_neq(lower(name, opset, attr, graph, out, 1, &err), ERR_NONE,
		      "%s", name);
	cr_assert_not_null(strstr(err.msg, says), "%s: %s", name, err.msg);
	graph_destroy(graph);
}

static const struct attr_named none[1];
static const struct attr_named wrong[] = { INT("axis", 1), { 0 } };
static const struct attr_named text[] = { TEXT("axes", "1"), { 0 } };
static const struct attr_named both[] = { INTS("split", 1, 1), { 0 } };
static const struct attr_named two[] = { INT("value_int", 1),
					 INT("value_int", 2),
					 { 0 } };

Test(spelling, refusals_name_node_and_attribute)
{
	check_refusal("Unsqueeze", 11, none, "x:float[2]",
		      "node 'old' (Unsqueeze): attribute 'axes' is missing");
	check_refusal("Squeeze", 11, wrong, "x:float[2]",
		      "unknown attribute 'axis'");
	check_refusal("Squeeze", 11, text, "x:float[2]",
		      "attribute 'axes' must be a list of integers");
	check_refusal("Split", 11, both, "x:float[2]; s:int64[2]",
		      "has both attribute 'split' and input 1");
	check_refusal("Constant", 11, two, "", "must have one attribute");
	check_refusal("Constant", 11, none, "", "must have one attribute");
	check_refusal("NoSuch", 13, none, "x:float[2]",
		      "operator 'NoSuch' of domain 'ai.onnx' is not supported");
	check_refusal("Softmax", 9, text, "x:float[2]",
		      "unknown attribute 'axes'; did you mean 'axis'?");
	check_refusal("Round", 5, none, "x:float[2]",
		      "operator 'Round' of opset 5 is not supported");
}

Test(spelling, our_own_rows_are_no_part_of_files)
{
	struct graph *graph = parse("a:float[2]; b:float[2]", NULL);
	int32_t in[] = { 0, 1 }, out;
	struct spelling_node node = {
		.domain = "predictd",
		.name = "ReluGrad",
		.opset = 1,
		.node_name = "n",
		.attrs = &attr_source_none,
		.in = in,
		.n_in = 2,
		.out = &out,
		.n_out = 1,
	};
	struct build build;

	build_init(&build, graph, NULL);
	cr_assert_eq(spelling_lower(&build, &node, NULL), ERR_UNSUPPORTED);
	graph_destroy(graph);
}

Test(spelling, unknown_types_are_followed_later)
{
	struct graph *graph = NULL;
	static const struct attr_named attr[] = { FLOAT("min", 0), { 0 } };
	int32_t x, out;

	cr_assert_eq(graph_create(1 << 20, &graph, NULL), ERR_NONE);
	cr_assert_eq(graph_add_input(graph, "x", (struct type){ 0 }, &x, NULL),
		     ERR_NONE);
	cr_assert_eq(lower("Clip", 6, attr, graph, &out, 1, NULL), ERR_NONE);
	graph->value[x].type.elem = DTYPE_F64;
	cr_assert_eq(facts_type_graph(graph, NULL), ERR_NONE);
	cr_assert_eq(graph->value[out].type.elem, DTYPE_F64);
	graph_destroy(graph);
}
