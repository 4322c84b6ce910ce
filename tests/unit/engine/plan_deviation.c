/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_deviation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "engine/kernels/loops.h"
#include "plan_help.h"

/* Convolutions, with what may follow them; weights come last, known or not. */
#define SQUARE "x:float[1,64,28,28], w:float[64,64,3,3]"
#define OBLONG "x:float[2,48,20,31], w:float[40,48,3,3], b:float[40]"
static const struct row {
	const char *graph;
	unsigned first; /* input that is known */
} rows[] = {
	{ "y = Conv<pads=[1,1,1,1]>(" SQUARE ")", 1 },
	{ "y = Relu(Add(z:float[2,40,20,31], Conv<pads=[1,1,1,1]>(" OBLONG
	  ")))",
	  2 },
};
enum { N_ROWS = sizeof(rows) / sizeof(*rows) };

static struct plan_deviation deviation_of(const struct row *row,
					  enum numerics numerics)
{
	const struct plan_options options = { .numerics = numerics };
	struct plan_deviation ret;
	struct bench bench = { 0 };

	bench_parse(&bench, row->graph);
	bench_plan_known(&bench, &options, row->first);
	cr_assert_eq(plan_deviation(bench.plan, &ret, &bench.err), ERR_NONE,
		     "%s", bench.err.msg);
	bench_finish(&bench);
	return ret;
}

Test(plan_deviation, is_that_of_rounding)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct plan_deviation got =
		    deviation_of(&rows[i], NUMERICS_REPEATABLE);

		if (loop_levels() == 1)
			cr_skip("no such kernel on this CPU");
		cr_expect_eq(got.n_steps, 1, "row %zu: %u", i, got.n_steps);
		cr_expect(got.largest > 1e-8 && got.largest < 1e-5,
			  "row %zu: %g", i, got.largest);
	}
}

Test(plan_deviation, is_nothing_where_numerics_are_strict)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct plan_deviation got =
		    deviation_of(&rows[i], NUMERICS_STRICT);

		cr_expect_eq(got.n_steps, 0);
		cr_expect_leq(got.largest, 0);
		cr_expect_null(got.node_name);
	}
}
