/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#include "../op_case.h"
#include "engine/facts.h"
#include "engine/instance.h"
#include "engine/plan_priv.h"

/* A graph, the nodes of its plan by name, and equal results. */
static const struct {
	const char *name, *graph, *steps;
} cases[] = {
	{ "two", "y = Neg(Relu(x:float[40,50]))", "Chain" },
	{ "by numbers", "y = Add(Mul(HardSwish(x:float[40,50]), 2), 3)",
	  "Chain" },
	{ "the value on the right", "y = Div(1, Sub(3, Tanh(x:float[40,50])))",
	  "Chain" },
	{ "numbers of loops",
	  "y = Neg(Gelu<approximate=\"tanh\">(LeakyRelu<alpha=0.3>("
	  "x:float[2000])))",
	  "Chain" },
	{ "limits", "y = Neg(Clip(Exp(x:float[40,50]), 0.5, 2))", "Chain" },
	{ "a number a channel",
	  "y = Relu(Add(Mul(x:float[2,3,20,30], s:float[3,1,1]), "
	  "t:float[1,3,1,1]))",
	  "Chain" },
	{ "the first input again", "y = Mul(x:float[3000], Add(Erf(x), 1))",
	  "Chain" },
	{ "two chains that meet",
	  "y = Add(Neg(Exp(x:float[40,50])), Tanh(Abs(Neg(x))))",
	  "Chain Chain" },
	{ "a value read twice", "a = Neg(x:float[40,50]); y = Add(Exp(a), a)",
	  "Neg Chain" },
	{ "a value that is an output",
	  "a = Neg(x:float[40,50]); y = Exp(a); return a, y", "Neg Exp" },
	{ "a value that grows",
	  "y = Exp(Add(Neg(x:float[50]), z:float[40,50]))", "Neg Chain" },
	{ "rows by columns",
	  "y = Tanh(Sub(x:float[1,41,1,70], z:float[2,1,13,70]))", "Chain" },
	{ "rows by columns, by a constant",
	  "y = Tanh(Sub(c:float[3,1]={1,2,3}, z:float[1,40]))", "Chain" },
	{ "another type", "y = Neg(Cast<to=double>(Neg(x:float[40])))",
	  "Neg Cast Neg" },
	{ "double", "y = Neg(Exp(x:double[40]))", "Exp Neg" },
	{ "one alone", "y = Neg(x:float[40])", "Neg" },
	{ "more links than one node takes",
	  "a = Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(Neg(x:float[40])))))))));"
	  "y = Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(a))))))))))",
	  "Chain Chain" },
};

static void check_steps(const struct plan *plan, const char *name,
			const char *want)
{
	char got[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < plan->report.n_steps; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s",
					i ? " " : "",
					plan->step[i].query.op->name);
	cr_expect_str_eq(got, want, "%s: %s, expected %s", name, got, want);
}

static void check_results(const struct case_graph *sample,
			  struct instance *instance, const char *name)
{
	const struct interpreter_options options = { .reference = false };
	struct interpreter_result want;
	struct err err;

	cr_assert_eq(
	    interpret(sample->graph, sample->data, &options, &want, &err),
	    ERR_NONE, "%s", err.msg);
	for (int32_t i = 0; i < sample->graph->n_input; i++) {
		const struct tensor_view view =
		    instance_input(instance, (unsigned)i);

		memcpy(view.data, sample->data[i].data,
		       tensor_bytes(view.dtype, &view.shape));
	}
	cr_assert_eq(instance_run(instance, NULL, &err), ERR_NONE, "%s",
		     err.msg);
	for (int32_t i = 0; i < sample->graph->n_output; i++) {
		const struct tensor_view got =
		    instance_output(instance, (unsigned)i);

		cr_expect(!memcmp(got.data,
				  want.value[sample->graph->output[i]].data,
				  tensor_bytes(got.dtype, &got.shape)),
			  "%s: other bits", name);
	}
	interpreter_result_finish(&want);
}

static void check(const char *name, const char *text, const char *steps)
{
	const struct plan_options options = { .threads = 1 };
	struct instance *instance = NULL;
	struct plan *plan = NULL;
	struct case_graph sample;
	struct signature signature;
	struct err err;

	cr_assert_eq(case_graph_create(text, 0.1, &sample, &err), ERR_NONE,
		     "%s: %s", name, err.msg);
	signature.n = (unsigned)sample.graph->n_input;
	signature.input = sample.input;
	cr_assert_eq(
	    plan_create(sample.graph, &signature, &options, &plan, &err),
	    ERR_NONE, "%s: %s", name, err.msg);
	cr_assert_eq(instance_create(plan, &instance, &err), ERR_NONE);
	check_steps(plan, name, steps);
	check_results(&sample, instance, name);
	instance_destroy(instance);
	plan_unref(plan);
	case_graph_finish(&sample);
}

Test(chains, are_made_where_one_node_alone_reads_another)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(cases[i].name, cases[i].graph, cases[i].steps);
}
