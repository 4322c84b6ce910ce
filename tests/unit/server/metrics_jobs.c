/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_jobs.h"

#include <criterion/criterion.h>

#include "base/file.h"
#include "store/store.h"

static void put(struct store *store, const char *id, const char *state,
		const char *progress)
{
	struct store_job job = { .id = id,
				 .name = "a \"job\"",
				 .state = "queued",
				 .spec_json = "{}",
				 .created_ms = 1 };
	int64_t seq;

	cr_assert_eq(store_job_insert(store, &job, NULL), ERR_NONE);
	job.state = state;
	job.progress_json = progress;
	cr_assert_eq(store_job_update(store, &job, NULL, &seq, NULL), ERR_NONE);
}

Test(metrics_jobs, a_job_has_series_while_it_runs)
{
	char folder[] = "/tmp/predictd-test-XXXXXX", path[64];
	struct arena *arena = arena_create(1 << 20);
	struct store *store;
	struct buf buf;

	cr_assert(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/state.db", folder);
	cr_assert_eq(store_create(path, &store, NULL), ERR_NONE);
	put(store, "j1", "running",
	    "{\"progress\":{\"percent\":50,\"epoch\":2},"
	    "\"latest\":{\"train_loss\":0.25,\"learning_rate\":null}}");
	put(store, "j2", "running", NULL);
	put(store, "j3", "queued", NULL);
	put(store, "j4", "succeeded", "{\"progress\":{\"percent\":100}}");
	buf_init(&buf, 1 << 16);
	metrics_jobs_write(store, arena, &buf);
	cr_assert(strstr(buf.data, "\npredictd_jobs{state=\"running\"} 2.0\n"));
	cr_assert(strstr(buf.data, "\npredictd_jobs{state=\"queued\"} 1.0\n"));
	cr_assert(strstr(buf.data, "\npredictd_jobs{state=\"paused\"} 0.0\n"));
	cr_assert(strstr(buf.data,
			 "\npredictd_job_train_loss{job=\"j1\",name=\"a "
			 "\\\"job\\\"\"} 0.25\n"));
	cr_assert(strstr(buf.data, "\npredictd_job_progress_percent{"));
	cr_assert_null(strstr(buf.data, "predictd_job_learning_rate{"));
	cr_assert_null(strstr(buf.data, "j2"));
	cr_assert_null(strstr(buf.data, "j4"));
	buf_finish(&buf);
	store_destroy(store);
	arena_destroy(arena);
	cr_assert_eq(file_remove_tree(folder, NULL), ERR_NONE);
}
