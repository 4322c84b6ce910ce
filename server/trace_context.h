/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trace context: the `traceparent` header (W3C, Trace Context, level 1), by
 * which the lines of several services about one request are found again.
 *
 * Ownership: plain data. Threads: pure.
 */
#ifndef SERVER_TRACE_CONTEXT_H
#define SERVER_TRACE_CONTEXT_H

#include <stdbool.h>

struct trace_context {
	char trace[33];	 /**< 32 hex digits, "" when the header has none */
	char parent[17]; /**< 16 hex digits: the caller's span */
	bool is_sampled;
};

/** text NULL, or one that is not as the recommendation wants it: empty. */
void trace_context_parse(const char *text, struct trace_context *ret);

#endif
