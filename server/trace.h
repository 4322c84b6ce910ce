/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trace: some requests are followed, and what happened to them and when is
 * written to the log, a line each.
 *
 * Settings are the server's, or a model's where that has its own. Of the
 * requests a setting applies to, each trace_rate-th is followed, until
 * trace_count of them were. TIMESTAMPS tells when the request came, was queued,
 * ran and was answered (nanoseconds of the monotonic clock, under the names
 * that Triton's trace files have); TENSORS the inputs and outputs, cut to what
 * a line holds. A request that nobody follows costs one load.
 *
 * Ownership: create/destroy.
 * Threads:   any.
 * Limits:    TRACE_MODELS_MAX models with settings of their own.
 */
#ifndef SERVER_TRACE_H
#define SERVER_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct inference;
struct trace;

enum { TRACE_MODELS_MAX = 1000 };
enum { TRACE_TIMESTAMPS = 1, TRACE_TENSORS = 2 };

enum trace_key { TRACE_LEVEL, TRACE_RATE, TRACE_COUNT, TRACE_KEYS };

struct trace_settings {
	/** TRACE_LEVEL: bits of the above, 0 is off; TRACE_RATE: from 1 up;
	 * TRACE_COUNT: how many more, -1: without end */
	int64_t value[TRACE_KEYS];
};

struct trace_change {
	bool has[TRACE_KEYS];
	bool clears[TRACE_KEYS]; /**< back to the server's, or the default */
	struct trace_settings to;
};

MUST_USE enum err_code trace_create(struct trace **ret_trace, struct err *err);
/** NULL is fine. */
void trace_destroy(struct trace *trace);

/** model NULL: the server's. */
void trace_read(struct trace *trace, const char *model,
		struct trace_settings *ret_settings);
MUST_USE enum err_code trace_set(struct trace *trace, const char *model,
				 const struct trace_change *change,
				 struct err *err);

/** At the end of a request to a model: follows it, if it is its turn. trace
 * NULL: nothing. */
void trace_request(struct trace *trace, const struct inference *inference);

#endif
