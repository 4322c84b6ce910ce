/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/cli/peer.h"

static enum err_code ask(const char *server, const char *token, double timeout,
			 const struct client_request *request,
			 struct client_answer *answer, struct err *err)
{
	const struct client_options options = { .server = server,
						.token = token,
						.timeout = timeout,
						.wake_fd = -1 };
	struct client *client = NULL;
	enum err_code rc = client_create(&options, &client, err);

	if (!rc)
		rc = client_ask(client, request, answer, err);
	client_destroy(client);
	return rc;
}

Test(client, a_request_has_what_the_server_needs)
{
	const struct peer_step steps[] = {
		{ .answer = peer_answer("202 Accepted", "application/json",
					"{\"id\":\"j1\"}") },
	};
	const struct client_request request = {
		.method = "POST",
		.path = "/train",
		.content_type = "application/yaml",
		.body = "a: 1\n",
		.len = 5,
		.last_event_id = "17",
	};
	struct client_answer answer;
	struct peer peer;
	char want[512], server[80];

	peer_start(&peer, steps, 1);
	(void)snprintf(server, sizeof(server), "%s/base/", peer.url);
	cr_assert_eq(ask(server, "secret-token", 5, &request, &answer, NULL),
		     ERR_NONE);
	peer_wait(&peer);
	cr_assert_eq(answer.status, 202);
	cr_assert_str_eq(answer.content_type, "application/json");
	cr_assert_str_eq(answer.body.data, "{\"id\":\"j1\"}");
	(void)snprintf(want, sizeof(want),
		       "POST /base/train HTTP/1.1\r\nHost: %s\r\n"
		       "User-Agent: predictctl/%s\r\n"
		       "Accept: application/json\r\nConnection: close\r\n"
		       "Authorization: Bearer secret-token\r\n"
		       "Last-Event-ID: 17\r\n"
		       "Content-Type: application/yaml\r\n"
		       "Content-Length: 5\r\n\r\na: 1\n",
		       peer.url + strlen("http://"), PREDICTD_VERSION);
	cr_assert_str_eq(peer.request[0].data, want);
	buf_finish(&answer.body);
	peer_stop(&peer);
}

Test(client, refusals_carry_the_servers_sentence)
{
	static const struct {
		const char *answer;
		enum err_code want;
		const char *sentence;
	} cases[] = {
		{ "HTTP/1.1 401 X\r\n\r\n{\"error\": \"who are you\"}",
		  ERR_UNAUTHENTICATED, "who are you" },
		{ "HTTP/1.1 403 X\r\n\r\n{\"error\": \"no\"}", ERR_FORBIDDEN,
		  "no" },
		{ "HTTP/1.1 404 X\r\n\r\nplain", ERR_NOT_FOUND,
		  "the server answered with status 404" },
		{ "HTTP/1.1 409 X\r\n\r\n{\"error\": 7}", ERR_CONFLICT,
		  "the server answered with status 409" },
		{ "HTTP/1.1 422 X\r\n\r\n", ERR_INVALID,
		  "the server answered with status 422" },
		{ "HTTP/1.1 503 X\r\n\r\n{\"error\": \"later\"}", ERR_NOT_READY,
		  "later" },
		{ "HTTP/1.1 500 X\r\n\r\n", ERR_INTERNAL,
		  "the server answered with status 500" },
		{ "HTTP/1.1 301 X\r\n\r\n", ERR_INTERNAL,
		  "the server answered with status 301" },
	};
	const struct client_request request = { .method = "GET", .path = "/x" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct peer_step step = { .answer = cases[i].answer };
		struct client_answer answer;
		struct peer peer;
		struct err err;

		peer_start(&peer, &step, 1);
		cr_assert_eq(ask(peer.url, NULL, 5, &request, &answer, NULL),
			     ERR_NONE);
		cr_assert_eq(client_check(&answer, &err), cases[i].want);
		cr_assert_str_eq(err.msg, cases[i].sentence);
		buf_finish(&answer.body);
		peer_wait(&peer);
		peer_stop(&peer);
	}
}

Test(client, silence_and_broken_answers_end)
{
	static const struct peer_step silent[] = { { .hold_ms = 600 } };
	static const struct peer_step broken[] = {
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab" },
	};
	const struct client_request request = { .method = "GET", .path = "/x" };
	struct client_answer answer;
	struct peer peer;
	struct err err;
	int64_t start = clock_monotonic_ns();

	peer_start(&peer, silent, 1);
	cr_assert_eq(ask(peer.url, NULL, 0.1, &request, &answer, &err),
		     ERR_DEADLINE);
	cr_assert(clock_monotonic_ns() - start < 500000000);
	cr_assert(strstr(err.msg, "no answer within 0.1 s"));
	peer_wait(&peer);
	cr_assert_eq(ask(peer.url, NULL, 1, &request, &answer, &err),
		     ERR_NOT_READY);
	cr_assert(strstr(err.msg, "cannot connect to http://127.0.0.1:"));
	peer_stop(&peer);
	peer_start(&peer, broken, 1);
	cr_assert_eq(ask(peer.url, NULL, 5, &request, &answer, &err), ERR_IO);
	peer_wait(&peer);
	peer_stop(&peer);
}

Test(client, a_token_that_could_end_a_header_is_refused)
{
	static const char *const bad[] = { "", "a b", "a\r\nX: y", "\xc3\xa4" };
	const struct client_request request = { .method = "GET", .path = "/x" };
	struct client_answer answer;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(ask("http://127.0.0.1:1", bad[i], 1, &request,
				 &answer, NULL),
			     ERR_INVALID);
}

static enum err_code count(void *ctx, const char *bytes, size_t len,
			   struct err *err)
{
	(void)bytes;
	(void)err;
	*(size_t *)ctx += len;
	return ERR_NONE;
}

Test(client, a_stream_goes_to_its_sink_and_a_refusal_does_not)
{
	static const struct peer_step steps[] = {
		{ .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
			    "\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n" },
		{ .answer = "HTTP/1.1 404 No\r\n\r\n{\"error\": \"no job\"}" },
	};
	const struct client_request request = { .method = "GET", .path = "/x" };
	struct client_options options = { .timeout = 5, .wake_fd = -1 };
	struct client *client;
	struct peer peer;
	struct err err;
	size_t n = 0;

	peer_start(&peer, steps, 2);
	options.server = peer.url;
	cr_assert_eq(client_create(&options, &client, NULL), ERR_NONE);
	cr_assert_eq(client_stream(client, &request,
				   (struct response_sink){ count, &n }, &err),
		     ERR_NONE);
	cr_assert_eq(n, 7);
	cr_assert_eq(client_stream(client, &request,
				   (struct response_sink){ count, &n }, &err),
		     ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "no job");
	cr_assert_eq(n, 7);
	client_destroy(client);
	peer_wait(&peer);
	peer_stop(&peer);
}
