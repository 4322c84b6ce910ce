/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "base/doc.h"
#include "cli/cmd.h"
#include "tests/unit/base/folder.h"
#include "tests/unit/cli/peer.h"

static char folder[PATH_MAX];

static void setup(void)
{
	doc_init();
	(void)unsetenv("PREDICTD_SERVER");
	(void)unsetenv("PREDICTD_TOKEN_FILE");
	(void)unsetenv("PREDICTD_PORT");
	cr_redirect_stdout();
	cr_redirect_stderr();
	folder_enter(folder);
}

static void teardown(void)
{
	folder_leave(folder);
}

TestSuite(cli, .init = setup, .fini = teardown);

static int run_extra(const void *ctx, int argc, const char *const *argv)
{
	(void)ctx;
	return argc == 1 && str_equal(argv[0], "w") ? 42 : 43;
}

static int run(int argc, const char *const *argv)
{
	static const struct cli_extra extra[] = {
		{ "bench", "X", "Benches.", run_extra, NULL },
	};

	return cli_main(argc, argv, extra, 1);
}

#define RUN(...)                                            \
	run((int)(sizeof((const char *[]){ __VA_ARGS__ }) / \
		  sizeof(const char *)),                    \
	    (const char *const[]){ __VA_ARGS__ })

/* One answer, one command: its status; the request stays in *peer. */
#define RUN_WITH(peer, text, ...)                                              \
	(peer_start((peer), &(const struct peer_step){ .answer = (text) }, 1), \
	 setenv("PREDICTD_SERVER", (peer)->url, 1),                            \
	 RUN("predictctl", __VA_ARGS__))

static bool asked(struct peer *peer, const char *start)
{
	bool is_so;

	peer_wait(peer);
	is_so = peer->request[0].len &&
		str_starts_with(peer->request[0].data, start);
	return is_so;
}

static const char *json(const char *body)
{
	return peer_answer("200 OK", "application/json", body);
}

Test(cli, usage_has_its_own_status)
{
	cr_assert_eq(RUN("predictctl"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "--help"), CLI_OK);
	cr_assert_eq(RUN("predictctl", "-h"), CLI_OK);
	cr_assert_eq(RUN("predictctl", "--version"), CLI_OK);
	cr_assert_eq(RUN("predictctl", "trian"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "train"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "train", "a", "b"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "jobs", "lst"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "jobs", "show"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "health", "--sever", "x"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "health", "--timeout", "x"), CLI_USAGE);
	cr_assert_eq(RUN("predictctl", "jobs", "-h"), CLI_OK);
	cr_assert_eq(RUN("predictctl", "--server", "x", "bench", "w"), 42);
	cr_assert_eq(RUN("predictctl", "bench"), 43);
	fflush(stderr);
}

Test(cli, an_unknown_command_is_answered_with_the_nearest)
{
	cr_assert_eq(RUN("predictctl", "helth"), CLI_USAGE);
	fflush(stderr);
	cr_assert_stderr_eq_str("predictctl: there is no command 'helth': did "
				"you mean 'health'?\n");
}

Test(cli, a_server_that_is_not_there_has_its_own_status)
{
	cr_assert_eq(
	    RUN("predictctl", "--server", "http://127.0.0.1:1", "health"),
	    CLI_UNAVAILABLE);
	cr_assert_eq(RUN("predictctl", "jobs", "--server=http://127.0.0.1:1"),
		     CLI_UNAVAILABLE);
	cr_assert_eq(RUN("predictctl", "--server", "nonsense", "health"),
		     CLI_FAILED);
}

Test(cli, the_port_is_that_of_the_environment)
{
	(void)setenv("PREDICTD_PORT", "1", 1);
	cr_assert_eq(RUN("predictctl", "health"), CLI_UNAVAILABLE);
	(void)unsetenv("PREDICTD_PORT");
	fflush(stderr);
	cr_assert_stderr_eq_str(
	    "predictctl health: cannot connect to http://127.0.0.1:1: "
	    "Connection refused\n");
}

