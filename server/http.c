/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "server/http_listen.h"
#include "server/http_priv.h"

enum { DRAIN_STEP_MS = 5 };

static enum err_code start_workers(struct http *http, struct err *err)
{
	const unsigned n = http->options.n_threads;
	enum err_code rc = ERR_NONE;

	http->worker = mem_zero(n * sizeof(*http->worker));
	if (!http->worker)
		return err_set(err, ERR_NO_MEMORY, "HTTP: out of memory");
	for (unsigned i = 0; i < n && !rc; i++) {
		rc = http_worker_init(&http->worker[i], http, err);
		http->n_workers++;
	}
	for (unsigned i = 0; i < n && !rc; i++)
		rc = http_worker_start(&http->worker[i], err);
	return rc;
}

static enum err_code start_reaper(struct http *http, struct err *err)
{
	if (pthread_create(&http->reaper, NULL, http_reaper_run, http) != 0)
		return err_set(err, ERR_NO_MEMORY,
			       "the HTTP server cannot start its reaper");
	http->has_reaper = true;
	return ERR_NONE;
}

static void init_sync(struct http *http)
{
	pthread_condattr_t attr;

	mutex_init(&http->lock);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&http->reaper_wake, &attr);
	(void)pthread_condattr_destroy(&attr);
}

enum err_code http_create(const struct http_options *options,
			  struct http **ret_http, struct err *err)
{
	struct http *http = mem_zero(sizeof(*http));
	enum err_code rc;

	if (!http)
		return err_set(err, ERR_NO_MEMORY, "HTTP: out of memory");
	http->options = *options;
	http->listen_fd = -1;
	http->stop_fd = -1;
	init_sync(http);
	rc = digest_random_hex(http->id_prefix, 8, err);
	if (!rc)
		rc = http_listen(options->host, options->port, &http->listen_fd,
				 &http->port, err);
	if (!rc)
		rc = start_reaper(http, err);
	if (!rc)
		rc = start_workers(http, err);
	if (!rc)
		rc = http_accept_start(http, err);
	if (rc) {
		http_destroy(http);
		return rc;
	}
	*ret_http = http;
	return ERR_NONE;
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}

/* Streams end where they wait; each looks at is_draining first. */
static void end_streams(struct http *http)
{
	(void)pthread_mutex_lock(&http->lock);
	for (struct http_conn *c = http->first; c; c = c->next)
		if (c->is_parked && c->request.response.stream.read)
			http_worker_resume(c);
	(void)pthread_mutex_unlock(&http->lock);
}

static bool is_empty(struct http *http)
{
	bool is_empty;

	/* first: a connection that ends may begin to linger */
	if (http_count(http))
		return false;
	(void)pthread_mutex_lock(&http->lock);
	is_empty = http->linger.n == 0;
	(void)pthread_mutex_unlock(&http->lock);
	return is_empty;
}

bool http_drain(struct http *http, int64_t timeout_ms)
{
	const int64_t deadline = clock_deadline_ns(timeout_ms);

	atomic_store(&http->is_draining, true);
	http_accept_stop(http);
	if (http->listen_fd >= 0)
		http_accept_rest(http);
	end_streams(http);
	while (!is_empty(http)) {
		if (clock_monotonic_ns() >= deadline)
			return false;
		clock_sleep_ms(DRAIN_STEP_MS);
	}
	return true;
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	http_accept_stop(http);
	/* then the reaper: it touches connections, which the workers free */
	if (http->has_reaper) {
		(void)pthread_mutex_lock(&http->lock);
		http->must_stop = true;
		(void)pthread_cond_signal(&http->reaper_wake);
		(void)pthread_mutex_unlock(&http->lock);
		(void)pthread_join(http->reaper, NULL);
	}
	for (unsigned i = 0; i < http->n_workers; i++)
		http_worker_stop(&http->worker[i]);
	for (unsigned i = 0; i < http->n_workers; i++)
		http_worker_finish(&http->worker[i]);
	mem_free(http->worker);
	if (http->listen_fd >= 0)
		(void)close(http->listen_fd);
	http_linger_pass(&http->linger, INT64_MAX);
	(void)pthread_cond_destroy(&http->reaper_wake);
	(void)pthread_mutex_destroy(&http->lock);
	mem_free(http);
}
