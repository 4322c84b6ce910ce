/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Job: its states and why it ended, one row each.
 *
 * queued -> validating -> preparing -> running <-> paused -> stopping ->
 * succeeded | failed | cancelled; interrupted when the daemon or the worker
 * died, which queues it again. A state is stored before anybody hears of it.
 *
 * Threads: const tables.
 */
#ifndef TRAINING_JOB_H
#define TRAINING_JOB_H

#include <stdbool.h>

/* name, is it over, has it a worker */
#define JOB_STATE_LIST(X)                           \
	X(QUEUED, "queued", false, false)           \
	X(VALIDATING, "validating", false, true)    \
	X(PREPARING, "preparing", false, true)      \
	X(RUNNING, "running", false, true)          \
	X(PAUSED, "paused", false, false)           \
	X(STOPPING, "stopping", false, true)        \
	X(INTERRUPTED, "interrupted", false, false) \
	X(SUCCEEDED, "succeeded", true, false)      \
	X(FAILED, "failed", true, false)            \
	X(CANCELLED, "cancelled", true, false)

enum job_state {
#define JOB_ENUM(state, text, over, worker) JOB_##state,
	JOB_STATE_LIST(JOB_ENUM)
#undef JOB_ENUM
	    JOB_STATE_COUNT
};

const char *job_state_name(enum job_state state);
/** JOB_STATE_COUNT when there is none of that name. */
enum job_state job_state_find(const char *name);
/** succeeded, failed or cancelled. */
bool job_state_is_over(enum job_state state);
/** A process works on it. */
bool job_state_has_worker(enum job_state state);

#endif
