/* SPDX-License-Identifier: Apache-2.0 */
#include "training/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/job_spec.h"
#include "training/resume_from.h"
#include "training/supervisor_priv.h"

enum { SPEC_MAX = 16 << 20, ID_DIGITS = 12, REHEARSAL_MS = 120000 };
enum { JOBS_MAX = 1000000 };
enum { CANCEL_MS = 1500, SETTLE_MS = 5000 };

/* --- birth and death --- */

/* Folders of dry runs that died. */
static enum err_code sweep(const char *jobs_dir, struct err *err)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	const char **names;
	size_t n = 0;
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	rc = file_list_dir(jobs_dir, JOBS_MAX, arena, &names, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		const char *path =
		    arena_printf(arena, "%s/%s", jobs_dir, names[i]);

		if (path && str_starts_with(names[i], "dry_"))
			rc = file_remove_tree(path, err);
	}
	arena_destroy(arena);
	return rc;
}

enum err_code supervisor_create(const struct supervisor_options *options,
				struct supervisor **ret_supervisor,
				struct err *err)
{
	struct supervisor *supervisor = mem_zero(sizeof(*supervisor));
	enum err_code rc;

	if (!supervisor)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	supervisor->options = *options;
	supervisor->store = options->store;
	if (supervisor->options.max_workers == 0)
		supervisor->options.max_workers = 1;
	if (supervisor->options.max_workers > SUPERVISOR_MAX_WORKERS)
		supervisor->options.max_workers = SUPERVISOR_MAX_WORKERS;
	(void)pthread_mutex_init(&supervisor->lock, NULL);
	supervisor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (supervisor->wake_fd < 0) {
		rc = file_err(err, errno, "make", "an event descriptor");
		goto out;
	}
	rc = file_make_dirs(options->jobs_dir, err);
	if (!rc)
		rc = sweep(options->jobs_dir, err);
	if (rc)
		goto out;
	*ret_supervisor = supervisor;
	supervisor = NULL;
out:
	supervisor_destroy(supervisor);
	return rc;
}

void supervisor_wake(struct supervisor *supervisor)
{
	uint64_t one = 1;

	/* a full counter wakes too */
	(void)!write(supervisor->wake_fd, &one, sizeof(one));
}

void supervisor_stop(struct supervisor *supervisor)
{
	if (!supervisor->has_thread)
		return;
	(void)pthread_mutex_lock(&supervisor->lock);
	supervisor->stop = true;
	(void)pthread_mutex_unlock(&supervisor->lock);
	supervisor_wake(supervisor);
	(void)pthread_join(supervisor->thread, NULL);
	supervisor->has_thread = false;
}

void supervisor_destroy(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	supervisor_stop(supervisor);
	if (supervisor->wake_fd >= 0)
		(void)close(supervisor->wake_fd);
	(void)pthread_mutex_destroy(&supervisor->lock);
	mem_free(supervisor);
}

/* --- stories --- */

enum err_code supervisor_tell(struct supervisor *supervisor,
			      const struct store_job *job, const char *type,
			      const char *json, struct err *err)
{
	const struct store_event event = { .time_ms = clock_realtime_ms(),
					   .type = type,
					   .json = json };
	const struct supervisor_hooks *hooks = &supervisor->options.hooks;
	int64_t seq;
	enum err_code rc;

	rc = store_job_update(supervisor->store, job, &event, &seq, err);
	if (!rc && hooks->event)
		hooks->event(hooks->ctx, job->id, seq, type, json);
	return rc;
}

/* The state and the event that ends the story are written as one: who reads
 * the events of a job that is over has read "done". */
static enum err_code supervisor_end(struct supervisor *supervisor,
				    struct store_job *job, enum job_state state,
				    struct err *err)
{
	struct json_writer writer;
	struct buf buf;
	enum err_code rc;

	job->state = job_state_name(state);
	job->finished_ms = clock_realtime_ms();
	buf_init(&buf, SPEC_MAX);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	json_write_string(&writer, "type", "done");
	json_write_string(&writer, "state", job->state);
	if (job->stop_reason)
		json_write_string(&writer, "stop_reason", job->stop_reason);
	if (job->error)
		json_write_string(&writer, "error", job->error);
	if (job->result_json)
		json_write_raw(&writer, "result", job->result_json,
			       strlen(job->result_json));
	json_write_object_end(&writer);
	rc = buf_check(&buf, "a job's end", err);
	if (!rc)
		rc = supervisor_tell(supervisor, job, "done", buf.data, err);
	buf_finish(&buf);
	return rc;
}

