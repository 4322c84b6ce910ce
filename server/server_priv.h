/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What handlers work on.
 *
 * Threads: set up before the first request; what changes later is atomic or
 *          guards itself.
 */
#ifndef SERVER_SERVER_PRIV_H
#define SERVER_SERVER_PRIV_H

#include "server/access_log.h"
#include "server/api.h"
#include "server/limit.h"

struct auth;
struct jobs_api;
struct metrics;
struct model_cache;
struct run_pool;
struct trace;

struct api_context {
	struct model_cache *models;
	struct metrics *metrics;
	struct auth *auth;
	struct jobs_api *jobs;	     /**< NULL: this server does not train */
	struct run_pool *background; /**< for work that takes its time */
	struct trace *trace;
	struct limit limit;
	size_t max_body;
	enum access_log access;
	int64_t deadline_ms;  /**< of a request that does not ask for less */
	atomic_bool is_ready; /**< false while loading and draining */
	atomic_uint verbose;  /**< what debug lines were asked for as */
};

/** Finds the route and checks rights and readiness: what comes before the
 * body. */
MUST_USE enum err_code server_begin(struct api_context *context,
				    struct api_request *request,
				    struct err *err);
/** Runs the handler; afterwards the request is answered, counted and let go,
 * or it is suspended. */
void server_dispatch(struct api_request *request);
/** For a request that was refused or cut off. */
void server_end(struct api_request *request);

#endif
