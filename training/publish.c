/* SPDX-License-Identifier: Apache-2.0 */
#include "training/publish.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { ABOUT_MAX = 256 << 20 };

/* A file of a version; NULL where it cannot be read. */
static char *read_file(const struct publish_request *request, int64_t version,
		       const char *name, size_t max, size_t *ret_len)
{
	char path[4096], *data = NULL;

	if (snprintf(path, sizeof(path), "%s/%s/%lld/%s", request->repository,
		     request->model, (long long)version,
		     name) >= (int)sizeof(path) ||
	    file_read_all(path, max, &data, ret_len, NULL))
		return NULL;
	return data;
}

/* Does model.yaml name the job? */
static bool is_of_job(const struct publish_request *request, int64_t version)
{
	struct arena *arena = arena_create((size_t)ABOUT_MAX * 2);
	size_t len;
	char *text = read_file(request, version, "model.yaml", ABOUT_MAX, &len);
	const struct doc *job;
	struct doc *doc;
	bool is = false;

	/* what a job leaves there is JSON; another model.yaml is another's */
	if (arena && text &&
	    !doc_parse_json(text, len, "model.yaml", arena, &doc, NULL)) {
		job = doc_find(doc_find(doc, "lineage"), "job");
		is = job && job->kind == DOC_STRING &&
		     str_equal(job->text, request->job_id);
	}
	mem_free(text);
	arena_destroy(arena);
	return is;
}

static bool has_bytes(const struct publish_request *request, int64_t version)
{
	const struct repository_file *file =
	    &request->artifacts->file[ARTIFACT_MODEL];
	size_t len;
	char *data = read_file(request, version, file->name, file->len, &len);
	bool is =
	    data && len == file->len && memcmp(data, file->bytes, len) == 0;

	mem_free(data);
	return is;
}

/* 0: there is none. */
static enum err_code find_version(struct repository *repository,
				  const struct publish_request *request,
				  struct arena *arena, int64_t *ret_version,
				  struct err *err)
{
	struct repository_listing listing;
	enum err_code rc = repository_list(repository, arena, &listing, err);

	*ret_version = 0;
	for (size_t m = 0; !rc && m < listing.n; m++) {
		const struct repository_model *model = &listing.model[m];

		if (!str_equal(model->name, request->model))
			continue;
		for (size_t v = model->n_versions; v-- > 0 && !*ret_version;) {
			int64_t version = model->version[v];

			if (is_of_job(request, version) &&
			    has_bytes(request, version))
				*ret_version = version;
		}
	}
	return rc;
}

enum err_code publish_once(const struct publish_request *request,
			   struct arena *arena, int64_t *ret_version,
			   struct err *err)
{
	const struct repository_options options = {
		.dirs = &request->repository,
		.n_dirs = 1,
	};
	struct repository *repository = NULL;
	enum err_code rc;

	rc = repository_create(&options, &repository, err);
	if (!rc)
		rc = find_version(repository, request, arena, ret_version, err);
	if (!rc && !*ret_version)
		rc = repository_publish(
		    repository, request->model, request->version,
		    request->artifacts->file, ARTIFACTS, ret_version, err);
	repository_destroy(repository);
	return rc;
}
