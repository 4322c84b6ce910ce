/* SPDX-License-Identifier: Apache-2.0 */
/* What jobs left, over HTTP. */
#include <criterion/criterion.h>

#include "server/api_jobs.h"
#include "store/store.h"
#include "tests/api/loopback.h"
#include "training/supervisor.h"

/* A server with one job, which no worker takes. */
struct trained {
	struct loopback loopback;
	struct jobs_api jobs;
	char folder[80], repository[80];
};

static void begin(struct trained *t)
{
	const struct store_job job = {
		.id = "j1", .name = "j", .state = "queued", .spec_json = "{}"
	};
	struct scratch *scratch = &t->loopback.scratch;
	struct supervisor_options options = { .program = "/bin/false" };
	struct err err;

	loopback_begin(&t->loopback);
	cr_assert_eq(store_create(scratch_path(scratch, "state.db"),
				  &t->jobs.store, &err),
		     ERR_NONE, "%s", err.msg);
	(void)snprintf(t->folder, sizeof(t->folder), "%s/jobs", scratch->path);
	options.store = t->jobs.store;
	options.jobs_dir = t->folder;
	(void)snprintf(t->repository, sizeof(t->repository), "%s/repository",
		       scratch->path);
	options.model_repository = t->repository;
	cr_assert_eq(supervisor_create(&options, &t->jobs.supervisor, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(store_job_insert(t->jobs.store, &job, &err), ERR_NONE,
		     "%s", err.msg);
	t->loopback.context.jobs = &t->jobs;
}

static void end(struct trained *t)
{
	supervisor_destroy(t->jobs.supervisor);
	store_destroy(t->jobs.store);
	loopback_end(&t->loopback);
}

static void expect_is(const struct loopback *l, const char *body)
{
	cr_assert_eq(l->status, 200, "%d: %s", l->status, l->body);
	cr_expect_str_eq(l->body, body);
}

Test(api_jobs, tells_which_files_a_job_made)
{
	struct trained t = { 0 };
	struct loopback *l = &t.loopback;
	struct scratch *scratch = &l->scratch;
	char link[128];

	begin(&t);
	loopback_get(l, "/jobs/j1/artifacts");
	expect_is(l, "{\"artifacts\":[]}");
	scratch_dir(scratch, "jobs/j1/artifacts/folder");
	scratch_file(scratch, "jobs/j1/artifacts/model.onnx", "abc", 3);
	scratch_file(scratch, "jobs/j1/artifacts/card.md", "", 0);
	scratch_file(scratch, "jobs/j1/artifacts/.tmp-1", "half", 4);
	(void)snprintf(link, sizeof(link), "%s/j1/artifacts/out.json",
		       t.folder);
	cr_assert_eq(symlink("/etc/passwd", link), 0);
	loopback_get(l, "/jobs/j1/artifacts");
	expect_is(l, "{\"artifacts\":[{\"name\":\"card.md\",\"bytes\":0,"
		     "\"media_type\":\"text/markdown\"},"
		     "{\"name\":\"model.onnx\",\"bytes\":3,\"media_type\":"
		     "\"application/octet-stream\"}]}");
	loopback_get(l, "/jobs/j1/artifacts/model.onnx");
	expect_is(l, "abc");
	loopback_get(l, "/jobs/j1/artifacts/out.json");
	loopback_expect_error(l, 404, "no artifact 'out.json'");
	loopback_get(l, "/jobs/j2/artifacts");
	loopback_expect_error(l, 404, "j2");
	end(&t);
}

Test(api_jobs, tells_which_checkpoints_there_are)
{
	struct trained t = { 0 };
	struct loopback *l = &t.loopback;

	begin(&t);
	loopback_get(l, "/jobs/j1/checkpoints");
	expect_is(l, "{\"checkpoints\":[]}");
	scratch_dir(&l->scratch, "jobs/j1/ckpt-000000000040");
	scratch_dir(&l->scratch, "jobs/j1/artifacts");
	loopback_get(l, "/jobs/j1/checkpoints");
	expect_is(l, "{\"checkpoints\":[{\"name\":\"ckpt-000000000040\","
		     "\"step\":40}]}");
	end(&t);
}

Test(api_jobs, a_version_that_is_there_is_refused_before_the_job_trains)
{
	static const char job[] = "data: {source: synthetic}\n"
				  "input_features: [{name: x, type: number}]\n"
				  "output_features: [{name: y, type: number}]\n"
				  "model: {type: mlp}\n"
				  "publish: {model: m, version: 3}\n";
	struct trained t = { 0 };
	struct loopback *l = &t.loopback;

	begin(&t);
	scratch_dir(&l->scratch, "repository/m/2");
	loopback_post(l, "/train", job);
	cr_expect_eq(l->status, 202, "%d: %s", l->status, l->body);
	scratch_dir(&l->scratch, "repository/m/3");
	loopback_post(l, "/train", job);
	loopback_expect_error(l, 409, "model 'm' has a version 3 already");
	end(&t);
}
