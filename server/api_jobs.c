/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_jobs.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/field.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/api.h"
#include "server/api_handlers.h"
#include "server/api_jobs_priv.h"
#include "server/event_hub.h"
#include "server/run_pool.h"
#include "server/server_priv.h"
#include "store/store.h"
#include "training/job.h"
#include "training/supervisor.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 1000, EVENTS_MAX = 100000 };

static struct jobs_api *jobs_of(const struct api_request *request)
{
	return request->context->jobs;
}

enum err_code jobs_api_check(const struct api_request *request, struct err *err)
{
	if (jobs_of(request))
		return ERR_NONE;
	return err_set(err, ERR_NOT_FOUND, "this server does not train");
}

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (ms == 0) {
		json_write_null(w, key);
		return;
	}
	clock_format_iso8601(ms, text);
	json_write_string(w, key, text);
}

static void write_text(struct json_writer *w, const char *key, const char *text)
{
	if (text)
		json_write_string(w, key, text);
	else
		json_write_null(w, key);
}

static void write_json(struct json_writer *w, const char *key, const char *json)
{
	if (json)
		json_write_raw(w, key, json, strlen(json));
	else
		json_write_null(w, key);
}

/* progress and latest are members of the last "step" event */
static void write_progress(struct json_writer *w, const struct store_job *job,
			   struct arena *arena)
{
	static const char *const keys[] = { "progress", "latest" };
	struct doc *event = NULL;

	if (job->progress_json &&
	    doc_parse_json(job->progress_json, strlen(job->progress_json),
			   "event", arena, &event, NULL))
		event = NULL;
	for (size_t i = 0; i < 2; i++) {
		const struct doc *member = doc_find(event, keys[i]);

		if (member)
			json_write_doc(w, keys[i], member);
		else
			json_write_null(w, keys[i]);
	}
}

/* What the last worker said of its memory before it began. */
static void write_memory(struct json_writer *w, struct api_request *request,
			 const struct store_job *job)
{
	const struct store_event_query query = { .job = job->id,
						 .type = "memory",
						 .limit = EVENTS_MAX };
	struct store_events events = { 0 };
	struct doc *event = NULL;
	const struct doc *peak, *memory;

	if (!store_event_list(jobs_of(request)->store, &query, request->arena,
			      &events, NULL) &&
	    events.n) {
		const char *json = events.event[events.n - 1].json;

		if (doc_parse_json(json, strlen(json), "event", request->arena,
				   &event, NULL))
			event = NULL;
	}
	peak = doc_find(event, "predicted_peak_bytes");
	memory = doc_find(event, "memory");
	if (peak)
		json_write_doc(w, "predicted_peak_bytes", peak);
	else
		json_write_null(w, "predicted_peak_bytes");
	if (memory)
		json_write_doc(w, "memory", memory);
	else
		json_write_null(w, "memory");
}

static void write_published(struct json_writer *w, const struct store_job *job)
{
	if (!job->published_model) {
		json_write_null(w, "published");
		return;
	}
	json_write_object(w, "published");
	json_write_string(w, "model", job->published_model);
	json_write_int(w, "version", job->published_version);
	json_write_object_end(w);
}

static void write_job(struct json_writer *w, const struct store_job *job,
		      bool is_whole, struct api_request *request)
{
	json_write_object(w, NULL);
	json_write_string(w, "id", job->id);
	write_text(w, "name", job->name);
	json_write_string(w, "state", job->state);
	write_text(w, "stop_reason", job->stop_reason);
	write_text(w, "error", job->error);
	write_time(w, "created_at", job->created_ms);
	write_time(w, "started_at", job->started_ms);
	write_time(w, "finished_at", job->finished_ms);
	json_write_int(w, "priority", job->priority);
	write_progress(w, job, request->arena);
	write_json(w, "result", job->result_json);
	write_published(w, job);
	json_write_int(w, "last_event", job->last_seq);
	if (is_whole)
		write_memory(w, request, job);
	if (is_whole)
		write_json(w, "spec", job->spec_json);
	json_write_object_end(w);
}

enum err_code jobs_api_find(struct api_request *request, struct store_job *ret,
			    struct err *err)
{
	enum err_code rc = jobs_api_check(request, err);

