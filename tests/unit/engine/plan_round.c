/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plans whose products are of operands rounded to bfloat16: against the
 * interpreter's reference over a graph that says so in so many nodes.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "engine/autodiff.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/round_bfloat16.h"
#include "engine/team.h"
#include "plan_help.h"

/* of the largest element: sums in other orders err by less, operands that are
 * not rounded by more */
#define TOLERANCE 1e-4
#define ROUNDED 3e-4

static const char *const rows[] = {
	"Conv",		"ConvTranspose",   "Gemm",    "MatMul",
	"ConvGradData", "ConvGradWeights", "MatMulT",
};

/* Shapes that kernels which round are made for. */
static const char *const large[] = {
	"y = MatMul(a:float[64,784], b:float[784,96])",
	"y = MatMul(a:float[64,128], b:float[128,10])",
	"y = predictd.MatMulT<trans_b=1>(a:float[64,96], b:float[300,96])",
	"y = predictd.MatMulT<trans_a=1>(a:float[64,96], b:float[64,300])",
	"y = predictd.MatMulT<trans_b=1>(a:float[4,2,33,16], "
	"b:float[4,2,35,16])",
	"y = Gemm<transB=1>(a:float[70,100], b:float[90,100], c:float[90])",
	"y = Gemm<transA=1>(a:float[70,40], b:float[70,50])",
	"y = Conv<pads=[1,1,1,1]>(x:float[4,32,14,14], w:float[64,32,3,3], "
	"b:float[64])",
	"y = Conv<pads=[1,1,1,1]>(x:float[4,128,4,4], w:float[128,128,3,3])",
	"y = Conv<strides=[2,2]>(x:float[4,64,16,16], w:float[128,64,1,1])",
	"y = Conv<pads=[3,3,3,3], strides=[2,2]>(x:float[2,3,64,64], "
	"w:float[64,3,7,7])",
	"dx = predictd.ConvGradData<shape=[4,32,14,14], "
	"pads=[1,1,1,1]>(dy:float[4,64,14,14], "
	"w:float[64,32,3,3])",
	"dx = predictd.ConvGradData<shape=[4,64,16,16], pads=[1,1,1,1], "
	"strides=[2,2]>"
	"(dy:float[4,128,8,8], w:float[128,64,3,3])",
	"dw = predictd.ConvGradWeights<kernel_shape=[3,3], pads=[1,1,1,1]>"
	"(dy:float[4,64,14,14], x:float[4,32,14,14])",
	"dw = predictd.ConvGradWeights<kernel_shape=[3,3], pads=[1,1,1,1]>"
	"(dy:float[16,32,28,28], x:float[16,1,28,28])",
};

static const struct plan_options bf16 = { .numerics = NUMERICS_REPEATABLE,
					  .products = PRODUCTS_BF16 };

/* Every product's operands, rounded before it. */
static struct graph *round_all(const struct bench *bench)
{
	struct graph *graph = NULL;
	struct build build;
	int32_t n_node;

	cr_assert_eq(graph_clone(bench->graph, &graph, NULL), ERR_NONE);
	n_node = graph->n_node;
	build_init(&build, graph, NULL);
	for (int32_t i = 0; i < n_node; i++)
		for (int k = 0; k < 2 && round_is_product(graph->node[i].op);
		     k++) {
			const int32_t edge = graph->node[i].first_in + k;
			const int32_t x = graph->edge[edge];
			const int32_t y = build_1(&build, "RoundBfloat16", x);

			graph->edge[edge] = y;
		}
	cr_assert_eq(build_check(&build, NULL), ERR_NONE);
	cr_assert_eq(graph_tidy(graph, NULL), ERR_NONE);
	cr_assert_eq(facts_type_graph(graph, NULL), ERR_NONE);
	return graph;
}

/* The largest difference from what `graph` gives, over the largest element. */
static double difference(struct bench *bench, const struct graph *graph)
{
	const struct interpreter_options options = { .reference = true };
	struct interpreter_result result;
	struct tensor_view input[16];
	const struct tensor_view *want;
	double most = 0, least = 1e-30;

	for (unsigned i = 0; i < plan_n_inputs(bench->plan); i++)
		input[i] = instance_input(bench->instance, i);
	cr_assert_eq(interpret(graph, input, &options, &result, &bench->err),
		     ERR_NONE, "%s", bench->err.msg);
	want = &result.value[graph->output[0]];
	for (int64_t i = 0; i < shape_count(&want->shape); i++) {
		const double x = ((const float *)want->data)[i];
		const double by = fabs(x - (double)bench_floats(bench, 0)[i]);

		most = by > most || isnan(by) ? by : most;
		least = fabs(x) > least ? fabs(x) : least;
	}
	interpreter_result_finish(&result);
	return most / least;
}

static void run(struct bench *bench, const char *text,
		const struct plan_options *options)
{
	bench_parse(bench, text);
	bench_plan(bench, options);
	instance_poison(bench->instance);
	bench_fill(bench, 7);
	cr_assert_eq(instance_run(bench->instance, NULL, &bench->err), ERR_NONE,
		     "%s: %s", text, bench->err.msg);
}

static bool has_step(const struct plan *plan, const char *part)
{
	for (size_t i = 0; i < plan->report.n_steps; i++)
		if (strstr(plan->step[i].kernel->name, part))
			return true;
	return false;
}

/* is_large: it must show that operands were rounded. Returns whether a kernel
 * did it. */
