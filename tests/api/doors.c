/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/auth.h"
#include "tests/api/loopback.h"

static void expect_has(const struct loopback *l, const char *part)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert(strstr(l->body, part), "'%s' in %s", part, l->body);
}

Test(api_doors, knows_paths_and_methods)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/nothing");
	loopback_expect_error(&l, 404, "nothing");
	loopback_get(&l, "/v2/nothing");
	loopback_expect_error(&l, 404, "nothing");
	loopback_get(&l, "/v2/models/linear/infer/more");
	loopback_expect_error(&l, 404, "nothing");
	loopback_get(&l, "/v2/models/linear/infer");
	loopback_expect_error(&l, 405, "POST");
	cr_assert_str_eq(loopback_answer_header(&l, "Allow"), "POST");
	/* each method once, though two patterns fit */
	loopback_ask(&l, "OPTIONS", "/v2/models/stats", "", 0);
	loopback_expect_error(&l, 405, "GET");
	cr_assert_str_eq(loopback_answer_header(&l, "Allow"), "GET, HEAD");
	loopback_ask(&l, "PUT", "/jobs/j", "", 0);
	cr_assert_str_eq(loopback_answer_header(&l, "Allow"),
			 "GET, HEAD, DELETE");
	loopback_ask(&l, "BREW", "/v2/health/live", "", 0);
	loopback_expect_error(&l, 405, "BREW");
	loopback_ask(&l, "HEAD", "/v2/health/live", "", 0);
	cr_assert_eq(l.status, 200);
	loopback_get(&l, "/v2/models/li%6eear/ready");
	cr_assert_eq(l.status, 200);
	loopback_get(&l, "/v2/models/%2e%2e%2fx/ready");
	loopback_expect_error(&l, 404, "../x");
	loopback_get(&l, "/v2/models/%00/ready");
	loopback_expect_error(&l, 400, "escape");
	loopback_get(&l, "/v2/models/%zz/ready");
	loopback_expect_error(&l, 400, "escape");
	loopback_end(&l);
}

static void copy_linear(const struct loopback *l, const char *to)
{
	char from[128];
	struct err err;
	size_t len;
	char *text;

	(void)snprintf(from, sizeof(from), "%s/linear/1/model.onnx",
		       l->scratch.path);
	cr_assert_eq(file_read_all(from, 1 << 20, &text, &len, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(file_write_atomic(to, text, len, &err), ERR_NONE, "%s",
		     err.msg);
	mem_free(text);
}

Test(api_doors, models_may_have_any_name)
{
	static const char *const rows[][2] = {
		{ "my model", "my%20model" },
		{ "mod\xc3\xa8le", "mod%C3%A8le" },
		{ "mod\xc3\xa8le", "mod\xc3\xa8le" },
		{ "50%", "50%25" },
		{ "a:predict", "a%3Apredict" },
	};
	char path[128];
	struct loopback l;

	loopback_begin(&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		(void)snprintf(path, sizeof(path), "%s/1", rows[i][0]);
		scratch_dir(&l.scratch, path);
		(void)snprintf(path, sizeof(path), "%s/%s/1/model.onnx",
			       l.scratch.path, rows[i][0]);
		copy_linear(&l, path);
		(void)snprintf(path, sizeof(path),
			       "/v2/repository/models/%s/load", rows[i][1]);
		loopback_post(&l, path, "");
		cr_assert_eq(l.status, 200, "%s", l.body);
		(void)snprintf(path, sizeof(path), "/v1/models/%s:predict",
			       rows[i][1]);
		loopback_post(&l, path, "{\"instances\":[[1,0,0,0]]}");
		expect_has(&l, "[1.0,2.0,3.0]");
	}
	loopback_post(&l, "/v2/repository/index", "");
	expect_has(&l, "{\"name\":\"mod\xc3\xa8le\",");
	loopback_end(&l);
}

Test(api_doors, predicts_from_whole_tensors)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/predict/linear/1",
		      "{\"inputs\":{\"x\":[[1,0,0,0],[0,0,0,1]]}}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_str_eq(l.body,
			 "{\"model\":\"linear\",\"version\":\"1\",\"id\":"
			 "\"test-1\",\"outputs\":{\"y\":[[1.0,2.0,3.0],"
			 "[10.0,11.0,12.0]]}}");
	/* a lone row is a batch of one; the body may say the model */
	loopback_post(&l, "/predict",
		      "{\"inputs\":{\"x\":[1,0,0,0]},\"model\":\"linear\"}");
	expect_has(&l, "\"version\":\"2\"");
	expect_has(&l, "{\"y\":[[2.0,4.0,6.0]]}");
	loopback_post(&l, "/predict",
		      "{\"model\":\"linear\",\"version\":1,"
		      "\"inputs\":{\"x\":[1,0,0,0]}}");
	expect_has(&l, "{\"y\":[[1.0,2.0,3.0]]}");
	loopback_end(&l);
}

