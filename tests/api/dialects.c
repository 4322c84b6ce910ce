/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tests/api/loopback.h"

static void expect_body(const struct loopback *l, const char *body)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert_str_eq(l->body, body);
}

Test(api_tfs, tells_the_states_of_versions)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v1/models/linear");
	expect_body(&l, "{\"model_version_status\":[{\"version\":\"1\","
			"\"state\":\"AVAILABLE\",\"status\":{\"error_code\":"
			"\"OK\",\"error_message\":\"\"}},{\"version\":\"2\","
			"\"state\":\"AVAILABLE\",\"status\":{\"error_code\":"
			"\"OK\",\"error_message\":\"\"}}]}");
	loopback_get(&l, "/v1/models/linear/versions/2");
	cr_assert_eq(l.status, 200);
	cr_assert_null(strstr(l.body, "\"1\""));
	loopback_get(&l, "/v1/models/linear/versions/9");
	loopback_expect_error(&l, 404, "version '9'");
	loopback_get(&l, "/v1/models/nope");
	loopback_expect_error(&l, 404, "nope");
	loopback_post(&l, "/v1/models/linear:classify", "{}");
	loopback_expect_error(&l, 501, ":predict");
	/* an end that was asked for is no error, one that was not is */
	loopback_post(&l, "/v2/repository/models/add/unload", "");
	loopback_get(&l, "/v1/models/add");
	expect_body(&l, "{\"model_version_status\":[{\"version\":\"1\","
			"\"state\":\"END\",\"status\":{\"error_code\":\"OK\","
			"\"error_message\":\"\"}}]}");
	loopback_get(&l, "/v1/models/broken");
	cr_assert_not_null(strstr(l.body,
				  "\"END\",\"status\":{\"error_code\":"
				  "\"UNKNOWN\",\"error_message\":\"model."));
	loopback_end(&l);
}

Test(api_tfs, knows_labels_wherever_versions_may_stand)
{
	struct loopback l;

	loopback_begin(&l);
	scratch_file(&l.scratch, "linear/config.yaml", "labels: {stable: 1}\n",
		     20);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v1/models/linear/labels/stable");
	expect_body(&l, "{\"model_version_status\":[{\"version\":\"1\","
			"\"state\":\"AVAILABLE\",\"status\":{\"error_code\":"
			"\"OK\",\"error_message\":\"\"}}]}");
	loopback_get(&l, "/v1/models/linear/labels/stable/metadata");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_not_null(strstr(l.body, "\"version\":\"1\""));
	loopback_get(&l, "/v1/models/linear/labels/canary");
	loopback_expect_error(&l, 404, "its labels: stable");
	loopback_post(&l, "/v1/models/linear/labels/stable:regress", "{}");
	loopback_expect_error(&l, 501, ":predict");
	loopback_get(&l, "/v2/models/linear/versions/stable/stats");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_null(strstr(l.body, "\"version\":\"2\""));
	loopback_end(&l);
}

Test(api_tfs, tells_the_signature)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v1/models/linear/versions/1/metadata");
	expect_body(
	    &l, "{\"model_spec\":{\"name\":\"linear\",\"signature_name\":\"\","
		"\"version\":\"1\"},\"metadata\":{\"signature_def\":{"
		"\"signature_def\":{\"serving_default\":{\"inputs\":{\"x\":{"
		"\"dtype\":\"DT_FLOAT\",\"tensor_shape\":{\"dim\":[{\"size\":"
		"\"-1\",\"name\":\"\"},{\"size\":\"4\",\"name\":\"\"}],"
		"\"unknown_rank\":false},\"name\":\"x\"}},\"outputs\":{\"y\":{"
		"\"dtype\":\"DT_FLOAT\",\"tensor_shape\":{\"dim\":[{\"size\":"
		"\"-1\",\"name\":\"\"},{\"size\":\"3\",\"name\":\"\"}],"
		"\"unknown_rank\":false},\"name\":\"y\"}},\"method_name\":"
		"\"tensorflow/serving/predict\"}}}}}");
	loopback_get(&l, "/v1/models/linear/versions/9/metadata");
	loopback_expect_error(&l, 404, "version 9");
	loopback_end(&l);
}