static bool check(const char *text, bool is_large)
{
	struct graph *rounded;
	struct bench bench;
	bool by_kernel;
	double by;

	run(&bench, text, &bf16);
	rounded = round_all(&bench);
	by = difference(&bench, rounded);
	cr_expect_leq(by, TOLERANCE, "%s: %g", text, by);
	by_kernel = has_step(bench.plan, ".bf16");
	cr_expect_neq(by_kernel, has_step(bench.plan, "round_bfloat16"), "%s",
		      text);
	by = difference(&bench, bench.graph);
	if (is_large)
		cr_expect_geq(by, ROUNDED, "%s: %g", text, by);
	graph_destroy(rounded);
	bench_finish(&bench);
	return by_kernel;
}

static bool is_for_us(const struct op_case *c)
{
	return !c->want && !strstr(c->graph, "double") &&
	       !strstr(c->graph, "int32") && !strstr(c->graph, "int64[") &&
	       !strstr(c->graph, "uint64") && !strstr(c->graph, "[0,") &&
	       !strstr(c->graph, ",0]");
}

Test(plan_round, every_case_of_a_product_is_of_rounded_operands)
{
	int n = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct op_case *c = build_find(rows[i])->cases;

		for (; c->name; c++)
			if (is_for_us(c)) {
				(void)check(c->graph, false);
				n++;
			}
	}
	cr_expect_gt(n, 50);
}

Test(plan_round, so_are_large_ones_by_kernels_that_round)
{
	const size_t n = sizeof(large) / sizeof(*large);
	size_t by_kernel = 0;

	for (size_t i = 0; i < n; i++)
		by_kernel += check(large[i], true);
	/* the others' best kernel is another, with rounding before it */
	if (onednn_has_bf16())
		cr_expect_gt(by_kernel, n / 2);
	else
		cr_expect_eq(by_kernel, 0);
}

Test(plan_round, nothing_is_rounded_unless_it_is_asked_for)
{
	const struct plan_options plain = { .numerics = NUMERICS_REPEATABLE };

	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++) {
		struct bench bench;

		run(&bench, large[i], &plain);
		cr_expect_leq(difference(&bench, bench.graph), TOLERANCE);
		cr_expect_not(has_step(bench.plan, "bf"));
		bench_finish(&bench);
	}
}

/* A step's products, there and back; what is no product stays as it is. */
static const char network[] =
    "k:float[32,16,3,3]!\nw:float[2048,40]!\nv:float[40,10]!\n"
    "h = Tanh(Conv<pads=[1,1,1,1]>(x:float[8,16,16,16], k))\n"
    "p = Reshape(AveragePool<kernel_shape=[2,2], strides=[2,2]>(h), "
    "s:int64[2]={8,2048})\n"
    "y = MatMul(Tanh(MatMul(p, w)), v)\n"
    "loss = ReduceMean<keepdims=0>(Mul(y, y))\n"
    "dk, dw, dv = predictd.Gradient(loss, k, w, v)\n"
    "return loss, dk, dw, dv";

static void fill_variables(struct bench *bench)
{
	for (int32_t i = 0; i < bench->graph->n_variable; i++) {
		const struct variable *variable = &bench->graph->variable[i];
		float *x = variable->view.data;

		for (int64_t j = 0; j < shape_count(&variable->view.shape); j++)
			x[j] = (float)((j * 7919 + i) % 2003 - 1001) / 3e4f;
	}
}

static void run_network(struct bench *bench, struct plan_options options,
			struct team *team)
{
	bench_parse(bench, network);
	fill_variables(bench);
	bench_plan(bench, &options);
	instance_call_always(bench->instance);
	instance_poison(bench->instance);
	bench_fill(bench, 3);
	cr_assert_eq(instance_run(bench->instance, team, &bench->err), ERR_NONE,
		     "%s", bench->err.msg);
}

Test(plan_round, gradients_are_near_those_of_floats)
{
	const struct plan_options plain = { .numerics = NUMERICS_REPEATABLE };
	struct bench a, b;

	run_network(&a, bf16, NULL);
	run_network(&b, plain, NULL);
	for (unsigned i = 0; i < 4; i++) {
		const struct tensor_view view = instance_output(a.instance, i);
		double by = 0, all = 0;

		for (int64_t j = 0; j < shape_count(&view.shape); j++) {
			const double x = bench_floats(&a, i)[j];
			const double y = bench_floats(&b, i)[j];

			by += (x - y) * (x - y);
			all += y * y;
		}
		cr_expect_gt(all, 0);
		cr_expect_leq(sqrt(by / all), 2e-2, "output %u: %g", i,
			      sqrt(by / all));
		cr_expect_geq(sqrt(by / all), 1e-5, "output %u: %g", i,
			      sqrt(by / all));
	}
	bench_finish(&a);
	bench_finish(&b);
}

static void expect_same(struct bench *a, struct bench *b, const char *what,
			unsigned n)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct tensor_view x = instance_output(a->instance, i);
		const struct tensor_view y = instance_output(b->instance, i);

		cr_expect(
		    !memcmp(x.data, y.data, tensor_bytes(x.dtype, &x.shape)),
		    "output %u: %u %s", i, n, what);
	}
}

Test(plan_round, bits_are_the_same_for_any_number_of_threads)
{
	struct bench alone;

	run_network(&alone, bf16, NULL);
	for (unsigned threads = 1; threads <= 3; threads++) {
		struct plan_options options = bf16;
		struct pool *pool = NULL;
		struct bench bench;
		struct team team;

		options.threads = threads;
		cr_assert_eq(pool_create(threads, &pool, NULL), ERR_NONE);
		team_borrow(pool, threads - 1, &team);
		run_network(&bench, options, &team);
		team_return(&team);
		expect_same(&alone, &bench, "threads", threads);
		bench_finish(&bench);
		pool_destroy(pool);
	}
	bench_finish(&alone);
}
