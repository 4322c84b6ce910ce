/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/json_write.h"
#include "base/str.h"
#include "training/supervisor_priv.h"

enum { LINE_ARENA = 128 << 20, STOP_MS = 20000, POLL_MS = 500 };
enum { EXIT_MS = 2000, EXIT_POLL_MS = 10, LINES_A_TURN = 64 };
enum { RECOVER_PAGE = 8, RECOVER_MS = 5000 };
/* a worker that crashes, or is killed, without getting further */
enum { CRASHES_MAX = 3, KILLS_MAX = 100, RETRY_MS = 100, RETRY_MAX_MS = 5000 };

/* --- what a worker says --- */

static const char *text_of(const struct doc *doc, const char *key)
{
	const struct doc *member = doc_find(doc, key);

	return member && member->kind == DOC_STRING ? member->text : NULL;
}

static enum err_code take_state(struct supervisor *supervisor,
				struct store_job *job, const struct doc *event,
				struct err *err)
{
	enum job_state state = job_state_find(text_of(event, "state"));

	if (!job_state_has_worker(state))
		return err_set(err, ERR_FORMAT,
			       "the worker said a state that "
			       "is not its own");
	if (str_equal(job->state, job_state_name(state)))
		return ERR_NONE; /* said at the start already */
	return supervisor_set_state(supervisor, job, state, err);
}

static enum err_code take_published(struct supervisor *supervisor,
				    struct store_job *job,
				    const struct doc *event, const char *line,
				    struct err *err)
{
	const struct supervisor_hooks *hooks = &supervisor->options.hooks;
	const struct doc *version = doc_find(event, "version");
	const struct doc *set_default = doc_find(event, "set_default");
	struct store_version row = { .state = "ready", .job_id = job->id };
	enum err_code rc = ERR_NONE;

	row.model = text_of(event, "model");
	if (!row.model || !version || version->kind != DOC_INT)
		return err_set(err, ERR_FORMAT,
			       "the worker's 'published' names no version");
	row.version = version->integer;
	row.created_ms = clock_realtime_ms();
	rc = store_version_put(supervisor->store, &row, err);
	/* only what answers becomes the default */
	row.is_default = !set_default || set_default->boolean;
	if (!rc && hooks->published)
		rc = hooks->published(hooks->ctx, row.model, row.version,
				      row.is_default, err);
	if (!rc && row.is_default)
		rc = store_version_put(supervisor->store, &row, err);
	if (rc) {
		(void)err_prefix(err,
				 "version %lld of '%s' was published but does "
				 "not answer",
				 (long long)row.version, row.model);
		return rc;
	}
	job->published_model = row.model;
	job->published_version = row.version;
	job->error = NULL; /* of an earlier attempt */
	return supervisor_tell(supervisor, job, "published", line, err);
}

/* Kept with the job: its "done" then makes it failed. */
static enum err_code keep_publish_fault(struct supervisor *supervisor,
					struct store_job *job, struct err *err)
{
	struct json_writer writer;
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, 16384);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	json_write_string(&writer, "type", "warning");
	json_write_string(&writer, "code", "publish_failed");
	json_write_string(&writer, "message", err->msg);
	json_write_object_end(&writer);
	job->error = err->msg;
	rc = buf_check(&buf, "a warning", NULL);
	if (!rc)
		rc =
		    supervisor_tell(supervisor, job, "warning", buf.data, NULL);
	buf_finish(&buf);
	return rc;
}

/* A line, parsed. */
struct said {
	const struct doc *event;
	struct arena *arena;
};

static void set_done(struct supervisor *supervisor, struct place *place,
		     bool has_said_done)
{
	(void)pthread_mutex_lock(&supervisor->lock);
	place->has_said_done = has_said_done;
	if (has_said_done && !place->kill_ns)
		place->kill_ns = clock_deadline_ns(EXIT_MS);
	(void)pthread_mutex_unlock(&supervisor->lock);
}

static bool is_cancelled(struct supervisor *supervisor,
			 const struct place *place)
{
	bool is;

	(void)pthread_mutex_lock(&supervisor->lock);
	is = place->is_cancelled;
	(void)pthread_mutex_unlock(&supervisor->lock);
	return is;
}

/* What done says, unless a cancel came first. */
static enum job_state end_state(const struct store_job *job,
				const struct doc *event, bool is_cancelled)
{
	enum job_state state = job_state_find(text_of(event, "state"));

	if (job->error || (!job_state_is_over(state) && state != JOB_PAUSED &&
			   state != JOB_INTERRUPTED))
		state = JOB_FAILED;
	return is_cancelled && state != JOB_SUCCEEDED ? JOB_CANCELLED : state;
}

