/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "engine/spelling.h"
#include "plan_help.h"

static void fill(struct bench *bench, unsigned input, float first)
{
	struct tensor_view view = instance_input(bench->instance, input);
	float *x = view.data;

	for (int64_t i = 0; i < shape_count(&view.shape); i++)
		x[i] = first + (float)i;
}

Test(plan_gradient, nodes_become_what_autodiff_appends)
{
	const struct plan_options options = { .threads = 1 };
	struct bench bench;

	bench_parse(&bench, "y = Mul(x:float[3], Mul(x, w:float[3]))\n"
			    "dx, dw = predictd.Gradient(y, x, w)\n"
			    "second = predictd.Gradient(dw, x)\n"
			    "none = predictd.Gradient(dw, w)\n"
			    "return dx, dw, second, none");
	bench_plan(&bench, &options);
	fill(&bench, 0, 1);
	fill(&bench, 1, 5);
	cr_assert_eq(instance_run(bench.instance, NULL, NULL), ERR_NONE);
	for (int i = 0; i < 3; i++) {
		const float x = (float)(1 + i), w = (float)(5 + i);

		cr_assert_eq(bench_floats(&bench, 0)[i], 2 * x * w);
		cr_assert_eq(bench_floats(&bench, 1)[i], x * x);
		cr_assert_eq(bench_floats(&bench, 2)[i], 2 * x);
		cr_assert_eq(bench_floats(&bench, 3)[i], 0.0F);
	}
	bench_finish(&bench);
}

static enum err_code lower(const struct attr_named *attr, size_t n_attr,
			   unsigned n_in, struct err *err)
{
	struct attr_list list = { attr, n_attr };
	struct attr_source source = { &list, n_attr, attr_list_at };
	const int32_t in[] = { 0, 1, 2 };
	int32_t out[1];
	struct spelling_node node = {
		.domain = "ai.onnx.preview.training",
		.name = "Gradient",
		.opset = 1,
		.node_name = "g",
		.attrs = &source,
		.in = in,
		.n_in = n_in,
		.out = out,
		.n_out = 1,
	};
	struct graph *graph = NULL;
	struct build build;
	enum err_code rc;

	cr_assert_eq(graph_text_parse("y = Mul(x:float[3], z:float[3])", &graph,
				      NULL, NULL),
		     ERR_NONE);
	build_init(&build, graph, NULL);
	rc = spelling_lower(&build, &node, err);
	graph_destroy(graph);
	return rc;
}

Test(plan_gradient, names_of_the_file_must_fit_its_inputs)
{
	static const struct str names[] = { { "x", 1 }, { "z", 1 } };
	const struct attr_named attr[] = {
		{ "xs", { .kind = ATTR_STRINGS, .strings = { 1, names } } },
		{ "y", { .kind = ATTR_STRING, .s = { "y", 1 } } },
		{ "zs", { .kind = ATTR_STRINGS, .strings = { 1, names + 1 } } },
	};
	struct err err = { 0 };

	cr_assert_eq(lower(attr, 3, 3, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(lower(attr, 2, 2, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(lower(attr, 2, 3, &err), ERR_INVALID);
	cr_assert_eq(lower(attr + 1, 2, 3, &err), ERR_INVALID);
}
