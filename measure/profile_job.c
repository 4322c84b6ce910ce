/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/profile_job.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "measure/command.h"

enum { WARM_UP = 3, TOP = 30, TOP_MAX = 1 << 20 };
#define TEXT_MAX ((size_t)256 << 20)

static enum err_code run_alone(struct profile_job *job, struct err *err)
{
	const int64_t start = clock_monotonic_ns();
	enum err_code rc = job->run(job->data, err);

	return rc ? rc
		  : samples_add(&job->alone, clock_monotonic_ns() - start, err);
}

static enum err_code run_watched(struct profile_job *job, struct err *err)
{
	enum err_code rc;

	instance_observe(job->instance, &job->profile.observer);
	profile_begin(&job->profile);
	rc = job->run(job->data, err);
	if (!rc)
		rc = profile_end(&job->profile, err);
	instance_observe(job->instance, NULL);
	return rc;
}

static enum err_code measure(struct profile_job *job, struct err *err)
{
	struct profile *profile = &job->profile;
	int64_t deadline;
	enum err_code rc;

	rc = profile_init(instance_plan(job->instance), profile, err);
	for (int i = 0; i < WARM_UP && !rc; i++)
		rc = job->run(job->data, err);
	deadline = clock_deadline_ns((int64_t)(job->seconds * 1e3));
	while (!rc && profile->watched.n < PROFILE_RUNS_MAX &&
	       !samples_is_done(&profile->watched, deadline)) {
		rc = run_alone(job, err);
		if (!rc)
			rc = run_watched(job, err);
	}
	if (!rc)
		profile_close(profile);
	return rc;
}

static enum err_code write_trace(const struct profile_job *job,
				 const char *path, struct err *err)
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

static enum err_code print(const struct profile_view *view, bool as_json,
			   struct err *err)
{
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, TEXT_MAX);
	rc = as_json ? profile_write_json(view, &buf, err)
		     : profile_print(view, &buf, err);
	if (!rc)
		(void)fputs(buf.data, stdout);
	if (!rc && as_json)
		(void)putchar('\n');
	buf_finish(&buf);
	return rc;
}

enum err_code profile_job_run(struct profile_job *job, const struct args *args,
			      struct err *err)
{
	const char *trace = args_text(args, "trace", NULL);
	struct profile_view view = { .profile = &job->profile };
	int64_t top = TOP;
	enum err_code rc = args_int(args, "top", 0, TOP_MAX, &top, err);

	view.top = (size_t)top;
	if (!rc)
		rc = measure(job, err);
	if (!rc)
		view.alone = samples_summarize(&job->alone);
	if (!rc)
		rc = peak_measure(&view.peak, err);
	if (!rc && trace)
		rc = write_trace(job, trace, err);
	return rc ? rc : print(&view, args_has(args, "json"), err);
}

void profile_job_finish(struct profile_job *job)
{
	profile_finish(&job->profile);
	samples_finish(&job->alone);
}
