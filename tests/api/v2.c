/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tests/api/loopback.h"

/* linear 1 of rows [1,0,0,0] and [0,1,0,0]: rows of w, which counts from 1 */
static const char two_rows[] =
    "{\"id\":\"q7\",\"model_name\":\"ignored\",\"inputs\":[{\"name\":\"x\","
    "\"shape\":[2,4],\"datatype\":\"FP32\",\"data\":[1,0,0,0,0,1,0,0]}]}";

static void expect_body(const struct loopback *l, const char *body)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert_str_eq(l->body, body);
}

static void expect_has(const struct loopback *l, const char *part)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert(strstr(l->body, part), "'%s' in %s", part, l->body);
}

Test(api_v2, tells_health_and_metadata)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v2/health/live");
	expect_body(&l, "");
	loopback_get(&l, "/v2/health/ready");
	expect_body(&l, "");
	atomic_store(&l.context.is_ready, false);
	loopback_get(&l, "/v2/health/ready");
	loopback_expect_error(&l, 503, "starting or stopping");
	cr_assert_not_null(loopback_answer_header(&l, "Retry-After"));
	loopback_get(&l, "/v2/");
	expect_has(&l, "\"binary_tensor_data\"");
	expect_has(&l, "\"model_repository(unload_dependents)\"");
	loopback_get(&l, "/v2/models/linear");
	expect_body(&l, "{\"name\":\"linear\",\"versions\":[\"1\",\"2\"],"
			"\"platform\":\"onnx_onnxv1\",\"inputs\":[{\"name\":"
			"\"x\",\"datatype\":\"FP32\",\"shape\":[-1,4]}],"
			"\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\","
			"\"shape\":[-1,3]}]}");
	loopback_get(&l, "/v2/models/linear/ready");
	expect_body(&l, "");
	loopback_get(&l, "/v2/models/linear/versions/2/ready");
	expect_body(&l, "");
	loopback_get(&l, "/v2/models/linear/versions/3/ready");
	loopback_expect_error(&l, 404, "version 3");
	loopback_get(&l, "/v2/models/broken/ready");
	loopback_expect_error(&l, 503, "broken");
	loopback_get(&l, "/v2/models/nope");
	loopback_expect_error(&l, 404, "nope");
	loopback_end(&l);
}

Test(api_v2, tells_configuration_as_load_tools_read_it)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"max_batch_size\":64");
	expect_has(&l, "\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\","
		       "\"dims\":[4],");
	expect_has(&l, "\"dynamic_batching\":{");
	loopback_get(&l, "/v2/models/fixed/config");
	expect_has(&l, "\"max_batch_size\":0");
	expect_has(&l, "\"dims\":[2,2]");
	cr_assert_null(strstr(l.body, "dynamic_batching"));
	loopback_get(&l, "/v2/models/text/config");
	expect_has(&l, "\"TYPE_STRING\"");
	loopback_end(&l);
}

Test(api_v2, infers_from_json)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/versions/1/infer", two_rows);
	expect_body(&l, "{\"id\":\"q7\",\"model_name\":\"linear\","
			"\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
			"\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":"
			"[1.0,2.0,3.0,4.0,5.0,6.0]}]}");
	loopback_post(&l, "/v2/models/linear/infer", two_rows);
	expect_has(&l, "\"model_version\":\"2\"");
	expect_has(&l, "[2.0,4.0,6.0,8.0,10.0,12.0]");
	loopback_end(&l);
}

Test(api_v2, takes_members_in_any_order_and_nested_data)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/versions/1/infer",
		      "{\"outputs\":[{\"name\":\"y\"}],\"parameters\":{"
		      "\"other\":[1]},\"inputs\":[{\"data\":[[0,0,1,0]],"
		      "\"parameters\":{\"p\":1},\"datatype\":\"FP32\","
		      "\"shape\":[1,4],\"name\":\"x\"}]}");
	expect_has(&l, "[7.0,8.0,9.0]");
	loopback_end(&l);
}

