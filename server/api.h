/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * API: one request and its answer, free of HTTP's library.
 *
 * A handler fills request->response and returns, or returns an error, which
 * becomes {"error", "code", "request_id"} with the code's status. A handler
 * whose answer takes time calls api_suspend() with what is to be done at the
 * end, hands the request on, and returns; whoever has the result calls
 * api_finish(), from any thread, exactly once. Then `then` runs on one of the
 * transport's threads and answers as a handler does.
 *
 * Ownership: everything a request points to lives until it is answered; its
 *            arena is the place for what a handler needs.
 * Threads:   one at a time: between api_suspend() and api_finish() the request
 *            belongs to whom it was handed on to.
 */
#ifndef SERVER_API_H
#define SERVER_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "server/http_guard.h"
#include "server/trace_context.h"
#include "server/url.h"

enum { API_PARAMS_MAX = 4, API_ID_MAX = 65, API_EXTRA_MAX = 8 };

struct api_request;
struct gathering;
struct api_context; /* server/server_priv.h: what handlers work on */
struct json_writer;
struct route;
struct served_model;

typedef enum err_code api_handler(struct api_request *request, struct err *err);

/** A body that is made while it is sent (server-sent events). */
struct api_stream {
	/** Writes at most max bytes: their number, 0 when there is nothing
	 * yet (api_wake() asks again), -1 at the end. */
	long (*read)(void *data, char *to, size_t max);
	void (*close)(void *data); /**< once; the client may be gone */
	void *data;
};

struct api_response {
	int status;		  /**< 0: not answered yet */
	const char *content_type; /**< NULL: no body */
	struct buf body;	  /**< bounded by the limit of a response */
	struct http_pair extra[API_EXTRA_MAX]; /**< headers */
	unsigned n_extra;
	struct api_stream stream; /**< read is NULL: the body is above */
};

/** How the request is carried; the loopback of the tests has its own. What
 * follows a suspended handler waits until it has returned. */
struct api_transport {
	void (*finish)(struct api_request *request);
	void (*wake)(struct api_request *request);
};

/** How a request to a model was served, for the access log. */
struct api_served {
	const char *model, *version; /**< NULL: none, or nobody asks */
	int64_t queue_ns, run_ns, n_rows;
};

struct api_request {
	const char *method; /**< "GET" */
	const char *path;   /**< raw */
	struct url url;
	const struct http_pair *headers, *query; /**< query values are raw */
	size_t n_headers, n_query;
	const char *body; /**< a NUL follows it */
	size_t body_len;
	char id[API_ID_MAX];
	const char *peer;	    /**< its address; NULL: not known */
	struct trace_context trace; /**< the caller's */
	struct arena *arena;
	struct api_context *context;

	const struct route *route;	   /**< set by route_find() */
	const char *param[API_PARAMS_MAX]; /**< the {parts} of its pattern */
	size_t body_max;
	/** Takes a body in pieces, where server_begin() sets it: write() works
	 * on one, which stays until api_finish(). */
	struct api_sink {
		void (*write)(struct api_request *request, const char *bytes,
			      size_t len);
		const struct err *err; /**< why no more is taken; or NULL */
	} sink;
	size_t held_bytes;   /**< of the memory budget, given back at the end */
	int64_t start_ns;    /**< when the head was there */
	int64_t deadline_ns; /**< an answer after it is of no use */
	atomic_bool is_abandoned; /**< the client is gone */

	const char *demanded, *demanded_version; /**< api_demand.h */
	struct served_model *granted; /**< loaded for this request; or NULL */
	bool has_demanded, is_demanding;
	bool is_admitted; /**< rate and queue were looked at */
	int64_t retry_s;  /**< when to come again; 0: nothing to say */

	struct api_response response;
	enum err_code code; /**< of the answer */
	bool is_suspended, is_gathered;
	bool is_counted;	     /**< in the metrics */
	struct gathering *gathering; /**< for its call; NULL: none */
	api_handler *then;
	void *state; /**< the handler's, for `then` */
	struct api_served served;
	/** Lets go what the handler holds, once: it has answered, or the client
	 * is gone. NULL: nothing. */
	void (*cleanup)(struct api_request *request);
	const struct api_transport *transport;
};

/** NULL when absent; names in any case. */
const char *api_header(const struct api_request *request, const char *name);
/** Whether the client asks first if it may send the body (100-continue). */
bool api_client_waits(const struct api_request *request);
/** Decoded, "" without '='; NULL when absent or broken. */
const char *api_query(const struct api_request *request, const char *name);

/** Memory that is held until the answer; ERR_BUSY: the budget has less. */
MUST_USE enum err_code api_hold(struct api_request *request, size_t bytes,
				struct err *err);

/** Answers with a status and no body. */
void api_answer_empty(struct api_request *request, int status);
/** Begins a JSON body; the caller writes into *ret_writer. */
void api_answer_json(struct api_request *request, int status,
		     struct json_writer *ret_writer);
/** Adds a header; its strings are borrowed until the answer is sent. */
void api_answer_header(struct api_request *request, const char *name,
		       const char *value);
/** Replaces what was answered. */
void api_answer_error(struct api_request *request, const struct err *err);

/** Before the request is handed on. A handler that then fails to returns the
 * error, which takes the suspension back. */
void api_suspend(struct api_request *request, api_handler *then);
void api_finish(struct api_request *request);
/** A stream has something to read again; between the answer and close(). */
void api_wake(struct api_request *request);

#endif
