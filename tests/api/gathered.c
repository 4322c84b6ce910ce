/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections that ask at the same moment share runs, and each has the
 * answer to its own question. */
#include <criterion/criterion.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/api/peer.h"

enum { CONNECTIONS = 24, ROUNDS_MIN = 60, ROUNDS_MAX = 5000, WIDTH = 3 };

/* Row i of a round, for the model y = x * w with w = 1 .. 12. */
static void ask(int fd, unsigned round, unsigned i)
{
	char body[128], text[384];

	(void)snprintf(body, sizeof(body),
		       "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		       "\"datatype\":\"FP32\",\"data\":[%u,%u,0,1]}]}",
		       i, round);
	(void)snprintf(text, sizeof(text),
		       "POST /v2/models/linear/infer HTTP/1.1\r\nHost: x\r\n"
		       "Content-Length: %zu\r\n\r\n%s",
		       strlen(body), body);
	peer_say(fd, text);
}

/* What is there of one answer that is not closed behind. */
static void hear_one(int fd, char *answer)
{
	size_t n = 0;
	const char *end;

	*answer = '\0';
	while (!(end = strstr(answer, "]}]}"))) {
		const ssize_t got =
		    recv(fd, answer + n, PEER_ANSWER - 1 - n, 0);

		cr_assert_gt(got, 0, "after '%s'", answer);
		n += (size_t)got;
		answer[n] = '\0';
	}
	cr_assert_eq(strlen(end), 4, "%s", end);
}

static void check(const char *answer, unsigned round, unsigned i)
{
	const char *at = strstr(answer, "\"data\":[");

	cr_assert_eq(peer_status(answer), 200, "%s", answer);
	cr_assert_not_null(at, "%s", answer);
	at += strlen("\"data\":[");
	for (unsigned k = 0; k < WIDTH; k++) {
		const float want = (float)i * (float)(k + 1) +
				   (float)round * (float)(k + 4) +
				   (float)(k + 10);
		char *end;

		cr_assert_eq(strtof(at, &end), want, "%s", answer);
		at = end + 1;
	}
}

/* Requests that shared a run so far. */
static long count_shared(const struct peer *peer)
{
	return peer_batcher(peer, "\"requests_that_shared\":");
}

Test(gathered, each_has_its_own_answer)
{
	static char answer[PEER_ANSWER];
	int fd[CONNECTIONS];
	struct peer peer;

	peer_begin(&peer, peer_usual);
	peer_load_linear(&peer, "{}\n");
	for (unsigned i = 0; i < CONNECTIONS; i++)
		fd[i] = peer_dial(&peer);
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		/* one of them goes without waiting for its answer */
		const unsigned gone =
		    round % 7 ? CONNECTIONS : round % CONNECTIONS;

		for (unsigned i = 0; i < CONNECTIONS; i++)
			ask(fd[i], round, i);
		if (gone < CONNECTIONS)
			(void)close(fd[gone]);
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			if (i == gone) {
				fd[i] = peer_dial(&peer);
				continue;
			}
			hear_one(fd[i], answer);
			check(answer, round, i);
		}
		if (round >= ROUNDS_MIN && round % 50 == 0 &&
		    count_shared(&peer) > CONNECTIONS)
			break;
	}
	cr_assert_gt(count_shared(&peer), CONNECTIONS);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		(void)close(fd[i]);
	peer_end(&peer);
}
