/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/api/loopback.h"

static const char row[] =
    "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\","
    "\"data\":[1,0.5,0,0]}]}";

static const char traceparent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/* Standard error becomes a file that can be read back. */
static int capture(void)
{
	const int fd = memfd_create("log", MFD_CLOEXEC);

	cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
	return fd;
}

static const char *captured(int fd)
{
	static char text[65536];
	const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return text;
}

static void expect_body(const struct loopback *l, const char *body)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_assert_str_eq(l->body, body);
}

static void expect_has(const char *text, const char *part)
{
	cr_assert(strstr(text, part), "'%s' in %s", part, text);
}

Test(api_follow, changes_what_is_logged)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v2/logging");
	expect_body(&l, "{\"log_file\":\"\",\"log_error\":true,\"log_warning\":"
			"false,\"log_info\":false,\"log_verbose_level\":0,"
			"\"log_format\":\"ISO8601\"}");
	loopback_post(&l, "/v2/logging",
		      "{\"log_info\":true,\"log_error\":false,"
		      "\"log_verbose_level\":3,\"log_format\":\"ISO8601\"}");
	expect_body(&l, "{\"log_file\":\"\",\"log_error\":false,\"log_warning\""
			":false,\"log_info\":true,\"log_verbose_level\":3,"
			"\"log_format\":\"ISO8601\"}");
	cr_assert(log_is_on(LOG_LEVEL_INFO) && log_is_on(LOG_LEVEL_DEBUG));
	cr_assert(!log_is_on(LOG_LEVEL_ERROR));
	/* nothing of a request that is wrong is applied */
	loopback_post(&l, "/v2/logging",
		      "{\"log_info\":false,\"log_file\":\"/tmp/x\"}");
	loopback_expect_error(&l, 400, "log_file");
	cr_assert(log_is_on(LOG_LEVEL_INFO));
	loopback_post(&l, "/v2/logging", "{\"log_warnings\":true}");
	loopback_expect_error(&l, 400, "log_warning");
	loopback_post(&l, "/v2/logging", "{\"log_verbose_level\":-1}");
	loopback_expect_error(&l, 400, "from 0 up");
	loopback_post(&l, "/v2/logging", "[]");
	loopback_expect_error(&l, 400, "map");
	loopback_end(&l);
}

Test(api_follow, keeps_trace_settings_of_server_and_models)
{
	static const char off[] =
	    "{\"trace_file\":\"\",\"trace_level\":[\"OFF\"],\"trace_rate\":"
	    "\"1000\",\"trace_count\":\"-1\",\"log_frequency\":\"0\"}";
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/v2/trace/setting");
	expect_body(&l, off);
	loopback_post(&l, "/v2/trace/setting",
		      "{\"trace_level\":[\"TIMESTAMPS\",\"TENSORS\"],"
		      "\"trace_rate\":\"7\",\"trace_count\":5}");
	expect_body(&l, "{\"trace_file\":\"\",\"trace_level\":[\"TIMESTAMPS\","
			"\"TENSORS\"],\"trace_rate\":\"7\",\"trace_count\":"
			"\"5\",\"log_frequency\":\"0\"}");
	/* a model takes over what it does not say itself */
	loopback_post(&l, "/v2/models/linear/trace/setting",
		      "{\"trace_level\":\"OFF\"}");
	expect_body(&l, "{\"trace_file\":\"\",\"trace_level\":[\"OFF\"],"
			"\"trace_rate\":\"7\",\"trace_count\":\"5\","
			"\"log_frequency\":\"0\"}");
	loopback_get(&l, "/v2/models/add/trace/setting");
	expect_has(l.body, "TENSORS");
	loopback_post(&l, "/v2/models/linear/trace/setting",
		      "{\"trace_level\":null}");
	expect_has(l.body, "TENSORS");
	loopback_post(&l, "/v2/trace/setting",
		      "{\"trace_level\":null,\"trace_rate\":null,"
		      "\"trace_count\":null,\"log_frequency\":\"0\"}");
	expect_body(&l, off);
	loopback_post(&l, "/v2/trace/setting", "{\"trace_rate\":\"0\"}");
	loopback_expect_error(&l, 400, "trace_rate");
	loopback_post(&l, "/v2/trace/setting", "{\"trace_file\":\"/tmp/x\"}");
	loopback_expect_error(&l, 400, "log");
	loopback_post(&l, "/v2/trace/setting", "{\"trace_level\":[\"ALL\"]}");
	loopback_expect_error(&l, 400, "TENSORS");
	loopback_get(&l, "/v2/models/nope/trace/setting");
	loopback_expect_error(&l, 404, "nope");
	loopback_end(&l);
}

