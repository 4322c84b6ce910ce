/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Access log: a line of the log for each request, when it has been answered.
 *
 * A line says who asked for what (method, path, route, peer, user agent,
 * request id, the caller's trace), what came of it (status, error code, bytes,
 * time), and for requests to models which version ran them, how long they
 * waited and ran, and with how many rows. A client that went before its answer
 * has status 499. With --log-format json the line is one JSON object.
 *
 * Ownership: borrows the request. Threads: any.
 */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include <stdint.h>

struct api_request;

/** Which requests have a line. */
enum access_log {
	ACCESS_OFF,
	ACCESS_FAILURES, /**< status 400 and above */
	ACCESS_ALL
};

/** The client went before it was answered. */
enum { ACCESS_GONE = 499 };

void access_log_write(enum access_log which, const struct api_request *request,
		      int status, int64_t ns);

#endif
