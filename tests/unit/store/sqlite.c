/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/store.h"

struct bench {
	char folder[64], path[96];
	struct arena *arena;
	struct store *store;
	struct err err;
};

static void begin(struct bench *b)
{
	*b = (struct bench){ .arena = arena_create(1 << 20) };
	(void)snprintf(b->folder, sizeof(b->folder),
		       "/tmp/predictd-test-XXXXXX");
	cr_assert(mkdtemp(b->folder));
	(void)snprintf(b->path, sizeof(b->path), "%s/state.db", b->folder);
	cr_assert_eq(store_create(b->path, &b->store, &b->err), ERR_NONE, "%s",
		     b->err.msg);
}

static void end(struct bench *b)
{
	store_destroy(b->store);
	cr_assert_eq(file_remove_tree(b->folder, NULL), ERR_NONE);
	arena_destroy(b->arena);
}

static void add(struct bench *b, const char *id, int64_t created_ms,
		int64_t priority)
{
	const struct store_job job = { .id = id,
				       .state = "queued",
				       .spec_json = "{}",
				       .created_ms = created_ms,
				       .priority = priority };

	cr_assert_eq(store_job_insert(b->store, &job, &b->err), ERR_NONE, "%s",
		     b->err.msg);
}

static enum err_code events_of(struct bench *b, int64_t after, const char *type,
			       struct store_event **ret, size_t *ret_n)
{
	const struct store_event_query query = { "a", after, type, 10 };
	struct store_events events = { 0 };
	enum err_code rc =
	    store_event_list(b->store, &query, b->arena, &events, &b->err);

	*ret = events.event;
	*ret_n = events.n;
	return rc;
}

static enum err_code jobs_of(struct bench *b, const char *state,
			     const char *after, struct store_job **ret,
			     size_t *ret_n)
{
	const struct store_job_query query = { state, after, 2 };
	struct store_jobs jobs = { 0 };
	enum err_code rc =
	    store_job_list(b->store, &query, b->arena, &jobs, &b->err);

	*ret = jobs.job;
	*ret_n = jobs.n;
	return rc;
}

Test(store, a_job_reads_back_after_a_restart)
{
	struct bench b;
	struct store_job job;

	begin(&b);
	add(&b, "a", 1, 0);
	store_destroy(b.store);
	cr_assert_eq(store_create(b.path, &b.store, &b.err), ERR_NONE);
	cr_assert_eq(store_job_find(b.store, "a", b.arena, &job, &b.err), 0);
	cr_assert_str_eq(job.state, "queued");
	cr_assert_null(job.error);
	cr_assert_eq(job.created_ms, 1);
	cr_assert_eq(store_job_find(b.store, "b", b.arena, &job, &b.err),
		     ERR_NOT_FOUND);
	cr_assert(strstr(b.err.msg, "'b'"), "%s", b.err.msg);
	cr_assert_neq(store_job_insert(b.store, &job, &b.err), ERR_NONE);
	end(&b);
}

Test(store, opening_a_file_that_has_its_tables_writes_nothing)
{
	char *before, *after;
	size_t n_before, n_after;
	struct bench b;

	begin(&b);
	store_destroy(b.store);
	cr_assert_eq(file_read_all(b.path, 1 << 20, &before, &n_before, NULL),
		     ERR_NONE);
	cr_assert_eq(store_create(b.path, &b.store, &b.err), ERR_NONE);
	store_destroy(b.store);
	/* SQLite counts the transactions that changed a file in it */
	cr_assert_eq(file_read_all(b.path, 1 << 20, &after, &n_after, NULL),
		     ERR_NONE);
	cr_assert_eq(n_before, n_after);
	cr_assert_eq(memcmp(before, after, n_before), 0);
	mem_free(before);
	mem_free(after);
	b.store = NULL;
	end(&b);
}

/* Whatever the clock says: many come within its millisecond, and it may be set
 * back. */
