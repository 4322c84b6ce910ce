/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/package.h"
#include "models/repository_priv.h"

enum { FILES_MAX = 1024, FILE_NAME_MAX = 128, MANIFEST_MAX = 1 << 20 };
enum { TEMPORARY_DIGITS = 16, TRIES = 64, MANIFEST_FORMAT = 1 };

static const char *const manifest_file = "manifest.json";

/* One version on its way into the repository. */
struct publication {
	const struct file_root *root;
	const char *model;
	const struct repository_file *file;
	size_t n_files;
	char temporary[sizeof(REPOSITORY_TEMPORARY) + TEMPORARY_DIGITS];
	int fd;	      /* of the temporary folder; -1: not there */
	int model_fd; /* of DIR/MODEL */
	bool made_model;
};

/* --- what is asked for --- */

static bool is_file_name(const char *name)
{
	size_t n = strlen(name);

	return n && n <= FILE_NAME_MAX && *name != '.' && !strchr(name, '/') &&
	       str_is_utf8(name, n) && strcmp(name, manifest_file) != 0;
}

static enum err_code check_files(const struct repository_file *file, size_t n,
				 struct err *err)
{
	bool has_model = false;

	if (n > FILES_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "publish: %zu files; at most %d", n, FILES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!is_file_name(file[i].name))
			return err_set(err, ERR_INVALID,
				       "publish: '%.64s' cannot be the name of "
				       "a model's file",
				       file[i].name);
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(file[i].name, file[j].name))
				return err_set(err, ERR_INVALID,
					       "publish: the file '%s' is "
					       "given twice",
					       file[i].name);
		}
		has_model |= !strcmp(file[i].name, "model.onnx");
	}
	if (!has_model)
		return err_set(err, ERR_INVALID,
			       "publish: there is no file model.onnx");
	return ERR_NONE;
}

/* --- the temporary folder --- */

static const char *temporary_path(const struct publication *p,
				  char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", file_root_path(p->root),
		       p->temporary);
	return path;
}

static enum err_code make_temporary(struct publication *p, struct err *err)
{
	char digits[TEMPORARY_DIGITS + 1];
	int root_fd = file_root_fd(p->root);
	enum err_code rc = digest_random_hex(digits, TEMPORARY_DIGITS, err);

	if (rc)
		return rc;
	(void)snprintf(p->temporary, sizeof(p->temporary), "%s%s",
		       REPOSITORY_TEMPORARY, digits);
	if (mkdirat(root_fd, p->temporary, 0755) < 0)
		return file_err(err, errno, "make folder", p->temporary);
	p->fd = openat(root_fd, p->temporary,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0)
		return file_err(err, errno, "open folder", p->temporary);
	/* a daemon that starts now must not take it for a leftover */
	if (flock(p->fd, LOCK_SH | LOCK_NB) < 0)
		return file_err(err, errno, "lock", p->temporary);
	return ERR_NONE;
}

static enum err_code write_manifest(const struct publication *p,
				    struct err *err)
{
	char hex[DIGEST_HEX_MAX];
	struct json_writer w;
	struct buf text;
	enum err_code rc;

	buf_init(&text, MANIFEST_MAX);
	json_write_init(&w, &text);
	json_write_object(&w, NULL);
	json_write_int(&w, "format", MANIFEST_FORMAT);
	json_write_array(&w, "files");
	for (size_t i = 0; i < p->n_files; i++) {
		digest_sha256(p->file[i].bytes, p->file[i].len, hex);
		json_write_object(&w, NULL);
		json_write_string(&w, "name", p->file[i].name);
		json_write_uint(&w, "size", p->file[i].len);
		json_write_string(&w, "sha256", hex);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	buf_putc(&text, '\n');
	rc = buf_check(&text, manifest_file, err);
	if (!rc)
		rc = file_write_durable(p->fd, manifest_file, text.data,
					text.len, err);
	buf_finish(&text);
	return rc;
}

static enum err_code write_files(const struct publication *p, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < p->n_files && !rc; i++)
		rc = file_write_durable(p->fd, p->file[i].name,
					p->file[i].bytes, p->file[i].len, err);
	if (!rc)
		rc = write_manifest(p, err);
	if (!rc)
		rc = file_sync_fd(p->fd, p->temporary, err);
	return rc;
}

/* Reads it back as serving will. */
static enum err_code verify(const struct publication *p, struct err *err)
{
	struct package *package = NULL;
	enum err_code rc;

	rc = package_load(&(struct package_source){ .root = p->root,
						    .path = p->temporary,
						    .name = p->model,
						    .version = 1 },
			  &package, err);
	package_unref(package);
	return rc;
}

/* --- its name --- */

