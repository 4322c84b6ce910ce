/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics: what the server counts about requests, whatever they are for.
 *
 * Requests are counted by the template of their route, never by their path.
 *
 * Ownership: create/destroy. Threads: any; relaxed counters.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/err.h"
#include "server/histogram.h"

struct buf;
struct metrics;

/** Why a request was refused without being looked at. */
enum shed_reason {
	SHED_QUEUE,	/**< the model's queue is full */
	SHED_MEMORY,	/**< the memory budget is used up */
	SHED_NOT_READY, /**< starting or stopping */
	SHED_RATE,	/**< a token or a model is beyond its rate */
	SHED_COUNT
};

/** A request that has ended. */
struct metrics_request {
	int route; /**< its number, -1 when the path has none */
	int status;
	int64_t ns;
	size_t n_in, n_out; /**< bytes of the bodies, not compressed */
};

MUST_USE enum err_code metrics_create(struct metrics **ret_metrics,
				      struct err *err);
/** NULL is fine. */
void metrics_destroy(struct metrics *metrics);

void metrics_begin(struct metrics *metrics);
void metrics_end(struct metrics *metrics, const struct metrics_request *done);
void metrics_shed(struct metrics *metrics, enum shed_reason reason);
void metrics_connections(struct metrics *metrics, int change);
int64_t metrics_in_flight(const struct metrics *metrics);

/** The families above and those of the process. */
void metrics_write(struct metrics *metrics, struct buf *buf);

#endif
