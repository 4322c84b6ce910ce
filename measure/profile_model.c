/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * profile-model: where the time of a run goes, step by step.
 *
 * Runs that somebody watches and runs that nobody does take turns, so that the
 * cost of watching shows and both meet the same neighbours.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "measure/command.h"
#include "measure/made_inputs.h"
#include "measure/profile_print.h"

enum { WARM_UP = 3, TOP = 30, TOP_MAX = 1 << 20 };
#define TEXT_MAX ((size_t)256 << 20)

struct job {
	struct trial trial;
	struct profile profile;
	struct samples alone;
	struct profile_view view;
	int64_t batch, threads, top;
	double seconds;
};

static enum err_code read_flags(const struct args *args, struct job *job,
				struct err *err)
{
	enum err_code rc;

	job->batch = job->threads = 1;
	job->seconds = 2;
	job->top = TOP;
	rc = args_int(args, "batch-size", 1, 1 << 20, &job->batch, err);
	if (!rc)
		rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS,
			      &job->threads, err);
	if (!rc)
		rc = args_double(args, "seconds", 0, 86400, &job->seconds, err);
	if (!rc)
		rc = args_int(args, "top", 0, TOP_MAX, &job->top, err);
	return rc;
}

static enum err_code run_alone(struct job *job, struct err *err)
{
	const int64_t start = clock_monotonic_ns();
	enum err_code rc = trial_run(&job->trial, err);

	return rc ? rc
		  : samples_add(&job->alone, clock_monotonic_ns() - start, err);
}

static enum err_code run_watched(struct job *job, struct err *err)
{
	enum err_code rc;

	instance_observe(job->trial.instance, &job->profile.observer);
	profile_begin(&job->profile);
	rc = trial_run(&job->trial, err);
	if (!rc)
		rc = profile_end(&job->profile, err);
	instance_observe(job->trial.instance, NULL);
	return rc;
}

static enum err_code measure(struct job *job, struct err *err)
{
	struct profile *profile = &job->profile;
	int64_t deadline;
	enum err_code rc;

	rc = profile_init(instance_plan(job->trial.instance), profile, err);
	for (int i = 0; i < WARM_UP && !rc; i++)
		rc = trial_run(&job->trial, err);
	deadline = clock_deadline_ns((int64_t)(job->seconds * 1e3));
	while (!rc && profile->watched.n < PROFILE_RUNS_MAX &&
	       !samples_is_done(&profile->watched, deadline)) {
		rc = run_alone(job, err);
		if (!rc)
			rc = run_watched(job, err);
	}
	if (rc)
		return rc;
	profile_close(profile);
	job->view = (struct profile_view){
		.profile = profile,
		.alone = samples_summarize(&job->alone),
		.top = (size_t)job->top,
	};
	return peak_measure(&job->view.peak, err);
}

static enum err_code write_trace(const struct job *job, const char *path,
				 struct err *err)
{
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, TEXT_MAX);
	rc = profile_write_trace(&job->profile, &buf, err);
	if (!rc)
		rc = file_write_atomic(path, buf.data, buf.len, err);
	buf_finish(&buf);
	return rc;
}

static enum err_code print(const struct job *job, bool as_json, struct err *err)
{
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, TEXT_MAX);
	rc = as_json ? profile_write_json(&job->view, &buf, err)
		     : profile_print(&job->view, &buf, err);
	if (!rc)
		(void)fputs(buf.data, stdout);
	if (!rc && as_json)
		(void)putchar('\n');
	buf_finish(&buf);
	return rc;
}

static enum err_code profile_model(const struct args *args, bool *ret_failed,
				   struct err *err)
{
	const char *trace = args_text(args, "trace", NULL);
	struct trial_options options = { .tunes = true };
	struct job job = { 0 };
	enum err_code rc;

	*ret_failed = false;
	rc = read_flags(args, &job, err);
	options.threads = (unsigned)job.threads;
	if (!rc)
		rc = trial_read_flags(args, &options, err);
	if (!rc)
		rc = trial_open(args->word[0], &options, &job.trial, err);
	if (!rc)
		rc = made_inputs_prepare(args, job.batch, &job.trial, err);
	if (!rc)
		rc = measure(&job, err);
	if (!rc && trace)
		rc = write_trace(&job, trace, err);
	if (!rc)
		rc = print(&job, args_has(args, "json"), err);
	profile_finish(&job.profile);
	samples_finish(&job.alone);
	trial_close(&job.trial);
	return rc;
}

static const struct args_flag flags[] = {
	{ "batch-size", "N", "first extent of every input, where open (1)" },
	{ "threads", "T", "threads that share a run (1)" },
	{ "seconds", "S", "how long to measure; at least 5 runs (2)" },
	{ "input-shape", "NAME:AxBxC", "shape of one input; may repeat" },
	TRIAL_FLAGS,
	{ "trace", "FILE", "write the last run as trace events there" },
	{ "top", "N", "the N dearest steps only (30)" },
	{ "json", NULL, "one JSON object, with every step" },
	{ 0 },
};

const struct measure_command measure_profile_model = {
	.name = "profile-model",
	.usage = "FILE.onnx [--batch-size N] [--threads T] [--seconds S] "
		 "[--input-shape NAME:AxBxC ...] " TRIAL_USAGE " "
		 "[--trace FILE] [--top N] [--json]",
	.help = "Tells where the time of a run goes: steps, operators, "
		"kernels.",
	.flags = flags,
	.n_words = 1,
	.run = profile_model,
};
