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

static void configure(struct loopback *l, const char *model, const char *yaml)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/config.yaml", model);
	scratch_file(&l->scratch, path, yaml, strlen(yaml));
	(void)snprintf(path, sizeof(path), "/v2/repository/models/%s/load",
		       model);
	loopback_post(l, path, "");
}

static const char one_row[] = "{\"inputs\":{\"x\":[[1,0,0,0]]}}";

Test(api_life, a_batcher_tells_what_it_does)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear",
		  "max_batch_size: 16\npreferred_batch_sizes: [4, 8]\n"
		  "max_queue_delay_us: 500\npriority_levels: 3\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	for (int i = 0; i < 3; i++)
		loopback_post(&l, "/predict/linear", one_row);
	loopback_get(&l, "/models/linear/batcher");
	expect_has(&l, "\"version\":\"2\",\"advice\":\"3 runs so far: too few");
	expect_has(&l, "\"preferred_batch_sizes\":[4,8]");
	expect_has(&l, "\"window_us\":500");
	expect_has(&l, "\"closed\":{\"alone\":0,\"full\":0,\"preferred\":0,"
		       "\"delay\":3,\"idle\":0}");
	expect_has(&l, "\"batch_sizes\":[{\"rows\":1,\"runs\":3,");
	for (int i = 0; i < 100; i++)
		loopback_post(&l, "/predict/linear", one_row);
	loopback_get(&l, "/models/linear/batcher?version=2");
	expect_has(&l, "find no company (1.0 rows a run): set "
		       "max_queue_delay_us to 0");
	loopback_get(&l, "/models/fixed/batcher");
	expect_has(&l, "the model does not batch");
	loopback_get(&l, "/models/linear/batcher?version=9");
	loopback_expect_error(&l, 404, "version 9");
	loopback_end(&l);
}

Test(api_life, a_window_is_tuned_to_an_objective)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear",
		  "max_queue_delay_us: 3000\nlatency_objective_us: 2000\n");
	/* one asks at a time: nobody comes within any window */
	for (int i = 0; i < 600; i++)
		loopback_post(&l, "/predict/linear", one_row);
	loopback_get(&l, "/models/linear/batcher");
	expect_has(&l, "\"max_queue_delay_us\":3000");
	expect_has(&l, "\"window_us\":0,");
	expect_has(&l, "for an objective of 2000 us");
	loopback_end(&l);
}

Test(api_life, a_configuration_that_is_wrong_keeps_what_is_loaded)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear", "max_batch_sise: 4\n");
	loopback_expect_error(&l, 400, "did you mean 'max_batch_size'");
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[2.0,4.0,6.0]");
	configure(&l, "linear", "pad_inputs: {y: 0}\n");
	loopback_expect_error(&l, 400, "no input 'y'");
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[2.0,4.0,6.0]");
	loopback_end(&l);
}

Test(api_life, requests_have_a_priority)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear", "priority_levels: 3\n");
	loopback_post(&l, "/v2/models/linear/infer",
		      "{\"parameters\":{\"priority\":1},\"inputs\":[{\"name\":"
		      "\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,"
		      "0,0,0]}]}");
	expect_has(&l, "[2.0,4.0,6.0]");
	loopback_post(&l, "/v2/models/linear/infer",
		      "{\"parameters\":{\"priority\":\"high\"},\"inputs\":[]}");
	loopback_expect_error(&l, 400, "");
	loopback_end(&l);
}
