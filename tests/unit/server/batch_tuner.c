/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_tuner.h"

#include <criterion/criterion.h>

#define MS(n) ((int64_t)(n)*1000000)

/* A server whose run takes 1 ms and 0.1 ms a row; calls of one row come every
 * gap_ns, and a run takes those that came within the window and the run before
 * it. Returns the longest time of a call at the end. */
static int64_t simulate(struct batch_tuner *tuner, int64_t gap_ns, int n_runs)
{
	int64_t now = 1, spent = 0;

	for (int i = 0; i < n_runs; i++) {
		const int64_t window = tuner->window_ns;
		int64_t rows = 1 + (window + MS(1)) / gap_ns, run;

		if (rows > tuner->max_rows)
			rows = tuner->max_rows;
		run = MS(1) + rows * MS(1) / 10;
		spent = window + run;
		now += window > gap_ns ? window + run : gap_ns;
		batch_tuner_observe(tuner, (unsigned)rows, rows, spent, now);
	}
	return spent;
}

Test(batch_tuner, uses_the_time_that_the_objective_leaves)
{
	struct batch_tuner tuner;
	int64_t spent;

	batch_tuner_init(&tuner, MS(10), 0, 64);
	spent = simulate(&tuner, MS(1) / 5, 20000);
	cr_assert_gt(tuner.window_ns, MS(2));
	cr_assert_lt(spent, MS(11));
	cr_assert_gt(tuner.n_decisions, 100U);
}

Test(batch_tuner, does_not_wait_for_nobody)
{
	struct batch_tuner tuner;

	batch_tuner_init(&tuner, MS(10), MS(5), 64);
	(void)simulate(&tuner, MS(1000), 2000);
	cr_assert_eq(tuner.window_ns, 0);
	cr_assert_eq(tuner.max_rows, 64);
}

Test(batch_tuner, makes_runs_smaller_where_there_is_no_window_left)
{
	struct batch_tuner tuner;

	/* 64 rows take 7.4 ms; no more than 10 fit */
	batch_tuner_init(&tuner, MS(2), 0, 64);
	(void)simulate(&tuner, MS(1) / 100, 20000);
	cr_assert_leq(tuner.max_rows, 11, "%lld", (long long)tuner.max_rows);
	cr_assert_geq(tuner.max_rows, 5, "%lld", (long long)tuner.max_rows);
	/* and larger again, when there is time */
	tuner.objective_ns = MS(50);
	(void)simulate(&tuner, MS(1) / 100, 20000);
	cr_assert_eq(tuner.max_rows, 64);
}

Test(batch_tuner, leaves_everything_without_an_objective)
{
	struct batch_tuner tuner;

	batch_tuner_init(&tuner, 0, MS(3), 16);
	(void)simulate(&tuner, MS(1), 500);
	cr_assert_eq(tuner.window_ns, MS(3));
	cr_assert_eq(tuner.max_rows, 16);
	cr_assert_eq(tuner.n_decisions, 0U);
}
