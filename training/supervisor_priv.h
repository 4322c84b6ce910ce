/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Supervisor, inside: the places for workers and the thread that serves them.
 *
 * Threads: `lock` guards all below it, but what a place's process reads,
 *          which is the thread's own; the store has its own lock. A job that
 *          has a place changes on the thread only, one that has none under
 *          the lock only. Lock order: supervisor, then store.
 */
#ifndef TRAINING_SUPERVISOR_PRIV_H
#define TRAINING_SUPERVISOR_PRIV_H

#include <pthread.h>

#include "store/store.h"
#include "training/job.h"
#include "training/process.h"
#include "training/supervisor.h"

enum { JOB_ID_MAX = 64 };

/** A worker at its job. */
struct place {
	bool is_used;
	char id[JOB_ID_MAX];
	/* the thread's own; far from the flags that others look at, since
	 * compilers read neighbours together */
	int has_more;  /**< lines that were read and not yet taken */
	int is_at_end; /**< of its output */
	struct process process;
	int64_t kill_ns;    /**< when it is killed if still there; 0: never */
	bool is_cancelled;  /**< its end is the job's */
	bool has_said_done; /**< nothing that follows counts */
	bool is_silent;	    /**< its output has ended; its exit is awaited */
	bool is_late;	    /**< it was told to end, did not, and was killed */
};

struct supervisor {
	struct supervisor_options options;
	struct store *store;
	pthread_t thread;
	bool has_thread;
	int wake_fd;

	pthread_mutex_t lock;
	struct place place[SUPERVISOR_MAX_WORKERS];
	bool stop;
	int64_t start_after_ns; /**< a dead worker's next try waits; 0: none */
	int64_t recover_ns;	/**< when to look for jobs left alone; 0: not */
};

/** The thread's whole life. */
void *supervisor_main(void *arg);
void supervisor_wake(struct supervisor *supervisor);
/** The place of a job's worker, or NULL; under the lock. */
struct place *supervisor_place(struct supervisor *supervisor, const char *id);
/** Stores job and event, then tells it. */
MUST_USE enum err_code supervisor_tell(struct supervisor *supervisor,
				       const struct store_job *job,
				       const char *type, const char *json,
				       struct err *err);
/** The same with a new state; one that ends the job is told as "done". */
MUST_USE enum err_code supervisor_set_state(struct supervisor *supervisor,
					    struct store_job *job,
					    enum job_state state,
					    struct err *err);

#endif