static enum err_code open_model(struct publication *p, struct err *err)
{
	int root_fd = file_root_fd(p->root);
	enum err_code rc;

	if (!mkdirat(root_fd, p->model, 0755))
		p->made_model = true;
	else if (errno != EEXIST)
		return file_err(err, errno, "make folder", p->model);
	rc =
	    file_root_openat(p->root, p->model, FILE_FOLDER, &p->model_fd, err);
	if (!rc && p->made_model)
		rc = file_sync_fd(root_fd, file_root_path(p->root), err);
	return rc;
}

/* The rename is undone when it cannot be made to last. */
static enum err_code settle(const struct publication *p, const char *number,
			    struct err *err)
{
	int root_fd = file_root_fd(p->root);
	enum err_code rc = file_sync_fd(p->model_fd, p->model, err);

	if (!rc)
		rc = file_sync_fd(root_fd, file_root_path(p->root), err);
	if (rc)
		(void)renameat(p->model_fd, number, root_fd, p->temporary);
	return rc;
}

static enum err_code take_number(const struct publication *p, int64_t version,
				 struct err *err)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%lld", (long long)version);
	if (!renameat2(file_root_fd(p->root), p->temporary, p->model_fd, number,
		       RENAME_NOREPLACE))
		return settle(p, number, err);
	if (errno == EEXIST || errno == ENOTEMPTY)
		return err_set(err, ERR_CONFLICT,
			       "model '%s' has a version %lld already",
			       p->model, (long long)version);
	return file_err(err, errno, "rename", p->temporary);
}

/* Above every version there is, complete or not, in any folder: one that
 * another process has begun is not ours to take. */
static enum err_code next_version(struct repository *repository,
				  const char *model, int64_t *ret_version,
				  struct err *err)
{
	struct arena *arena = arena_create(64 << 20);
	int64_t *versions;
	size_t n;
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "publish: out of memory");
	rc = repository_versions(repository, model, true, arena, &versions, &n,
				 err);
	if (!rc && n && versions[n - 1] == INT64_MAX)
		rc = err_set(err, ERR_CONFLICT,
			     "model '%s' has no version left", model);
	if (!rc)
		*ret_version = n ? versions[n - 1] + 1 : 1;
	arena_destroy(arena);
	return rc;
}

/* A number that somebody else took meanwhile: the next one, unless the caller
 * wanted this. */
static enum err_code place(struct repository *repository,
			   const struct publication *p, int64_t version,
			   int64_t *ret_version, struct err *err)
{
	int64_t number = version;
	enum err_code rc = ERR_CONFLICT;

	for (int i = 0; i < TRIES && rc == ERR_CONFLICT; i++) {
		rc = version ? ERR_NONE
			     : next_version(repository, p->model, &number, err);
		if (!rc)
			rc = take_number(p, number, err);
		if (version)
			break;
	}
	if (!rc)
		*ret_version = number;
	return rc;
}

/* What is left of it is hidden by its name, and the next start removes it. */
static void remove_temporary(const struct publication *p)
{
	char path[PATH_MAX];
	enum err_code rc = file_remove_tree(temporary_path(p, path), NULL);

	(void)rc;
}

static void clean_up(struct publication *p, bool failed)
{
	if (failed && *p->temporary)
		remove_temporary(p);
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->model_fd >= 0)
		(void)close(p->model_fd);
	if (failed && p->made_model) /* only when it is empty */
		(void)unlinkat(file_root_fd(p->root), p->model, AT_REMOVEDIR);
}

/* NOLINTNEXTLINE(readability-function-size): what a version consists of */
enum err_code repository_publish(struct repository *repository,
				 const char *model, int64_t version,
				 const struct repository_file *files,
				 size_t n_files, int64_t *ret_version,
				 struct err *err)
{
	struct publication p = { .root = repository->root[0],
				 .model = model,
				 .file = files,
				 .n_files = n_files,
				 .fd = -1,
				 .model_fd = -1 };
	enum err_code rc = repository_check_name(model, err);

	if (!rc && version < 0)
		rc = err_set(err, ERR_INVALID,
			     "publish: version %lld; expected a positive "
			     "number, or 0 for the next one",
			     (long long)version);
	if (!rc)
		rc = check_files(files, n_files, err);
	if (rc)
		return rc;
	(void)pthread_mutex_lock(&repository->publishing);
	rc = make_temporary(&p, err);
	if (!rc)
		rc = write_files(&p, err);
	if (!rc)
		rc = verify(&p, err);
	if (!rc)
		rc = open_model(&p, err);
	if (!rc)
		rc = place(repository, &p, version, ret_version, err);
	clean_up(&p, rc != ERR_NONE);
	(void)pthread_mutex_unlock(&repository->publishing);
	return rc;
}
