/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The worker's words and events, through pipes; it runs in a thread here.
 */
#include "training/worker.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/supervisor.h"

#define DATA                                                        \
	"\"data\":{\"source\":\"synthetic\",\"rows\":200},"         \
	"\"input_features\":[{\"name\":\"x\",\"type\":\"image\","   \
	"\"shape\":[1,8,8]}],\"output_features\":[{\"name\":\"y\"," \
	"\"type\":\"category\",\"num_classes\":4}]"
#define JOB                                                    \
	DATA ",\"model\":{\"layers\":[{\"type\":\"flatten\"}," \
	     "{\"type\":\"linear\",\"out_features\":16},"      \
	     "{\"type\":\"relu\"},{\"type\":\"linear\",\"out_features\":4}]}"
#define SHORT "{" JOB ",\"trainer\":{\"epochs\":3}}"
#define LONG                                                        \
	"{" JOB ",\"trainer\":{\"epochs\":1000000,\"checkpoint\":{" \
	"\"every_n_epochs\":0,\"every_n_seconds\":0}}}"

enum { ARENA = 64 << 20, LINES = 100000, WAIT_MS = 20000 };

struct bench {
	char dir[64], repository[80];
	struct arena *arena;
	struct worker_options options;
	unsigned long fail_at; /* the write that finds a full disk; 0: none */
	int say_fd, hear_fd;
	pthread_t thread;
	char *heard; /* all of it so far */
	size_t n_heard, cap;
	struct doc *event[LINES];
	size_t n_events;
	size_t taken; /* bytes of `heard` that are events */
};

static void begin(struct bench *b, const char *spec)
{
	char path[128];

	(void)snprintf(b->dir, sizeof(b->dir), "/dev/shm/predictd-XXXXXX");
	if (!mkdtemp(b->dir)) {
		(void)snprintf(b->dir, sizeof(b->dir), "/tmp/predictd-XXXXXX");
		cr_assert(mkdtemp(b->dir));
	}
	(void)snprintf(path, sizeof(path), "%s/spec.json", b->dir);
	cr_assert_eq(file_write_atomic(path, spec, strlen(spec), NULL),
		     ERR_NONE);
	b->arena = arena_create((size_t)1 << 30);
	b->options = (struct worker_options){ .job_dir = b->dir, .threads = 1 };
}

static void *run(void *arg)
{
	struct bench *b = arg;

	file_fail_at(b->fail_at, ENOSPC); /* of this thread */
	cr_expect_eq(worker_main(&b->options), 0);
	(void)close(b->options.out_fd);
	return NULL;
}

static void start(struct bench *b)
{
	int in[2], out[2];

	b->n_heard = b->n_events = b->taken = 0;
	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	b->options.in_fd = in[0];
	b->say_fd = in[1];
	b->hear_fd = out[0];
	b->options.out_fd = out[1];
	cr_assert_eq(pthread_create(&b->thread, NULL, run, b), 0);
}

/* Whole lines become events. */
static void split_lines(struct bench *b)
{
	struct err err = { 0 };
	char *end;

	while (
	    (end = memchr(b->heard + b->taken, '\n', b->n_heard - b->taken))) {
		char *line = b->heard + b->taken;

		cr_assert_lt(b->n_events, LINES);
		cr_assert_eq(doc_parse_json(line, (size_t)(end - line), "line",
					    b->arena, &b->event[b->n_events++],
					    &err),
			     ERR_NONE, "%s", err.msg);
		b->taken = (size_t)(end - b->heard) + 1;
	}
}

/* False at the end. */
static bool hear(struct bench *b)
{
	struct pollfd fd = { b->hear_fd, POLLIN, 0 };
	ssize_t got;

	if (b->cap - b->n_heard < 65536) {
		b->cap = b->cap * 2 + 131072;
		b->heard = mem_resize(b->heard, b->cap, 1);
		cr_assert(b->heard);
	}
	cr_assert_gt(poll(&fd, 1, WAIT_MS), 0, "the worker is silent");
	got = read(b->hear_fd, b->heard + b->n_heard, b->cap - b->n_heard);
	cr_assert_geq(got, 0);
	b->n_heard += (size_t)got;
	split_lines(b);
	return got > 0;
}

