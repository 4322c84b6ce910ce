/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cli/peer.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { REQUEST_MAX = 64 << 10, ANSWER_MAX = 16 << 10, WAIT_MS = 5000 };

/* How long the request is, once its head is there; 0: not yet. */
static size_t whole_length(const struct buf *buf)
{
	const char *end = buf->len ? strstr(buf->data, "\r\n\r\n") : NULL;
	const char *length = end ? strstr(buf->data, "Content-Length: ") : NULL;

	if (!end)
		return 0;
	return (size_t)(end + 4 - buf->data) +
	       (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
}

static void read_request(int fd, struct buf *buf)
{
	while (!whole_length(buf) || buf->len < whole_length(buf)) {
		struct pollfd ready = { fd, POLLIN, 0 };
		char *room = buf_reserve(buf, 4096);
		ssize_t n;

		if (!room || poll(&ready, 1, WAIT_MS) <= 0)
			return;
		n = recv(fd, room, 4096, 0);
		if (n <= 0)
			return;
		buf_advance(buf, (size_t)n);
	}
}

static void *serve(void *arg)
{
	struct peer *peer = arg;

	for (int i = 0; i < peer->n_steps; i++) {
		const struct peer_step *step = &peer->step[i];
		struct pollfd ready = { peer->fd, POLLIN, 0 };
		int fd;

		if (poll(&ready, 1, WAIT_MS) <= 0)
			break;
		fd = accept(peer->fd, NULL, NULL);
		if (fd < 0)
			break;
		read_request(fd, &peer->request[i]);
		if (step->answer)
			(void)!send(fd, step->answer, strlen(step->answer),
				    MSG_NOSIGNAL);
		peer->n_taken++;
		if (step->kill_pid) {
			clock_sleep_ms(50);
			(void)kill(step->kill_pid, SIGINT);
		}
		clock_sleep_ms(step->hold_ms);
		(void)close(fd);
	}
	return NULL;
}

void peer_start(struct peer *peer, const struct peer_step *steps, int n_steps)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	sigset_t set, old;

	*peer = (struct peer){ .n_steps = n_steps };
	cr_assert(n_steps <= PEER_STEPS);
	memcpy(peer->step, steps, (size_t)n_steps * sizeof(*steps));
	for (int i = 0; i < PEER_STEPS; i++)
		buf_init(&peer->request[i], REQUEST_MAX);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(peer->fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(peer->fd, 8), 0);
	cr_assert_eq(getsockname(peer->fd, (struct sockaddr *)&address, &len),
		     0);
	(void)snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%d",
		       ntohs(address.sin_port));
	/* signals are the client's */
	(void)sigfillset(&set);
	(void)pthread_sigmask(SIG_SETMASK, &set, &old);
	cr_assert_eq(pthread_create(&peer->thread, NULL, serve, peer), 0);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void peer_wait(struct peer *peer)
{
	(void)pthread_join(peer->thread, NULL);
	(void)close(peer->fd);
}

void peer_stop(struct peer *peer)
{
	for (int i = 0; i < PEER_STEPS; i++)
		buf_finish(&peer->request[i]);
}

const char *peer_answer(const char *status, const char *type, const char *body)
{
	static char text[PEER_STEPS][ANSWER_MAX];
	static unsigned at;
	char *to = text[at++ % PEER_STEPS];

	(void)snprintf(to, ANSWER_MAX,
		       "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: "
		       "%zu\r\n\r\n%s",
		       status, type, strlen(body), body);
	return to;
}
