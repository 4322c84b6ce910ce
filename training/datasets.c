/* SPDX-License-Identifier: Apache-2.0 */
#include "training/datasets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/process.h"

enum {
	NAME_MAX_BYTES = 128,
	DATASETS_MAX = 100000,
	INFO_MAX = 64 << 10,
	ARENA_MAX = 16 << 20,
	TEMPORARY_DIGITS = 16,
	UNPACK_MS = 3600 * 1000,
	FILE_MODE = 0644,
};

struct datasets {
	struct datasets_options options;
	pthread_mutex_t naming; /* one folder takes or loses a name at a time */
};

struct dataset_upload {
	struct datasets *datasets;
	struct arena *arena;
	const char *name, *file; /* file: as it is called in data/ */
	const char *dir;	 /* temporary */
	int fd;			 /* of dir/upload; -1: closed */
	struct digest digest;
	int64_t n_bytes;
	bool is_named;
};

/* --- the folder --- */

static enum err_code sweep(const char *dir, struct err *err)
{
	struct arena *arena = arena_create(ARENA_MAX);
	const char **names;
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "datasets: out of memory");
	rc = file_list_dir(dir, DATASETS_MAX, arena, &names, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		const char *path = arena_printf(arena, "%s/%s", dir, names[i]);

		if (path && str_starts_with(names[i], FILE_TEMPORARY))
			rc = file_remove_tree(path, err);
	}
	arena_destroy(arena);
	return rc;
}

enum err_code datasets_create(const struct datasets_options *options,
			      struct datasets **ret_datasets, struct err *err)
{
	struct datasets *datasets = mem_zero(sizeof(*datasets));
	enum err_code rc;

	if (!datasets)
		return err_set(err, ERR_NO_MEMORY, "datasets: out of memory");
	datasets->options = *options;
	(void)pthread_mutex_init(&datasets->naming, NULL);
	rc = file_make_dirs(options->dir, err);
	if (!rc)
		rc = sweep(options->dir, err);
	if (rc) {
		datasets_destroy(datasets);
		return rc;
	}
	*ret_datasets = datasets;
	return ERR_NONE;
}

void datasets_destroy(struct datasets *datasets)
{
	if (!datasets)
		return;
	(void)pthread_mutex_destroy(&datasets->naming);
	mem_free(datasets);
}

int64_t datasets_max_bytes(const struct datasets *datasets)
{
	return datasets->options.max_bytes;
}

enum err_code datasets_check_name(const char *name, struct err *err)
{
	const size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789._-");

	if (n && !name[n] && n <= NAME_MAX_BYTES && *name != '.')
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "dataset '%.140s': a name has 1 to %d letters, digits, "
		       "'.', '_' and '-', and does not begin with '.'",
		       name, NAME_MAX_BYTES);
}

/* --- an upload comes --- */

static enum err_code out_of_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "upload: out of memory");
}

static enum err_code open_upload(struct dataset_upload *upload, struct err *err)
{
	char digits[TEMPORARY_DIGITS + 1];
	const char *path;
	enum err_code rc = digest_random_hex(digits, TEMPORARY_DIGITS, err);

	if (rc)
		return rc;
	upload->dir = arena_printf(upload->arena, "%s/" FILE_TEMPORARY "%s",
				   upload->datasets->options.dir, digits);
	path = upload->dir
		   ? arena_printf(upload->arena, "%s/upload", upload->dir)
		   : NULL;
	if (!path)
		return out_of_memory(err);
	rc = file_make_dirs(upload->dir, err);
	if (rc)
		return rc;
	upload->fd =
	    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	return upload->fd < 0 ? file_err(err, errno, "create", path) : ERR_NONE;
}

enum err_code dataset_upload_begin(struct datasets *datasets, const char *name,
				   const char *extension,
				   struct dataset_upload **ret_upload,
				   struct err *err)
{
	struct dataset_upload *upload;
	enum err_code rc = datasets_check_name(name, err);

	if (rc)
		return rc;
	upload = mem_zero(sizeof(*upload));
	if (!upload)
		return out_of_memory(err);
	upload->fd = -1;
	upload->datasets = datasets;
	digest_init(&upload->digest);
	upload->arena = arena_create(ARENA_MAX);
	if (upload->arena) {
		upload->name = arena_strdup(upload->arena, name);
		upload->file = arena_printf(upload->arena, "%s%s", name,
					    strchr(name, '.') ? "" : extension);
	}
	rc = upload->arena && upload->name && upload->file
		 ? open_upload(upload, err)
		 : out_of_memory(err);
	if (rc) {
		dataset_upload_destroy(upload);
		return rc;
	}
	*ret_upload = upload;
	return ERR_NONE;
}