enum err_code supervisor_set_state(struct supervisor *supervisor,
				   struct store_job *job, enum job_state state,
				   struct err *err)
{
	char json[96];

	if (job_state_is_over(state))
		return supervisor_end(supervisor, job, state, err);
	job->state = job_state_name(state);
	(void)snprintf(json, sizeof(json),
		       "{\"type\":\"state\",\"state\":\"%s\"}", job->state);
	return supervisor_tell(supervisor, job, "state", json, err);
}

/* --- submitting --- */

/* The spec as it is kept: resolved JSON in the arena. */
static enum err_code resolve(const char *text, size_t len, struct arena *arena,
			     struct job_spec *ret_spec, const char **ret_json,
			     struct err *err)
{
	struct buf buf;
	enum err_code rc;

	if (len > SPEC_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "a job spec has at most %d bytes, got %zu",
			       (int)SPEC_MAX, len);
	rc = job_spec_parse(text, len, "job spec", ret_spec, arena, err);
	if (rc)
		return rc;
	buf_init(&buf, SPEC_MAX);
	rc = job_spec_write(ret_spec, &buf, err);
	if (!rc) {
		*ret_json = arena_strndup(arena, buf.data, buf.len);
		if (!*ret_json)
			rc = err_set(err, ERR_NO_MEMORY,
				     "job spec: out of memory");
	}
	buf_finish(&buf);
	return rc;
}

const char *supervisor_job_dir(const struct supervisor *supervisor,
			       const char *id, struct arena *arena)
{
	return arena_printf(arena, "%s/%s", supervisor->options.jobs_dir, id);
}

/* The job's folder with its spec.json. */
static enum err_code make_folder(struct supervisor *supervisor, const char *id,
				 const char *spec_json, struct arena *arena,
				 const char **ret_dir, struct err *err)
{
	const char *dir = supervisor_job_dir(supervisor, id, arena);
	const char *spec =
	    dir ? arena_printf(arena, "%s/spec.json", dir) : NULL;
	enum err_code rc;

	if (!spec)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	rc = file_make_dirs(dir, err);
	if (!rc)
		rc = file_write_atomic(spec, spec_json, strlen(spec_json), err);
	if (!rc)
		*ret_dir = dir;
	return rc;
}

static enum err_code make_id(const char *prefix, struct arena *arena,
			     const char **ret_id, struct err *err)
{
	char digits[ID_DIGITS + 1];
	enum err_code rc = digest_random_hex(digits, ID_DIGITS, err);

	if (rc)
		return rc;
	*ret_id = arena_printf(arena, "%s%s", prefix, digits);
	return *ret_id ? ERR_NONE
		       : err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
}

/* Both under the lock: the thread must not start it in between. */
static enum err_code add_job(struct supervisor *supervisor,
			     struct store_job *job, struct err *err)
{
	enum err_code rc;

	(void)pthread_mutex_lock(&supervisor->lock);
	rc = store_job_insert(supervisor->store, job, err);
	if (!rc) {
		rc = supervisor_set_state(supervisor, job, JOB_QUEUED, err);
		if (rc && store_job_delete(supervisor->store, job->id, NULL))
			(void)err_prefix(err, "job '%s' is left behind",
					 job->id);
	}
	(void)pthread_mutex_unlock(&supervisor->lock);
	return rc;
}

/* Said before the job has trained for hours; who takes the number meanwhile is
 * found when it is published. */
static enum err_code check_version(const struct supervisor *supervisor,
				   const struct publish_spec *publish,
				   struct err *err)
{
	const char *repository = supervisor->options.model_repository;
	char path[4096];
	int n;

	if (!repository || !publish->model || !publish->version)
		return ERR_NONE;
	n = snprintf(path, sizeof(path), "%s/%s/%lld", repository,
		     publish->model, (long long)publish->version);
	if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK))
		return ERR_NONE;
	return err_set(err, ERR_CONFLICT,
		       "publish.version: model '%s' has a version %lld already",
		       publish->model, (long long)publish->version);
}

