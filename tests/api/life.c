/* SPDX-License-Identifier: Apache-2.0 */
/* How models come, take over and go. */
#include <criterion/criterion.h>

#include "tests/api/loopback.h"

static void expect_has(const struct loopback *l, const char *part)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert(strstr(l->body, part), "'%s' in %s", part, l->body);
}

Test(api_life, other_weights_take_over_with_their_plans)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/predict/linear",
		      "{\"inputs\":{\"x\":[[1,0,0,0],[1,0,0,0],[1,0,0,0]]}}");
	expect_has(&l, "\"version\":\"2\"");
	loopback_put_linear(&l, 3);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	/* plans of one row and of three */
	expect_has(&l, "\"weights_only\":true,\"plans_made_beside\":2}");
	loopback_post(&l, "/predict/linear",
		      "{\"inputs\":{\"x\":[[1,0,0,0]]}}");
	expect_has(&l, "[3.0,6.0,9.0]");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_model_swap_seconds_bucket{le=\"0.001\"} ");
	loopback_end(&l);
}
