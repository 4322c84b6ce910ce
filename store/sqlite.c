/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sqlite3.h>
#include <sys/vfs.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"

enum { BUSY_MS = 5000, SCHEMA_VERSION = 1 };

struct store {
	sqlite3 *db;
	pthread_mutex_t lock; /* one statement at a time */
};

static const char settings[] = "PRAGMA journal_mode=WAL;"
			       "PRAGMA synchronous=FULL;"
			       "PRAGMA foreign_keys=ON;";

/* In one transaction: each would wait for the disk. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS job("
    " number INTEGER PRIMARY KEY," /* the order they came in */
    " id TEXT NOT NULL UNIQUE, name TEXT, state TEXT NOT NULL,"
    " stop_reason TEXT, error TEXT, spec TEXT NOT NULL, progress TEXT,"
    " result TEXT, published_model TEXT, published_version INTEGER"
    " NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, started_ms INTEGER"
    " NOT NULL DEFAULT 0, finished_ms INTEGER NOT NULL DEFAULT 0,"
    " priority INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL"
    " DEFAULT 0, last_seq INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX IF NOT EXISTS job_by_state ON job(state);"
    "CREATE TABLE IF NOT EXISTS event("
    " job TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE,"
    " seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, type TEXT NOT NULL,"
    " json TEXT NOT NULL, PRIMARY KEY(job, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS version("
    " model TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,"
    " job TEXT, is_default INTEGER NOT NULL DEFAULT 0, created_ms INTEGER"
    " NOT NULL, PRIMARY KEY(model, version)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "COMMIT;";

#define JOB_COLUMNS                                                    \
	"id, name, state, stop_reason, error, spec, progress, result," \
	" published_model, published_version, created_ms, started_ms," \
	" finished_ms, priority, attempts, last_seq"

/* --- faults --- */

static enum err_code fault(struct store *store, const char *did,
			   struct err *err)
{
	int code = sqlite3_errcode(store->db);
	enum err_code rc = code == SQLITE_FULL	  ? ERR_NO_SPACE
			   : code == SQLITE_NOMEM ? ERR_NO_MEMORY
			   : code == SQLITE_BUSY  ? ERR_BUSY
			   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB
			       ? ERR_FORMAT
			       : ERR_IO;

	return err_set(err, rc, "the job store cannot %s: %s", did,
		       sqlite3_errmsg(store->db));
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "the job store: out of memory");
}

/* --- statements --- */

static void bind_text(sqlite3_stmt *statement, int i, const char *text)
{
	if (text)
		(void)sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, i);
}

static enum err_code prepare(struct store *store, const char *sql,
			     sqlite3_stmt **ret, struct err *err)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, ret, NULL) != SQLITE_OK)
		return fault(store, "prepare a statement", err);
	return ERR_NONE;
}

/* Runs a statement that gives no rows; finalizes it. */
static enum err_code run(struct store *store, sqlite3_stmt *statement,
			 const char *did, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (sqlite3_step(statement) != SQLITE_DONE)
		rc = fault(store, did, err);
	(void)sqlite3_finalize(statement);
	return rc;
}

static enum err_code execute(struct store *store, const char *sql,
			     const char *did, struct err *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fault(store, did, err);
	return ERR_NONE;
}

/* A column's text in the arena; *ret_ok turns false when it is full. */
static const char *column(sqlite3_stmt *statement, int i, struct arena *arena,
			  bool *ret_ok)
{
	const char *text = (const char *)sqlite3_column_text(statement, i);
	char *copy;

	if (!text)
		return NULL;
	copy = arena_strdup(arena, text);
	*ret_ok = *ret_ok && copy;
	return copy;
}

/* --- birth and death --- */

/* WAL needs shared memory, which network file systems do not give. */
static enum err_code check_file_system(const char *path, struct err *err)
{
	static const struct {
		long magic;
		const char *name;
	} network[] = { { 0x6969, "NFS" },
			{ (long)0xFF534D42, "CIFS" },
			{ (long)0xFE534D42, "SMB2" },
			{ 0x01021997, "9p" } };
	struct statfs fs;
	char folder[4096];
	char *slash;

	(void)str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	if (statfs(slash ? folder : ".", &fs))
		return ERR_NONE; /* opening will say it better */
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++) {
		if ((long)fs.f_type == network[i].magic)
			return err_set(err, ERR_UNSUPPORTED,
				       "the state folder '%s' is on %s, where "
				       "SQLite's journal is not safe; use a "
				       "local disk",
				       folder, network[i].name);
	}
	return ERR_NONE;
}

/* Of the tables that a file has; 0: none yet. */
static int schema_version(struct store *store)
{
	sqlite3_stmt *statement = NULL;
	int version = 0;

	if (!prepare(store, "PRAGMA user_version", &statement, NULL) &&
	    sqlite3_step(statement) == SQLITE_ROW)
		version = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return version;
}