Test(api_v2, splits_requests_larger_than_a_batch)
{
	struct buf body;
	struct loopback l;

	buf_init(&body, 1 << 20);
	buf_puts(&body, "{\"inputs\":[{\"name\":\"x\",\"shape\":[150,4],"
			"\"datatype\":\"FP32\",\"data\":[");
	for (int i = 0; i < 150; i++)
		buf_printf(&body, "%s%d,0,0,0", i ? "," : "", i);
	buf_puts(&body, "]}]}");
	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/versions/1/infer", body.data);
	expect_has(&l, "\"shape\":[150,3]");
	expect_has(&l, "[0.0,0.0,0.0,1.0,2.0,3.0,2.0,4.0,6.0,");
	expect_has(&l, "148.0,296.0,444.0,149.0,298.0,447.0]");
	loopback_get(&l, "/v2/models/linear/versions/1/stats");
	expect_has(&l, "\"inference_count\":150,\"execution_count\":3");
	/* in three runs, but one request saw them */
	expect_has(&l, "\"compute_infer\":{\"count\":1,");
	expect_has(&l, "\"batch_size\":64,\"compute_input\":{\"count\":2,");
	buf_finish(&body);
	loopback_end(&l);
}

Test(api_v2, takes_zero_rows_and_models_that_do_not_batch)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[0,4],"
		      "\"datatype\":\"FP32\",\"data\":[]}]}");
	expect_has(&l, "\"shape\":[0,3],\"data\":[]");
	loopback_post(&l, "/v2/models/fixed/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],"
		      "\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}");
	expect_has(&l, "[2.0,4.0,6.0,8.0]");
	loopback_end(&l);
}

/* A body of JSON and what stands behind it. */
static void ask_binary(struct loopback *l, const char *path, const char *json,
		       const void *blob, size_t len)
{
	struct buf body;
	char text[24];

	buf_init(&body, 1 << 20);
	buf_puts(&body, json);
	buf_put(&body, blob, len);
	(void)snprintf(text, sizeof(text), "%zu", strlen(json));
	loopback_header(l, "Inference-Header-Content-Length", text);
	loopback_ask(l, "POST", path, body.data, body.len);
	buf_finish(&body);
}

/* The binary part of the answer. */
static const char *blob_of(const struct loopback *l)
{
	const char *length =
	    loopback_answer_header(l, "Inference-Header-Content-Length");

	cr_assert_not_null(length, "%s", l->body);
	cr_assert_str_eq(l->request.response.content_type,
			 "application/octet-stream");
	return l->body + strtoul(length, NULL, 10);
}

Test(api_v2, takes_and_gives_binary_tensors)
{
	const float x[4] = { 1, 0, 0, 0 };
	float y[3];
	struct loopback l;

	loopback_begin(&l);
	ask_binary(&l, "/v2/models/linear/versions/1/infer",
		   "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":"
		   "\"FP32\",\"parameters\":{\"binary_data_size\":16}}],"
		   "\"parameters\":{\"binary_data_output\":true}}",
		   x, sizeof(x));
	cr_assert_eq(l.status, 200, "%s", l.body);
	memcpy(y, blob_of(&l), sizeof(y));
	cr_assert_eq(y[0], 1.0F);
	cr_assert_eq(y[2], 3.0F);
	cr_assert_not_null(memmem(l.body, l.len,
				  "\"parameters\":{\"binary_data_size\":12}",
				  strlen("\"parameters\":{\"binary_data_size\""
					 ":12}")));
	loopback_end(&l);
}

Test(api_v2, mixes_json_and_binary_both_ways)
{
	const int64_t a[2] = { 10, 20 };
	int64_t d[2];
	struct loopback l;

	loopback_begin(&l);
	ask_binary(&l, "/v2/models/add/infer",
		   "{\"inputs\":[{\"name\":\"b\",\"shape\":[1,2],\"datatype\":"
		   "\"INT64\",\"data\":[1,2]},{\"name\":\"a\",\"shape\":[1,2],"
		   "\"datatype\":\"INT64\",\"parameters\":{"
		   "\"binary_data_size\":16}}],\"outputs\":[{\"name\":\"d\","
		   "\"parameters\":{\"binary_data\":true}},{\"name\":\"s\"}]}",
		   a, sizeof(a));
	cr_assert_eq(l.status, 200, "%s", l.body);
	memcpy(d, blob_of(&l), sizeof(d));
	cr_assert_eq(d[0], 9);
	cr_assert_eq(d[1], 18);
	cr_assert_not_null(memmem(l.body, l.len, "\"data\":[11,22]", 14));
	loopback_end(&l);
}

