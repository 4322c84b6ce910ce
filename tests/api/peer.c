/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/doc.h"
#include "base/log.h"

void peer_begin(struct peer *peer, struct server_options options)
{
	const char *dirs[1];
	const struct repository_options repository = { dirs, 1, NULL };
	struct err err;

	(void)signal(SIGPIPE, SIG_IGN);
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	doc_init();
	scratch_begin(&peer->scratch);
	dirs[0] = peer->scratch.path;
	cr_assert_eq(repository_create(&repository, &peer->repository, &err),
		     ERR_NONE, "%s", err.msg);
	options.host = "127.0.0.1";
	options.threads = options.http_threads = 2;
	if (!options.max_connections)
		options.max_connections = 256;
	options.max_body = options.max_response = 1 << 20;
	options.deadline_ms = 5000;
	options.repository = peer->repository;
	cr_assert_eq(server_create(&options, &peer->server, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(server_start(peer->server, &err), ERR_NONE, "%s", err.msg);
}

void peer_end(struct peer *peer)
{
	server_destroy(peer->server);
	repository_destroy(peer->repository);
	scratch_end(&peer->scratch);
}

const struct server_options peer_usual = { .head_ms = 3000,
					   .body_ms = 3000,
					   .idle_ms = 5000 };

int peer_dial(const struct peer *peer)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port =
				      htons(server_port(peer->server)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

void peer_say_bytes(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

void peer_say(int fd, const char *text)
{
	peer_say_bytes(fd, text, strlen(text));
}

/* Reads until the peer closes, or nothing comes for ms; true when it closed. */
bool peer_hear(int fd, char *answer, int ms)
{
	size_t n = strlen(answer);

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&wait, 1, ms) <= 0)
			return false;
		got = recv(fd, answer + n, PEER_ANSWER - 1 - n, 0);
		if (got <= 0)
			return true;
		n += (size_t)got;
		answer[n] = '\0';
	}
}

int peer_status(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0
		   ? (int)strtol(answer + 9, NULL, 10)
		   : 0;
}

void peer_load_linear(struct peer *peer, const char *config)
{
	struct loopback models = { .scratch = peer->scratch };
	char answer[PEER_ANSWER] = "";
	int fd = peer_dial(peer);

	loopback_put_linear(&models, 1);
	scratch_file(&peer->scratch, "linear/config.yaml", config,
		     strlen(config));
	peer_say(fd, "POST /v2/repository/models/linear/load HTTP/1.1\r\n"
		     "Host: x\r\nConnection: close\r\n\r\n");
	cr_assert(peer_hear(fd, answer, PEER_WAIT_MS));
	cr_assert_eq(peer_status(answer), 200, "%s", answer);
	(void)close(fd);
}

long peer_batcher(const struct peer *peer, const char *key)
{
	char answer[PEER_ANSWER] = "";
	const char *at;
	int fd = peer_dial(peer);

	peer_say(fd, "GET /models/linear/batcher HTTP/1.1\r\nHost: x\r\n"
		     "Connection: close\r\n\r\n");
	cr_assert(peer_hear(fd, answer, PEER_WAIT_MS));
	(void)close(fd);
	at = strstr(answer, key);
	cr_assert_not_null(at, "%s", answer);
	return strtol(at + strlen(key), NULL, 10);
}
