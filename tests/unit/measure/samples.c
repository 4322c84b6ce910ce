/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/samples.h"

#include <criterion/criterion.h>

#include "base/clock.h"

Test(samples, the_summary_takes_nearest_ranks)
{
	struct samples samples;
	struct samples_summary s;

	samples_init(&samples);
	/* 1 to 200 us, in an order that is none */
	for (int64_t i = 0; i < 200; i++)
		cr_assert_eq(
		    samples_add(&samples, (i * 77 % 200 + 1) * 1000, NULL),
		    ERR_NONE);
	s = samples_summarize(&samples);
	cr_assert_float_eq(s.min_us, 1, 1e-9);
	cr_assert_float_eq(s.median_us, 101, 1e-9);
	cr_assert_float_eq(s.p99_us, 198, 1e-9);
	samples_finish(&samples);
}

Test(samples, one_sample_is_all_of_them)
{
	struct samples samples;
	struct samples_summary s;

	samples_init(&samples);
	cr_assert_eq(samples_add(&samples, 1500, NULL), ERR_NONE);
	s = samples_summarize(&samples);
	cr_assert_float_eq(s.min_us, 1.5, 1e-9);
	cr_assert_float_eq(s.median_us, 1.5, 1e-9);
	cr_assert_float_eq(s.p99_us, 1.5, 1e-9);
	samples_finish(&samples);
}

Test(samples, five_are_taken_even_when_the_time_is_over)
{
	struct samples samples;
	int64_t past = clock_monotonic_ns() - 1;

	samples_init(&samples);
	for (int i = 0; i < SAMPLES_LEAST; i++) {
		cr_assert_not(samples_is_done(&samples, past));
		cr_assert_eq(samples_add(&samples, 1, NULL), ERR_NONE);
	}
	cr_assert(samples_is_done(&samples, past));
	cr_assert_not(samples_is_done(&samples, CLOCK_FOREVER));
	samples_finish(&samples);
}

Test(samples, this_process_has_used_some_memory)
{
	cr_assert(samples_peak_rss() > 1 << 20);
}
