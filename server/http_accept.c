/* SPDX-License-Identifier: Apache-2.0 */
/* Connections are accepted on a thread of its own, which gives each to the
 * worker with the fewest. Workers that accept for themselves do so when they
 * happen to wake: all connections of a client that opens many at once then
 * land on one thread, for as long as they live, while others sleep. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "server/http_listen.h"
#include "server/http_priv.h"

enum {
	FULL_MS = 5,	/* between looks while no more may come */
	SHORT_MS = 100, /* after a failure to accept */
	DRAIN_STEP_MS = 5,
	DRAIN_ROUNDS = 4,
};

unsigned http_count(const struct http *http)
{
	unsigned n = 0;

	for (unsigned i = 0; i < http->n_workers; i++)
		n += http_worker_count(&http->worker[i]);
	return n;
}

static bool is_full(const struct http *http)
{
	return http_count(http) >= http->options.max_connections;
}

/* The one with the fewest connections; of several the next in turn. */
static struct http_worker *choose(struct http *http)
{
	struct http_worker *best;

	http->turn = (http->turn + 1) % http->n_workers;
	best = &http->worker[http->turn];
	for (unsigned i = 1; i < http->n_workers; i++) {
		struct http_worker *one =
		    &http->worker[(http->turn + i) % http->n_workers];

		if (http_worker_count(one) < http_worker_count(best))
			best = one;
	}
	return best;
}

/* Accepts one connection; false: none waits, or an error that *ret_error says.
 */
static bool accept_one(struct http *http, int *ret_error)
{
	struct http_given given = { .len = sizeof(given.peer) };

	given.fd = accept4(http->listen_fd, (struct sockaddr *)&given.peer,
			   &given.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	*ret_error = given.fd < 0 ? errno : 0;
	if (given.fd < 0) /* it may have gone while it waited */
		return *ret_error == ECONNABORTED || *ret_error == EINTR;
	http_worker_give(choose(http), &given);
	return true;
}

/* Says once why no more come, until one does. */
static void tell(bool *is_short, int error)
{
	const bool was_short = *is_short;
	struct err err;

	*is_short = error && error != EAGAIN;
	if (!*is_short || was_short)
		return;
	(void)file_err(&err, error, "accept", "a connection");
	log_write(LOG_LEVEL_WARNING, "http", "connections wait: %s", err.msg);
}

static void *run(void *arg)
{
	struct http *http = arg;
	struct pollfd wait[] = { { .fd = http->stop_fd, .events = POLLIN },
				 { .fd = http->listen_fd, .events = POLLIN } };
	bool is_short = false;

	(void)pthread_setname_np(pthread_self(), "http-accept");
	(void)thread_take_short_turns();
	for (;;) {
		const bool must_wait = is_short || is_full(http);
		int error = 0;

		(void)poll(wait, must_wait ? 1 : 2,
			   is_short    ? SHORT_MS
			   : must_wait ? FULL_MS
				       : -1);
		if (wait[0].revents)
			return NULL;
		while (!is_full(http) && accept_one(http, &error))
			continue;
		tell(&is_short, error);
	}
}

enum err_code http_accept_start(struct http *http, struct err *err)
{
	http->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (http->stop_fd < 0)
		return file_err(err, errno, "make", "an event for HTTP");
	if (pthread_create(&http->acceptor, NULL, run, http) != 0)
		return err_set(err, ERR_NO_MEMORY,
			       "the HTTP server cannot start its acceptor");
	http->has_acceptor = true;
	return ERR_NONE;
}

void http_accept_stop(struct http *http)
{
	if (http->has_acceptor) {
		(void)eventfd_write(http->stop_fd, 1);
		(void)pthread_join(http->acceptor, NULL);
		http->has_acceptor = false;
	}
	if (http->stop_fd >= 0)
		(void)close(http->stop_fd);
	http->stop_fd = -1;
}

void http_accept_rest(struct http *http)
{
	int error;

	http_listen_mute(http->listen_fd);
	for (int round = 0; round < DRAIN_ROUNDS; round++) {
		while (accept_one(http, &error))
			continue;
		clock_sleep_ms(DRAIN_STEP_MS);
	}
	(void)close(http->listen_fd);
	http->listen_fd = -1;
}