Test(api_follow, follows_each_nth_request_until_there_were_enough)
{
	struct loopback l;
	const char *text;
	int n = 0, fd;

	loopback_begin(&l);
	log_init(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	loopback_post(&l, "/v2/trace/setting",
		      "{\"trace_level\":[\"TIMESTAMPS\",\"TENSORS\"],"
		      "\"trace_rate\":\"3\",\"trace_count\":\"2\"}");
	fd = capture();
	for (int i = 0; i < 12; i++) {
		loopback_header(&l, "traceparent", traceparent);
		loopback_post(&l, "/v2/models/linear/infer", row);
		cr_assert_eq(l.status, 200, "%s", l.body);
	}
	text = captured(fd);
	for (const char *at = text; (at = strstr(at, "REQUEST_START")); at++)
		n++;
	cr_assert_eq(n, 2, "%s", text);
	expect_has(text, "\"message\":\"request\",\"trace\":\"1\","
			 "\"request_id\":\"test-1\",\"trace_id\":"
			 "\"4bf92f3577b34da6a3ce929d0e0e4736\",\"model\":"
			 "\"linear\",\"version\":\"2\"");
	expect_has(text, "\"COMPUTE_INPUT_END\":");
	expect_has(text, "\"direction\":\"input\",\"tensor\":\"x\","
			 "\"datatype\":\"FP32\",\"shape\":\"[1,4]\","
			 "\"elements\":\"4\",\"data\":\"[1.0,0.5,0.0,0.0]\"");
	expect_has(text, "\"direction\":\"output\",\"tensor\":\"y\"");
	loopback_get(&l, "/v2/trace/setting");
	expect_has(l.body, "\"trace_count\":\"0\"");
	loopback_end(&l);
}

Test(api_follow, has_a_line_for_each_request)
{
	struct loopback l;
	const char *text;
	int fd;

	loopback_begin(&l);
	log_init(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	l.context.access = ACCESS_ALL;
	fd = capture();
	loopback_header(&l, "traceparent", traceparent);
	loopback_header(&l, "User-Agent", "curl/1");
	loopback_post(&l, "/v2/models/linear/infer", row);
	text = captured(fd);
	expect_has(text,
		   "\"module\":\"access\",\"message\":\"request\","
		   "\"method\":\"POST\",\"path\":"
		   "\"/v2/models/linear/infer\",\"route\":"
		   "\"/v2/models/{model}/infer\",\"status\":\"200\",\"ms\""
		   ":\"");
	expect_has(text, "\"request_id\":\"test-1\",\"user_agent\":\"curl/1\","
			 "\"model\":\"linear\",\"version\":\"2\",\"rows\":"
			 "\"1\",\"queue_ms\":\"");
	expect_has(text, "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
			 "\"parent_id\":\"00f067aa0ba902b7\"");
	loopback_get(&l, "/v2/models/nope");
	text = captured(fd);
	expect_has(text, "\"status\":\"404\",\"code\":\"not_found\"");
	cr_assert_null(strstr(text, "trace_id"));
	/* what a client writes need not be text */
	loopback_header(&l, "User-Agent", "caf\xe9 \"1\"\n{}");
	loopback_get(&l, "/v2/nothing");
	expect_has(captured(fd), "\"user_agent\":\"caf? \\\"1\\\"\\n{}\"");
	loopback_get(&l, "/v2/models/nope/versions/7");
	text = captured(fd);
	cr_assert_null(strstr(text, "linear"));
	/* whom it asked for, whatever came of it */
	expect_has(text, "\"model\":\"nope\",\"version\":\"7\"");
	loopback_post(&l, "/predict", "{\"model\":\"nope\",\"inputs\":{}}");
	expect_has(captured(fd), "\"model\":\"nope\"");
	scratch_file(&l.scratch, "linear/config.yaml",
		     "rate_limit: 0.1\nrate_burst: 1\n", 30);
	loopback_post(&l, "/v2/repository/models/linear/load", "");
	loopback_post(&l, "/v2/models/linear/infer", row);
	(void)captured(fd);
	loopback_post(&l, "/v2/models/linear/infer", row);
	text = captured(fd);
	expect_has(text, "\"status\":\"429\"");
	expect_has(text, "\"model\":\"linear\"");
	/* failures alone, and nothing */
	l.context.access = ACCESS_FAILURES;
	loopback_get(&l, "/v2");
	cr_assert_str_empty(captured(fd));
	loopback_get(&l, "/v2/nothing");
	expect_has(captured(fd), "\"status\":\"404\"");
	l.context.access = ACCESS_OFF;
	loopback_get(&l, "/v2/nothing");
	cr_assert_str_empty(captured(fd));
	loopback_end(&l);
}

Test(api_follow, measures_requests_runs_and_bytes)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_post(&l, "/v2/models/linear/infer", row);
	loopback_get(&l, "/metrics");
	expect_has(l.body,
		   "predictd_model_request_duration_seconds_count{model="
		   "\"linear\",version=\"2\"} 1\n");
	expect_has(l.body,
		   "predictd_compute_input_duration_seconds_count{model="
		   "\"linear\",version=\"2\"} 1\n");
	expect_has(l.body,
		   "predictd_compute_output_duration_seconds_bucket{model="
		   "\"linear\",version=\"2\",le=\"+Inf\"} 1\n");
	expect_has(l.body, "predictd_http_received_bytes_total{route=\"/v2/"
			   "models/{model}/infer\",method=\"POST\"} 76\n");
	expect_has(l.body, "predictd_model_versions{model=\"linear\",state="
			   "\"READY\"} 2\n");
	expect_has(l.body, "predictd_model_versions{model=\"broken\",state="
			   "\"UNAVAILABLE\"} 1\n");
	expect_has(l.body,
		   "predictd_model_threads{model=\"linear\",version=\"2\"} 2");
	expect_has(l.body,
		   "nv_inference_first_response_histogram_ms_bucket{model="
		   "\"linear\",version=\"2\",le=\"0.5\"} ");
	expect_has(l.body, "process_threads ");
	expect_has(l.body, "nv_cpu_utilization 0.");
	expect_has(l.body, "nv_cpu_memory_total_bytes ");
	loopback_end(&l);
}