/* The job's end, or its rest. */
static enum err_code take_done(struct supervisor *supervisor,
			       struct place *place, struct store_job *job,
			       const struct said *said, struct err *err)
{
	const struct doc *event = said->event;
	const struct doc *result = doc_find(event, "result");
	/* where publishing failed, job->error says so */
	enum job_state state =
	    end_state(job, event, is_cancelled(supervisor, place));
	struct json_writer writer;
	struct buf buf;
	enum err_code rc;

	if (!job->error)
		job->error = text_of(event, "error");
	if (!job->error && state == JOB_FAILED)
		job->error = "the worker's last word was not understood";
	job->stop_reason = text_of(event, "stop_reason");
	if (state == JOB_CANCELLED)
		job->stop_reason = "cancelled";
	if (result) {
		buf_init(&buf, LINE_ARENA);
		json_write_init(&writer, &buf);
		json_write_doc(&writer, NULL, result);
		job->result_json =
		    arena_strndup(said->arena, buf.data, buf.len);
		buf_finish(&buf);
	}
	set_done(supervisor, place, true);
	rc = supervisor_set_state(supervisor, job, state, err);
	if (!rc && state == JOB_INTERRUPTED)
		rc = supervisor_set_state(supervisor, job, JOB_QUEUED, err);
	if (rc) /* its exit will be a death */
		set_done(supervisor, place, false);
	return rc;
}

static enum err_code take_event(struct supervisor *supervisor,
				struct place *place, const char *line,
				struct arena *arena, struct err *err)
{
	struct store_job job;
	struct doc *event;
	const char *type;
	enum err_code rc;

	rc = doc_parse_json(line, strlen(line), "worker", arena, &event, err);
	if (!rc)
		rc = store_job_find(supervisor->store, place->id, arena, &job,
				    err);
	if (rc)
		return rc;
	type = text_of(event, "type");
	if (str_equal(type, "state"))
		return take_state(supervisor, &job, event, err);
	if (str_equal(type, "done"))
		return take_done(supervisor, place, &job,
				 &(struct said){ event, arena }, err);
	if (str_equal(type, "published")) {
		rc = take_published(supervisor, &job, event, line, err);
		return rc ? keep_publish_fault(supervisor, &job, err) : rc;
	}
	if (str_equal(type, "checkpoint"))
		job.attempts = 0; /* it got further */
	if (str_equal(type, "step"))
		job.progress_json = line;
	return supervisor_tell(supervisor, &job, type ? type : "log", line,
			       err);
}

/* Of a worker that was cancelled only the last word counts. */
static bool counts(struct supervisor *supervisor, const struct place *place,
		   const char *line)
{
	return !is_cancelled(supervisor, place) ||
	       strstr(line, "\"type\":\"done\"");
}

/* Some lines, so that one worker does not hold up the others. A line that
 * cannot be taken is dropped: the worker's exit tells the rest. After "done"
 * nothing counts. */
static void take_lines(struct supervisor *supervisor, struct place *place)
{
	struct arena *arena = arena_create(LINE_ARENA);
	struct err err = { 0 };
	char *line = NULL;
	int n = 0;

	while (arena && !place->has_said_done && n < LINES_A_TURN &&
	       (line = process_line(&place->process))) {
		if (!counts(supervisor, place, line))
			continue;
		if (take_event(supervisor, place, line, arena, &err))
			err = (struct err){ 0 };
		arena_reset(arena);
		n++;
	}
	place->has_more = n == LINES_A_TURN;
	arena_destroy(arena);
}

/* --- a worker's end --- */

/* Libraries die of memory that they do not get. */
static const char *describe_end(const struct store_job *job, int status,
				struct arena *arena)
{
	bool has_limit = !strstr(job->spec_json, "\"memory_limit\":0");

	if (WIFSIGNALED(status))
		return arena_printf(
		    arena, "the worker was killed by signal %d (%s)%s",
		    WTERMSIG(status), sigdescr_np(WTERMSIG(status)),
		    WTERMSIG(status) == SIGKILL ? ", perhaps for its memory"
		    : has_limit ? ", perhaps at its memory_limit"
				: "");
	return arena_printf(arena, "the worker ended with status %d",
			    WEXITSTATUS(status));
}

/* It said no "done": interrupted and queued again, or failed for good. */
static enum err_code take_death(struct supervisor *supervisor,
				struct place *place, int status,
				struct arena *arena, struct err *err)
{
	bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
			  !place->is_late;
	struct store_job job;
	int64_t wait_ms;
	enum err_code rc;