static const char *text(const struct doc *doc, const char *key)
{
	const struct doc *member = doc_find(doc, key);

	return member && member->kind == DOC_STRING ? member->text : NULL;
}

/* The n-th event of a type, from 0, or NULL. */
static const struct doc *find(const struct bench *b, const char *type, int n)
{
	for (size_t i = 0; i < b->n_events; i++) {
		if (str_equal(text(b->event[i], "type"), type) && n-- == 0)
			return b->event[i];
	}
	return NULL;
}

static void await(struct bench *b, const char *type)
{
	while (!find(b, type, 0))
		cr_assert(hear(b), "it ended without '%s'", type);
}

static void say(struct bench *b, const char *words)
{
	cr_assert_eq(write(b->say_fd, words, strlen(words)),
		     (ssize_t)strlen(words));
}

/* Hears it out; the last event must be done. */
static const struct doc *end_of(struct bench *b)
{
	while (hear(b))
		;
	(void)pthread_join(b->thread, NULL);
	(void)close(b->say_fd);
	(void)close(b->hear_fd);
	(void)close(b->options.in_fd);
	cr_assert_gt(b->n_events, 0);
	cr_assert_str_eq(text(b->event[b->n_events - 1], "type"), "done");
	cr_assert_null(find(b, "done", 1));
	return b->event[b->n_events - 1];
}

static void finish(struct bench *b)
{
	cr_assert_eq(file_remove_tree(b->dir, NULL), ERR_NONE);
	mem_free(b->heard);
	arena_destroy(b->arena);
	mem_free(b);
}

static struct bench *bench(const char *spec)
{
	struct bench *b = mem_zero(sizeof(*b));

	cr_assert(b);
	begin(b, spec);
	return b;
}

static bool has_file(const struct bench *b, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	return access(path, R_OK) == 0;
}

Test(worker, tells_its_story_in_order)
{
	static const char *const story[] = { "validating", "preparing",
					     "running", "stopping" };
	struct bench *b = bench(SHORT);
	const struct doc *done, *metrics;
	int64_t before = 0;
	int n_states = 0;

	start(b);
	done = end_of(b);
	for (size_t i = 0; i < b->n_events; i++) {
		if (!str_equal(text(b->event[i], "type"), "state"))
			continue;
		cr_assert_lt(n_states, 4);
		cr_expect_str_eq(text(b->event[i], "state"), story[n_states++]);
	}
	cr_expect_eq(n_states, 4);
	for (int i = 0; i < 3; i++) {
		const struct doc *eval = find(b, "eval", i);

		cr_assert(eval && find(b, "step", i));
		cr_expect_eq(doc_find(eval, "epoch")->integer, i + 1);
		cr_expect_gt(doc_find(eval, "step")->integer, before);
		before = doc_find(eval, "step")->integer;
		cr_expect(doc_find(doc_find(eval, "metrics"), "valid_loss"));
		cr_expect_str_eq(text(find(b, "checkpoint", i), "path") + 5 +
				     11,
				 arena_printf(b->arena, "%d", 3 * (i + 1)));
	}
	cr_expect_str_eq(text(done, "state"), "succeeded");
	cr_expect_str_eq(text(done, "stop_reason"), "completed");
	metrics = doc_find(doc_find(done, "result"), "metrics");
	cr_expect(doc_find(metrics, "test_accuracy"));
	cr_expect_eq(doc_find(doc_find(done, "result"), "step")->integer, 9);
	cr_expect(has_file(b, "artifacts/model.onnx"));
	cr_expect(has_file(b, "artifacts/model.yaml"));
	cr_expect(has_file(b, "artifacts/config.resolved.json"));
	cr_expect(has_file(b, "artifacts/evaluation.json"));
	cr_expect(has_file(b, "artifacts/metrics.csv"));
	cr_expect(has_file(b, "artifacts/curves.svg"));
	cr_expect(has_file(b, "artifacts/model_card.md"));
	finish(b);
}