Test(api_doors, refuses_predictions_and_says_why)
{
	static const struct {
		const char *path, *body, *says;
		int status;
	} rows[] = {
		{ "/predict", "{\"inputs\":{}}", "which", 400 },
		{ "/predict/linear", "{}", "\"inputs\" is missing", 400 },
		{ "/predict/linear", "{\"inputs\":{}}", "'x' is missing", 400 },
		{ "/predict/linear", "{\"inputs\":[1]}", "a map", 400 },
		{ "/predict/linear", "{\"input\":{}}", "'input'", 400 },
		{ "/predict/linear", "{\"inputs\":{\"z\":[1]}}", "'z'", 400 },
		{ "/predict/linear", "{\"inputs\":{\"x\":[[1,2],[3]]}}",
		  "equally long", 400 },
		{ "/predict/linear", "{\"inputs\":{\"x\":[[1,2]]}}", "[1,2]",
		  400 },
		{ "/predict/linear", "{\"inputs\":{\"x\":[null]}}", "plain",
		  400 },
		{ "/predict/linear", "{\"model\":\"add\",\"inputs\":{}}", "add",
		  400 },
		{ "/predict/linear",
		  "{\"parameters\":{\"timeout\":1},\"inputs\":{\"x\":[[1,0,0,"
		  "0]]}}",
		  "deadline", 504 },
		{ "/predict/linear",
		  "{\"parameters\":{\"timeout\":\"soon\"},\"inputs\":{\"x\":[["
		  "1,0,0,0]]}}",
		  "an integer", 400 },
		{ "/predict/nope", "{\"inputs\":{}}", "nope", 404 },
		{ "/predict/nope", "{}", "nope", 404 },
		{ "/predict/nope", "{\"rows\":[1]}", "nope", 404 },
		{ "/predict/nope", "not JSON", "nope", 404 },
		{ "/predict", "{\"model\":\"nope\"}", "nope", 404 },
		{ "/predict", "{}", "\"inputs\" is missing", 400 },
		{ "/predict/linear/x", "{\"inputs\":{}}", "'x'", 404 },
	};
	struct loopback l;

	loopback_begin(&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		loopback_post(&l, rows[i].path, rows[i].body);
		loopback_expect_error(&l, rows[i].status, rows[i].says);
	}
	loopback_header(&l, "Content-Type", "image/png");
	loopback_post(&l, "/predict/linear", "not a picture");
	loopback_expect_error(&l, 400, "one feature");
	loopback_header(&l, "Content-Type", "application/pdf");
	loopback_post(&l, "/predict/linear", "x");
	loopback_expect_error(&l, 415, "application/pdf");
	loopback_end(&l);
}

