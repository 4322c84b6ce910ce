/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Supervisor, inside: the places for workers and the thread that serves them.
 *
 * Threads: `lock` guards places, orders and stop; the store has its own.
 *          Lock order: supervisor, then store.
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
	struct process process;
	int64_t kill_ns;   /**< when it is killed if still there; 0: never */
	bool is_cancelled; /**< its end is the job's */
	bool has_said_done;
	bool has_advanced; /**< it saved a checkpoint */
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
	int64_t start_after_ns; /**< a dead worker's next try waits */
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