enum err_code dataset_upload_write(struct dataset_upload *upload,
				   const void *bytes, size_t len,
				   struct err *err)
{
	const int64_t max = upload->datasets->options.max_bytes;

	upload->n_bytes += (int64_t)len;
	if (upload->n_bytes > max)
		return err_set(err, ERR_TOO_LARGE,
			       "dataset '%s' has more than the %lld bytes that "
			       "are taken (--max-dataset)",
			       upload->name, (long long)max);
	digest_update(&upload->digest, bytes, len);
	return file_write_fd(upload->fd, "upload", bytes, len, err);
}

/* --- it is whole --- */

static enum err_code close_upload(struct dataset_upload *upload,
				  struct err *err)
{
	enum err_code rc = file_sync_fd(upload->fd, "upload", err);
	const int fd = upload->fd;

	upload->fd = -1;
	if (close(fd) != 0 && !rc)
		rc = file_err(err, errno, "close", "upload");
	return rc;
}

static enum err_code check_content(const struct dataset_upload *upload,
				   const char *sha256, const char *want,
				   struct err *err)
{
	if (!upload->n_bytes)
		return err_set(err, ERR_INVALID,
			       "dataset '%s': the body is empty: send a file, "
			       "as 'curl -T FILE' does",
			       upload->name);
	if (want && !str_equal(want, sha256))
		return err_set(err, ERR_INVALID,
			       "dataset '%s': Content-Digest says sha-256 %s, "
			       "what came has %s",
			       upload->name, want, sha256);
	return ERR_NONE;
}

/* What the worker is to do (training/worker_unpack.c). */
static enum err_code write_spec(const struct dataset_upload *upload,
				struct err *err)
{
	const char *path =
	    arena_printf(upload->arena, "%s/spec.json", upload->dir);
	struct json_writer w;
	struct buf buf;
	enum err_code rc;

	if (!path)
		return out_of_memory(err);
	buf_init(&buf, INFO_MAX);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	json_write_string(&w, "file", upload->file);
	json_write_int(&w, "max_bytes", upload->datasets->options.max_bytes);
	json_write_object_end(&w);
	rc = buf_check(&buf, "upload", err);
	if (!rc)
		rc = file_write_passing(path, buf.data, buf.len, err);
	buf_finish(&buf);
	return rc;
}

/* The worker's "done": its result, or its error as this one. */
static enum err_code read_done(const struct dataset_upload *upload,
			       const char *line, const struct doc **ret_result,
			       struct err *err)
{
	const struct doc *error;
	struct doc *done;
	enum err_code rc;

	if (!line)
		return err_set(err, ERR_INTERNAL,
			       "dataset '%s': the process that unpacks ended "
			       "without an answer",
			       upload->name);
	rc = doc_parse_json(line, strlen(line), "worker", upload->arena, &done,
			    err);
	if (rc)
		return rc;
	error = doc_find(done, "error");
	if (error && error->kind == DOC_STRING)
		return err_set(err, ERR_INVALID, "dataset '%s': %s",
			       upload->name, error->text);
	*ret_result = doc_find(done, "result");
	return ERR_NONE;
}

static enum err_code unpack(struct dataset_upload *upload,
			    const struct doc **ret_result, struct err *err)
{
	const struct process_options options = {
		.program = upload->datasets->options.program,
		.job_dir = upload->dir,
		.threads = 1,
		.task = WORKER_UNPACK,
	};
	struct process process;
	const char *line;
	enum err_code rc = write_spec(upload, err);

	if (!rc)
		rc = process_start(&process, &options, err);
	if (rc)
		return rc;
	line = process_await_done(&process, UNPACK_MS, upload->arena);
	process_kill(&process);
	(void)process_finish(&process);
	return read_done(upload, line, ret_result, err);
}

static enum err_code write_info(const struct dataset_upload *upload,
				const char *sha256, const struct doc *result,
				struct err *err)
{
	const char *path =
	    arena_printf(upload->arena, "%s/dataset.json", upload->dir);
	char created[CLOCK_TEXT_MAX];
	struct json_writer w;
	struct buf buf;
	enum err_code rc;

	if (!path)
		return out_of_memory(err);
	clock_format_iso8601(clock_realtime_ms(), created);
	buf_init(&buf, INFO_MAX);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	json_write_string(&w, "name", upload->name);
	json_write_string(
	    &w, "source",
	    arena_printf(upload->arena, "upload:%s", upload->name));
	json_write_int(&w, "bytes", upload->n_bytes);
	json_write_string(&w, "sha256", sha256);
	for (const struct doc *d = result ? result->first : NULL; d;
	     d = d->next)
		json_write_doc(&w, d->key, d);
	json_write_string(&w, "created_at", created);
	json_write_object_end(&w);
	rc = buf_check(&buf, "upload", err);
	if (!rc)
		rc = file_write_atomic(path, buf.data, buf.len, err);
	buf_finish(&buf);
	return rc;
}

