/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The supervisor with workers that behave, and with those that do not: a
 * script (fake_worker) speaks their part. A plain main, so that it can run
 * under ThreadSanitizer.
 */
#include "training/supervisor.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "store/store.h"

#define CHECK(what, ...)                                                \
	do {                                                            \
		if (!(what)) {                                          \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
			fprintf(stderr, __VA_ARGS__);                   \
			fprintf(stderr, "\n");                          \
			exit(1);                                        \
		}                                                       \
	} while (0)

enum { ARENA = 256 << 20, EVENTS = 1000, WAIT_MS = 30000, ID = 64 };
/* what is promised, and time to look */
enum { CANCEL_MS = 2000 };

struct bench {
	char dir[64];
	struct store *store;
	struct supervisor *supervisor;
	struct supervisor_options options;
	atomic_int n_events, n_published;
	enum err_code publish_rc;
	struct err err;
};

static void take_event(void *ctx, const char *job_id, int64_t seq,
		       const char *type, const char *json)
{
	struct bench *b = ctx;

	CHECK(*job_id && seq > 0 && *type && *json, "an event is empty");
	atomic_fetch_add(&b->n_events, 1);
}

static enum err_code take_published(void *ctx, const char *model,
				    int64_t version, bool set_default,
				    struct err *err)
{
	struct bench *b = ctx;

	CHECK(str_equal(model, "m") && version == 4 && set_default,
	      "published %s %lld", model, (long long)version);
	atomic_fetch_add(&b->n_published, 1);
	return b->publish_rc ? err_set(err, b->publish_rc, "it is broken")
			     : ERR_NONE;
}

static void open_supervisor(struct bench *b)
{
	CHECK(!supervisor_create(&b->options, &b->supervisor, &b->err), "%s",
	      b->err.msg);
	CHECK(!supervisor_start(b->supervisor, &b->err), "%s", b->err.msg);
}

static void begin(struct bench *b, unsigned max_workers)
{
	static char jobs[96];
	char path[96];

	*b = (struct bench){ .publish_rc = ERR_NONE };
	(void)snprintf(b->dir, sizeof(b->dir), "/dev/shm/predictd-XXXXXX");
	if (!mkdtemp(b->dir)) {
		(void)snprintf(b->dir, sizeof(b->dir), "/tmp/predictd-XXXXXX");
		CHECK(mkdtemp(b->dir), "no folder");
	}
	(void)snprintf(path, sizeof(path), "%s/state.db", b->dir);
	(void)snprintf(jobs, sizeof(jobs), "%s/jobs", b->dir);
	CHECK(!store_create(path, &b->store, &b->err), "%s", b->err.msg);
	b->options = (struct supervisor_options){
		.store = b->store,
		.jobs_dir = jobs,
		.program = PREDICTD_FAKE_WORKER,
		.threads = 1,
		.max_workers = max_workers,
		.hooks = { b, take_event, take_published },
	};
	open_supervisor(b);
}

static void end(struct bench *b)
{
	supervisor_destroy(b->supervisor);
	store_destroy(b->store);
	CHECK(!file_remove_tree(b->dir, &b->err), "%s", b->err.msg);
}

static void submit(struct bench *b, const char *name, int priority,
		   char ret_id[ID])
{
	struct arena *arena = arena_create(ARENA);
	const char *id;
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "name: %s\ndata: {source: synthetic}\n"
		       "input_features: [{name: x, type: number}]\n"
		       "output_features: [{name: y, type: number}]\n"
		       "model: {type: mlp}\nresources: {priority: %d}\n",
		       name, priority);
	CHECK(!supervisor_submit(b->supervisor, text, strlen(text), arena, &id,
				 &b->err),
	      "%s", b->err.msg);
	(void)str_copy(ret_id, ID, id);
	arena_destroy(arena);
}

/* A member of the job, as it is stored now. */
static struct store_job look(struct bench *b, const char *id,
			     struct arena *arena)
{
	struct store_job job;

	CHECK(!store_job_find(b->store, id, arena, &job, &b->err), "%s",
	      b->err.msg);
	return job;
}