Test(api_doors, speaks_tensorflow_servings_dialect)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"instances\":[[1,0,0,0],[0,1,0,0]]}");
	expect_has(&l, "{\"predictions\":[[1.0,2.0,3.0],[4.0,5.0,6.0]]}");
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"instances\":[{\"x\":[1,0,0,0]}]}");
	expect_has(&l, "{\"predictions\":[[1.0,2.0,3.0]]}");
	loopback_post(&l, "/v1/models/add:predict",
		      "{\"instances\":[{\"a\":[5,6],\"b\":[1,2]},"
		      "{\"b\":[0,0],\"a\":[7,8]}]}");
	expect_has(&l, "{\"predictions\":[{\"s\":[6,8],\"d\":[4,4]},"
		       "{\"s\":[7,8],\"d\":[7,8]}]}");
	loopback_post(&l, "/v1/models/add:predict",
		      "{\"inputs\":{\"a\":[[5,6]],\"b\":[[1,2]]}}");
	expect_has(&l, "{\"outputs\":{\"s\":[[6,8]],\"d\":[[4,4]]}}");
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"signature_name\":\"\",\"inputs\":[[1,0,0,0]]}");
	expect_has(&l, "{\"outputs\":[[1.0,2.0,3.0]]}");
	loopback_post(&l, "/v1/models/add:predict",
		      "{\"instances\":[{\"a\":[5,6],\"b\":[1,2]},"
		      "{\"a\":[7,8]}]}");
	loopback_expect_error(&l, 400, "missing in some");
	loopback_post(&l, "/v1/models/add:predict",
		      "{\"instances\":[{\"a\":[5,6]},{\"a\":[7]}]}");
	loopback_expect_error(&l, 400, "same shapes");
	loopback_post(&l, "/v1/models/add:predict", "{\"instances\":[[1]]}");
	loopback_expect_error(&l, 400, "2 inputs");
	/* these are four instances, and no row of four */
	loopback_post(&l, "/v1/models/linear:predict",
		      "{\"instances\":[1,0,0,0]}");
	loopback_expect_error(&l, 400, "of 1 dimensions; got 0");
	loopback_post(&l, "/v1/models/linear/versions/1:predict",
		      "{\"inputs\":null,\"instances\": [ [1,0,0,0]]}");
	expect_has(&l, "{\"predictions\":[[1.0,2.0,3.0]]}");
	loopback_post(&l, "/v1/models/add:predict", "{}");
	loopback_expect_error(&l, 400, "\"instances\" is missing");
	loopback_get(&l, "/v1/models/linear");
	expect_has(&l, "{\"version\":\"1\",\"state\":\"AVAILABLE\",\"status\":"
		       "{\"error_code\":\"OK\",\"error_message\":\"\"}}");
	loopback_end(&l);
}

Test(api_doors, loads_and_unloads_models)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/repository/index", "");
	expect_has(&l, "{\"name\":\"broken\",\"version\":\"1\",\"state\":"
		       "\"UNAVAILABLE\",\"reason\":");
	expect_has(&l, "{\"name\":\"text\",\"version\":\"1\",\"state\":"
		       "\"READY\"}");
	loopback_post(&l, "/v2/repository/index", "{\"ready\":true}");
	cr_assert_eq(l.status, 200);
	cr_assert_null(strstr(l.body, "broken"));
	loopback_post(&l, "/v2/repository/models/add/unload", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert_eq(l.len, 0);
	loopback_get(&l, "/v2/models/add/ready");
	loopback_expect_error(&l, 503, "unloaded");
	loopback_post(&l, "/v2/repository/models/add/load", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/add/ready");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/v2/repository/models/nope/load", "{}");
	loopback_expect_error(&l, 404, "nope");
	loopback_post(&l, "/v2/repository/models/nope/unload", "{}");
	loopback_expect_error(&l, 404, "nope");
	loopback_post(&l, "/v2/repository/models/broken/load", "{}");
	cr_assert_neq(l.status, 200);
	cr_assert(strstr(l.body, "model.onnx") || strstr(l.body, "broken"));
	loopback_post(
	    &l, "/v2/repository/models/add/load",
	    "{\"parameters\":{\"config\":\"{}\",\"file:1/model.onnx\":"
	    "\"AAAA\"}}");
	loopback_expect_error(&l, 400, "file:1/model.onnx");
	loopback_expect_error(&l, 400, "beneath add/VERSION");
	loopback_end(&l);
}

/* A model whose one step is the model "linear". */
static void put_ensemble(struct loopback *l, const char *name)
{
	static const char config[] =
	    "ensemble: {steps: [{model: linear, inputs: {x: in}, outputs: "
	    "{y: out}}]}\n";
	char path[128];

	scratch_dir(&l->scratch, name);
	(void)snprintf(path, sizeof(path), "%s/config.yaml", name);
	scratch_file(&l->scratch, path, config, sizeof(config) - 1);
	(void)snprintf(path, sizeof(path), "/v2/repository/models/%s/load",
		       name);
	loopback_post(l, path, "");
	cr_assert_eq(l->status, 200, "%s", l->body);
}