Test(api_tfs, takes_signature_names_and_bytes)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"signature_name\":\"serving_default\",\"instances\":"
		      "[[1,0,0,0]]}");
	expect_body(&l, "{\"predictions\":[[1.0,2.0,3.0]]}");
	loopback_post(&l, "/v1/models/linear:predict",
		      "{\"signature_name\":\"train\",\"instances\":[[1,0,0,0]]"
		      "}");
	loopback_expect_error(&l, 400, "serving_default");
	/* an instance that is bytes is no map of inputs */
	loopback_post(&l, "/v1/models/text:predict",
		      "{\"instances\":[{\"b64\":\"//4=\"},\"plain\"]}");
	expect_body(&l, "{\"predictions\":[{\"b64\":\"//4=\"},\"plain\"]}");
	loopback_post(&l, "/v1/models/text:predict",
		      "{\"instances\":[{\"t\":{\"b64\":\"YQ==\"}},{\"t\":"
		      "\"b\"}]}");
	expect_body(&l, "{\"predictions\":[\"a\",\"b\"]}");
	loopback_post(&l, "/v1/models/text:predict",
		      "{\"inputs\":[\"a\",{\"b64\":\"/w==\"}]}");
	expect_body(&l, "{\"outputs\":[\"a\",{\"b64\":\"/w==\"}]}");
	loopback_post(&l, "/v1/models/text:predict",
		      "{\"instances\":[{\"b64\":\"?\"}]}");
	loopback_expect_error(&l, 400, "base64");
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"signature_name\":null,\"instances\":[[1,0,0,0]]}");
	expect_body(&l, "{\"predictions\":[[1.0,2.0,3.0]]}");
	loopback_post(&l, "/v1/models/linear:predict", "{\"instances\":[]}");
	loopback_expect_error(&l, 400, "at least one row");
	loopback_post(&l, "/v1/models/linear:predict", "{\"instances\":\"x\"}");
	loopback_expect_error(&l, 400, "expected a list");
	loopback_end(&l);
}

Test(api_generate, takes_and_gives_plain_values)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/text/generate",
		      "{\"id\":\"g1\",\"t\":\"hello\",\"other\":{\"t\":1},"
		      "\"parameters\":{\"stream\":false}}");
	expect_body(&l, "{\"id\":\"g1\",\"model_name\":\"text\","
			"\"model_version\":\"1\",\"u\":\"hello\"}");
	loopback_post(&l, "/v2/models/linear/versions/1/generate",
		      "{\"parameters\":{\"x\":[0,1,0,0]}}");
	expect_body(&l, "{\"model_name\":\"linear\",\"model_version\":\"1\","
			"\"y\":[4.0,5.0,6.0]}");
	/* what is said of the request counts here, too */
	loopback_post(&l, "/v2/models/text/generate",
		      "{\"t\":\"hello\",\"parameters\":{\"timeout\":1}}");
	loopback_expect_error(&l, 504, "deadline");
	loopback_post(&l, "/v2/models/text/generate", "{\"text\":\"hello\"}");
	loopback_expect_error(&l, 400, "'t' is missing");
	loopback_post(&l, "/v2/models/text/generate",
		      "{\"t\":\"a\",\"parameters\":{\"t\":\"b\"}}");
	loopback_expect_error(&l, 400, "twice");
	loopback_post(&l, "/v2/models/nope/generate", "{}");
	loopback_expect_error(&l, 404, "nope");
	loopback_end(&l);
}

Test(api_generate, streams_one_event)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/text/generate_stream",
		      "{\"t\":\"two\\nlines\"}");
	expect_body(&l, "data: {\"model_name\":\"text\",\"model_version\":"
			"\"1\",\"u\":\"two\\nlines\"}\n\n");
	cr_assert_str_eq(l.request.response.content_type,
			 "text/event-stream; charset=utf-8");
	/* before the first event an error is an answer like others */
	loopback_post(&l, "/v2/models/text/generate_stream", "{}");
	loopback_expect_error(&l, 400, "missing");
	cr_assert_str_eq(l.request.response.content_type, "application/json");
	loopback_end(&l);
}

Test(api_v2, says_that_shared_memory_is_not_offered)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v2/systemsharedmemory/status");
	loopback_expect_error(&l, 501, "shared memory");
	loopback_post(&l, "/v2/cudasharedmemory/region/r/register", "{}");
	loopback_expect_error(&l, 501, "shared memory");
	loopback_post(&l, "/v2/models/linear/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP32\",\"parameters\":{"
		      "\"shared_memory_region\":\"r\"}}]}");
	loopback_expect_error(&l, 501, "shared memory");
	loopback_end(&l);
}