static void await(struct bench *b, const char *id, const char *state)
{
	int64_t deadline = clock_deadline_ns(WAIT_MS);

	for (;;) {
		struct arena *arena = arena_create(ARENA);
		struct store_job job = look(b, id, arena);
		bool is = str_equal(job.state, state);

		CHECK(is || clock_monotonic_ns() < deadline,
		      "'%s' (%s) is %s (%s, %s), not %s", id, job.name,
		      job.state, job.stop_reason ? job.stop_reason : "",
		      job.error ? job.error : "", state);
		arena_destroy(arena);
		if (is)
			return;
		clock_sleep_ms(5);
	}
}

/* Events are numbered from 1 without a hole, and the last is as given. */
static void check_events(struct bench *b, const char *id, const char *last)
{
	struct arena *arena = arena_create(ARENA);
	int64_t after = 0;
	const char *type = "";

	for (;;) {
		const struct store_event_query query = { .job = id,
							 .after = after,
							 .limit = EVENTS };
		struct store_events events;

		CHECK(!store_event_list(b->store, &query, arena, &events,
					&b->err),
		      "%s", b->err.msg);
		for (size_t i = 0; i < events.n; i++) {
			struct doc *doc;

			CHECK(events.event[i].seq == ++after,
			      "'%s': event %lld is missing", id,
			      (long long)after);
			type = events.event[i].type;
			CHECK(!doc_parse_json(events.event[i].json,
					      strlen(events.event[i].json),
					      "event", arena, &doc, &b->err),
			      "%s", b->err.msg);
		}
		if (events.n < EVENTS)
			break;
	}
	CHECK(!last || str_equal(type, last), "'%s' ends with %s, not %s", id,
	      type, last);
	arena_destroy(arena);
}

static void expect(struct bench *b, const char *id, const char *reason,
		   const char *error)
{
	struct arena *arena = arena_create(ARENA);
	struct store_job job = look(b, id, arena);

	CHECK(str_equal(job.stop_reason, reason),
	      "'%s' (%s): reason %s, not %s", id, job.name,
	      job.stop_reason ? job.stop_reason : "none",
	      reason ? reason : "none");
	CHECK(error ? job.error && strstr(job.error, error) : !job.error,
	      "'%s' (%s): error '%s', not '%s'", id, job.name,
	      job.error ? job.error : "", error ? error : "");
	arena_destroy(arena);
	check_events(b, id, "done");
}

/* --- tests --- */

