/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/step_work.h"

#include <criterion/criterion.h>

#include "engine/graph_text.h"

static const struct work_case {
	const char *graph;
	double flops, bytes;
} cases[] = {
	{ "y = MatMul(x:float[2,3,4], w:float[4,5])", 2 * 6 * 4 * 5,
	  4 * (24 + 20 + 30) },
	{ "y = MatMulT<trans_a=1>(x:float[4,6], w:float[4,5])", 2 * 6 * 4 * 5,
	  4 * (24 + 20 + 30) },
	{ "y = Gemm<transB=1>(x:float[6,4], w:float[5,4])", 2 * 6 * 4 * 5,
	  4 * (24 + 20 + 30) },
	{ "y = Conv(x:float[1,4,6,6], w:float[8,4,3,3])", 2 * 8 * 16 * 4 * 9,
	  4 * (4 * 36 + 8 * 36 + 8 * 16) },
	{ "y = Conv<group=4>(x:float[1,4,6,6], w:float[8,1,3,3])",
	  2 * 8 * 16 * 9, 4 * (4 * 36 + 8 * 9 + 8 * 16) },
	{ "y = ConvTranspose(x:float[1,4,6,6], w:float[4,8,3,3])",
	  2 * 4 * 36 * 8 * 9, 4 * (4 * 36 + 32 * 9 + 8 * 64) },
	{ "y, h = GRU<hidden_size=3>(x:float[5,2,4], w:float[1,9,4], "
	  "r:float[1,9,3])",
	  2 * 5 * 2 * (36 + 27), 4 * (40 + 36 + 27 + 30 + 6) },
	{ "y = MatMulInteger(x:uint8[6,4], w:int8[4,5])", 2 * 6 * 4 * 5,
	  24 + 20 + 4 * 30 },
	{ "y = Relu(x:float[7])", 0, 56 },
	{ "y = Gather(x:float[100,4], i:int64[3])", 0, 8 * 3 + 2 * 4 * 12 },
};

Test(step_work, counts_products_and_bytes)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct work_case *c = &cases[i];
		struct signature signature = { 0 };
		struct fact *input = NULL;
		struct graph *graph = NULL;
		struct plan_step_info step;
		struct plan *plan = NULL;
		struct step_work work;
		struct err err;

		cr_assert_eq(graph_text_parse(c->graph, &graph, &input, &err),
			     ERR_NONE, "%s: %s", c->graph, err.msg);
		signature.n = (unsigned)graph->n_input;
		signature.input = input;
		cr_assert_eq(plan_create(graph, &signature, NULL, &plan, &err),
			     ERR_NONE, "%s: %s", c->graph, err.msg);
		step = plan_step_info(plan, 0);
		work = step_work(&step);
		cr_expect_float_eq(work.flops, c->flops, 1e-9, "%s: %g",
				   c->graph, work.flops);
		cr_expect_float_eq(work.bytes, c->bytes, 1e-9, "%s: %g",
				   c->graph, work.bytes);
		plan_unref(plan);
		graph_destroy(graph);
	}
}

Test(step_work, a_copy_reads_and_writes_its_bytes)
{
	const size_t bytes = 100;
	const struct kernel_query query = { .n_in = 1, .n_out = 1 };
	const struct plan_step_info step = { .query = &query, .state = &bytes };

	cr_assert_float_eq(step_work(&step).bytes, 200, 1e-9);
}