Test(store, the_next_job_is_the_first_that_came_of_the_highest_priority)
{
	struct bench b;
	struct store_job job;

	begin(&b);
	cr_assert_eq(store_job_next(b.store, b.arena, &job, &b.err),
		     ERR_NOT_FOUND);
	add(&b, "low", 1, 0);
	add(&b, "high-early", 2, 5);
	add(&b, "high-a", 2, 5);
	add(&b, "high-late", 1, 5);
	cr_assert_eq(store_job_next(b.store, b.arena, &job, &b.err), 0);
	cr_assert_str_eq(job.id, "high-early");
	job.state = "running";
	cr_assert_eq(store_job_update(b.store, &job, NULL, NULL, &b.err), 0);
	cr_assert_eq(store_job_next(b.store, b.arena, &job, &b.err), 0);
	cr_assert_str_eq(job.id, "high-a");
	end(&b);
}

Test(store, events_are_numbered_from_1_in_each_job)
{
	struct bench b;
	struct store_job job;
	struct store_event event = { .time_ms = 7,
				     .type = "state",
				     .json = "{\"x\":1}" };
	struct store_event *list;
	size_t n;
	int64_t seq;

	begin(&b);
	add(&b, "a", 1, 0);
	add(&b, "b", 1, 0);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(store_job_find(b.store, "a", b.arena, &job, NULL),
			     0);
		cr_assert_eq(
		    store_job_update(b.store, &job, &event, &seq, &b.err), 0);
		cr_assert_eq(seq, i);
	}
	job.id = "b";
	cr_assert_eq(store_job_update(b.store, &job, &event, &seq, NULL), 0);
	cr_assert_eq(seq, 1);
	cr_assert_eq(events_of(&b, 1, NULL, &list, &n), 0);
	cr_assert_eq(n, 2);
	cr_assert_eq(list[0].seq, 2);
	cr_assert_str_eq(list[1].json, "{\"x\":1}");
	cr_assert_eq(events_of(&b, 0, "eval", &list, &n), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(store_job_delete(b.store, "a", &b.err), 0);
	cr_assert_eq(events_of(&b, 0, NULL, &list, &n), 0);
	cr_assert_eq(n, 0);
	end(&b);
}

Test(store, a_list_is_paged_from_the_newest)
{
	struct bench b;
	struct store_job *list;
	size_t n;

	begin(&b);
	add(&b, "a", 1, 0);
	add(&b, "b", 2, 0);
	add(&b, "c", 2, 0);
	cr_assert_eq(jobs_of(&b, NULL, NULL, &list, &n), 0);
	cr_assert_eq(n, 2);
	cr_assert_str_eq(list[0].id, "c");
	cr_assert_eq(jobs_of(&b, NULL, list[1].id, &list, &n), 0);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(list[0].id, "a");
	cr_assert_eq(jobs_of(&b, "running", NULL, &list, &n), 0);
	cr_assert_eq(n, 0);
	end(&b);
}

Test(store, one_version_of_a_model_is_the_default)
{
	struct bench b;
	struct store_version v = { .model = "m",
				   .version = 1,
				   .state = "ready",
				   .is_default = true,
				   .created_ms = 1 };
	struct store_version *list;
	size_t n;

	begin(&b);
	cr_assert_eq(store_version_put(b.store, &v, &b.err), 0);
	v.version = 2;
	cr_assert_eq(store_version_put(b.store, &v, &b.err), 0);
	v.model = "other";
	cr_assert_eq(store_version_put(b.store, &v, &b.err), 0);
	cr_assert_eq(store_version_list(b.store, "m", b.arena, &list, &n, NULL),
		     0);
	cr_assert_eq(n, 2);
	cr_assert_not(list[0].is_default);
	cr_assert(list[1].is_default);
	end(&b);
}

Test(store, a_file_that_is_no_database_is_refused_by_name)
{
	struct bench b;
	struct store *store;

	begin(&b);
	(void)snprintf(b.path, sizeof(b.path), "%s/text", b.folder);
	cr_assert_eq(file_write_atomic(b.path, "no database at all, really no",
				       29, NULL),
		     0);
	cr_assert_neq(store_create(b.path, &store, &b.err), ERR_NONE);
	cr_assert(strstr(b.err.msg, "/text"), "%s", b.err.msg);
	end(&b);
}