Test(api_v2, takes_strings_in_both_forms)
{
	const char blob[] = "\3\0\0\0abc\0\0\0\0";
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/text/infer",
		      "{\"inputs\":[{\"name\":\"t\",\"shape\":[2],"
		      "\"datatype\":\"BYTES\",\"data\":[\"a\\n\\u00fc\","
		      "\"\"]}]}");
	expect_has(&l, "\"datatype\":\"BYTES\",\"shape\":[2],\"data\":"
		       "[\"a\\n\xc3\xbc\",\"\"]");
	ask_binary(&l, "/v2/models/text/infer",
		   "{\"inputs\":[{\"name\":\"t\",\"shape\":[2],\"datatype\":"
		   "\"BYTES\",\"parameters\":{\"binary_data_size\":11}}],"
		   "\"parameters\":{\"binary_data_output\":true}}",
		   blob, 11);
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_eq(memcmp(blob_of(&l), blob, 11), 0);
	ask_binary(&l, "/v2/models/text/infer",
		   "{\"inputs\":[{\"name\":\"t\",\"shape\":[1],\"datatype\":"
		   "\"BYTES\",\"parameters\":{\"binary_data_size\":5}}]}",
		   "\1\0\0\0\xff", 5);
	loopback_expect_error(&l, 400, "not UTF-8");
	loopback_end(&l);
}

Test(api_v2, takes_a_bare_body_as_the_one_input)
{
	const float x[4] = { 0, 1, 0, 0 };
	float y[3];
	struct loopback l;

	loopback_begin(&l);
	loopback_header(&l, "inference-header-content-length", "0");
	loopback_ask(&l, "POST", "/v2/models/linear/versions/1/infer", x,
		     sizeof(x));
	cr_assert_eq(l.status, 200, "%s", l.body);
	memcpy(y, blob_of(&l), sizeof(y));
	cr_assert_eq(y[0], 4.0F);
	loopback_header(&l, "Inference-Header-Content-Length", "0");
	loopback_ask(&l, "POST", "/v2/models/linear/infer", x, 15);
	loopback_expect_error(&l, 400, "15");
	loopback_header(&l, "Inference-Header-Content-Length", "0");
	loopback_ask(&l, "POST", "/v2/models/add/infer", x, sizeof(x));
	loopback_expect_error(&l, 400, "2 inputs");
	/* nothing is a tensor too: one empty string, no four floats */
	loopback_header(&l, "Inference-Header-Content-Length", "0");
	loopback_ask(&l, "POST", "/v2/models/text/infer", "", 0);
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_eq(memcmp(blob_of(&l), "\0\0\0\0", 4), 0);
	loopback_header(&l, "Inference-Header-Content-Length", "0");
	loopback_ask(&l, "POST", "/v2/models/linear/infer", "", 0);
	loopback_expect_error(&l, 400, "has 16 bytes, the body 0");
	loopback_end(&l);
}

Test(api_v2, classifies)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/versions/1/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,4],"
		      "\"datatype\":\"FP32\",\"data\":[1,0,0,0,-1,0,0,0]}],"
		      "\"outputs\":[{\"name\":\"y\",\"parameters\":{"
		      "\"classification\":2}}]}");
	expect_has(&l, "\"datatype\":\"BYTES\",\"shape\":[2,2],\"data\":["
		       "\"3.0:2\",\"2.0:1\",\"-1.0:0\",\"-2.0:1\"]");
	loopback_post(&l, "/v2/models/linear/versions/1/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP32\",\"data\":[1,0,0,0]}],"
		      "\"outputs\":[{\"name\":\"y\",\"parameters\":{"
		      "\"classification\":99}}]}");
	expect_has(&l, "\"shape\":[1,3],\"data\":[\"3.0:2\",\"2.0:1\","
		       "\"1.0:0\"]");
	/* integers beyond 2^53 are told apart, and written as they are */
	loopback_post(
	    &l, "/v2/models/add/infer",
	    "{\"inputs\":[{\"name\":\"a\",\"shape\":[1,2],\"datatype\""
	    ":\"INT64\",\"data\":[9007199254740992,9007199254740993]}"
	    ",{\"name\":\"b\",\"shape\":[1,2],\"datatype\":\"INT64\","
	    "\"data\":[0,0]}],\"outputs\":[{\"name\":\"s\","
	    "\"parameters\":{\"classification\":2}}]}");
	expect_has(&l, "\"data\":[\"9007199254740993:1\","
		       "\"9007199254740992:0\"]");
	loopback_end(&l);
}

