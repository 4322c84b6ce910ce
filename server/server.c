/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/access_log.h"
#include "server/api_datasets.h"
#include "server/api_demand.h"
#include "server/api_jobs.h"
#include "server/auth.h"
#include "server/http.h"
#include "server/http_listen.h"
#include "server/metrics.h"
#include "server/model_cache.h"
#include "server/response_cache.h"
#include "server/route.h"
#include "server/run_pool.h"
#include "server/server_priv.h"
#include "server/trace.h"
#include "training/datasets.h"

enum {
	SMALL_BODY = 1 << 20,
	SWALLOWED_BODY = 64 << 10,
	BACKGROUND_THREADS = 2,
	SETTLE_MS = 5000, /* for what runs when the time to drain is up */
	LOGGED_BYTES = 500,
};

struct server {
	struct server_options options;
	struct api_context context;
	struct serving serving;
	struct http *http;
};

/* --- requests --- */

static size_t body_max(const struct api_context *context,
		       const struct route *route)
{
	switch (route->body) {
	case BODY_TENSORS:
		return context->max_body;
	case BODY_UPLOAD:
		return context->jobs && context->jobs->datasets
			   ? (size_t)datasets_max_bytes(context->jobs->datasets)
			   : SMALL_BODY;
	case BODY_SMALL:
		return SMALL_BODY;
	case BODY_NONE:
	default:
		return SWALLOWED_BODY;
	}
}

enum err_code server_begin(struct api_context *context,
			   struct api_request *request, struct err *err)
{
	struct rate *rate;
	enum err_code rc;

	request->context = context;
	trace_context_parse(api_header(request, "traceparent"),
			    &request->trace);
	request->deadline_ns =
	    request->start_ns + context->deadline_ms * 1000000;
	rc = route_find(request, err);
	if (rc)
		return rc;
	request->body_max = body_max(context, request->route);
	rc = auth_check(context->auth, api_header(request, "Authorization"),
			request->route->scope, &rate, err);
	if (!rc)
		rc = api_take_rate(request, rate, "the bearer token", err);
	if (!rc && request->route->body == BODY_TENSORS)
		rc = api_admit_head(request, err);
	if (!rc && request->route->body == BODY_UPLOAD)
		rc = api_datasets_open(request, err);
	return rc;
}

/* Why a request was refused that another time would have been taken. */
static void count_shed(struct api_request *request)
{
	struct metrics *metrics = request->context->metrics;

	switch (request->code) {
	case ERR_BUSY:
		metrics_shed(metrics, SHED_QUEUE);
		break;
	case ERR_NO_MEMORY:
		metrics_shed(metrics, SHED_MEMORY);
		break;
	case ERR_NOT_READY:
		metrics_shed(metrics, SHED_NOT_READY);
		break;
	case ERR_RATE:
		metrics_shed(metrics, SHED_RATE);
		break;
	default:
		break;
	}
}

/* What nobody is there to see has a status of its own. */
static int status_of(const struct api_request *request)
{
	const bool is_gone =
	    atomic_load_explicit(&request->is_abandoned, memory_order_relaxed);

	return request->response.status && !is_gone ? request->response.status
						    : ACCESS_GONE;
}

static void count(struct api_request *request)
{
	const struct metrics_request done = {
		.route =
		    request->route ? (int)route_number(request->route) : -1,
		.status = status_of(request),
		.ns = clock_monotonic_ns() - request->start_ns,
		.n_in = request->body_len,
		.n_out = request->response.body.len,
	};

	if (request->is_counted)
		return;
	request->is_counted = true;
	metrics_end(request->context->metrics, &done);
	count_shed(request);
	access_log_write(request->context->access, request, done.status,
			 done.ns);
}

static void let_go(struct api_request *request)
{
	void (*cleanup)(struct api_request *) = request->cleanup;

	request->cleanup = NULL;
	if (cleanup)
		cleanup(request);
	served_model_unref(request->granted);
	request->granted = NULL;
}

static void log_failure(const struct api_request *request)
{
	const struct buf *body = &request->response.body;

	if (request->response.status == 500)
		log_write(LOG_LEVEL_WARNING, "http", "%s %s: %.*s%s%s",
			  request->method, request->route->pattern,
			  body->len < LOGGED_BYTES ? (int)body->len
						   : LOGGED_BYTES,
			  body->data ? body->data : "",
			  *request->trace.trace ? " trace_id=" : "",
			  request->trace.trace);
}

/* A body beyond the limit of answers, or a handler that did not answer: the
 * server's fault, and seen in its log. */
static void check_answer(struct api_request *request)
{
	const struct buf *body = &request->response.body;
	struct err err;
	enum err_code rc = ERR_INTERNAL;

	if (!request->response.status)
		(void)err_set(&err, rc, "the request was not answered");
	else
		rc = buf_check(body, "answer", &err);
	if (rc == ERR_TOO_LARGE)
		(void)err_set(&err, ERR_INTERNAL,
			      "the answer has more than the %zu bytes that are "
			      "sent",
			      body->max);
	if (rc)
		api_answer_error(request, &err);
}

void server_dispatch(struct api_request *request)
{
	route_dispatch(request);
	if (request->is_suspended)
		return;
	check_answer(request);
	log_failure(request);
	let_go(request);
	count(request);
}

void server_end(struct api_request *request)
{
	let_go(request);
	count(request);
}

static enum err_code on_begin(void *data, struct api_request *request,
			      struct err *err)
{
	struct server *server = data;

