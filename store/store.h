/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Store: jobs, their events and published versions, on disk.
 *
 * What a function acknowledged survives a crash (SQLite, WAL, synchronous
 * FULL). A state is written here before anybody hears of it. SQL has this one
 * door; rows come back as plain structs in the caller's arena.
 *
 * Ownership: create/destroy; results live in the arena handed in.
 * Threads:   any; one connection behind one lock.
 * Limits:    refuses network file systems (WAL needs shared memory).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct store;

struct store_job {
	const char *id, *name;
	const char *state;	   /**< training/job.h */
	const char *stop_reason;   /**< NULL until it ended */
	const char *error;	   /**< one sentence, or NULL */
	const char *spec_json;	   /**< resolved */
	const char *progress_json; /**< the latest, or NULL */
	const char *result_json;   /**< metrics, best, artifacts; or NULL */
	const char *published_model;
	int64_t published_version;		     /**< 0: none */
	int64_t created_ms, started_ms, finished_ms; /**< 0: not yet */
	int64_t priority, attempts, last_seq;
};

/** A page of jobs. */
struct store_job_query {
	const char *state; /**< NULL: any */
	const char *after; /**< only those older than this job; NULL: all */
	size_t limit;
};

struct store_jobs {
	struct store_job *job;
	size_t n;
};

struct store_event {
	int64_t seq, time_ms;
	const char *type, *json;
};

/** A page of a job's events. */
struct store_event_query {
	const char *job;
	int64_t after;	  /**< only those with a greater number */
	const char *type; /**< NULL: any */
	size_t limit;
};

struct store_events {
	struct store_event *event;
	size_t n;
};

struct store_version {
	const char *model;
	int64_t version;
	const char *state;  /**< "ready", "corrupt" */
	const char *job_id; /**< NULL: put there by somebody else */
	bool is_default;
	int64_t created_ms;
};

MUST_USE enum err_code store_create(const char *path, struct store **ret_store,
				    struct err *err);
void store_destroy(struct store *store);

MUST_USE enum err_code store_job_insert(struct store *store,
					const struct store_job *job,
					struct err *err);
/** ERR_NOT_FOUND names the id. */
MUST_USE enum err_code store_job_find(struct store *store, const char *id,
				      struct arena *arena,
				      struct store_job *ret_job,
				      struct err *err);
/** Newest first. */
MUST_USE enum err_code store_job_list(struct store *store,
				      const struct store_job_query *query,
				      struct arena *arena,
				      struct store_jobs *ret, struct err *err);
/** Oldest queued job of the highest priority; ERR_NOT_FOUND when none. */
MUST_USE enum err_code store_job_next(struct store *store, struct arena *arena,
				      struct store_job *ret_job,
				      struct err *err);
/** Writes the job's changing members (by id) and one event (may be NULL), in
 * one transaction; *ret_seq is the event's number, from 1 in each job. */
MUST_USE enum err_code store_job_update(struct store *store,
					const struct store_job *job,
					const struct store_event *event,
					int64_t *ret_seq, struct err *err);
MUST_USE enum err_code store_job_delete(struct store *store, const char *id,
					struct err *err);
/** Oldest first. */
MUST_USE enum err_code store_event_list(struct store *store,
					const struct store_event_query *query,
					struct arena *arena,
					struct store_events *ret,
					struct err *err);

MUST_USE enum err_code store_version_put(struct store *store,
					 const struct store_version *version,
					 struct err *err);
MUST_USE enum err_code store_version_list(struct store *store,
					  const char *model,
					  struct arena *arena,
					  struct store_version **ret_versions,
					  size_t *ret_n, struct err *err);

#endif
