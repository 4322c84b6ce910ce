/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server/http_priv.h"

#define MS ((int64_t)1000000)

enum {
	TICK_MS = 250,
	LINGER_TICK_MS = 5,	/* while a client writes what nobody reads */
	RESUME_AGAIN_MS = 1000, /* a resume takes microseconds */
	DRAIN_IDLE_MS = 1000,
	DRAIN_UNUSED_MS = 2500, /* its first request may be on the way */
	RATE_AFTER_MS = 5000,	/* then a body comes with at least */
	RATE_BYTES_PER_MS = 1,
};

static uint64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_bytes_received;
}

/* Waiting for a head. A connection that is new has head_ms for its first one.
 * On an idle one, bytes that come without making a head start that clock. */
static bool is_late_head(struct http_conn *conn, int64_t since, int64_t now)
{
	const struct http_options *options = &conn->http->options;
	const int64_t age = now - since;
	const bool must_go = atomic_load_explicit(&conn->http->is_draining,
						  memory_order_relaxed) &&
			     age > DRAIN_IDLE_MS * MS;
	uint64_t bytes;

	/* one that was opened to be used some day has nothing to be cut off */
	if (!atomic_load_explicit(&conn->had_request, memory_order_relaxed))
		return age > options->head_ms * MS ||
		       (must_go && age > DRAIN_UNUSED_MS * MS &&
			!bytes_received(conn->fd));
	if (must_go)
		return true;
	if (age < TICK_MS * MS)
		return false;
	bytes = bytes_received(conn->fd);
	if (conn->idle_since_ns != since) {
		conn->idle_since_ns = since;
		conn->idle_bytes = bytes;
		conn->partial_ns = 0;
	}
	if (bytes != conn->idle_bytes && !conn->partial_ns)
		conn->partial_ns = now;
	return conn->partial_ns ? now - conn->partial_ns > options->head_ms * MS
				: age > options->idle_ms * MS;
}

static bool is_late_body(struct http_conn *conn, int64_t age)
{
	const size_t n =
	    atomic_load_explicit(&conn->n_body, memory_order_relaxed);

	if (age > conn->http->options.body_ms * MS &&
	    !atomic_load_explicit(&conn->is_upload, memory_order_relaxed))
		return true;
	return age > RATE_AFTER_MS * MS &&
	       (int64_t)n < age / MS * RATE_BYTES_PER_MS;
}

static bool is_late_send(struct http_conn *conn, int64_t age)
{
	/* not from the answer, which may be the next request's already */
	const int64_t send_ms =
	    atomic_load_explicit(&conn->send_ms, memory_order_relaxed);

	return send_ms >= 0 && age > send_ms * MS;
}

static bool is_peer_gone(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* A parked connection: resumes it again where the library has lost that, and
 * tells who works for it when its client is gone. */
static void look_after(struct http_conn *conn, int64_t now)
{
	if (!conn->is_parked)
		return;
	if (conn->is_done || conn->is_woken) {
		if (now - conn->done_ns > RESUME_AGAIN_MS * MS)
			http_worker_resume(conn);
	} else if (is_peer_gone(conn->fd)) {
		atomic_store_explicit(&conn->request.is_abandoned, true,
				      memory_order_relaxed);
		if (conn->request.response.stream.read)
			http_worker_resume(conn);
	}
}

static bool is_late(struct http_conn *conn, int64_t now)
{
	const int phase =
	    atomic_load_explicit(&conn->phase, memory_order_acquire);
	const int64_t since =
	    atomic_load_explicit(&conn->since_ns, memory_order_relaxed);

	switch (phase) {
	case HTTP_HEAD:
		return is_late_head(conn, since, now);
	case HTTP_BODY:
		return is_late_body(conn, now - since);
	case HTTP_SEND:
		return is_late_send(conn, now - since);
	default:
		return false;
	}
}

void http_answer_late(struct api_request *request)
{
	struct err err;

	(void)err_set(&err, ERR_TIMEOUT,
		      "the rest of the request did not come in time");
	api_answer_error(request, &err);
}

/* The library cannot answer before it has the whole request, so that a body
 * that does not come is answered past it. Nothing else is being sent then. */
static void say_late(struct http_conn *conn)
{
	static const char error[] =
	    "{\"error\":\"the rest of the request did not come in time\","
	    "\"code\":\"request_timeout\",\"request_id\":\"%s\"}";
	char body[sizeof(error) + API_ID_MAX], text[2 * sizeof(body) + 256];
	int expected = HTTP_BODY, n;

	if (!atomic_compare_exchange_strong_explicit(
		&conn->phase, &expected, HTTP_ENDED, memory_order_acquire,
		memory_order_relaxed))
		return;
	n = snprintf(body, sizeof(body), error, conn->request.id);
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 408 Request Timeout\r\n"
		     "Connection: close\r\n"
		     "Content-Type: application/json\r\n"
		     "X-Request-Id: %s\r\n"
		     "Content-Length: %d\r\n\r\n%s",
		     conn->request.id, n, body);
	/* a client that does not read it either gets nothing */
	(void)send(conn->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void *http_reaper_run(void *arg)
{
	struct http *http = arg;

	(void)pthread_setname_np(pthread_self(), "http-reaper");
	(void)pthread_mutex_lock(&http->lock);
	while (!http->must_stop) {
		const int64_t due = clock_deadline_ns(
		    http->linger.n ? LINGER_TICK_MS : TICK_MS);
		const struct timespec until = { .tv_sec = due / 1000000000,
						.tv_nsec = due % 1000000000 };
		int64_t now;

		(void)pthread_cond_timedwait(&http->reaper_wake, &http->lock,
					     &until);
		now = clock_monotonic_ns();
		http_linger_pass(&http->linger, now);
		for (struct http_conn *c = http->first; c; c = c->next) {
			look_after(c, now);
			if (!is_late(c, now))
				continue;
			say_late(c);
			/* the library sees the end of the stream and closes */
			(void)shutdown(c->fd, SHUT_RDWR);
		}
	}
	(void)pthread_mutex_unlock(&http->lock);
	return NULL;
}