enum err_code supervisor_submit(struct supervisor *supervisor, const char *text,
				size_t len, struct arena *arena,
				const char **ret_id, struct err *err)
{
	struct store_job job = { .state = job_state_name(JOB_QUEUED),
				 .created_ms = clock_realtime_ms() };
	struct job_spec spec;
	const char *dir;
	enum err_code rc;

	rc = resolve(text, len, arena, &spec, &job.spec_json, err);
	if (!rc)
		rc = check_version(supervisor, &spec.publish, err);
	if (!rc)
		rc = make_id("job_", arena, &job.id, err);
	if (!rc)
		rc = make_folder(supervisor, job.id, job.spec_json, arena, &dir,
				 err);
	if (rc)
		return rc;
	if (spec.resume_from)
		rc = resume_from_link(supervisor->options.jobs_dir,
				      spec.resume_from, dir, arena, err);
	if (rc)
		goto out;
	job.name = spec.name;
	job.priority = spec.resources.priority;
	rc = add_job(supervisor, &job, err);
out:
	if (rc) {
		if (file_remove_tree(dir, NULL))
			(void)err_prefix(err, "'%s' is left behind", dir);
		return rc;
	}
	*ret_id = job.id;
	supervisor_wake(supervisor);
	return ERR_NONE;
}

enum err_code supervisor_wants_check(const char *text, size_t len,
				     struct arena *arena, bool *ret_does,
				     struct err *err)
{
	const char *json;
	struct job_spec spec;
	enum err_code rc = resolve(text, len, arena, &spec, &json, err);

	if (!rc)
		*ret_does = spec.resources.memory_limit > 0 ||
			    doc_find(spec.model, "onnx");
	return rc;
}

/* --- a dry run --- */

static enum err_code write_rehearsal(const char *line, const char *spec_json,
				     struct arena *arena, const char **ret_json,
				     struct err *err)
{
	const struct doc *error, *result;
	struct json_writer writer;
	struct doc *done;
	struct buf buf;
	enum err_code rc;

	rc = doc_parse_json(line, strlen(line), "worker", arena, &done, err);
	if (rc)
		return rc;
	error = doc_find(done, "error");
	if (error && error->kind == DOC_STRING)
		return err_set(err, ERR_INVALID, "%s", error->text);
	result = doc_find(done, "result");
	buf_init(&buf, SPEC_MAX);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	for (const struct doc *d = result ? result->first : NULL; d;
	     d = d->next)
		json_write_doc(&writer, d->key, d);
	if (spec_json)
		json_write_raw(&writer, "spec", spec_json, strlen(spec_json));
	json_write_object_end(&writer);
	rc = buf_check(&buf, "the rehearsal", err);
	if (!rc)
		*ret_json = arena_strndup(arena, buf.data, buf.len);
	buf_finish(&buf);
	if (!rc && !*ret_json)
		rc = err_set(err, ERR_NO_MEMORY, "dry run: out of memory");
	return rc;
}

static void fill_process_options(const struct supervisor *supervisor,
				 const char *dir, struct process_options *ret)
{
	const struct supervisor_options *o = &supervisor->options;

	*ret = (struct process_options){
		.program = o->program,
		.job_dir = dir,
		.model_repository = o->model_repository,
		.data_roots = o->data_roots,
		.n_data_roots = o->n_data_roots,
		.datasets = o->datasets,
		.threads = o->threads,
	};
}

/* Runs a worker that ends with its first answer. spec_json: goes into the
 * answer; NULL: nothing does. */
static enum err_code run_once(const struct process_options *options,
			      const char *spec_json, struct arena *arena,
			      const char **ret_json, struct err *err)
{
	struct process process;
	const char *line;
	enum err_code rc = process_start(&process, options, err);

	if (rc)
		return rc;
	line = process_await_done(&process, REHEARSAL_MS, arena);
	process_kill(&process);
	(void)process_finish(&process);
	return line ? write_rehearsal(line, spec_json, arena, ret_json, err)
		    : err_set(err, ERR_INTERNAL,
			      "the worker ended without an answer (the "
			      "daemon's log has its last words)");
}

