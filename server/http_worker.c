/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"
#include "server/http_priv.h"

enum {
	HEAD_BYTES = 32 << 10,
	DRAIN_CONNECTIONS = 4096, /* of the kernel's, beyond the limit */
	LOOK_NS = 200000,	  /* how long it looks again, where */
	LOOK_REQUESTS = 80,	  /* came in the last period of */
	PERIOD_NS = 10000000,
	HELP_LOOKS = 4, /* at another's, before one at its own */
};

/* The path stays as it was sent; server/url.c decodes it part by part. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

/* Connections that the acceptor has left. */
static void take_given(struct http_worker *worker)
{
	unsigned n;

	if (!atomic_load_explicit(&worker->n_given, memory_order_acquire))
		return;
	(void)pthread_mutex_lock(&worker->lock);
	n = atomic_load_explicit(&worker->n_given, memory_order_relaxed);
	for (unsigned i = 0; i < n; i++) {
		struct http_given *given = &worker->given[i];

		/* on failure the library has closed it */
		(void)MHD_add_connection(worker->daemon, given->fd,
					 (struct sockaddr *)&given->peer,
					 given->len);
	}
	/* now that n_conns has them: http_worker_count() misses none */
	atomic_store_explicit(&worker->n_given, 0, memory_order_release);
	(void)pthread_mutex_unlock(&worker->lock);
}

/* Until when nothing has to be done unless something comes; -1: for ever. Under
 * `looking`. */
static int timeout_ms(struct http_worker *worker)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(worker->daemon, &ms) != MHD_YES)
		return -1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Sleeps until something is ready, is given, or times out. */
static void wait_for_work(struct http_worker *worker)
{
	struct pollfd wait[] = { { .fd = worker->epoll_fd, .events = POLLIN },
				 { .fd = worker->wake_fd, .events = POLLIN } };
	eventfd_t n;
	int ms;

	(void)pthread_mutex_lock(&worker->looking);
	ms = timeout_ms(worker);
	(void)pthread_mutex_unlock(&worker->looking);
	(void)poll(wait, 2, ms);
	if (wait[1].revents)
		(void)eventfd_read(worker->wake_fd, &n);
}

/* Whether requests come so close together that to look is less than to sleep,
 * and none is with other threads, which may need this CPU. Where another thread
 * looks now, it is as it was. */
static bool may_look(struct http_worker *worker, int64_t now)
{
	const int64_t period = now - worker->period_ns;

	if (period > PERIOD_NS &&
	    pthread_mutex_trylock(&worker->looking) == 0) {
		worker->is_busy =
		    worker->n_requests >= period / PERIOD_NS * LOOK_REQUESTS;
		worker->n_requests = 0;
		(void)pthread_mutex_unlock(&worker->looking);
		worker->period_ns = now;
	}
	return worker->is_busy && !atomic_load_explicit(&worker->http->n_handed,
							memory_order_relaxed);
}

/* Short turns where runs of models want the same CPUs, which would keep
 * refusals waiting; usual ones where it looks, or the system would give a CPU
 * that is yielded back at once. */
static void set_turns(struct http_worker *worker, bool are_short)
{
	if (worker->has_short_turns == are_short)
		return;
	worker->has_short_turns = are_short;
	if (are_short)
		(void)thread_take_short_turns();
	else
		thread_take_usual_turns();
}

/* Handles what is ready, and runs what was gathered in that. */
static void look(struct http_worker *worker)
{
	const unsigned before = worker->n_requests;
	unsigned n;

	take_given(worker);
	worker->has_worked = false;
	(void)MHD_run(worker->daemon);
	gathering_run(&worker->gathering);
	while (worker->gathered) {
		struct http_conn *conn = worker->gathered;

		worker->gathered = conn->next_gathered;
		http_leave_gathered(conn);
	}
	n = worker->n_requests - before;
	if (n)
		worker->gathering.n_expected = n;
}

/* False: there was nothing, or another thread is at it. */
static bool look_at_own(struct http_worker *worker)
{
	bool has_worked;

	if (pthread_mutex_trylock(&worker->looking) != 0)
		return false;
	look(worker);
	has_worked = worker->has_worked;
	(void)pthread_mutex_unlock(&worker->looking);
	return has_worked;
}

/* Looks at the connections of the next worker in turn, whose thread may be
 * waiting for a CPU, or asleep: it is woken if something is left for it. */
