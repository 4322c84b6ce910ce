/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batcher: the runs of one version of a model.
 *
 * Requests whose shapes agree but for the first dimension are joined into one
 * run, padded to one of a few sizes so that plans are few. A batch closes when
 * it is full or has a preferred size, or when an instance is free and its
 * oldest request has waited for the window: max_delay, or what the objective
 * for the latency makes of it (server/batch_tuner.h). A window ends before a
 * deadline of those that wait would pass in it. Requests of a higher
 * priority come first. One of more than max_batch rows runs in several pieces.
 * When a joined run meets a bad value, each of its requests runs alone, so
 * that one client's error is not another's. A model that does not batch runs
 * each request as it is.
 *
 * batcher_run_now() runs a request on the caller's thread, when nothing waits
 * and its time is known to be short; else batcher_submit() hands it on and
 * done() is called on another thread, exactly once. One thread that has several
 * such requests gathers them, and runs them joined (server/gathering.h).
 *
 * Ownership: counted; submit takes the call until done(). plans, stats and the
 *            pools outlive every call.
 * Threads:   every function from any thread.
 * Limits:    at most max_queued calls wait (ERR_BUSY; a call of a higher
 *            priority takes the place of the last one); nor does a call that
 *            would wait beyond its deadline, by how long runs take. One that
 *            waits beyond it ends with ERR_DEADLINE, one whose client is gone
 *            with ERR_CANCELLED.
 */
#ifndef SERVER_BATCHER_H
#define SERVER_BATCHER_H

#include <stdatomic.h>

#include "base/arena.h"
#include "engine/plan_cache.h"
#include "server/model_stats.h"
#include "server/run_pool.h"

enum {
	BATCHER_MAX_BATCH = 64,
	BATCHER_MIN_QUEUE = 256,
	BATCHER_PRIORITIES = 8,
	BATCHER_PREFERRED = 16
};
/** When a call's last run began, had its inputs, was done, and had its outputs
 * copied out. */
enum call_time { CALL_BEGUN, CALL_INPUT, CALL_RAN, CALL_OUTPUT, CALL_TIMES };

struct infer_call {
	unsigned n_inputs, n_outputs;
	const struct tensor_view *input; /**< [n_inputs], checked, plain; data
					    need not be aligned */
	struct tensor_view *output;	 /**< [n_outputs]; filled, in arena */
	const bool *is_wanted; /**< [n_outputs]; NULL: all are copied */
	struct arena *arena;
	unsigned priority; /**< 0 is first; below BATCHER_PRIORITIES */
	int64_t deadline_ns;
	const atomic_bool *is_abandoned; /**< NULL: never */
	void (*done)(struct infer_call *call);
	void *data; /**< the caller's */

	enum err_code rc; /**< result */
	struct err err;

	int64_t at_ns[CALL_TIMES]; /**< 0: it did not run */

	struct infer_call *next; /**< the batcher's, as what follows */
	int64_t rows, queued_ns;
};

struct batcher_options {
	const char *name; /**< of the model, for messages; borrowed */
	struct plan_cache *plans;
	struct model_stats *stats;
	struct run_pool *runners, *timer;
	struct pool *helpers;	/**< NULL: none */
	atomic_uint *n_running; /**< runs of all models; shared */
	unsigned threads;	/**< budget of the process */
	bool batches;
	unsigned max_batch;   /**< rows of one run */
	unsigned n_instances; /**< runs at the same time */
	unsigned max_queued;  /**< calls that wait */
	int64_t max_delay_ns; /**< the window, at first */
	int64_t objective_ns; /**< of the latency; 0: the window stays */
	int64_t preferred[BATCHER_PREFERRED]; /**< sizes, ascending */
	size_t n_preferred;
	const struct batch_pad *pad; /**< NULL: no input is filled up */
};

struct batch_pad;
struct batch_queue;

/** What a batcher is at. */
struct batcher_state {
	unsigned n_waiting, n_active;
	int64_t rows_waiting, window_ns, max_rows;
	int64_t ns_per_row; /**< of late; 0: not known */
	uint64_t n_decisions;
	int64_t late_ns; /**< what 19 of 20 runs stayed below; 0: not known */
};

struct batcher;

MUST_USE enum err_code batcher_create(const struct batcher_options *options,
				      struct batcher **ret_batcher,
				      struct err *err);
struct batcher *batcher_ref(struct batcher *batcher);
/** NULL is fine. */
void batcher_unref(struct batcher *batcher);

/** True when the call was run: its result is there and done() is not called. */
MUST_USE bool batcher_run_now(struct batcher *batcher, struct infer_call *call);
/** True when the call could be run now, but is worth running with others, of
 * which about n_expected are to come: it was put to those gathered. */
MUST_USE bool batcher_gather(struct batcher *batcher, struct infer_call *call,
			     struct batch_queue *gathered, unsigned n_expected);
/** Runs them all, joined as their shapes allow, on the caller's thread; where
 * something has come between, they are handed on. done() is called of each. */
void batcher_run_gathered(struct batcher *batcher,
			  struct batch_queue *gathered);
/** Runs a call that nobody sent, to make plans and learn how long a run takes;
 * it does not count. At most max_batch rows. */
void batcher_warm(struct batcher *batcher, struct infer_call *call);
/** Plans were made for what `from` has run: those sizes are known. Before any
 * call. */
void batcher_follow(struct batcher *batcher, const struct batcher *from);
/** ERR_BUSY, ERR_NOT_READY: refused, done() is not called. */
MUST_USE enum err_code batcher_submit(struct batcher *batcher,
				      struct infer_call *call, struct err *err);
/** Refuses what comes and ends what waits with ERR_NOT_READY. */
void batcher_close(struct batcher *batcher);
/** The queue is full: submit would refuse a call of the last priority. For a
 * request whose body is not read yet. */
bool batcher_is_full(struct batcher *batcher);
void batcher_look(struct batcher *batcher, struct batcher_state *ret_state);
const struct batcher_options *batcher_options(const struct batcher *batcher);

#endif