	if (rc)
		return rc;
	return store_job_find(jobs_of(request)->store, request->param[0],
			      request->arena, ret, err);
}

/* --- POST /train --- */

/* A dry run, a rate finder, a check or an evaluation under way: it waits for a
 * worker on a thread of its own. */
struct rehearsal {
	struct run_task task;
	enum worker_task what;
	bool submits; /* the job, once the rehearsal has said nothing bad */
	struct api_request *request;
	const char *json, *id;
	struct err err;
	enum err_code rc;
};

static void run_dry(struct run_task *task)
{
	/* the task is the first member */
	struct rehearsal *dry = (struct rehearsal *)(void *)task;
	struct api_request *request = dry->request;
	const struct supervisor_rehearsal rehearsal = {
		.task = dry->what,
		.text = request->body,
		.len = request->body_len,
	};

	dry->rc =
	    dry->what == WORKER_EVALUATE
		? supervisor_evaluate(jobs_of(request)->supervisor,
				      request->param[0], request->arena,
				      &dry->json, &dry->err)
		: supervisor_rehearse(jobs_of(request)->supervisor, &rehearsal,
				      request->arena, &dry->json, &dry->err);
	if (!dry->rc && dry->submits)
		dry->rc = supervisor_submit(
		    jobs_of(request)->supervisor, request->body,
		    request->body_len, request->arena, &dry->id, &dry->err);
	api_finish(request);
}

static void answer_queued(struct api_request *request, const char *id)
{
	char *location = arena_printf(request->arena, "/jobs/%s", id);
	struct json_writer w;

	api_answer_json(request, 202, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "id", id);
	json_write_string(&w, "state", "queued");
	json_write_object_end(&w);
	if (location)
		api_answer_header(request, "Location", location);
}

static enum err_code answer_dry(struct api_request *request, struct err *err)
{
	const struct rehearsal *dry = request->state;
	struct json_writer w;

	if (dry->rc) {
		if (err)
			*err = dry->err;
		return dry->rc;
	}
	if (dry->submits) {
		answer_queued(request, dry->id);
		return ERR_NONE;
	}
	api_answer_json(request, 200, &w);
	json_write_raw(&w, NULL, dry->json, strlen(dry->json));
	return ERR_NONE;
}

static enum err_code begin_dry(struct api_request *request,
			       enum worker_task what, bool submits,
			       struct err *err)
{
	struct rehearsal *dry = arena_alloc(request->arena, sizeof(*dry));

	if (!dry)
		return err_set(err, ERR_NO_MEMORY, "dry run: out of memory");
	dry->task.run = run_dry;
	dry->what = what;
	dry->submits = submits;
	dry->request = request;
	request->state = dry;
	request->deadline_ns = CLOCK_FOREVER;
	api_suspend(request, answer_dry);
	(void)run_pool_schedule(jobs_of(request)->background, &dry->task, 0);
	return ERR_NONE;
}

static bool is_asked(const struct api_request *request, const char *what)
{
	const char *text = api_query(request, what);

	return text && !str_equal(text, "0");
}

enum err_code api_jobs_create(struct api_request *request, struct err *err)
{
	bool wants_check = false;
	const char *id;
	enum err_code rc = jobs_api_check(request, err);

	if (rc)
		return rc;
	if (is_asked(request, "dry_run"))
		return begin_dry(request, WORKER_DRY_RUN, false, err);
	if (is_asked(request, "lr_find"))
		return begin_dry(request, WORKER_LR_FIND, false, err);
	rc = supervisor_wants_check(request->body, request->body_len,
				    request->arena, &wants_check, err);
	if (!rc && wants_check)
		return begin_dry(request, WORKER_CHECK, true, err);
	if (!rc)
		rc = supervisor_submit(jobs_of(request)->supervisor,
				       request->body, request->body_len,
				       request->arena, &id, err);
	if (!rc)
		answer_queued(request, id);
	return rc;
}

enum err_code api_jobs_evaluate(struct api_request *request, struct err *err)
{
	enum err_code rc = jobs_api_check(request, err);

	return rc ? rc : begin_dry(request, WORKER_EVALUATE, false, err);
}

/* --- reading --- */

static enum err_code read_limit(struct api_request *request, size_t *ret,
				struct err *err)
{
	const char *text = api_query(request, "limit");
	uint64_t limit = PAGE_DEFAULT;

