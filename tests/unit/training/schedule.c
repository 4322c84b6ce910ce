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
	cr_assert_eq(schedule_read(map, 1, ret, arena, &err), ERR_NONE, "%s",
		     err.msg);
}

static double rate_at(const struct schedule *schedule, double epoch)
{
	const struct schedule_time time = { .step = epoch * 4,
					    .total_steps = 40,
					    .epoch = epoch,
					    .epochs = 10 };

	return schedule_at(schedule, &time).rate;
}

Test(schedule, none_is_constant_and_keeps_the_momentum)
{
	struct arena *arena = arena_create(1 << 20);
	const struct schedule_time time = { .step = 7, .total_steps = 9 };
	struct schedule schedule;
	struct err err;

	cr_assert_eq(schedule_read(NULL, 0.25, &schedule, arena, &err),
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
	cr_expect_eq(n, 13);
	cr_expect_null(schedule_kind_at(n + 100));
}

Test(schedule, a_warm_up_comes_before_what_is_left_of_the_job)
{
	static const char *const longer[] = {
		"{type: linear, warmup_steps: 80}",
		"{type: cosine, warmup_steps: 80}",
		"{type: polynomial, warmup_steps: 80}",
		"{type: wsd, warmup_fraction: 1}",
		"{type: cosine_warm_restarts, warmup_steps: 80}",
		"{type: inverse_sqrt, warmup_steps: 80}",
		"{type: exponential, warmup_steps: 80}",
	};
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;

	/* 40 steps, 10 epochs; 20 steps of warm-up */
	read_spec("{type: cosine, warmup_steps: 20}", &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 0), 0);
	cr_expect_eq(rate_at(&schedule, 2.5), 0.5);
	cr_expect_eq(rate_at(&schedule, 5), 1);
	cr_expect_float_eq(rate_at(&schedule, 7.5), 0.5, 1e-12);
	cr_expect_float_eq(rate_at(&schedule, 10), 0, 1e-12);
	read_spec("{type: constant, warmup_fraction: 0.25, "
		  "warmup_start_factor: 0.5}",
		  &schedule, arena);
	cr_expect_eq(rate_at(&schedule, 0), 0.5);
	cr_expect_eq(rate_at(&schedule, 1.25), 0.75);
	cr_expect_eq(rate_at(&schedule, 9), 1);
	/* longer than the job */
	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
		read_spec(longer[i], &schedule, arena);
		for (double t = 0; t < 10; t++)
			cr_expect(rate_at(&schedule, t) >= 0 &&
				      rate_at(&schedule, t) < 1 &&
				      (t < 1 || rate_at(&schedule, t) > 0),
				  "%s: %g at %g", longer[i],
				  rate_at(&schedule, t), t);
	}
	arena_destroy(arena);
}

Test(schedule, both_ways_to_say_a_warm_up_are_refused)
{
	static const char yaml[] =
	    "{type: wsd, warmup_steps: 3, warmup_fraction: 0.1}";
	struct arena *arena = arena_create(1 << 20);
	struct err err = { 0 };
	struct schedule schedule;
	struct doc *map;

	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "s", arena, &map, &err),
		     ERR_NONE);
	cr_expect_eq(schedule_read(map, 1, &schedule, arena, &err),
		     ERR_INVALID);
	cr_expect(strstr(err.msg, "one of them"), "%s", err.msg);
	arena_destroy(arena);
}

Test(schedule, a_plateau_cuts_the_rate_and_then_waits)
{
	struct arena *arena = arena_create(1 << 20);
	struct schedule schedule;
	struct schedule_watch watch = { 0 };
	/* better, then four that are not; cut at the third, one cools down */
	static const double value[] = { 5, 4, 4, 4, 4, 4, 4, 4, 4, 3 };
	static const bool cuts[] = { 0, 0, 0, 0, 1, 0, 0, 0, 1, 0 };
	struct schedule_time time = { .total_steps = 9 };

	read_spec("{type: plateau, factor: 0.5, patience: 2, cooldown: 1, "
		  "min_lr: 0.3}",
		  &schedule, arena);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(
		    schedule_observe(&schedule, value[i], false, &watch),
		    cuts[i], "evaluation %d", i);
	time.reduction = watch.reduction;
	cr_expect_eq(watch.reduction, 0.25);
	cr_expect_eq(schedule_at(&schedule, &time).rate, 0.3);
	/* figures that are not measured say nothing; nor do other kinds */
	cr_expect_not(schedule_observe(&schedule, (double)NAN, false, &watch));
	read_spec("{type: step}", &schedule, arena);
	for (int i = 0; i < 50; i++)
		cr_expect_not(schedule_observe(&schedule, 1, true, &watch));
	arena_destroy(arena);
}
