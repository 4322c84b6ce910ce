/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_deviation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "engine/kernels/loops.h"
#include "plan_help.h"

/* A convolution whose weights a plan knows, with what may follow it. */
/* clang-format off */
#define KNOWN(name, n, shape) \
	"Reshape(Sin(Range(0., " n ", 1.)), " name ":int64[" shape "})"
static const char *const graphs[] = {
	"y = Conv<pads=[1,1,1,1]>(x:float[1,64,28,28], "
		KNOWN("s", "36864.", "4]={64,64,3,3") ")",
	"c = Conv<pads=[1,1,1,1]>(x:float[2,48,20,31], "
		KNOWN("s", "17280.", "4]={40,48,3,3") ", "
		KNOWN("t", "40.", "1]={40") ")\n"
	"y = Relu(Add(c, z:float[2,40,20,31]))",
};
/* clang-format on */

static struct plan_deviation deviation_of(const char *text,
					  enum numerics numerics)
{
	const struct plan_options options = { .numerics = numerics };
	struct plan_deviation ret;
	struct bench bench = { 0 };

	bench_parse(&bench, text);
	bench_plan(&bench, &options);
	cr_assert_eq(plan_deviation(bench.plan, &ret, &bench.err), ERR_NONE,
		     "%s", bench.err.msg);
	bench_finish(&bench);
	return ret;
}

Test(plan_deviation, is_that_of_rounding)
{
	for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++) {
		const struct plan_deviation got =
		    deviation_of(graphs[i], NUMERICS_REPEATABLE);

		if (loop_levels() == 1)
			cr_skip("no such kernel on this CPU");
		cr_expect_eq(got.n_steps, 1, "graph %zu: %u", i, got.n_steps);
		cr_expect(got.largest > 1e-8 && got.largest < 1e-5,
			  "graph %zu: %g", i, got.largest);
	}
}

Test(plan_deviation, is_nothing_where_numerics_are_strict)
{
	for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++) {
		const struct plan_deviation got =
		    deviation_of(graphs[i], NUMERICS_STRICT);

		cr_expect_eq(got.n_steps, 0);
		cr_expect_leq(got.largest, 0);
		cr_expect_null(got.node_name);
	}
}
