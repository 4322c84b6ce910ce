/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * HTTP: libmicrohttpd turned into api_requests; the only door to it.
 *
 * Connections live on a few threads with epoll. A request's head is guarded
 * (server/http_guard.h), its body is collected up to its limit and inflated,
 * and then dispatched. What is suspended comes back through api_finish(); a
 * resume that the library loses is made again by the reaper, which also ends
 * connections that send or read too slowly. Answers of 1 KiB and more are
 * compressed for those who accept it.
 *
 * Ownership: create/destroy; requests are the connection's.
 * Threads:   hooks are called on the connections' threads.
 * Limits:    heads of 32 KiB and 100 headers; the rest by options.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/api.h"
#include "server/limit.h"

struct http;
struct metrics;

struct http_hooks {
	/** The head is there: finds route, rights and limit of the body
	 * (request->body_max). An error is the answer. */
	enum err_code (*begin)(void *data, struct api_request *request,
			       struct err *err);
	/** The body is there, or api_finish() was called. */
	void (*dispatch)(void *data, struct api_request *request);
	/** Answered, or the client is gone. */
	void (*end)(void *data, struct api_request *request);
	void *data;
};

struct http_options {
	const char *host; /**< a numeric address or "localhost" */
	uint16_t port;	  /**< 0: any free one */
	unsigned n_threads, max_connections;
	int64_t head_ms, body_ms, idle_ms;
	size_t max_response, max_arena; /**< bytes of one request */
	struct limit *limit;
	struct metrics *metrics;
	struct http_hooks hooks;
};

/** Binds and serves. ERR_IO when the address cannot be bound. */
MUST_USE enum err_code http_create(const struct http_options *options,
				   struct http **ret_http, struct err *err);
uint16_t http_port(const struct http *http);
/** Takes what the kernel has accepted already, then no more connections;
 * closes each after its next answer, or after a second without a request.
 * Returns true when none is left, false when the time is up. */
bool http_drain(struct http *http, int64_t timeout_ms);
/** No request may be suspended. NULL is fine. */
void http_destroy(struct http *http);

#endif