static void expect_ready(struct loopback *l, const char *model, int status)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/v2/models/%s/ready", model);
	loopback_get(l, path);
	cr_assert_eq(l->status, status, "%s: %d %s", model, l->status, l->body);
}

#define ALL "{\"parameters\":{\"unload_dependents\":true}}"

Test(api_doors, what_hangs_together_is_unloaded_together)
{
	struct loopback l;

	loopback_begin(&l);
	put_ensemble(&l, "one");
	put_ensemble(&l, "other");
	/* a step that another one needs stays */
	loopback_post(&l, "/v2/repository/models/one/unload", ALL);
	cr_assert_eq(l.status, 200, "%s", l.body);
	expect_ready(&l, "one", 503);
	expect_ready(&l, "linear", 200);
	loopback_post(&l, "/v2/repository/models/other/unload", ALL);
	expect_ready(&l, "linear", 503);
	expect_ready(&l, "add", 200);
	/* and what is made of a model goes with it, if that is asked for */
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	loopback_post(&l, "/v2/repository/models/one/load", "");
	loopback_post(&l, "/v2/repository/models/linear/unload",
		      "{\"parameters\":{\"unload_dependents\":false}}");
	expect_ready(&l, "one", 200);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	loopback_post(&l, "/v2/repository/models/linear/unload", ALL);
	expect_ready(&l, "one", 503);
	expect_ready(&l, "linear", 503);
	loopback_post(&l, "/v2/repository/models/add/unload",
		      "{\"parameters\":{\"unload_dependents\":\"yes\"}}");
	loopback_expect_error(&l, 400, "'unload_dependents'");
	expect_ready(&l, "add", 200);
	loopback_end(&l);
}

/* Asks for a load with a configuration, which is text within the body. */
static void load_as(struct loopback *l, const char *model, const char *config)
{
	char path[128], body[4096] = "{\"parameters\":{\"config\":\"";
	size_t n = strlen(body);

	for (; *config && n < sizeof(body) - 8; config++) {
		if (*config == '"')
			body[n++] = '\\';
		body[n++] = *config;
	}
	(void)snprintf(body + n, sizeof(body) - n, "\"}}");
	(void)snprintf(path, sizeof(path), "/v2/repository/models/%s/load",
		       model);
	loopback_post(l, path, body);
}

Test(api_doors, loads_a_model_with_the_configuration_of_the_request)
{
	char config[4096];
	struct loopback l;
	struct err err;

	loopback_begin(&l);
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"version_policy\":{\"latest\":{\"num_versions\":2}},"
		       "\"max_batch_size\":64,");
	load_as(&l, "linear",
		"{\"max_batch_size\":4,\"version_policy\":{\"specific\":{"
		"\"versions\":[\"1\"]}}}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"version_policy\":{\"specific\":{\"versions\":[1]}},"
		       "\"max_batch_size\":4,");
	loopback_post(&l, "/predict/linear/2",
		      "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_expect_error(&l, 404, "version 2");
	/* what /config says may come back */
	loopback_get(&l, "/v2/models/linear/config");
	cr_assert_lt(l.len, sizeof(config));
	(void)snprintf(config, sizeof(config), "%s", l.body);
	load_as(&l, "linear", config);
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/linear/config");
	cr_assert_str_eq(l.body, config);
	/* a configuration that is wrong changes nothing */
	load_as(&l, "linear", "{\"max_batch_size\":1000000}");
	loopback_expect_error(&l, 400, "max_batch_size");
	load_as(&l, "linear", "{\"max_batch_sise\":2}");
	loopback_expect_error(&l, 400, "did you mean 'max_batch_size'");
	loopback_get(&l, "/v2/models/linear/config");
	cr_assert_str_eq(l.body, config);
	/* it stays when the repository changes */
	loopback_put_linear(&l, 3);
	cr_assert_eq(model_cache_load(l.context.models, "linear", &err),
		     ERR_NONE, "%s", err.msg);
	loopback_get(&l, "/v2/models/linear/config");
	cr_assert_str_eq(l.body, config);
	/* a load without one takes config.yaml again */
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"max_batch_size\":64,");
	loopback_post(&l, "/predict/linear/2",
		      "{\"inputs\":{\"x\":[1,0,0,0]}}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/v2/repository/models/linear/load",
		      "{\"parameters\":{\"config\":{\"max_batch_size\":2}}}");
	loopback_expect_error(&l, 400, "expected a string");
	loopback_end(&l);
}

