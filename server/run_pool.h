/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Run pool: threads that run tasks when they are due.
 *
 * A task is embedded in what it belongs to. It is queued at most once; when it
 * is due, one thread takes it out and calls its run(), during which it may be
 * scheduled again and be run by another thread at the same time.
 *
 * Ownership: create/destroy; a task is its owner's, who keeps it alive while
 *            it is queued or running.
 * Threads:   run_pool_schedule() from any thread, run() itself too.
 */
#ifndef SERVER_RUN_POOL_H
#define SERVER_RUN_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct run_pool;

struct run_task {
	void (*run)(struct run_task *task);
	struct run_task *next; /**< the pool's */
	int64_t due_ns;	       /**< the pool's */
	bool is_queued;	       /**< the pool's */
};

MUST_USE enum err_code run_pool_create(unsigned n_threads, const char *name,
				       struct run_pool **ret_pool,
				       struct err *err);
/** Runs the task at due_ns (clock_monotonic_ns(); a past moment is now), or
 * earlier when it is queued for an earlier moment already. True when the task
 * was not queued before. */
bool run_pool_schedule(struct run_pool *pool, struct run_task *task,
		       int64_t due_ns);
/** Ends the threads when each has run what it is at, then runs what is still
 * queued, due or not, on this thread. NULL is fine. */
void run_pool_destroy(struct run_pool *pool);

#endif
