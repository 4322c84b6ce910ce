/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Client: asks the daemon over HTTP/1.1, one connection a request.
 *
 * Plain TCP, no proxies, no redirects. An answer of any status is an answer;
 * client_check() makes an error of those that are not 2xx, with the sentence
 * that the daemon gave.
 *
 * Ownership: create/destroy; an answer's body is the caller's to finish.
 * Threads:   one at a time.
 * Limits:    whole bodies take a ceiling; every wait has an end.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/response.h"
#include "cli/url.h"

enum { CLIENT_TOKEN_MAX = 513 };
#define CLIENT_BODY_MAX ((size_t)256 << 20)

struct client_options {
	const char *server;
	const char *token; /**< NULL: none */
	double timeout;	   /**< seconds for a connection or an answer's next
			      bytes */
	int wake_fd;	   /**< readable: end with ERR_CANCELLED; -1: none */
};

struct client_request {
	const char *method, *path; /**< path: encoded, with its query */
	const char *content_type;  /**< NULL: no body */
	const void *body;
	size_t len;
	const char *accept;	   /**< NULL: JSON */
	const char *last_event_id; /**< NULL or "": none */
};

struct client_answer {
	int status;
	char content_type[128];
	struct buf body; /**< buf_finish() it */
};

struct client;

MUST_USE enum err_code client_create(const struct client_options *options,
				     struct client **ret_client,
				     struct err *err);
void client_destroy(struct client *client);

/** ERR_NOT_READY: nobody answers there; ERR_DEADLINE: not in time; ERR_IO: the
 * connection broke. *ret_answer is set on success only. */
MUST_USE enum err_code client_ask(struct client *client,
				  const struct client_request *request,
				  struct client_answer *ret_answer,
				  struct err *err);
/** The body goes to the sink as it comes, when the status is 2xx; else it is
 * an error as client_check() makes it. Nothing for the timeout: ERR_DEADLINE.
 */
MUST_USE enum err_code client_stream(struct client *client,
				     const struct client_request *request,
				     struct response_sink sink,
				     struct err *err);
/** ERR_UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONFLICT, NOT_READY (503),
 * INVALID (other 4xx) or INTERNAL with the daemon's sentence; ERR_NONE for
 * 2xx. */
MUST_USE enum err_code client_check(const struct client_answer *answer,
				    struct err *err);
/** As given. */
const char *client_server(const struct client *client);

#endif