Test(api_doors, tells_the_version_policy_of_config_yaml)
{
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ "version_policy: {latest: 1}",
		  "{\"latest\":{\"num_versions\":"
		  "1}}" },
		{ "version_policy: {all: true}", "{\"all\":{}}" },
		{ "version_policy: {specific: [1, 2]}",
		  "{\"specific\":{\"versions\":[1,2]}}" },
	};
	struct loopback l;
	char want[128];

	loopback_begin(&l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		scratch_file(&l.scratch, "linear/config.yaml", rows[i].yaml,
			     strlen(rows[i].yaml));
		loopback_post(&l, "/v2/repository/models/linear/load", "{}");
		cr_assert_eq(l.status, 200, "%s", l.body);
		loopback_get(&l, "/v2/models/linear/versions/2/config");
		(void)snprintf(want, sizeof(want), "\"version_policy\":%s,",
			       rows[i].want);
		expect_has(&l, want);
	}
	loopback_end(&l);
}

Test(api_doors, keeps_the_old_version_when_a_reload_fails)
{
	struct loopback l;

	loopback_begin(&l);
	scratch_file(&l.scratch, "linear/2/model.onnx", "nonsense", 8);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_neq(l.status, 200);
	loopback_post(&l, "/predict/linear/2",
		      "{\"inputs\":{\"x\":[1,0,0,0]}}");
	expect_has(&l, "{\"y\":[[2.0,4.0,6.0]]}");
	loopback_put_linear(&l, 5);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	expect_has(&l, "\"version\":\"5\"");
	loopback_post(&l, "/predict/linear/1",
		      "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_expect_error(&l, 404, "version 1");
	loopback_end(&l);
}

Test(api_doors, tells_of_the_plan_and_loads_anew_when_numerics_change)
{
	static const char strict[] = "strict_numerics: true";
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"plan\":{\"strict_numerics\":false,"
		       "\"winograd_steps\":0,\"winograd_deviation\":0");
	cr_expect(strstr(l.body, "\"peak_bytes\":"), "%s", l.body);
	cr_expect_null(strstr(l.body, "\"peak_bytes\":0"));
	scratch_file(&l.scratch, "linear/config.yaml", strict,
		     sizeof(strict) - 1);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"plan\":{\"strict_numerics\":true,");
	/* a model that could batch and may not is planned at load, too */
	scratch_file(&l.scratch, "linear/config.yaml", "max_batch_size: 1", 17);
	loopback_post(&l, "/v2/repository/models/linear/load", "{}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	cr_expect(strstr(l.body, "\"peak_bytes\":"), "%s", l.body);
	loopback_end(&l);
}

Test(api_doors, lists_models_with_their_traffic)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_get(&l, "/models");
	expect_has(&l, "{\"name\":\"linear\",\"default_version\":\"2\","
		       "\"versions\":[{\"version\":\"1\",\"state\":\"READY\","
		       "\"is_default\":false");
	loopback_get(&l, "/models/linear");
	expect_has(&l,
		   "\"traffic\":{\"requests\":1,\"failures\":0,\"rows\":1}");
	expect_has(&l, "\"metadata\":{\"made for\":\"linear\"}");
	loopback_get(&l, "/models/broken");
	expect_has(&l, "\"state\":\"UNAVAILABLE\",\"reason\":\"");
	loopback_get(&l, "/models/nope");
	loopback_expect_error(&l, 404, "nope");
	loopback_end(&l);
}

