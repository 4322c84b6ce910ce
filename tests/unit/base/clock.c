/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <criterion/criterion.h>

static const struct {
	int64_t ms;
	const char *text;
} cases[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ 1, "1970-01-01T00:00:00.001Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ 951827696789, "2000-02-29T12:34:56.789Z" },
	{ 4102444799000, "2099-12-31T23:59:59.000Z" },
	{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
};

Test(clock, writes_iso_8601)
{
	char text[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_format_iso8601(cases[i].ms, text);
		cr_assert_str_eq(text, cases[i].text);
	}
}

Test(clock, goes_forward_and_sleeps)
{
	const int64_t before = clock_monotonic_ns();
	int64_t slept;

	clock_sleep_ms(20);
	slept = clock_monotonic_ns() - before;
	cr_assert(slept >= 20000000 && slept < 5000000000, "%lld",
		  (long long)slept);
	cr_assert_gt(clock_realtime_ms(), 1577836800000);
}

Test(clock, deadlines_do_not_overflow)
{
	const int64_t in_a_second = clock_deadline_ns(1000);
	const int64_t now = clock_monotonic_ns();

	cr_assert(in_a_second > now && in_a_second <= now + 1000000000);
	cr_assert_eq(clock_deadline_ns(INT64_MAX), CLOCK_FOREVER);
	cr_assert_leq(clock_deadline_ns(INT64_MIN), now);
}
