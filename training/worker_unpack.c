/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "data/unpack.h"
#include "training/job.h"
#include "training/worker_priv.h"

enum { SPEC_MAX = 64 << 10, FILES_MAX = 1000000 };

/* What training/datasets.c wrote. */
struct order {
	const char *file;
	int64_t max_bytes;
};

static enum err_code read_order(struct worker *worker, struct order *ret,
				struct err *err)
{
	const char *path = arena_printf(worker->arena, "%s/spec.json",
					worker->options->job_dir);
	const struct doc *file, *max;
	struct doc *doc;
	char *text;
	size_t n;
	enum err_code rc;

	if (!path)
		return err_set(err, ERR_NO_MEMORY, "unpack: out of memory");
	rc = file_read_all(path, SPEC_MAX, &text, &n, err);
	if (rc)
		return rc;
	rc = doc_parse_json(text, n, path, worker->arena, &doc, err);
	mem_free(text);
	if (rc)
		return rc;
	file = doc_find(doc, "file");
	max = doc_find(doc, "max_bytes");
	if (!file || file->kind != DOC_STRING || !max || max->kind != DOC_INT)
		return err_set(err, ERR_FORMAT, "'%s' is not as it was written",
			       path);
	*ret = (struct order){ file->text, max->integer };
	(void)unlink(path);
	return ERR_NONE;
}

static enum err_code keep_file(const char *from, const char *into,
			       const char *file, struct unpack_result *ret,
			       struct err *err)
{
	char to[4096];
	struct stat st;

	(void)snprintf(to, sizeof(to), "%s/%s", into, file);
	if (stat(from, &st) != 0 || rename(from, to) != 0)
		return file_err(err, errno, "rename", from);
	*ret = (struct unpack_result){ .n_bytes = st.st_size, .n_files = 1 };
	return ERR_NONE;
}

static void send_result(struct worker *worker,
			const struct unpack_result *result)
{
	struct json_writer *w = worker_link_begin(worker->link, "done");

	json_write_string(w, "state", job_state_name(JOB_SUCCEEDED));
	json_write_object(w, "result");
	json_write_int(w, "files", result->n_files);
	json_write_int(w, "unpacked_bytes", result->n_bytes);
	json_write_object_end(w);
	worker_link_end(worker->link);
}

enum err_code worker_unpack(struct worker *worker, struct err *err)
{
	const char *dir = worker->options->job_dir;
	const char *from = arena_printf(worker->arena, "%s/upload", dir);
	const char *into = arena_printf(worker->arena, "%s/data", dir);
	struct unpack_result result = { 0 };
	struct unpack_limits limits = { .max_files = FILES_MAX };
	struct order order;
	enum err_code rc;

	if (!from || !into)
		return err_set(err, ERR_NO_MEMORY, "unpack: out of memory");
	rc = read_order(worker, &order, err);
	if (!rc)
		rc = file_make_dirs(into, err);
	if (rc)
		return rc;
	limits.max_bytes = order.max_bytes;
	if (!unpack_is_archive(from)) {
		rc = keep_file(from, into, order.file, &result, err);
	} else {
		rc = unpack_archive(from, into, &limits, &result, err);
		(void)unlink(from);
	}
	if (!rc)
		rc = file_sync_dir(into, err);
	if (!rc)
		send_result(worker, &result);
	return rc;
}