/* The same with any word; sent when it runs. */
static const struct doc *run_until(struct bench *b, const char *word,
				   int64_t *ret_ms)
{
	int64_t begin_ns;
	const struct doc *done;

	start(b);
	await(b, "step");
	begin_ns = clock_monotonic_ns();
	say(b, word);
	done = end_of(b);
	*ret_ms = (clock_monotonic_ns() - begin_ns) / 1000000;
	return done;
}

Test(worker, obeys_within_two_seconds)
{
	static const struct {
		const char *words, *state;
		bool saves;
	} rows[] = {
		{ "cancel\n", "cancelled", false },
		{ "pause\n", "paused", true },
		{ "stop\n", "interrupted", true },
		{ "pause\ncancel\n", "cancelled", false },
		{ "what\n\ncancel now\n"
		  "a word that is longer than any order can be\n"
		  "pause\n",
		  "paused", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench(LONG);
		int64_t ms;
		const struct doc *done = run_until(b, rows[i].words, &ms);

		cr_expect_str_eq(text(done, "state"), rows[i].state);
		cr_expect_str_eq(text(done, "stop_reason"), rows[i].state);
		cr_expect_lt(ms, 2000, "%s: %lld ms", rows[i].words,
			     (long long)ms);
		if (rows[i].saves)
			cr_expect(find(b, "checkpoint", 0), "%s",
				  rows[i].words);
		cr_expect_not(has_file(b, "artifacts/model.onnx"));
		finish(b);
	}
}

Test(worker, the_end_of_its_input_is_an_order_to_stop)
{
	struct bench *b = bench(LONG);
	const struct doc *done;

	start(b);
	await(b, "step");
	(void)close(b->say_fd);
	done = end_of(b);
	cr_expect_str_eq(text(done, "state"), "interrupted");
	cr_expect(find(b, "checkpoint", 0));
	finish(b);
}

/* At some write or other it is the model's. */
Test(worker, a_disk_that_is_full_at_the_end_fails_the_job)
{
	bool has_failed = false;

	for (unsigned long at = 1; at < 200; at += 7) {
		struct bench *b = bench(SHORT);
		const struct doc *done;

		b->fail_at = at;
		start(b);
		done = end_of(b);
		if (str_equal(text(done, "state"), "failed")) {
			has_failed = true;
			cr_expect_str_eq(text(done, "stop_reason"), "no_space");
			cr_expect(strstr(text(done, "error"), "No space left"),
				  "%s", text(done, "error"));
			/* epochs of 3 steps */
			cr_expect(has_file(b, "ckpt-000000000009"));
		}
		finish(b);
	}
	cr_expect(has_failed);
}

Test(worker, a_lost_folder_fails_the_job_and_says_so)
{
	struct bench *b = bench(LONG);
	const struct doc *done;

	start(b);
	await(b, "step");
	cr_assert_eq(file_remove_tree(b->dir, NULL), ERR_NONE);
	say(b, "checkpoint\n");
	done = end_of(b);
	cr_expect_str_eq(text(done, "state"), "failed");
	cr_expect_str_eq(text(done, "stop_reason"), "io_error");
	cr_expect(strstr(text(done, "error"), "is lost"), "%s",
		  text(done, "error"));
	cr_expect_not(has_file(b, ""));
	finish(b);
}

Test(worker, a_checkpoint_is_saved_on_demand_each_time)
{
	struct bench *b = bench(LONG);
	const struct doc *done;

	start(b);
	await(b, "step");
	say(b, "checkpoint\n");
	await(b, "checkpoint");
	say(b, "checkpoint\n");
	while (!find(b, "checkpoint", 1))
		cr_assert(hear(b));
	say(b, "cancel\n");
	done = end_of(b);
	cr_expect_str_eq(text(done, "state"), "cancelled");
	cr_expect_gt(doc_find(find(b, "checkpoint", 1), "step")->integer,
		     doc_find(find(b, "checkpoint", 0), "step")->integer);
	finish(b);
}

Test(worker, a_paused_job_goes_on_where_it_was)
{
	struct bench *b = bench("{" JOB ",\"trainer\":{\"epochs\":400}}");
	const struct doc *done;
	int64_t paused_at, ms;

	done = run_until(b, "pause\n", &ms);
	if (str_equal(text(done, "state"), "succeeded"))
		cr_skip_test("it ended before it could be paused");
	paused_at = doc_find(find(b, "checkpoint", 0), "step")->integer;
	cr_expect_gt(paused_at, 0);
	start(b);
	done = end_of(b);
	cr_expect_str_eq(text(done, "state"), "succeeded");
	cr_expect_geq(doc_find(find(b, "eval", 0), "step")->integer, paused_at);
	finish(b);
}

/* A picture and its label, of which the training rows are counted. */
static void check_report(const struct doc *features)
{
	const struct doc *label = features->first->next;
	int64_t rows = 0;

	cr_assert_eq(features->n, 2);
	cr_expect_eq(doc_find(features->first, "missing")->integer, 0);
	cr_expect_str_eq(text(label, "type"), "category");
	cr_expect_eq(doc_find(label, "n_classes")->integer, 4);
	for (const struct doc *at = doc_find(label, "classes")->first; at;
	     at = at->next)
		rows += at->integer;
	cr_expect_eq(rows, 160);
	cr_expect_eq(doc_find(label, "invalid")->integer, 0);
}

Test(worker, a_dry_run_tells_layers_and_parameters)
{
	struct bench *b = bench(SHORT);
	const struct doc *done, *result, *layer;

	b->options.task = WORKER_DRY_RUN;
	start(b);
	done = end_of(b);
	result = doc_find(done, "result");
	cr_assert(result);
	cr_expect_eq(doc_find(result, "parameters")->integer,
		     64 * 16 + 16 + 16 * 4 + 4);
	cr_expect_eq(doc_find(result, "layers")->n, 4);
	layer = doc_find(result, "layers")->first->next;
	cr_expect_str_eq(text(layer, "type"), "linear");
	cr_expect_eq(doc_find(layer, "parameters")->integer, 64 * 16 + 16);
	cr_expect_eq(doc_find(layer, "output_shape")->first->integer, 16);
	cr_expect_eq(doc_find(doc_find(result, "data"), "train_rows")->integer,
		     160);
	check_report(doc_find(doc_find(result, "data"), "features"));
	cr_expect_gt(doc_find(result, "seconds_per_epoch")->number, 0);
	cr_expect_gt(doc_find(result, "predicted_peak_bytes")->integer, 0);
	cr_expect_not(has_file(b, "artifacts"));
	cr_expect_null(find(b, "checkpoint", 0));
	finish(b);
}

Test(worker, jobs_that_may_not_run_are_tried_before_they_are_taken)
{
#define ROWS                                          \
	"data: {source: synthetic}\n"                 \
	"input_features: [{name: x, type: number}]\n" \
	"output_features: [{name: y, type: number}]\n"
	static const struct {
		const char *job;
		bool wants;
	} table[] = {
		{ ROWS "model: {type: mlp}\n", false },
		{ ROWS "model: {type: mlp}\nresources: {memory_limit: 1GiB}\n",
		  true },
		{ ROWS "model: {onnx: m}\n", true },
		{ ROWS "base_model: m\n", true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct arena *arena = arena_create(64 << 20);
		struct err err = { 0 };
		bool wants = false;

		cr_assert_eq(supervisor_wants_check(table[i].job,
						    strlen(table[i].job), arena,
						    &wants, &err),
			     ERR_NONE, "%s", err.msg);
		cr_expect_eq(wants, table[i].wants, "%s", table[i].job);
		arena_destroy(arena);
	}
#undef ROWS
}

Test(worker, the_rate_finder_tells_its_curve)
{
	struct bench *b = bench(SHORT);
	const struct doc *done, *result, *suggestions;

	b->options.task = WORKER_LR_FIND;
	start(b);
	done = end_of(b);
	result = doc_find(done, "result");
	cr_assert(result);
	cr_expect_gt(doc_find(result, "rate")->n, 50);
	cr_expect_eq(doc_find(result, "loss")->n, doc_find(result, "rate")->n);
	suggestions = doc_find(result, "suggestions");
	cr_expect_gt(doc_find(suggestions, "valley")->number, 1e-7);
	cr_expect_gt(doc_find(suggestions, "middle")->number, 1e-7);
	cr_expect_eq(doc_find(result, "learning_rate")->number,
		     doc_find(suggestions, "middle")->number);
	cr_expect_gt(doc_find(suggestions, "steep")->number, 1e-7);
	cr_expect_not(has_file(b, "artifacts"));
	finish(b);
}

Test(worker, what_is_wrong_is_told_as_a_failed_job)
{
	static const struct {
		const char *spec, *reason, *says;
	} rows[] = {
		{ "not a job", "bad_data", "must be a map" },
		{ "{}", "bad_data", "'data' is missing" },
		{ "{" JOB ",\"trainer\":{\"epoch\":1}}", "bad_data",
		  "did you mean 'epochs'?" },
		{ "{\"data\":{\"source\":\"path:/nowhere\"},"
		  "\"input_features\":[{\"name\":\"x\",\"type\":\"number\"}],"
		  "\"output_features\":[{\"name\":\"y\",\"type\":\"number\"}],"
		  "\"model\":{\"type\":\"mlp\"}}",
		  "bad_data", "not beneath a data root" },
		{ "{\"data\":{\"source\":\"synthetic\"},"
		  "\"input_features\":[{\"name\":\"x\",\"type\":\"number\"}],"
		  "\"output_features\":[{\"name\":\"y\",\"type\":\"number\"}],"
		  "\"model\":{\"type\":\"mpl\"}}",
		  "bad_data", "did you mean 'mlp'?" },
		{ "{" JOB ",\"trainer\":{\"learning_rate\":1e30}}", "nan",
		  "not finite" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench(rows[i].spec);
		const struct doc *done;

		start(b);
		done = end_of(b);
		cr_expect_str_eq(text(done, "state"), "failed");
		cr_expect_str_eq(text(done, "stop_reason"), rows[i].reason);
		cr_expect(strstr(text(done, "error"), rows[i].says), "%s",
			  text(done, "error"));
		finish(b);
	}
}

Test(worker, a_step_tells_what_is_best_and_what_it_takes)
{
	struct bench *b = bench(SHORT);
	const struct doc *step, *best, *resources;
	int last = 0;

	start(b);
	(void)end_of(b);
	while (find(b, "step", last + 1))
		last++;
	step = find(b, "step", last);
	cr_assert(step);
	cr_expect_str_eq(text(step, "diagnosis"), "ok");
	best = doc_find(step, "best");
	cr_assert(best);
	cr_expect_str_eq(text(best, "metric"), "valid_loss");
	cr_expect_gt(doc_find(best, "step")->integer, 0);
	cr_expect(doc_find(best, "value"));
	cr_expect_eq(
	    strlen(text(doc_find(step, "progress"), "estimated_finish")), 24);
	resources = doc_find(step, "resources");
	cr_assert(resources);
	cr_expect_gt(doc_find(resources, "rss")->integer, 1 << 20);
	cr_expect_geq(doc_find(resources, "peak_rss")->integer, 1 << 20);
	cr_expect(doc_find(resources, "cpu_seconds"));
	finish(b);
}

Test(worker, a_model_is_published_once_and_only_when_it_is_good)
{
	struct bench *b = bench(
	    "{" JOB ",\"trainer\":{\"epochs\":2},\"publish\":{\"model\":"
	    "\"m\",\"when\":\"valid_loss < 100\",\"set_default\":false}}");
	const struct doc *published;

	(void)snprintf(b->repository, sizeof(b->repository), "%s/models",
		       b->dir);
	cr_assert_eq(file_make_dirs(b->repository, NULL), ERR_NONE);
	b->options.model_repository = b->repository;
	/* the second time its last word was not heard: the same version */
	for (int i = 0; i < 2; i++) {
		start(b);
		cr_expect_str_eq(text(end_of(b), "state"), "succeeded");
		published = find(b, "published", 0);
		cr_assert(published);
		cr_expect_str_eq(text(published, "model"), "m");
		cr_expect_eq(doc_find(published, "version")->integer, 1);
		cr_expect_not(doc_find(published, "set_default")->boolean);
		cr_expect(has_file(b, "models/m/1/model.onnx"));
		cr_expect(has_file(b, "models/m/1/manifest.json"));
		cr_expect_not(has_file(b, "models/m/2"));
	}
	finish(b);
	b = bench("{" JOB ",\"trainer\":{\"epochs\":1},\"publish\":{"
		  "\"model\":\"m\",\"when\":\"valid_accuracy > 1\"}}");
	(void)snprintf(b->repository, sizeof(b->repository), "%s/models",
		       b->dir);
	cr_assert_eq(file_make_dirs(b->repository, NULL), ERR_NONE);
	b->options.model_repository = b->repository;
	start(b);
	cr_expect_str_eq(text(end_of(b), "state"), "succeeded");
	cr_expect_null(find(b, "published", 0));
	cr_expect_str_eq(text(find(b, "warning", 0), "code"), "not_published");
	cr_expect(
	    strstr(text(find(b, "warning", 0), "message"), "does not hold"));
	cr_expect_not(has_file(b, "models/m"));
	finish(b);
}

/* The same data and epochs go on from published weights. */
Test(worker, a_published_model_is_trained_further)
{
	static const char *const models[] = {
		"\"model\":{\"layers\":[{\"type\":\"flatten\"},{\"type\":"
		"\"linear\",\"out_features\":4}]}",
		"\"model\":{\"onnx\":\"m\"}",
		"\"model\":{\"onnx\":\"m/"
		"1\",\"replace_head\":{\"dropout\":0.1}}",
	};
	double loss[3];
	char spec[1024], dir[80] = "";

	for (int i = 0; i < 3; i++) {
		struct bench *b;
		const struct doc *metrics;

		(void)snprintf(spec, sizeof(spec),
			       "{" DATA ",%s,\"trainer\":{\"epochs\":20},"
			       "\"publish\":{\"model\":\"m\"}}",
			       models[i]);
		b = bench(spec);
		if (!i)
			(void)snprintf(dir, sizeof(dir), "%s-models", b->dir);
		cr_assert_eq(file_make_dirs(dir, NULL), ERR_NONE);
		b->options.model_repository = dir;
		start(b);
		metrics = doc_find(doc_find(end_of(b), "result"), "metrics");
		cr_assert(metrics, "%s", spec);
		loss[i] = doc_find(metrics, "train_loss")->number;
		cr_expect_eq(
		    doc_find(find(b, "published", 0), "version")->integer,
		    i + 1);
		finish(b);
	}
	cr_expect_lt(loss[1], loss[0] * 0.9);
	cr_expect_gt(loss[2], loss[1], "a new head begins anew");
	cr_assert_eq(file_remove_tree(dir, NULL), ERR_NONE);
}
