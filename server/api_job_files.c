/* SPDX-License-Identifier: Apache-2.0 */
/* What a job has left in its folder: checkpoints and artifacts. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/api.h"
#include "server/api_handlers.h"
#include "server/api_jobs_priv.h"
#include "server/event_hub.h"
#include "store/store.h"
#include "training/checkpoint.h"
#include "training/supervisor.h"

enum { FILES_MAX = 100000 };

/* The job's folder, or one in it. */
static enum err_code find_folder(struct api_request *request, const char *name,
				 const char **ret_path, struct err *err)
{
	const char *dir = supervisor_job_dir(request->context->jobs->supervisor,
					     request->param[0], request->arena);

	*ret_path =
	    dir ? arena_printf(request->arena, "%s%s", dir, name) : NULL;
	if (!*ret_path)
		return err_set(err, ERR_NO_MEMORY, "files: out of memory");
	return ERR_NONE;
}

/* No names where there is no folder. */
static enum err_code list_files(struct api_request *request, const char *path,
				const char ***ret_names, size_t *ret_n,
				struct err *err)
{
	enum err_code rc = file_list_dir(path, FILES_MAX, request->arena,
					 ret_names, ret_n, err);

	if (rc == ERR_NOT_FOUND) {
		*ret_n = 0;
		return ERR_NONE;
	}
	return rc;
}

enum err_code api_jobs_checkpoints(struct api_request *request, struct err *err)
{
	struct store_job job;
	const char *path, **names = NULL;
	struct json_writer w;
	size_t n = 0;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (!rc)
		rc = find_folder(request, "", &path, err);
	if (!rc)
		rc = list_files(request, path, &names, &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "checkpoints");
	for (size_t i = 0; i < n; i++) {
		int64_t step = 0;

		if (!str_starts_with(names[i], CHECKPOINT_PREFIX) ||
		    !str_parse_int64(names[i] + strlen(CHECKPOINT_PREFIX),
				     &step))
			continue;
		json_write_object(&w, NULL);
		json_write_string(&w, "name", names[i]);
		json_write_int(&w, "step", step);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}

/* --- artifacts --- */

static const char *media_type(const char *name)
{
	static const struct {
		const char *end, *type;
	} rows[] = {
		{ ".json", "application/json" },
		{ ".yaml", "application/yaml" },
		{ ".svg", "image/svg+xml" },
		{ ".csv", "text/csv" },
		{ ".md", "text/markdown" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_ends_with(name, rows[i].end))
			return rows[i].type;
	}
	return "application/octet-stream";
}

/* Nothing where it is no regular file, or has gone since it was listed. */
static void write_artifact(struct json_writer *w, const struct file_root *root,
			   const char *name)
{
	struct stat st;
	int fd;

	if (file_root_openat(root, name, 0, &fd, NULL))
		return;
	if (fstat(fd, &st) == 0) {
		json_write_object(w, NULL);
		json_write_string(w, "name", name);
		json_write_int(w, "bytes", (int64_t)st.st_size);
		json_write_string(w, "media_type", media_type(name));
		json_write_object_end(w);
	}
	(void)close(fd);
}

enum err_code api_jobs_artifacts(struct api_request *request, struct err *err)
{
	struct file_root *root = NULL;
	struct store_job job;
	const char *path, **names = NULL;
	struct json_writer w;
	size_t n = 0;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (!rc)
		rc = find_folder(request, "/artifacts", &path, err);
	if (!rc)
		rc = list_files(request, path, &names, &n, err);
	if (!rc && n)
		rc = file_root_open(path, &root, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "artifacts");
	for (size_t i = 0; i < n; i++) {
		if (!str_starts_with(names[i], FILE_TEMPORARY))
			write_artifact(&w, root, names[i]);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	file_root_close(root);
	return ERR_NONE;
}

/* The folder holds what the worker wrote, nothing else is beneath it. */
static enum err_code read_artifact(struct api_request *request,
				   const char *name, char **ret, size_t *ret_n,
				   struct err *err)
{
	struct file_root *root = NULL;
	const char *path;
	int fd;
	enum err_code rc = find_folder(request, "/artifacts", &path, err);

	if (rc)
		return rc;
	rc = file_root_open(path, &root, err);
	if (!rc)
		rc = file_root_openat(root, name, 0, &fd, err);
	file_root_close(root);
	if (rc == ERR_NOT_FOUND || rc == ERR_FORBIDDEN)
		return err_set(err, ERR_NOT_FOUND,
			       "job '%.64s' has no artifact '%.64s' (a "
			       "finished job has model.onnx, model.yaml and "
			       "config.resolved.json)",
			       request->param[0], name);
	if (rc)
		return rc;
	rc =
	    file_read_fd(fd, name, request->response.body.max, ret, ret_n, err);
	(void)close(fd);
	return rc;
}

enum err_code api_jobs_artifact(struct api_request *request, struct err *err)
{
	const char *name = request->param[1];
	struct store_job job;
	char *data;
	size_t n;
	enum err_code rc = jobs_api_find(request, &job, err);

	if (!rc && str_equal(name, "events.ndjson"))
		return event_hub_answer(request->context->jobs->hub, request,
					job.id, 0, true, err);
	if (!rc)
		rc = read_artifact(request, name, &data, &n, err);
	if (rc)
		return rc;
	buf_put(&request->response.body, data, n);
	mem_free(data);
	request->response.status = 200;
	request->response.content_type = media_type(name);
	return ERR_NONE;
}