enum err_code supervisor_rehearse(struct supervisor *supervisor,
				  const struct supervisor_rehearsal *rehearsal,
				  struct arena *arena, const char **ret_json,
				  struct err *err)
{
	struct process_options options;
	struct job_spec spec;
	const char *spec_json, *id, *dir;
	enum err_code rc;

	rc = resolve(rehearsal->text, rehearsal->len, arena, &spec, &spec_json,
		     err);
	if (!rc)
		rc = make_id("dry_", arena, &id, err);
	if (!rc)
		rc = make_folder(supervisor, id, spec_json, arena, &dir, err);
	if (rc)
		return rc;
	fill_process_options(supervisor, dir, &options);
	options.task = rehearsal->task;
	rc = run_once(&options, spec_json, arena, ret_json, err);
	if (file_remove_tree(dir, NULL) && !rc)
		rc = err_set(err, ERR_IO, "cannot remove '%s'", dir);
	return rc;
}

enum err_code supervisor_evaluate(struct supervisor *supervisor, const char *id,
				  struct arena *arena, const char **ret_json,
				  struct err *err)
{
	struct process_options options;
	struct store_job job;
	const char *dir = supervisor_job_dir(supervisor, id, arena);
	enum job_state state;
	enum err_code rc =
	    store_job_find(supervisor->store, id, arena, &job, err);

	if (rc)
		return rc;
	state = job_state_find(job.state);
	if (!job_state_is_over(state) && state != JOB_PAUSED)
		return err_set(err, ERR_CONFLICT,
			       "job '%s' is %s: its evaluations are events; "
			       "pause it, or wait for its end",
			       id, job.state);
	if (!dir)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	fill_process_options(supervisor, dir, &options);
	options.task = WORKER_EVALUATE;
	return run_once(&options, NULL, arena, ret_json, err);
}

/* --- orders --- */

struct place *supervisor_place(struct supervisor *supervisor, const char *id)
{
	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		struct place *place = &supervisor->place[i];

		if (place->is_used && str_equal(place->id, id))
			return place;
	}
	return NULL;
}

/* Says a word to the job's worker; false when none listens. */
static bool say(struct supervisor *supervisor, const char *id, const char *word)
{
	struct place *place = supervisor_place(supervisor, id);
	bool said;

	if (!place || place->has_said_done || place->is_silent)
		return false;
	said = process_say(&place->process, word);
	if (!str_equal(word, "cancel"))
		return said;
	/* it ends, whether it listens or not */
	place->is_cancelled = true;
	place->kill_ns = clock_deadline_ns(CANCEL_MS);
	return true;
}

/* A worker that has said its last word is gone in a moment: what is to happen
 * to its job then waits for that. Gives up the lock meanwhile. */
static void settle(struct supervisor *supervisor, const char *id)
{
	int64_t deadline = clock_deadline_ns(SETTLE_MS);

	for (;;) {
		const struct place *place = supervisor_place(supervisor, id);

		if (!place || !(place->has_said_done || place->is_silent) ||
		    clock_monotonic_ns() > deadline)
			return;
		(void)pthread_mutex_unlock(&supervisor->lock);
		clock_sleep_ms(5);
		(void)pthread_mutex_lock(&supervisor->lock);
	}
}

static enum err_code find_job(struct supervisor *supervisor, const char *id,
			      struct arena **ret_arena, struct store_job *ret,
			      struct err *err)
{
	struct arena *arena = arena_create((size_t)64 << 20);
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	rc = store_job_find(supervisor->store, id, arena, ret, err);
	if (rc)
		arena_destroy(arena);
	else
		*ret_arena = arena;
	return rc;
}

#define WAITS (1U << JOB_QUEUED | 1U << JOB_INTERRUPTED)
/* with no worker: what an earlier daemon left, before it is queued again */
#define LEFT_ALONE                                                        \
	(1U << JOB_VALIDATING | 1U << JOB_PREPARING | 1U << JOB_RUNNING | \
	 1U << JOB_STOPPING)

/* An order: the word for the worker (NULL: none), or the change of a job that
 * has none. */
struct order {
	const char *word, *done; /* "pause", "paused" */
	unsigned from;		 /* 1 << enum job_state, or-ed */
	enum job_state to;
};

