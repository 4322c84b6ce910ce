/* SPDX-License-Identifier: Apache-2.0 */
/* How models come, take over and go. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "tests/api/loopback.h"
#include "tests/unit/models/make_onnx.h"

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

Test(api_life, a_policy_that_leaves_no_version_takes_none_away)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear", "version_policy: {specific: [7, 8]}\n");
	loopback_expect_error(&l, 400, "that there are: 2, 1");
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[2.0,4.0,6.0]");
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"version_policy\":{\"latest\":");
	/* one that is there is enough */
	configure(&l, "linear", "version_policy: {specific: [7, 1]}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[1.0,2.0,3.0]");
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

/* --- versions --- */

Test(api_life, versions_have_labels)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_put_linear(&l, 3);
	configure(&l, "linear",
		  "labels: {stable: 1, canary: 3}\n"
		  "version_policy: {latest: 1}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	/* a label keeps its version served */
	loopback_post(&l, "/predict/linear/stable", one_row);
	expect_has(&l, "\"version\":\"1\"");
	loopback_post(&l, "/v1/models/linear/labels/canary:predict",
		      "{\"instances\":[[1,0,0,0]]}");
	expect_has(&l, "{\"predictions\":[[3.0,6.0,9.0]]}");
	loopback_get(&l, "/v2/models/linear/versions/stable/ready");
	cr_assert_eq(l.status, 200);
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "\"version\":\"3\"");
	loopback_post(&l, "/predict/linear/stabel", one_row);
	loopback_expect_error(&l, 404, "its labels: stable, canary");
	loopback_post(&l, "/predict/linear/2", one_row);
	loopback_expect_error(&l, 404, "no version 2");
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"labels\":[\"canary\"]");
	configure(&l, "linear", "labels: {stable: newest}\n");
	loopback_expect_error(&l, 400, "needs a version");
	configure(&l, "linear", "labels: {7: 1}\n");
	loopback_expect_error(&l, 400, "is no label");
	loopback_post(&l, "/predict/linear/stable", one_row);
	expect_has(&l, "\"version\":\"1\"");
	loopback_end(&l);
}

/* Asks until it is answered with that status. */
static void wait_for_status(struct loopback *l, const char *path, int status)
{
	const int64_t deadline = clock_deadline_ns(10000);

	do {
		cr_assert(clock_monotonic_ns() < deadline, "%s: %d", path,
			  l->status);
		clock_sleep_ms(5);
		loopback_post(l, path, one_row);
	} while (l->status != status);
}

static void put_with_external(struct loopback *l, const char *name)
{
	char path[128];
	struct make m;

	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x w", "y");
	make_external(&m, "w", "4", "deep/er/w.bin", NULL, NULL);
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "n 4");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "n 4");
	make_end(&m);
	(void)snprintf(path, sizeof(path), "%s/1/deep/er", name);
	scratch_dir(&l->scratch, path);
	(void)snprintf(path, sizeof(path), "%s/1/model.onnx", name);
	scratch_file(&l->scratch, path, m.buf.data, m.buf.len);
	make_finish(&m);
}

Test(api_life, what_failed_is_tried_again)
{
	const struct model_cache_options models = { .poll_ms = 10,
						    .retry_ms = 20 };
	const float w[4] = { 1, 1, 1, 1 };
	struct loopback l;
	struct err err;

	loopback_begin_with(&l, &models);
	cr_assert_eq(model_cache_start(l.context.models, &err), ERR_NONE);
	put_with_external(&l, "late");
	do
		wait_for_status(&l, "/predict/late", 503);
	while (!strstr(l.body, "w.bin"));
	/* where no look at the version's folder sees it */
	scratch_file(&l.scratch, "late/1/deep/er/w.bin", w, sizeof(w));
	wait_for_status(&l, "/predict/late", 200);
	expect_has(&l, "[2.0,1.0,1.0,1.0]");
	loopback_end(&l);
}