static enum err_code make_tables(struct store *store, struct err *err)
{
	enum err_code rc = execute(store, settings, "be set up", err);

	if (rc || schema_version(store) == SCHEMA_VERSION)
		return rc;
	return execute(store, schema, "make its tables", err);
}

enum err_code store_create(const char *path, struct store **ret_store,
			   struct err *err)
{
	struct store *store = mem_zero(sizeof(*store));
	enum err_code rc;

	if (!store)
		return no_memory(err);
	(void)pthread_mutex_init(&store->lock, NULL);
	rc = check_file_system(path, err);
	if (rc)
		goto out;
	if (sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		rc = fault(store, "open its file", err);
		(void)err_prefix(err, "'%s'", path);
		goto out;
	}
	(void)sqlite3_busy_timeout(store->db, BUSY_MS);
	rc = make_tables(store, err);
	if (rc) {
		(void)err_prefix(err, "'%s'", path);
		goto out;
	}
	*ret_store = store;
	store = NULL;
out:
	store_destroy(store);
	return rc;
}

void store_destroy(struct store *store)
{
	if (!store)
		return;
	(void)sqlite3_close(store->db);
	(void)pthread_mutex_destroy(&store->lock);
	mem_free(store);
}

/* --- jobs --- */

static void bind_job(sqlite3_stmt *s, const struct store_job *job)
{
	const char *const text[] = { job->id,
				     job->name,
				     job->state,
				     job->stop_reason,
				     job->error,
				     job->spec_json,
				     job->progress_json,
				     job->result_json,
				     job->published_model };
	const int64_t number[] = { job->published_version, job->created_ms,
				   job->started_ms,	   job->finished_ms,
				   job->priority,	   job->attempts,
				   job->last_seq };
	int n = 0;

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		bind_text(s, ++n, text[i]);
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
		(void)sqlite3_bind_int64(s, ++n, number[i]);
}

static bool read_job(sqlite3_stmt *s, struct arena *arena,
		     struct store_job *ret)
{
	bool ok = true;

	ret->id = column(s, 0, arena, &ok);
	ret->name = column(s, 1, arena, &ok);
	ret->state = column(s, 2, arena, &ok);
	ret->stop_reason = column(s, 3, arena, &ok);
	ret->error = column(s, 4, arena, &ok);
	ret->spec_json = column(s, 5, arena, &ok);
	ret->progress_json = column(s, 6, arena, &ok);
	ret->result_json = column(s, 7, arena, &ok);
	ret->published_model = column(s, 8, arena, &ok);
	ret->published_version = sqlite3_column_int64(s, 9);
	ret->created_ms = sqlite3_column_int64(s, 10);
	ret->started_ms = sqlite3_column_int64(s, 11);
	ret->finished_ms = sqlite3_column_int64(s, 12);
	ret->priority = sqlite3_column_int64(s, 13);
	ret->attempts = sqlite3_column_int64(s, 14);
	ret->last_seq = sqlite3_column_int64(s, 15);
	return ok;
}

