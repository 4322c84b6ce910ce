/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_pass_check.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "../op_case.h"
#include "engine/facts.h"
#include "engine/instance.h"
#include "engine/plan_priv.h"

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

static void compare(const char *name, double tolerance,
		    const struct tensor_view *want,
		    const struct tensor_view *got)
{
	const int64_t n = shape_count(&want->shape);
	double largest = 0;

	if (!(tolerance > 0)) {
		cr_expect(!memcmp(got->data, want->data,
				  tensor_bytes(got->dtype, &got->shape)),
			  "%s: other bits", name);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		largest = fmax(largest,
			       fabs(case_element(want->dtype, want->data, i)));
	for (int64_t i = 0; i < n; i++) {
		const double x = case_element(want->dtype, want->data, i);
		const double y = case_element(got->dtype, got->data, i);

		cr_assert(fabs(x - y) <= tolerance * largest,
			  "%s: element %lld is %g, expected %g", name,
			  (long long)i, y, x);
	}
}

static void check_results(const struct case_graph *sample,
			  struct instance *instance,
			  const struct plan_pass_case *row, double tolerance)
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

		compare(row->name, tolerance,
			&want.value[sample->graph->output[i]], &got);
	}
	interpreter_result_finish(&want);
}

void plan_pass_check(const struct plan_pass_case *row, double tolerance)
{
	const char *name = row->name;
	const struct plan_options options = { .threads = 1 };
	struct instance *instance = NULL;
	struct plan *plan = NULL;
	struct case_graph sample;
	struct signature signature;
	struct err err;

	cr_assert_eq(case_graph_create(row->graph, 0.1, &sample, &err),
		     ERR_NONE, "%s: %s", name, err.msg);
	signature.n = (unsigned)sample.graph->n_input;
	signature.input = sample.input;
	cr_assert_eq(
	    plan_create(sample.graph, &signature, &options, &plan, &err),
	    ERR_NONE, "%s: %s", name, err.msg);
	cr_assert_eq(instance_create(plan, &instance, &err), ERR_NONE);
	check_steps(plan, name, row->steps);
	check_results(&sample, instance, row, tolerance);
	instance_destroy(instance);
	plan_unref(plan);
	case_graph_finish(&sample);
}
