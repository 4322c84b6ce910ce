/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "base/doc.h"
#include "cli/cli.h"
#include "cli/cmd.h"
#include "tests/unit/base/folder.h"
#include "tests/unit/cli/peer.h"

#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static void setup(void)
{
	doc_init();
	cr_redirect_stdout();
	cr_redirect_stderr();
}

TestSuite(follow, .init = setup);

static const char *json(const char *body)
{
	return peer_answer("200 OK", "application/json", body);
}

static int follow(struct peer *peer, const char *what)
{
	const char *const argv[] = { "predictctl", "--server", peer->url,
				     "jobs",	   what,       "j1" };
	int status = cli_main(6, argv, NULL, 0);

	peer_wait(peer);
	(void)fflush(stdout);
	(void)fflush(stderr);
	return status;
}

static const char succeeded[] =
    "{\"id\":\"j1\",\"state\":\"succeeded\",\"error\":null,\"result\":"
    "{\"seconds\":75.2,\"metrics\":{\"train_loss\":0.25,"
    "\"valid_accuracy\":0.91}},\"published\":{\"model\":\"fashion\","
    "\"version\":2}}";

Test(follow, a_broken_connection_goes_on_from_the_last_event)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM
		  "id: 1\nevent: state\ndata: {\"state\":\"running\"}\n\n"
		  "id: 2\nevent: step\ndata: {\"progress\":{\"percent\":50,"
		  "\"epoch\":1,\"epochs\":2,\"step\":5,\"total_steps\":10}}\n\n"
		  "id: 3\nevent: step\ndata: {\"progress\":{\"percent\":60,"
		  "\"step\":6}}\n\nid: 4\nevent: ev" },
		{ .answer = json("{\"id\":\"j1\",\"state\":\"running\"}") },
		{ .answer = "HTTP/1.1 503 Busy\r\n\r\n" },
		{ .answer = STREAM
		  ": hello\n\n"
		  "id: 4\nevent: eval\ndata: {\"epoch\":2,\"step\":10,"
		  "\"metrics\":{\"valid_accuracy\":0.91}}\n\n"
		  "id: 5\nevent: warning\ndata: {\"code\":\"nan\","
		  "\"message\":\"odd\"}\n\n"
		  "id: 6\nevent: done\ndata: {}\n\n" },
		{ .answer = json(succeeded) },
	};
	struct peer peer;

	peer_start(&peer, steps, 5);
	cr_assert_eq(follow(&peer, "follow"), CLI_OK);
	cr_assert_eq(peer.n_taken, 5);
	cr_assert(str_starts_with(peer.request[0].data,
				  "GET /jobs/j1/events HTTP/1.1\r\n"));
	cr_assert(
	    strstr(peer.request[0].data, "\r\nAccept: text/event-stream\r\n"));
	cr_assert_null(strstr(peer.request[0].data, "Last-Event-ID"));
	cr_assert(str_starts_with(peer.request[1].data, "GET /jobs/j1 HTTP"));
	cr_assert(strstr(peer.request[2].data, "\r\nLast-Event-ID: 3\r\n"));
	cr_assert_stdout_eq_str(
	    "succeeded: train_loss 0.25  valid_accuracy 0.91  in 1m15s\n"
	    "published: fashion version 2\n");
	peer_stop(&peer);
}

Test(follow, only_events_that_were_whole_are_counted_as_seen)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM
		  "id: 1\nevent: state\ndata: {\"state\":\"running\"}\n\n"
		  "id: 2\nevent: eval\ndata: {\"epo" },
		{ .answer = json("{\"state\":\"running\"}") },
		{ .answer = STREAM },
		{ .answer = json(succeeded) },
	};
	struct peer peer;

	peer_start(&peer, steps, 4);
	cr_assert_eq(follow(&peer, "follow"), CLI_OK);
	cr_assert(strstr(peer.request[2].data, "\r\nLast-Event-ID: 1\r\n"));
	peer_stop(&peer);
}

Test(follow, what_happens_is_told_on_standard_error)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM
		  "event: state\ndata: {\"state\":\"running\"}\n\n"
		  "event: state\ndata: {\"state\":\"running\"}\n\n"
		  "event: step\ndata: {\"progress\":{\"percent\":50,"
		  "\"epoch\":1,\"epochs\":2,\"step\":5,\"total_steps\":10}}\n\n"
		  "event: step\ndata: {\"progress\":{\"step\":6}}\n\n"
		  "event: eval\ndata: {\"epoch\":1,\"step\":5,\"is_best\":true,"
		  "\"metrics\":{\"valid_loss\":0.5}}\n\n"
		  "event: warning\ndata: {\"code\":\"no_space\","
		  "\"message\":\"full\"}\n\n"
		  "event: nonsense\ndata: {{{\n\n" },
		{ .answer = json("{\"state\":\"failed\",\"error\":"
				 "\"the gradient is not finite\"}") },
	};
	struct peer peer;

	peer_start(&peer, steps, 2);
	cr_assert_eq(follow(&peer, "follow"), CLI_FAILED);
	cr_assert_stderr_eq_str("running\n"
				"epoch 1/2  step 5/10 (50%)\n"
				"epoch 1/2  step 5  valid_loss 0.5 (best)\n"
				"warning (no_space): full\n"
				"job j1 failed: the gradient is not finite\n");
	peer_stop(&peer);
}

Test(follow, a_cancelled_job_has_no_error_to_tell)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM ": nothing\n\n" },
		{ .answer = json("{\"state\":\"cancelled\",\"error\":null}") },
	};
	struct peer peer;

	peer_start(&peer, steps, 2);
	cr_assert_eq(follow(&peer, "follow"), CLI_FAILED);
	cr_assert_stderr_eq_str("job j1 was cancelled\n");
	peer_stop(&peer);
}

Test(follow, events_are_printed_as_they_are)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM "id: 1\nevent: state\ndata: "
				   "{\"state\":\"running\"}\n\n"
				   "id: 2\nevent: done\ndata: {\"x\":1}\n\n" },
		{ .answer = json(succeeded) },
	};
	struct peer peer;

	peer_start(&peer, steps, 2);
	cr_assert_eq(follow(&peer, "events"), CLI_OK);
	cr_assert_stdout_eq_str("{\"state\":\"running\"}\n{\"x\":1}\n");
	peer_stop(&peer);
}

Test(follow, a_job_that_is_not_there_ends_it)
{
	static const struct peer_step steps[] = {
		{ .answer = "HTTP/1.1 404 No\r\n\r\n{\"error\":\"no job\"}" },
	};
	struct peer peer;

	peer_start(&peer, steps, 1);
	cr_assert_eq(follow(&peer, "follow"), CLI_FAILED);
	cr_assert_stderr_eq_str("predictctl jobs: no job\n");
	peer_stop(&peer);
}

Test(follow, an_interrupt_leaves_the_job_alone)
{
	const struct peer_step steps[] = {
		{ .answer = STREAM ": nothing yet\n\n",
		  .hold_ms = 200,
		  .kill_pid = getpid() },
	};
	struct peer peer;

	peer_start(&peer, steps, 1);
	cr_assert_eq(follow(&peer, "follow"), CLI_INTERRUPTED);
	cr_assert_stderr_eq_str(
	    "job j1 goes on; 'predictctl jobs follow j1' shows it again, "
	    "'predictctl jobs cancel j1' ends it\n");
	peer_stop(&peer);
}
