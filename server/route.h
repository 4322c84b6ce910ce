/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Route: which handler answers which path, and on what terms.
 *
 * The table is routes.def. A part of a pattern in braces stands for one
 * segment of any text; "{model}:predict" for one that ends so.
 *
 * Ownership: rows are const. Threads: any.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "server/api.h"
#include "server/auth.h"

/** The largest body a route takes. */
enum route_body {
	BODY_NONE,    /**< what comes is read and forgotten, up to 64 KiB */
	BODY_SMALL,   /**< 1 MiB: documents */
	BODY_TENSORS, /**< the server's limit */
	BODY_UPLOAD   /**< goes to request->sink as it comes */
};

struct route {
	const char *method, *pattern;
	api_handler *handler;
	enum auth_scope scope;
	enum route_body body;
};

size_t route_count(void);
/** NULL beyond the last one. */
const struct route *route_at(size_t i);
size_t route_number(const struct route *route);

/** Finds request->route by method and url, and fills request->param.
 * ERR_NOT_FOUND, or ERR_METHOD with the header Allow answered. */
MUST_USE enum err_code route_find(struct api_request *request, struct err *err);
/** Runs the handler (or `then`, when the request was suspended); an error
 * becomes the answer. Afterwards the request is answered or suspended. */
void route_dispatch(struct api_request *request);

#endif
