/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batcher: what its queue (server/batcher.c) and its runs
 * (server/batcher_runs.c, server/batch_run.c) share.
 *
 * Threads: a run is one thread's at a time; what `lock` guards is said there.
 */
#ifndef SERVER_BATCHER_PRIV_H
#define SERVER_BATCHER_PRIV_H

#include <pthread.h>

#include "server/batch_queue.h"
#include "server/batch_tuner.h"
#include "server/batcher.h"
#include "server/run_times.h"

struct batcher {
	atomic_uint refs;
	struct batcher_options options;
	pthread_mutex_t lock; /* guards what follows, up to the tasks */
	struct batch_queue waiting;
	struct batch_tuner tuner;
	unsigned n_active;
	bool is_closed;
	struct run_task run, expire; /* each holds a reference when queued */
	struct run_times times;
	atomic_uint n_unjoined; /* times that calls were not gathered */
};

/** Rows first .. first + n - 1 of a call. */
struct batch_part {
	struct infer_call *call;
	int64_t first, n;
};

/** Runs the parts, which belong to one call or to several of equal shapes, as
 * one batch; their outputs are filled for those rows. ns: time by phase. */
MUST_USE enum err_code batch_run(const struct batcher_options *options,
				 const struct batch_part *parts,
				 unsigned n_parts, struct team *team,
				 int64_t ret_ns[PHASE_OUTPUT + 1],
				 struct err *err);
/** Fills in what a call does not have from its sender. */
void batcher_prepare(const struct batcher *batcher, struct infer_call *call);
/** What a run takes, as far as is known; 0: not at all. */
int64_t batcher_predict_ns(struct batcher *batcher, int64_t rows);
/** One run for a list of calls of equal shapes, at most BATCHER_MAX_BATCH, or
 * of one alone in as many as it needs, with helpers where it may borrow some;
 * each has its result then. */
void batcher_run_calls(struct batcher *batcher, struct infer_call *first,
		       bool may_borrow);

#endif