static bool look_at_others(struct http_worker *worker)
{
	struct http *http = worker->http;
	struct http_worker *other;
	bool has_worked = false, is_pending = true;

	worker->next = (worker->next + 1) % http->n_workers;
	other = &http->worker[worker->next];
	if (other == worker || pthread_mutex_trylock(&other->looking) != 0)
		return false;
	for (int i = 0; i < HELP_LOOKS && is_pending; i++) {
		look(other);
		has_worked = has_worked || other->has_worked;
		is_pending = other->has_worked || timeout_ms(other) == 0;
	}
	(void)pthread_mutex_unlock(&other->looking);
	if (is_pending)
		(void)eventfd_write(other->wake_fd, 1);
	return has_worked;
}

static void *run(void *arg)
{
	struct http_worker *worker = arg;
	int64_t idle_since = 0;

	(void)pthread_setname_np(pthread_self(), "http");
	while (
	    !atomic_load_explicit(&worker->must_stop, memory_order_acquire)) {
		int64_t now;
		bool may;

		if (look_at_own(worker)) {
			idle_since = 0;
			continue;
		}
		now = clock_monotonic_ns();
		idle_since = idle_since ? idle_since : now;
		may = may_look(worker, now);
		set_turns(worker, !may);
		if (!may || now - idle_since >= LOOK_NS)
			wait_for_work(worker);
		else if (look_at_others(worker))
			idle_since = 0;
		else
			(void)sched_yield();
	}
	return NULL;
}

void http_worker_give(struct http_worker *worker,
		      const struct http_given *given)
{
	bool is_taken = false;

	while (!is_taken) {
		unsigned n;

		(void)pthread_mutex_lock(&worker->lock);
		n = atomic_load_explicit(&worker->n_given,
					 memory_order_relaxed);
		is_taken = n < HTTP_GIVEN_MAX;
		if (is_taken) {
			worker->given[n] = *given;
			atomic_store_explicit(&worker->n_given, n + 1,
					      memory_order_release);
		}
		(void)pthread_mutex_unlock(&worker->lock);
		(void)eventfd_write(worker->wake_fd, 1);
		if (!is_taken)
			clock_sleep_ms(1);
	}
}

void http_worker_resume(struct http_conn *conn)
{
	MHD_resume_connection(conn->mhd);
	/* the library's own event may be gone by a look that began before: then
	 * the worker would sleep over it */
	(void)eventfd_write(conn->worker->wake_fd, 1);
}

unsigned http_worker_count(const struct http_worker *worker)
{
	const unsigned n =
	    atomic_load_explicit(&worker->n_given, memory_order_acquire);

	return n + atomic_load_explicit(&worker->n_conns, memory_order_acquire);
}

static enum err_code start_daemon(struct http_worker *worker, struct err *err)
{
	struct http *http = worker->http;
	const struct http_options *options = &http->options;
	const unsigned idle_s = (unsigned)(options->idle_ms / 1000) + 5;
	const union MHD_DaemonInfo *info;

	worker->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET,
	    0, NULL, NULL, http_on_request, worker, MHD_OPTION_CONNECTION_LIMIT,
	    options->max_connections + DRAIN_CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES,
	    MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_STRICT_FOR_CLIENT,
	    1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http,
	    MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, worker,
	    MHD_OPTION_END);
	info = worker->daemon ? MHD_get_daemon_info(worker->daemon,
						    MHD_DAEMON_INFO_EPOLL_FD)
			      : NULL;
	if (!info)
		return err_set(err, ERR_IO, "the HTTP server cannot start");
	worker->epoll_fd = info->epoll_fd;
	return ERR_NONE;
}

enum err_code http_worker_init(struct http_worker *worker, struct http *http,
			       struct err *err)
{
	worker->http = http;
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_mutex_init(&worker->looking, NULL);
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake_fd < 0)
		return file_err(err, errno, "make", "an event for HTTP");
	return start_daemon(worker, err);
}

enum err_code http_worker_start(struct http_worker *worker, struct err *err)
{
	if (pthread_create(&worker->thread, NULL, run, worker) != 0)
		return err_set(err, ERR_NO_MEMORY,
			       "the HTTP server cannot start its threads");
	worker->has_thread = true;
	return ERR_NONE;
}

void http_worker_stop(struct http_worker *worker)
{
	if (!worker->has_thread)
		return;
	atomic_store_explicit(&worker->must_stop, true, memory_order_release);
	(void)eventfd_write(worker->wake_fd, 1);
	(void)pthread_join(worker->thread, NULL);
}

void http_worker_finish(struct http_worker *worker)
{
	if (worker->daemon) {
		take_given(worker);
		MHD_stop_daemon(worker->daemon);
	}
	if (worker->wake_fd >= 0)
		(void)close(worker->wake_fd);
	(void)pthread_mutex_destroy(&worker->looking);
	(void)pthread_mutex_destroy(&worker->lock);
}
