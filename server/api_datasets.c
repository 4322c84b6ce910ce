/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_datasets.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/api_jobs_priv.h"
#include "server/run_pool.h"
#include "server/server_priv.h"
#include "store/store.h"
#include "training/datasets.h"
#include "training/job.h"

enum { JOBS_MAX = 10000, SHA256_BYTES = 32, DIGEST_MAX = 256 };

/* An upload or a removal, which wait for the disk. */
struct change {
	struct run_task task;
	struct api_request *request;
	struct dataset_upload *upload;
	const char *bytes; /* to be written */
	size_t len;
	const char *want_sha256; /* NULL: nobody says */
	bool is_replaced;
	enum err_code rc;
	struct err err;
};

static struct jobs_api *jobs_of(const struct api_request *request)
{
	return request->context->jobs;
}

static enum err_code check(const struct api_request *request, struct err *err)
{
	enum err_code rc = jobs_api_check(request, err);

	if (!rc && !jobs_of(request)->datasets)
		rc =
		    err_set(err, ERR_NOT_FOUND, "this server takes no uploads");
	return rc;
}

/* --- who reads it --- */

static bool reads(const struct store_job *job, const char *source,
		  struct arena *arena)
{
	struct doc *spec;
	const struct doc *found;

	if (doc_parse_json(job->spec_json, strlen(job->spec_json), "job", arena,
			   &spec, NULL))
		return false;
	found = doc_find(doc_find(spec, "data"), "source");
	return found && found->kind == DOC_STRING &&
	       str_equal(found->text, source);
}

/* A job that is not over may yet read it, from its start if it resumes. */
static enum err_code check_unused(struct api_request *request, struct err *err)
{
	const char *source =
	    arena_printf(request->arena, "upload:%s", request->param[0]);
	struct store *store = jobs_of(request)->store;

	if (!source)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (int s = 0; s < JOB_STATE_COUNT; s++) {
		const struct store_job_query query = {
			.state = job_state_name((enum job_state)s),
			.limit = JOBS_MAX,
		};
		struct store_jobs jobs;
		enum err_code rc;

		if (job_state_is_over((enum job_state)s))
			continue;
		rc = store_job_list(store, &query, request->arena, &jobs, err);
		if (rc)
			return rc;
		for (size_t i = 0; i < jobs.n; i++)
			if (reads(&jobs.job[i], source, request->arena))
				return err_set(err, ERR_CONFLICT,
					       "dataset '%s' is read by job "
					       "'%s', which is %s",
					       request->param[0],
					       jobs.job[i].id,
					       jobs.job[i].state);
	}
	return ERR_NONE;
}

/* --- changes --- */

static void begin_work(struct change *change, void (*run)(struct run_task *))
{
	change->task.run = run;
	(void)run_pool_schedule(jobs_of(change->request)->transfers,
				&change->task, 0);
}

static struct change *change_of(struct run_task *task)
{
	return (struct change *)(void *)task;
}

static void run_write(struct run_task *task)
{
	struct change *change = change_of(task);

	change->rc = dataset_upload_write(change->upload, change->bytes,
					  change->len, &change->err);
	if (change->rc)
		change->request->sink.err = &change->err;
	api_finish(change->request);
}

static void write_piece(struct api_request *request, const char *bytes,
			size_t len)
{
	struct change *change = request->state;

	change->bytes = bytes;
	change->len = len;
	begin_work(change, run_write);
}

static void drop(struct api_request *request)
{
	struct change *change = request->state;

	dataset_upload_destroy(change->upload);
}

/* Content-Digest (RFC 9530): "sha-256=:BASE64:", among others that are not
 * looked at. *ret: hex, or NULL where there is none. */
static enum err_code read_digest(struct api_request *request, const char **ret,
				 struct err *err)
{
	const char *header = api_header(request, "Content-Digest");
	const char *at = header ? strstr(header, "sha-256=:") : NULL;
	const char *end;
	struct buf bytes;
	enum err_code rc;

	*ret = NULL;
	if (!at)
		return ERR_NONE;
	at += strlen("sha-256=:");
	end = strchr(at, ':');
	buf_init(&bytes, DIGEST_MAX);
	rc = end ? base64_decode(at, (size_t)(end - at), "Content-Digest",
				 &bytes, err)
		 : ERR_INVALID;
	if (!rc && bytes.len == SHA256_BYTES) {
		char *hex = arena_alloc(request->arena, 2 * SHA256_BYTES + 1);

		for (size_t i = 0; hex && i < SHA256_BYTES; i++)
			(void)snprintf(hex + 2 * i, 3, "%02x",
				       (unsigned char)bytes.data[i]);
		*ret = hex;
	}
	buf_finish(&bytes);
	return *ret ? ERR_NONE
		    : err_set(err, ERR_INVALID,
			      "Content-Digest: expected sha-256=:BASE64:, of "
			      "32 bytes");
}