#define X_INPUT(rest) "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4]," rest "}]}"

Test(api_v2, takes_null_for_what_may_be_left_out)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/versions/1/infer",
		      "{\"id\":null,\"parameters\":null,\"outputs\":null,"
		      "\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP32\",\"parameters\":null,\"data\":"
		      "[1,0,0,0]}]}");
	expect_body(&l, "{\"model_name\":\"linear\",\"model_version\":\"1\","
			"\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\","
			"\"shape\":[1,3],\"data\":[1.0,2.0,3.0]}]}");
	loopback_post(&l, "/v2/models/linear/versions/1/infer",
		      "{\"parameters\":{\"timeout\":null,\"priority\":null,"
		      "\"sequence_id\":null},\"outputs\":[{\"name\":\"y\","
		      "\"parameters\":{\"binary_data\":null}}],"
		      "\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP32\",\"data\":[1,0,0,0]}]}");
	expect_has(&l, "[1.0,2.0,3.0]");
	loopback_post(&l, "/predict/linear/1",
		      "{\"model\":null,\"version\":null,\"parameters\":null,"
		      "\"inputs\":{\"x\":[1,0,0,0]}}");
	expect_has(&l, "[1.0,2.0,3.0]");
	loopback_post(&l, "/v2/models/linear/versions/1/generate",
		      "{\"id\":null,\"parameters\":null,\"x\":[1,0,0,0]}");
	expect_has(&l, "[1.0,2.0,3.0]");
	loopback_post(&l, "/v2/repository/index", "{\"ready\":null}");
	expect_has(&l, "\"broken\"");
	loopback_post(&l, "/v2/repository/models/linear/load",
		      "{\"parameters\":{\"config\":null}}");
	expect_body(&l, "");
	loopback_post(&l, "/v2/repository/models/linear/unload",
		      "{\"parameters\":{\"unload_dependents\":null}}");
	expect_body(&l, "");
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	/* but not for what must be there */
	loopback_post(&l, "/v2/models/linear/infer", "{\"inputs\":null}");
	loopback_expect_error(&l, 400, "'x' is missing");
	loopback_post(&l, "/v2/models/linear/infer", X_INPUT("\"data\":null"));
	loopback_expect_error(&l, 400, "\"datatype\"");
	loopback_end(&l);
}

Test(api_v2, refuses_halves_beyond_their_range)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(
	    &l, "/v2/models/half/infer",
	    "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
	    "\"datatype\":\"FP16\",\"data\":[1,-0.5,NaN,Infinity]}]}");
	expect_has(&l, "[2.0,-1.0,NaN,Infinity]");
	loopback_post(&l, "/v2/models/half/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP16\",\"data\":[1,1,1,-70000]}]}");
	loopback_expect_error(&l, 400, "out of the range");
	loopback_end(&l);
}

struct refused {
	const char *body;
	int status;
	const char *says;
};