static void workers_end_in_many_ways(void)
{
	static const struct {
		const char *name, *state, *reason, *error;
	} rows[] = {
		{ "good", "succeeded", "completed", NULL },
		{ "publishes", "succeeded", "completed", NULL },
		{ "publishes_badly", "failed", "completed",
		  "'published' names no version" },
		{ "crash", "failed", "internal", "ended with status 3" },
		{ "crash_once", "succeeded", "completed", NULL },
		{ "says_more", "succeeded", "completed", NULL },
		{ "bad_done", "failed", "because",
		  "last word was not understood" },
		{ "no_newline", "failed", "internal", "ended with status 0" },
		{ "garbage", "succeeded", "completed", NULL },
		{ "done_hangs", "succeeded", "completed", NULL },
		{ "good", "succeeded", "completed", NULL },
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	struct bench b;
	char id[N][ID];

	begin(&b, 2);
	for (int i = 0; i < N; i++)
		submit(&b, rows[i].name, 0, id[i]);
	for (int i = 0; i < N; i++) {
		await(&b, id[i], rows[i].state);
		expect(&b, id[i], rows[i].reason, rows[i].error);
	}
	CHECK(b.n_published == 1, "published %d times", b.n_published);
	end(&b);
}

static void a_version_that_does_not_answer_fails_its_job(void)
{
	struct arena *arena = arena_create(ARENA);
	struct store_version *versions;
	struct bench b;
	char id[ID];
	size_t n;

	begin(&b, 1);
	b.publish_rc = ERR_FORMAT;
	submit(&b, "publishes", 0, id);
	await(&b, id, "failed");
	expect(&b, id, "completed",
	       "version 4 of 'm' was published but does not answer: it is "
	       "broken");
	CHECK(!store_version_list(b.store, "m", arena, &versions, &n, &b.err),
	      "%s", b.err.msg);
	CHECK(n == 1 && !versions[0].is_default,
	      "what does not answer is the default");
	arena_destroy(arena);
	end(&b);
}

static void orders_are_obeyed(void)
{
	struct bench b;
	char id[ID];

	begin(&b, 1);
	submit(&b, "obeys", 0, id);
	await(&b, id, "running");
	CHECK(supervisor_delete(b.supervisor, id, &b.err) == ERR_CONFLICT,
	      "a running job was deleted");
	CHECK(supervisor_resume(b.supervisor, id, &b.err) == ERR_CONFLICT &&
		  strstr(b.err.msg, "is running and cannot be resumed"),
	      "%s", b.err.msg);
	CHECK(!supervisor_checkpoint(b.supervisor, id, &b.err), "%s",
	      b.err.msg);
	CHECK(!supervisor_pause(b.supervisor, id, &b.err), "%s", b.err.msg);
	await(&b, id, "paused");
	CHECK(supervisor_pause(b.supervisor, id, &b.err) == ERR_CONFLICT,
	      "paused twice");
	CHECK(supervisor_checkpoint(b.supervisor, id, &b.err) == ERR_CONFLICT,
	      "a paused job saves");
	/* at once: its worker may be on its way out */
	CHECK(!supervisor_resume(b.supervisor, id, &b.err), "%s", b.err.msg);
	await(&b, id, "running");
	CHECK(!supervisor_pause(b.supervisor, id, &b.err), "%s", b.err.msg);
	await(&b, id, "paused");
	CHECK(!supervisor_cancel(b.supervisor, id, &b.err), "%s", b.err.msg);
	await(&b, id, "cancelled");
	expect(&b, id, "cancelled", NULL);
	CHECK(supervisor_cancel(b.supervisor, id, &b.err) == ERR_CONFLICT &&
		  strstr(b.err.msg, "is cancelled and cannot be cancelled"),
	      "%s", b.err.msg);
	CHECK(!supervisor_delete(b.supervisor, id, &b.err), "%s", b.err.msg);
	CHECK(supervisor_delete(b.supervisor, id, &b.err) == ERR_NOT_FOUND,
	      "deleted twice");
	CHECK(supervisor_cancel(b.supervisor, "job_none", &b.err) ==
		  ERR_NOT_FOUND,
	      "cancelled nothing");
	end(&b);
}

/* Whether the worker listens or not: within 2 s. */
static void a_cancel_takes_effect_in_time(void)
{
	static const char *const names[] = { "obeys", "hangs", "floods" };
	struct bench b;

	begin(&b, 1);
	for (int i = 0; i < 3; i++) {
		char id[ID];
		int64_t start;

		submit(&b, names[i], 0, id);
		await(&b, id, "running");
		clock_sleep_ms(200);
		start = clock_monotonic_ns();
		CHECK(!supervisor_cancel(b.supervisor, id, &b.err), "%s",
		      b.err.msg);
		await(&b, id, "cancelled");
		start = (clock_monotonic_ns() - start) / 1000000;
		CHECK(start < CANCEL_MS, "%s: %lld ms", names[i],
		      (long long)start);
		expect(&b, id, "cancelled", NULL);
	}
	end(&b);
}

/* It is killed, and that three times is enough. */
static void a_worker_that_closes_its_output_is_given_up(void)
{
	struct bench b;
	char id[ID];

	begin(&b, 1);
	submit(&b, "closes", 0, id);
	await(&b, id, "failed");
	expect(&b, id, "internal", "killed by signal 9");
	end(&b);
}

static void the_queue_is_ordered_by_priority_and_age(void)
{
	static const int priority[] = { 0, 0, 5, -1, 5 };
	static const int order[] = { 0, 2, 4, 1, 3 }; /* 0 runs already */
	struct arena *arena = arena_create(ARENA);
	struct bench b;
	char id[5][ID];
	int64_t before = 0;

	begin(&b, 1);
	submit(&b, "obeys", priority[0], id[0]);
	await(&b, id[0], "running");
	for (int i = 1; i < 5; i++) {
		clock_sleep_ms(2);
		submit(&b, "good", priority[i], id[i]);
	}
	CHECK(!supervisor_cancel(b.supervisor, id[0], &b.err), "%s", b.err.msg);
	for (int i = 1; i < 5; i++) {
		struct store_job job;

		await(&b, id[order[i]], "succeeded");
		job = look(&b, id[order[i]], arena);
		CHECK(job.started_ms >= before, "job %d came early", order[i]);
		before = job.finished_ms;
	}
	arena_destroy(arena);
	end(&b);
}

static void what_is_queued_can_be_paused_and_cancelled(void)
{
	struct bench b;
	char id[3][ID];

	begin(&b, 1);
	for (int i = 0; i < 3; i++)
		submit(&b, "obeys", 0, id[i]);
	await(&b, id[0], "running");
	CHECK(!supervisor_pause(b.supervisor, id[1], &b.err), "%s", b.err.msg);
	await(&b, id[1], "paused");
	CHECK(!supervisor_cancel(b.supervisor, id[2], &b.err), "%s", b.err.msg);
	await(&b, id[2], "cancelled");
	CHECK(!supervisor_cancel(b.supervisor, id[0], &b.err), "%s", b.err.msg);
	await(&b, id[0], "cancelled");
	CHECK(!supervisor_resume(b.supervisor, id[1], &b.err), "%s", b.err.msg);
	await(&b, id[1], "running");
	end(&b);
}

static void a_new_supervisor_goes_on_where_the_last_one_ended(void)
{
	struct bench b;
	char id[3][ID];
	struct arena *arena = arena_create(ARENA);
	struct store_job job;

	begin(&b, 2);
	submit(&b, "obeys", 0, id[0]);
	submit(&b, "hangs", 0, id[1]);
	submit(&b, "good", 0, id[2]);
	await(&b, id[0], "running");
	await(&b, id[1], "running");
	/* "hangs" does not hear of the end: make that short */
	CHECK(!supervisor_cancel(b.supervisor, id[1], &b.err), "%s", b.err.msg);
	supervisor_destroy(b.supervisor);
	await(&b, id[0], "queued");
	await(&b, id[1], "cancelled");
	/* as a daemon that was killed leaves it */
	job = look(&b, id[0], arena);
	job.state = "running";
	CHECK(!store_job_update(b.store, &job, NULL, NULL, &b.err), "%s",
	      b.err.msg);
	open_supervisor(&b);
	await(&b, id[2], "succeeded");
	await(&b, id[0], "running");
	CHECK(!supervisor_cancel(b.supervisor, id[0], &b.err), "%s", b.err.msg);
	await(&b, id[0], "cancelled");
	check_events(&b, id[0], "done");
	arena_destroy(arena);
	end(&b);
}

static void a_dry_run_answers_or_says_why_not(void)
{
	static const char good[] =
	    "{\"name\":\"good\",\"data\":{\"source\":\"synthetic\"},"
	    "\"input_features\":[{\"name\":\"x\",\"type\":\"number\"}],"
	    "\"output_features\":[{\"name\":\"y\",\"type\":\"number\"}],"
	    "\"model\":{\"type\":\"mlp\"}}";
	struct arena *arena = arena_create(ARENA);
	struct bench b;
	const char *json, **names;
	size_t n;
	const char *crash;

	begin(&b, 1);
	CHECK(!supervisor_rehearse(b.supervisor,
				   &(struct supervisor_rehearsal){
				       WORKER_DRY_RUN, good, strlen(good) },
				   arena, &json, &b.err),
	      "%s", b.err.msg);
	CHECK(strstr(json, "\"parameters\":12") &&
		  strstr(json, "\"spec\":{\"name\":\"good\""),
	      "%s", json);
	crash = arena_printf(arena, "{\"name\":\"crash\",%s",
			     strstr(good, "\"data\""));
	CHECK(supervisor_rehearse(b.supervisor,
				  &(struct supervisor_rehearsal){
				      WORKER_DRY_RUN, crash, strlen(crash) },
				  arena, &json, &b.err) == ERR_INTERNAL,
	      "a crash gave an answer");
	CHECK(supervisor_rehearse(
		  b.supervisor,
		  &(struct supervisor_rehearsal){ WORKER_DRY_RUN, "{}", 2 },
		  arena, &json, &b.err) == ERR_INVALID,
	      "an empty job ran dry");
	CHECK(!file_list_dir(b.options.jobs_dir, 100, arena, &names, &n,
			     &b.err) &&
		  n == 0,
	      "%zu folders are left", n);
	arena_destroy(arena);
	end(&b);
}

static void a_program_that_cannot_start_fails_the_job(void)
{
	struct bench b;
	char id[ID];

	begin(&b, 1);
	supervisor_destroy(b.supervisor);
	b.options.program = "/nowhere/predictd";
	open_supervisor(&b);
	submit(&b, "good", 0, id);
	await(&b, id, "failed");
	expect(&b, id, "internal", "/nowhere/predictd");
	end(&b);
}

/* --- many hands --- */

struct hand {
	struct bench *bench;
	uint64_t seed;
};

enum { HANDS = 4, ROUNDS = 12 };

static void *play(void *arg)
{
	static const char *const names[] = { "good", "obeys", "crash_once",
					     "says_more", "publishes" };
	struct hand *hand = arg;
	struct bench *b = hand->bench;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		struct rng rng = { .seed = hand->seed };
		char id[ID];
		struct err err = { 0 };
		enum err_code rc = ERR_NONE;

		submit(b, names[rng_below(rng, 2 * i, 5)],
		       (int)rng_below(rng, 2 * i + 1, 3), id);
		for (int turn = 0; turn < 8; turn++) {
			clock_sleep_ms((int64_t)rng_below(
			    rng, 1000 + 10 * i + (uint64_t)turn, 20));
			switch (
			    rng_below(rng, 5000 + 10 * i + (uint64_t)turn, 5)) {
			case 0:
				rc = supervisor_pause(b->supervisor, id, &err);
				break;
			case 1:
				rc = supervisor_resume(b->supervisor, id, &err);
				break;
			case 2:
				rc = supervisor_checkpoint(b->supervisor, id,
							   &err);
				break;
			case 3:
				rc = supervisor_cancel(b->supervisor, id, &err);
				break;
			default:
				rc = supervisor_delete(b->supervisor, id, &err);
			}
			CHECK(rc == ERR_NONE || rc == ERR_CONFLICT ||
				  rc == ERR_NOT_FOUND,
			      "%s", err.msg);
		}
	}
	return NULL;
}

