/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * HTTP worker: a thread that runs one of libmicrohttpd's daemons.
 *
 * It works on what is ready on its connections until nothing is. Then it
 * sleeps; but where requests come close together it looks again for a while
 * first: to fall asleep and be woken takes as long as a short request, takes
 * the time of who sends it, too, and on a CPU that both share each request
 * would interrupt the next. While it looks it looks at the connections of
 * others, too, whose threads may be waiting for a CPU. Requests that one look
 * finds are gathered (server/gathering.h).
 *
 * Ownership: the server's; connections are the worker's once given.
 * Threads:   one gives; any resumes, under the server's lock; one at a time
 *            looks, which is the thread that a connection's work is done on.
 */
#ifndef SERVER_HTTP_WORKER_H
#define SERVER_HTTP_WORKER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "server/gathering.h"

struct http;
struct http_conn;

enum { HTTP_GIVEN_MAX = 16 };

/** A connection on its way from the acceptor to a worker. */
struct http_given {
	int fd;
	socklen_t len;
	struct sockaddr_storage peer;
};

struct http_worker {
	struct http *http;
	struct MHD_Daemon *daemon;
	atomic_uint n_conns; /* that have begun and not ended */
	int epoll_fd, wake_fd;
	atomic_bool must_stop;
	/* the thread's */
	pthread_t thread;
	bool has_thread, has_short_turns;
	bool is_busy; /* many requests came in the period before this one, */
	int64_t period_ns; /* which began then */
	unsigned next;	   /* the worker that it looked at last */
	/* who looks has `looking`, for the daemon and for what follows */
	pthread_mutex_t looking;
	bool has_worked;     /* in this look */
	unsigned n_requests; /* of this period */
	struct gathering gathering;
	struct http_conn *gathered; /* whose requests are there */
	/* connections to come */
	pthread_mutex_t lock; /* given, n_given */
	atomic_uint n_given;
	struct http_given given[HTTP_GIVEN_MAX];
};

/** http_worker_finish() is called where it fails, too. */
MUST_USE enum err_code http_worker_init(struct http_worker *worker,
					struct http *http, struct err *err);
/** Its thread, once all workers are there: it looks at others'. */
MUST_USE enum err_code http_worker_start(struct http_worker *worker,
					 struct err *err);
/** Ends the thread; fine where it did not begin. */
void http_worker_stop(struct http_worker *worker);
/** Ends its connections, once all threads have ended. */
void http_worker_finish(struct http_worker *worker);
/** One connection more; waits while the worker has not taken earlier ones. */
void http_worker_give(struct http_worker *worker,
		      const struct http_given *given);
/** Takes a suspended connection up again. Under the server's lock. */
void http_worker_resume(struct http_conn *conn);
/** Connections that it has or is given; never too few. */
unsigned http_worker_count(const struct http_worker *worker);

#endif