	return server_begin(&server->context, request, err);
}

static void on_dispatch(void *data, struct api_request *request)
{
	(void)data;
	server_dispatch(request);
}

static void on_end(void *data, struct api_request *request)
{
	struct server *server = data;

	/* one whose head was refused has not seen server_begin() */
	request->context = &server->context;
	server_end(request);
}

/* --- birth and death --- */

static enum err_code check_address(const struct server *server, struct err *err)
{
	const struct server_options *o = &server->options;

	if (http_is_loopback(o->host) || o->is_insecure ||
	    auth_has_tokens(server->context.auth))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "host '%s' can be reached from other machines: give a "
		       "token file (--token-file FILE), or say --insecure",
		       o->host);
}

static enum err_code make_parts(struct server *server, struct err *err)
{
	const struct server_options *o = &server->options;
	struct api_context *context = &server->context;
	const struct model_cache_options models = {
		.repository = o->repository,
		.serving = &server->serving,
		.poll_ms = o->poll_ms,
		.quiet_ms = o->quiet_ms,
		.budget = o->memory_budget,
		.defaults = o->defaults,
	};
	enum err_code rc;

	limit_init(&context->limit, 0);
	server->serving.helpers = o->helpers;
	server->serving.threads = o->threads;
	server->serving.passes = o->passes;
	server->serving.strict_numerics = o->strict_numerics;
	server->serving.tuning = o->tuning;
	rc = metrics_create(&context->metrics, err);
	if (!rc)
		rc = trace_create(&context->trace, err);
	if (!rc)
		rc =
		    auth_create(o->tokens, o->tokens_name, &context->auth, err);
	if (!rc)
		rc = check_address(server, err);
	if (!rc && o->response_cache)
		rc = response_cache_create(o->response_cache,
					   &server->serving.cache, err);
	if (!rc)
		rc = run_pool_create(o->threads, "run",
				     &server->serving.runners, err);
	if (!rc)
		rc = run_pool_create(1, "timer", &server->serving.timer, err);
	if (!rc)
		rc = run_pool_create(BACKGROUND_THREADS, "background",
				     &context->background, err);
	if (!rc)
		rc = model_cache_create(&models, &context->models, err);
	return rc;
}

enum err_code server_create(const struct server_options *options,
			    struct server **ret_server, struct err *err)
{
	struct server *server = mem_zero(sizeof(*server));
	enum err_code rc;

	if (!server)
		return err_set(err, ERR_NO_MEMORY, "server: out of memory");
	server->options = *options;
	server->context.jobs = options->jobs;
	server->context.max_body = options->max_body;
	server->context.deadline_ms = options->deadline_ms;
	server->context.access = options->access;
	rc = make_parts(server, err);
	if (rc) {
		server_destroy(server);
		return rc;
	}
	*ret_server = server;
	return ERR_NONE;
}

enum err_code server_start(struct server *server, struct err *err)
{
	const struct server_options *o = &server->options;
	const struct http_options http = {
		.host = o->host,
		.port = o->port,
		.n_threads = o->http_threads,
		.max_connections = o->max_connections,
		.head_ms = o->head_ms,
		.body_ms = o->body_ms,
		.idle_ms = o->idle_ms,
		.max_response = o->max_response,
		/* tensors of a request: decoded JSON, inputs, outputs */
		.max_arena = 4 * o->max_body + o->max_response,
		.limit = &server->context.limit,
		.metrics = server->context.metrics,
		.hooks = { on_begin, on_dispatch, on_end, server },
	};
	enum err_code rc;

	rc = model_cache_load_all(server->context.models, err);
	if (!rc)
		rc = model_cache_start(server->context.models, err);
	if (rc)
		return rc;
	/* before the port is bound: the first request finds it so */
	atomic_store(&server->context.is_ready, true);
	return http_create(&http, &server->http, err);
}

uint16_t server_port(const struct server *server)
{
	return http_port(server->http);
}

struct model_cache *server_models(struct server *server)
{
	return server->context.models;
}

enum err_code server_take_tokens(struct server *server, const char *text,
				 struct err *err)
{
	return auth_replace(server->context.auth, text,
			    server->options.tokens_name, err);
}

void server_unready(struct server *server)
{
	atomic_store(&server->context.is_ready, false);
}

/* What is suspended must be answered before the HTTP server can go. */
static void settle(struct server *server)
{
	const int64_t deadline = clock_deadline_ns(SETTLE_MS);

	while (metrics_in_flight(server->context.metrics) > 0 &&
	       clock_monotonic_ns() < deadline)
		clock_sleep_ms(1);
}

bool server_stop(struct server *server, int64_t drain_ms)
{
	bool is_drained;

	server_unready(server);
	if (!server->http)
		return true;
	is_drained = http_drain(server->http, drain_ms);
	model_cache_stop(server->context.models);
	settle(server);
	http_destroy(server->http);
	server->http = NULL;
	return is_drained;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	(void)server_stop(server, 0);
	/* pools end before what their tasks belong to */
	run_pool_destroy(server->context.background);
	if (server->context.models)
		model_cache_stop(server->context.models);
	run_pool_destroy(server->serving.runners);
	run_pool_destroy(server->serving.timer);
	model_cache_destroy(server->context.models);
	response_cache_destroy(server->serving.cache);
	auth_destroy(server->context.auth);
	metrics_destroy(server->context.metrics);
	trace_destroy(server->context.trace);
	mem_free(server);
}