	rc = store_job_find(supervisor->store, place->id, arena, &job, err);
	if (rc)
		return rc;
	if (place->is_cancelled) {
		job.stop_reason = "cancelled";
		return supervisor_set_state(supervisor, &job, JOB_CANCELLED,
					    err);
	}
	job.attempts += !supervisor->stop;
	if (job.attempts >= (was_killed ? KILLS_MAX : CRASHES_MAX)) {
		job.error = describe_end(&job, status, arena);
		job.stop_reason = "internal";
		return supervisor_set_state(supervisor, &job, JOB_FAILED, err);
	}
	wait_ms = RETRY_MS * job.attempts;
	supervisor->start_after_ns =
	    clock_deadline_ns(wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
	rc = supervisor_set_state(supervisor, &job, JOB_INTERRUPTED, err);
	if (!rc)
		rc = supervisor_set_state(supervisor, &job, JOB_QUEUED, err);
	return rc;
}

/* Its output has ended: it exits in a moment, or is killed. Under the lock. */
static void hush_place(struct place *place)
{
	place->is_silent = true;
	if (!place->kill_ns)
		place->kill_ns = clock_deadline_ns(EXIT_MS);
}

/* Frees the place when the worker has exited. Under the lock. */
static void end_place(struct supervisor *supervisor, struct place *place)
{
	struct arena *arena;
	int status;
	struct err err = { 0 };

	if (!process_try_finish(&place->process, &status))
		return;
	arena = arena_create(LINE_ARENA);
	if (!place->has_said_done &&
	    (!arena || take_death(supervisor, place, status, arena, &err)))
		supervisor->recover_ns = clock_deadline_ns(RECOVER_MS);
	arena_destroy(arena);
	*place = (struct place){ 0 };
}

/* --- starting --- */

static enum err_code start_job(struct supervisor *supervisor,
			       struct place *place, struct store_job *job,
			       struct arena *arena, struct err *err)
{
	const struct supervisor_options *o = &supervisor->options;
	struct process_options options = {
		.program = o->program,
		.job_dir = supervisor_job_dir(supervisor, job->id, arena),
		.model_repository = o->model_repository,
		.data_roots = o->data_roots,
		.n_data_roots = o->n_data_roots,
		.datasets = o->datasets,
		.threads = o->threads,
	};
	enum err_code rc;

	if (!options.job_dir)
		return err_set(err, ERR_NO_MEMORY, "jobs: out of memory");
	rc = process_start(&place->process, &options, err);
	if (rc)
		return rc;
	place->is_used = true;
	(void)str_copy(place->id, sizeof(place->id), job->id);
	if (!job->started_ms)
		job->started_ms = clock_realtime_ms();
	job->error = job->stop_reason = NULL;
	return supervisor_set_state(supervisor, job, JOB_VALIDATING, err);
}

static void fail_start(struct supervisor *supervisor, struct store_job *job,
		       const struct err *why)
{
	job->error = why->msg;
	job->stop_reason = "internal";
	if (supervisor_set_state(supervisor, job, JOB_FAILED, NULL))
		supervisor->start_after_ns = clock_deadline_ns(RETRY_MAX_MS);
}

/* Fills free places with the jobs that wait. Under the lock. */
static void start_jobs(struct supervisor *supervisor)
{
	struct arena *arena = arena_create(LINE_ARENA);
	unsigned max = supervisor->options.max_workers;

	if (clock_monotonic_ns() >= supervisor->start_after_ns)
		supervisor->start_after_ns = 0;
	for (unsigned i = 0; arena && i < max; i++) {
		struct place *place = &supervisor->place[i];
		struct store_job job;
		struct err err = { 0 };

		if (place->is_used || supervisor->start_after_ns)
			continue;
		if (store_job_next(supervisor->store, arena, &job, &err))
			break;
		/* its last worker is on its way out */
		if (supervisor_place(supervisor, job.id))
			break;
		if (start_job(supervisor, place, &job, arena, &err) &&
		    !place->is_used)
			fail_start(supervisor, &job, &err);
		arena_reset(arena);
	}
	arena_destroy(arena);
}

/* Jobs of a state that nobody works at are queued again. */
static void recover_state(struct supervisor *supervisor, enum job_state state,
			  struct arena *arena)
{
	struct store_job_query query = { .state = job_state_name(state),
					 .limit = RECOVER_PAGE };
	char last[JOB_ID_MAX];
	struct store_jobs jobs;