Test(cli, health_tells_ready_from_not_ready)
{
	struct peer peer;

	cr_assert_eq(RUN_WITH(&peer, "HTTP/1.1 200 OK\r\n\r\n", "health"),
		     CLI_OK);
	cr_assert(asked(&peer, "GET /v2/health/ready HTTP/1.1\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, "HTTP/1.1 503 No\r\n\r\n", "health"),
		     CLI_FAILED);
	peer_wait(&peer);
	peer_stop(&peer);
}

Test(cli, a_refused_token_has_its_own_status)
{
	struct peer peer;

	folder_put("token",
		   "# a comment\n\ninfer,train  0123456789abcdef rate=5 \n");
	cr_assert_eq(RUN_WITH(&peer,
			      "HTTP/1.1 403 No\r\n\r\n{\"error\":\"no\"}",
			      "jobs", "--token-file", "token"),
		     CLI_NO_PERMISSION);
	peer_wait(&peer);
	cr_assert(strstr(peer.request[0].data,
			 "\r\nAuthorization: Bearer 0123456789abcdef\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN("predictctl", "jobs", "--token-file", "none"),
		     CLI_FAILED);
	folder_put("empty", "# nothing\n");
	cr_assert_eq(RUN("predictctl", "jobs", "--token-file", "empty"),
		     CLI_USAGE);
}

Test(cli, a_category_is_a_table_of_the_likeliest_classes)
{
	struct peer peer;

	cr_assert_eq(
	    RUN_WITH(&peer,
		     json("{\"model\":\"m\",\"version\":\"3\",\"predictions\":"
			  "[{\"label\":\"b\",\"probability\":0.5,"
			  "\"probabilities\":{\"a\":0.25,\"b\":0.5,"
			  "\"c\":0.25}}]}"),
		     "predict", "--model", "m/3", "{\"inputs\": {\"x\": 1}}"),
	    CLI_OK);
	cr_assert(asked(&peer, "POST /predict/m/3 HTTP/1.1\r\n"));
	cr_assert(strstr(peer.request[0].data,
			 "\r\nContent-Type: application/json\r\n"));
	cr_assert(str_ends_with(peer.request[0].data,
				"\r\n\r\n{\"inputs\": {\"x\": 1}}"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("LABEL  PROBABILITY\n"
				"b      0.5000\n"
				"a      0.2500\n"
				"c      0.2500\n");
}

Test(cli, several_rows_are_a_table_of_rows)
{
	struct peer peer;

	cr_assert_eq(RUN_WITH(&peer,
			      json("{\"predictions\":[{\"label\":\"x\","
				   "\"probability\":0.75},{\"value\":2.5}]}"),
			      "predict", "[1]"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /predict HTTP/1.1\r\n"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("ROW  PREDICTION  PROBABILITY\n"
				"0    x           0.7500\n"
				"1    2.5         \n");
}

Test(cli, a_picture_is_sent_as_its_bytes)
{
	struct peer peer;

	folder_put("boot", "\x89PNG\r\n\x1a\npixels");
	cr_assert_eq(RUN_WITH(&peer, json("{\"predictions\":[]}"), "predict",
			      "--json", "boot"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /predict HTTP/1.1\r\n"));
	cr_assert(
	    strstr(peer.request[0].data, "\r\nContent-Type: image/png\r\n"));
	cr_assert(str_ends_with(peer.request[0].data,
				"\r\n\r\n\x89PNG\r\n\x1a\npixels"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("{\"predictions\":[]}\n");
}

Test(cli, all_pages_of_jobs_are_one_table)
{
	const struct peer_step steps[] = {
		{ .answer =
		      json("{\"jobs\":[{\"id\":\"j2\",\"name\":\"n\","
			   "\"state\":\"running\",\"progress\":{\"percent\":"
			   "12.4},\"created_at\":\"T2\"}],\"next\":\"j2\"}") },
		{ .answer = json("{\"jobs\":[{\"id\":\"j1\",\"state\":"
				 "\"succeeded\",\"published\":{\"model\":\"m\","
				 "\"version\":3}}],\"next\":null}") },
	};
	struct peer peer;

	peer_start(&peer, steps, 2);
	cr_assert_eq(RUN("predictctl", "--server", peer.url, "jobs", "list",
			 "--state", "a b"),
		     CLI_OK);
	peer_wait(&peer);
	cr_assert(str_starts_with(peer.request[0].data,
				  "GET /jobs?state=a%20b HTTP/1.1\r\n"));
	cr_assert(str_starts_with(peer.request[1].data,
				  "GET /jobs?state=a%20b&after=j2 HTTP"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str(
	    "ID  NAME  STATE      DONE  PUBLISHED  CREATED\n"
	    "j2  n     running    12%              T2\n"
	    "j1        succeeded        m/3        \n");
}

Test(cli, orders_are_posted)
{
	static const struct {
		const char *word, *request;
	} cases[] = {
		{ "cancel", "POST /jobs/a%2Fb/cancel HTTP/1.1\r\n" },
		{ "pause", "POST /jobs/a%2Fb/pause HTTP/1.1\r\n" },
		{ "resume", "POST /jobs/a%2Fb/resume HTTP/1.1\r\n" },
		{ "checkpoint", "POST /jobs/a%2Fb/checkpoint HTTP/1.1\r\n" },
		{ "delete", "DELETE /jobs/a%2Fb HTTP/1.1\r\n" },
		{ "show", "GET /jobs/a%2Fb HTTP/1.1\r\n" },
		{ "metrics", "GET /jobs/a%2Fb/metrics HTTP/1.1\r\n" },
		{ "checkpoints", "GET /jobs/a%2Fb/checkpoints HTTP/1.1\r\n" },
		{ "artifacts", "GET /jobs/a%2Fb/artifacts HTTP/1.1\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer peer;

		cr_assert_eq(RUN_WITH(&peer, json("{\"state\":\"x\"}"), "jobs",
				      cases[i].word, "a/b"),
			     CLI_OK);
		cr_assert(asked(&peer, cases[i].request), "%s",
			  peer.request[0].data);
		peer_stop(&peer);
	}
}

Test(cli, metrics_are_a_row_for_each_evaluation)
{
	struct peer peer;

	cr_assert_eq(RUN_WITH(&peer,
			      json("{\"eval\":{\"epoch\":[1,2],"
				   "\"valid_loss\":[0.5,null]},"
				   "\"train\":{\"step\":[7]}}"),
			      "jobs", "metrics", "j1"),
		     CLI_OK);
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("epoch  valid_loss\n"
				"1      0.5\n"
				"2      -\n");
}

Test(cli, datasets_are_listed_sent_and_deleted)
{
	static const char list[] =
	    "{\"datasets\":[{\"name\":\"pets\",\"bytes\":756,\"files\":12,"
	    "\"created_at\":\"2026-01-02T03:04:05Z\"}]}";
	struct peer peer;

	cr_assert_eq(RUN_WITH(&peer, json(list), "datasets"), CLI_OK);
	cr_assert(asked(&peer, "GET /datasets HTTP/1.1\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN("predictctl", "datasets", "put", "/nowhere"),
		     CLI_FAILED);
	cr_assert_eq(RUN_WITH(&peer, json("{\"files\":1}"), "datasets", "put",
			      "/etc/passwd"),
		     CLI_OK);
	cr_assert(asked(&peer, "PUT /datasets/passwd HTTP/1.1\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, json(""), "datasets", "delete", "a b"),
		     CLI_OK);
	cr_assert(asked(&peer, "DELETE /datasets/a%20b HTTP/1.1\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN("predictctl", "datasets", "put"), CLI_USAGE);
	fflush(stdout);
	cr_assert_stdout_eq_str(
	    "DATASET  BYTES  FILES  CREATED\n"
	    "pets     756    12     2026-01-02T03:04:05Z\n");
}

Test(cli, models_are_listed_loaded_and_unloaded)
{
	static const char body[] =
	    "{\"models\":[{\"name\":\"m\",\"versions\":[{\"version\":\"1\","
	    "\"state\":\"READY\",\"is_default\":true},{\"version\":\"2\","
	    "\"state\":\"UNAVAILABLE\",\"is_default\":false,"
	    "\"reason\":\"no\"}]},{\"name\":\"e\",\"versions\":[]}]}";
	struct peer peer;

	cr_assert_eq(RUN_WITH(&peer, json(body), "models"), CLI_OK);
	cr_assert(asked(&peer, "GET /models HTTP/1.1\r\n"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, json(""), "load", "m"), CLI_OK);
	cr_assert(asked(&peer, "POST /v2/repository/models/m/load HTTP"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, json(""), "unload", "m"), CLI_OK);
	cr_assert(asked(&peer, "POST /v2/repository/models/m/unload HTTP"));
	cr_assert_not_null(strstr(peer.request[0].data, "\r\n\r\n{}"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, json(""), "unload", "--dependents", "m"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /v2/repository/models/m/unload HTTP"));
	cr_assert_not_null(
	    strstr(peer.request[0].data, "{\"unload_dependents\":true}"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str(
	    "MODEL  VERSION  STATE        DEFAULT  REASON\n"
	    "m      1        READY        yes      \n"
	    "m      2        UNAVAILABLE           no\n"
	    "e               UNAVAILABLE           no version\n");
}

Test(cli, a_default_is_promoted_and_rolled_back)
{
	static const char body[] = "{\"model\":\"m\",\"default_version\":\"2\","
				   "\"previous_version\":\"3\"}";
	struct peer peer;

	cr_assert_eq(RUN("predictctl", "models", "promote", "m", "x"),
		     CLI_USAGE);
	cr_assert_eq(RUN_WITH(&peer, json(body), "models", "promote", "m", "2"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /models/m/promote HTTP/1.1\r\n"));
	cr_assert(str_ends_with(peer.request[0].data, "{\"version\":\"2\"}"));
	peer_stop(&peer);
	cr_assert_eq(RUN_WITH(&peer, json(body), "models", "rollback", "m"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /models/m/rollback HTTP/1.1\r\n"));
	peer_stop(&peer);
}

Test(cli, a_submitted_job_prints_its_id)
{
	struct peer peer;

	folder_put("job.yaml", "name: a\n");
	cr_assert_eq(RUN_WITH(&peer,
			      peer_answer("202 Accepted", "application/json",
					  "{\"id\":\"j9\",\"state\":"
					  "\"queued\"}"),
			      "train", "job.yaml"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /train HTTP/1.1\r\n"));
	cr_assert(strstr(peer.request[0].data,
			 "\r\nContent-Type: application/yaml\r\n"));
	cr_assert(str_ends_with(peer.request[0].data, "\r\n\r\nname: a\n"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("j9\n");
}

Test(cli, settings_make_the_job_json)
{
	struct peer peer;

	folder_put("job.yaml", "name: a\n");
	cr_assert_eq(RUN_WITH(&peer, json("{\"id\":\"j9\"}"), "train",
			      "job.yaml", "--set", "trainer.epochs=2"),
		     CLI_OK);
	peer_wait(&peer);
	cr_assert(strstr(peer.request[0].data,
			 "\r\nContent-Type: application/json\r\n"));
	cr_assert(str_ends_with(peer.request[0].data,
				"{\"name\":\"a\",\"trainer\":{\"epochs\":2}}"));
	peer_stop(&peer);
}

Test(cli, a_dry_run_is_a_table_of_layers)
{
	struct peer peer;

	folder_put("job.json", "{}");
	cr_assert_eq(RUN_WITH(&peer,
			      json("{\"state\":\"dry_run\",\"result\":{"
				   "\"layers\":[{\"name\":\"0\",\"type\":"
				   "\"linear\",\"output_shape\":[10],"
				   "\"parameters\":7850}],\"parameters\":7850},"
				   "\"spec\":{}}"),
			      "train", "--dry-run", "job.json"),
		     CLI_OK);
	cr_assert(asked(&peer, "POST /train?dry_run=1 HTTP/1.1\r\n"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str("LAYER  TYPE    OUTPUT  PARAMETERS\n"
				"0      linear  [10]    7850\n"
				"parameters: 7850\n");
}

Test(cli, a_rate_finder_tells_its_curve_and_its_suggestions)
{
	struct peer peer;

	folder_put("job.json", "{}");
	cr_assert_eq(
	    RUN_WITH(&peer,
		     json("{\"state\":\"lr_find\",\"result\":{\"learning_"
			  "rate\":3e-5,\"rate\":[1e-7,"
			  "1e-6,1e-5,1e-4,1e-3,1e-2],\"loss\":[2,2,1.5,1,1.25,"
			  "3],\"suggestions\":{\"middle\":4e-5,\"steep\":1e-5,"
			  "\"valley\":2e-5,\"minimum\":1e-5,\"slide\":null}},"
			  "\"spec\":{}}"),
		     "train", "--lr-find", "job.json"),
	    CLI_OK);
	cr_assert(asked(&peer, "POST /train?lr_find=1 HTTP/1.1\r\n"));
	peer_stop(&peer);
	fflush(stdout);
	cr_assert_stdout_eq_str(
	    "LEARNING RATE  LOSS  CURVE\n"
	    "1.00e-07       2     ########################################\n"
	    "1.00e-04       1     <- lowest\n"
	    "1.00e-03       1.25  ##########\n"
	    "\n"
	    "SUGGESTION  LEARNING RATE  WHERE\n"
	    "middle      4.00e-05       fastest fall to lowest loss\n"
	    "valley      2.00e-05       into the longest way down\n"
	    "steep       1.00e-05       the loss falls fastest\n"
	    "minimum     1.00e-05       a tenth of the lowest loss's\n"
	    "slide       -              before the slope changes, from the "
	    "right\n"
	    "taken       3.00e-05       by a job whose learning_rate is "
	    "auto\n");
}

Test(cli, completion_names_every_command)
{
	cr_assert_eq(RUN("predictctl", "completion", "bash"), CLI_OK);
	cr_assert_eq(RUN("predictctl", "completion", "csh"), CLI_USAGE);
}