static const struct refused refused_bodies[] = {
	{ "", 400, "expected an object" },
	{ "[]", 400, "expected an object" },
	{ "{\"inputs\": [", 400, "the end" },
	{ "{\"inputs\":[]}", 400, "input 'x' is missing" },
	{ "{}", 400, "input 'x' is missing" },
	{ "{\"inputs\":[{}]}", 400, "without \"name\"" },
	{ "{\"inputs\":[],\"inputs\":[]}", 400, "given twice" },
	{ "{\"inputs\":[]} x", 400, "expected the end" },
	{ "{\"inputs\":[{\"name\":\"z\",\"shape\":[1],\"datatype\":"
	  "\"FP32\",\"data\":[1]}]}",
	  400, "no input 'z'" },
	{ X_INPUT("\"datatype\":\"FP64\",\"data\":[1,2,3,4]"), 400,
	  "expected datatype FP32, got FP64" },
	{ X_INPUT("\"datatype\":\"FLOAT\",\"data\":[1,2,3,4]"), 400,
	  "datatype 'FLOAT'" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3]"), 400,
	  "expected 4 elements, got 3" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,4,5]"), 400,
	  "got more" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,\"4\"]"), 400,
	  "not a number" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":{}"), 400,
	  "must be an array" },
	{ X_INPUT("\"datatype\":\"FP32\""), 400, "has no data" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,4],"
		  "\"data\":[1,2,3,4]"),
	  400, "given twice" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,4],"
		  "\"parameters\":{\"binary_data_size\":16}"),
	  400, "input 'x': it has" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,4]},{\"name\":"
		  "\"x\",\"shape\":[1,4],\"datatype\":\"FP32\","
		  "\"data\":[1,2,3,4]"),
	  400, "given twice" },
	{ X_INPUT("\"datatype\":\"FP32\",\"parameters\":{"
		  "\"binary_data_size\":16}"),
	  400, "0 bytes are left" },
	{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":"
	  "\"FP32\",\"data\":[1,2,3]}]}",
	  400, "[1,3]" },
	{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[4611686018427387904,"
	  "4],\"datatype\":\"FP32\",\"data\":[]}]}",
	  400, "x" },
	{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[-1,4],\"datatype\":"
	  "\"FP32\",\"data\":[]}]}",
	  400, "from 0 up" },
	{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1,1,1],"
	  "\"datatype\":\"FP32\",\"data\":[1]}]}",
	  400, "at most 8" },
	{ "{\"parameters\":{\"triton_x\":1}}", 400, "reserved" },
	{ "{\"parameters\":{\"timeout\":\"5\"}}", 400, "parameter 'timeout'" },
	{ "{\"parameters\":{\"sequence_id\":-1}}", 400,
	  "parameter 'sequence_id'" },
	{ "{\"parameters\":{\"binary_data_output\":1}}", 400,
	  "parameter 'binary_data_output'" },
	{ "{\"inputs\":[{\"name\":\"x\",\"parameters\":{"
	  "\"binary_data_size\":-1}}]}",
	  400, "input 'x': parameter 'binary_data_size'" },
	{ X_INPUT("\"datatype\":\"FP32\",\"data\":[1,2,3,4]}],"
		  "\"outputs\":[{\"name\":\"y\",\"parameters\":{"
		  "\"classification\":\"2\"}"),
	  400, "output 'y': parameter 'classification'" },
	{ "{\"id\":5}", 400, "id: " },
	{ "{\"id\":\"a\",\"id\":\"b\",\"inputs\":[]}", 400,
	  "'id' is given twice" },
	{ "{\"outputs\":[],\"outputs\":[]}", 400, "'outputs' is given twice" },
	{ X_INPUT("\"datatype\":\"FLOAT\""), 400,
	  "input 'x': datatype 'FLOAT'" },
	{ "{\"inputs\":[{\"name\":\"x\",\"shape\":[-1,4]}]}", 400,
	  "input 'x': " },
	{ "{\"outputs\":[{\"name\":\"q\"}],\"inputs\":[{\"name\":\"x\","
	  "\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}]}",
	  400, "no output 'q'" },
	{ "{\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}],"
	  "\"inputs\":[]}",
	  400, "asked for twice" },
};

Test(api_v2, refuses_requests_and_says_what_is_wrong)
{
	const size_t n = sizeof(refused_bodies) / sizeof(*refused_bodies);
	struct loopback l;

	loopback_begin(&l);
	for (size_t i = 0; i < n; i++) {
		const struct refused *row = &refused_bodies[i];

		loopback_post(&l, "/v2/models/linear/infer", row->body);
		loopback_expect_error(&l, row->status, row->says);
	}
	loopback_end(&l);
}