Test(api_life, a_sealed_version_is_loaded_at_once_and_others_when_quiet)
{
	/* nothing but a manifest or an hour brings a version in */
	const struct model_cache_options models = { .poll_ms = 10,
						    .quiet_ms = 3600000 };
	const struct repository_file none = { 0 };
	struct repository_file file = none;
	int64_t version;
	struct make m;
	struct loopback l;
	struct err err;

	loopback_begin_with(&l, &models);
	cr_assert_eq(model_cache_start(l.context.models, &err), ERR_NONE);
	loopback_put_linear(&l, 3);
	clock_sleep_ms(100);
	loopback_post(&l, "/predict/linear/3", one_row);
	cr_assert_eq(l.status, 404);
	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x x", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "n 4");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "n 4");
	make_end(&m);
	file = (struct repository_file){ "model.onnx", m.buf.data, m.buf.len };
	cr_assert_eq(repository_publish(l.repository, "sealed", 0, &file, 1,
					&version, &err),
		     ERR_NONE, "%s", err.msg);
	make_finish(&m);
	wait_for_status(&l, "/predict/sealed", 200);
	loopback_post(&l, "/predict/linear/3", one_row);
	cr_assert_eq(l.status, 404);
	loopback_end(&l);
}

/* --- parking --- */

Test(api_life, models_are_loaded_when_somebody_asks)
{
	const struct model_cache_options models = {
		.defaults = { .load_on_demand = true }
	};
	struct loopback l;

	loopback_begin_with(&l, &models);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"state\":\"UNAVAILABLE\",\"reason\":\"not loaded yet");
	expect_has(&l, "\"is_parked\":true");
	loopback_get(&l, "/v1/models/linear/versions/2");
	expect_has(&l, "\"state\":\"START\",\"status\":{\"error_code\":\"OK\"");
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[2.0,4.0,6.0]");
	loopback_post(&l, "/predict",
		      "{\"model\":\"fixed\",\"inputs\":{\"x\":"
		      "[[1,2],[3,4]]}}");
	expect_has(&l, "[[2.0,4.0],[6.0,8.0]]");
	loopback_get(&l, "/v2/models/add/ready");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/text");
	expect_has(&l, "\"BYTES\"");
	/* what cannot be loaded says why */
	loopback_post(&l, "/predict/broken", one_row);
	loopback_expect_error(&l, 503, "model.onnx");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_models_demanded_total 4\n");
	loopback_post(&l, "/v2/repository/models/add/unload", "");
	cr_assert_eq(l.status, 200);
	loopback_get(&l, "/v2/models/add/ready");
	loopback_expect_error(&l, 503, "unloaded");
	loopback_end(&l);
}

Test(api_life, who_is_not_asked_makes_room)
{
	const struct model_cache_options models = { .budget = 1 };
	struct loopback l;

	loopback_begin_with(&l, &models);
	/* only one fits at a time, and each is there when it is asked */
	for (int i = 0; i < 3; i++) {
		loopback_post(&l, "/predict/linear", one_row);
		expect_has(&l, "[2.0,4.0,6.0]");
		loopback_get(&l, "/models/half");
		expect_has(&l, "\"is_parked\":true");
		loopback_post(&l, "/predict/half", one_row);
		expect_has(&l, "[2.0,0.0,0.0,0.0]");
		loopback_get(&l, "/models/linear");
		expect_has(&l, "by the memory budget");
	}
	loopback_end(&l);
}

Test(api_life, idle_models_are_unloaded_and_come_back)
{
	const struct model_cache_options models = {
		.defaults = { .idle_timeout = 0.05 }
	};
	const int64_t deadline = clock_deadline_ns(20000);
	struct loopback l;
	struct err err;

	loopback_begin_with(&l, &models);
	cr_assert_eq(model_cache_start(l.context.models, &err), ERR_NONE);
	do {
		cr_assert(clock_monotonic_ns() < deadline);
		clock_sleep_ms(20);
		loopback_get(&l, "/models/linear");
	} while (!strstr(l.body, "after its idle time"));
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[2.0,4.0,6.0]");
	loopback_end(&l);
}

/* --- rates --- */

Test(api_life, a_model_has_a_rate)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear", "rate_limit: 0.1\nrate_burst: 2\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	for (int i = 0; i < 2; i++) {
		loopback_post(&l, "/predict/linear", one_row);
		cr_assert_eq(l.status, 200, "%s", l.body);
	}
	loopback_post(&l, "/predict/linear", one_row);
	loopback_expect_error(&l, 429, "model 'linear' is beyond its rate");
	cr_assert_str_eq(loopback_answer_header(&l, "Retry-After"), "10");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_shed_total{reason=\"rate\"} 1");
	expect_has(&l, "predictd_shed_total{reason=\"queue\"} 0");
	/* whatever the door */
	loopback_post(&l, "/predict",
		      "{\"model\":\"linear\",\"inputs\":{\"x\":[[1,0,0,0]]}}");
	loopback_expect_error(&l, 429, "rate");
	loopback_post(&l, "/predict/half", one_row);
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_end(&l);
}

/* --- sequences --- */