	do {
		jobs = (struct store_jobs){ 0 };
		if (store_job_list(supervisor->store, &query, arena, &jobs,
				   NULL)) {
			supervisor->recover_ns = clock_deadline_ns(RECOVER_MS);
			return;
		}
		for (size_t i = 0; i < jobs.n; i++) {
			struct store_job *job = &jobs.job[i];

			(void)str_copy(last, sizeof(last), job->id);
			query.after = last;
			if (supervisor_place(supervisor, job->id))
				continue;
			if (supervisor_set_state(supervisor, job,
						 JOB_INTERRUPTED, NULL) ||
			    supervisor_set_state(supervisor, job, JOB_QUEUED,
						 NULL))
				supervisor->recover_ns =
				    clock_deadline_ns(RECOVER_MS);
		}
		arena_reset(arena);
	} while (jobs.n == RECOVER_PAGE);
}

/* What an earlier process left at work, or what could not be written when a
 * worker died. Under the lock. */
static void recover(struct supervisor *supervisor)
{
	struct arena *arena = arena_create((size_t)RECOVER_PAGE * LINE_ARENA);

	supervisor->recover_ns = 0;
	for (int s = 0; arena && s < JOB_STATE_COUNT; s++) {
		enum job_state state = (enum job_state)s;

		if (job_state_has_worker(state) || state == JOB_INTERRUPTED)
			recover_state(supervisor, state, arena);
	}
	arena_destroy(arena);
}

/* --- the loop --- */

/* Workers that were told to end and did not. Under the lock. */
static void kill_late(struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ns();

	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		struct place *place = &supervisor->place[i];

		if (place->is_used && place->kill_ns && now >= place->kill_ns) {
			process_kill(&place->process);
			place->is_late = true;
		}
	}
}

/* Tells every worker to save and end. Under the lock; true when none is left.
 */
static bool wind_down(struct supervisor *supervisor)
{
	bool is_done = true;

	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		struct place *place = &supervisor->place[i];

		if (!place->is_used)
			continue;
		is_done = false;
		if (!place->kill_ns) {
			(void)process_say(&place->process, "stop");
			place->kill_ns = clock_deadline_ns(STOP_MS);
		}
	}
	return is_done;
}

static int wait_ms(const struct supervisor *supervisor)
{
	int64_t soonest = clock_deadline_ns(POLL_MS), now, left;

	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		const struct place *place = &supervisor->place[i];

		if (place->is_used && place->kill_ns &&
		    place->kill_ns < soonest)
			soonest = place->kill_ns;
		if (place->is_used && place->has_more)
			return 0;
		if (place->is_used && place->is_silent)
			return EXIT_POLL_MS;
	}
	if (supervisor->start_after_ns && supervisor->start_after_ns < soonest)
		soonest = supervisor->start_after_ns;
	if (supervisor->recover_ns && supervisor->recover_ns < soonest)
		soonest = supervisor->recover_ns;
	now = clock_monotonic_ns();
	left = (soonest - now) / 1000000 + 1;
	return left < 1 ? EXIT_POLL_MS : left > POLL_MS ? POLL_MS : (int)left;
}

static void wait_for_lines(struct supervisor *supervisor)
{
	struct pollfd fd[SUPERVISOR_MAX_WORKERS + 1];
	uint64_t count;
	nfds_t n = 0;
	int ms;

	fd[n++] = (struct pollfd){ supervisor->wake_fd, POLLIN, 0 };
	(void)pthread_mutex_lock(&supervisor->lock);
	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		const struct place *place = &supervisor->place[i];

		if (place->is_used && !place->is_at_end)
			fd[n++] =
			    (struct pollfd){ place->process.out_fd, POLLIN, 0 };
	}
	ms = wait_ms(supervisor);
	(void)pthread_mutex_unlock(&supervisor->lock);
	if (poll(fd, n, ms) > 0 && fd[0].revents)
		(void)!read(supervisor->wake_fd, &count, sizeof(count));
}

/* The places change on this thread only; the lock is for those who look. */
static void serve_place(struct supervisor *supervisor, struct place *place)
{
	if (!place->has_more && !place->is_at_end)
		place->is_at_end = !process_read(&place->process);
	if (!place->is_silent)
		take_lines(supervisor, place);
	if (!place->is_at_end || place->has_more)
		return;
	(void)pthread_mutex_lock(&supervisor->lock);
	hush_place(place);
	end_place(supervisor, place);
	(void)pthread_mutex_unlock(&supervisor->lock);
}

/* One turn. True when everything is over. */
static bool turn(struct supervisor *supervisor)
{
	bool is_over = false;

	for (int i = 0; i < SUPERVISOR_MAX_WORKERS; i++) {
		if (supervisor->place[i].is_used)
			serve_place(supervisor, &supervisor->place[i]);
	}
	(void)pthread_mutex_lock(&supervisor->lock);
	kill_late(supervisor);
	if (supervisor->recover_ns &&
	    clock_monotonic_ns() >= supervisor->recover_ns)
		recover(supervisor);
	if (supervisor->stop)
		is_over = wind_down(supervisor);
	else
		start_jobs(supervisor);
	(void)pthread_mutex_unlock(&supervisor->lock);
	return is_over;
}

void *supervisor_main(void *arg)
{
	struct supervisor *supervisor = arg;

	(void)pthread_setname_np(pthread_self(), "supervisor");
	(void)pthread_mutex_lock(&supervisor->lock);
	recover(supervisor);
	(void)pthread_mutex_unlock(&supervisor->lock);
	while (!turn(supervisor))
		wait_for_lines(supervisor);
	return NULL;
}
