/* SPDX-License-Identifier: Apache-2.0 */
#include "training/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/clock.h"

static void read_spec(const char *yaml, struct schedule *ret,
		      struct arena *arena)
{
	struct err err = { 0 };
	struct doc *map;

	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "schedule", arena, &map, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(schedule_read(map, 1, 10, ret, arena, &err), ERR_NONE,
		     "%s", err.msg);
}

static double rate_at(const struct schedule *schedule, double epoch)
{
	const struct schedule_time time = { .step = epoch * 4,
					    .total_steps = 40,
					    .epoch = epoch };

	return schedule_at(schedule, &time).rate;
}

Test(schedule, none_is_constant_and_keeps_the_momentum)
{
	struct arena *arena = arena_create(1 << 20);
	const struct schedule_time time = { .step = 7, .total_steps = 9 };
	struct schedule schedule;
	struct err err;

	cr_assert_eq(schedule_read(NULL, 0.25, 3, &schedule, arena, &err),
		     ERR_NONE);
	cr_expect_eq(schedule_at(&schedule, &time).rate, 0.25);
	cr_expect(isnan(schedule_at(&schedule, &time).momentum));
	arena_destroy(arena);
}

Test(schedule, cosine_without_t_max_reaches_its_end_with_the_job)
{
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;

	read_spec("{type: cosine, eta_min: 0.5}", &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 0), 1);
	cr_expect_float_eq(rate_at(&schedule, 5), 0.75, 1e-12);
	cr_expect_float_eq(rate_at(&schedule, 10), 0.5, 1e-12);
	read_spec("{type: linear, start_factor: 0.5}", &schedule, arena);
	cr_expect_float_eq(rate_at(&schedule, 5), 0.75, 1e-12);
	cr_expect_eq(rate_at(&schedule, 10), 1);
	cr_expect_eq(rate_at(&schedule, 99), 1);
	read_spec("{type: polynomial, total_iters: 4}", &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 3), 0.25);
	cr_expect_eq(rate_at(&schedule, 5), 0);
	arena_destroy(arena);
}

Test(schedule, steps_are_cut_at_whole_epochs)
{
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;

	read_spec("{type: step, step_size: 2, gamma: 0.5}", &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 1.75), 1);
	cr_expect_eq(rate_at(&schedule, 2), 0.5);
	cr_expect_eq(rate_at(&schedule, 4.25), 0.25);
	read_spec("{type: multistep, milestones: [1, 3.5], gamma: 0.1}",
		  &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 0.75), 1);
	cr_expect_float_eq(rate_at(&schedule, 1), 0.1, 1e-15);
	cr_expect_float_eq(rate_at(&schedule, 3.5), 0.01, 1e-15);
	arena_destroy(arena);
}

Test(schedule, warm_restarts_begin_anew_however_short_their_periods)
{
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;
	int64_t start = clock_monotonic_ns();

	read_spec("{type: cosine_warm_restarts, t_0: 1, t_mult: 3}", &schedule,
		  arena);
	for (int n = 0, epoch = 0; n < 12; n++) {
		cr_expect_float_eq(rate_at(&schedule, epoch), 1, 1e-9, "%d",
				   epoch);
		cr_expect_lt(rate_at(&schedule, (double)epoch - 1e-3), 1);
		epoch = 3 * epoch + 1;
	}
	/* a loop over periods would not end */
	read_spec("{type: cosine_warm_restarts, t_0: 1.0e-9}", &schedule,
		  arena);
	cr_expect(isfinite(rate_at(&schedule, 1e6)));
	read_spec("{type: cosine_warm_restarts, t_0: 1.0e-9, t_mult:"
		  " 1.000000000001}",
		  &schedule, arena);
	cr_expect(isfinite(rate_at(&schedule, 1e6)));
	cr_expect_lt(clock_monotonic_ns() - start, 1000000000);
	arena_destroy(arena);
}

/* total 1 and 2: phases have no length */
Test(schedule, one_cycle_gives_a_rate_for_jobs_of_any_length)
{
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;

	for (int three = 0; three < 2; three++) {
		read_spec(three ? "{type: one_cycle, three_phase: true}"
				: "{type: one_cycle, pct_start: 0}",
			  &schedule, arena);
		for (int total = 1; total < 30; total++) {
			for (int step = 0; step < total; step++) {
				struct schedule_time time = { .step = step,
							      .total_steps =
								  total };
				struct schedule_value v =
				    schedule_at(&schedule, &time);

				cr_expect(v.rate > 0 && v.rate <= 1 &&
					      v.momentum >= 0.85 &&
					      v.momentum <= 0.95,
					  "step %d of %d: %g, %g", step, total,
					  v.rate, v.momentum);
			}
		}
	}
	arena_destroy(arena);
}

Test(schedule, one_cycle_may_leave_the_momentum_alone)
{
	struct arena *arena = arena_create(1 << 20);
	const struct schedule_time time = { .step = 3, .total_steps = 9 };
	struct schedule schedule;

	read_spec("{type: one_cycle, cycle_momentum: false}", &schedule, arena);
	cr_expect(isnan(schedule_at(&schedule, &time).momentum));
	read_spec("{type: one_cycle, max_lr: 4, pct_start: 0.5}", &schedule,
		  arena);
	cr_expect_lt(schedule_at(&schedule, &time).momentum, 0.95);
	cr_expect_float_eq(
	    schedule_at(&schedule, &(struct schedule_time){ .step = 4.,
							    .total_steps = 10 })
		.rate,
	    4, 1e-12);
	arena_destroy(arena);
}

Test(schedule, every_kind_has_a_name_and_a_help)
{
	size_t n = 0;

	for (; schedule_kind_at(n); n++) {
		cr_expect_not_null(schedule_kind_at(n)->name);
		cr_expect_not_null(schedule_kind_at(n)->help);
	}
	cr_expect_eq(n, 9);
	cr_expect_null(schedule_kind_at(n + 100));
}
