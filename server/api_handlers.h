/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The handlers of routes.def, each declared from its row.
 *
 * Threads: any, one at a time for a request.
 */
#ifndef SERVER_API_HANDLERS_H
#define SERVER_API_HANDLERS_H

#include "server/api.h"

#define ROUTE(method, pattern, handler, scope, body) \
	enum err_code handler(struct api_request *request, struct err *err);
#include "server/routes.def"
#undef ROUTE

#endif