/* One rename, so that whoever looks sees the old data or the new. */
static enum err_code take_name(struct dataset_upload *upload,
			       bool *ret_replaced, struct err *err)
{
	struct datasets *datasets = upload->datasets;
	const char *to = arena_printf(upload->arena, "%s/%s",
				      datasets->options.dir, upload->name);
	enum err_code rc = ERR_NONE;
	struct stat st;

	if (!to)
		return out_of_memory(err);
	(void)pthread_mutex_lock(&datasets->naming);
	*ret_replaced = lstat(to, &st) == 0;
	if (renameat2(AT_FDCWD, upload->dir, AT_FDCWD, to,
		      *ret_replaced ? RENAME_EXCHANGE : RENAME_NOREPLACE))
		rc = file_err(err, errno, "rename", upload->dir);
	(void)pthread_mutex_unlock(&datasets->naming);
	if (rc)
		return rc;
	upload->is_named = !*ret_replaced; /* else the old one is there */
	return file_sync_dir(datasets->options.dir, err);
}

enum err_code dataset_upload_finish(struct dataset_upload *upload,
				    const char *want_sha256, bool *ret_replaced,
				    struct err *err)
{
	const struct doc *result = NULL;
	char sha256[DIGEST_HEX_MAX];
	enum err_code rc = close_upload(upload, err);

	digest_finish(&upload->digest, sha256);
	if (!rc)
		rc = check_content(upload, sha256, want_sha256, err);
	if (!rc)
		rc = unpack(upload, &result, err);
	if (!rc)
		rc = write_info(upload, sha256, result, err);
	if (!rc)
		rc = file_sync_dir(upload->dir, err);
	if (!rc)
		rc = take_name(upload, ret_replaced, err);
	return rc;
}

void dataset_upload_destroy(struct dataset_upload *upload)
{
	if (!upload)
		return;
	if (upload->fd >= 0)
		(void)close(upload->fd);
	/* what cannot be removed now is at the next start */
	if (upload->dir && !upload->is_named)
		(void)!file_remove_tree(upload->dir, NULL);
	arena_destroy(upload->arena);
	mem_free(upload);
}

/* --- those that are there --- */

enum err_code datasets_list(const struct datasets *datasets,
			    struct arena *arena, const char ***ret_names,
			    size_t *ret_n, struct err *err)
{
	const char **names;
	size_t n, kept = 0;
	enum err_code rc = file_list_dir(datasets->options.dir, DATASETS_MAX,
					 arena, &names, &n, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!datasets_check_name(names[i], NULL))
			names[kept++] = names[i];
	*ret_names = names;
	*ret_n = kept;
	return ERR_NONE;
}

enum err_code datasets_read(const struct datasets *datasets, const char *name,
			    struct arena *arena, const char **ret_json,
			    struct err *err)
{
	const char *path = arena_printf(arena, "%s/%s/dataset.json",
					datasets->options.dir, name);
	enum err_code rc = datasets_check_name(name, err);
	char *data = NULL;
	size_t n;

	if (rc)
		return rc;
	if (!path)
		return out_of_memory(err);
	rc = file_read_all(path, INFO_MAX, &data, &n, err);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "there is no dataset '%s'", name);
	if (rc)
		return rc;
	*ret_json = arena_strndup(arena, data, n);
	mem_free(data);
	return *ret_json ? ERR_NONE : out_of_memory(err);
}

enum err_code datasets_remove(struct datasets *datasets, const char *name,
			      struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX], digits[TEMPORARY_DIGITS + 1];
	enum err_code rc = datasets_check_name(name, err);

	if (!rc)
		rc = digest_random_hex(digits, TEMPORARY_DIGITS, err);
	if (rc)
		return rc;
	(void)snprintf(from, sizeof(from), "%s/%s", datasets->options.dir,
		       name);
	(void)snprintf(to, sizeof(to), "%s/" FILE_TEMPORARY "%s",
		       datasets->options.dir, digits);
	(void)pthread_mutex_lock(&datasets->naming);
	rc = file_rename_noreplace(from, to, err);
	(void)pthread_mutex_unlock(&datasets->naming);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "there is no dataset '%s'", name);
	if (!rc)
		rc = file_sync_dir(datasets->options.dir, err);
	return rc ? rc : file_remove_tree(to, err);
}