static const char *extension_of(const struct api_request *request)
{
	static const char *const known[][2] = {
		{ "text/csv", ".csv" },
		{ "text/plain", ".txt" },
	};
	const char *type = api_header(request, "Content-Type");

	for (size_t i = 0; type && i < sizeof(known) / sizeof(*known); i++)
		if (str_starts_with(type, known[i][0]))
			return known[i][1];
	return "";
}

enum err_code api_datasets_open(struct api_request *request, struct err *err)
{
	const char *coding = api_header(request, "Content-Encoding");
	struct change *change = arena_alloc(request->arena, sizeof(*change));
	enum err_code rc = check(request, err);

	if (rc)
		return rc;
	if (!change)
		return err_set(err, ERR_NO_MEMORY, "upload: out of memory");
	if (coding && !str_equal(coding, "identity"))
		return err_set(err, ERR_MEDIA_TYPE,
			       "Content-Encoding: a dataset is kept as it is "
			       "sent; name the file with .gz instead");
	*change = (struct change){ .request = request };
	rc = read_digest(request, &change->want_sha256, err);
	if (!rc)
		rc = datasets_check_name(request->param[0], err);
	if (!rc)
		rc = check_unused(request, err);
	if (!rc)
		rc = dataset_upload_begin(
		    jobs_of(request)->datasets, request->param[0],
		    extension_of(request), &change->upload, err);
	if (rc)
		return rc;
	request->state = change;
	request->cleanup = drop;
	request->sink.write = write_piece;
	return ERR_NONE;
}

static void run_finish(struct run_task *task)
{
	struct change *change = change_of(task);
	struct api_request *request = change->request;

	change->rc = dataset_upload_write(change->upload, request->body,
					  request->body_len, &change->err);
	if (!change->rc)
		change->rc =
		    dataset_upload_finish(change->upload, change->want_sha256,
					  &change->is_replaced, &change->err);
	api_finish(request);
}

static enum err_code failure_of(const struct change *change, struct err *err)
{
	if (change->rc && err)
		*err = change->err;
	return change->rc;
}

static enum err_code answer_put(struct api_request *request, struct err *err)
{
	struct change *change = request->state;
	const char *name = request->param[0], *json, *location;
	struct json_writer w;
	enum err_code rc = failure_of(change, err);

	dataset_upload_destroy(change->upload);
	change->upload = NULL;
	if (!rc)
		rc = datasets_read(jobs_of(request)->datasets, name,
				   request->arena, &json, err);
	if (rc)
		return rc;
	api_answer_json(request, change->is_replaced ? 200 : 201, &w);
	json_write_raw(&w, NULL, json, strlen(json));
	location = arena_printf(request->arena, "/datasets/%s", name);
	if (location)
		api_answer_header(request, "Location", location);
	return ERR_NONE;
}

enum err_code api_datasets_put(struct api_request *request, struct err *err)
{
	(void)err;
	request->deadline_ns = CLOCK_FOREVER;
	api_suspend(request, answer_put);
	begin_work(request->state, run_finish);
	return ERR_NONE;
}

static void run_remove(struct run_task *task)
{
	struct change *change = change_of(task);
	struct api_request *request = change->request;

	change->rc = datasets_remove(jobs_of(request)->datasets,
				     request->param[0], &change->err);
	api_finish(request);
}

static enum err_code answer_removed(struct api_request *request,
				    struct err *err)
{
	enum err_code rc = failure_of(request->state, err);

	if (!rc)
		api_answer_empty(request, 204);
	return rc;
}

enum err_code api_datasets_delete(struct api_request *request, struct err *err)
{
	struct change *change = arena_alloc(request->arena, sizeof(*change));
	enum err_code rc = check(request, err);

	if (!rc && !change)
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	if (!rc)
		rc = datasets_check_name(request->param[0], err);
	if (!rc)
		rc = check_unused(request, err);
	if (rc)
		return rc;
	*change = (struct change){ .request = request };
	request->state = change;
	request->deadline_ns = CLOCK_FOREVER;
	api_suspend(request, answer_removed);
	begin_work(change, run_remove);
	return ERR_NONE;
}

/* --- looks --- */

enum err_code api_datasets_list(struct api_request *request, struct err *err)
{
	const char **names = NULL, *json;
	struct json_writer w;
	size_t n = 0;
	enum err_code rc = check(request, err);

	if (!rc)
		rc = datasets_list(jobs_of(request)->datasets, request->arena,
				   &names, &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "datasets");
	for (size_t i = 0; i < n; i++) /* one may have gone meanwhile */
		if (!datasets_read(jobs_of(request)->datasets, names[i],
				   request->arena, &json, NULL))
			json_write_raw(&w, NULL, json, strlen(json));
	json_write_array_end(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}

enum err_code api_datasets_show(struct api_request *request, struct err *err)
{
	struct json_writer w;
	const char *json;
	enum err_code rc = check(request, err);

	if (!rc)
		rc =
		    datasets_read(jobs_of(request)->datasets, request->param[0],
				  request->arena, &json, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_raw(&w, NULL, json, strlen(json));
	return ERR_NONE;
}
