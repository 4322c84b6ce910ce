/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Supervisor: takes jobs, runs each in a worker process, keeps their story.
 *
 * Submitting checks the whole spec and stores it; a thread starts the oldest
 * job of the highest priority as soon as a place is free, reads its events,
 * stores each before it tells anybody, and goes on with what was interrupted:
 * a worker that died is started again and resumes from its checkpoint, unless
 * it died repeatedly without getting further.
 *
 * Ownership: create/destroy; borrows the store.
 * Threads:   every function may be called from any thread. event() comes
 *            from the thread that changed the job, under the supervisor's
 *            lock: it must not call back. published() comes from the
 *            supervisor's thread. SIGPIPE must be ignored.
 * Limits:    SUPERVISOR_MAX_WORKERS at once; cancel takes effect within 2 s.
 */
#ifndef TRAINING_SUPERVISOR_H
#define TRAINING_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "training/worker.h"

struct store;
struct supervisor;

enum { SUPERVISOR_MAX_WORKERS = 16 };

struct supervisor_hooks {
	void *ctx;
	/** An event was stored. */
	void (*event)(void *ctx, const char *job_id, int64_t seq,
		      const char *type, const char *json);
	/** A version was published: makes it answer. The job has succeeded
	 * only when this gives ERR_NONE. */
	enum err_code (*published)(void *ctx, const char *model,
				   int64_t version, bool set_default,
				   struct err *err);
};

struct supervisor_options {
	struct store *store;
	const char *jobs_dir; /**< one folder a job beneath it */
	const char *program;  /**< predictd itself */
	const char *const *data_roots;
	size_t n_data_roots;
	const char *datasets;	      /**< folder of uploads; NULL: none */
	const char *model_repository; /**< NULL: nothing is published */
	unsigned threads;	      /**< of a worker; 0: all */
	unsigned max_workers;	      /**< 0: 1 */
	struct supervisor_hooks hooks;
};

MUST_USE enum err_code
supervisor_create(const struct supervisor_options *options,
		  struct supervisor **ret_supervisor, struct err *err);
/** Takes up what an earlier process left, and begins to run jobs. */
MUST_USE enum err_code supervisor_start(struct supervisor *supervisor,
					struct err *err);
/** Workers save a checkpoint and end (20 s, then they are killed); their jobs
 * are queued for the next start. */
void supervisor_stop(struct supervisor *supervisor);
void supervisor_destroy(struct supervisor *supervisor);

/** Text in YAML or JSON; the new id lands in the arena. */
MUST_USE enum err_code supervisor_submit(struct supervisor *supervisor,
					 const char *text, size_t len,
					 struct arena *arena,
					 const char **ret_id, struct err *err);
/** Whether WORKER_CHECK should say that the job can run before it is submitted:
 * one that limits its memory, or goes on from a model's file, of which each
 * node must have a gradient. */
MUST_USE enum err_code supervisor_wants_check(const char *text, size_t len,
					      struct arena *arena,
					      bool *ret_does, struct err *err);
struct supervisor_rehearsal {
	enum worker_task task; /**< any but WORKER_TRAINS */
	const char *text;      /**< the job */
	size_t len;
};

/** What a worker that keeps nothing finds out (training/worker.h), and the
 * resolved spec. JSON in the arena. Takes seconds. */
MUST_USE enum err_code supervisor_rehearse(
    struct supervisor *supervisor, const struct supervisor_rehearsal *rehearsal,
    struct arena *arena, const char **ret_json, struct err *err);
/** What a worker finds out about a job's newest checkpoint: figures of its
 * validation and test part. JSON in the arena. Takes seconds. ERR_CONFLICT
 * while it runs. */
MUST_USE enum err_code supervisor_evaluate(struct supervisor *supervisor,
					   const char *id, struct arena *arena,
					   const char **ret_json,
					   struct err *err);
/* ERR_CONFLICT says in which state the job is. */
MUST_USE enum err_code supervisor_cancel(struct supervisor *supervisor,
					 const char *id, struct err *err);
MUST_USE enum err_code supervisor_pause(struct supervisor *supervisor,
					const char *id, struct err *err);
MUST_USE enum err_code supervisor_resume(struct supervisor *supervisor,
					 const char *id, struct err *err);
MUST_USE enum err_code supervisor_checkpoint(struct supervisor *supervisor,
					     const char *id, struct err *err);
/** Removes the job and its folder; only one that is over or paused. */
MUST_USE enum err_code supervisor_delete(struct supervisor *supervisor,
					 const char *id, struct err *err);
/** The job's folder, in the arena. */
const char *supervisor_job_dir(const struct supervisor *supervisor,
			       const char *id, struct arena *arena);

#endif