	if (text &&
	    (!str_parse_uint64(text, &limit) || limit < 1 || limit > PAGE_MAX))
		return err_set(err, ERR_INVALID,
			       "limit: expected a whole number from 1 to %d, "
			       "got '%.32s'",
			       (int)PAGE_MAX, text);
	*ret = (size_t)limit;
	return ERR_NONE;
}

static enum err_code check_state(const char *state, struct err *err)
{
	const char *names[JOB_STATE_COUNT + 1] = { NULL }, *near;

	if (!state || job_state_find(state) != JOB_STATE_COUNT)
		return ERR_NONE;
	for (size_t i = 0; i < JOB_STATE_COUNT; i++)
		names[i] = job_state_name((enum job_state)i);
	near = field_nearest(state, names);
	return err_set(err, ERR_INVALID, "state: a job is never '%.32s'%s%s%s",
		       state, near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

enum err_code api_jobs_list(struct api_request *request, struct err *err)
{
	struct store_job_query query = {
		.state = api_query(request, "state"),
		.after = api_query(request, "after"),
	};
	struct store_jobs jobs;
	struct json_writer w;
	enum err_code rc;

	rc = jobs_api_check(request, err);
	if (!rc)
		rc = read_limit(request, &query.limit, err);
	if (!rc)
		rc = check_state(query.state, err);
	if (!rc)
		rc = store_job_list(jobs_of(request)->store, &query,
				    request->arena, &jobs, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "jobs");
	for (size_t i = 0; i < jobs.n; i++)
		write_job(&w, &jobs.job[i], false, request);
	json_write_array_end(&w);
	write_text(&w, "next",
		   jobs.n == query.limit ? jobs.job[jobs.n - 1].id : NULL);
	json_write_object_end(&w);
	return ERR_NONE;
}

enum err_code api_jobs_show(struct api_request *request, struct err *err)
{
	struct store_job job;
	struct json_writer w;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	write_job(&w, &job, true, request);
	return ERR_NONE;
}

enum err_code api_jobs_events(struct api_request *request, struct err *err)
{
	const char *format = api_query(request, "format");
	const char *last = api_header(request, "Last-Event-ID");
	struct store_job job;
	int64_t after = 0;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (rc)
		return rc;
	if (!last)
		last = api_query(request, "after");
	if (last && (!str_parse_int64(last, &after) || after < 0))
		return err_set(
		    err, ERR_INVALID,
		    "Last-Event-ID: expected the number of an event, "
		    "got '%.32s'",
		    last);
	if (format && !str_equal(format, "ndjson") && !str_equal(format, "sse"))
		return err_set(err, ERR_INVALID,
			       "format: expected sse or ndjson, got '%.32s'",
			       format);
	return event_hub_answer(jobs_of(request)->hub, request, job.id, after,
				format && str_equal(format, "ndjson"), err);
}

/* --- curves --- */

static const struct doc *path_find(const struct doc *event, const char *outer,
				   const char *key)
{
	const struct doc *at = outer ? doc_find(event, outer) : event;

	return doc_find(at, key);
}

/* One column: the member `key` of each event, null where it is absent. */
static void write_column(struct json_writer *w, struct doc *const *events,
			 size_t n, const char *outer, const char *key)
{
	json_write_array(w, key);
	for (size_t i = 0; i < n; i++) {
		const struct doc *value = path_find(events[i], outer, key);

		if (value)
			json_write_doc(w, NULL, value);
		else
			json_write_null(w, NULL);
	}
	json_write_array_end(w);
}

struct parsed_events {
	struct doc **doc;
	size_t n;
};

/* Events of a type with a step of at least `since`; the step is a member of
 * `step_in`, or of the event itself. */
static enum err_code read_events(struct api_request *request, const char *type,
				 const char *step_in, int64_t since,
				 struct parsed_events *ret, struct err *err)
{
	const struct store_event_query query = { .job = request->param[0],
						 .type = type,
						 .limit = EVENTS_MAX };
	struct store_events events;
	enum err_code rc;

	rc = store_event_list(jobs_of(request)->store, &query, request->arena,
			      &events, err);
	if (rc)
		return rc;
	*ret = (struct parsed_events){ 0 };
	ret->doc =
	    arena_array(request->arena, events.n + 1, sizeof(struct doc *));
	if (!ret->doc)
		return err_set(err, ERR_NO_MEMORY, "metrics: out of memory");
	for (size_t i = 0; i < events.n && !rc; i++) {
		const char *json = events.event[i].json;
		const struct doc *step;

		rc = doc_parse_json(json, strlen(json), "event", request->arena,
				    &ret->doc[ret->n], err);
		step = rc ? NULL : path_find(ret->doc[ret->n], step_in, "step");
		if (step && step->integer >= since)
			ret->n++;
	}
	return rc;
}

/* What is watched: columns by group or layer, of the last evaluation's. */
static void write_watched(struct json_writer *w, struct doc *const *events,
			  size_t n, const char *what)
{
	const struct doc *watched = n ? doc_find(events[n - 1], what) : NULL;

	if (!watched)
		return;
	json_write_object(w, what);
	for (const struct doc *m = watched->first; m; m = m->next)
		write_column(w, events, n, what, m->key);
	json_write_object_end(w);
}

static void write_metric_columns(struct json_writer *w,
				 struct doc *const *events, size_t n)
{
	const struct doc *metrics =
	    n ? doc_find(events[n - 1], "metrics") : NULL;

	json_write_object(w, "eval");
	write_column(w, events, n, NULL, "epoch");
	write_column(w, events, n, NULL, "step");
	for (const struct doc *m = metrics ? metrics->first : NULL; m;
	     m = m->next)
		write_column(w, events, n, "metrics", m->key);
	write_watched(w, events, n, "update_ratio");
	write_watched(w, events, n, "dead_units");
	json_write_object_end(w);
}

enum err_code api_jobs_metrics(struct api_request *request, struct err *err)
{
	static const char *const latest[] = { "train_loss", "learning_rate",
					      "momentum", "grad_norm" };
	const char *text = api_query(request, "since_step");
	struct parsed_events evals, steps;
	struct store_job job;
	struct json_writer w;
	int64_t since = 0;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (rc)
		return rc;
	if (text && !str_parse_int64(text, &since))
		return err_set(err, ERR_INVALID,
			       "since_step: expected a whole number, got "
			       "'%.32s'",
			       text);
	rc = read_events(request, "eval", NULL, since, &evals, err);
	if (!rc)
		rc = read_events(request, "step", "progress", since, &steps,
				 err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	write_metric_columns(&w, evals.doc, evals.n);
	json_write_object(&w, "train");
	write_column(&w, steps.doc, steps.n, "progress", "step");
	for (size_t i = 0; i < sizeof(latest) / sizeof(latest[0]); i++)
		write_column(&w, steps.doc, steps.n, "latest", latest[i]);
	json_write_object_end(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}

/* --- orders --- */

static enum err_code give_order(struct api_request *request,
				enum err_code (*order)(struct supervisor *,
						       const char *,
						       struct err *),
				struct err *err)
{
	struct store_job job;
	struct json_writer w;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (!rc)
		rc =
		    order(jobs_of(request)->supervisor, request->param[0], err);
	if (!rc)
		rc = jobs_api_find(request, &job, err);
	if (rc)
		return rc;
	api_answer_json(request, 202, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "id", job.id);
	json_write_string(&w, "state", job.state);
	json_write_object_end(&w);
	return ERR_NONE;
}

enum err_code api_jobs_cancel(struct api_request *request, struct err *err)
{
	return give_order(request, supervisor_cancel, err);
}

enum err_code api_jobs_pause(struct api_request *request, struct err *err)
{
	return give_order(request, supervisor_pause, err);
}

enum err_code api_jobs_resume(struct api_request *request, struct err *err)
{
	return give_order(request, supervisor_resume, err);
}

enum err_code api_jobs_save(struct api_request *request, struct err *err)
{
	return give_order(request, supervisor_checkpoint, err);
}

enum err_code api_jobs_delete(struct api_request *request, struct err *err)
{
	enum err_code rc = jobs_api_check(request, err);

	if (!rc)
		rc = supervisor_delete(jobs_of(request)->supervisor,
				       request->param[0], err);

	if (!rc)
		api_answer_empty(request, 204);
	return rc;
}