/* y = t = x + s */
static void put_sum(struct loopback *l, int64_t version)
{
	char path[128];
	struct make m;

	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x s", "t");
	make_node(&m, "Identity", "t", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "n 2");
	make_port(&m, MAKE_INPUT, "s", DTYPE_F32, "n 2");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "n 2");
	make_port(&m, MAKE_OUTPUT, "t", DTYPE_F32, "n 2");
	make_end(&m);
	(void)snprintf(path, sizeof(path), "sum/%lld", (long long)version);
	scratch_dir(&l->scratch, path);
	(void)snprintf(path, sizeof(path), "sum/%lld/model.onnx",
		       (long long)version);
	scratch_file(&l->scratch, path, m.buf.data, m.buf.len);
	make_finish(&m);
}

static void ask_sum(struct loopback *l, const char *parameters)
{
	char body[512];

	(void)snprintf(body, sizeof(body),
		       "{\"parameters\":{%s},\"inputs\":[{\"name\":\"x\","
		       "\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,10]}"
		       "]}",
		       parameters);
	loopback_post(l, "/v2/models/sum/infer", body);
}

Test(api_life, a_sequence_carries_its_state)
{
	struct loopback l;

	loopback_begin(&l);
	put_sum(&l, 1);
	configure(&l, "sum", "sequence: {state: {s: t}, max: 2}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	ask_sum(&l, "\"sequence_id\":7,\"sequence_start\":true");
	expect_has(&l, "[1.0,10.0]");
	/* the state is not shown to who does not ask for it */
	cr_assert_null(strstr(l.body, "\"t\""), "%s", l.body);
	ask_sum(&l, "\"sequence_id\":\"other\",\"sequence_start\":true");
	expect_has(&l, "[1.0,10.0]");
	ask_sum(&l, "\"sequence_id\":7");
	expect_has(&l, "[2.0,20.0]");
	/* a new version of the same kind takes over in the middle */
	put_sum(&l, 2);
	loopback_post(&l, "/v2/repository/models/sum/load", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	ask_sum(&l, "\"sequence_id\":7,\"sequence_end\":true");
	expect_has(&l, "[3.0,30.0]");
	expect_has(&l, "\"model_version\":\"2\"");
	ask_sum(&l, "\"sequence_id\":7");
	loopback_expect_error(&l, 400, "has ended");
	ask_sum(&l, "\"sequence_id\":8,\"sequence_start\":true");
	expect_has(&l, "[1.0,10.0]");
	ask_sum(&l, "\"sequence_id\":9,\"sequence_start\":true");
	loopback_expect_error(&l, 503, "2 sequences are under way");
	/* one of no sequence gives its own state, or is refused */
	ask_sum(&l, "\"sequence_id\":0");
	loopback_expect_error(&l, 400, "input 's' is missing; it is carried");
	loopback_post(&l, "/predict/sum",
		      "{\"inputs\":{\"x\":[[1,2]],\"s\":[[3,4]]}}");
	expect_has(&l, "\"t\":[[4.0,6.0]]");
	/* the simple door carries it, too, wherever parameters stand */
	loopback_post(&l, "/predict/sum",
		      "{\"inputs\":{\"x\":[[1,2]]},\"parameters\":{"
		      "\"sequence_id\":8}}");
	expect_has(&l, "\"outputs\":{\"y\":[[2.0,12.0]]}");
	loopback_post(
	    &l, "/predict",
	    "{\"parameters\":{\"sequence_id\":8,\"sequence_end\":true}"
	    ",\"inputs\":{\"x\":[[1,2]]},\"model\":\"sum\"}");
	expect_has(&l, "\"outputs\":{\"y\":[[3.0,14.0]]}");
	loopback_post(&l, "/predict/sum",
		      "{\"inputs\":{\"x\":[[1,2]]},\"parameters\":{"
		      "\"sequence_id\":[8]}}");
	loopback_expect_error(&l, 400, "parameters");
	loopback_end(&l);
}

Test(api_life, sequences_go_on_over_a_rollback_and_other_terms)
{
	struct loopback l;

	loopback_begin(&l);
	put_sum(&l, 1);
	put_sum(&l, 2);
	configure(&l, "sum", "sequence: {state: {s: t}, max: 2}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	ask_sum(&l, "\"sequence_id\":7,\"sequence_start\":true");
	expect_has(&l, "\"model_version\":\"2\"");
	loopback_post(&l, "/models/sum/rollback", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	ask_sum(&l, "\"sequence_id\":7");
	expect_has(&l, "\"model_version\":\"1\"");
	expect_has(&l, "[2.0,20.0]");
	configure(&l, "sum",
		  "sequence: {state: {s: t}, max: 1, idle_timeout: 90s}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	ask_sum(&l, "\"sequence_id\":7");
	expect_has(&l, "[3.0,30.0]");
	ask_sum(&l, "\"sequence_id\":8,\"sequence_start\":true");
	loopback_expect_error(&l, 503, "1 sequences are under way");
	loopback_end(&l);
}

Test(api_life, load_tools_see_that_a_model_has_sequences)
{
	struct loopback l;

	loopback_begin(&l);
	put_sum(&l, 1);
	configure(&l, "sum", "sequence: {state: {s: t}, max: 9}\n");
	loopback_get(&l, "/v2/models/sum/config");
	expect_has(&l,
		   "{\"name\":\"x\",\"data_type\":\"TYPE_FP32\",\"dims\":[2],"
		   "\"optional\":false,");
	expect_has(&l,
		   "{\"name\":\"s\",\"data_type\":\"TYPE_FP32\",\"dims\":[2],"
		   "\"optional\":true,");
	expect_has(&l,
		   "\"sequence_batching\":{"
		   "\"max_sequence_idle_microseconds\":60000000,\"oldest\":{"
		   "\"max_candidate_sequences\":9,"
		   "\"preferred_batch_size\":[],"
		   "\"max_queue_delay_microseconds\":0},\"state\":[{"
		   "\"input_name\":\"s\",\"output_name\":\"t\","
		   "\"data_type\":\"TYPE_FP32\",\"dims\":[2]}]}");
	cr_assert_null(strstr(l.body, "dynamic_batching"));
	/* it may come back, where there is something that it can mean */
	loopback_post(&l, "/v2/repository/models/sum/load",
		      "{\"parameters\":{\"config\":\"{\\\"max_batch_size\\\":4,"
		      "\\\"sequence_batching\\\":{}}\"}}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/sum/config");
	expect_has(&l, "\"max_batch_size\":4,");
	loopback_post(&l, "/v2/repository/models/linear/load",
		      "{\"parameters\":{\"config\":\"{"
		      "\\\"sequence_batching\\\":{}}\"}}");
	loopback_expect_error(&l, 400, "config.yaml");
	loopback_end(&l);
}

Test(api_life, a_sequence_needs_a_model_that_has_state)
{
	struct loopback l;

	loopback_begin(&l);
	put_sum(&l, 1);
	loopback_post(&l, "/v2/repository/models/sum/load", "");
	ask_sum(&l, "\"sequence_id\":7,\"sequence_start\":true");
	loopback_expect_error(&l, 400, "names no state");
	configure(&l, "sum", "sequence: {state: {s: z}}\n");
	loopback_expect_error(&l, 400, "no output 'z'");
	loopback_end(&l);
}

/* --- answers that are known --- */

Test(api_life, answers_to_equal_inputs_are_kept)
{
	struct loopback l;

	loopback_begin(&l);
	configure(&l, "linear", "response_cache: true\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	for (int i = 0; i < 3; i++) {
		loopback_post(&l, "/predict/linear", one_row);
		expect_has(&l, "[2.0,4.0,6.0]");
	}
	loopback_post(&l, "/predict/linear",
		      "{\"inputs\":{\"x\":[[0,1,0,0]]}}");
	expect_has(&l, "[8.0,10.0,12.0]");
	loopback_get(&l, "/v2/models/linear/versions/2/stats");
	expect_has(&l, "\"cache_hit\":{\"count\":2,");
	expect_has(&l, "\"cache_miss\":{\"count\":2,");
	expect_has(&l, "\"execution_count\":2,");
	expect_has(&l, "\"success\":{\"count\":4,");
	/* another version gives its own answers */
	loopback_put_linear(&l, 3);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	loopback_post(&l, "/predict/linear", one_row);
	expect_has(&l, "[3.0,6.0,9.0]");
	loopback_get(&l, "/metrics");
	expect_has(&l, "nv_cache_num_hits_per_model{model=\"linear\","
		       "version=\"2\"} 2");
	loopback_end(&l);
}

/* --- ensembles --- */

Test(api_life, several_models_answer_as_one)
{
	struct loopback l;

	loopback_begin(&l);
	scratch_dir(&l.scratch, "both");
	/* x [4] -> linear [3]; x twice -> x + x in `twice` */
	configure(
	    &l, "both",
	    "ensemble:\n"
	    "  steps:\n"
	    "    - {model: sum, inputs: {x: a, s: a}, outputs: {y: twice}}\n"
	    "    - {model: sum, inputs: {x: twice, s: b}, outputs: {y: "
	    "all}}\n");
	loopback_expect_error(&l, 404, "no model 'sum'");
	put_sum(&l, 1);
	loopback_post(&l, "/v2/repository/models/both/load", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/predict/both",
		      "{\"inputs\":{\"a\":[[1,2],[3,4]],\"b\":[[10,20],[30,40]]"
		      "}}");
	expect_has(&l, "\"outputs\":{\"all\":[[12.0,24.0],[36.0,48.0]]}");
	/* open extents of its steps are one: it batches */
	loopback_get(&l, "/v2/models/both");
	expect_has(&l, "\"shape\":[-1,2]");
	loopback_get(&l, "/models/both/batcher");
	expect_has(&l, "\"batches\":true");
	loopback_end(&l);
}

Test(api_life, an_ensemble_takes_new_versions_of_its_steps)
{
	struct loopback l;

	loopback_begin(&l);
	scratch_dir(&l.scratch, "line");
	configure(
	    &l, "line",
	    "ensemble:\n"
	    "  steps:\n"
	    "    - {model: linear, inputs: {x: in}, outputs: {y: out}}\n");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/predict/line", "{\"inputs\":{\"in\":[[1,0,0,0]]}}");
	expect_has(&l, "\"out\":[[2.0,4.0,6.0]]");
	loopback_put_linear(&l, 3);
	loopback_post(&l, "/v2/repository/models/line/load", "");
	loopback_post(&l, "/predict/line", "{\"inputs\":{\"in\":[[1,0,0,0]]}}");
	expect_has(&l, "\"out\":[[3.0,6.0,9.0]]");
	configure(&l, "line",
		  "ensemble:\n  steps:\n    - {model: linear, version: 1, "
		  "inputs: {x: in}, outputs: {y: out}}\n");
	loopback_post(&l, "/predict/line", "{\"inputs\":{\"in\":[[1,0,0,0]]}}");
	expect_has(&l, "\"out\":[[1.0,2.0,3.0]]");
	loopback_end(&l);
}

Test(api_life, an_ensemble_that_does_not_fit_says_where)
{
	static const struct {
		const char *steps, *word;
	} rows[] = {
		{ "[]", "list of 1 to 64 steps" },
		{ "[{model: linear, inputs: {x: a}}]", "outputs" },
		{ "[{model: linear, inputs: {z: a}, outputs: {y: b}}]",
		  "no input 'z'" },
		{ "[{model: linear, inputs: {x: a}, outputs: {z: b}}]",
		  "no output 'z'" },
		{ "[{model: add, inputs: {a: a}, outputs: {s: s}}]",
		  "what its input 'b' is" },
		{ "[{model: linear, inputs: {x: a}, outputs: {y: b}}, {model: "
		  "linear, inputs: {x: b}, outputs: {y: c}}]",
		  "'b' is not what input 'x'" },
		{ "[{model: linear, inputs: {x: a}, outputs: {y: a}}]",
		  "but read before" },
		{ "[{model: linear, inputs: {x: a}, outputs: {y: b}, "
		  "versoin: 1}]",
		  "'version'" },
		{ "[{model: linear, version: 9, inputs: {x: a}, outputs: {y: "
		  "b}}]",
		  "no version 9" },
		{ "[{model: ../x, inputs: {x: a}, outputs: {y: b}}]",
		  "no name of a model" },
	};
	struct loopback l;

	loopback_begin(&l);
	scratch_dir(&l.scratch, "bad");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "ensemble: {steps: %s}\n",
			       rows[i].steps);
		configure(&l, "bad", text);
		cr_assert(l.status >= 400, "%s", rows[i].steps);
		cr_assert(strstr(l.body, rows[i].word), "%s in %s",
			  rows[i].word, l.body);
		/* it says once whose the reason is */
		loopback_get(&l, "/v2/models/bad");
		loopback_expect_error(&l, 503,
				      "model 'bad' version 1 is UNAVAILABLE: ");
		cr_assert_null(strstr(l.body, "UNAVAILABLE: model 'bad'"), "%s",
			       l.body);
	}
	configure(&l, "linear",
		  "ensemble: {steps: [{model: add, inputs: {a: a, b: b}, "
		  "outputs: {s: s}}]}\n");
	loopback_expect_error(&l, 400, "of its own, too");
	loopback_end(&l);
}