enum err_code store_job_insert(struct store *store, const struct store_job *job,
			       struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store,
		     "INSERT INTO job(" JOB_COLUMNS ") VALUES"
		     "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		     &s, err);
	if (!rc) {
		bind_job(s, job);
		rc = run(store, s, "add a job", err);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

/* The one job that a bound statement gives. */
static enum err_code take_job(struct store *store, sqlite3_stmt *s,
			      struct arena *arena, struct store_job *ret,
			      struct err *err)
{
	int got = sqlite3_step(s);
	enum err_code rc = ERR_NONE;

	if (got == SQLITE_DONE)
		rc = ERR_NOT_FOUND;
	else if (got != SQLITE_ROW)
		rc = fault(store, "read a job", err);
	else if (!read_job(s, arena, ret))
		rc = no_memory(err);
	(void)sqlite3_finalize(s);
	return rc;
}

enum err_code store_job_find(struct store *store, const char *id,
			     struct arena *arena, struct store_job *ret_job,
			     struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store, "SELECT " JOB_COLUMNS " FROM job WHERE id=?", &s,
		     err);
	if (!rc) {
		bind_text(s, 1, id);
		rc = take_job(store, s, arena, ret_job, err);
		if (rc == ERR_NOT_FOUND)
			(void)err_set(err, rc, "there is no job '%.64s'", id);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

enum err_code store_job_next(struct store *store, struct arena *arena,
			     struct store_job *ret_job, struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store,
		     "SELECT " JOB_COLUMNS " FROM job WHERE state='queued'"
		     " ORDER BY priority DESC, number LIMIT 1",
		     &s, err);
	if (!rc) {
		rc = take_job(store, s, arena, ret_job, err);
		if (rc == ERR_NOT_FOUND)
			(void)err_set(err, rc, "no job is queued");
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

static enum err_code list_jobs(struct store *store, sqlite3_stmt *s,
			       size_t limit, struct arena *arena,
			       struct store_jobs *ret, struct err *err)
{
	struct store_job *jobs = arena_array(arena, limit + 1, sizeof(*jobs));
	size_t n = 0;
	int got = SQLITE_DONE;

	while (jobs && n < limit && (got = sqlite3_step(s)) == SQLITE_ROW) {
		if (!read_job(s, arena, &jobs[n++]))
			return no_memory(err);
	}
	if (!jobs)
		return no_memory(err);
	if (got != SQLITE_DONE && got != SQLITE_ROW)
		return fault(store, "list jobs", err);
	*ret = (struct store_jobs){ .job = jobs, .n = n };
	return ERR_NONE;
}

enum err_code store_job_list(struct store *store,
			     const struct store_job_query *query,
			     struct arena *arena, struct store_jobs *ret,
			     struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store,
		     "SELECT " JOB_COLUMNS " FROM job WHERE (?1 IS NULL OR"
		     " state=?1) AND (?2 IS NULL OR number <"
		     " (SELECT number FROM job WHERE id=?2))"
		     " ORDER BY number DESC LIMIT ?3",
		     &s, err);
	if (!rc) {
		bind_text(s, 1, query->state);
		bind_text(s, 2, query->after);
		(void)sqlite3_bind_int64(s, 3, (int64_t)query->limit);
		rc = list_jobs(store, s, query->limit, arena, ret, err);
		(void)sqlite3_finalize(s);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

static enum err_code write_job(struct store *store, const struct store_job *job,
			       bool has_event, struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	/* the numbers are the places of bind_job() */
	rc = prepare(store,
		     "UPDATE job SET state=?3, stop_reason=?4, error=?5,"
		     " progress=?7, result=?8, published_model=?9,"
		     " published_version=?10, started_ms=?12, finished_ms=?13,"
		     " attempts=?15, last_seq=last_seq+?16 WHERE id=?1",
		     &s, err);
	if (rc)
		return rc;
	bind_job(s, job);
	(void)sqlite3_bind_int64(s, 16, has_event);
	rc = run(store, s, "write a job", err);
	if (!rc && sqlite3_changes(store->db) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "there is no job '%.64s'",
			     job->id);
	return rc;
}

static enum err_code write_event(struct store *store, const char *id,
				 const struct store_event *event,
				 int64_t *ret_seq, struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	rc = prepare(store,
		     "INSERT INTO event(job, seq, time_ms, type, json) SELECT"
		     " id, last_seq, ?2, ?3, ?4 FROM job WHERE id=?1"
		     " RETURNING seq",
		     &s, err);
	if (rc)
		return rc;
	bind_text(s, 1, id);
	(void)sqlite3_bind_int64(s, 2, event->time_ms);
	bind_text(s, 3, event->type);
	bind_text(s, 4, event->json);
	if (sqlite3_step(s) == SQLITE_ROW)
		*ret_seq = sqlite3_column_int64(s, 0);
	else
		rc = fault(store, "write an event", err);
	(void)sqlite3_finalize(s);
	return rc;
}

enum err_code store_job_update(struct store *store, const struct store_job *job,
			       const struct store_event *event,
			       int64_t *ret_seq, struct err *err)
{
	int64_t seq = 0;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = execute(store, "BEGIN IMMEDIATE", "begin to write", err);
	if (rc)
		goto out;
	rc = write_job(store, job, event != NULL, err);
	if (!rc && event)
		rc = write_event(store, job->id, event, &seq, err);
	if (!rc)
		rc = execute(store, "COMMIT", "keep a job", err);
	if (rc)
		(void)execute(store, "ROLLBACK", "undo", NULL);
	else if (ret_seq)
		*ret_seq = seq;
out:
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

enum err_code store_job_delete(struct store *store, const char *id,
			       struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store, "DELETE FROM job WHERE id=?", &s, err);
	if (!rc) {
		bind_text(s, 1, id);
		rc = run(store, s, "delete a job", err);
	}
	if (!rc && sqlite3_changes(store->db) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "there is no job '%.64s'", id);
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

/* --- events --- */

static enum err_code list_events(struct store *store, sqlite3_stmt *s,
				 size_t limit, struct arena *arena,
				 struct store_events *ret, struct err *err)
{
	struct store_event *events =
	    arena_array(arena, limit + 1, sizeof(*events));
	size_t n = 0;
	int got = SQLITE_DONE;
	bool ok = events != NULL;

	while (ok && n < limit && (got = sqlite3_step(s)) == SQLITE_ROW) {
		events[n].seq = sqlite3_column_int64(s, 0);
		events[n].time_ms = sqlite3_column_int64(s, 1);
		events[n].type = column(s, 2, arena, &ok);
		events[n++].json = column(s, 3, arena, &ok);
	}
	if (!ok)
		return no_memory(err);
	if (got != SQLITE_DONE && got != SQLITE_ROW)
		return fault(store, "list events", err);
	*ret = (struct store_events){ .event = events, .n = n };
	return ERR_NONE;
}

enum err_code store_event_list(struct store *store,
			       const struct store_event_query *query,
			       struct arena *arena, struct store_events *ret,
			       struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store,
		     "SELECT seq, time_ms, type, json FROM event WHERE job=?1"
		     " AND seq>?2 AND (?3 IS NULL OR type=?3) ORDER BY seq"
		     " LIMIT ?4",
		     &s, err);
	if (!rc) {
		bind_text(s, 1, query->job);
		(void)sqlite3_bind_int64(s, 2, query->after);
		bind_text(s, 3, query->type);
		(void)sqlite3_bind_int64(s, 4, (int64_t)query->limit);
		rc = list_events(store, s, query->limit, arena, ret, err);
		(void)sqlite3_finalize(s);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

/* --- versions --- */

static enum err_code clear_default(struct store *store, const char *model,
				   struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	rc = prepare(store, "UPDATE version SET is_default=0 WHERE model=?", &s,
		     err);
	if (rc)
		return rc;
	bind_text(s, 1, model);
	return run(store, s, "write a version", err);
}

static enum err_code put_version(struct store *store,
				 const struct store_version *version,
				 struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	rc = prepare(store,
		     "INSERT INTO version(model, version, state, job,"
		     " is_default, created_ms) VALUES(?,?,?,?,?,?) ON CONFLICT"
		     " DO UPDATE SET state=excluded.state, job=excluded.job,"
		     " is_default=excluded.is_default",
		     &s, err);
	if (rc)
		return rc;
	bind_text(s, 1, version->model);
	(void)sqlite3_bind_int64(s, 2, version->version);
	bind_text(s, 3, version->state);
	bind_text(s, 4, version->job_id);
	(void)sqlite3_bind_int(s, 5, version->is_default);
	(void)sqlite3_bind_int64(s, 6, version->created_ms);
	return run(store, s, "write a version", err);
}

enum err_code store_version_put(struct store *store,
				const struct store_version *version,
				struct err *err)
{
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = execute(store, "BEGIN IMMEDIATE", "begin to write", err);
	if (rc)
		goto out;
	if (version->is_default)
		rc = clear_default(store, version->model, err);
	if (!rc)
		rc = put_version(store, version, err);
	if (!rc)
		rc = execute(store, "COMMIT", "keep a version", err);
	if (rc)
		(void)execute(store, "ROLLBACK", "undo", NULL);
out:
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}

static enum err_code list_versions(struct store *store, sqlite3_stmt *s,
				   struct arena *arena,
				   struct store_version **ret, size_t *ret_n,
				   struct err *err)
{
	struct store_version *list = NULL;
	size_t n = 0, cap = 0;
	int got;
	bool ok = true;

	while (ok && (got = sqlite3_step(s)) == SQLITE_ROW) {
		if (n == cap) {
			struct store_version *grown;

			cap = cap ? 2 * cap : 16;
			grown = arena_array(arena, cap, sizeof(*grown));
			if (!grown)
				return no_memory(err);
			if (n)
				memcpy(grown, list, n * sizeof(*grown));
			list = grown;
		}
		list[n].model = column(s, 0, arena, &ok);
		list[n].version = sqlite3_column_int64(s, 1);
		list[n].state = column(s, 2, arena, &ok);
		list[n].job_id = column(s, 3, arena, &ok);
		list[n].is_default = sqlite3_column_int(s, 4) != 0;
		list[n++].created_ms = sqlite3_column_int64(s, 5);
	}
	if (!ok)
		return no_memory(err);
	if (got != SQLITE_DONE)
		return fault(store, "list versions", err);
	*ret = list;
	*ret_n = n;
	return ERR_NONE;
}

enum err_code store_version_list(struct store *store, const char *model,
				 struct arena *arena,
				 struct store_version **ret_versions,
				 size_t *ret_n, struct err *err)
{
	sqlite3_stmt *s;
	enum err_code rc;

	(void)pthread_mutex_lock(&store->lock);
	rc = prepare(store,
		     "SELECT model, version, state, job, is_default,"
		     " created_ms FROM version WHERE ?1 IS NULL OR model=?1"
		     " ORDER BY model, version",
		     &s, err);
	if (!rc) {
		bind_text(s, 1, model);
		rc = list_versions(store, s, arena, ret_versions, ret_n, err);
		(void)sqlite3_finalize(s);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return rc;
}
