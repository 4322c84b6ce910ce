/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rate.h"

#include <criterion/criterion.h>

#define MS(n) ((int64_t)(n)*1000000)

Test(rate, lets_a_burst_through_and_then_so_many_a_second)
{
	struct rate rate;
	int64_t now = MS(1000), wait;
	unsigned n = 0;

	rate_init(&rate, 100, 5);
	while (!rate_take(&rate, now))
		n++;
	cr_assert_eq(n, 5U);
	wait = rate_take(&rate, now);
	cr_assert_eq(wait, MS(10));
	cr_assert_eq(rate_take(&rate, now + wait), 0);
	cr_assert_neq(rate_take(&rate, now + wait), 0);
	for (n = 0; now < MS(2000); now += MS(1))
		n += !rate_take(&rate, now);
	cr_assert(n >= 98 && n <= 100, "%u", n);
}

Test(rate, is_none_where_it_is_zero)
{
	struct rate rate;

	rate_init(&rate, 0, 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(rate_take(&rate, 5), 0);
}

Test(rate, allows_a_second_of_requests_where_no_burst_is_given)
{
	struct rate rate;
	unsigned n = 0;

	rate_init(&rate, 10, 0);
	while (!rate_take(&rate, MS(1)))
		n++;
	cr_assert_eq(n, 10U);
	/* slower than one a second: one at a time */
	rate_init(&rate, 0.1, 0);
	cr_assert_eq(rate_take(&rate, MS(1)), 0);
	cr_assert_eq(rate_take(&rate, MS(1)), MS(10000));
}
