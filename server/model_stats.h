/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model statistics: what one version of a model has done since it was first
 * loaded, for the statistics extension and for the metrics.
 *
 * A success is one request; an inference is one row; an execution is one run.
 * Times of a run (input, infer, output) are counted for every request that the
 * run served, so that their sum over their count is what a request saw.
 *
 * Ownership: counted; a reload of the same version keeps it.
 * Threads:   any; relaxed counters.
 */
#ifndef SERVER_MODEL_STATS_H
#define SERVER_MODEL_STATS_H

#include <stdbool.h>

#include "base/err.h"
#include "server/histogram.h"

enum { MODEL_STATS_BATCH = 64 };

enum model_phase {
	PHASE_QUEUE,
	PHASE_INPUT,
	PHASE_INFER,
	PHASE_OUTPUT,
	PHASE_SUCCESS,
	PHASE_FAIL,
	PHASE_COUNT
};

enum fail_reason {
	FAIL_REJECTED, /**< the queue was full */
	FAIL_CANCELED, /**< its deadline passed or its client went */
	FAIL_BACKEND,  /**< the run failed */
	FAIL_OTHER,
	FAIL_COUNT
};

/** Why a run had no more rows. */
enum batch_close {
	CLOSE_ALONE,	 /**< on the thread of its request, or not batching */
	CLOSE_FULL,	 /**< max_batch rows */
	CLOSE_PREFERRED, /**< a preferred size */
	CLOSE_DELAY,	 /**< the oldest one had waited for the window */
	CLOSE_IDLE,	 /**< an instance was free, and nobody else waited */
	CLOSE_COUNT
};

struct stat_time {
	atomic_uint_least64_t count, ns;
};

/** Runs with that many rows. */
struct stat_batch {
	struct stat_time phase[PHASE_OUTPUT + 1]; /**< PHASE_QUEUE is unused */
};

struct model_stats {
	atomic_uint refs;
	struct stat_time phase[PHASE_COUNT];
	atomic_uint_least64_t n_fail[FAIL_COUNT];
	atomic_uint_least64_t n_inference, n_execution, n_deadline;
	struct stat_time cache_hit, cache_miss;
	atomic_uint_least64_t n_closed[CLOSE_COUNT];
	atomic_uint_least64_t n_shared; /**< requests of runs of several */
	atomic_int_least64_t n_pending; /**< requests that wait */
	atomic_int_least64_t last_inference_ms; /**< since 1970 */
	struct stat_batch batch[MODEL_STATS_BATCH + 1];
	struct histogram infer, queue, rows;
	struct histogram input, output; /**< copying in and out, of a run */
	struct histogram request;	/**< from its head to its answer */
};

/** NULL: out of memory. */
MUST_USE struct model_stats *model_stats_create(void);
struct model_stats *model_stats_ref(struct model_stats *stats);
/** NULL is fine. */
void model_stats_unref(struct model_stats *stats);

/** One run of `rows` rows for `n_parts` requests, of which `n_ended` have no
 * more to come: one that is run in pieces is counted once. ns by phase. */
void model_stats_run(struct model_stats *stats, unsigned n_parts,
		     unsigned n_ended, uint64_t rows,
		     const int64_t ns[PHASE_OUTPUT + 1]);
void model_stats_closed(struct model_stats *stats, enum batch_close why,
			unsigned n_requests);
/** A look at the cache of answers. */
void model_stats_cached(struct model_stats *stats, bool is_hit, int64_t ns);
void model_stats_queued(struct model_stats *stats, int64_t ns);
void model_stats_answered(struct model_stats *stats, enum err_code code,
			  int64_t ns);

#endif