Test(api_v2, refuses_broken_binary_bodies)
{
	static const char json[] =
	    X_INPUT("\"datatype\":\"FP32\",\"parameters\":{"
		    "\"binary_data_size\":16}");
	const char blob[40] = { 0 };
	struct loopback l;

	loopback_begin(&l);
	ask_binary(&l, "/v2/models/linear/infer", json, blob, 20);
	loopback_expect_error(&l, 400, "4 bytes are left");
	ask_binary(&l, "/v2/models/linear/infer", json, blob, 15);
	loopback_expect_error(&l, 400, "15 bytes are left");
	loopback_header(&l, "Inference-Header-Content-Length", "999");
	loopback_post(&l, "/v2/models/linear/infer", "{}");
	loopback_expect_error(&l, 400, "999");
	loopback_header(&l, "Inference-Header-Content-Length", "-1");
	loopback_post(&l, "/v2/models/linear/infer", "{}");
	loopback_expect_error(&l, 400, "-1");
	/* two of them divide the body in two ways */
	loopback_header(&l, "Inference-Header-Content-Length", "2");
	loopback_header(&l, "inference-header-content-length", "1");
	loopback_post(&l, "/v2/models/linear/infer", "{}");
	loopback_expect_error(&l, 400, "given twice");
	ask_binary(&l, "/v2/models/text/infer",
		   "{\"inputs\":[{\"name\":\"t\",\"shape\":[2],\"datatype\":"
		   "\"BYTES\",\"parameters\":{\"binary_data_size\":8}}]}",
		   "\xff\xff\xff\xff\0\0\0\0", 8);
	loopback_expect_error(&l, 400, "2 elements");
	loopback_end(&l);
}

Test(api_v2, counts_exactly)
{
	struct loopback l;

	loopback_begin(&l);
	for (int i = 0; i < 3; i++)
		loopback_post(&l, "/v2/models/linear/versions/1/infer",
			      two_rows);
	loopback_post(&l, "/v2/models/linear/versions/1/infer", "{}");
	loopback_get(&l, "/v2/models/linear/versions/1/stats");
	expect_has(&l, "\"inference_count\":6,\"execution_count\":3,"
		       "\"inference_stats\":{\"success\":{\"count\":3,");
	expect_has(&l, "\"fail\":{\"count\":1,");
	expect_has(&l, "\"queue\":{\"count\":3,");
	expect_has(&l, "\"compute_infer\":{\"count\":3,");
	expect_has(&l, "\"batch_stats\":[{\"batch_size\":2,");
	loopback_get(&l, "/v2/models/linear/versions/7/stats");
	loopback_expect_error(&l, 404, "7");
	loopback_get(&l, "/v2/models/stats");
	expect_has(&l, "\"name\":\"add\"");
	loopback_end(&l);
}

Test(api_v2, a_load_takes_a_changed_configuration)
{
	struct loopback l;

	loopback_begin(&l);
	scratch_file(&l.scratch, "linear/config.yaml", "max_batch_size: 8\n",
		     18);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"max_batch_size\":8,");
	loopback_end(&l);
}

Test(api_v2, gives_up_at_the_deadline_of_the_request)
{
	struct loopback l;

	loopback_begin(&l);
	/* a request is not kept waiting for others beyond its deadline */
	scratch_file(&l.scratch, "linear/config.yaml",
		     "max_queue_delay_us: 5000000\n", 28);
	loopback_put_linear(&l, 3);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/v2/models/linear/infer",
		      "{\"parameters\":{\"timeout\":500000},\"inputs\":[{"
		      "\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\","
		      "\"data\":[1,0,0,0]}]}");
	expect_has(&l, "[3.0,6.0,9.0]");
	/* 1 us has passed when the request is there */
	loopback_post(&l, "/v2/models/linear/versions/2/infer",
		      "{\"parameters\":{\"timeout\":1},\"inputs\":[{"
		      "\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\","
		      "\"data\":[1,0,0,0]}]}");
	loopback_expect_error(&l, 504, "deadline");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_deadline_exceeded_total{model=\"linear\","
		       "version=\"2\"} 1");
	loopback_end(&l);
}