static void many_hands_leave_every_job_in_order(void)
{
	struct arena *arena = arena_create(ARENA);
	struct hand hand[HANDS];
	pthread_t thread[HANDS];
	struct store_jobs jobs;
	struct bench b;

	begin(&b, 3);
	for (int i = 0; i < HANDS; i++) {
		hand[i] = (struct hand){ &b, (uint64_t)i };
		CHECK(!pthread_create(&thread[i], NULL, play, &hand[i]),
		      "no thread");
	}
	for (int i = 0; i < HANDS; i++)
		(void)pthread_join(thread[i], NULL);
	supervisor_destroy(b.supervisor);
	b.supervisor = NULL;
	CHECK(!store_job_list(b.store,
			      &(struct store_job_query){ .limit = 1000 }, arena,
			      &jobs, &b.err),
	      "%s", b.err.msg);
	for (size_t i = 0; i < jobs.n; i++) {
		const char *state = jobs.job[i].state;

		check_events(&b, jobs.job[i].id, NULL);
		CHECK(str_equal(state, "succeeded") ||
			  str_equal(state, "cancelled") ||
			  str_equal(state, "paused") ||
			  str_equal(state, "queued"),
		      "a job was left %s", state);
	}
	CHECK(b.n_events > HANDS * ROUNDS, "%d events", b.n_events);
	arena_destroy(arena);
	end(&b);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
#define TEST(function) { #function, function }
		TEST(workers_end_in_many_ways),
		TEST(a_version_that_does_not_answer_fails_its_job),
		TEST(orders_are_obeyed),
		TEST(a_cancel_takes_effect_in_time),
		TEST(a_worker_that_closes_its_output_is_given_up),
		TEST(the_queue_is_ordered_by_priority_and_age),
		TEST(what_is_queued_can_be_paused_and_cancelled),
		TEST(a_new_supervisor_goes_on_where_the_last_one_ended),
		TEST(a_dry_run_answers_or_says_why_not),
		TEST(a_program_that_cannot_start_fails_the_job),
		TEST(many_hands_leave_every_job_in_order),
#undef TEST
	};

	(void)signal(SIGPIPE, SIG_IGN);
	doc_init();
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int64_t start = clock_monotonic_ns();

		tests[i].run();
		printf("%s: %lld ms\n", tests[i].name,
		       (long long)((clock_monotonic_ns() - start) / 1000000));
		(void)fflush(stdout);
	}
	return 0;
}