/* From a state without a worker to another. Under the lock, so that the
 * thread does not start the job in between. */
static enum err_code move(struct supervisor *supervisor, const char *id,
			  const struct order *order, struct err *err)
{
	struct arena *arena;
	struct store_job job;
	enum err_code rc;

	rc = find_job(supervisor, id, &arena, &job, err);
	if (rc)
		return rc;
	if (!(order->from & 1U << job_state_find(job.state)) ||
	    supervisor_place(supervisor, id)) {
		rc = err_set(err, ERR_CONFLICT,
			     "job '%.64s' is %s and cannot be %s", id,
			     job.state, order->done);
	} else {
		job.stop_reason =
		    order->to == JOB_CANCELLED ? "cancelled" : NULL;
		rc = supervisor_set_state(supervisor, &job, order->to, err);
	}
	arena_destroy(arena);
	return rc;
}

static enum err_code give(struct supervisor *supervisor, const char *id,
			  const struct order *order, struct err *err)
{
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&supervisor->lock);
	settle(supervisor, id);
	if (!order->word || !say(supervisor, id, order->word))
		rc = move(supervisor, id, order, err);
	(void)pthread_mutex_unlock(&supervisor->lock);
	supervisor_wake(supervisor);
	return rc;
}

enum err_code supervisor_cancel(struct supervisor *supervisor, const char *id,
				struct err *err)
{
	static const struct order order = {
		.word = "cancel",
		.done = "cancelled",
		.from = WAITS | LEFT_ALONE | 1U << JOB_PAUSED,
		.to = JOB_CANCELLED,
	};

	return give(supervisor, id, &order, err);
}

enum err_code supervisor_pause(struct supervisor *supervisor, const char *id,
			       struct err *err)
{
	static const struct order order = {
		.word = "pause",
		.done = "paused",
		.from = WAITS | LEFT_ALONE,
		.to = JOB_PAUSED,
	};

	return give(supervisor, id, &order, err);
}

enum err_code supervisor_resume(struct supervisor *supervisor, const char *id,
				struct err *err)
{
	static const struct order order = {
		.done = "resumed",
		.from = 1U << JOB_PAUSED,
		.to = JOB_QUEUED,
	};

	return give(supervisor, id, &order, err);
}

enum err_code supervisor_checkpoint(struct supervisor *supervisor,
				    const char *id, struct err *err)
{
	static const struct order order = {
		.word = "checkpoint",
		.done = "asked for a checkpoint",
	};

	return give(supervisor, id, &order, err);
}

static enum err_code delete_job(struct supervisor *supervisor, const char *id,
				struct err *err)
{
	struct arena *arena;
	struct store_job job;
	const char *dir;
	enum err_code rc;

	rc = find_job(supervisor, id, &arena, &job, err);
	if (rc)
		return rc;
	if (supervisor_place(supervisor, id) ||
	    (!job_state_is_over(job_state_find(job.state)) &&
	     !str_equal(job.state, job_state_name(JOB_PAUSED))))
		rc = err_set(err, ERR_CONFLICT,
			     "job '%.64s' is %s; cancel it first", id,
			     job.state);
	dir = supervisor_job_dir(supervisor, id, arena);
	if (!rc && !dir)
		rc = err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	if (!rc)
		rc = store_job_delete(supervisor->store, id, err);
	if (!rc)
		rc = file_remove_tree(dir, err);
	arena_destroy(arena);
	return rc;
}

enum err_code supervisor_delete(struct supervisor *supervisor, const char *id,
				struct err *err)
{
	enum err_code rc;

	(void)pthread_mutex_lock(&supervisor->lock);
	settle(supervisor, id);
	rc = delete_job(supervisor, id, err);
	(void)pthread_mutex_unlock(&supervisor->lock);
	return rc;
}

enum err_code supervisor_start(struct supervisor *supervisor, struct err *err)
{
	if (pthread_create(&supervisor->thread, NULL, supervisor_main,
			   supervisor))
		return err_set(err, ERR_NO_MEMORY,
			       "jobs: the supervisor's thread cannot start");
	supervisor->has_thread = true;
	return ERR_NONE;
}