Test(api_doors, writes_metrics_by_template_and_model)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_get(&l, "/no/such/path");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_http_requests_total{route=\"/predict/{model}\""
		       ",method=\"POST\",code=\"200\"} 1\n");
	expect_has(&l, "predictd_http_requests_total{route=\"other\","
		       "method=\"other\",code=\"404\"} 1\n");
	expect_has(&l, "predictd_model_ready{model=\"linear\",version=\"2\"} "
		       "1.0\n");
	/* its constants are too small to be shared */
	expect_has(&l, "predictd_model_weights_bytes{model=\"linear\","
		       "version=\"2\"} ");
	expect_has(&l, "predictd_packs_bytes 0.0\n");
	expect_has(&l, "nv_inference_request_success{model=\"linear\","
		       "version=\"2\"} 1.0\n");
	expect_has(&l, "predictd_batch_size_bucket{model=\"linear\",version="
		       "\"2\",le=\"1.0\"} 1\n");
	expect_has(&l, "predictd_http_request_duration_seconds_bucket{");
	expect_has(&l, "# TYPE process_cpu_seconds_total counter\n");
	loopback_end(&l);
}

Test(api_doors, asks_for_tokens_where_there_are_some)
{
	struct err err;
	struct loopback l;

	loopback_begin(&l);
	auth_destroy(l.context.auth);
	cr_assert_eq(auth_create("infer a-token-for-inference\n", "tokens",
				 &l.context.auth, &err),
		     ERR_NONE, "%s", err.msg);
	loopback_get(&l, "/v2/health/ready");
	cr_assert_eq(l.status, 200);
	loopback_get(&l, "/models");
	loopback_expect_error(&l, 401, "Authorization");
	cr_assert_not_null(loopback_answer_header(&l, "WWW-Authenticate"));
	loopback_header(&l, "Authorization", "Bearer wrong-token-altogether");
	loopback_get(&l, "/models");
	loopback_expect_error(&l, 401, "not known");
	loopback_header(&l, "Authorization", "Bearer a-token-for-inference");
	loopback_get(&l, "/models");
	cr_assert_eq(l.status, 200);
	loopback_header(&l, "Authorization", "Bearer a-token-for-inference");
	loopback_post(&l, "/v2/repository/models/add/unload", "{}");
	loopback_expect_error(&l, 403, "admin");
	loopback_end(&l);
}

Test(api_doors, an_answer_beyond_its_limit_is_the_servers_fault)
{
	struct loopback l;

	loopback_begin(&l);
	l.request.response.body.max = 300;
	loopback_get(&l, "/models");
	loopback_expect_error(&l, 500, "more than the 300 bytes");
	loopback_get(&l, "/metrics");
	loopback_expect_error(&l, 500, "more than the 300 bytes");
	l.request.response.body.max = 1 << 20;
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_http_requests_total{route=\"/models\",method="
		       "\"GET\",code=\"500\"} 1\n");
	loopback_end(&l);
}

Test(api_doors, refuses_what_the_memory_budget_does_not_hold)
{
	struct loopback l;
	struct err err;

	loopback_begin(&l);
	limit_init(&l.context.limit, 24);
	cr_assert_eq(limit_take(&l.context.limit, 16, &err), ERR_NONE);
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_expect_error(&l, 503, "bytes");
	cr_assert_not_null(loopback_answer_header(&l, "Retry-After"));
	loopback_get(&l, "/jobs");
	loopback_expect_error(&l, 404, "does not train");
	limit_give(&l.context.limit, 16);
	loopback_end(&l);
}

Test(api_doors, a_version_is_promoted_and_rolled_back)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/models/linear/rollback", "");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_assert(strstr(l.body, "\"default_version\":\"1\""));
	cr_assert(strstr(l.body, "\"previous_version\":\"2\""));
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	cr_assert(strstr(l.body, "\"version\":\"1\""), "%s", l.body);
	/* what was chosen goes on answering, however many newer ones come */
	loopback_put_linear(&l, 3);
	loopback_put_linear(&l, 4);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	cr_assert(strstr(l.body, "\"version\":\"1\""), "%s", l.body);
	loopback_post(&l, "/models/linear/rollback", "");
	loopback_expect_error(&l, 409, "no lower one");
	loopback_post(&l, "/models/linear/promote", "{\"version\":4}");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_post(&l, "/models/linear/promote", "{\"version\":\"9\"}");
	loopback_expect_error(&l, 404, "version 9");
	loopback_post(&l, "/models/linear/promote", "{}");
	loopback_expect_error(&l, 400, "version");
	loopback_post(&l, "/models/nope/rollback", "");
	loopback_expect_error(&l, 404, "nope");
	loopback_end(&l);
}
