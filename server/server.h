/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Server: everything between the port and the models, as one thing.
 *
 * server_start() tries every model before it binds the port, so whoever can
 * connect is answered. server_stop() is the other way round: not ready at once,
 * requests are taken for the drain's delay and then finished, and only what
 * the drain's time does not suffice for is cut off.
 *
 * Ownership: create/destroy; borrows repository, helpers and jobs, whose
 *            members may be filled in until server_start().
 * Threads:   start and stop by one thread; the rest from any.
 * Limits:    an address other than loopback is refused without tokens, unless
 *            is_insecure.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/passes/pass_switch.h"
#include "server/access_log.h"
#include "server/model_config.h"

struct jobs_api;
struct model_cache;
struct pool;
struct repository;
struct server;
struct tuning;

struct server_options {
	const char *host;
	uint16_t port;	       /**< 0: any free one */
	unsigned http_threads; /**< that read requests */
	unsigned threads;      /**< budget of all runs together */
	unsigned max_connections;
	int64_t head_ms, body_ms, idle_ms, deadline_ms;
	int64_t poll_ms;       /**< of the repository; 0: never */
	int64_t quiet_ms;      /**< of its files; 0: poll_ms */
	size_t response_cache; /**< bytes; 0: none */
	size_t memory_budget;  /**< of models; 0: no bound */
	struct model_defaults defaults;
	size_t max_body, max_response;
	const char *tokens; /**< text of the token file; NULL: none */
	const char *tokens_name;
	bool is_insecure;
	enum access_log access;
	struct repository *repository;
	struct pool *helpers;	   /**< NULL: none */
	struct jobs_api *jobs;	   /**< NULL: this server does not train */
	struct pass_switch passes; /**< of all models */
	bool strict_numerics;	   /**< of all models */
	struct tuning *tuning;	   /**< NULL: none */
};

MUST_USE enum err_code server_create(const struct server_options *options,
				     struct server **ret_server,
				     struct err *err);
/** Loads, binds, is ready. */
MUST_USE enum err_code server_start(struct server *server, struct err *err);
uint16_t server_port(const struct server *server);
struct model_cache *server_models(struct server *server);
/** From now on these are the tokens; what cannot be read changes nothing. */
MUST_USE enum err_code server_take_tokens(struct server *server,
					  const char *text, struct err *err);
/** The readiness route says no from now on; requests are still taken. */
void server_unready(struct server *server);
/** True when every request that was taken is answered. */
bool server_stop(struct server *server, int64_t drain_ms);
/** NULL is fine. */
void server_destroy(struct server *server);

#endif
